"""A calendar's weeks and weekdays copied: exceptions of a week to another one, rules of a weekday to other days.

A copy is made whole or not at all; what stands there already, exactly so, is left as it is. The number of statements
does not depend on how much is copied.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.availability import Owner, OwnerKind, WeeklyRule
from leasebot_pipeline.domain.availability_drafts import (
    Broken,
    OverrideDraft,
    Refusal,
    RuleDraft,
    check_override,
    check_rule,
)
from leasebot_pipeline.domain.slots import zone
from leasebot_pipeline.storage.availability import (
    SAVE_OVERRIDE,
    UPSERT_RULE,
    CalendarSlot,
    Change,
    Refused,
    Saved,
    check_owner,
    list_slots,
    owner_ids,
    refused,
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

_WEEK = timedelta(days=7)
# Zones lie up to 14 hours apart from UTC.
_MARGIN = timedelta(days=1)


def copy_day(
    conn: Connection,
    owner: Owner,
    from_day: int,
    to_days: Iterable[int],
    actor: CalendarActor,
    now: datetime,
    horizon: timedelta,
) -> Change:
    """Give other weekdays the rules of one (0 is Sunday), beside the rules they have."""
    take_turns(conn)
    rules = load_rules(conn, owner)
    source = [rule for rule in rules if rule.day_of_week == from_day and not _is_over(rule, now)]
    if not source:
        return refused("fromDay", Broken.NOTHING_TO_COPY, "has no weekly rule")
    known = {_what(rule) for rule in rules}
    drafts = [
        RuleDraft(
            day,
            rule.start_time,
            rule.end_time,
            rule.timezone,
            rule.status,
            rule.valid_from,
            rule.valid_until,
            rule.notes,
            rule.listing_id,
        )
        for day in sorted(set(to_days) - {from_day})
        for rule in source
    ]
    wanted = [draft for draft in drafts if _what(draft) not in known]
    if not wanted:
        return refused("toDays", Broken.NOTHING_TO_COPY, "those days have these rules already")
    found: list[Refusal] = []
    for draft in wanted:
        found += check_rule(owner, draft, rules, now)
    found += _owner_refusals(conn, owner, {(draft.status, draft.listing_id) for draft in wanted})
    if found:
        return Refused(tuple(found))
    rows = [
        {
            "rule": uuid4(),
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
        for draft in wanted
    ]
    conn.execute(UPSERT_RULE, rows)
    figures = extend(conn, now, horizon, owner)
    steps = [
        Step("availability_rule_created", "availability_rule", UUID(str(row["rule"])), rule_details(draft))
        for row, draft in zip(rows, wanted, strict=True)
    ]
    record(conn, owner, actor, steps)
    crash_point("availability.before_commit")
    return Saved(steps[0].entity_id, figures.created, figures.removed)


_IN_THE_WAY = text("""
    SELECT s.starts_at, s.ends_at FROM "AgentAvailabilitySlots" s
      JOIN unnest(CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[])) AS w(starts_at, ends_at)
        ON tstzrange(s.starts_at, s.ends_at, '[)') && tstzrange(w.starts_at, w.ends_at, '[)')
     WHERE s.agent_id = :agent AND s.status = 'available' AND s.rule_id IS NULL
     ORDER BY s.starts_at LIMIT 3
""")
_GIVE_WAY = text("""
    DELETE FROM "AgentAvailabilitySlots" s
     USING unnest(CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[])) AS w(starts_at, ends_at)
     WHERE s.agent_id = :agent AND s.status = 'available' AND s.rule_id IS NOT NULL AND s.ends_at > :now
       AND tstzrange(s.starts_at, s.ends_at, '[)') && tstzrange(w.starts_at, w.ends_at, '[)')
