"""The gate between shadow, canary and full: the runbook's rules as values in, verdict out. Pure.

A release goes on when every rule is kept. Canary becomes full only after two consecutive checks without an
increase of critical errors to twice the shadow baseline or more; the same increase in two consecutive checks takes
the release back, and so do the other rollback conditions at once. A canary sends for the first time, so in it failing
sends and breakers that open are such conditions too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from leasebot_pipeline.domain.platforms import ReleaseStage
from leasebot_pipeline.domain.rate_ratio import RateRatio
from leasebot_pipeline.domain.release_figures import CRITICAL_ERRORS, Figures, expected

HANDOFF_INVARIANTS: Final = frozenset(
    {
        "message_answered_once",
        "reply_has_author",
        "decision_has_effect",
        "nothing_sent_in_shadow",
        "nothing_sent_against_policy",
        "kill_switch_stops_sends",
        "opted_out_not_written",
        "taken_over_left_alone",
        "no_follow_up_after_reply",
    }
)
"""Promises whose breach means that something went out which a person should have seen."""
SHOWING_INVARIANTS: Final = frozenset(
    {
        "confirmed_showing_booked",
        "no_overlapping_showings",
        "visitors_have_their_seats",
        "showing_agrees",
        "no_hold_past_its_time",
        "ended_offer_final",
        "terminal_state_final",
    }
)
"""Promises of the showing lifecycle."""
FAILED_SENDS: Final = frozenset({"platform_dispatch_dlq", "platform_dispatch_error"})
"""Errors of which an increase takes a canary back at first sight: repeated failures, growing dead letters."""
REQUIRED_GATES: Final = ("critical", "quality", "smoke")
"""Gates that must have passed for the commit: critical suites, data quality, smoke."""


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """The gate's numbers."""

    increase: float = 2.0
    min_errors: int = 5
    min_traffic: int = 20
    clean_checks: int = 2
    baseline_window: timedelta = timedelta(hours=24)
    windows: Mapping[ReleaseStage, timedelta] = field(
        default_factory=lambda: {
            ReleaseStage.SHADOW: timedelta(hours=24),
            ReleaseStage.CANARY: timedelta(hours=2),
            ReleaseStage.FULL: timedelta(hours=1),
        }
    )
    fresh: timedelta = timedelta(hours=24)
    """A check older than this says nothing about now."""


