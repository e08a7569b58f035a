"""Holding, booking, confirming, moving and ending showings, against PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, event, text

from leasebot_pipeline.domain.booking import BookingReason
from leasebot_pipeline.domain.decisions import WorkflowOutcome
from leasebot_pipeline.domain.showings import ShowingState
from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.storage import booking
from leasebot_pipeline.storage.booking import (
    Actor,
    HoldConfirmation,
    HoldRelease,
    Reschedule,
    StatusChange,
)
from leasebot_pipeline.storage.crash_points import VARIABLE, CrashPointReached
from leasebot_pipeline.storage.tables.accounts import unit_agent_assignments
from tests.conftest import Database
from tests.storage import rows
from tests.storage.conftest import ACCOUNT, NOW
from tests.storage.office import DAY, HALF, TEN, Office

HOUR = timedelta(hours=1)
ELEVEN, NOON = TEN + HOUR, TEN + 2 * HOUR
SOON = NOW + timedelta(minutes=10)


@pytest.fixture
def office(conn: Connection) -> Office:
    return Office(conn)


@pytest.fixture
def shared(conn: Connection, database: Database) -> Iterator[Office]:
    """An office whose rows other connections see once they are committed."""
    conn.commit()
    with database.engine.connect() as connection:
        yield Office(connection)


class TestBooking:
    def test_a_lead_is_booked_and_the_conversation_follows(self, office: Office) -> None:
        """Behaviours 51 and 57: appointment, conversation and audit in one."""
        agent = office.agent()
        unit = office.unit(agent)
        lead = office.lead(unit)
        result = office.book(unit, agent, conversation_id=lead, idempotency_key="wish-1")
        assert (result.outcome, result.stands) == ("booked", True)
        assert result.appointment is not None
        assert (result.appointment.status, result.appointment.starts_at) == (ShowingState.CONFIRMED, TEN)
        assert office.conversation(lead) == ("showing", "showing_confirmed", "confirmed")
        (created,) = office.audits("showing_booking_created")
        assert created["idempotencyKey"] == "wish-1"
        assert created["appointmentId"] == str(result.appointment.id)
        assert (created["idempotentReplay"], created["platform"]) == (False, "spareroom")
        (moved,) = office.audits("workflow_state_transitioned")
        assert moved["previous"]["showingState"] is None
        assert moved["next"]["showingState"] == "confirmed"
        assert office.broken() == []

    def test_the_same_request_again_is_a_replay_another_one_under_its_key_is_not(
        self, office: Office
    ) -> None:
        """Behaviours 52 to 54; a replay needs no free slot, and is one in the same batch, too."""
        agent = office.agent()
        unit = office.unit(agent)
        wish = office.wish(unit, agent)
        first, again = office.ask(wish, wish)
        assert (first.outcome, again.outcome) == ("booked", "replay")
        assert again.appointment == first.appointment
        office.conn.execute(text('DELETE FROM "AvailabilitySlots"'))
        assert office.ask(wish)[0].outcome == "replay"
        other = office.ask(replace(wish, starts_at=ELEVEN, ends_at=ELEVEN + HALF))[0]
        assert other.reason is BookingReason.IDEMPOTENCY_CONFLICT
        assert other.appointment == first.appointment
        assert len(office.audits("showing_booking_replayed")) == 2
        assert office.audits("showing_booking_idempotency_conflict")[0]["appointmentId"] == str(
            first.appointment.id if first.appointment else None
        )

    def test_a_repeated_request_still_finds_a_showing_that_was_moved(self, office: Office) -> None:
        agent = office.agent()
        unit = office.unit(agent)
        wish = office.wish(unit, agent)
        booked = office.ask(wish)[0].appointment
        assert booked is not None
        move = Reschedule("move-1", ELEVEN, ELEVEN + HALF, appointment_id=booked.id)
        assert booking.reschedule(office.conn, [move], office.policy, NOW)[0].outcome == "booked"
        again = office.ask(wish)[0]
        assert again.outcome == "replay"
        assert again.appointment is not None
        assert again.appointment.starts_at == ELEVEN

    def test_one_batch_of_wishes_never_overlaps(self, office: Office) -> None:
        """Within a batch the earlier request wins; whoever is refused is told why (behaviour 58)."""
        agent = office.agent()
        first, second = office.unit(agent), office.unit(agent)
        results = office.ask(
            office.wish(first, agent),
            office.wish(second, agent, TEN + timedelta(minutes=15)),
            office.wish(first, agent),
            office.wish(second, agent, ELEVEN),
        )
        assert [r.reason for r in results] == [None, BookingReason.AGENT_BUSY, BookingReason.SLOT_FULL, None]
        conflicts = office.audits("showing_booking_conflict")
        assert [c["conflictType"] for c in conflicts] == ["agent_time_overlap", "slot_full"]

    def test_the_second_agent_gets_the_showing_of_its_own_time(self, office: Office) -> None:
        """The reference scenario: one agent is free 11 to 12, the other 15 to 16; the lead picks 15:00."""
        early, late = office.agent(available=False), office.agent(available=False)
        office.is_there(early, ELEVEN, NOON)
        office.is_there(late, TEN + 5 * HOUR, TEN + 6 * HOUR)
        unit = office.unit(early, late)
        lead = office.lead(unit, assigned_agent_id=early)
        wrong = office.book(unit, early, TEN + 5 * HOUR, conversation_id=lead)
        assert wrong.reason is BookingReason.SLOT_UNAVAILABLE
        right = office.book(unit, late, TEN + 5 * HOUR, conversation_id=lead)
        assert right.appointment is not None
        assert right.appointment.agent_id == late

    def test_a_lead_has_one_showing_ahead(self, office: Office) -> None:
        agent = office.agent()
        unit = office.unit(agent)
        lead = office.lead(unit)
        first = office.book(unit, agent, conversation_id=lead)
        second = office.book(unit, agent, ELEVEN, conversation_id=lead)
        assert (second.reason, second.appointment) == (BookingReason.ALREADY_BOOKED, first.appointment)
        same = office.book(unit, agent, conversation_id=lead)
        assert (same.outcome, same.appointment) == ("replay", first.appointment)

    @pytest.mark.parametrize(
        "columns",
        [
            {"workflow_state": "outcome", "workflow_outcome": "human_required"},
            {"workflow_state": "outcome", "workflow_outcome": "not_interested", "showing_state": "cancelled"},
            {"workflow_state": "showing", "showing_state": "no_show"},
        ],
        ids=["with a person", "had cancelled", "had not come"],
    )
    def test_whoever_comes_back_can_book(self, office: Office, columns: dict[str, str]) -> None:
        """A new showing begins; the one that ended stays ended (G-20)."""
        agent = office.agent()
        unit = office.unit(agent)
        lead = office.lead(unit, **columns)
        old = rows.showing(
            office.conn,
            agent,
            unit,
            conversation_id=lead if columns.get("showing_state") else None,
            status=columns.get("showing_state", "cancelled"),
        )
        assert office.book(unit, agent, conversation_id=lead).outcome == "booked"
        assert office.conversation(lead) == ("showing", "showing_confirmed", "confirmed")
        status = rows.value(office.conn, 'SELECT status FROM "ShowingAppointments" WHERE id = :id', id=old)
        assert status == columns.get("showing_state", "cancelled")
        assert office.broken() == []

    def test_an_answered_follow_up_books_and_ends(self, office: Office) -> None:
        agent = office.agent()
        unit = office.unit(agent)
        lead = office.lead(
            unit,
            workflow_state="follow_up_2",
            follow_up_stage="follow_up_2",
            follow_up_due_at=NOW,
            follow_up_owner_agent_id=agent,
        )
        assert office.book(unit, agent, conversation_id=lead).outcome == "booked"
        query = 'SELECT follow_up_stage, follow_up_due_at FROM "Conversations" WHERE id = :id'
        assert tuple(office.conn.execute(text(query), {"id": lead}).one()) == (None, None)

    def test_every_id_is_a_uuid_and_no_more(self, office: Office) -> None:
        """G-24: the account's id is not RFC 4122."""
        agent = office.agent()
        assert office.book(office.unit(agent), agent, platform_account_id=ACCOUNT).outcome == "booked"


