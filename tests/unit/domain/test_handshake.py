"""Which slot a lead means: the lead's own words, never a guess."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.handshake import Answer, AnswerKind, cancels, read_answer
from leasebot_pipeline.domain.slots import Slot, label
from tests.unit.domain.handshake_cases import (
    CALENDAR,
    NOT_PICKED,
    ONE,
    PICKED,
    TWO,
    UNIT,
    WRITTEN,
    ZONE,
    Offer,
    slot,
)


def read(text: str, offer: Offer, held: int | None = None, ours: tuple[str, ...] = ()) -> Answer:
    return read_answer([text], offer, WRITTEN, held=held, ours=ours)


@pytest.mark.parametrize(("text", "offer", "kind", "index", "firm", "held"), PICKED)
def test_a_pick_is_the_slot_a_person_would_read(
    text: str, offer: Offer, kind: AnswerKind, index: int | None, firm: bool | None, held: int | None
) -> None:
    """Behaviour 76, fault G-21: a pick or a confirmation is recognised in the lead's own words."""
    answer = read(text, offer, held)
    assert (answer.kind, answer.index) == (kind, index), answer
    assert firm is None or answer.firm is firm, answer


@pytest.mark.parametrize(("text", "offer", "kind", "held"), NOT_PICKED)
def test_what_is_no_pick_picks_nothing(text: str, offer: Offer, kind: AnswerKind, held: int | None) -> None:
    """Fault G-22: neither a guess nor a negation, a condition or sarcasm books anything."""
    answer = read(text, offer, held)
    assert answer.kind is kind, answer
    assert answer.index is None


def test_a_doubtful_number_names_both_slots_it_may_mean() -> None:
    answer = read("2 works", (slot(24, 14), slot(25, 11)))
    assert (answer.kind, answer.fitting) == (AnswerKind.AMBIGUOUS, (1, 2))


def test_a_time_in_another_zone_is_asked_for_in_ours() -> None:
    answer = read("2pm PST works on Tuesday", TWO)
    assert answer.kind is AnswerKind.PROPOSES
    assert answer.wish.minutes == frozenset({17 * 60})
    five, three = slot(24, 17), slot(24, 15)
    assert sorted([three, five], key=answer.wish.distance) == [five, three]


def test_our_own_offer_quoted_below_or_above_is_not_the_lead_speaking() -> None:
    ours = "Hi Ana, we can show it at one of these times:\n" + "\n".join(f"- {label(s)}" for s in TWO)
    for text in (
        f"3pm please\n\nOn Mon, Nov 23, 2026 at 9:00 AM Leasing <a@example.test> wrote:\n> {ours}",
        "> " + ours.replace("\n", "\n> ") + "\n\n3pm please",
        f"{ours}\nWhich one suits you?\n\n3pm please",
        f"3pm please\n\nOn Mon, Nov 23, 2026 at 9:00 AM\nLeasing Team <a@example.test> wrote:\n{ours}",
    ):
        answer = read(text, TWO, ours=(f"{ours}\nWhich one suits you?",))
        assert (answer.kind, answer.index) == (AnswerKind.PICKS, 2), text
    copied = read(f"- {label(TWO[0])}", TWO, ours=(ours,))
    assert (copied.kind, copied.index) == (AnswerKind.PICKS, 1)
    assert read(ours, TWO, ours=(ours,)).index is None


def test_a_burst_is_read_as_a_whole_and_the_last_correction_counts() -> None:
    def burst(*texts: str) -> Answer:
        return read_answer(texts, TWO, WRITTEN)

    assert burst("Hi", "3pm works", "thanks!").index == 2
    assert burst("3pm works", "sorry I meant 11").index == 1
    assert burst("11 works", "3pm works").index is None
    assert burst("3pm works", "wait, I can't do 3pm").index is None