class Verdict(StrEnum):
    """``pass``: go on. ``hold``: wait, nothing is wrong enough to go back. ``rollback``: go back now."""

    PASS = "pass"  # noqa: S105
    HOLD = "hold"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Baseline:
    """What shadow looked like."""

    since: datetime
    taken_at: datetime
    figures: Figures

    def as_json(self) -> dict[str, Any]:
        return {
            "since": self.since.isoformat(),
            "takenAt": self.taken_at.isoformat(),
            "figures": self.figures.as_json(),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Baseline:
        return cls(
            datetime.fromisoformat(stored["since"]),
            datetime.fromisoformat(stored["takenAt"]),
            Figures.from_json(stored["figures"]),
        )


@dataclass(frozen=True, slots=True)
class PastCheck:
    """An earlier conclusive check of the same stage: which increases it saw."""

    taken_at: datetime
    spikes: frozenset[str]


@dataclass(frozen=True, slots=True)
class GateInput:
    """Everything the gate looks at, of one moment."""

    stage: ReleaseStage
    now: datetime
    since: datetime
    figures: Figures
    baseline: Baseline | None
    cohort: frozenset[str]
    """Accounts (ids) of the canary; they are compared by themselves too, so that the others do not hide them."""
    earlier: Sequence[PastCheck]
    """Conclusive checks of this stage, newest first."""
    missing_platforms: Sequence[str]
    forbidden_runtime: int
    """Starts and visits refused with MOCK_RUNTIME_FORBIDDEN in the window."""
    open_circuits: Sequence[str]
    """Active accounts that fail fast, or did so in the window."""
    evidence: Mapping[str, bool]
    """Gate name to whether its newest run for the commit passed; a missing name was never run."""
    commit: str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule with its numbers. ``takes_back``: broken, it is a rollback condition outside of shadow."""

    name: str
    kept: bool
    reason: str
    takes_back: bool = False
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "status": "pass" if self.kept else "fail",
            "reason": self.reason,
            "rollback": self.takes_back,
            "numbers": dict(self.numbers),
        }


@dataclass(frozen=True, slots=True)
class GateResult:
    """The verdict with every rule. ``spikes``: increases seen by this check alone."""

    verdict: Verdict
    rules: tuple[Rule, ...]
    conclusive: bool
    spikes: frozenset[str]

    def as_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "conclusive": self.conclusive,
            "spikes": sorted(self.spikes),
            "rules": [rule.as_json() for rule in self.rules],
        }


def judge(given: GateInput, policy: GatePolicy | None = None) -> GateResult:
    """Apply every rule; all are reported, also after the first that is broken."""
    policy = policy or GatePolicy()
    compared = comparisons(given)
    spikes = frozenset(
        name for name, one in compared.items() if one.exceeds(policy.increase, policy.min_errors)
    )
    traffic = given.figures.inbound(given.cohort if given.stage is ReleaseStage.CANARY else None)
    conclusive = given.baseline is not None and (bool(spikes) or traffic >= policy.min_traffic)
    rules = [_evidence(given), _parity(given), _runtime(given), _baseline(given, policy), _circuits(given)]
    if given.stage is not ReleaseStage.SHADOW:
        rules += [
            _errors(given, policy, compared, spikes, conclusive),
            _clean_checks(given, policy, spikes, conclusive, traffic),
            _handoff(given, policy),
            _lifecycle(given),
        ]
    if given.stage is ReleaseStage.CANARY:
        rules.append(_failed_sends(compared, spikes))
    broken = [rule for rule in rules if not rule.kept]
    take_back = given.stage is not ReleaseStage.SHADOW and any(rule.takes_back for rule in broken)
    verdict = Verdict.ROLLBACK if take_back else Verdict.HOLD if broken else Verdict.PASS
    return GateResult(verdict, tuple(rules), conclusive, spikes)


def comparisons(given: GateInput) -> dict[str, RateRatio]:
    """Every rate the gate compares, by name: each action over all accounts and over the cohort, and each
    platform's errors together. Empty without a baseline."""
    if given.baseline is None:
        return {}
    base = given.baseline.figures
    found: dict[str, RateRatio] = {}
    scopes: list[tuple[str, frozenset[str] | None]] = [("all", None)]
    if given.stage is ReleaseStage.CANARY and given.cohort:
        scopes.append(("cohort", given.cohort))
    for scope, only in scopes:
        now, before = given.figures.errors(only), base.errors(only)
        inbound, base_inbound = given.figures.inbound(only), base.inbound(only)
        for action in CRITICAL_ERRORS:
            found[f"{scope}:{action}"] = RateRatio(
                now[action], inbound, expected(action, before[action], base_inbound), base_inbound
            )
    platforms = base.platforms()
    for name, (inbound, errors) in given.figures.platforms().items():
        base_inbound, base_errors = platforms.get(name, (0, Counter()))
        found[f"platform:{name}"] = RateRatio(
            errors.total(),
            inbound,
            sum(expected(action, base_errors[action], base_inbound) for action in CRITICAL_ERRORS),
            base_inbound,
        )
    return found


def _evidence(given: GateInput) -> Rule:
    name = "required_gates"
    if given.commit is None:
        return Rule(name, False, "the release names no commit, so no gate's evidence can be found")
    failed = [gate for gate in REQUIRED_GATES if given.evidence.get(gate) is False]
    missing = [gate for gate in REQUIRED_GATES if gate not in given.evidence]
    numbers = {"passed": len(REQUIRED_GATES) - len(failed) - len(missing), "of": len(REQUIRED_GATES)}
    if failed:
        return Rule(name, False, f"failed for {given.commit}: {', '.join(failed)}", True, numbers)
    if missing:
        return Rule(name, False, f"no evidence for {given.commit}: {', '.join(missing)}", False, numbers)
    return Rule(name, True, f"all passed for {given.commit}", True, numbers)


def _parity(given: GateInput) -> Rule:
    missing = list(given.missing_platforms)
    said = f"no account of {', '.join(missing)}" if missing else "every required platform has an account"
    return Rule("platform_parity", not missing, said, True, {"missingPlatforms": missing})


def _runtime(given: GateInput) -> Rule:
    count = given.forbidden_runtime
    said = f"MOCK_RUNTIME_FORBIDDEN {count} times in the window" if count else "no start was refused"
    return Rule("runtime", count == 0, said, True, {"refused": count})


def _baseline(given: GateInput, policy: GatePolicy) -> Rule:
    name, base = "baseline", given.baseline
    if base is None:
        return Rule(name, False, "there is no shadow baseline: take one with `leasebot gate --baseline`")
    hours = (base.taken_at - base.since).total_seconds() / 3600
    wanted = policy.baseline_window.total_seconds() / 3600
    inbound = base.figures.inbound()
    numbers = {"hours": round(hours, 2), "inbound": inbound, "minInbound": policy.min_traffic}
    if hours < wanted:
        return Rule(
            name, False, f"it covers {hours:.1f} hours of shadow, {wanted:.0f} are needed", False, numbers
        )
    if inbound < policy.min_traffic:
        return Rule(
            name, False, f"it holds {inbound} messages, {policy.min_traffic} are needed", False, numbers
        )
    return Rule(name, True, f"{hours:.0f} hours of shadow, {inbound} messages", False, numbers)


def _errors(
    given: GateInput,
    policy: GatePolicy,
    compared: Mapping[str, RateRatio],
    spikes: frozenset[str],
    conclusive: bool,
) -> Rule:
    """Sustained: the same increase in this check and in the conclusive one before it."""
    recent = _recent(given, policy)
    before = recent[0].spikes if recent else frozenset()
    # A check without traffic of its own says nothing new; what the two before it saw still stands.
    older = recent[1].spikes if len(recent) > 1 else frozenset()
    sustained = sorted(spikes & before if conclusive else before & older)
    # What this look saw, what is sustained, and everything else that was counted at all.
    numbers = {
        name: _numbers(one)
        for name, one in compared.items()
        if one.count or name in spikes or name in sustained
    }
    if sustained:
        said = f"twice the baseline or more in two consecutive checks: {', '.join(sustained)}"
        return Rule("error_spike", False, said, True, numbers)
    if spikes:
        said = f"twice the baseline or more, seen once so far: {', '.join(sorted(spikes))}"
        return Rule("error_spike", False, said, False, numbers)
    if given.baseline is None:
        return Rule("error_spike", False, "nothing to compare with", False)
    return Rule("error_spike", True, "no critical error reaches twice its baseline", True, numbers)


def _clean_checks(
    given: GateInput, policy: GatePolicy, spikes: frozenset[str], conclusive: bool, traffic: int
) -> Rule:
    latest: list[frozenset[str]] = [spikes] if conclusive else []
    latest += [check.spikes for check in _recent(given, policy)]
    run = next((n for n, seen in enumerate(latest) if seen), len(latest))
    numbers = {
        "consecutive": run,
        "needed": policy.clean_checks,
        "inbound": traffic,
        "minInbound": policy.min_traffic,
    }
    said = f"{run} consecutive clean checks, {policy.clean_checks} are needed"
    if not conclusive:
        said += f"; this one saw {traffic} messages and counts from {policy.min_traffic} on"
    return Rule("clean_checks", run >= policy.clean_checks, said, False, numbers)


def _recent(given: GateInput, policy: GatePolicy) -> list[PastCheck]:
    return [check for check in given.earlier if given.now - check.taken_at <= policy.fresh]


def _handoff(given: GateInput, policy: GatePolicy) -> Rule:
    """Broken promises beyond the baseline's, and a share of handed-over decisions that fell to half or less."""
    worse = _worse(given, HANDOFF_INVARIANTS)
    now = given.figures
    numbers: dict[str, Any] = {"worse": worse, "decisions": now.decisions, "handedOver": now.handed_over}
    if worse:
        return Rule("human_handoff", False, f"broken: {', '.join(worse)}", True, numbers)
    if given.baseline is not None:
        base = given.baseline.figures
        fall = RateRatio(base.handed_over, base.decisions, now.handed_over, now.decisions)
        numbers |= {"baseDecisions": base.decisions, "baseHandedOver": base.handed_over}
        if now.decisions >= policy.min_traffic and fall.exceeds(policy.increase, policy.min_errors):
            said = f"handed to a person: {_percent(fall.base_rate)} of decisions, {_percent(fall.rate)} in shadow"
            return Rule("human_handoff", False, said, True, numbers)
    return Rule("human_handoff", True, "no promise is broken, the share handed over holds", True, numbers)


def _lifecycle(given: GateInput) -> Rule:
    worse = _worse(given, SHOWING_INVARIANTS)
    said = f"broken: {', '.join(worse)}" if worse else "no promise of the lifecycle is broken"
    return Rule("showing_lifecycle", not worse, said, True, {"worse": worse})


def _circuits(given: GateInput) -> Rule:
    """Takes a canary back; in shadow there is nothing to take back, and in full one site's outage is no regression."""
    failing = list(given.open_circuits)
    said = f"breakers opened: {', '.join(failing)}" if failing else "no breaker opened"
    return Rule("circuits", not failing, said, given.stage is ReleaseStage.CANARY, {"open": failing})


def _failed_sends(compared: Mapping[str, RateRatio], spikes: frozenset[str]) -> Rule:
    """Sends that fail repeatedly, or dead letters that grow; no second check is waited for."""
    watched = {name: one for name, one in compared.items() if name.partition(":")[2] in FAILED_SENDS}
    growing = sorted(spikes & watched.keys())
    said = (
        f"twice what is accepted or more: {', '.join(growing)}" if growing else "sends do not fail repeatedly"
    )
    numbers = {name: _numbers(one) for name, one in watched.items() if one.count}
    return Rule("failed_sends", not growing, said, True, numbers)


def _worse(given: GateInput, names: frozenset[str]) -> dict[str, int]:
    base = given.baseline.figures.breaches if given.baseline else {}
    return {
        name: count
        for name, count in sorted(given.figures.breaches.items())
        if name in names and count > base.get(name, 0)
    }


def _numbers(one: RateRatio) -> dict[str, Any]:
    return {
        "count": one.count,
        "traffic": one.traffic,
        "baseCount": one.base_count,
        "baseTraffic": one.base_traffic,
        "ratio": None if one.ratio is None else round(one.ratio, 2),
        "ratioAtLeast": round(one.at_least, 2),
    }


def _percent(share: float) -> str:
    return f"{share:.1%}"
