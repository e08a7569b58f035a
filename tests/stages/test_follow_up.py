"""Silent leads are followed up twice, then given up; whatever ends the silence stops it at once (G-28)."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, text

from leasebot_pipeline.domain.decisions import WorkflowOutcome
from leasebot_pipeline.domain.follow_up_states import FollowUpStage, FollowUpStatus
from leasebot_pipeline.domain.follow_ups import FollowUpPolicy, PolicyChange
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.workflow import WorkflowState
from leasebot_pipeline.domain.workflow_changes import WorkflowPatch
from leasebot_pipeline.stages import follow_up
from leasebot_pipeline.storage import booking, follow_up_policies, transitions
from leasebot_pipeline.storage.booking import BookingRequest
from leasebot_pipeline.storage.transitions import Actor, TransitionRequest
from tests.stages.conftest import ACCOUNT, PLATFORM, OfficeMaker
from tests.stages.following import HOUR, Following, following

CREATED = "follow_up_created"


@pytest.fixture
def house(make_office: OfficeMaker) -> Following:
    return following(make_office)


def change(house: Following, **values: object) -> None:
    with house.office.pipeline.engine.begin() as conn:
        done = follow_up_policies.set_policy(
            conn,
            ACCOUNT,
            PolicyChange(**values),
            FollowUpPolicy(),
            actor_type="admin",
            actor="u1",  # type: ignore[arg-type]
        )
    assert done.outcome == "updated"


def a_person_replies(house: Following) -> None:
    """Through leasebot, with the audit row a person's reply has."""
    house.office.run(
        """INSERT INTO "OutboundDispatches" (purpose, purpose_key, conversation_id, platform_account_id, platform,
                                              external_thread_id, body, state)
           SELECT 'manual_reply', 'manual:1', id, platform_account_id, 'spareroom', external_thread_id, 'By the way: it is furnished.',
                  'queued' FROM "Conversations" """
    )
    house.office.run(
        """INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, conversation_id, platform)
           SELECT 'agent', 'message', 'x', 'inbox_manual_reply_dispatched', id, 'spareroom' FROM "Conversations" """
    )


class TestSequence:
    def test_a_silent_lead_gets_two_follow_ups_and_is_then_given_up(self, house: Following) -> None:
        """XLS-R12: two stages with due time, owner and status; then `no_reply` by time."""
        house.lead_writes("t1")
        house.answer()
        assert house.workflow() == ("lead", None, "follow_up_1", "pending")
        due, owner, agent = house.one(
            """SELECT f.due_at, f.owner_agent_id, c.assigned_agent_id FROM "FollowUps" f
                 JOIN "Conversations" c ON c.id = f.conversation_id"""
        )
        assert due == house.now + 24 * HOUR
        assert owner == agent is not None

        assert house.next_step().queued == 1
        assert house.workflow() == ("follow_up_1", None, "follow_up_1", "completed")
        assert house.next_step().queued == 1
        assert house.workflow() == ("follow_up_2", None, "follow_up_2", "completed")
        assert house.next_step().no_reply == 1
        assert house.workflow()[:3] == ("outcome", "no_reply", None)

        assert len(house.received("t1")) == len(set(house.received("t1"))) == 3
        assert house.steps() == [
            ("follow_up_1", "completed", None),
            ("follow_up_2", "completed", None),
            ("no_reply", "completed", None),
        ]
        assert [d["stage"] for d in house.audited(CREATED)] == ["follow_up_1", "follow_up_2"]
        assert house.broken() == []

    def test_a_lead_given_up_who_writes_again_is_a_lead_again(self, house: Following) -> None:
        """Behaviour 43; XLS-R8: the next silence starts over."""
        house.lead_writes("t1")
        house.answer()
        for _ in range(3):
            house.next_step()
        house.pass_time(hours=5)
        house.lead_writes("t1", "Sorry for the late answer! Is it still available?")
        house.take_in()
        assert house.workflow()[:2] == ("lead", None)
        assert len(house.audited("workflow_no_reply_recovered")) == 1
        house.decide()
        house.dispatch()
        house.plan()
        assert house.workflow() == ("lead", None, "follow_up_1", "pending")
        assert house.broken() == []

    def test_the_next_delay_counts_from_when_the_follow_up_was_sent(self, house: Following) -> None:
        house.lead_writes("t1")
        house.answer()
        house.until_due()
        house.office.clock.advance(hours=3)
        house.take_in()
        house.take_steps()
        house.dispatch()
        house.plan()
        due = house.one("""SELECT due_at FROM "FollowUps" WHERE stage = 'follow_up_2'""")[0]
        assert due == house.now + 72 * HOUR

    def test_a_run_that_has_nothing_to_do_changes_nothing(self, house: Following) -> None:
        house.lead_writes("t1")
        house.answer()
        before = house.steps()
        assert house.plan().planned == 0
        assert house.take_steps().due == 0
        assert house.steps() == before

    def test_runs_at_the_same_moment_take_a_step_once(self, house: Following) -> None:
        house.lead_writes("t1")
        house.answer()
        house.until_due()
        pipeline = house.office.pipeline
        plans = [follow_up.due(pipeline, PLATFORM), follow_up.due(pipeline, PLATFORM)]
        first, second = (follow_up.apply(pipeline, plan, {}, "run") for plan in plans)
        assert (first.queued, second.queued, second.raced) == (1, 0, 1)


