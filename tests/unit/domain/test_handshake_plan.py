"""What is done about an answer: booked only on the lead's word, held on anybody else's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.domain.decisions import (
    ComposeOptions,
    DecisionInput,
    Outcome,
    Verdict,
    WorkflowOutcome,
)
from leasebot_pipeline.domain.eligibility import compose
from leasebot_pipeline.domain.guardrails_outbound import check_outbound
from leasebot_pipeline.domain.handshake_plan import Move, ShowingText
from leasebot_pipeline.domain.handshake_replies import SHOWING_TEMPLATES
from leasebot_pipeline.domain.platforms import SendMode
from leasebot_pipeline.domain.policy import Template
from leasebot_pipeline.domain.replies import placeholders
from leasebot_pipeline.domain.slots import Slot, label
from tests.unit.domain.decision_values import (
    FRIDAY_6PM,
    OFFER,
    RULE,
    SATURDAY_3PM,
    SENDS,
    TEMPLATE,
    TUESDAY_10AM,
    asked,
    composed,
    slot,
    verdict,
)

CONFIRMED = verdict(workflow_outcome=WorkflowOutcome.SHOWING_CONFIRMED)
OTHER_TIME = verdict(workflow_outcome=WorkflowOutcome.WANTS_RESCHEDULE)
MONDAY = datetime(2026, 2, 9, 15, tzinfo=UTC)


def decided(question: DecisionInput) -> Outcome:
    (judged,) = HeuristicProvider().decide([question])
    return composed(question, judged)


def move(outcome: Outcome) -> tuple[Move, ShowingText, tuple[Slot, ...]]:
    assert outcome.handshake is not None, outcome
    return outcome.handshake.move, outcome.handshake.text, outcome.handshake.slots


def test_the_leads_own_pick_is_booked_and_confirmed_in_one_reply() -> None:
    """Behaviour 76."""
    outcome = decided(asked("Saturday at 3 works for me", open_offer=OFFER))
    assert move(outcome) == (Move.BOOK, ShowingText.CONFIRMED, (SATURDAY_3PM,))
    assert outcome.outcome == "send"
    assert outcome.reply_body is not None
    assert f"- {label(SATURDAY_3PM)}" in outcome.reply_body
    assert outcome.slots_offered == ()


def test_a_model_that_agrees_without_an_index_gets_the_earliest_slot_held() -> None:
    """Behaviour 75: one reply that asks to answer "confirm"."""
    outcome = composed(
        asked("Great, let's meet then!", open_offer=(TUESDAY_10AM, FRIDAY_6PM, SATURDAY_3PM)), CONFIRMED
    )
    assert move(outcome) == (Move.HOLD, ShowingText.HOLD, (FRIDAY_6PM,))
    assert '"confirm"' in (outcome.reply_body or "")
    assert outcome.outcome == "send"


def test_a_models_index_alone_is_held_not_booked() -> None:
    """Fault G-22."""
    judged = replace(CONFIRMED, selected_slot_index=2)
    assert move(composed(asked("Lovely!", open_offer=OFFER), judged))[:2] == (Move.HOLD, ShowingText.HOLD)
    without_offer = composed(asked("I am coming", slots=OFFER), judged)
    assert move(without_offer) == (Move.HOLD, ShowingText.HOLD, (SATURDAY_3PM,))


def test_one_candidate_is_never_booked_without_the_leads_word() -> None:
    """Fault G-22."""
    assert move(composed(asked("I see", open_offer=(FRIDAY_6PM,)), CONFIRMED))[0] is Move.HOLD
    assert move(decided(asked("yes", open_offer=(FRIDAY_6PM,))))[0] is Move.BOOK


def test_a_question_about_an_offered_slot_is_held_until_the_lead_confirms() -> None:
    outcome = decided(asked("Is Tuesday still open?", open_offer=OFFER))
    assert move(outcome) == (Move.HOLD, ShowingText.HOLD, (TUESDAY_10AM,))
    confirmed = decided(asked("confirm", open_offer=OFFER, held_position=4))
    assert move(confirmed) == (Move.BOOK, ShowingText.CONFIRMED, (TUESDAY_10AM,))


def test_an_unclear_answer_is_asked_back_and_calls_a_person() -> None:
    outcome = decided(asked("Saturday works", open_offer=OFFER))
    assert move(outcome) == (Move.ASK, ShowingText.WHICH_ONE, OFFER[1:3])
    assert (outcome.outcome, outcome.human_action_required) == ("draft", True)
    question = asked("Saturday works", open_offer=OFFER)
    (judged,) = HeuristicProvider().decide([question])
    options = ComposeOptions(ask_back=SendMode.AUTO_SEND)
    sent = compose(question, judged, SENDS, RULE, TEMPLATE, options)
    assert (sent.outcome, sent.human_action_required) == ("send", False)


@pytest.mark.parametrize(
    "text", ["sure, if you think 6am is normal", "yes but can I bring my cat?", "yeah right"]
)
def test_conditions_and_sarcasm_go_to_a_person(text: str) -> None:
    outcome = decided(asked(text, open_offer=(slot(13, 6),)))
    assert (outcome.outcome, outcome.handshake) == ("escalate", None)


def test_an_own_proposal_gets_the_nearest_free_times() -> None:
    free = tuple(slot(day, hour) for day in (16, 17, 18, 19) for hour in (9, 12, 15, 18))
    question = asked(
        "How about Wednesday at 4pm instead?",
        open_offer=OFFER,
        slots=free[:4],
        free_slots=free,
        asked_at=MONDAY,
    )
    outcome = decided(question)
    assert move(outcome)[:2] == (Move.OFFER, ShowingText.OTHER_TIMES)
    assert {s.starts_at.day for s in outcome.slots_offered} == {18}
    assert slot(18, 15) in outcome.slots_offered


@pytest.mark.parametrize(
    "text", ["Could we do Wednesday at 4pm instead?", "Could we do Wed, Feb 18 at 4:00 PM instead?"]
)
def test_an_own_proposal_that_is_free_is_held_not_booked(text: str) -> None:
    free = tuple(slot(18, hour) for hour in (9, 12, 16))
    question = asked(
        text,
        open_offer=OFFER,
        slots=free,
        free_slots=free,
        asked_at=MONDAY,
    )
    assert move(decided(question)) == (Move.HOLD, ShowingText.HOLD, (slot(18, 16),))


def test_a_time_in_another_zone_is_never_booked() -> None:
    free = (slot(18, 10), slot(18, 18))
    question = asked("10am PST on Wednesday", open_offer=free, slots=free, free_slots=free, asked_at=MONDAY)
    outcome = decided(question)
    assert move(outcome)[0] is Move.OFFER
    assert outcome.slots_offered == free


def test_after_a_refusal_other_times_are_offered() -> None:
    other = slot(18, 12)
    outcome = decided(asked("can't do any of those", open_offer=OFFER, slots=(*OFFER, other)))
    assert move(outcome) == (Move.OFFER, ShowingText.OTHER_TIMES, (other,))


def test_a_slot_that_was_taken_meanwhile_is_answered_with_alternatives() -> None:
    """Behaviour 144: a conflict is no confirmation."""
    question = asked("Saturday at 3 works", open_offer=OFFER)
    (judged,) = HeuristicProvider().decide([question])
    outcome = compose(question, judged, SENDS, RULE, TEMPLATE, ComposeOptions(), taken=SATURDAY_3PM)
    assert move(outcome)[:2] == (Move.OFFER, ShowingText.TAKEN)
    assert SATURDAY_3PM not in outcome.slots_offered
    assert outcome.slots_offered


def test_a_showing_ahead_is_moved_or_cancelled_on_the_leads_word() -> None:
    mine = slot(13, 12)
    arranged = {"showing": mine, "showing_state": "confirmed", "has_recent_outbound": True}
    moved = decided(asked("Tuesday works", open_offer=OFFER, **arranged))
    assert move(moved) == (Move.BOOK, ShowingText.RESCHEDULED, (TUESDAY_10AM,))
    asks = decided(asked("Can we reschedule?", **arranged))
    assert move(asks)[:2] == (Move.OFFER, ShowingText.RESCHEDULE)
    gone = decided(asked("Please cancel the viewing", **arranged))
    assert move(gone) == (Move.CANCEL, ShowingText.CANCELLED, (mine,))


def test_an_accounts_own_template_of_that_name_wins() -> None:
    own = Template(TEMPLATE.id, "showing_confirmed", "Booked, {{ lead_name }}! {{ slot }}", (), True)
    question = asked("Saturday at 3 works", open_offer=OFFER)
    (judged,) = HeuristicProvider().decide([question])
    outcome = compose(question, judged, SENDS, RULE, TEMPLATE, ComposeOptions(), {own.name: own})
    assert outcome.reply_body == f"Booked, Sam! {label(SATURDAY_3PM)}"
    assert outcome.template_id == own.id


def test_a_pick_needs_no_rule_but_a_rule_that_is_off_stops_it() -> None:
    """Fault G-21."""
    question = asked("Saturday at 3 works", open_offer=OFFER, slots=())
    (judged,) = HeuristicProvider().decide([question])
    assert compose(question, judged, SENDS, None, None, ComposeOptions()).outcome == "send"
    off = replace(RULE, enabled=False)
    assert compose(question, judged, SENDS, off, TEMPLATE, ComposeOptions()).reason == "skip_rule_disabled"


def test_a_pick_with_an_open_question_or_a_guardrail_is_a_persons() -> None:
    for text in (
        "Saturday at 3 works. Can I bring my dog?",
        "Saturday at 3 works or my lawyer will call you",
    ):
        outcome = decided(asked(text, open_offer=OFFER))
        assert (outcome.outcome, outcome.handshake) == ("escalate", None), text


def test_the_built_in_texts_use_known_placeholders_and_pass_the_guardrails() -> None:
    known = {"lead_name", "unit", "unit_number", "slot", "slot_options_list", "slot_options_inline"}
    assert set(SHOWING_TEMPLATES) == set(ShowingText)
    for body in SHOWING_TEMPLATES.values():
        assert set(placeholders(body)) <= known
        assert check_outbound(body) == ()


def test_nothing_is_decided_from_the_verdict_type_alone() -> None:
    assert (
        composed(asked("hello"), Verdict(**{**_fields(CONFIRMED), "nothing_to_answer": True})).handshake
        is None
    )


def _fields(judged: Verdict) -> dict[str, object]:
    return {name: getattr(judged, name) for name in judged.__slots__}
