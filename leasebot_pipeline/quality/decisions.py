"""Suites over planned decisions, before any of them has an effect."""

from __future__ import annotations

from typing import Final

import pandas as pd

from leasebot_pipeline.domain.decisions import RiskLevel
from leasebot_pipeline.domain.platforms import ReleaseStage, SendMode
from leasebot_pipeline.quality.adapter import Rule, validate
from leasebot_pipeline.quality.frames import Rows, frame_of, has_columns, texts, values
from leasebot_pipeline.quality.validation import Effect, Validation

SCHEMA: Final = "decision_schema"
SENDS: Final = "sends_allowed"
FORM: Final = "decisions_well_formed"
HELD: Final = "share_held"

_TEXTS: Final = (
    "conversation_id",
    "dispatch_key",
    "outcome",
    "risk_level",
    "reply_body",
    "effective_send_mode",
    "release_stage",
)
COLUMNS: Final = (
    "decision_id",
    *_TEXTS,
    "reason",
    "confidence",
    "guardrails",
    "slot_count",
    "is_active",
)
_OF_SENDS: Final = (
    "slot_count",
    "guardrails",
    "risk_level",
    "is_active",
    "effective_send_mode",
    "release_stage",
)
_OF_REPLIES: Final = ("dispatch_key", "reply_body")
MAX_SHARE_HELD: Final = 0.6
ENOUGH: Final = 10
"""Fewer decisions than this say nothing about the share that is held."""


def check_decisions(rows: Rows) -> Validation:
    """Judge planned decisions; refused rows are keyed by decision id, to be held for a person."""
    return validate(
        "decisions", (*_SCHEMA_RULES, *_SEND_RULES, *_FORM_RULES), _frame(rows), key="decision_id"
    )


def check_share_held(decided: int, held: int) -> Validation:
    """Ask for a look when unusually many of a run's decisions were left to people."""
    if decided < ENOUGH:
        return Validation(rows=decided)
    return validate("share_held", _HELD_RULES, pd.DataFrame([{"share": held / decided}]), key="share")


def outcome_of_reason(reason: object) -> str:
    """The outcome a reason code stands for; empty for a code that is none of ours."""
    code = str(reason or "")
    if code == "policy_send_allowed":
        return "send"
    if code == "policy_draft_required":
        return "draft"
    if code == "policy_platform_inactive" or code.startswith("test_allowlist_"):
        return "blocked"
    family, _, rest = code.partition("_")
    return family if family in ("escalate", "skip") and rest else ""


def _frame(rows: Rows) -> pd.DataFrame:
    """The rows as the rules need them; what is unknown becomes what is not allowed."""
    frame = frame_of(rows)
    if not has_columns(frame, COLUMNS):
        return frame
    for column in _TEXTS:
        frame[column] = texts(rows, column)
    frame["slot_count"] = [value if isinstance(value, int) else 0 for value in values(rows, "slot_count")]
    frame["is_active"] = ["yes" if value is True else "no" for value in values(rows, "is_active")]
    frame["guardrails"] = [
        len(value) if isinstance(value, list | tuple) else 1 for value in values(rows, "guardrails")
    ]
    frame["confidence"] = [
        float(value) if isinstance(value, int | float) and value == value else -1.0
        for value in values(rows, "confidence")
    ]
    frame["reason_stands_for"] = [outcome_of_reason(value) for value in values(rows, "reason")]
    sends, replies = frame["outcome"] == "send", frame["outcome"].isin(["send", "draft"])
    for column in _OF_SENDS:
        frame[f"send_{column}"] = frame[column].where(sends)
    for column in _OF_REPLIES:
        frame[f"reply_{column}"] = frame[column].where(replies)
    return frame


def _schema(name: str, says: str, expectation: str, **arguments: object) -> Rule:
    return Rule(SCHEMA, name, says, Effect.STOP, expectation, arguments)