class TestStops:
    def test_a_reply_stops_it_in_the_transaction_that_stores_it(self, house: Following) -> None:
        house.lead_writes("t1")
        house.answer()
        house.office.clock.advance(hours=2)
        house.lead_writes("t1", "How big is it?")
        house.take_in()
        assert house.steps() == [("follow_up_1", "cancelled", "lead_replied")]
        assert house.workflow()[3] == "cancelled"
        (stopped,) = house.audited("follow_up_stopped")
        assert (stopped["stopReason"], stopped["platform"]) == ("lead_replied", PLATFORM.value)
        assert house.broken() == []

    def test_a_reply_in_the_middle_brings_the_conversation_back_to_lead(self, house: Following) -> None:
        house.lead_writes("t1")
        house.answer()
        house.next_step()
        house.office.clock.advance(hours=2)
        house.lead_writes("t1")
        house.take_in()
        assert house.workflow()[:2] == ("lead", None)
        assert house.steps()[-1] == ("follow_up_2", "cancelled", "lead_replied")
        house.office.run("""UPDATE "SlotOffers" SET state = 'expired' WHERE state = 'offered'""")
        house.decide()
        house.dispatch()
        house.plan()
        assert house.steps()[-1] == ("follow_up_1", "pending", None)
        assert house.broken() == []

    def test_a_queued_follow_up_is_withdrawn_when_the_lead_writes(self, house: Following) -> None:
        house.lead_writes("t1")
        house.answer()
        house.until_due()
        house.take_steps()
        house.lead_writes("t1", "Thanks, is it furnished?")
        house.take_in()
        house.dispatch()
        assert len(house.received("t1")) == 1
        states = house.office.rows(
            """SELECT state, error_code FROM "OutboundDispatches" WHERE purpose = 'follow_up'"""
        )
        assert states == [("cancelled", "lead_replied")]
        assert house.broken() == []

    def test_what_landed_and_is_not_ingested_yet_counts_as_an_answer(self, house: Following) -> None:
        house.lead_writes("t1")
        house.answer()
        house.until_due()
        house.take_steps()
        house.lead_writes("t1", "Thanks, is it furnished?")
        house.read_inbox()
        house.dispatch()
        assert len(house.received("t1")) == 1
        assert house.steps() == [("follow_up_1", "cancelled", "lead_replied")]

    def test_an_answer_only_the_thread_page_shows_keeps_the_follow_up_back(self, house: Following) -> None:
        """Nobody polled since: the newest message on the page is one we do not know."""
        house.lead_writes("t1")
        house.answer()
        house.until_due()
        house.take_steps()
        house.lead_writes("t1", "Thanks, is it furnished?")
        house.dispatch()
        assert len(house.received("t1")) == 1
        house.take_in()
        assert house.steps() == [("follow_up_1", "cancelled", "lead_replied")]
        house.pass_time(minutes=5)
        house.dispatch()
        assert "just checking in" not in " ".join(house.received("t1"))
        assert house.broken() == []

    def test_no_silence_is_believed_while_the_inbox_can_not_be_read(self, house: Following) -> None:
        """A failed poll is not an empty inbox: neither a text nor `no_reply`."""
        house.lead_writes("t1")
        house.answer()
        house.office.clock.advance(hours=24)
        assert house.take_steps().due == 0
        house.take_in()
        assert house.take_steps().queued == 1

    def test_a_message_a_person_wrote_starts_the_silence_anew(self, house: Following) -> None:
        house.lead_writes("t1")
        house.answer()
        house.office.clock.advance(hours=5)
        a_person_replies(house)
        house.dispatch()
        house.plan()
        assert house.steps() == [
            ("follow_up_1", "cancelled", "replaced_by_newer_message"),
            ("follow_up_1", "pending", None),
        ]
        due = house.one("""SELECT due_at FROM "FollowUps" WHERE status = 'pending'""")[0]
        assert due == house.now + 24 * HOUR
        assert house.broken() == []

    def test_a_step_that_could_not_be_taken_for_a_week_is_dropped(self, house: Following) -> None:
        house.lead_writes("t1")
        house.answer()
        house.office.clock.advance(days=9)
        house.take_in()
        assert house.take_steps().stopped == 1
        assert house.steps() == [("follow_up_1", "cancelled", "too_late")]
        assert house.broken() == []


