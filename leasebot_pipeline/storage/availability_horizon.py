"""Weekly rules written out as occurrences up to a rolling horizon, for all calendars in a fixed number of statements.

Idempotent: what should stand is compared with what stands, so a second run changes nothing and a run after a
changed rule changes only that rule's rows. Rows without a rule (a person's, overrides) are read, never written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.availability import (
    WEEKLY_SOURCE,
    Occurrence,
    Owner,
    OwnerKind,
    WeeklyRule,
    plan,
)
from leasebot_pipeline.domain.slots import zone
from leasebot_pipeline.domain.slots_spans import Span

KEEP_PAST: Final = timedelta(days=90)
"""Occurrences that ended longer ago are removed; their rule still tells what they were."""

_LOCK_KEY: Final = 7_305_003


@dataclass(frozen=True, slots=True)
class HorizonFigures:
    """What a run found and did."""

    rules: int
    created: int
    removed: int
    kept: int
    missing: int
    """Occurrences that could not be written, because a row written at the same moment was in the way."""
    purged: int
    horizon_end: datetime
    unusable: tuple[str, ...]
    """Rules that give no occurrence, each with the reason."""
    ending: tuple[str, ...]
    """Rules that end before the horizon does: calendars that run out unless a person prolongs them."""


def take_turns(conn: Connection) -> None:
    """Writers of calendars go one after the other until their transaction ends: edits are rare, overlaps costly."""
    conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})


_RULES = text("""
    SELECT id, unit_id, agent_id, day_of_week, start_time, end_time, timezone, status, valid_from, valid_until, notes, listing_id
      FROM "AvailabilityRules"
     WHERE (CAST(:units AS uuid[]) IS NULL OR unit_id = ANY(:units) OR agent_id = ANY(:agents))
     ORDER BY created_at, id
""")


def load_rules(conn: Connection, owner: Owner | None = None) -> list[WeeklyRule]:
    """Rules of one calendar, or of all, oldest first: one statement."""
    return [
        WeeklyRule(
            row.id,
            Owner(OwnerKind.UNIT, row.unit_id) if row.unit_id else Owner(OwnerKind.AGENT, row.agent_id),
            row.day_of_week,
            row.start_time,
            row.end_time,
            row.timezone,
            row.status,
            row.valid_from,
            row.valid_until,
            row.notes,
            row.listing_id,
        )
        for row in conn.execute(_RULES, _owners(owner))
    ]


# What stands: occurrences of rules, and of agents everything else that is stated as available.
_STANDING = text("""
    SELECT 'unit' AS kind, unit_id AS owner_id, id, rule_id, starts_at, ends_at, timezone, status, notes, listing_id
      FROM "AvailabilitySlots"
     WHERE rule_id IS NOT NULL AND ends_at > :begin
       AND (CAST(:units AS uuid[]) IS NULL OR unit_id = ANY(:units))
    UNION ALL
    SELECT 'agent', agent_id, id, rule_id, starts_at, ends_at, timezone, status, notes, NULL
      FROM "AgentAvailabilitySlots"
     WHERE (rule_id IS NOT NULL OR status = 'available') AND ends_at > :begin
       AND (CAST(:units AS uuid[]) IS NULL OR agent_id = ANY(:agents))
""")
_DELETE = {
    OwnerKind.UNIT: text('DELETE FROM "AvailabilitySlots" WHERE id = ANY(:ids)'),
    OwnerKind.AGENT: text('DELETE FROM "AgentAvailabilitySlots" WHERE id = ANY(:ids)'),
}
# A row written by hand beside us in the same moment wins; the next run gives way to it.
_INSERT = {
    OwnerKind.UNIT: text("""
        INSERT INTO "AvailabilitySlots" (unit_id, listing_id, starts_at, ends_at, timezone, status, source, notes, rule_id)
        SELECT owner_id, listing_id, starts_at, ends_at, timezone, status, :source, notes, rule_id
          FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(owner_id uuid, listing_id uuid, starts_at timestamptz,
                 ends_at timestamptz, timezone text, status text, notes text, rule_id uuid)
        ON CONFLICT DO NOTHING
    """),
    OwnerKind.AGENT: text("""
        INSERT INTO "AgentAvailabilitySlots" (agent_id, starts_at, ends_at, timezone, status, source, notes, rule_id)
        SELECT owner_id, starts_at, ends_at, timezone, status, :source, notes, rule_id
          FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(owner_id uuid, starts_at timestamptz,
                 ends_at timestamptz, timezone text, status text, notes text, rule_id uuid)
        ON CONFLICT DO NOTHING
    """),
}
_PURGE = text("""
    WITH units AS (DELETE FROM "AvailabilitySlots" WHERE rule_id IS NOT NULL AND ends_at < :before RETURNING 1),
         agents AS (DELETE FROM "AgentAvailabilitySlots" WHERE rule_id IS NOT NULL AND ends_at < :before RETURNING 1)
    SELECT (SELECT count(*) FROM units) + (SELECT count(*) FROM agents)
