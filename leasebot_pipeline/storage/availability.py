"""Weekly rules and day overrides: create, replace, delete, list. Every refusal is a typed result.

A change takes effect at once: the calendar it belongs to is written out again in the same transaction, and one
audit row tells who changed what.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.availability import OVERRIDE_SOURCE, Owner, OwnerKind, WeeklyRule
from leasebot_pipeline.domain.availability_drafts import (
    Broken,
    OverrideDraft,
    Refusal,
    RuleDraft,
    check_override,
    check_rule,
)
from leasebot_pipeline.storage.availability_audit import (
    CalendarActor,
    Step,
    instant_text,
    record,
    rule_details,
)
from leasebot_pipeline.storage.availability_horizon import extend, load_rules, take_turns
from leasebot_pipeline.storage.crash_points import crash_point


@dataclass(frozen=True, slots=True)
class Saved:
    """A change that was made: the rule or slot, and what it did to the calendar's occurrences."""

    id: UUID
    created: int
    removed: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A change that was not made, with every reason. Nothing was written."""

    refusals: tuple[Refusal, ...]

    @property
    def unknown(self) -> bool:
        """Whether what was to be changed does not exist."""
        missing = {Broken.UNKNOWN_OWNER, Broken.UNKNOWN_RULE, Broken.UNKNOWN_SLOT}
        return any(refusal.rule in missing for refusal in self.refusals)


Change = Saved | Refused


@dataclass(frozen=True, slots=True)
class CalendarSlot:
    """A row of a calendar: an occurrence of a rule (``rule_id``) or a row of its own."""

    id: UUID
    owner: Owner
    starts_at: datetime
    ends_at: datetime
    timezone: str
    status: str
    source: str
    notes: str | None
    rule_id: UUID | None
    listing_id: UUID | None
    created_at: datetime


def create_rule(
    conn: Connection,
    owner: Owner,
    draft: RuleDraft,
    actor: CalendarActor,
    now: datetime,
    horizon: timedelta,
) -> Change:
    """Store a weekly rule and write its occurrences out."""
    return _save_rule(conn, owner, draft, actor, now, horizon, None)


def replace_rule(
    conn: Connection,
    owner: Owner,
    rule_id: UUID,
    draft: RuleDraft,
    actor: CalendarActor,
    now: datetime,
    horizon: timedelta,
) -> Change:
    """Change a rule of that calendar; an unknown one is refused, never created."""
    return _save_rule(conn, owner, draft, actor, now, horizon, rule_id)


_DELETE_RULE = text("""
    DELETE FROM "AvailabilityRules" WHERE id = :rule AND (unit_id = :unit OR agent_id = :agent)
    RETURNING day_of_week, start_time, end_time, timezone, status
""")


def delete_rule(
    conn: Connection,
    owner: Owner,
    rule_id: UUID,
    actor: CalendarActor,
    now: datetime,
    horizon: timedelta,
) -> Change:
    """Delete a rule with its occurrences; rules it had shortened get their time back."""
    take_turns(conn)
    removed = _count_occurrences(conn, owner, rule_id)
    row = conn.execute(_DELETE_RULE, {"rule": rule_id, **owner_ids(owner)}).one_or_none()
    if row is None:
        return refused("ruleId", Broken.UNKNOWN_RULE, "this calendar has no such rule")
    figures = extend(conn, now, horizon, owner)
    record(
        conn,
        owner,
        actor,
        [Step("availability_rule_deleted", "availability_rule", rule_id, rule_details(row))],
    )
    crash_point("availability.before_commit")
    return Saved(rule_id, figures.created, removed + figures.removed)


_OVERLAPPED = text("""
    SELECT starts_at, ends_at, source FROM "AgentAvailabilitySlots"
     WHERE agent_id = :agent AND status = 'available' AND rule_id IS NULL AND id <> :slot
       AND tstzrange(starts_at, ends_at, '[)') && tstzrange(:starts_at, :ends_at, '[)')
     ORDER BY starts_at LIMIT 1
""")
# Occurrences give way to an override; `extend` writes what is left of them.
_GIVE_WAY = text("""
    DELETE FROM "AgentAvailabilitySlots"
     WHERE agent_id = :agent AND status = 'available' AND rule_id IS NOT NULL AND ends_at > :now
       AND tstzrange(starts_at, ends_at, '[)') && tstzrange(:starts_at, :ends_at, '[)')