class TestOptOut:
    def test_an_opt_out_stops_everything_for_good(self, house: Following) -> None:
        """Behaviour 81: no reply, intent unsubscribe; kept on the conversation, and on others of the same lead."""
        house.lead_writes("t1")
        house.answer()
        house.office.clock.advance(hours=2)
        house.lead_writes("t1", "Please unsubscribe me and stop messaging me.")
        house.take_in()
        house.decide()
        assert house.one('SELECT opted_out_at FROM "Conversations"')[0] == house.now
        assert house.one('SELECT intent, reason FROM "Decisions" ORDER BY decided_at DESC LIMIT 1') == (
            "unsubscribe",
            "escalate_unsubscribe_requested",
        )
        house.office.clock.advance(hours=30)
        house.lead_writes("t1")
        house.take_in()
        house.decide()
        house.dispatch()
        house.plan()
        assert len(house.received("t1")) == 1
        assert house.one('SELECT reason FROM "Decisions" ORDER BY decided_at DESC LIMIT 1') == (
            "escalate_lead_opted_out",
        )
        assert [step for step in house.steps() if step[1] == "pending"] == []
        assert len(house.audited("lead_opted_out")) == 1
        assert house.broken() == []


class TestPolicy:
    def test_an_account_may_change_delays_and_maximum(self, house: Following) -> None:
        change(house, follow_up_1_after_minutes=60, maximum=1, no_reply_after_minutes=120)
        house.lead_writes("t1")
        house.answer()
        assert house.one('SELECT due_at FROM "FollowUps"')[0] == house.now + HOUR
        house.next_step()
        assert house.until_due() == "no_reply"
        (policy,) = house.audited("follow_up_policy_updated")
        assert policy["policy"]["maximum"] == 1

    def test_an_account_may_follow_up_nobody(self, house: Following) -> None:
        change(house, enabled=False)
        house.lead_writes("t1")
        house.answer()
        assert house.steps() == []

    def test_switching_off_calls_off_and_switching_on_reaches_nobody_from_before(
        self, house: Following
    ) -> None:
        house.lead_writes("t1")
        house.answer()
        change(house, enabled=False)
        assert follow_up.pending_work(house.office.pipeline, PLATFORM).to_plan == 1
        house.plan()
        assert house.steps() == [("follow_up_1", "cancelled", "disabled")]
        change(house, enabled=True)
        house.pass_time(hours=30)
        house.plan()
        assert house.take_steps().due == 0
        assert house.broken() == []

    def test_nobody_is_written_to_at_night(self, house: Following) -> None:
        """A run that comes late in the evening waits for the morning in the unit's zone."""
        house.lead_writes("t1")
        house.answer()
        house.office.clock.advance(hours=24 + 9)  # 21:00 in New York
        house.take_in()
        assert house.take_steps().postponed == 1
        assert house.plan().planned == 0
        assert house.until_due() == "follow_up_1"
        assert house.now == house.one("SELECT TIMESTAMPTZ '2026-11-26 09:00 America/New_York'")[0]
        assert house.take_steps().queued == 1

    def test_a_queued_follow_up_does_not_slip_into_the_night(self, house: Following) -> None:
        house.lead_writes("t1")
        house.answer()
        house.until_due()
        house.take_steps()
        house.office.clock.advance(hours=9)
        house.dispatch()
        assert len(house.received("t1")) == 1
        house.office.clock.advance(hours=12)  # 09:00
        house.take_in()
        house.dispatch()
        assert len(house.received("t1")) == 2
        assert house.broken() == []

    def test_an_account_that_only_drafts_gets_a_draft(self, house: Following) -> None:
        """XLS-R13: auto-send or draft by policy; nothing follows a draft that was not sent."""
        house.lead_writes("t1")
        house.answer()
        house.office.run("""UPDATE "PlatformAccounts" SET send_mode = 'draft_only' """)
        house.until_due()
        assert house.take_steps().drafted == 1
        assert house.workflow() == ("follow_up_1", None, "follow_up_1", "pending")
        status, stage = house.one(
            """SELECT metadata ->> 'reviewStatus', metadata ->> 'followUpStage' FROM "Messages"
                WHERE direction = 'outbound' ORDER BY seq DESC LIMIT 1"""
        )
        assert (status, stage) == ("draft", "follow_up_1")
        house.dispatch()
        house.pass_time(days=20)
        house.plan()
        assert house.take_steps().due == 0
        assert len(house.received("t1")) == 1
        assert house.broken() == []

    def test_an_inactive_account_sends_nothing_and_gives_nobody_up(self, house: Following) -> None:
        house.lead_writes("t1")
        house.answer()
        house.office.run('UPDATE "PlatformAccounts" SET is_active = false')
        house.office.clock.advance(hours=24)
        assert house.take_steps().due == 0

    def test_an_account_s_own_template_is_used_and_guarded(self, house: Following) -> None:
        house.office.run(
            """INSERT INTO "Templates" (platform_account_id, name, body) VALUES (:account, 'follow_up_1',
                 'Still looking, {{ lead_name }}?')""",
            account=ACCOUNT,
        )
        house.lead_writes("t1")
        house.answer()
        house.next_step()
        assert house.received("t1")[-1] == "Still looking, Ana Lead?"

    def test_a_text_that_breaks_a_guardrail_is_held_for_a_person(self, house: Following) -> None:
        house.office.run(
            """INSERT INTO "Templates" (name, body) VALUES ('follow_up_1', 'My number is 123-45-6789.')"""
        )
        house.lead_writes("t1")
        house.answer()
        house.until_due()
        assert house.take_steps().held == 1
        house.dispatch()
        assert len(house.received("t1")) == 1
        assert house.one(
            """SELECT state, error_code FROM "OutboundDispatches" WHERE purpose = 'follow_up'"""
        ) == (
            "held",
            "outbound_contains_ssn_pattern",
        )
        assert len(house.audited("follow_up_held")) == 1

    def test_a_draft_that_a_person_discards_ends_the_sequence(self, house: Following) -> None:
        house.lead_writes("t1")
        house.answer()
        house.office.run("""UPDATE "PlatformAccounts" SET send_mode = 'draft_only' """)
        house.until_due()
        house.take_steps()
        house.office.run(
            """UPDATE "OutboundDispatches" SET state = 'cancelled' WHERE purpose = 'follow_up'"""
        )
        house.plan()
        assert house.steps() == [("follow_up_1", "cancelled", "text_not_sent")]
        assert house.workflow()[3] == "cancelled"
        assert house.broken() == []

    def test_leads_the_test_gate_leaves_out_are_not_followed_up(self, make_office: OfficeMaker) -> None:
        house = following(make_office, allow_lead_names=("Ana Lead",))
        house.lead_writes("t1")
        house.answer()
        house.until_due()
        house.office.run("""UPDATE "Conversations" SET lead_name = 'Somebody Else' """)
        assert house.take_steps().stopped == 1
        assert house.steps() == [("follow_up_1", "cancelled", "lead_gate")]


