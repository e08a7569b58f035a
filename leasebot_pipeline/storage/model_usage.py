"""What the model cost today, and whether it is asked at all: counters shared by all processes.

A batch reserves before it asks and settles afterwards, so that processes side by side stay within the day's limits.
A process that dies in between leaves its reservation behind: rather too much counted than too little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.domain.model_metering import (
    CIRCUIT_OPEN,
    Admission,
    BatchReport,
    DailyLimits,
    ModelCircuit,
    Spend,
    admit,
)
from leasebot_pipeline.storage import audit
from leasebot_pipeline.storage.crash_points import transaction

_OPEN_DAY = text("""INSERT INTO "ModelUsage" (day) VALUES (:day) ON CONFLICT (day) DO NOTHING""")
_DAY = text("""
    SELECT prompt_tokens + output_tokens + reserved_tokens + unknown_tokens AS tokens, cost_micros + reserved_micros AS micros,
           limit_reached_at
      FROM "ModelUsage" WHERE day = :day FOR UPDATE
""")
_OPEN_CIRCUIT = text("""
    INSERT INTO "ModelCircuits" (model, updated_at) VALUES (:model, :now) ON CONFLICT (model) DO NOTHING
""")
_CIRCUIT = text("""
    SELECT failures, openings, open_until, code FROM "ModelCircuits" WHERE model = :model FOR UPDATE
""")
_SAVE_CIRCUIT = text("""
    UPDATE "ModelCircuits"
       SET failures = :failures, openings = :openings, open_until = :open_until, code = :code, updated_at = :now
     WHERE model = :model
""")
_RESERVE = text("""
    UPDATE "ModelUsage"
       SET reserved_tokens = reserved_tokens + :tokens, reserved_micros = reserved_micros + :micros,
           limit_reached_at = CASE WHEN :limit_reached THEN COALESCE(limit_reached_at, :now) ELSE limit_reached_at END
     WHERE day = :day
""")
_SETTLE = text("""
    UPDATE "ModelUsage"
       SET reserved_tokens = GREATEST(0, reserved_tokens - :reserved_tokens),
           reserved_micros = GREATEST(0, reserved_micros - :reserved_micros),
           questions = questions + :questions, failures = failures + :failures,
           prompt_tokens = prompt_tokens + :prompt_tokens, output_tokens = output_tokens + :output_tokens,
           unknown_tokens = unknown_tokens + :unknown_tokens, cost_micros = cost_micros + :micros
     WHERE day = :day
""")


class DatabaseMeter:
    """A ``Meter`` over ``"ModelUsage"`` (by day) and ``"ModelCircuits"`` (by model); a few statements a batch."""

    def __init__(self, engine: Engine, model: str, limits: DailyLimits, clock: Clock) -> None:
        self._engine, self._model, self._limits, self._clock = engine, model, limits, clock

    def admit(self, wanted: Sequence[Spend]) -> Admission:
        now = self._clock()
        day = now.astimezone(UTC).date()
        with transaction(self._engine, "model.before_admission", "model.after_admission") as conn:
            circuit = self._circuit(conn, now)
            if not circuit.admits(now):
                return Admission(0, CIRCUIT_OPEN)
            conn.execute(_OPEN_DAY, {"day": day})
            used = conn.execute(_DAY, {"day": day}).one()
            admission = admit(self._limits, circuit, Spend(used.tokens, used.micros), wanted, now)
            limit_reached = admission.refused not in (None, CIRCUIT_OPEN)
            if limit_reached and used.limit_reached_at is None:
                self._audit(
                    conn, "ai_model_limit_reached", {"limit": admission.refused, "day": day.isoformat()}
                )
            conn.execute(
                _RESERVE,
                {
                    "day": day,
                    "tokens": admission.reserved.tokens,
                    "micros": admission.reserved.micros,
                    "limit_reached": limit_reached,
                    "now": now,
                },
            )
            if admission.granted and circuit.probes:
                self._save(conn, circuit.probing(now), now)
            return admission

    def settle(self, admission: Admission, report: BatchReport) -> None:
        now = self._clock()
        with transaction(self._engine, "model.before_settlement", "model.after_settlement") as conn:
            before = self._circuit(conn, now)
            after = before.after(report, self._limits.failures, now)
            if after != before:
                self._save(conn, after, now)
            if after.openings > before.openings:
                until = after.open_until.isoformat() if after.open_until else None
                self._audit(conn, "ai_model_circuit_opened", {"code": after.code, "openUntil": until})
            elif before.openings and not after.openings:
                self._audit(conn, "ai_model_circuit_closed", {"code": before.code})
            conn.execute(
                _SETTLE,
                {
                    "day": admission.day,
                    "reserved_tokens": admission.reserved.tokens,
                    "reserved_micros": admission.reserved.micros,
                    "questions": report.questions,
                    "failures": report.failures,
                    "prompt_tokens": report.prompt_tokens,
                    "output_tokens": report.output_tokens,
                    "unknown_tokens": max(
                        0, report.spent.tokens - report.prompt_tokens - report.output_tokens
                    ),
                    "micros": report.spent.micros,
                },
            )

    def _circuit(self, conn: Connection, now: datetime) -> ModelCircuit:
        conn.execute(_OPEN_CIRCUIT, {"model": self._model, "now": now})
        row = conn.execute(_CIRCUIT, {"model": self._model}).one()
        return ModelCircuit(row.failures, row.openings, row.open_until, row.code)

    def _save(self, conn: Connection, circuit: ModelCircuit, now: datetime) -> None:
        conn.execute(
            _SAVE_CIRCUIT,
            {
                "model": self._model,
                "failures": circuit.failures,
                "openings": circuit.openings,
                "open_until": circuit.open_until,
                "code": circuit.code,
                "now": now,
            },
        )

    def _audit(self, conn: Connection, action: str, details: dict[str, Any]) -> None:
        audit.record(
            conn,
            [audit.AuditEntry("system", "ai_model", self._model, action, {"model": self._model, **details})],
        )


@dataclass(frozen=True, slots=True)
class DayOfUse:
    """What a day of the model cost."""

    day: date
    questions: int
    failures: int
    prompt_tokens: int
    output_tokens: int
    cost_usd: float


_DAYS = text("""
    SELECT day, questions, failures, prompt_tokens, output_tokens, cost_micros
      FROM "ModelUsage" WHERE day >= :since ORDER BY day DESC
""")


def days_of_use(conn: Connection, since: date) -> list[DayOfUse]:
    """Days on which the model was asked, newest first."""
    rows = conn.execute(_DAYS, {"since": since})
    return [
        DayOfUse(r.day, r.questions, r.failures, r.prompt_tokens, r.output_tokens, r.cost_micros / 1_000_000)
        for r in rows
    ]
