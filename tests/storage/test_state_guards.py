"""The database's last line for showings, offers, follow-ups and reviews: every pair, as the pure tables say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Table, text, update
from sqlalchemy.exc import DBAPIError

from leasebot_pipeline.domain.follow_up_states import FollowUpStatus, follow_up_transition_allowed
from leasebot_pipeline.domain.message_review import ReviewStatus, review_status, review_transition_allowed
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.domain.showings import ShowingState, showing_transition_allowed
from leasebot_pipeline.domain.slot_offers import OfferState, offer_transition_allowed
from leasebot_pipeline.storage.tables.conversations import conversations, messages
from leasebot_pipeline.storage.tables.scheduling import follow_ups, showing_appointments, slot_offers
from tests.storage import rows
from tests.storage.conftest import NOW
from tests.storage.office import TEN, Office

HOUR = timedelta(hours=1)


def code_of(conn: Connection, table: Table, identity: UUID, **values: Any) -> str | None:
    """SQLSTATE that refuses the change, or None; either way the change is undone."""
    savepoint = conn.begin_nested()
    try:
        conn.execute(update(table).where(table.c.id == identity).values(**values))
    except DBAPIError as refused:
        return str(refused.orig.sqlstate)  # type: ignore[union-attr]
    finally:
        savepoint.rollback()
    return None


def walk(
    conn: Connection,
    table: Table,
    column: str,
    make: Callable[[str], UUID],
    states: Any,
    allowed: Callable[[Any, Any], bool],
) -> None:
    for current, target in product(states, states):
        identity = make(current.value)
        code = code_of(conn, table, identity, **{column: target.value})
        assert code == (None if allowed(current, target) else "22023"), (current, target)
        assert code_of(conn, table, identity, **{column: None}) in ("22023", "23502")


def test_showings_move_as_the_rules_say(conn: Connection) -> None:
    """All 36 pairs, and NULL (G-19, G-27: nothing guarded them before)."""
    agent = rows.agent(conn)

    def make(status: str) -> UUID:
        return rows.showing(conn, agent, rows.unit(conn), status=status, **next_hour())

    starts = iter(range(1000))

    def next_hour() -> dict[str, Any]:
        start = NOW + next(starts) * HOUR
        return {"starts_at": start, "ends_at": start + HOUR}

    walk(conn, showing_appointments, "status", make, ShowingState, showing_transition_allowed)


def test_offers_move_as_the_rules_say(conn: Connection) -> None:
    """All 36 pairs, and NULL (G-22)."""
    office = Office(conn)
    agent = office.agent()
    unit = office.unit(agent)
    lead = office.lead(unit)
    walk(
        conn,
        slot_offers,
        "state",
        lambda state: office.offer(lead, unit, agent, state=state),
        OfferState,
        offer_transition_allowed,
    )


def test_follow_ups_move_as_the_rules_say(conn: Connection) -> None:
    """All 9 pairs, and NULL."""

    def make(status: str) -> UUID:
        lead = rows.conversation(conn)
        return UUID(
            str(
                rows.add(
                    conn, follow_ups, conversation_id=lead, stage="follow_up_1", due_at=NOW, status=status
                )
            )
        )

    walk(conn, follow_ups, "status", make, FollowUpStatus, follow_up_transition_allowed)


@pytest.mark.parametrize("direction", list(Direction))
def test_reviews_move_as_the_rules_say(conn: Connection, direction: Direction) -> None:
    """All 25 pairs: a missing status is the direction's default, also as a way out of a final one."""
    lead = rows.conversation(conn)
    stored = (None, *ReviewStatus)
    for current, target in product(stored, stored):
        values = {} if current is None else {"reviewStatus": current.value}
        message = rows.message(conn, lead, direction.value, metadata=values)
        becomes = {} if target is None else {"reviewStatus": target.value}
        code = code_of(conn, messages, message, metadata=becomes)
        before, after = review_status(direction, current), review_status(direction, target)
        allowed = review_transition_allowed(direction, before, after)
        assert code == (None if allowed else "22023"), (direction, current, target)


class TestConversationAndShowing:
    @pytest.fixture
    def office(self, conn: Connection) -> Office:
        return Office(conn)

    def state(self, office: Office, lead: UUID) -> Any:
        return office.conversation(lead)[2]

    def test_a_conversation_follows_its_newest_showing(self, office: Office) -> None:
        """Whoever writes the showing: the conversation says the same at once. A hold is not yet a showing."""
        agent = office.agent()
        unit = office.unit(agent)
        lead = office.lead(unit)
        first = rows.showing(office.conn, agent, unit, conversation_id=lead, status="cancelled")
        assert self.state(office, lead) == "cancelled"
        held = {"starts_at": TEN, "ends_at": TEN + HOUR, "status": "pending"}
        hold = rows.showing(office.conn, agent, unit, conversation_id=lead, hold_expires_at=TEN, **held)
        assert self.state(office, lead) == "cancelled"
        table = showing_appointments
        confirm = update(table).where(table.c.id == hold).values(status="confirmed", hold_expires_at=None)
        office.conn.execute(confirm)
        assert self.state(office, lead) == "confirmed"
        office.conn.execute(update(table).where(table.c.id == first).values(notes="never came"))
        assert self.state(office, lead) == "confirmed"

    def test_it_never_says_anything_else(self, office: Office) -> None:
        """Looked at when the transaction ends, so that both may change in it."""
        agent = office.agent()
        unit = office.unit(agent)
        lead = office.lead(unit)
        showing = rows.showing(office.conn, agent, unit, conversation_id=lead)
        office.conn.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        table = conversations
        cancel = update(table).where(table.c.id == lead).values(showing_state="cancelled")
        assert code_of(office.conn, table, lead, showing_state="cancelled") == "23514"
        office.conn.execute(text("SET CONSTRAINTS ALL DEFERRED"))
        office.conn.execute(cancel)
        status = update(showing_appointments).where(showing_appointments.c.id == showing)
        office.conn.execute(status.values(status="cancelled"))
        office.conn.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))

    def test_a_booking_does_not_become_a_hold(self, office: Office) -> None:
        agent = office.agent()
        showing = rows.showing(office.conn, agent, office.unit(agent), status="pending")
        assert code_of(office.conn, showing_appointments, showing, hold_expires_at=NOW) == "22023"

    def test_changes_that_a_calendar_must_hear_of_are_counted(self, office: Office) -> None:
        agent = office.agent()
        showing = rows.showing(office.conn, agent, office.unit(agent))
        table = showing_appointments
        for values in ({"notes": "x"}, {"ends_at": NOW + 2 * HOUR}, {"status": "cancelled"}):
            office.conn.execute(update(table).where(table.c.id == showing).values(**values))
        query = 'SELECT sequence FROM "ShowingAppointments" WHERE id = :id'
        assert rows.value(office.conn, query, id=showing) == 2
