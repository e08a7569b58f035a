"""What a person answered needs none any more, wherever its badge stands."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from leasebot_pipeline.storage.waiting_for_people import count_waiting
from tests.api.house import House
from tests.console.day_inbox import lead
from tests.console.test_stopped_sends import advert, read
from tests.storage import rows

NEEDED, ANSWERED = "Needs a person", "Answered"


@pytest.fixture
def asked(house: House) -> UUID:
    """A lead for whom the bot asked for a person an hour ago."""
    at = house.clock() - timedelta(hours=1)
    with house.rows() as conn:
        each = lead(conn, house, advert(conn, house), "Ann Lee", at, processed=True)
        conn.execute(
            text("""UPDATE "Conversations" SET workflow_state = 'outcome', workflow_outcome = 'human_required',
                     workflow_outcome_at = :at, workflow_updated_at = :at WHERE id = :id"""),
            {"id": each, "at": at},
        )
    return each


def badges(house: House, each: UUID) -> tuple[int, int]:
    """How often list and head, beside each other, say that a person is needed, and that one answered."""
    said = read(house.page("agent", f"/agent/inbox/{each}"))
    return said.count(NEEDED), said.count(ANSWERED)


def waiting(house: House) -> int:
    with house.rows() as conn:
        return count_waiting(conn, house.clock())


def answer(house: House, each: UUID, **values: object) -> None:
    with house.rows() as conn:
        sent = {"sent_at": house.clock(), "created_at": house.clock(), "metadata": {"reviewStatus": "sent"}}
        rows.message(conn, each, "outbound", body="Yes, at six.", **{**sent, **values})


def test_the_badge_goes_as_the_waiting_ends(house: House, asked: UUID) -> None:
    assert (waiting(house), badges(house, asked)) == (1, (2, 0))
    answer(house, asked)
    assert (waiting(house), badges(house, asked)) == (0, (0, 2))
    with house.rows() as conn:
        again = rows.message(conn, asked, body="And the dog?", sent_at=house.clock())
        conn.execute(
            text('UPDATE "Conversations" SET newest_inbound_seq = :seq WHERE id = :id'),
            {"id": asked, "seq": rows.seq(conn, again)},
        )
    assert (waiting(house), badges(house, asked)) == (1, (2, 0)), "the lead wrote again"


def test_an_answer_before_it_was_asked_for_is_none(house: House, asked: UUID) -> None:
    before = house.clock() - timedelta(hours=2)
    answer(house, asked, sent_at=before, created_at=before)
    assert (waiting(house), badges(house, asked)) == (1, (2, 0))


def test_a_persons_reply_on_its_way_ends_it_too(house: House, asked: UUID) -> None:
    with house.rows() as conn:
        rows.dispatch(conn, asked, purpose="manual_reply", state="queued")
    assert (waiting(house), badges(house, asked)) == (0, (0, 0)), "the reply on its way says enough"