class TestRefusals:
    """Each names the field and the rule; nothing is raised, nothing is written."""

    def test_bad_input(self, office: Office) -> None:
        agent = office.agent()
        unit = office.unit(agent)
        wish = office.wish(unit, agent)
        cases = {
            BookingReason.END_BEFORE_START: replace(wish, ends_at=TEN - HALF),
            BookingReason.UNKNOWN_ZONE: replace(wish, timezone="Mars/Olympus"),
            BookingReason.IN_THE_PAST: replace(wish, starts_at=NOW, ends_at=TEN),
            BookingReason.TOO_LONG: replace(wish, ends_at=TEN + 2 * DAY),
            BookingReason.TOO_FAR_AHEAD: replace(
                wish, starts_at=TEN.replace(year=9999), ends_at=TEN.replace(year=9999) + HALF
            ),
            BookingReason.KEY_TOO_SHORT: replace(wish, idempotency_key=" abc  "),
            BookingReason.TIME_WITHOUT_OFFSET: replace(wish, starts_at=TEN.replace(tzinfo=None)),
            BookingReason.UNKNOWN_ACCOUNT: replace(wish, platform_account_id=uuid4()),
            BookingReason.UNKNOWN_UNIT: replace(wish, unit_id=uuid4()),
            BookingReason.UNKNOWN_AGENT: replace(wish, agent_id=uuid4()),
            BookingReason.UNKNOWN_LISTING: replace(wish, listing_id=uuid4()),
            BookingReason.UNKNOWN_CONVERSATION: replace(wish, conversation_id=uuid4()),
            BookingReason.HOLD_EXPIRED: replace(wish, hold_until=NOW),
        }
        wishes = [
            replace(w, idempotency_key=w.idempotency_key + str(n)) for n, w in enumerate(cases.values())
        ]
        wishes[5] = replace(wishes[5], idempotency_key=" abc  ")
        results = office.ask(*wishes)
        assert [r.reason for r in results] == list(cases)
        assert all(r.field and r.rule for r in results)
        fields = [r.field for r in results]
        assert fields[:3] == ["endsAt", "timezone", "startsAt"]
        assert rows.value(office.conn, 'SELECT count(*) FROM "ShowingAppointments"') == 0
        assert len(office.audits("showing_booking_refused")) == len(cases)

    def test_what_does_not_belong_together(self, office: Office) -> None:
        """G-26: account, listing and conversation are checked against the unit; a unit needs an agent."""
        agent, stranger = office.agent(), office.agent()
        unit, other = office.unit(agent), office.unit(agent)
        lead = office.lead(other)
        listing = rows.value(office.conn, 'SELECT id FROM "Listings" WHERE unit_id = :u', u=other)
        closed = office.unit(agent)
        office.conn.execute(text('UPDATE "Units" SET is_active = false WHERE id = :u'), {"u": closed})
        results = office.ask(
            office.wish(unit, agent, conversation_id=lead),
            office.wish(unit, agent, listing_id=listing),
            office.wish(unit, stranger),
            office.wish(closed, agent),
            office.wish(office.unit(), agent),
        )
        assert [r.reason for r in results] == [
            BookingReason.CONVERSATION_MISMATCH,
            BookingReason.LISTING_MISMATCH,
            BookingReason.AGENT_NOT_ASSIGNED,
            BookingReason.UNIT_INACTIVE,
            BookingReason.AGENT_NOT_ASSIGNED,
        ]

    def test_availability_is_looked_at_again(self, office: Office) -> None:
        """Behaviour 56: open windows joined must cover the visit, blocked and unavailable time is cut out."""
        agent = office.agent(available=False)
        office.is_there(agent, TEN, TEN + timedelta(minutes=20))
        office.is_there(agent, TEN + timedelta(minutes=20), NOON)
        office.is_there(agent, ELEVEN, ELEVEN + timedelta(minutes=1), "unavailable")
        unit = office.unit(agent)
        office.opens(unit, ELEVEN + HALF, NOON, "blocked")
        results = office.ask(
            office.wish(unit, agent, NOON),
            office.wish(unit, agent, TEN - HALF),
            office.wish(unit, agent, ELEVEN),
            office.wish(unit, agent, ELEVEN + HALF),
            office.wish(unit, agent, TEN),
        )
        unavailable = BookingReason.SLOT_UNAVAILABLE
        assert [r.reason for r in results] == [unavailable] * 4 + [None]
        assert len(office.audits("showing_booking_slot_unavailable")) == 4

    def test_a_unit_whose_agents_state_no_times_is_shown_in_its_own(self, office: Office) -> None:
        agent = office.agent(available=False)
        unit = office.unit(agent)
        assert office.book(unit, agent).outcome == "booked"
        office.is_there(agent, TEN - HOUR, TEN - HALF)
        assert office.book(unit, agent, ELEVEN).reason is BookingReason.SLOT_UNAVAILABLE

    def test_a_platforms_reference_is_used_once(self, office: Office) -> None:
        agent = office.agent()
        unit = office.unit(agent)
        office.book(unit, agent, external_booking_ref="ref-1")
        second = office.book(unit, agent, ELEVEN, external_booking_ref="ref-1")
        assert second.reason is BookingReason.REFERENCE_IN_USE

    def test_what_was_written_without_our_locks_is_a_conflict_too(
        self, shared: Office, database: Database
    ) -> None:
        """The constraint is the last line: a row the checks could not see refuses, it does not raise."""
        agent = shared.agent()
        unit, other = shared.unit(agent), shared.unit(agent)
        rows.showing(
            shared.conn,
            agent,
            other,
            status="pending",
            hold_expires_at=NOW - HOUR,
            starts_at=TEN,
            ends_at=ELEVEN,
        )
        shared.conn.commit()
        with database.engine.begin() as elsewhere:
            # Another transaction holds the expired row: it can't be swept, and still takes the time.
            elsewhere.execute(text('SELECT id FROM "ShowingAppointments" FOR UPDATE'))
            shared.conn.execute(text("SET LOCAL lock_timeout = '5s'"))
            result = shared.book(unit, agent)
        assert result.reason is BookingReason.AGENT_BUSY