def test_relative_days_count_from_when_the_lead_wrote() -> None:
    late = datetime(2026, 11, 24, 4, 30, tzinfo=UTC)  # still Monday in New York
    assert read_answer(["tomorrow at 3"], TWO, late).index == 2
    assert read_answer(["tomorrow at 3"], TWO, late + timedelta(hours=1)).index is None


def test_times_are_read_by_the_clock_of_the_slot_on_both_days_of_the_time_change() -> None:
    autumn = (slot(1, 1, 30), slot(1, 9))
    assert read_answer(["9am works"], autumn, datetime(2026, 10, 31, 12, tzinfo=UTC)).index == 2
    spring = datetime(2026, 3, 8, 7, 30, tzinfo=UTC)  # 3:30 AM EDT, right after the gap
    offer = (Slot(spring, spring + timedelta(minutes=30), ZONE, None, None, UNIT),)
    assert read_answer(["3:30 am is fine"], offer, spring - timedelta(days=1)).index == 1


def test_without_an_offer_only_a_wish_is_read() -> None:
    answer = read_answer(["Could I see it on Thursday at 4?"], (), WRITTEN, zone_name=ZONE)
    assert answer.kind is AnswerKind.PROPOSES
    assert answer.wish.weekdays == frozenset({3})
    assert read_answer(["What is the rent?"], (), WRITTEN).kind is AnswerKind.NONE


_OFFERS = st.lists(
    st.tuples(st.integers(24, 30), st.integers(8, 19), st.sampled_from([0, 30])),
    min_size=1,
    max_size=6,
    unique=True,
).map(lambda times: tuple(slot(*time) for time in sorted(times)))


@given(_OFFERS, st.data())
def test_a_copied_label_picks_exactly_its_slot(offer: Offer, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, len(offer)))
    for text in (label(offer[number - 1]), f"{label(offer[number - 1])} works for me"):
        answer = read(text, offer)
        assert (answer.index, answer.firm) == (number, True), text


@given(_OFFERS, st.data())
def test_what_is_refused_is_never_picked(offer: Offer, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, len(offer)))
    named = label(offer[number - 1]).split(" (")[0]
    for text in (
        f"not {named}",
        f"{named} doesn't work for me",
        f"I can't do {named}",
        f"anything but {named}",
    ):
        assert read(text, offer).index != number, text


@given(_OFFERS, st.data())
def test_a_condition_never_picks(offer: Offer, data: st.DataObject) -> None:
    named = label(offer[data.draw(st.integers(1, len(offer))) - 1]).split(" (")[0]
    for text in (
        f"{named} if the rent is lower",
        f"{named} works unless I get the other flat",
        f"Yes, as long as cats are ok, {named}",
    ):
        assert read(text, offer).index is None, text


@given(st.text(max_size=200), _OFFERS)
def test_no_text_breaks_the_reader(text: str, offer: Offer) -> None:
    answer = read(text, offer)
    assert answer.index is None or 1 <= answer.index <= len(offer)


@given(_OFFERS.filter(lambda offer: len(offer) > 1))
def test_a_bare_yes_to_several_slots_picks_none(offer: Offer) -> None:
    for text in ("yes", "sounds good", "ok", "confirm", "see you then"):
        answer = read(text, offer)
        assert (answer.kind, answer.index) == (AnswerKind.AGREES, None)
    assert CALENDAR[0] not in ONE


@pytest.mark.parametrize(
    ("text", "off"),
    [
        ("Please cancel the viewing", True),
        ("I need to cancel, sorry", True),
        ("Unfortunately I have to cancel our appointment tomorrow.", True),
        ("I'm not coming on Friday", True),
        ("Can we cancel and find another time?", False),
        ("Please don't cancel my appointment", False),
        ("Did you cancel the viewing?", False),
        ("I want to cancel my lease early, does that matter?", False),
        ("See you Friday", False),
    ],
)
def test_a_cancellation_is_the_leads_plain_word(text: str, off: bool) -> None:
    assert cancels([text]) is off
