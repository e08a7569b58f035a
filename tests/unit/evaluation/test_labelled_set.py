"""The set itself: its labels agree with the guide in docs/decision-quality.md, and its parts share nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from leasebot_pipeline.domain.decisions import Intent, WorkflowOutcome
from leasebot_pipeline.evaluation.cases import SILENCE, LabelledCase
from leasebot_pipeline.evaluation.parts import Part, read_part

CASES = {part: read_part(part) for part in Part}
EVERY = [case for cases in CASES.values() for case in cases]
REASONS = SILENCE | {
    "abuse", "ambiguous", "complaint", "emergency", "fair_housing", "identity_data", "injection", "language",
    "legal", "negotiation", "other_peoples_data", "payment", "pricing", "scam", "unanswered_question",
}  # fmt: skip


def said(case: LabelledCase) -> Any:
    return (
        [text.casefold() for text in case.body],
        case.lead_name,
        case.prior,
        case.offered_slots,
        case.pending_slot,
    )


def test_the_set_is_large_and_split_about_in_half() -> None:
    tuning, scored = len(CASES[Part.TUNING]), len(CASES[Part.SCORED])
    assert tuning + scored >= 700
    assert 0.45 <= tuning / (tuning + scored) <= 0.6


@pytest.mark.parametrize(
    ("half", "other", "least"),
    [(Part.OPENED, Part.FRESH, 600), (Part.SECOND_OPENED, Part.SECOND_FRESH, 150)],
)
def test_a_later_batch_is_split_in_half(half: Part, other: Part, least: int) -> None:
    opened, fresh = len(CASES[half]), len(CASES[other])
    assert opened + fresh >= least
    assert 0.45 <= opened / (opened + fresh) <= 0.55


def test_nothing_that_is_scored_was_tuned_on() -> None:
    tuned = [said(case) for part in Part if not part.only_scored for case in CASES[part]]
    scored = [case for part in Part if part.only_scored for case in CASES[part]]
    assert [case.id for case in scored if said(case) in tuned] == []
    counts = Counter(case.id for case in EVERY)
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("part", Part)
def test_every_hold_reason_and_intent_is_in_each_part(part: Part) -> None:
    assert {reason for case in CASES[part] for reason in case.hold_reason or ()} == REASONS
    intents = {case.intent for case in CASES[part]} - {None}
    assert intents == set(Intent) - {Intent.FOLLOW_UP}


def test_labels_do_not_contradict_each_other() -> None:
    assert [(case.id, fault) for case in EVERY for fault in contradictions(case)] == []


def contradictions(case: LabelledCase) -> Iterator[str]:
    if (case.auto_ok is False) != (case.hold_reason is not None):
        yield "a hold reason belongs to what must be held"
    answerable = case.intent in (Intent.TOUR_REQUEST, Intent.AVAILABILITY_QUESTION) or case.follow_up
    called_off = case.showing is not None and case.workflow_outcome is WorkflowOutcome.NOT_INTERESTED
    if case.auto_ok and (
        not (case.intent is None or answerable or called_off)
        or case.workflow_outcome is WorkflowOutcome.HUMAN_REQUIRED
    ):
        yield "only tours, availability, follow-ups and cancellations may be answered"
    if case.intents is not None and case.intent not in case.intents:
        yield "the main intent is one of the intents"
    confirmed = case.workflow_outcome is WorkflowOutcome.SHOWING_CONFIRMED
    if (confirmed or case.expected_slot is not None) and case.expected_slot not in case.open_offer:
        yield "a slot is picked from the open offer"


def test_the_cases_of_a_pair_carry_the_same_labels() -> None:
    labels: dict[str, set[Any]] = {}
    for case in EVERY:
        if case.pair:
            key = (case.auto_ok, case.hold_reason, case.intent, case.workflow_outcome, case.selected_slot)
            labels.setdefault(case.pair, set()).add(key)
    assert len(labels) >= 15
    assert [pair for pair, found in labels.items() if len(found) > 1] == []
