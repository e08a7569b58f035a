"""The same message is one row for ever; two equal texts are two. G-13, G-14, G-15, G-44, G-75; behaviour 142."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.identity import Unidentified, message_identities
from leasebot_pipeline.domain.readings import Direction, ThreadMessage
from leasebot_pipeline.domain.recognition import Edit, KnownMessage, recognise

IN, OUT = Direction.INBOUND, Direction.OUTBOUND
NOON = datetime(2026, 11, 24, 17, tzinfo=UTC)


def page(*shown: tuple[Direction, str, int | None]) -> list[ThreadMessage]:
    """A page without ids: author, text and minute (None: the page tells no time)."""
    ids = message_identities("t", [Unidentified(d, body, NOON.date()) for d, body, _ in shown])
    return [
        ThreadMessage(
            message_id,
            source,
            direction,
            body,
            None if minute is None else NOON + timedelta(minutes=minute),
            None if minute is None else f"minute {minute}",
            minute is not None,
        )
        for (message_id, source), (direction, body, minute) in zip(ids, shown, strict=True)
    ]


def stored(messages: list[ThreadMessage] | tuple[ThreadMessage, ...]) -> list[KnownMessage]:
    return [
        KnownMessage(
            m.external_message_id, m.direction, m.body, m.sent_at, m.sent_at_text, m.sent_at_has_time
        )
        for m in messages
    ]


def ids(messages: list[ThreadMessage] | tuple[ThreadMessage, ...]) -> list[str]:
    return [m.external_message_id for m in messages]


def read(known: list[KnownMessage], shown: list[ThreadMessage]) -> tuple[list[KnownMessage], list[str]]:
    """What is stored after a look at the page, and the ids the page's messages got."""
    recognised = recognise(known, shown)
    have = {k.external_message_id for k in known}
    new = [m for m in recognised.messages if m.external_message_id not in have]
    return known + stored(new), ids(recognised.messages)


threads = st.lists(
    st.tuples(
        st.sampled_from(Direction), st.sampled_from(["ok", "ok", "yes?", "is it free"]), st.integers(0, 3)
    ),
    max_size=14,
).map(
    lambda rows: [(d, body, sum(step for *_, step in rows[: n + 1])) for n, (d, body, _) in enumerate(rows)]
)


@given(threads, st.integers(1, 5), st.integers(0, 14))
def test_every_message_of_a_growing_thread_is_one_row(
    thread: list[tuple[Direction, str, int]], step: int, first: int
) -> None:
    """Read again and again while it grows: as many rows as messages, and nothing changes its id."""
    known: list[KnownMessage] = []
    for length in range(min(first, len(thread)), len(thread) + step, step):
        known, seen = read(known, page(*thread[:length]))
        assert len(known) == len(seen) == len(set(seen)) == len(thread[:length])
        known, again = read(known, page(*thread[:length]))
        assert again == seen


@given(threads, st.integers(2, 6))
def test_a_page_that_shows_only_the_newest_messages_neither_loses_nor_doubles(
    thread: list[tuple[Direction, str, int]], window: int
) -> None:
    """Pagination: the page shows the last ``window`` messages, one look per new message."""
    spread = [(d, body, 2 * n) for n, (d, body, _) in enumerate(thread)]  # times tell equal texts apart
    known: list[KnownMessage] = []
    for length in range(1, len(spread) + 1):
        known, _ = read(known, page(*spread[max(0, length - window) : length]))
        assert len(known) == length


@given(threads)
def test_another_form_of_the_times_changes_nothing(thread: list[tuple[Direction, str, int]]) -> None:
    known, first = read([], page(*thread))
    later = [
        replace(m, sent_at=NOON.replace(hour=17), sent_at_text="11/24/2026", sent_at_has_time=False)
        for m in page(*thread)
    ]
    _, again = read(known, later)
    assert again == first
    without = [replace(m, sent_at=None, sent_at_text=None, sent_at_has_time=False) for m in page(*thread)]
    assert read(known, without)[1] == first


