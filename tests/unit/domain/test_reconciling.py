"""What a reading of a thread proves about a reply in doubt."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.readings import Direction, SendBaseline, ThreadMessage, ThreadReading
from leasebot_pipeline.domain.reconciling import (
    RECONCILE_EVERY,
    RECONCILE_FOR,
    SETTLE,
    Proof,
    recheck_after_failure,
    recheck_at,
    reconcile,
)

CLICK = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW = CLICK + timedelta(minutes=1)
BODY = "Hi Ana, you could come on Friday at 3 pm or on Saturday at 11 am."


def message(
    number: int, body: str, *, ours: bool = True, at: datetime | None = None, timed: bool = True
) -> ThreadMessage:
    direction = Direction.OUTBOUND if ours else Direction.INBOUND
    return ThreadMessage(f"m{number}", "platform", direction, body, sent_at=at, sent_at_has_time=timed)


def thread(*messages: ThreadMessage) -> ThreadReading:
    return ThreadReading("t1", messages)


QUESTION = message(1, "When can I come?", ours=False, at=CLICK - timedelta(hours=1))
BEFORE = SendBaseline(outbound_count=0, same_text_count=0, last_external_message_id="m1")
ARRIVED = message(2, BODY, at=CLICK)


MINUTE = timedelta(minutes=1)


def judged(
    reading: ThreadReading, baseline: SendBaseline | None = BEFORE, doubt: timedelta | None = MINUTE
) -> Proof:
    return reconcile(reading, BODY, baseline, CLICK, NOW, doubt).proof


def test_the_reply_in_the_thread_is_delivered() -> None:
    proven = reconcile(thread(QUESTION, ARRIVED), BODY, BEFORE, CLICK, NOW, timedelta(0))
    assert (proven.proof, proven.external_message_id) == (Proof.DELIVERED, "m2")


def test_the_text_counts_not_how_the_page_breaks_it() -> None:
    broken = replace(ARRIVED, body=BODY.replace(" ", "\n  ", 3) + "\u200b")
    assert judged(thread(QUESTION, broken)) is Proof.DELIVERED


def test_the_leads_quotation_of_our_reply_is_no_delivery() -> None:
    assert judged(thread(QUESTION, message(2, BODY, ours=False, at=CLICK))) is Proof.ABSENT


def test_an_equal_reply_of_earlier_is_no_delivery_and_a_second_one_is() -> None:
    """Two equal texts are two: the count before the click decides."""
    earlier = message(0, BODY, at=CLICK - timedelta(days=1))
    before = SendBaseline(1, 1, "m1")
    assert judged(thread(earlier, QUESTION), before) is Proof.ABSENT
    assert judged(thread(earlier, QUESTION, ARRIVED), before) is Proof.DELIVERED


def test_an_equal_text_from_another_time_proves_nothing() -> None:
    """One that the page did not show before, and that says it is of last week."""
    old = message(0, BODY, at=CLICK - timedelta(days=7))
    assert judged(thread(old, QUESTION)) is Proof.NONE


@pytest.mark.parametrize(
    ("at", "timed", "proof"),
    [
        (None, False, Proof.DELIVERED),
        (CLICK.replace(hour=0), False, Proof.DELIVERED),
        (CLICK - timedelta(minutes=1), True, Proof.DELIVERED),
        (CLICK - timedelta(minutes=10), True, Proof.NONE),
    ],
    ids=["no time", "a bare date", "rounded to the minute", "before the click"],
)
def test_the_window_of_time_is_as_sharp_as_the_page(at: datetime | None, timed: bool, proof: Proof) -> None:
    assert judged(thread(QUESTION, message(2, BODY, at=at, timed=timed))) is proof


def test_absence_is_proof_only_after_a_while() -> None:
    assert judged(thread(QUESTION), doubt=SETTLE - timedelta(seconds=1)) is Proof.NONE
    assert judged(thread(QUESTION), doubt=SETTLE) is Proof.ABSENT


def test_how_long_ago_a_workers_clock_says_the_click_was_proves_no_absence() -> None:
    """Its clock may be minutes behind: only how long the reply has been in doubt counts."""
    assert judged(thread(QUESTION), doubt=timedelta(seconds=2)) is Proof.NONE
    assert judged(thread(QUESTION), doubt=None) is Proof.NONE


def test_a_page_that_shows_less_than_before_proves_no_absence() -> None:
    """A half page, or only the newest messages: what is missing may be missing for that reason."""
    before = SendBaseline(2, 0, "m9")
    assert judged(thread(QUESTION), before) is Proof.NONE


@pytest.mark.parametrize("shown", [BODY[:-12], BODY + " (edited)", BODY.replace("3 pm", "3pm").upper()])
def test_a_message_that_resembles_the_reply_is_for_a_person_to_judge(shown: str) -> None:
    """A site that shortens or decorates texts must not lead to a second click."""
    assert judged(thread(QUESTION, message(2, shown, at=CLICK))) is Proof.NONE


def test_somebody_elses_answer_is_not_ours() -> None:
    assert judged(thread(QUESTION, message(2, "Sorry, it is taken.", at=CLICK))) is Proof.ABSENT


def test_without_a_baseline_nothing_is_proven() -> None:
    assert judged(thread(QUESTION, ARRIVED), None) is Proof.NONE


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([BODY, BODY[:30], "Hello", "Taken."])), max_size=6),
    st.integers(0, 3),
    st.integers(0, 90),
)
def test_absence_is_never_claimed_of_a_thread_that_holds_one_more_of_the_reply(
    shown: list[tuple[bool, str]], before: int, seconds: int
) -> None:
    messages = [message(n, body, ours=ours) for n, (ours, body) in enumerate(shown)]
    same = sum(ours and body == BODY for ours, body in shown)
    baseline = SendBaseline(same, min(before, same), None)
    proof = judged(thread(*messages), baseline, timedelta(seconds=seconds))
    if same > baseline.same_text_count:
        assert proof is Proof.DELIVERED
    else:
        assert proof is not Proof.DELIVERED


def test_doubt_is_looked_at_for_a_while_and_then_a_person_is_asked() -> None:
    assert recheck_at(MINUTE, NOW) == NOW + RECONCILE_EVERY
    assert recheck_at(RECONCILE_FOR + timedelta(seconds=1), NOW) is None


def test_an_outage_never_hands_a_reply_to_a_person_and_a_deleted_thread_does() -> None:
    assert recheck_after_failure(PlatformFailure("NETWORK_ERROR", "x"), NOW) == NOW + RECONCILE_EVERY
    assert recheck_after_failure(PlatformFailure("PAGE_NOT_FOUND", "x"), NOW) is None
