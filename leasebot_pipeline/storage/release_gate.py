"""What the gate reads and keeps: figures of a window, rollback conditions, its checks, the gates' evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.cohort import in_canary, joins_at
from leasebot_pipeline.domain.platforms import REQUIRED_PLATFORMS
from leasebot_pipeline.domain.release_figures import (
    CRITICAL_ERRORS,
    UNATTRIBUTED,
    AccountFigures,
    Figures,
)
from leasebot_pipeline.domain.release_gate import HANDOFF_INVARIANTS, SHOWING_INVARIANTS, PastCheck
from leasebot_pipeline.storage import invariants

START_REFUSED = "worker_start_refused"
"""Audit action of a worker that did not start; ``details.code`` says why."""

# A message whose platform shows no time counts at the moment we stored it, as in the observability snapshot.
_FIGURES = text("""
    WITH traffic AS (
      SELECT c.platform_account_id AS account, count(*) AS inbound
        FROM "Messages" m JOIN "Conversations" c ON c.id = m.conversation_id
       WHERE m.direction = 'inbound'
         AND (m.sent_at >= :since AND m.sent_at <= :now
              OR m.sent_at IS NULL AND m.created_at >= :since AND m.created_at <= :now)
       GROUP BY 1
    ), wrong AS (
      SELECT account, platform, jsonb_object_agg(action, total) AS errors
        FROM (SELECT COALESCE(platform_account_id,
                              (SELECT c.platform_account_id FROM "Conversations" c WHERE c.id = l.conversation_id))
                       AS account,
                     COALESCE(platform, details ->> 'platform') AS platform, action, count(*) AS total
                FROM "AuditLogs" l
               WHERE action = ANY(:actions) AND created_at >= :since AND created_at <= :now
               GROUP BY 1, 2, 3) counted
       GROUP BY account, platform
    )
    SELECT COALESCE(a.id::text, '') AS account, COALESCE(a.platform, w.platform, '') AS platform,
           COALESCE(t.inbound, 0) AS inbound, COALESCE(w.errors, '{}'::jsonb) AS errors
      FROM "PlatformAccounts" a
      LEFT JOIN traffic t ON t.account = a.id
      FULL JOIN wrong w ON w.account = a.id
""")
_DECISIONS = text("""
    SELECT count(*) AS decided, count(*) FILTER (WHERE outcome = 'escalate') AS handed_over
      FROM "Decisions" WHERE decided_at >= :since AND decided_at <= :now
""")


def figures(conn: Connection, since: datetime, now: datetime) -> Figures:
    """The gate's counts between two moments; the broken promises are those of now."""
    window = {"since": since, "now": now}
    accounts: dict[str, AccountFigures] = {}
    for row in conn.execute(_FIGURES, {**window, "actions": list(CRITICAL_ERRORS)}):
        # Errors that name a platform only stand under it, not under one of its accounts.
        key = row.account or (f"{UNATTRIBUTED}{row.platform}" if row.platform else UNATTRIBUTED)
        known = accounts.get(key)
        errors = dict(row.errors)
        if known is not None:
            errors = {
                name: known.errors.get(name, 0) + errors.get(name, 0) for name in {*known.errors, *errors}
            }
        accounts[key] = AccountFigures(row.platform, row.inbound, errors)
    decided = conn.execute(_DECISIONS, window).one()
    watched = [one for one in invariants.INVARIANTS if one.name in HANDOFF_INVARIANTS | SHOWING_INVARIANTS]
    broken = {one.name: one.violations for one in invariants.check(conn, now, watched) if one.violations}
    return Figures(accounts, decided.decided, decided.handed_over, broken)


_PRESENT = text('SELECT DISTINCT platform FROM "PlatformAccounts"')


def missing_platforms(conn: Connection) -> list[str]:
    """Required platforms without any account, in their order."""
    present = set(conn.execute(_PRESENT).scalars())
    return [platform.value for platform in REQUIRED_PLATFORMS if platform.value not in present]


_FORBIDDEN = text(f"""
    SELECT (SELECT count(*) FROM "AuditLogs"
             WHERE action = '{START_REFUSED}' AND details ->> 'code' = 'MOCK_RUNTIME_FORBIDDEN'
               AND created_at >= :since AND created_at <= :now)
         + (SELECT count(*) FROM "PlatformRuns"
             WHERE error_code = 'MOCK_RUNTIME_FORBIDDEN' AND started_at >= :since AND started_at <= :now)
""")


def forbidden_runtime(conn: Connection, since: datetime, now: datetime) -> int:
    """How often something was refused with MOCK_RUNTIME_FORBIDDEN."""
    return int(conn.execute(_FORBIDDEN, {"since": since, "now": now}).scalar_one())


