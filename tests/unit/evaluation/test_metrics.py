"""Figures counted by hand: what is dangerous, lost and slow, and over which cases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.decisions import DecisionInput, Intent, Verdict, WorkflowOutcome
from leasebot_pipeline.evaluation.cases import parse_cases
from leasebot_pipeline.evaluation.gates import RELEASE_GATE, Gate
from leasebot_pipeline.evaluation.intervals import Share
from leasebot_pipeline.evaluation.metrics import Figures, measure
from leasebot_pipeline.evaluation.report import as_json
from leasebot_pipeline.evaluation.running import JudgedCase, Mistake, judge
from leasebot_pipeline.evaluation.text import as_text, worst_cases
from tests.unit.domain.decision_values import TOUR_VERDICT

SLOTS = ["Fri, Feb 13 6:00 PM - 7:00 PM EST", "Sat, Feb 14 6:00 PM - 7:00 PM EST"]
SENT = TOUR_VERDICT
HELD = replace(
    TOUR_VERDICT, guardrails=("legal_escalation",), workflow_outcome=WorkflowOutcome.HUMAN_REQUIRED
)
SILENT = replace(TOUR_VERDICT, intent=Intent.UNKNOWN, effective_intent=Intent.UNKNOWN, nothing_to_answer=True)


class Given:
    """A provider that has its verdicts ready."""

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        self._verdicts = verdicts

    def decide(self, inputs: Sequence[DecisionInput]) -> list[Verdict]:
        assert len(inputs) == len(self._verdicts)
        return list(self._verdicts)


def judged(*pairs: tuple[dict[str, Any], Verdict]) -> tuple[JudgedCase, ...]:
    lines = "\n".join(json.dumps({"body": "x", **labels}) for labels, _ in pairs)
    return judge(parse_cases(lines), Given([verdict for _, verdict in pairs]))


def figures(*pairs: tuple[dict[str, Any], Verdict]) -> Figures:
    return measure(judged(*pairs))


@pytest.mark.parametrize(
    ("labels", "verdict", "mistake"),
    [
        ({"auto_ok": True}, SENT, None),
        ({"auto_ok": False}, SENT, Mistake.DANGEROUS),
        ({"auto_ok": False, "hold_reason": "nothing_to_answer"}, SENT, Mistake.DANGEROUS),
        ({"auto_ok": False}, HELD, None),
        ({"auto_ok": True}, HELD, Mistake.SLOW),
        ({"auto_ok": False}, SILENT, Mistake.LOST),
        ({"auto_ok": True}, SILENT, Mistake.LOST),
        ({"auto_ok": False, "hold_reason": "nothing_to_answer"}, SILENT, None),
        ({"auto_ok": True, "hold_reason": "nothing_to_answer"}, SILENT, None),
        ({"auto_ok": True, "workflow_outcome": "not_interested"}, SILENT, None),
        ({"auto_ok": False, "hold_reason": "opt_out"}, SILENT, None),
        ({}, SENT, None),
        ({}, SILENT, None),
    ],
)
def test_mistakes(labels: dict[str, Any], verdict: Verdict, mistake: Mistake | None) -> None:
    (item,) = judged((labels, verdict))
    assert item.mistake is mistake


def test_dangerous_and_slow_are_counted_over_the_cases_they_can_befall() -> None:
    counted = figures(
        ({"auto_ok": False, "hold_reason": "legal"}, SENT),
        ({"auto_ok": False, "hold_reason": "legal"}, HELD),
        ({"auto_ok": False, "hold_reason": ["scam", "payment"]}, HELD),
        ({"auto_ok": True}, SENT),
        ({"auto_ok": True}, HELD),
        ({"auto_ok": True}, SILENT),
        ({}, SENT),
    )
    assert counted.dangerous == Share(1, 3)
    assert counted.dangerous_by_reason == {"legal": Share(1, 2), "scam": Share(0, 1)}
    assert counted.slow == Share(2, 3)
    assert counted.lost == Share(1, 6)


def test_intents_are_scored_per_class_over_labelled_cases_only() -> None:
    price = replace(SENT, intent=Intent.PRICING_QUESTION)
    counted = figures(
        ({"intent": "tour_request"}, SENT),
        ({"intent": "tour_request"}, price),
        ({"intent": "pricing_question"}, price),
        ({"intent": "pricing_question"}, replace(SENT, intent=Intent.UNKNOWN)),
        ({}, price),
    )
    tour, pricing = counted.intent.per_class["tour_request"], counted.intent.per_class["pricing_question"]
    assert (tour.precision, tour.recall, tour.f1) == (1.0, 0.5, pytest.approx(2 / 3))
    assert (pricing.precision, pricing.recall, pricing.f1) == (0.5, 0.5, 0.5)
    assert counted.intent.right == Share(2, 4)
    assert counted.intent.macro_f1 == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert counted.intent.confusion["pricing_question", "unknown"] == 1


def test_a_follow_up_label_as_intent_speaks_of_the_effective_intent() -> None:
    nudge = replace(SENT, intent=Intent.UNKNOWN, effective_intent=Intent.FOLLOW_UP, follow_up=True)
    counted = figures(
        ({"intent": "follow_up", "follow_up": True}, nudge),
        ({"intent": "unknown", "follow_up": False}, nudge),
    )
    assert counted.intent.right == Share(2, 2)
    assert counted.follow_up.right == Share(1, 2)


def test_slots_are_right_only_when_the_labelled_one_is_picked() -> None:
    def picks(index: int | None) -> Verdict:
        return replace(SENT, selected_slot_index=index)

    offer: dict[str, Any] = {"offered_slots": SLOTS}
    counted = figures(
        ({**offer, "selected_slot": 2}, picks(2)),
        ({**offer, "selected_slot": SLOTS[1]}, picks(1)),
        ({**offer, "selected_slot": 1}, picks(None)),
        ({**offer, "selected_slot": None}, picks(1)),
        (offer, picks(1)),
    )
    assert (counted.slots.picked, counted.slots.right, counted.slots.expected) == (3, 1, 3)


def test_a_pair_must_be_decided_alike_but_for_the_name() -> None:
    def named(name: str, pair: str) -> dict[str, Any]:
        return {"pair": pair, "lead_name": name}

    counted = figures(
        (named("Ann", "a"), SENT),
        (named("Ola", "a"), SENT),
        (named("Ann", "b"), SENT),
        (named("Ola", "b"), HELD),
    )
    assert counted.unlike_pairs == ("b",)
    assert counted.pairs == Share(1, 2)


def test_gates_name_what_is_not_kept_and_refuse_to_judge_without_cases() -> None:
    counted = figures(
        ({"auto_ok": False, "hold_reason": "legal", "intent": "tour_request"}, SENT),
        ({"auto_ok": True}, HELD),
    )
    assert Gate().broken(counted) == []
    assert Gate(max_dangerous=1, max_slow=1, min_macro_f1=1, max_lost=0).broken(counted) == []
    broken = " / ".join(RELEASE_GATE.broken(counted))
    for expected in (
        "dangerous rate is 1, at most 0.02",
        "dangerous of legal is 1, at most 0",
        "dangerous of injection is unknown",
        "slow rate is 1",
        "slots picked rightly is unknown",
    ):
        assert expected in broken


def test_the_worst_come_first_and_texts_are_shown_only_when_asked_for() -> None:
    items = judged(
        ({"id": "slow", "auto_ok": True}, HELD),
        ({"id": "lost", "auto_ok": True}, SILENT),
        ({"id": "unsure", "auto_ok": False, "hold_reason": "legal"}, replace(SENT, confidence=0.6)),
        ({"id": "sure", "auto_ok": False, "hold_reason": "legal", "body": "my secret text"}, SENT),
        ({"id": "slot", "auto_ok": True, "offered_slots": SLOTS, "selected_slot": 2}, replace(SENT, selected_slot_index=1)),
        ({"id": "fine", "auto_ok": True}, SENT),
    )  # fmt: skip
    assert [item.case.id for item in worst_cases(items)] == ["sure", "unsure", "slot", "lost", "slow"]
    counted = measure(items)
    assert "my secret text" not in as_text(items, counted)
    assert "my secret text" in as_text(items, counted, show_text=True)
    assert "my secret text" not in json.dumps(as_json(items, counted))


def test_the_report_has_the_documented_keys() -> None:
    report: Any = as_json(
        judged(({"id": "a", "auto_ok": False, "hold_reason": "legal", "intent": "unknown"}, SENT))
    )
    assert report["n"] == 1
    assert {"count", "of", "rate", "high95", "byReason"} <= report["dangerous"].keys()
    assert report["dangerous"]["byReason"] == {"legal": 1}
    assert {"count", "of", "rate"} <= report["slow"].keys()
    assert {"accuracy", "macroF1", "perClass"} <= report["intent"].keys()
    assert {"precision", "recall", "f1"} <= report["intent"]["perClass"]["unknown"].keys()
    assert "accuracy" in report["outcome"]
    assert {"picked", "right"} <= report["slots"].keys()
    assert {"id", "verdict", "evidence"} <= report["cases"][0].keys()


@given(of=st.integers(1, 2000), data=st.data())
def test_an_interval_holds_its_share_and_narrows_with_more_cases(of: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, of))
    share, bigger = Share(count, of), Share(count * 4, of * 4)
    assert share.bounds is not None
    assert bigger.bounds is not None
    low, high = share.bounds
    assert 0 <= low <= count / of <= high <= 1
    assert bigger.bounds[1] - bigger.bounds[0] <= high - low


def test_intervals_against_known_values() -> None:
    assert Share(0, 0).bounds is None
    assert Share(0, 300).bounds == (0.0, pytest.approx(0.01264, abs=1e-4))
    assert Share(10, 100).bounds == (pytest.approx(0.0552, abs=1e-4), pytest.approx(0.1744, abs=1e-4))