class TestBooking:
    def test_a_booking_stops_follow_ups_in_its_own_transaction(self, house: Following) -> None:
        house.lead_writes("t1")
        house.answer()
        house.next_step()
        with house.office.pipeline.engine.begin() as conn:
            (booked,) = booking.book(conn, [wish(house)], house.office.pipeline.policy.slots, house.now)
            assert booked.outcome == "booked", booked
        assert house.steps()[:2] == [
            ("follow_up_1", "completed", None),
            ("follow_up_2", "cancelled", "showing_booked"),
        ]
        assert house.workflow() == ("showing", "showing_confirmed", None, "pending")
        assert house.broken() == []

    def test_a_booking_that_is_undone_stops_nothing(self, house: Following) -> None:
        house.lead_writes("t1")
        house.answer()
        with house.office.pipeline.engine.connect() as conn:
            booking.book(conn, [wish(house)], house.office.pipeline.policy.slots, house.now)
            conn.rollback()
        assert house.steps() == [("follow_up_1", "pending", None)]

    def test_an_outcome_a_person_sets_stops_them_too(self, house: Following) -> None:
        """Behaviour 38: state showing or lead, outcome not_interested."""
        house.lead_writes("t1")
        house.answer()
        request = TransitionRequest(
            house.conversation(),
            WorkflowPatch(workflow_outcome=WorkflowOutcome.NOT_INTERESTED),
            source="api",
            trigger="test",
            actor=Actor("agent", "u1"),
        )
        with house.office.pipeline.engine.begin() as conn:
            assert transitions.transition(conn, [request], house.now)[0].applied
        assert house.steps() == [("follow_up_1", "cancelled", "outcome_reached")]

    def test_a_follow_up_an_agent_sets_by_hand_is_taken(self, house: Following) -> None:
        """Behaviour 35: a valid follow_up_1 transition with due time and owner; the pipeline acts on it."""
        house.lead_writes("t1")
        house.answer()
        due = house.now + 3 * HOUR
        with house.office.pipeline.engine.begin() as conn:
            agent = conn.execute(text('SELECT assigned_agent_id FROM "Conversations"')).scalar_one()
            patch = WorkflowPatch(
                follow_up_stage=FollowUpStage.FOLLOW_UP_1,
                follow_up_due_at=due,
                follow_up_owner_agent_id=agent,
                follow_up_status=FollowUpStatus.PENDING,
            )
            asked = TransitionRequest(
                house.conversation(), patch, source="api", trigger="test", actor=Actor("agent", "u1")
            )
            assert transitions.transition(conn, [asked], house.now)[0].applied
        house.plan()
        assert house.one("""SELECT due_at, planned_by FROM "FollowUps" WHERE status = 'pending'""") == (
            due,
            "person",
        )
        assert house.next_step().queued == 1
        assert house.workflow() == ("follow_up_1", None, "follow_up_1", "completed")
        assert house.broken() == []

    def test_a_follow_up_an_agent_calls_off_is_not_sent(self, house: Following) -> None:
        house.lead_writes("t1")
        house.answer()
        asked = TransitionRequest(
            house.conversation(),
            WorkflowPatch(follow_up_status=FollowUpStatus.CANCELLED),
            source="api",
            trigger="test",
            actor=Actor("agent", "u1"),
        )
        with house.office.pipeline.engine.begin() as conn:
            assert transitions.transition(conn, [asked], house.now)[0].applied
        assert follow_up.pending_work(house.office.pipeline, PLATFORM).to_plan == 1
        house.plan()
        assert house.steps() == [("follow_up_1", "cancelled", "called_off_by_person")]

    def test_the_second_follow_up_never_comes_first(self, house: Following) -> None:
        """Behaviours 36, 37: refused, naming both states."""
        house.lead_writes("t1")
        house.answer()
        asked = TransitionRequest(
            house.conversation(),
            WorkflowPatch(
                workflow_state=WorkflowState.FOLLOW_UP_2, follow_up_stage=FollowUpStage.FOLLOW_UP_2
            ),
            source="api",
            trigger="test",
        )
        with house.office.pipeline.engine.begin() as conn:
            (refused,) = transitions.transition(conn, [asked], house.now)
        assert (refused.applied, refused.reason) == (False, "invalid_transition")
        assert refused.message is not None
        assert "lead" in refused.message
        assert "follow_up_2" in refused.message