# A breaker's cooldown is shorter than the time between two looks, so one that opened in the window counts as well.
# One whose cooldown is over is still open until a visit succeeds.
_FAILING_FAST = text("""
    SELECT DISTINCT a.platform, a.account_name
      FROM "PlatformAccounts" a
      LEFT JOIN "AccountRuntime" r ON r.platform_account_id = a.id
     WHERE a.is_active
       AND (r.circuit_state <> 'closed'
            OR jsonb_path_exists(r.action_circuits, '$.*.state ? (@ != "closed")')
            OR EXISTS (SELECT 1 FROM "AuditLogs" l
                        WHERE l.action = 'platform_circuit_opened' AND l.platform_account_id = a.id
                          AND l.created_at >= :since AND l.created_at <= :now))
     ORDER BY a.platform, a.account_name
""")


def failing_fast(conn: Connection, since: datetime, now: datetime) -> list[str]:
    """Active accounts with a breaker, of the account or one action, that is open or opened in the window:
    ``platform/name``."""
    return [
        f"{row.platform}/{row.account_name}"
        for row in conn.execute(_FAILING_FAST, {"since": since, "now": now})
    ]


_ACCOUNTS = text('SELECT id FROM "PlatformAccounts"')


def cohort_accounts(conn: Connection, cohort: Mapping[str, Any]) -> frozenset[str]:
    """Ids of the accounts that belong to a canary cohort."""
    return frozenset(str(one) for one in conn.execute(_ACCOUNTS).scalars() if in_canary(one, cohort))


def first_percentage(conn: Connection) -> int | None:
    """The smallest whole percentage of a cohort that is not empty; None without any account."""
    return min((joins_at(one) for one in conn.execute(_ACCOUNTS).scalars()), default=None)


_RECORD = text("""
    INSERT INTO "GateChecks"
           (stage_id, since, taken_at, conclusive, spikes, verdict, result, actor_type, actor_id)
    VALUES (:stage, :since, :now, :conclusive, :spikes, :verdict, CAST(:result AS jsonb), :actor_type, :actor_id)
    RETURNING id
""")


def record_check(
    conn: Connection,
    stage: UUID,
    *,
    since: datetime,
    now: datetime,
    conclusive: bool,
    spikes: frozenset[str],
    verdict: str,
    result: Mapping[str, Any],
    actor_type: str,
    actor_id: str | None,
) -> int:
    """Keep a check; its id."""
    values = {
        "stage": stage,
        "since": since,
        "now": now,
        "conclusive": conclusive,
        "spikes": sorted(spikes),
        "verdict": verdict,
        "result": json.dumps(dict(result), default=str),
        "actor_type": actor_type,
        "actor_id": actor_id,
    }
    return int(conn.execute(_RECORD, values).scalar_one())


_CONCLUSIVE = text("""
    SELECT taken_at, spikes FROM "GateChecks"
     WHERE stage_id = :stage AND conclusive ORDER BY taken_at DESC, id DESC LIMIT 10
""")


def conclusive_checks(conn: Connection, stage: UUID) -> list[PastCheck]:
    """The stage's conclusive checks, newest first."""
    rows = conn.execute(_CONCLUSIVE, {"stage": stage})
    return [PastCheck(row.taken_at, frozenset(row.spikes)) for row in rows]


_LAST = text("""
    SELECT taken_at, since, verdict, conclusive, result FROM "GateChecks"
     WHERE stage_id = :stage ORDER BY taken_at DESC, id DESC LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class KeptCheck:
    """A check as it was kept; ``result`` holds its rules and figures."""

    taken_at: datetime
    since: datetime
    verdict: str
    conclusive: bool
    result: Mapping[str, Any]


def last_check(conn: Connection, stage: UUID) -> KeptCheck | None:
    """The stage's newest check, conclusive or not."""
    row = conn.execute(_LAST, {"stage": stage}).one_or_none()
    return None if row is None else KeptCheck(*row)


_NEWEST = text("""
    SELECT DISTINCT ON (gate) gate, passed FROM "ReleaseEvidence"
     WHERE commit_sha = :commit ORDER BY gate, finished_at DESC, id DESC
""")


def evidence(conn: Connection, commit: str | None) -> dict[str, bool]:
    """Whether each gate's newest run for the commit passed."""
    if commit is None:
        return {}
    return {row.gate: row.passed for row in conn.execute(_NEWEST, {"commit": commit})}


_KEEP_EVIDENCE = text("""
    INSERT INTO "ReleaseEvidence" (commit_sha, gate, passed, details, finished_at, recorded_at, recorded_by)
    VALUES (:commit, :gate, :passed, CAST(:details AS jsonb), :finished_at, :now, :by)
""")


def record_evidence(
    conn: Connection,
    commit: str,
    gate: str,
    *,
    passed: bool,
    details: Mapping[str, Any],
    finished_at: datetime,
    now: datetime,
    by: str | None,
) -> None:
    """Keep the result of a gate's run."""
    values = {
        "commit": commit,
        "gate": gate,
        "passed": passed,
        "details": json.dumps(dict(details), default=str),
        "finished_at": finished_at,
        "now": now,
        "by": by,
    }
    conn.execute(_KEEP_EVIDENCE, values)