""")


def copy_week(
    conn: Connection,
    owner: Owner,
    from_date: date,
    to_date: date,
    actor: CalendarActor,
    now: datetime,
    horizon: timedelta,
) -> Change:
    """Give the seven days from ``to_date`` on the exceptions of those from ``from_date`` on, at the same local times."""
    take_turns(conn)
    source = _own_rows(conn, owner, from_date)
    if not source:
        return refused("fromDate", Broken.NOTHING_TO_COPY, "that week has no exceptions")
    step = to_date - from_date
    drafts = [_moved(slot, step) for slot in source]
    found = [refusal for draft in drafts for refusal in check_override(owner, draft, now)]
    found += _owner_refusals(conn, owner, {(draft.status, draft.listing_id) for draft in drafts})
    if found:
        return Refused(tuple(found))
    known = {(slot.starts_at, slot.ends_at, slot.status) for slot in _own_rows(conn, owner, to_date)}
    wanted = [draft for draft in drafts if (*draft.span(), draft.status) not in known]
    if not wanted:
        return refused("toDate", Broken.NOTHING_TO_COPY, "that week has these exceptions already")
    way = _make_way(conn, owner, [draft.span() for draft in wanted if draft.status == owner.opens], now)
    if isinstance(way, Refused):
        return way
    rows: list[dict[str, object]] = []
    for draft in wanted:
        starts_at, ends_at = draft.span()
        rows.append(
            {
                "slot": uuid4(),
                **owner_ids(owner),
                "starts_at": starts_at,
                "ends_at": ends_at,
                "timezone": draft.timezone,
                "status": draft.status,
                "notes": draft.notes,
                "listing_id": draft.listing_id,
            }
        )
    conn.execute(SAVE_OVERRIDE[owner.kind], rows)
    figures = extend(conn, now, horizon, owner)
    steps = [_override_step(row, draft) for row, draft in zip(rows, wanted, strict=True)]
    record(conn, owner, actor, steps)
    crash_point("availability.before_commit")
    return Saved(steps[0].entity_id, len(steps), way + figures.removed)


def _override_step(row: dict[str, object], draft: OverrideDraft) -> Step:
    starts_at, ends_at = draft.span()
    details: dict[str, object] = {
        "timezone": draft.timezone,
        "status": draft.status,
        "notes": draft.notes,
        "startsAt": instant_text(starts_at),
        "endsAt": instant_text(ends_at),
    }
    return Step("availability_override_created", "availability_slot", UUID(str(row["slot"])), details)


def _own_rows(conn: Connection, owner: Owner, first: date) -> list[CalendarSlot]:
    """Rows without a rule that begin in the seven days from a date on, each in its own zone."""
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
    found = list_slots(conn, owner, begin - _MARGIN, begin + _WEEK + _MARGIN)
    return [slot for slot in found if slot.rule_id is None and first <= _local_day(slot) < first + _WEEK]


def _local_day(slot: CalendarSlot) -> date:
    return slot.starts_at.astimezone(zone(slot.timezone) or UTC).date()


def _moved(slot: CalendarSlot, step: timedelta) -> OverrideDraft:
    tz = zone(slot.timezone) or UTC
    start, end = slot.starts_at.astimezone(tz), slot.ends_at.astimezone(tz)
    return OverrideDraft(
        start.date() + step, start.time(), end.time(), slot.timezone, slot.status, slot.notes, slot.listing_id
    )


def _make_way(
    conn: Connection, owner: Owner, spans: Sequence[tuple[datetime, datetime]], now: datetime
) -> int | Refused:
    """Occurrences of an agent's rules give way to what is stated for a day; how many did."""
    if owner.kind is not OwnerKind.AGENT or not spans:
        return 0
    values = {
        "agent": owner.id,
        "starts": [start for start, _ in spans],
        "ends": [end for _, end in spans],
        "now": now,
    }
    taken = conn.execute(_IN_THE_WAY, values).all()
    if taken:
        return Refused(
            tuple(
                Refusal(
                    "toDate",
                    Broken.OVERLAPPING_AVAILABILITY,
                    f"the agent is already available from {instant_text(row.starts_at)} to {instant_text(row.ends_at)}",
                )
                for row in taken
            )
        )
    return conn.execute(_GIVE_WAY, values).rowcount


def _owner_refusals(conn: Connection, owner: Owner, kinds: set[tuple[str, UUID | None]]) -> list[Refusal]:
    found: dict[str, Refusal] = {}
    for status, listing in sorted(kinds, key=str):
        found |= {str(refusal): refusal for refusal in check_owner(conn, owner, status, listing)}
    return list(found.values())


def _is_over(rule: WeeklyRule, now: datetime) -> bool:
    return (
        rule.valid_until is not None and rule.valid_until < now.astimezone(zone(rule.timezone) or UTC).date()
    )


def _what(rule: WeeklyRule | RuleDraft) -> tuple[object, ...]:
    return (
        rule.day_of_week,
        rule.start_time,
        rule.end_time,
        rule.timezone,
        rule.status,
        rule.valid_from,
        rule.valid_until,
    )