def wish(house: Following) -> BookingRequest:
    """Tomorrow at half past ten in New York, when Dana is there."""
    conversation, account, unit, agent = house.one(
        """SELECT c.id, c.platform_account_id, l.unit_id, c.assigned_agent_id FROM "Conversations" c
             JOIN "Listings" l ON l.id = c.listing_id"""
    )
    day = house.now.astimezone(ZoneInfo("America/New_York")).date() + timedelta(days=1)
    starts = datetime.combine(day, time(10, 30), ZoneInfo("America/New_York"))
    return BookingRequest(
        idempotency_key="wish-0001",
        platform_account_id=account,
        unit_id=unit,
        agent_id=agent,
        starts_at=starts,
        ends_at=starts + timedelta(minutes=30),
        timezone="America/New_York",
        conversation_id=conversation,
    )


def test_forty_silent_leads_cost_no_more_statements_than_four(make_office: OfficeMaker) -> None:
    house = following(make_office, threads_per_poll=100)
    counts = []
    for size in (4, 40):
        for number in range(size):
            house.lead_writes(f"{size}-{number}", listing=f"L{1 + number % 3}")
        house.take_in()
        house.decide()
        house.dispatch()
        statements: list[str] = []

        def note(
            _conn: object, _cursor: object, statement: str, *_rest: object, into: list[str] = statements
        ) -> None:
            into.append(statement)

        engine = house.office.pipeline.engine
        event.listen(engine, "before_cursor_execute", note)
        assert house.plan().planned == size
        event.remove(engine, "before_cursor_execute", note)
        house.until_due()
        event.listen(engine, "before_cursor_execute", note)
        assert house.take_steps().queued == size
        event.remove(engine, "before_cursor_execute", note)
        counts.append(len(statements))
        house.dispatch()
        house.plan()
    assert counts[0] == counts[1] <= 45


def test_each_platform_is_counted_for_itself(house: Following) -> None:
    house.lead_writes("t1")
    house.answer()
    house.office.clock.advance(hours=24)
    house.take_in()
    pipeline = house.office.pipeline
    assert follow_up.pending_work(pipeline, PLATFORM).due == 1
    assert follow_up.pending_work(pipeline, Platform.RENTHOP).due == 0


def test_the_sensor_learns_when_the_next_step_is_due(house: Following) -> None:
    house.lead_writes("t1")
    house.answer()
    work = follow_up.pending_work(house.office.pipeline, PLATFORM)
    assert (work.due, work.to_plan) == (0, 0)
    assert work.next_due_at == house.now + timedelta(hours=24)
