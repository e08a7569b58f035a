"""Suites over follow-ups: their texts before anything leaves, and afterwards what is stored of them.

The second one looks at the tables themselves rather than at the stage's own report: a check of what is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from leasebot_pipeline.domain.platforms import ReleaseStage, SendMode
from leasebot_pipeline.quality.adapter import Rule, validate
from leasebot_pipeline.quality.frames import Rows, frame_of, has_columns, texts, values
from leasebot_pipeline.quality.validation import Effect, Validation

TEXTS: Final = "follow_up_texts"
ON_TIME: Final = "follow_ups_on_time"
UNIQUE: Final = "no_follow_up_twice"
SILENT: Final = "no_follow_up_after_reply"

TEXT_COLUMNS: Final = (
    "follow_up_id",
    "dispatch_key",
    "state",
    "body",
    "guardrails",
    "is_active",
    "effective_send_mode",
    "release_stage",
    "opted_out",
)
STEP_COLUMNS: Final = ("follow_up_id", "silence", "overdue", "after_reply")


def check_texts(rows: Rows) -> Validation:
    """Judge texts that are about to be handed over; refused ones are keyed by the step's id."""
    frame = frame_of(rows)
    if has_columns(frame, TEXT_COLUMNS):
        for column in (
            "follow_up_id",
            "dispatch_key",
            "state",
            "body",
            "effective_send_mode",
            "release_stage",
        ):
            frame[column] = texts(rows, column)
        frame["opted_out"] = _words(values(rows, "opted_out"), unless=False)
        queued = frame["state"] == "queued"
        broken = [len(v) if isinstance(v, list | tuple) else 1 for v in values(rows, "guardrails")]
        frame["sent_guardrails"] = frame.assign(broken=broken)["broken"].where(queued)
        frame["sent_mode"] = frame["effective_send_mode"].where(queued)
        frame["sent_stage"] = frame["release_stage"].where(queued)
        active = frame.assign(active=_words(values(rows, "is_active"), unless=True))["active"]
        frame["sent_active"] = active.where(queued)
    return validate("follow_up_texts", _TEXT_RULES, frame, key="follow_up_id")


def _words(found: Iterable[object], *, unless: bool) -> list[str]:
    """ "no" only where a value is exactly the good one: what is unknown must not pass."""
    return ["no" if value is unless else "yes" for value in found]


def check_steps(rows: Rows) -> Validation:
    """Judge stored steps. Nothing is refused here: dispatch has its own guard before each click."""
    frame = frame_of(rows)
    if has_columns(frame, STEP_COLUMNS):
        for column in STEP_COLUMNS:
            frame[column] = texts(rows, column)
    return validate("follow_ups", _STEP_RULES, frame, key="follow_up_id")


def _text(name: str, says: str, expectation: str, **arguments: object) -> Rule:
    return Rule(TEXTS, name, says, Effect.REFUSE, expectation, arguments)


_TEXT_RULES: Final = (
    Rule(
        TEXTS,
        "columns_missing",
        f"the plan has the columns {', '.join(TEXT_COLUMNS)}",
        Effect.STOP,
        "expect_table_columns_to_match_set",
        {"column_set": list(TEXT_COLUMNS), "exact_match": False},
    ),
    _text(
        "follow_up_empty",
        "a follow-up has a text",
        "expect_column_values_to_match_regex",
        column="body",
        regex=r"\S",
    ),
    _text(
        "follow_up_placeholder_left",
        "no placeholder is left in a follow-up",
        "expect_column_values_to_not_match_regex",
        column="body",
        regex=r"\{\{|\}\}",
    ),
    _text(
        "follow_up_key_repeated",
        "no two follow-ups share a dispatch key",
        "expect_column_values_to_be_unique",
        column="dispatch_key",
    ),
    _text(
        "follow_up_to_opted_out",
        "no lead who opted out is written to",
        "expect_column_values_to_be_in_set",
        column="opted_out",
        value_set=["no"],
    ),
    _text(
        "follow_up_past_guardrail",
        "no follow-up is sent where a guardrail was hit",
        "expect_column_values_to_be_between",
        column="sent_guardrails",
        max_value=0,
    ),
    _text(
        "follow_up_in_draft_only",
        "no follow-up is sent where only drafts are allowed",
        "expect_column_values_to_be_in_set",
        column="sent_mode",
        value_set=[SendMode.AUTO_SEND.value],
    ),
    _text(
        "follow_up_in_shadow",
        "no follow-up is sent in the shadow stage",
        "expect_column_values_to_be_in_set",
        column="sent_stage",
        value_set=[ReleaseStage.CANARY.value, ReleaseStage.FULL.value],
    ),
    _text(
        "follow_up_on_inactive_account",
        "no follow-up is sent on an inactive account",
        "expect_column_values_to_be_in_set",
        column="sent_active",
        value_set=["no"],
    ),
)

_STEP_RULES: Final = (
    Rule(
        ON_TIME,
        "follow_up_overdue",
        "no step that may be taken is due since more than two looks",
        Effect.WARN,
        "expect_column_values_to_be_in_set",
        {"column": "overdue", "value_set": ["no"]},
    ),
    Rule(
        UNIQUE,
        "follow_up_repeated",
        "one silence has each step once, one showing each reminder",
        Effect.STOP,
        "expect_column_values_to_be_unique",
        {"column": "silence"},
    ),
    Rule(
        SILENT,
        "follow_up_after_reply",
        "no follow-up was sent to a lead who had written before",
        Effect.STOP,
        "expect_column_values_to_be_in_set",
        {"column": "after_reply", "value_set": ["no"]},
    ),
)
