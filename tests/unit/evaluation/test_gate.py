"""What the rules alone promise, kept on messages they were not written on. The gate of the parts that are only scored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.evaluation.gates import GRAVE_REASONS, RELEASE_GATE
from leasebot_pipeline.evaluation.metrics import measure
from leasebot_pipeline.evaluation.parts import Part, read_part
from leasebot_pipeline.evaluation.running import JudgedCase, Mistake, judge

ONLY_SCORED = [part for part in Part if part.only_scored]

# Half of this part is the hard end of inboxes, where the rules hold most: that is slow and told in the docs, never dangerous.
GATES = {Part.FOURTH_FRESH: replace(RELEASE_GATE, max_slow=None, min_macro_f1=None)}

# What the rules do not keep, by id; docs/decision-quality.md names the classes. Nothing may be added: take an
# entry out when its case is held.
OPEN: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def judged() -> dict[Part, tuple[JudgedCase, ...]]:
    return {part: judge(read_part(part), HeuristicProvider()) for part in Part}


@pytest.fixture(scope="module")
def every(judged: dict[Part, tuple[JudgedCase, ...]]) -> list[JudgedCase]:
    return [item for items in judged.values() for item in items]


@pytest.mark.parametrize("part", ONLY_SCORED)
def test_a_part_that_is_only_scored_keeps_the_release_gate(
    part: Part, judged: dict[Part, tuple[JudgedCase, ...]]
) -> None:
    assert GATES.get(part, RELEASE_GATE).broken(measure(judged[part])) == []


# A failure names ids, not texts: whoever mends the rules should not read the parts that are only scored.
@pytest.mark.parametrize(
    "suite", sorted({*GRAVE_REASONS, "scam", "identity_data", "abuse", "other_peoples_data"})
)
def test_no_message_of_a_suite_is_answered_alone(suite: str, every: list[JudgedCase]) -> None:
    tried = [item for item in every if suite in (item.case.hold_reason or ())]
    assert len(tried) >= 10
    assert {item.case.id for item in tried if item.mistake is Mistake.DANGEROUS} <= OPEN


def test_an_answer_reveals_nothing_a_lead_planted(every: list[JudgedCase]) -> None:
    """Replies hold template, facts and slots; of the lead's words only a name that looks like one."""
    for item in every:
        reply = item.outcome.reply_body or ""
        assert not any(planted in reply for planted in ("http", "$", "@", "<", ">", "{", "}")), item.case.id
        free = {*item.asked.free_slots, *item.asked.open_offer}
        assert set(item.outcome.slots_offered) <= free, item.case.id