@given(threads, st.data())
def test_an_edit_in_the_middle_keeps_the_row(
    thread: list[tuple[Direction, str, int]], data: st.DataObject
) -> None:
    """Texts differ here: which of several equal ones was edited, no page can tell."""
    if len(thread) < 3:
        return
    thread = [(d, f"{body} {n}", minute) for n, (d, body, minute) in enumerate(thread)]
    known, first = read([], page(*thread))
    where = data.draw(st.integers(1, len(thread) - 2))
    direction, _, minute = thread[where]
    edited = [*thread[:where], (direction, "something else altogether", minute), *thread[where + 1 :]]
    recognised = recognise(known, page(*edited))
    assert len(set(ids(recognised.messages))) == len(thread)
    assert set(ids(recognised.messages)) == set(first)
    expected = [] if direction is OUT else ["something else altogether"]
    assert [edit.body for edit in recognised.edits] == expected


def test_the_newest_message_is_edited_only_when_its_minute_says_so() -> None:
    known = stored(page((IN, "Tuesday?", 1), (IN, "at five", 2)))
    same_minute = recognise(known, page((IN, "Tuesday?", 1), (IN, "at six", 2)))
    assert same_minute.edits == (Edit(known[1].external_message_id, "at six"),)
    later = recognise(known, page((IN, "Tuesday?", 1), (IN, "at six", 9)))
    assert later.edits == ()
    assert later.messages[1].external_message_id != known[1].external_message_id


def test_a_page_that_moved_on_edits_nothing() -> None:
    known = stored(page((IN, "hello", 1)))
    moved = recognise(known, page((IN, "and pets?", 1), (IN, "hello again", 3)))
    assert moved.edits == ()
    assert not set(ids(moved.messages)) & {known[0].external_message_id}


def test_an_equal_text_behind_the_window_is_a_new_message() -> None:
    """The page's own ordinals start anew with its first message; what is stored does not."""
    everything = page((IN, "ok", 1), (IN, "ok", 2), (IN, "ok", 3))
    known = stored(everything)
    window = recognise(known, page((IN, "ok", 2), (IN, "ok", 3), (IN, "ok", 7)))
    assert ids(window.messages)[:2] == ids(everything)[1:]
    assert ids(window.messages)[2] not in ids(everything)


def test_a_time_told_relative_to_now_fits_the_same_message_later() -> None:
    first = replace(page((IN, "hello", 0))[0], sent_at_text="2h ago", sent_at_has_time=False)
    later = replace(
        first, sent_at=NOON - timedelta(minutes=40), sent_at_text="Nov 24, 2026 11:20", sent_at_has_time=True
    )
    other = replace(later, sent_at=NOON + timedelta(days=2), external_message_id="h-other")
    (known,) = stored([first])
    assert ids(recognise([known], [later]).messages) == ids([first])
    assert ids(recognise([known], [other]).messages) == ["h-other"]


def own(message_id: str, body: str, *aliases: str, direction: Direction = IN) -> ThreadMessage:
    return ThreadMessage(message_id, "platform", direction, body, aliases=aliases)


def test_the_platforms_id_is_the_message_whatever_it_says() -> None:
    known = stored([own("1", "Tuesday?"), own("2", "our answer", direction=OUT)])
    recognised = recognise(
        known, [own("1", "Wednesday?"), own("2", "our answer…", direction=OUT), own("3", "Tuesday?")]
    )
    assert ids(recognised.messages) == ["1", "2", "3"]
    assert recognised.edits == (Edit("1", "Wednesday?"),)


def test_another_rendering_is_no_edit() -> None:
    known = stored([own("1", "Is it\nfree?")])
    assert recognise(known, [own("1", " Is it \u200bfree? ")]).edits == ()


def test_a_message_known_by_its_other_id_is_known() -> None:
    known = stored([own("u-6", "hi")])
    recognised = recognise(known, [own("5", "hi", "u-6"), own("7", "hi", "u-8")])
    assert ids(recognised.messages) == ["u-6", "7"]


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), unique=True), st.randoms())
def test_order_on_the_page_does_not_matter_to_platform_ids(names: list[str], random: object) -> None:
    messages = [own(name, "same text") for name in names]
    shuffled = list(messages)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    known, _ = read([], messages)
    assert read(known, shuffled)[0] == known
