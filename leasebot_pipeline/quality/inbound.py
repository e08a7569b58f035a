"""Suite over a batch of landed events, before they become messages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import pandas as pd

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.quality.adapter import Rule, validate
from leasebot_pipeline.quality.frames import Rows, frame_of, has_columns, texts, values
from leasebot_pipeline.quality.validation import Effect, Validation

SCHEMA: Final = "batch_schema"
DRIFT: Final = "markup_drift"
ROWS: Final = "rows_usable"

_TEXTS: Final = ("platform_account_id", "external_thread_id", "external_message_id", "direction", "body")
COLUMNS: Final = ("id", "platform", *_TEXTS, "sent_at", "sent_at_text", "payload")
MAX_BODY: Final = 8000
"""Characters. More is a page taken for a message."""
FUTURE_SLACK: Final = timedelta(days=1)
OLDEST: Final = timedelta(days=3650)
"""A time before this is an epoch or a misread year; it would pass as history, which nobody answers."""
ENOUGH: Final = 3
"""Fewer rows (or threads, for names) than this say nothing about a page."""


def check_inbound(platform: Platform, rows: Rows, now: datetime) -> Validation:
    """Judge landed events of one platform; refused rows are keyed by event id."""
    frame = _frame(rows)
    threads = len(set(texts(rows, "external_thread_id")))
    suite = (*_schema_rules(platform), *_row_rules(now), *_drift_rules(len(rows), threads))
    return validate("inbound", suite, frame, key="id")


def _frame(rows: Rows) -> pd.DataFrame:
    frame = frame_of(rows)
    if not has_columns(frame, COLUMNS):
        return frame
    for column in _TEXTS:
        frame[column] = texts(rows, column)
    shown = zip(values(rows, "sent_at"), values(rows, "sent_at_text"), strict=True)
    frame["time_shown"] = [1.0 if time or text else None for time, text in shown]
    frame["sent_at"] = pd.to_datetime(frame["sent_at"], utc=True)
    # Of the payload only this matters here, and dictionaries can't be hashed.
    frame["payload"] = frame["lead_named"] = [
        1.0 if isinstance(payload, dict) and payload.get("leadName") else None
        for payload in values(rows, "payload")
    ]
    return frame


def _schema_rules(platform: Platform) -> list[Rule]:
    def rule(name: str, says: str, expectation: str, **arguments: object) -> Rule:
        return Rule(SCHEMA, name, says, Effect.STOP, expectation, arguments)

    return [
        rule(
            "columns_missing",
            f"the batch has the columns {', '.join(COLUMNS)}",
            "expect_table_columns_to_match_set",
            column_set=list(COLUMNS),
            exact_match=False,
        ),
        rule("event_id_missing", "each event has its id", "expect_column_values_to_not_be_null", column="id"),
        rule(
            "event_id_repeated", "each event is there once", "expect_column_values_to_be_unique", column="id"
        ),
        rule(
            "foreign_platform",
            f"each event is of {platform.value}",
            "expect_column_values_to_be_in_set",
            column="platform",
            value_set=[platform.value],
        ),
    ]


def _row_rules(now: datetime) -> list[Rule]:
    def rule(name: str, says: str, expectation: str, **arguments: object) -> Rule:
        return Rule(ROWS, name, says, Effect.REFUSE, expectation, arguments)

    return [
        rule(
            "thread_identity_missing",
            "each event names its thread",
            "expect_column_values_to_match_regex",
            column="external_thread_id",
            regex=r"\S",
        ),
        rule(
            "message_identity_missing",
            "each event has a message identity",
            "expect_column_values_to_match_regex",
            column="external_message_id",
            regex=r"\S",
        ),
        rule(
            "identity_not_unique",
            "a message is there once in its thread",
            "expect_compound_columns_to_be_unique",
            column_list=["platform_account_id", "external_thread_id", "external_message_id"],
        ),
        rule(
            "direction_unknown",
            "it is known who wrote",
            "expect_column_values_to_be_in_set",
            column="direction",
            value_set=[direction.value for direction in Direction],
        ),
        rule(
            "body_empty",
            "a message has a text",
            "expect_column_values_to_match_regex",
            column="body",
            regex=r"\S",
        ),
        rule(
            "body_too_long",
            f"a message has at most {MAX_BODY} characters",
            "expect_column_value_lengths_to_be_between",
            column="body",
            max_value=MAX_BODY,
        ),
        rule(
            "sent_at_in_future",
            f"no message was sent more than {FUTURE_SLACK.days} day ahead of now",
            "expect_column_values_to_be_between",
            column="sent_at",
            max_value=now + FUTURE_SLACK,
        ),
        rule(
            "sent_at_implausibly_old",
            f"no message was sent more than {OLDEST.days // 365} years ago",
            "expect_column_values_to_be_between",
            column="sent_at",
            min_value=now - OLDEST,
        ),
    ]


def _drift_rules(rows: int, threads: int) -> list[Rule]:
    """Without times, history can't be told from news, and identities made from them change: messages would be
    answered again. One nameless lead is a lead, an inbox full of them is not.
    """

    def rule(name: str, says: str, effect: Effect, column: str, **bounds: object) -> Rule:
        expectation = "expect_column_proportion_of_non_null_values_to_be_between"
        return Rule(DRIFT, name, says, effect, expectation, {"column": column, **bounds})

    some = {"min_value": 0.0, "strict_min": True}
    untimed = Effect.STOP if rows >= ENOUGH else Effect.WARN
    unnamed = Effect.STOP if threads >= ENOUGH else Effect.WARN
    return [
        rule("time_gone", "messages show when they were sent", untimed, "time_shown", **some),
        rule("time_rare", "most messages show when they were sent", Effect.WARN, "time_shown", min_value=0.5),
        rule("lead_name_gone", "threads show the lead's name", unnamed, "lead_named", **some),
    ]
