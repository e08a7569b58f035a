"""How leads say which slot they mean: a person's reading of many ways to say it, and what must hold for all of them."""

from __future__ import annotations

import itertools
import re
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.handshake import Answer, read_answer
from leasebot_pipeline.domain.slots import label
from tests.unit.domain.handshake_answers import CHOSEN, WEEKEND
from tests.unit.domain.handshake_cases import WRITTEN, Offer, slot
from tests.unit.domain.handshake_refusals import REFUSED

PICKS: Final = [(text, offer, index) for offer, index, texts in CHOSEN for text in texts]


def read(text: str, offer: Offer) -> Answer:
    return read_answer([text], offer, WRITTEN)


def test_the_slot_a_person_would_read_is_picked() -> None:
    answers = [(text, index, read(text, offer)) for text, offer, index in PICKS]
    assert [(text, answer) for text, index, answer in answers if answer.index != index] == []


def test_what_a_person_would_not_be_sure_of_picks_nothing() -> None:
    answers = [(text, kind, read(text, offer)) for offer, kind, texts in REFUSED for text in texts]
    picked = [(text, answer) for text, _kind, answer in answers if answer.is_pick]
    assert picked == []
    assert [(text, answer) for text, kind, answer in answers if answer.kind is not kind] == []


_BY_PLACE: Final = re.compile(
    r"first|second|third|fourth|fifth|last|final|middle|top|bottom|option|number|slot|choice|other|one|two|three|#|^\d(?: works)?$|\bn[or]\b|choose|\d(?:st|nd|rd|th)",
    re.IGNORECASE,
)
_BY_TIME: Final = [pick for pick in PICKS if not _BY_PLACE.search(pick[0])]


def test_the_order_of_the_list_never_changes_which_time_is_picked() -> None:
    for text, offer, index in _BY_TIME:
        for shuffled in itertools.permutations(offer):
            picked = read(text, shuffled).index
            assert picked is None or shuffled[picked - 1] == offer[index - 1], text


@pytest.mark.parametrize(
    "doubt",
    [
        "But I have to check with my boss first.",
        "Not a hundred percent sure yet.",
        "I'll let you know for certain tonight.",
        "Don't book it yet though.",
        "If I can find a sitter.",
        "Probably.",
        "To be confirmed.",
    ],
)
def test_doubt_after_a_pick_leaves_none(doubt: str) -> None:
    for text, offer, _index in PICKS:
        answer = read(f"{text.rstrip('.?! ')}. {doubt}", offer)
        assert answer.index is None, (text, answer)


_OFFERS: Final = st.lists(
    st.tuples(st.integers(24, 30), st.integers(8, 19), st.sampled_from([0, 30])),
    min_size=1,
    max_size=5,
    unique=True,
).map(lambda times: tuple(slot(*time) for time in times))


@given(
    _OFFERS,
    st.data(),
    st.sampled_from(
        [
            "Probably {}",
            "Most likely {}",
            "{}, most likely",
            "{} should work",
            "Hopefully {}",
            "I'll try to make {}",
            "{} for now",
            "I think I can do {}",
            "pretty sure I can do {}",
            "tentatively {}",
            "{}, pending my shifts",
            "{} unless my boss says no",
            "{} if I get out of work in time",
            "{}, weather permitting",
            "{}, need to run it by my sister",
            "{} when my boss confirms",
            "Let me see what my partner says about {}",
            "maybe {}",
            "might be able to do {}",
        ]
    ),
)
def test_a_hedge_never_leaves_a_pick(offer: Offer, data: st.DataObject, hedge: str) -> None:
    named = label(offer[data.draw(st.integers(1, len(offer))) - 1]).split(" - ")[0]
    answer = read(hedge.format(named), offer)
    assert answer.index is None, (hedge, answer)


@given(_OFFERS.filter(lambda offer: len(offer) > 1), st.data())
def test_two_that_are_acceptable_are_no_choice(offer: Offer, data: st.DataObject) -> None:
    first, second = data.draw(st.permutations(offer))[:2]
    one, two = (label(each).split(" - ")[0] for each in (first, second))
    for text in (
        f"{one} or {two}",
        f"{one}, or else {two}",
        f"either {one} or {two} works",
        f"{one}. Otherwise {two}.",
    ):
        assert read(text, offer).index is None, text
    for text in (f"{one}, not {two}", f"not {two}, {one} please"):
        assert read(text, offer).index == offer.index(first) + 1, text


@pytest.mark.parametrize(
    ("text", "who"),
    [
        (
            "Saturday at 1 with my {}",
            ("husband", "carer", "imam", "pastor", "two kids", "guide dog", "newborn"),
        ),
        ("Saturday at 1. My {} will be with me.", ("wife", "boyfriend", "social worker", "rabbi", "nurse")),
        ("Saturday at 1, I come straight from {}", ("church", "the mosque", "dialysis", "the gym", "pride")),
        (
            "I have {} on Thursday, so Saturday please",
            ("Bible study", "Quran class", "chemo", "choir", "therapy"),
        ),
        ("I'm at {} until 4 on Thursday, so Saturday", ("temple", "the job centre", "the food bank", "work")),
    ],
)
def test_who_comes_along_and_what_else_a_lead_does_never_change_the_pick(
    text: str, who: tuple[str, ...]
) -> None:
    answers = [read(text.format(each), WEEKEND) for each in who]
    assert {(answer.index, answer.firm) for answer in answers} == {(3, True)}