class TestRules:
    def test_buffers_between_units_none_within_one(self, office: Office) -> None:
        quarter = timedelta(minutes=15)
        office.policy = SlotPolicy(buffer_before=quarter, buffer_after=quarter)
        agent = office.agent()
        unit, other = office.unit(agent), office.unit(agent)
        results = office.ask(
            office.wish(unit, agent),
            office.wish(unit, agent, TEN + HALF),
            office.wish(other, agent, TEN + 2 * HALF + quarter),
            office.wish(other, agent, TEN + 2 * HALF + HALF),
        )
        assert [r.reason for r in results] == [None, None, BookingReason.AGENT_BUSY, None]

    def test_a_group_showing_takes_as_many_as_it_may(self, office: Office) -> None:
        """G-25: capacity per slot; all visitors of a unit come with one agent."""
        office.policy = SlotPolicy(capacity=2)
        agent, other = office.agent(), office.agent()
        unit = office.unit(agent, other)
        results = office.ask(*(office.wish(unit, agent) for _ in range(3)), office.wish(unit, other))
        assert [r.reason for r in results] == [
            None,
            None,
            BookingReason.SLOT_FULL,
            BookingReason.UNIT_WITH_OTHER_AGENT,
        ]

    def test_an_agents_day_has_an_end(self, office: Office) -> None:
        """The daily cap counts in the agent's zone: 23:30 in New York is another day in UTC."""
        office.policy = SlotPolicy(daily_cap=1)
        agent = office.agent(available=False, timezone="America/New_York")
        office.is_there(agent, TEN - DAY, TEN + DAY)
        unit = office.unit(agent, opens=False)
        office.opens(unit, TEN - DAY, TEN + DAY)
        evening = TEN.replace(hour=4, minute=30)  # 23:30 of the day before, there
        results = office.ask(
            office.wish(unit, agent, evening),
            office.wish(unit, agent, TEN),
            office.wish(unit, agent, ELEVEN),
        )
        assert [r.reason for r in results] == [None, None, BookingReason.DAILY_CAP]


