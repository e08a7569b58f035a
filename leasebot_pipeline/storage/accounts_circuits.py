"""Breakers of accounts: one over everything, one per action; shared by all processes, reset by an operator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.circuit import Circuit, CircuitState


def account_circuit(row: Any) -> Circuit:
    """The account's breaker from its columns; an account never visited has a closed one."""
    return Circuit(
        CircuitState(row.circuit_state or "closed"),
        row.circuit_failures or 0,
        row.circuit_open_until,
        row.circuit_code,
    )


def action_circuits(stored: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Circuit]:
    """The actions' breakers that are not simply closed."""
    return {action: _circuit(values) for action, values in (stored or {}).items()}


@dataclass(frozen=True, slots=True)
class Circuits:
    """What a visit of one action counts for."""

    account: Circuit
    action: Circuit


_LOCK = text("""
    SELECT circuit_state, circuit_failures, circuit_open_until, circuit_code, action_circuits
      FROM "AccountRuntime" WHERE platform_account_id = :account FOR UPDATE
""")


def lock_circuits(conn: Connection, account: UUID, action: str) -> Circuits:
    """The account's breakers as they are now, locked until the transaction ends."""
    row = conn.execute(_LOCK, {"account": account}).one_or_none()
    if row is None:
        return Circuits(Circuit(), Circuit())
    return Circuits(account_circuit(row), action_circuits(row.action_circuits).get(action, Circuit()))


_SAVE = text("""
    UPDATE "AccountRuntime"
       SET circuit_state = :state, circuit_failures = :failures, circuit_open_until = :open_until, circuit_code = :code,
           action_circuits = CASE WHEN CAST(:stored AS jsonb) IS NULL THEN action_circuits - CAST(:action AS text)
             ELSE action_circuits || jsonb_build_object(CAST(:action AS text), CAST(:stored AS jsonb)) END,
           updated_at = :now
     WHERE platform_account_id = :account
""")


def save_circuits(conn: Connection, account: UUID, action: str, circuits: Circuits, now: datetime) -> None:
    """Store the breakers after a visit."""
    whole = circuits.account
    conn.execute(
        _SAVE,
        {
            "account": account,
            "action": action,
            "state": whole.state.value,
            "failures": whole.failures,
            "open_until": whole.open_until,
            "code": whole.code,
            "stored": None if circuits.action == Circuit() else json.dumps(_stored(circuits.action)),
            "now": now,
        },
    )


_RESET = text("""
    UPDATE "AccountRuntime"
       SET circuit_state = 'closed', circuit_failures = 0, circuit_open_until = NULL, circuit_code = NULL,
           action_circuits = '{}'::jsonb, updated_at = :now
     WHERE platform_account_id = :account AND (circuit_state <> 'closed' OR circuit_failures > 0 OR action_circuits <> '{}'::jsonb)
""")


def reset_circuits(conn: Connection, account: UUID, now: datetime) -> bool:
    """Close all breakers of an account; False when none was open or counting."""
    return conn.execute(_RESET, {"account": account, "now": now}).rowcount == 1


def _stored(circuit: Circuit) -> dict[str, object]:
    return {
        "state": circuit.state.value,
        "failures": circuit.failures,
        "openUntil": circuit.open_until.isoformat() if circuit.open_until else None,
        "code": circuit.code,
    }


def _circuit(values: Mapping[str, Any]) -> Circuit:
    until = values.get("openUntil")
    return Circuit(
        CircuitState(values.get("state") or "closed"),
        int(values.get("failures") or 0),
        datetime.fromisoformat(until) if until else None,
        values.get("code"),
    )
