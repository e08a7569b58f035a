"""Message identity and the inbox change signal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.identity import (
    Unidentified,
    inbox_row_fingerprint,
    message_identities,
    normalise_text,
    text_fingerprint,
)
from leasebot_pipeline.domain.readings import Direction, InboxRow

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
messages = st.builds(
    Unidentified,
    direction=st.sampled_from(Direction),
    body=st.sampled_from(["ok", "Is it free?", "yes", "?"]) | texts,
    shown_day=st.none() | st.dates(date(2026, 1, 1), date(2026, 1, 3)),
)


def rendered_again(message: Unidentified) -> Unidentified:
    """The same message as another rendering shows it: other blanks, invisible characters, other composition."""
    body = "\u200b ".join(f" {message.body} ".split(" ")).replace("é", "e\u0301")
    return replace(message, body=f"\n{body}\ufeff")


@given(st.lists(messages, max_size=12))
def test_every_message_has_an_identity_of_its_own(thread: list[Unidentified]) -> None:
    ids = [message_id for message_id, _ in message_identities("t", thread)]
    assert len(set(ids)) == len(thread)


@given(st.lists(messages, max_size=12))
def test_a_new_rendering_changes_no_identity(thread: list[Unidentified]) -> None:
    again = [rendered_again(message) for message in thread]
    assert message_identities("t", again) == message_identities("t", thread)


@given(st.lists(messages, max_size=12), messages)
def test_a_later_message_changes_no_earlier_identity(thread: list[Unidentified], new: Unidentified) -> None:
    assert message_identities("t", [*thread, new])[: len(thread)] == message_identities("t", thread)


@given(st.lists(messages, min_size=2, max_size=12), st.randoms())
def test_order_does_not_matter_to_the_set_of_identities(thread: list[Unidentified], random: object) -> None:
    shuffled = list(thread)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert {i for i, _ in message_identities("t", shuffled)} == {
        i for i, _ in message_identities("t", thread)
    }


@given(messages)
def test_two_equal_texts_are_two_messages(message: Unidentified) -> None:
    (first, _), (second, _) = message_identities("t", [message, message])
    assert first != second


@given(messages)
def test_threads_do_not_share_identities(message: Unidentified) -> None:
    assert message_identities("a", [message]) != message_identities("b", [message])


def test_the_platforms_own_id_wins() -> None:
    message = Unidentified(Direction.INBOUND, "hi", None, "msg-7")
    assert message_identities("t", [message]) == [("msg-7", "platform")]


def test_direction_is_part_of_the_identity() -> None:
    ours, theirs = (Unidentified(direction, "ok") for direction in (Direction.OUTBOUND, Direction.INBOUND))
    (a, source), (b, _) = message_identities("t", [ours, theirs])
    assert a != b
    assert source == "hash"


@given(texts)
def test_normalising_is_idempotent(text: str) -> None:
    assert normalise_text(normalise_text(text)) == normalise_text(text)


def test_a_look_alike_prefix_is_another_text() -> None:
    assert text_fingerprint("See you at six o'clock") != text_fingerprint("See you at six o'clock!")
    assert text_fingerprint("See you\nat  six\u200b") == text_fingerprint("See you at six")


ROW = InboxRow(
    external_thread_id="1",
    sort_rank=1,
    preview="Is it free?",
    preview_direction=Direction.INBOUND,
    message_count=2,
    sent_at=datetime(2026, 11, 24, 20, 5, tzinfo=UTC),
    sent_at_text="Today 3:05 pm",
)


def test_the_change_signal_stays_while_the_page_only_ages() -> None:
    minutes, hours = replace(ROW, sent_at_text="4m ago"), replace(ROW, sent_at_text="2h ago")
    later = datetime(2026, 11, 24, 21, 5, tzinfo=UTC)
    assert inbox_row_fingerprint(minutes) == inbox_row_fingerprint(
        replace(minutes, sent_at_text="59 minutes ago", sent_at=later)
    )
    assert inbox_row_fingerprint(hours) == inbox_row_fingerprint(
        replace(hours, sent_at_text="5h ago", sent_at=later, sort_rank=9)
    )
    assert inbox_row_fingerprint(ROW) == inbox_row_fingerprint(
        replace(ROW, sent_at_text="Yesterday 3:05 pm", sort_rank=4)
    )


def test_the_change_signal_moves_with_every_kind_of_news() -> None:
    news = [
        replace(ROW, preview="Hello?"),
        replace(ROW, preview_direction=Direction.OUTBOUND),
        replace(ROW, message_count=3),
        replace(ROW, last_message_id="8"),
        replace(ROW, sent_at=datetime(2026, 11, 24, 20, 6, tzinfo=UTC)),
        replace(ROW, external_thread_id="2"),
    ]
    assert len({inbox_row_fingerprint(row) for row in [ROW, *news]}) == 1 + len(news)


def test_a_repeated_text_under_relative_times_is_noticed_when_it_is_fresh_again() -> None:
    old = replace(ROW, sent_at_text="3h ago", message_count=None)
    new = replace(ROW, sent_at_text="1m ago", message_count=None)
    assert inbox_row_fingerprint(old) != inbox_row_fingerprint(new)
