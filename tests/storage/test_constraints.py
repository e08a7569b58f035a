"""Constraints that carry a promise, each broken on purpose."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from leasebot_pipeline.storage.tables import scheduling
from leasebot_pipeline.storage.tables.accounts import unit_agent_assignments
from leasebot_pipeline.storage.tables.operations import release_stages
from leasebot_pipeline.storage.tables.scheduling import agent_availability_slots, availability_rules
from tests.storage import rows
from tests.storage.conftest import ACCOUNT, NOW
from tests.storage.rows import HOUR


def refused(conn: Connection, constraint: str) -> Any:
    """The block must be refused by that constraint; the transaction goes on."""
    return _Refused(conn, constraint)


class _Refused:
    def __init__(self, conn: Connection, constraint: str) -> None:
        self.savepoint = conn.begin_nested()
        self.constraint = constraint

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.savepoint.rollback()
        assert isinstance(error, IntegrityError), f"{self.constraint} let it pass"
        assert error.orig.diag.constraint_name == self.constraint  # type: ignore[union-attr]
        return True


def test_two_active_agents_of_a_unit_never_share_a_priority(conn: Connection) -> None:
    """Behaviour 50, first half; passive ones may."""
    unit, first, second = rows.unit(conn), rows.agent(conn), rows.agent(conn)

    def assign(agent: UUID, mode: str) -> None:
        rows.add(conn, unit_agent_assignments, unit_id=unit, agent_id=agent, assignment_mode=mode, priority=5)

    assign(first, "active")
    with refused(conn, "idx_unit_agent_assignments_active_priority"):
        assign(second, "active")
    assign(second, "passive")


def test_available_times_of_an_agent_never_overlap(conn: Connection) -> None:
    """Behaviour 50, second half; touching ones and unavailable ones may."""
    agent = rows.agent(conn)

    def slot(start_hours: float, status: str = "available") -> None:
        start = NOW + start_hours * HOUR
        rows.add(
            conn,
            agent_availability_slots,
            agent_id=agent,
            starts_at=start,
            ends_at=start + HOUR,
            timezone="UTC",
            status=status,
        )

    slot(0)
    slot(1)
    slot(0.5, "unavailable")
    with refused(conn, "agent_availability_no_overlap"):
        slot(0.5)


def test_an_agent_is_never_in_two_units_at_once(conn: Connection) -> None:
    """Behaviour 64: held, pending and confirmed alike; what has ended or was called off blocks nothing."""
    agent, unit, other = rows.agent(conn), rows.unit(conn), rows.unit(conn)
    rows.showing(conn, agent, unit)
    rows.showing(conn, agent, other, starts_at=NOW + HOUR, ends_at=NOW + 2 * HOUR)
    rows.showing(conn, agent, other, status="cancelled")
    rows.showing(conn, rows.agent(conn), other)
    held = {"status": "pending", "hold_expires_at": NOW}
    for values in ({"status": "pending"}, {"status": "confirmed"}, {"status": "reschedule_requested"}, held):
        with refused(conn, "showing_appointments_no_double_booked_agent"):
            rows.showing(conn, agent, rows.unit(conn), ends_at=NOW + timedelta(minutes=1), **values)


def test_buffers_keep_another_unit_away(conn: Connection) -> None:
    """The range with its buffers counts, also after the visit was moved."""
    agent, unit = rows.agent(conn), rows.unit(conn)
    quarter = timedelta(minutes=15)
    showing = rows.showing(conn, agent, unit, busy_from=NOW - quarter, busy_until=NOW + HOUR + quarter)
    after = {"starts_at": NOW + HOUR, "ends_at": NOW + 2 * HOUR}
    with refused(conn, "showing_appointments_no_double_booked_agent"):
        rows.showing(conn, agent, rows.unit(conn), **after)
    moved = scheduling.showing_appointments.update().where(scheduling.showing_appointments.c.id == showing)
    conn.execute(moved.values(starts_at=NOW + 3 * HOUR, ends_at=NOW + 4 * HOUR))
    rows.showing(conn, agent, rows.unit(conn), **after)
    with refused(conn, "showing_appointments_no_double_booked_agent"):
        rows.showing(conn, agent, rows.unit(conn), starts_at=NOW + 4 * HOUR, ends_at=NOW + 5 * HOUR)


def test_visitors_of_a_unit_have_seats_of_their_own_and_one_agent(conn: Connection) -> None:
    """Several leads may see one unit together, each on a seat; never with two agents."""
    agent, unit = rows.agent(conn), rows.unit(conn)
    rows.showing(conn, agent, unit)
    rows.showing(conn, agent, unit, seat=2)
    rows.showing(conn, agent, unit, status="cancelled")
    with refused(conn, "showing_appointments_seat_taken_once"):
        rows.showing(conn, agent, unit, seat=2)
    with refused(conn, "showing_appointments_one_agent_in_unit"):
        rows.showing(conn, rows.agent(conn), unit, seat=3)


def test_a_booking_key_and_a_platforms_booking_reference_are_used_once(conn: Connection) -> None:
    """Behaviour 64."""
    agent, unit = rows.agent(conn), rows.unit(conn)
    rows.showing(conn, agent, unit, idempotency_key="k", external_booking_ref="ref")
    with refused(conn, "showing_appointments_idempotency_key_key"):
        rows.showing(conn, agent, unit, seat=2, idempotency_key="k")
    with refused(conn, "idx_showing_appointments_external_booking_ref"):
        rows.showing(conn, agent, unit, seat=2, external_booking_ref="ref")


def test_ids_need_not_follow_rfc_4122(conn: Connection) -> None:
    """G-24: the fixed ids of the default accounts do not."""
    assert rows.value(conn, 'SELECT count(*) FROM "PlatformAccounts" WHERE id = :id', id=ACCOUNT) == 1


class TestInboundEvents:
    def test_a_message_of_a_thread_lands_once(self, conn: Connection) -> None:
        rows.event(conn, external_thread_id="t", external_message_id="m")
        rows.event(conn, external_thread_id="u", external_message_id="m")
        with refused(conn, "inbound_events_identity_key"):
            rows.event(conn, external_thread_id="t", external_message_id="m")

    def test_an_event_ends_one_way_and_says_why(self, conn: Connection) -> None:
        rows.event(conn, quarantined_at=NOW, quarantine_reason="no text")
        with refused(conn, "inbound_events_one_end_chk"):
            rows.event(conn, ingested_at=NOW, quarantined_at=NOW, quarantine_reason="no text")
        with refused(conn, "inbound_events_quarantine_reason_chk"):
            rows.event(conn, quarantined_at=NOW)
        with refused(conn, "inbound_events_quarantine_reason_chk"):
            rows.event(conn, quarantine_reason="no text")


class TestReplies:
    @pytest.fixture
    def thread(self, conn: Connection) -> UUID:
        return rows.conversation(conn)

    def test_one_purpose_is_one_reply(self, conn: Connection, thread: UUID) -> None:
        rows.dispatch(conn, thread, purpose_key="decision:1")
        with refused(conn, "outbound_dispatches_purpose_key_key"):
            rows.dispatch(conn, thread, purpose_key="decision:1")

    def test_sent_needs_a_receipt(self, conn: Connection, thread: UUID) -> None:
        with refused(conn, "outbound_dispatches_receipt_chk"):
            rows.dispatch(conn, thread, state="sent")

    def test_a_newest_message_is_decided_once_and_for_a_reason(self, conn: Connection, thread: UUID) -> None:
        message = rows.message(conn, thread)
        rows.decision(conn, thread, message)
        with refused(conn, "decisions_conversation_seq_key"):
            rows.decision(conn, thread, message)
        with refused(conn, "decisions_reasons_chk"):
            rows.decision(conn, thread, rows.message(conn, thread), reasons=[])


def test_there_is_one_current_release_stage(conn: Connection) -> None:
    with refused(conn, "idx_release_stages_current"):
        rows.add(conn, release_stages, stage="shadow", actor_type="admin", reason="a second one")


def test_an_availability_rule_belongs_to_a_unit_or_an_agent(conn: Connection) -> None:
    rule: dict[str, Any] = {
        "day_of_week": 6,
        "start_time": NOW.time(),
        "end_time": (NOW + HOUR).time(),
        "timezone": "UTC",
        "status": "open",
    }
    agent, unit = rows.agent(conn), rows.unit(conn)
    rows.add(conn, availability_rules, **rule, unit_id=unit)
    for owners in ({}, {"unit_id": unit, "agent_id": agent}):
        with refused(conn, "availability_rules_owner_chk"):
            rows.add(conn, availability_rules, **rule, **owners)
    with refused(conn, "availability_rules_time_chk"):
        rows.add(conn, availability_rules, **{**rule, "end_time": rule["start_time"]}, unit_id=unit)
