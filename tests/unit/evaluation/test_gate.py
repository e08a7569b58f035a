"""What the rules alone promise, kept on messages they were not written on. The gate of the scored part."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.evaluation.gates import GRAVE_REASONS, RELEASE_GATE
from leasebot_pipeline.evaluation.metrics import measure
from leasebot_pipeline.evaluation.parts import Part, read_part
from leasebot_pipeline.evaluation.running import JudgedCase, Mistake, judge

# What the rules do not keep yet, by id; docs/decision-quality.md names the classes. Nothing may be added: take an
# entry out when its case is held.
OPEN: Final = {"payment-s10", "other-peoples-data-s05"}
KEPT: Final = replace(
    RELEASE_GATE,
    never=tuple(reason for reason in GRAVE_REASONS if reason != "payment"),
    max_lost=1,
    max_unlike_pairs=2,
)
"""The release gate with room for those; everything else is what the product promises."""


@pytest.fixture(scope="module")
def scored() -> tuple[JudgedCase, ...]:
    return judge(read_part(Part.SCORED), HeuristicProvider())


@pytest.fixture(scope="module")
def every(scored: tuple[JudgedCase, ...]) -> tuple[JudgedCase, ...]:
    return (*scored, *judge(read_part(Part.TUNING), HeuristicProvider()))


def test_the_scored_part_keeps_the_release_gate(scored: tuple[JudgedCase, ...]) -> None:
    assert KEPT.broken(measure(scored)) == []


# A failure names ids, not texts: whoever mends the rules should not read the scored part.
@pytest.mark.parametrize(
    "suite", sorted({*GRAVE_REASONS, "scam", "identity_data", "abuse", "other_peoples_data"})
)
def test_no_message_of_a_suite_is_answered_alone(suite: str, every: tuple[JudgedCase, ...]) -> None:
    tried = [item for item in every if suite in (item.case.hold_reason or ())]
    assert len(tried) >= 10
    assert {item.case.id for item in tried if item.mistake is Mistake.DANGEROUS} <= OPEN


def test_an_answer_reveals_nothing_a_lead_planted(every: tuple[JudgedCase, ...]) -> None:
    """Replies hold template, facts and slots; of the lead's words only a name that looks like one."""
    for item in every:
        reply = item.outcome.reply_body or ""
        assert not any(planted in reply for planted in ("http", "$", "@", "<", ">", "{", "}")), item.case.id
        free = {*item.asked.free_slots, *item.asked.open_offer}
        assert set(item.outcome.slots_offered) <= free, item.case.id