@pytest.mark.parametrize("leads", [1, 20])
def test_a_batch_takes_as_many_statements_as_one(office: Office, database: Database, leads: int) -> None:
    office.policy = SlotPolicy(daily_cap=50, capacity=20)
    agent = office.agent()
    unit = office.unit(agent)
    wishes = [office.wish(unit, agent, conversation_id=office.lead(unit)) for _ in range(leads)]
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    assert all(result.outcome == "booked" for result in office.ask(*wishes))
    assert len(statements) <= 20


def test_a_client_does_not_write_our_notes(office: Office) -> None:
    agent = office.agent()
    unit = office.unit(agent)
    wish = office.wish(unit, agent, metadata={"bookedAs": "x", "moves": 7, "party": 2})
    assert [r.outcome for r in (office.ask(wish)[0], office.ask(wish)[0])] == ["booked", "replay"]
    assert rows.value(office.conn, 'SELECT metadata FROM "ShowingAppointments"') == {"party": 2}


class TestHolds:
    def hold(self, office: Office, until: datetime = SOON, **values: object) -> tuple[UUID, UUID, UUID, UUID]:
        """Agent, unit, lead and the held appointment."""
        agent = office.agent()
        unit = office.unit(agent)
        lead = office.lead(unit)
        request = office.wish(unit, agent, conversation_id=lead, hold_until=until, **values)
        (result,) = booking.hold(office.conn, [request], office.policy, office.now)
        assert result.appointment is not None
        return agent, unit, lead, result.appointment.id

    def confirm(self, office: Office, **values: object) -> booking.BookingResult:
        request = HoldConfirmation(**values)  # type: ignore[arg-type]
        return booking.confirm_holds(office.conn, [request], office.policy, office.now)[0]

    def test_a_hold_takes_the_time_and_leaves_the_conversation_alone(self, office: Office) -> None:
        agent, unit, lead, _ = self.hold(office)
        assert office.conversation(lead) == ("lead", None, None)
        assert office.book(unit, agent).reason is BookingReason.SLOT_FULL
        assert office.book(office.unit(agent), agent).reason is BookingReason.AGENT_BUSY
        assert office.audits("showing_slot_held")[0]["holdExpiresAt"] == "2026-11-24T12:10:00.000Z"
        assert list(booking.current_holds(office.conn, [lead], NOW)) == [lead]

    def test_confirming_books_once(self, office: Office) -> None:
        _, _, lead, hold = self.hold(office)
        first = self.confirm(office, appointment_id=hold)
        again = self.confirm(office, appointment_id=hold)
        assert (first.outcome, again.outcome) == ("booked", "replay")
        assert office.conversation(lead) == ("showing", "showing_confirmed", "confirmed")
        assert office.audits("showing_booking_created")[0]["fromHold"] is True
        assert office.broken() == []

    def test_a_decisions_hold_is_confirmed_by_its_id(self, office: Office) -> None:
        """The decision may be written after the hold, in the same transaction."""
        decision = uuid4()
        agent = office.agent()
        unit = office.unit(agent)
        lead = office.lead(unit)
        office.book(unit, agent, conversation_id=lead, hold_until=SOON, decision_id=decision)
        rows.decision(office.conn, lead, rows.message(office.conn, lead), id=decision)
        office.conn.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        assert self.confirm(office, decision_id=decision).outcome == "booked"
        assert self.confirm(office, decision_id=decision).outcome == "replay"
        assert self.confirm(office, decision_id=uuid4()).reason is BookingReason.NOT_FOUND

    def test_a_hold_that_ran_out_is_gone_swept_or_not(self, office: Office) -> None:
        agent, unit, lead, hold = self.hold(office)
        office.now = SOON
        assert self.confirm(office, appointment_id=hold).reason is BookingReason.HOLD_EXPIRED
        assert booking.current_holds(office.conn, [lead], SOON) == {}
        assert office.book(unit, agent).outcome == "booked"
        assert self.confirm(office, appointment_id=hold).reason is BookingReason.HOLD_EXPIRED

    def test_sweeping_frees_the_time_and_ends_the_offer(self, office: Office) -> None:
        agent = office.agent()
        unit = office.unit(agent)
        lead = office.lead(unit)
        offer = office.offer(lead, unit, agent)
        office.book(unit, agent, conversation_id=lead, hold_until=SOON, slot_offer_id=offer)
        assert office.offer_state(offer) == "held"
        assert booking.expire_holds(office.conn, NOW) == 0
        assert booking.expire_holds(office.conn, SOON) == 1
        assert booking.expire_holds(office.conn, SOON) == 0
        assert office.offer_state(offer) == "expired"
        assert office.audits("showing_hold_released")[0]["reason"] == "expired"
        assert office.conversation(lead) == ("lead", None, None)

    def test_availability_counts_again_when_a_hold_is_confirmed(self, office: Office) -> None:
        agent, _, lead, hold = self.hold(office)
        office.is_there(agent, TEN, ELEVEN, "unavailable")
        assert self.confirm(office, appointment_id=hold).reason is BookingReason.SLOT_UNAVAILABLE
        assert office.conversation(lead) == ("lead", None, None)

    def test_a_new_hold_replaces_the_leads_earlier_one(self, office: Office) -> None:
        agent, unit, lead, _ = self.hold(office)
        second = office.book(unit, agent, ELEVEN, conversation_id=lead, hold_until=SOON)
        assert second.appointment is not None
        assert booking.current_holds(office.conn, [lead], NOW)[lead].id == second.appointment.id
        assert office.book(unit, agent).outcome == "booked"

    def test_holding_another_time_moves_the_showing_when_confirmed(self, office: Office) -> None:
        """The old time stays the lead's until then, even where the two overlap; the id stays, too."""
        agent = office.agent()
        unit = office.unit(agent)
        lead = office.lead(unit)
        booked = office.book(unit, agent, conversation_id=lead).appointment
        later = TEN + timedelta(minutes=15)
        held = office.book(unit, agent, later, conversation_id=lead, hold_until=SOON).appointment
        assert booked is not None
        assert held is not None
        moved = self.confirm(office, appointment_id=held.id)
        assert moved.appointment is not None
        assert (moved.appointment.id, moved.appointment.starts_at) == (booked.id, later)
        assert moved.appointment.sequence == booked.sequence + 1
        assert self.confirm(office, appointment_id=held.id).outcome == "replay"
        assert office.broken() == []

    def test_giving_up_a_hold(self, office: Office) -> None:
        agent, unit, lead, _ = self.hold(office)
        release = HoldRelease(conversation_id=lead, reason="declined", offer="declined")
        assert booking.release_holds(office.conn, [release], NOW) == 1
        assert booking.release_holds(office.conn, [release], NOW) == 0
        assert office.book(unit, agent).outcome == "booked"

    def test_a_pick_is_confirmed_its_siblings_are_superseded(self, office: Office) -> None:
        agent = office.agent()
        unit = office.unit(agent)
        lead = office.lead(unit)
        picked, other = office.offer(lead, unit, agent), office.offer(lead, unit, agent, ELEVEN)
        office.book(unit, agent, conversation_id=lead, slot_offer_id=picked)
        assert (office.offer_state(picked), office.offer_state(other)) == ("confirmed", "superseded")
        (changed,) = office.audits("slot_offers_changed")
        assert {(o["previous"], o["next"]) for o in changed["offers"]} == {
            ("offered", "confirmed"),
            ("offered", "superseded"),
        }