def _send(name: str, says: str, expectation: str, **arguments: object) -> Rule:
    return Rule(SENDS, name, says, Effect.REFUSE, expectation, arguments)


def _form(name: str, says: str, expectation: str, **arguments: object) -> Rule:
    return Rule(FORM, name, says, Effect.REFUSE, expectation, arguments)


_SCHEMA_RULES: Final = (
    _schema(
        "columns_missing",
        f"the plan has the columns {', '.join(COLUMNS)}",
        "expect_table_columns_to_match_set",
        column_set=list(COLUMNS),
        exact_match=False,
    ),
    _schema(
        "decision_id_missing",
        "each decision has its id",
        "expect_column_values_to_not_be_null",
        column="decision_id",
    ),
    _schema(
        "decision_id_repeated",
        "each decision is there once",
        "expect_column_values_to_be_unique",
        column="decision_id",
    ),
    _schema(
        "conversation_decided_twice",
        "each conversation is decided once",
        "expect_column_values_to_be_unique",
        column="conversation_id",
    ),
    _schema(
        "confidence_out_of_range",
        "confidence lies between 0 and 1: a provider that gives impossible figures is broken as a whole",
        "expect_column_values_to_be_between",
        column="confidence",
        min_value=0,
        max_value=1,
    ),
)

_SEND_RULES: Final = (
    _send(
        "send_without_slot",
        "what is sent names a slot",
        "expect_column_values_to_be_between",
        column="send_slot_count",
        min_value=1,
    ),
    _send(
        "send_past_guardrail",
        "nothing is sent where a guardrail was hit",
        "expect_column_values_to_be_between",
        column="send_guardrails",
        max_value=0,
    ),
    _send(
        "send_at_high_risk",
        "nothing is sent at high, critical or unknown risk",
        "expect_column_values_to_be_in_set",
        column="send_risk_level",
        value_set=[RiskLevel.LOW.value, RiskLevel.MEDIUM.value],
    ),
    _send(
        "send_in_shadow",
        "nothing is sent in the shadow stage",
        "expect_column_values_to_be_in_set",
        column="send_release_stage",
        value_set=[ReleaseStage.CANARY.value, ReleaseStage.FULL.value],
    ),
    _send(
        "send_on_inactive_account",
        "nothing is sent on an inactive account",
        "expect_column_values_to_be_in_set",
        column="send_is_active",
        value_set=["yes"],
    ),
    _send(
        "send_in_draft_only",
        "nothing is sent where only drafts are allowed",
        "expect_column_values_to_be_in_set",
        column="send_effective_send_mode",
        value_set=[SendMode.AUTO_SEND.value],
    ),
    _send(
        "dispatch_key_repeated",
        "no two replies share a dispatch key",
        "expect_column_values_to_be_unique",
        column="reply_dispatch_key",
    ),
)

_FORM_RULES: Final = (
    _form(
        "dispatch_key_missing",
        "a reply has its dispatch key",
        "expect_column_values_to_match_regex",
        column="reply_dispatch_key",
        regex=r"\S",
    ),
    _form(
        "reply_empty",
        "a reply has a text",
        "expect_column_values_to_match_regex",
        column="reply_reply_body",
        regex=r"\S",
    ),
    _form(
        "reply_placeholder_left",
        "no placeholder is left in a reply",
        "expect_column_values_to_not_match_regex",
        column="reply_reply_body",
        regex=r"\{\{|\}\}",
    ),
    _form(
        "reason_unknown",
        "the reason is known and stands for the outcome",
        "expect_column_pair_values_to_be_equal",
        column_A="outcome",
        column_B="reason_stands_for",
    ),
)

_HELD_RULES: Final = (
    Rule(
        HELD,
        "many_held",
        f"at most {MAX_SHARE_HELD:.0%} of {ENOUGH} or more decisions are left to people",
        Effect.WARN,
        "expect_column_max_to_be_between",
        {"column": "share", "max_value": MAX_SHARE_HELD},
    ),
)