""")


def extend(conn: Connection, now: datetime, horizon: timedelta, owner: Owner | None = None) -> HorizonFigures:
    """Write the rules of one calendar, or of all, out up to ``now + horizon``, in the caller's transaction.

    Occurrences that no rule gives any more go, except those that are over: they are history.
    """
    take_turns(conn)
    end = now + horizon
    rules = load_rules(conn, owner)
    standing = conn.execute(_STANDING, {"begin": now, **_owners(owner)}).all()
    stated: dict[Owner, list[Span]] = {}
    existing: dict[tuple[Any, ...], tuple[OwnerKind, UUID]] = {}
    for row in standing:
        kind = OwnerKind(row.kind)
        if row.rule_id is None:
            stated.setdefault(Owner(kind, row.owner_id), []).append((row.starts_at, row.ends_at))
        else:
            existing[_key(row)] = (kind, row.id)
    wanted = {_occurrence_key(occurrence): occurrence for occurrence in plan(rules, stated, now, end)}
    surplus = [existing[key] for key in existing.keys() - wanted.keys()]
    missing = [wanted[key] for key in wanted.keys() - existing.keys()]
    created = removed = 0
    for kind in OwnerKind:
        ids = [slot_id for of, slot_id in surplus if of is kind]
        removed += conn.execute(_DELETE[kind], {"ids": ids}).rowcount if ids else 0
        rows = [_row(occurrence) for occurrence in missing if occurrence.rule.owner.kind is kind]
        if rows:
            parameters = {"rows": json.dumps(rows), "source": WEEKLY_SOURCE}
            created += conn.execute(_INSERT[kind], parameters).rowcount
    purged = conn.execute(_PURGE, {"before": now - KEEP_PAST}).scalar_one() if owner is None else 0
    return HorizonFigures(
        rules=len(rules),
        created=created,
        removed=removed,
        kept=len(wanted) - len(missing),
        missing=len(missing) - created,
        purged=purged,
        horizon_end=end,
        unusable=tuple(
            f"rule {rule.id}: {rule.timezone!r} is no known time zone"
            for rule in rules
            if zone(rule.timezone) is None
        ),
        ending=tuple(_ending(rules, now, end)),
    )


_WITHOUT_AGENTS = text("""
    SELECT concat_ws(' ', u.property_name, u.unit_number) FROM "Units" u
     WHERE u.is_active
       AND EXISTS (SELECT 1 FROM "AvailabilitySlots" s WHERE s.unit_id = u.id AND s.status = 'open' AND s.ends_at > :now)
       AND NOT EXISTS (SELECT 1 FROM "UnitAgentAssignments" a JOIN "Agents" g ON g.id = a.agent_id
                        WHERE a.unit_id = u.id AND a.assignment_mode = 'active' AND g.removed_at IS NULL)
     ORDER BY 1
""")


def open_units_without_agents(conn: Connection, now: datetime) -> list[str]:
    """Names of units that are open for viewings although nobody is assigned to show them."""
    return list(conn.execute(_WITHOUT_AGENTS, {"now": now}).scalars())


_FINGERPRINT = text("""
    SELECT count(*) || ' ' || COALESCE(max(updated_at)::text, '-') FROM "AvailabilityRules"
""")


def rules_fingerprint(conn: Connection) -> str:
    """Changes whenever a rule is created, changed or deleted."""
    return str(conn.execute(_FINGERPRINT).scalar_one())


def _owners(owner: Owner | None) -> Mapping[str, list[UUID] | None]:
    if owner is None:
        return {"units": None, "agents": None}
    return {
        "units": [owner.id] if owner.kind is OwnerKind.UNIT else [],
        "agents": [owner.id] if owner.kind is OwnerKind.AGENT else [],
    }


def _notes(rule: WeeklyRule) -> str:
    """As the earlier system marked an occurrence, so that its front end still finds the rule."""
    return f"rule:{rule.id} | {rule.notes}" if rule.notes else f"rule:{rule.id}"


def _key(row: Any) -> tuple[Any, ...]:
    return (
        row.rule_id,
        row.starts_at.astimezone(UTC),
        row.ends_at.astimezone(UTC),
        row.timezone,
        row.status,
        row.notes,
        row.listing_id,
    )


def _occurrence_key(occurrence: Occurrence) -> tuple[Any, ...]:
    rule = occurrence.rule
    listing = rule.listing_id if rule.owner.kind is OwnerKind.UNIT else None
    return (
        rule.id,
        occurrence.starts_at,
        occurrence.ends_at,
        rule.timezone,
        rule.status,
        _notes(rule),
        listing,
    )


def _row(occurrence: Occurrence) -> dict[str, str | None]:
    rule = occurrence.rule
    return {
        "owner_id": str(rule.owner.id),
        "listing_id": str(rule.listing_id) if rule.listing_id else None,
        "starts_at": occurrence.starts_at.isoformat(),
        "ends_at": occurrence.ends_at.isoformat(),
        "timezone": rule.timezone,
        "status": rule.status,
        "notes": _notes(rule),
        "rule_id": str(rule.id),
    }


def _ending(rules: Sequence[WeeklyRule], now: datetime, end: datetime) -> Iterable[str]:
    """Opening rules that run out within the horizon while no later rule of that calendar takes over."""
    last: dict[Owner, date] = {}
    for rule in rules:
        if rule.status == rule.owner.opens:
            last[rule.owner] = max(last.get(rule.owner, date.min), rule.valid_until or date.max)
    return [
        f"{owner.kind} {owner.id}: no weekly rule after {day.isoformat()}"
        for owner, day in last.items()
        if now.date() <= day < end.date()
    ]