class TestMoves:
    @pytest.fixture
    def agent(self, office: Office) -> UUID:
        return office.agent()

    @pytest.fixture
    def unit(self, office: Office, agent: UUID) -> UUID:
        return office.unit(agent)

    @pytest.fixture
    def lead(self, office: Office, unit: UUID) -> UUID:
        return office.lead(unit)

    def move(self, office: Office, start: datetime = ELEVEN, **values: object) -> booking.BookingResult:
        defaults = {"idempotency_key": f"move-{start}", "starts_at": start, "ends_at": start + HALF}
        request = Reschedule(**{**defaults, **values})  # type: ignore[arg-type]
        return booking.reschedule(office.conn, [request], office.policy, office.now)[0]

    def test_the_agent_is_kept_and_the_old_time_is_free(
        self, office: Office, agent: UUID, unit: UUID, lead: UUID
    ) -> None:
        booked = office.book(unit, agent, conversation_id=lead).appointment
        assert booked is not None
        asked = StatusChange(ShowingState.RESCHEDULE_REQUESTED, conversation_id=lead)
        booking.change_status(office.conn, [asked], NOW)
        assert office.conversation(lead) == ("outcome", "wants_reschedule", "reschedule_requested")
        moved = self.move(office, conversation_id=lead)
        assert moved.appointment is not None
        assert (moved.appointment.id, moved.appointment.agent_id) == (booked.id, agent)
        assert office.conversation(lead) == ("showing", "showing_confirmed", "confirmed")
        assert office.book(unit, agent).outcome == "booked"
        (told,) = office.audits("showing_rescheduled")
        assert told["previous"]["startsAt"] == "2026-11-25T10:00:00.000Z"
        assert told["startsAt"] == "2026-11-25T11:00:00.000Z"
        assert office.broken() == []

    def test_a_move_is_done_once(self, office: Office, agent: UUID, unit: UUID, lead: UUID) -> None:
        office.book(unit, agent, conversation_id=lead)
        self.move(office, conversation_id=lead, idempotency_key="first-move")
        self.move(office, NOON, conversation_id=lead, idempotency_key="second-move")
        late = self.move(office, conversation_id=lead, idempotency_key="first-move")
        assert late.outcome == "replay"
        assert late.appointment is not None
        assert late.appointment.starts_at == NOON

    def test_a_taken_time_leaves_the_showing_where_it_is(
        self, office: Office, agent: UUID, unit: UUID, lead: UUID
    ) -> None:
        office.book(unit, agent, conversation_id=lead)
        office.book(office.unit(agent), agent, ELEVEN)
        result = self.move(office, conversation_id=lead)
        assert result.reason is BookingReason.AGENT_BUSY
        assert booking.current_appointments(office.conn, [lead])[lead].starts_at == TEN

    def test_another_agent_may_take_over(self, office: Office, agent: UUID, unit: UUID, lead: UUID) -> None:
        other = office.agent()
        rows.add(office.conn, unit_agent_assignments, unit_id=unit, agent_id=other, priority=9)
        office.book(unit, agent, conversation_id=lead)
        moved = self.move(office, conversation_id=lead, agent_id=other)
        assert moved.appointment is not None
        assert moved.appointment.agent_id == other

    def test_what_ended_does_not_move(self, office: Office, agent: UUID, unit: UUID, lead: UUID) -> None:
        booked = office.book(unit, agent, conversation_id=lead, status=ShowingState.CANCELLED).appointment
        assert booked is not None
        result = self.move(office, appointment_id=booked.id)
        assert result.reason is BookingReason.INVALID_TRANSITION
        assert "from cancelled to confirmed" in (result.rule or "")
        assert self.move(office, appointment_id=uuid4()).reason is BookingReason.NOT_FOUND
        assert self.move(office, NOW, conversation_id=lead).reason is BookingReason.IN_THE_PAST

    def test_two_showings_of_a_batch_do_not_take_each_others_old_time(
        self, office: Office, agent: UUID
    ) -> None:
        """Places that come free in a batch are free after it: no order of its moves can fail half way."""
        first, second = office.unit(agent), office.unit(agent)
        one, two = office.book(first, agent).appointment, office.book(second, agent, ELEVEN).appointment
        assert one is not None
        assert two is not None
        results = booking.reschedule(
            office.conn,
            [
                Reschedule("move-one", NOON, NOON + HALF, appointment_id=one.id),
                Reschedule("move-two", TEN, TEN + HALF, appointment_id=two.id),
            ],
            office.policy,
            NOW,
        )
        assert [r.reason for r in results] == [None, BookingReason.AGENT_BUSY]


