"""What asking a model may cost: price, daily limits, and a breaker that stops asking one that fails. Pure.

Where the counters live is the caller's choice: in the database for the pipeline, shared by all processes, or
in memory (``LocalMeter``) for one evaluation or replay.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, Protocol

from leasebot_pipeline.domain.clock import Clock

COOLDOWN: Final = timedelta(seconds=30)
LONGEST_COOLDOWN: Final = timedelta(minutes=10)
CIRCUIT_OPEN: Final = "circuit_open"
TOKENS_SPENT: Final = "daily_tokens_spent"
MONEY_SPENT: Final = "daily_money_spent"
METER_UNAVAILABLE: Final = "meter_unavailable"


@dataclass(frozen=True, slots=True)
class Spend:
    """Tokens, and money in millionths of a US dollar."""

    tokens: int = 0
    micros: int = 0

    def __add__(self, other: Spend) -> Spend:
        return Spend(self.tokens + other.tokens, self.micros + other.micros)


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """US dollars per million tokens."""

    input_usd: float = 0.30
    output_usd: float = 2.50

    def spend(self, prompt_tokens: int, output_tokens: int) -> Spend:
        """What that many tokens cost, rounded up to a millionth."""
        micros = math.ceil(round(prompt_tokens * self.input_usd + output_tokens * self.output_usd, 6))
        return Spend(prompt_tokens + output_tokens, micros)


@dataclass(frozen=True, slots=True)
class DailyLimits:
    """The most a day (UTC) may cost; 0 is no limit. ``failures`` in a row open the breaker."""

    tokens: int = 0
    usd: float = 0.0
    failures: int = 5

    def affordable(self, spent: Spend, wanted: Sequence[Spend]) -> tuple[int, str | None]:
        """How many of ``wanted``, in order, still fit, and what the next one would break."""
        for count, one in enumerate(wanted):
            spent = spent + one
            if 0 < self.tokens < spent.tokens:
                return count, TOKENS_SPENT
            if 0 < self.usd < spent.micros / 1_000_000:
                return count, MONEY_SPENT
        return len(wanted), None


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of the questions of a batch."""

    questions: int = 0
    failures: int = 0
    """Questions without a usable answer."""
    spent: Spend = Spend()
    prompt_tokens: int = 0
    output_tokens: int = 0
    answered: bool = False
    """The service answered at least once."""
    failures_in_a_row: int = 0
    """At the end of the batch; only failures that speak against the service."""
    code: str | None = None
    """Of the last of those."""
    hopeless: bool = False
    """A wrong key or model: trying again soon is of no use."""


@dataclass(frozen=True, slots=True)
class ModelCircuit:
    """The breaker of one model. ``openings`` counts how often it opened since the last answer."""

    failures: int = 0
    openings: int = 0
    open_until: datetime | None = None
    code: str | None = None

    def admits(self, now: datetime) -> bool:
        return self.open_until is None or now >= self.open_until

    @property
    def probes(self) -> bool:
        """After a cooldown one question is asked before the others."""
        return self.open_until is not None

    def probing(self, now: datetime) -> ModelCircuit:
        """While one process tries, the others wait as long as another cooldown."""
        return replace(self, open_until=now + COOLDOWN)

    def after(self, report: BatchReport, threshold: int, now: datetime) -> ModelCircuit:
        """The breaker after a batch that asked."""
        if not report.questions:
            return self
        if not report.failures_in_a_row:
            return ModelCircuit()
        failures = report.failures_in_a_row + (0 if report.answered else self.failures)
        openings = 0 if report.answered else self.openings
        if failures < threshold and not report.hopeless and not openings:
            return ModelCircuit(failures, 0, None, report.code)
        pause = LONGEST_COOLDOWN if report.hopeless else COOLDOWN * 2 ** min(openings, 8)
        return ModelCircuit(failures, openings + 1, now + min(pause, LONGEST_COOLDOWN), report.code)


@dataclass(frozen=True, slots=True)
class Admission:
    """How many of a batch's questions may be asked, first ones first, and why no more."""

    granted: int
    refused: str | None = None
    reserved: Spend = Spend()
    day: date | None = None


class Meter(Protocol):
    """Grants questions and books what they cost. May raise: then nothing is asked."""

    def admit(self, wanted: Sequence[Spend]) -> Admission:
        """Reserve for as many as the day's limits and the breaker allow."""
        ...

    def settle(self, admission: Admission, report: BatchReport) -> None:
        """Replace the reservation by what was spent."""
        ...


class LocalMeter:
    """A meter of its own, in memory."""

    def __init__(self, limits: DailyLimits, clock: Clock) -> None:
        self._limits, self._clock = limits, clock
        self._lock = threading.Lock()
        self._spent: dict[date, Spend] = {}
        self._circuit = ModelCircuit()

    def admit(self, wanted: Sequence[Spend]) -> Admission:
        now = self._clock()
        with self._lock:
            if not self._circuit.admits(now):
                return Admission(0, CIRCUIT_OPEN)
            spent = self._spent.get(now.date(), Spend())
            admission = admit(self._limits, self._circuit, spent, wanted, now)
            if admission.granted and self._circuit.probes:
                self._circuit = self._circuit.probing(now)
            self._spent[now.date()] = spent + admission.reserved
            return admission

    def settle(self, admission: Admission, report: BatchReport) -> None:
        now = self._clock()
        with self._lock:
            day = admission.day or now.date()
            self._spent[day] = settled(self._spent.get(day, Spend()), admission, report)
            self._circuit = self._circuit.after(report, self._limits.failures, now)


def admit(
    limits: DailyLimits, circuit: ModelCircuit, spent: Spend, wanted: Sequence[Spend], now: datetime
) -> Admission:
    """The admission under these counters; a probing breaker lets one question through."""
    if not circuit.admits(now):
        return Admission(0, CIRCUIT_OPEN)
    offered = wanted[:1] if circuit.probes else wanted
    granted, refused = limits.affordable(spent, offered)
    if refused is None and len(offered) < len(wanted):
        refused = CIRCUIT_OPEN
    reserved = sum(offered[:granted], Spend())
    return Admission(granted, refused, reserved, now.date())


def settled(spent: Spend, admission: Admission, report: BatchReport) -> Spend:
    """The day's spend once the reservation is replaced by what was used."""
    return Spend(
        max(0, spent.tokens - admission.reserved.tokens + report.spent.tokens),
        max(0, spent.micros - admission.reserved.micros + report.spent.micros),
    )
