"""Limits and redaction of what a model is asked."""

from __future__ import annotations

import json

from leasebot_pipeline.decisions.gemini_answer import GeminiAnswer
from leasebot_pipeline.decisions.prompt import question_prompt, shorten, system_prompt
from leasebot_pipeline.domain.decisions import PROVIDER_OUTCOMES
from leasebot_pipeline.domain.readings import Direction
from tests.unit.domain.decision_values import OFFER, asked


def test_long_texts_are_cut_after_redaction() -> None:
    """Behaviour 149."""
    text = "x" * 1990 + " me@mail.test and more"
    data = json.loads(question_prompt(asked(text), 0))
    assert data["newMessages"] == ("x" * 1990 + " [REDACTED_EMAIL] and more")[:2000] + "..."
    assert shorten("abc", 3) == "abc"


def test_context_is_the_newest_messages_oldest_first() -> None:
    history = tuple((Direction.INBOUND if n % 2 else Direction.OUTBOUND, f"text {n}") for n in range(6))
    data = json.loads(question_prompt(asked("hi", history=history), 2))
    assert data["conversation"] == [{"from": "agent", "text": "text 4"}, {"from": "lead", "text": "text 5"}]
    assert json.loads(question_prompt(asked("hi", history=history), 0))["conversation"] == []


def test_a_model_may_give_six_outcomes() -> None:
    """Behaviour 68: asked for and accepted are the same six, none that only people set."""
    six = {
        "not_interested",
        "wants_reschedule",
        "no_reply",
        "showing_confirmed",
        "general_question",
        "human_required",
    }
    assert {outcome.value for outcome in PROVIDER_OUTCOMES} == six
    accepted = GeminiAnswer.model_json_schema()["properties"]["workflowOutcome"]["anyOf"]
    assert {value for choice in accepted for value in choice.get("enum", ())} == six
    assert all(outcome in system_prompt() for outcome in six)


def test_an_open_offer_is_what_an_index_refers_to() -> None:
    data = json.loads(question_prompt(asked("ok", open_offer=OFFER[2:]), 0))
    assert data["slots"][0].startswith("1. Sat, Feb 14 6:00 PM")
    assert data["slotsAlreadyOffered"] is True


def test_the_playbook_is_style_and_has_a_limit() -> None:
    assert system_prompt("  ") == system_prompt()
    assert system_prompt("Be brief.").endswith("Be brief.\n")
    assert len(system_prompt("y" * 9000)) < len(system_prompt()) + 4100