""")
SAVE_OVERRIDE = {
    OwnerKind.UNIT: text(f"""
        INSERT INTO "AvailabilitySlots" AS s (id, unit_id, listing_id, starts_at, ends_at, timezone, status, source, notes)
        VALUES (:slot, :unit, :listing_id, :starts_at, :ends_at, :timezone, :status, '{OVERRIDE_SOURCE}', :notes)
        ON CONFLICT (id) DO UPDATE SET listing_id = EXCLUDED.listing_id, starts_at = EXCLUDED.starts_at,
           ends_at = EXCLUDED.ends_at, timezone = EXCLUDED.timezone, status = EXCLUDED.status, notes = EXCLUDED.notes
    """),
    OwnerKind.AGENT: text(f"""
        INSERT INTO "AgentAvailabilitySlots" AS s (id, agent_id, starts_at, ends_at, timezone, status, source, notes)
        VALUES (:slot, :agent, :starts_at, :ends_at, :timezone, :status, '{OVERRIDE_SOURCE}', :notes)
        ON CONFLICT (id) DO UPDATE SET starts_at = EXCLUDED.starts_at, ends_at = EXCLUDED.ends_at,
           timezone = EXCLUDED.timezone, status = EXCLUDED.status, notes = EXCLUDED.notes
    """),
}
_SLOT = {
    OwnerKind.UNIT: text('SELECT unit_id AS owner_id, rule_id FROM "AvailabilitySlots" WHERE id = :slot'),
    OwnerKind.AGENT: text(
        'SELECT agent_id AS owner_id, rule_id FROM "AgentAvailabilitySlots" WHERE id = :slot'
    ),
}
_DELETE_SLOT = {
    OwnerKind.UNIT: text("""
        DELETE FROM "AvailabilitySlots" WHERE id = :slot RETURNING starts_at, ends_at, timezone, status, source
    """),
    OwnerKind.AGENT: text("""
        DELETE FROM "AgentAvailabilitySlots" WHERE id = :slot RETURNING starts_at, ends_at, timezone, status, source
    """),
}


def create_override(
    conn: Connection,
    owner: Owner,
    draft: OverrideDraft,
    actor: CalendarActor,
    now: datetime,
    horizon: timedelta,
) -> Change:
    """Open or block time on one date."""
    take_turns(conn)
    found = check_override(owner, draft, now) + check_owner(conn, owner, draft.status, draft.listing_id)
    if found:
        return Refused(tuple(found))
    return _save_override(conn, owner, uuid4(), draft, "created", actor, now, horizon)


def replace_override(
    conn: Connection,
    kind: OwnerKind,
    slot_id: UUID,
    draft: OverrideDraft,
    actor: CalendarActor,
    now: datetime,
    horizon: timedelta,
) -> Change:
    """Change a row of a calendar that does not come from a rule; it keeps its id and its source."""
    take_turns(conn)
    owner = _own_row(conn, kind, slot_id)
    if isinstance(owner, Refused):
        return owner
    found = check_override(owner, draft, now) + check_owner(conn, owner, draft.status, draft.listing_id)
    if found:
        return Refused(tuple(found))
    return _save_override(conn, owner, slot_id, draft, "replaced", actor, now, horizon)


def delete_slot(
    conn: Connection,
    kind: OwnerKind,
    slot_id: UUID,
    actor: CalendarActor,
    now: datetime,
    horizon: timedelta,
) -> Change:
    """Delete a row of a calendar that does not come from a rule; weekly rules get their time back."""
    take_turns(conn)
    owner = _own_row(conn, kind, slot_id)
    if isinstance(owner, Refused):
        return owner
    row = conn.execute(_DELETE_SLOT[kind], {"slot": slot_id}).one()
    figures = extend(conn, now, horizon, owner)
    details = {
        "startsAt": instant_text(row.starts_at),
        "endsAt": instant_text(row.ends_at),
        "timezone": row.timezone,
        "status": row.status,
        "source": row.source,
    }
    record(conn, owner, actor, [Step("availability_override_deleted", "availability_slot", slot_id, details)])
    crash_point("availability.before_commit")
    return Saved(slot_id, figures.created, figures.removed)


def slot_owner(conn: Connection, kind: OwnerKind, slot_id: UUID) -> Owner | None:
    """Whose calendar a row belongs to; an agent may change only its own."""
    row = conn.execute(_SLOT[kind], {"slot": slot_id}).one_or_none()
    return None if row is None else Owner(kind, row.owner_id)


_SLOTS = {
    OwnerKind.UNIT: """
        SELECT id, unit_id AS owner_id, starts_at, ends_at, timezone, status, source, notes, rule_id, listing_id, created_at
          FROM "AvailabilitySlots" WHERE unit_id = :owner
    """,
    OwnerKind.AGENT: """
        SELECT id, agent_id, starts_at, ends_at, timezone, status, source, notes, rule_id, CAST(NULL AS uuid), created_at
          FROM "AgentAvailabilitySlots" WHERE agent_id = :owner
    """,
}


def list_slots(
    conn: Connection, owner: Owner, begin: datetime | None = None, end: datetime | None = None
) -> list[CalendarSlot]:
    """Rows of a calendar that share time with [begin, end), by start."""
    statement = text(
        f"""{_SLOTS[owner.kind]}
             AND (CAST(:begin AS timestamptz) IS NULL OR ends_at > :begin)
             AND (CAST(:end AS timestamptz) IS NULL OR starts_at < :end)
           ORDER BY starts_at, id"""
    )
    rows = conn.execute(statement, {"owner": owner.id, "begin": begin, "end": end})
    return [CalendarSlot(row[0], owner, *row[2:]) for row in rows]


def list_rules(conn: Connection, owner: Owner) -> list[WeeklyRule]:
    """The weekly rules of a calendar, oldest first."""
    return load_rules(conn, owner)


UPSERT_RULE = text("""
    INSERT INTO "AvailabilityRules" AS r
           (id, unit_id, agent_id, listing_id, day_of_week, start_time, end_time, timezone, status, valid_from, valid_until,
            notes, created_at, updated_at)
    VALUES (:rule, :unit, :agent, :listing_id, :day_of_week, :start_time, :end_time, :timezone, :status, :valid_from,
            :valid_until, :notes, :now, :now)
    ON CONFLICT (id) DO UPDATE SET listing_id = EXCLUDED.listing_id, day_of_week = EXCLUDED.day_of_week,
       start_time = EXCLUDED.start_time, end_time = EXCLUDED.end_time, timezone = EXCLUDED.timezone,
       status = EXCLUDED.status, valid_from = EXCLUDED.valid_from, valid_until = EXCLUDED.valid_until,
       notes = EXCLUDED.notes, updated_at = EXCLUDED.updated_at
