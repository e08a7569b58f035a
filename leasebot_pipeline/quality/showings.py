"""Suite over a platform's showings after a run: does the calendar hold, and do conversations say the same?

It reads the tables themselves rather than the stage's report: a check of what is, not of what was claimed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.quality.adapter import Rule, validate
from leasebot_pipeline.quality.frames import Rows, frame_of, has_columns, texts
from leasebot_pipeline.quality.validation import Effect, Validation

OVERLAPS: Final = "no_overlaps"
AGREES: Final = "conversation_and_showing_agree"
HELD: Final = "nothing_held_too_long"

COLUMNS: Final = ("showing_id", "overlaps", "shares_seat", "agrees", "held_too_long")

_ROWS = text("""
    SELECT s.id AS showing_id,
           CASE WHEN s.status IN ('pending', 'confirmed', 'reschedule_requested') AND EXISTS (
                  SELECT 1 FROM "ShowingAppointments" o
                   WHERE o.agent_id = s.agent_id AND o.unit_id <> s.unit_id AND o.id <> s.id
                     AND o.status IN ('pending', 'confirmed', 'reschedule_requested')
                     AND tstzrange(o.busy_from, o.busy_until) && tstzrange(s.busy_from, s.busy_until))
                THEN 'yes' ELSE 'no' END AS overlaps,
           CASE WHEN s.status IN ('pending', 'confirmed', 'reschedule_requested') AND s.seq > 0 AND EXISTS (
                  SELECT 1 FROM "ShowingAppointments" o
                   WHERE o.unit_id = s.unit_id AND o.id <> s.id AND o.seq > 0 AND (o.seat = s.seat OR o.agent_id <> s.agent_id)
                     AND o.status IN ('pending', 'confirmed', 'reschedule_requested')
                     AND tstzrange(o.starts_at, o.ends_at) && tstzrange(s.starts_at, s.ends_at))
                THEN 'yes' ELSE 'no' END AS shares_seat,
           CASE WHEN s.hold_expires_at IS NULL AND s.seq > 0 AND c.showing_state IS DISTINCT FROM s.status AND NOT EXISTS (
                  SELECT 1 FROM "ShowingAppointments" n
                   WHERE n.conversation_id = s.conversation_id AND n.hold_expires_at IS NULL AND n.seq > s.seq)
                THEN 'no' ELSE 'yes' END AS agrees,
           CASE WHEN s.status = 'pending' AND s.hold_expires_at <= :now THEN 'yes' ELSE 'no' END AS held_too_long
      FROM "ShowingAppointments" s
      JOIN "PlatformAccounts" a ON a.id = s.platform_account_id
      LEFT JOIN "Conversations" c ON c.id = s.conversation_id
     WHERE a.platform = :platform AND s.conversation_id IS NOT NULL AND s.ends_at > CAST(:now AS timestamptz) - interval '1 day'
     ORDER BY s.starts_at
""")


def load_showings(conn: Connection, platform: Platform, now: datetime) -> list[dict[str, object]]:
    """The platform's showings of yesterday and later, as ``check_showings`` takes them."""
    return [
        {str(column): value for column, value in row.items()}
        for row in conn.execute(_ROWS, {"platform": platform.value, "now": now}).mappings()
    ]


def check_showings(rows: Rows) -> Validation:
    """Judge showings. An overlap stops what follows: no confirmation of it may go out."""
    frame = frame_of(rows)
    if has_columns(frame, COLUMNS):
        for column in COLUMNS:
            frame[column] = texts(rows, column)
    return validate("showings", _RULES, frame, key="showing_id")


def _must(check: str, name: str, says: str, effect: Effect, column: str, value: str) -> Rule:
    arguments = {"column": column, "value_set": [value]}
    return Rule(check, name, says, effect, "expect_column_values_to_be_in_set", arguments)


_RULES: Final = (
    Rule(
        OVERLAPS,
        "columns_missing",
        f"the rows have the columns {', '.join(COLUMNS)}",
        Effect.STOP,
        "expect_table_columns_to_match_set",
        {"column_set": list(COLUMNS), "exact_match": False},
    ),
    _must(
        OVERLAPS,
        "agent_overlaps",
        "no agent shows two units at once, buffers and holds included",
        Effect.STOP,
        "overlaps",
        "no",
    ),
    _must(OVERLAPS, "seat_shared", "visitors of one unit have a seat each", Effect.STOP, "shares_seat", "no"),
    _must(
        AGREES,
        "showing_state_differs",
        "a conversation's showing state is that of its newest showing",
        Effect.STOP,
        "agrees",
        "yes",
    ),
    _must(HELD, "hold_overdue", "no time is held past its hold", Effect.WARN, "held_too_long", "no"),
)
