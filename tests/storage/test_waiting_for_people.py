"""What waits for a person is one question: Today's lists and the inbox's Waiting list answer it alike."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from leasebot_pipeline.storage.waiting_for_people import by_kind, count_waiting, waiting_for_people
from tests.storage import rows
from tests.storage.conftest import NOW
from tests.storage.rows import HOUR

ASKED = {"workflow_state": "outcome", "workflow_outcome": "human_required"}


def lead(conn: Connection, *, hours: float = 1, status: str | None = None, **values: object) -> UUID:
    """A conversation whose lead wrote so long ago; ``status`` is what became of that message."""
    each = rows.conversation(conn, **{"workflow_updated_at": NOW, **values})
    marks = {"aiProcessedAt": "x"} | ({"reviewStatus": status} if status else {})
    at = NOW - timedelta(hours=hours)
    message = rows.message(conn, each, sent_at=at, created_at=at, metadata=marks)
    conn.execute(
        text('UPDATE "Conversations" SET newest_inbound_seq = :seq WHERE id = :id'),
        {"id": each, "seq": rows.seq(conn, message)},
    )
    return each


def reply(conn: Connection, each: UUID, status: str, state: str | None = None, **values: object) -> UUID:
    message = rows.message(
        conn, each, "outbound", metadata={"reviewStatus": status}, created_at=NOW, sent_at=None
    )
    if state is not None:
        rows.dispatch(conn, each, message_id=message, state=state, updated_at=NOW, **values)
    return message


def told(conn: Connection, agent_id: UUID | None = None) -> dict[str, list[UUID]]:
    """The conversations of each kind on Today, which together are the Waiting list, in its order."""
    kinds = by_kind(conn, NOW, 20, agent_id=agent_id)
    page = waiting_for_people(conn, NOW, 20, agent_id=agent_id)
    every = {row.id: row for counted in kinds.values() for row in counted.rows}
    assert [every[row.id] for row in page.items] == list(page.items)
    assert sum(counted.total for counted in kinds.values()) == len(every) == page.total
    assert count_waiting(conn, NOW, agent_id) == page.total
    ages = [row.since for row in page.items]
    assert ages == sorted(ages)
    return {kind: [row.id for row in counted.rows] for kind, counted in kinds.items() if counted.rows}


def test_each_waits_in_one_kind_the_oldest_first(conn: Connection) -> None:
    young, old = lead(conn, hours=1, status="hold"), lead(conn, hours=30, **ASKED)
    draft, both = lead(conn), lead(conn, hours=2, **ASKED)
    for each in (draft, both):
        reply(conn, each, "draft", "draft")
    doubtful = lead(conn, hours=99, **ASKED)
    reply(conn, doubtful, "sent", "dead_letter")
    lead(conn)
    assert told(conn) == {"person": [old, both, young], "draft": [draft], "in_doubt": [doubtful]}


def test_a_reply_in_doubt_waits_once_reading_the_thread_did_not_settle_it(conn: Connection) -> None:
    asked, looked_for = lead(conn), lead(conn)
    reply(conn, asked, "sent", "unknown")
    reply(conn, looked_for, "sent", "unknown", next_attempt_at=NOW + HOUR)
    assert told(conn) == {"in_doubt": [asked]}
    [row] = by_kind(conn, NOW, 20)["in_doubt"].rows
    assert (row.message_status, row.delivery) == ("in_doubt", "unknown")


def test_the_oldest_is_who_wrote_first_and_has_no_answer(conn: Connection) -> None:
    """Not whose draft was written first; a draft that answers nobody is as old as it is."""
    recent, early, unasked = lead(conn, hours=2), lead(conn, hours=5), lead(conn, hours=9)
    rows.message(conn, unasked, "outbound", metadata={"reviewStatus": "sent"}, created_at=NOW - 8 * HOUR)
    for each in (early, recent, unasked):
        reply(conn, each, "draft", "draft")
    assert told(conn) == {"draft": [early, recent, unasked]}
    ages = [row.since for row in by_kind(conn, NOW, 20)["draft"].rows]
    assert ages == [NOW - 5 * HOUR, NOW - 2 * HOUR, NOW]


def test_what_was_put_aside_waits_nowhere(conn: Connection) -> None:
    aside = {"snoozed_until": NOW + HOUR, "snoozed_seq": 10**9}
    lead(conn, **ASKED, **aside)
    lead(conn, status="hold", **aside)
    reply(conn, lead(conn, **aside), "draft", "draft")
    reply(conn, lead(conn, **aside), "sent", "dead_letter")
    woken = lead(conn, **ASKED, snoozed_until=NOW + HOUR, snoozed_seq=0)
    assert told(conn) == {"person": [woken]}


def test_the_bot_asked_for_a_person_and_nobody_answered(conn: Connection) -> None:
    """Even without a message that was held; and an answer given before the bot asked is none."""
    asked = lead(conn, hours=3, **ASKED)
    [row] = by_kind(conn, NOW, 20)["person"].rows
    assert (row.since, row.message_status) == (NOW - 3 * HOUR, "hold")
    answered = lead(conn, **ASKED)
    reply(conn, answered, "sent")
    # An agent was removed after the last word: what it had promised is a person's now.
    left = lead(conn)
    rows.message(conn, left, "outbound", sent_at=NOW - 2 * HOUR, created_at=NOW - 2 * HOUR)
    conn.execute(
        text("""UPDATE "Conversations" SET workflow_state = 'outcome', workflow_outcome = 'human_required',
                       workflow_updated_at = :now WHERE id = :id"""),
        {"id": left, "now": NOW - HOUR},
    )
    assert told(conn) == {"person": [asked, left]}
    assert by_kind(conn, NOW, 20)["person"].rows[1].since == NOW - HOUR


@pytest.mark.parametrize("state", ["queued", "claimed", "sending", "retry_scheduled"])
def test_an_answer_on_its_way_ends_the_wait(conn: Connection, state: str) -> None:
    for each in (lead(conn, **ASKED), lead(conn, status="hold")):
        reply(conn, each, "draft", state, purpose="manual_reply")
    assert told(conn) == {}


def test_what_a_person_finished_or_closed_waits_no_more(conn: Connection) -> None:
    done = lead(conn, status="hold")
    conn.execute(
        text("""UPDATE "Conversations" SET workflow_state = 'outcome', workflow_outcome = 'not_interested',
                       workflow_updated_at = :now WHERE id = :id"""),
        {"id": done, "now": NOW},
    )
    closed = lead(conn, **ASKED)
    conn.execute(text("""UPDATE "Conversations" SET status = 'closed' WHERE id = :id"""), {"id": closed})
    assert told(conn) == {}


def test_an_agent_has_what_it_is_in_charge_of(conn: Connection) -> None:
    dana, marco = rows.agent(conn), rows.agent(conn)
    asked = lead(conn, assigned_agent_id=dana, **ASKED)
    owned = lead(conn, assigned_agent_id=marco, follow_up_owner_agent_id=dana, status="hold")
    failed = lead(conn, assigned_agent_id=dana)
    reply(conn, failed, "sent", "dead_letter")
    drafted = lead(conn, assigned_agent_id=marco)
    reply(conn, drafted, "draft", "draft")
    nobodys = lead(conn, hours=9, **ASKED)
    mine = told(conn, dana)
    assert (set(mine["person"]), mine["in_doubt"]) == ({asked, owned}, [failed])
    assert told(conn, marco) == {"person": [owned], "draft": [drafted]}
    assert nobodys in told(conn)["person"]
