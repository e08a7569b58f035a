"""Suite over the replies a run worked on, after it: is what counts as sent proven, and sent once?

It reads the outbox itself rather than the stage's own report: a check of what is, not of what was claimed.
"""

from __future__ import annotations

from typing import Final

import pandas as pd
from sqlalchemy import Connection, text

from leasebot_pipeline.domain.dispatching import DispatchState
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.quality.adapter import Rule, validate
from leasebot_pipeline.quality.frames import Rows, frame_of, has_columns, texts, values
from leasebot_pipeline.quality.validation import Effect, Validation

PROVEN: Final = "deliveries_proven"
PERSON: Final = "no_reply_needs_person"

COLUMNS: Final = ("dispatch_id", "purpose_key", "state", "receipt_id", "sent_at")

_ROWS = text("""
    SELECT id AS dispatch_id, purpose_key, state, receipt ->> 'externalMessageId' AS receipt_id, sent_at
      FROM "OutboundDispatches" WHERE platform = :platform AND run_id = :run_id
""")


def load_dispatches(conn: Connection, platform: Platform, run_id: str) -> list[dict[str, object]]:
    """The outbox rows a run created or worked on, as ``check_dispatches`` takes them."""
    return [
        {str(column): value for column, value in row.items()}
        for row in conn.execute(_ROWS, {"platform": platform.value, "run_id": run_id}).mappings()
    ]


def check_dispatches(rows: Rows) -> Validation:
    """Judge outbox rows. Nothing is refused here: what went out can't be called back."""
    frame = frame_of(rows)
    if has_columns(frame, COLUMNS):
        for column in ("dispatch_id", "purpose_key", "state", "receipt_id"):
            frame[column] = texts(rows, column)
        sent = frame["state"] == DispatchState.SENT.value
        timed = pd.Series(["yes" if value else "" for value in values(rows, "sent_at")], dtype=object)
        frame["sent_receipt"], frame["sent_time"] = frame["receipt_id"].where(sent), timed.where(sent)
    return validate("dispatch", _RULES, frame, key="dispatch_id")


def _proven(name: str, says: str, expectation: str, **arguments: object) -> Rule:
    return Rule(PROVEN, name, says, Effect.STOP, expectation, arguments)


def _nowhere(state: DispatchState, name: str, says: str) -> Rule:
    arguments = {"column": "state", "value_set": [state.value]}
    return Rule(PERSON, name, says, Effect.WARN, "expect_column_values_to_not_be_in_set", arguments)


_RULES: Final = (
    _proven(
        "columns_missing",
        f"the rows have the columns {', '.join(COLUMNS)}",
        "expect_table_columns_to_match_set",
        column_set=list(COLUMNS),
        exact_match=False,
    ),
    _proven(
        "sent_without_receipt",
        "what counts as sent was read back from its thread",
        "expect_column_values_to_match_regex",
        column="sent_receipt",
        regex=r"\S",
    ),
    _proven(
        "sent_without_time",
        "what counts as sent has the time it was sent",
        "expect_column_values_to_match_regex",
        column="sent_time",
        regex=r"\S",
    ),
    _proven(
        "purpose_key_repeated",
        "no two replies serve the same purpose",
        "expect_column_values_to_be_unique",
        column="purpose_key",
    ),
    _nowhere(DispatchState.UNKNOWN, "delivery_unknown", "no reply is in doubt after its click"),
    _nowhere(DispatchState.DEAD_LETTER, "reply_given_up", "no reply was given up"),
)