class TestStatuses:
    def test_cancelling_frees_the_time_and_says_why(self, office: Office) -> None:
        agent = office.agent()
        unit = office.unit(agent)
        lead = office.lead(unit)
        office.book(unit, agent, conversation_id=lead)
        cancel = StatusChange(
            ShowingState.CANCELLED, conversation_id=lead, workflow_outcome=WorkflowOutcome.NOT_INTERESTED
        )
        (result,) = booking.change_status(office.conn, [cancel], NOW)
        assert result.outcome == "booked"
        assert office.conversation(lead) == ("outcome", "not_interested", "cancelled")
        (synced,) = office.audits("showing_workflow_outcome_synced")
        assert (synced["previousStatus"], synced["nextStatus"]) == ("confirmed", "cancelled")
        assert office.book(unit, agent).outcome == "booked"
        assert booking.change_status(office.conn, [cancel], NOW)[0].outcome == "replay"

    @pytest.mark.parametrize("ended", [ShowingState.COMPLETED, ShowingState.NO_SHOW])
    def test_an_outcome_is_final(self, office: Office, ended: ShowingState) -> None:
        """Behaviours 40 and 41, at the appointment; a refusal names both states (G-19)."""
        agent = office.agent()
        unit = office.unit(agent)
        lead = office.lead(unit)
        office.book(unit, agent, conversation_id=lead)
        other = ShowingState.NO_SHOW if ended is ShowingState.COMPLETED else ShowingState.COMPLETED
        person = Actor("admin", "aB3")
        change = StatusChange(
            ended, conversation_id=lead, source="api", trigger="showing_outcome", actor=person
        )
        assert booking.change_status(office.conn, [change], NOW)[0].outcome == "booked"
        assert office.conversation(lead) == ("outcome", ended.value, ended.value)
        result = booking.change_status(office.conn, [replace(change, status=other)], NOW)[0]
        assert result.reason is BookingReason.INVALID_TRANSITION
        assert f"from {ended} to {other}" in (result.rule or "")
        query = """SELECT actor_id FROM "AuditLogs" WHERE action = 'workflow_state_transitioned' AND actor_type = 'admin'"""
        assert rows.value(office.conn, query) == "aB3"

    def test_an_older_showing_no_longer_speaks_for_its_lead(self, office: Office) -> None:
        """A past visit gets its outcome although the lead has booked again since."""
        agent = office.agent()
        unit = office.unit(agent)
        lead = office.lead(unit)
        past = rows.showing(
            office.conn,
            agent,
            unit,
            conversation_id=lead,
            starts_at=NOW - HOUR,
            ends_at=NOW - HALF,
        )
        assert office.book(unit, agent, conversation_id=lead).outcome == "booked"
        done = StatusChange(ShowingState.COMPLETED, appointment_id=past)
        assert booking.change_status(office.conn, [done], NOW)[0].outcome == "booked"
        assert office.conversation(lead) == ("showing", "showing_confirmed", "confirmed")
        assert office.broken() == []

    def test_nothing_to_change(self, office: Office) -> None:
        (result,) = booking.change_status(
            office.conn, [StatusChange(ShowingState.CANCELLED, appointment_id=uuid4())], NOW
        )
        assert result.reason is BookingReason.NOT_FOUND


def test_a_crash_leaves_nothing_behind(
    database: Database, shared: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Appointment, conversation, offer and audit stand together or not at all."""
    agent = shared.agent()
    unit = shared.unit(agent)
    lead = shared.lead(unit)
    shared.conn.commit()
    monkeypatch.setenv(VARIABLE, "book.before_commit:raise")
    with pytest.raises(CrashPointReached), database.engine.begin() as conn:
        Office(conn).book(unit, agent, conversation_id=lead)
    monkeypatch.delenv(VARIABLE)
    assert rows.value(shared.conn, 'SELECT count(*) FROM "ShowingAppointments"') == 0
    assert shared.conversation(lead) == ("lead", None, None)
    assert shared.audits("showing_booking_created") == []