""")


def _save_rule(
    conn: Connection,
    owner: Owner,
    draft: RuleDraft,
    actor: CalendarActor,
    now: datetime,
    horizon: timedelta,
    rule_id: UUID | None,
) -> Change:
    take_turns(conn)
    rules = load_rules(conn, owner)
    if rule_id is not None and all(rule.id != rule_id for rule in rules):
        return refused("ruleId", Broken.UNKNOWN_RULE, "this calendar has no such rule")
    others = [rule for rule in rules if rule.id != rule_id]
    found = check_rule(owner, draft, others, now) + check_owner(conn, owner, draft.status, draft.listing_id)
    if found:
        return Refused(tuple(found))
    saved_id = rule_id or uuid4()
    parameters = {
        "rule": saved_id,
        **owner_ids(owner),
        "listing_id": draft.listing_id,
        "day_of_week": draft.day_of_week,
        "start_time": draft.start_time,
        "end_time": draft.end_time,
        "timezone": draft.timezone,
        "status": draft.status,
        "valid_from": draft.valid_from,
        "valid_until": draft.valid_until,
        "notes": draft.notes,
        "now": now,
    }
    conn.execute(UPSERT_RULE, parameters)
    figures = extend(conn, now, horizon, owner)
    action = "availability_rule_created" if rule_id is None else "availability_rule_replaced"
    record(conn, owner, actor, [Step(action, "availability_rule", saved_id, rule_details(draft))])
    crash_point("availability.before_commit")
    return Saved(saved_id, figures.created, figures.removed)


def _save_override(
    conn: Connection,
    owner: Owner,
    slot_id: UUID,
    draft: OverrideDraft,
    done: str,
    actor: CalendarActor,
    now: datetime,
    horizon: timedelta,
) -> Change:
    starts_at, ends_at = draft.span()
    span = {"slot": slot_id, "starts_at": starts_at, "ends_at": ends_at, **owner_ids(owner)}
    given_way = 0
    if owner.kind is OwnerKind.AGENT and draft.status == owner.opens:
        other = conn.execute(_OVERLAPPED, span).one_or_none()
        if other is not None:
            return refused(
                "startTime",
                Broken.OVERLAPPING_AVAILABILITY,
                f"the agent is already available from {instant_text(other.starts_at)} to {instant_text(other.ends_at)} "
                f"({other.source})",
            )
        given_way = conn.execute(_GIVE_WAY, {**span, "now": now}).rowcount
    row: dict[str, object] = {"timezone": draft.timezone, "status": draft.status, "notes": draft.notes}
    conn.execute(SAVE_OVERRIDE[owner.kind], {**span, **row, "listing_id": draft.listing_id})
    figures = extend(conn, now, horizon, owner)
    details = {**row, "startsAt": instant_text(starts_at), "endsAt": instant_text(ends_at)}
    record(conn, owner, actor, [Step(f"availability_override_{done}", "availability_slot", slot_id, details)])
    crash_point("availability.before_commit")
    return Saved(slot_id, figures.created, given_way + figures.removed)


_OWNER_FACTS = {
    OwnerKind.UNIT: text("""
        SELECT EXISTS (SELECT 1 FROM "Units" WHERE id = :unit) AS known,
               EXISTS (SELECT 1 FROM "UnitAgentAssignments" a JOIN "Agents" g ON g.id = a.agent_id
                        WHERE a.unit_id = :unit AND a.assignment_mode = 'active' AND g.removed_at IS NULL) AS shown,
               EXISTS (SELECT 1 FROM "Listings" WHERE id = :listing_id AND unit_id = :unit) AS listed
    """),
    OwnerKind.AGENT: text("""
        SELECT EXISTS (SELECT 1 FROM "Agents" WHERE id = :agent AND removed_at IS NULL) AS known, true AS shown, false AS listed
    """),
}


def check_owner(conn: Connection, owner: Owner, status: str, listing_id: UUID | None) -> list[Refusal]:
    facts = conn.execute(_OWNER_FACTS[owner.kind], {**owner_ids(owner), "listing_id": listing_id}).one()
    if not facts.known:
        return [Refusal(f"{owner.kind}Id", Broken.UNKNOWN_OWNER, f"there is no such {owner.kind}")]
    found = []
    if not facts.shown and status == owner.opens:
        found.append(
            Refusal(
                "unitId",
                Broken.UNIT_WITHOUT_AGENTS,
                "must have an active agent before it can be opened for viewings",
            )
        )
    if listing_id is not None and not facts.listed:
        found.append(Refusal("listingId", Broken.UNKNOWN_LISTING, f"must be a listing of the {owner.kind}"))
    return found


def _own_row(conn: Connection, kind: OwnerKind, slot_id: UUID) -> Owner | Refused:
    row = conn.execute(_SLOT[kind], {"slot": slot_id}).one_or_none()
    if row is None:
        return refused("slotId", Broken.UNKNOWN_SLOT, "there is no such slot")
    if row.rule_id is not None:
        return refused(
            "slotId",
            Broken.FROM_A_RULE,
            f"comes from weekly rule {row.rule_id}: change the rule, or block that day with an override",
        )
    return Owner(kind, row.owner_id)


_OCCURRENCES = {
    OwnerKind.UNIT: text(
        'SELECT count(*) FROM "AvailabilitySlots" WHERE rule_id = :rule AND unit_id = :unit'
    ),
    OwnerKind.AGENT: text(
        'SELECT count(*) FROM "AgentAvailabilitySlots" WHERE rule_id = :rule AND agent_id = :agent'
    ),
}


def _count_occurrences(conn: Connection, owner: Owner, rule_id: UUID) -> int:
    return int(conn.execute(_OCCURRENCES[owner.kind], {"rule": rule_id, **owner_ids(owner)}).scalar_one())


def owner_ids(owner: Owner) -> dict[str, UUID | None]:
    return {
        "unit": owner.id if owner.kind is OwnerKind.UNIT else None,
        "agent": owner.id if owner.kind is OwnerKind.AGENT else None,
    }


def refused(field: str, rule: Broken, message: str) -> Refused:
    return Refused((Refusal(field, rule, message),))
