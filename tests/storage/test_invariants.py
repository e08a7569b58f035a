"""Each invariant holds on sound data and is seen when it is broken on purpose."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, text, update

from leasebot_pipeline.storage import audit, invariants
from leasebot_pipeline.storage.audit import AuditEntry
from leasebot_pipeline.storage.tables.accounts import platform_accounts
from leasebot_pipeline.storage.tables.conversations import conversations
from leasebot_pipeline.storage.tables.conversations import messages as messages_table
from leasebot_pipeline.storage.tables.operations import outbound_dispatches, release_stages
from leasebot_pipeline.storage.tables.scheduling import follow_ups, slot_offers
from tests.storage import rows
from tests.storage.conftest import ACCOUNT, NOW
from tests.storage.rows import HOUR

SOON = NOW + timedelta(minutes=1)


class Story:
    """A conversation that was asked, decided and answered, all as it should be."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.conversation = rows.conversation(conn)
        self.inbound = self.ask()
        self.decision = rows.decision(conn, self.conversation, self.inbound)
        self.dispatch = self.reply(self.decision)
        self.record("ai_reply_decision")

    def ask(self, **values: Any) -> UUID:
        """A processed inbound message that the watermark covers."""
        message = rows.message(
            self.conn,
            self.conversation,
            **{"metadata": {"aiProcessedAt": "x"}, "created_at": NOW, **values},
        )
        self.set_conversation(newest_inbound_seq=rows.seq(self.conn, message))
        self.set_conversation(handled_through_seq=rows.seq(self.conn, message))
        return message

    def reply(self, decision: UUID | None, body: str = "Hello Ana", **values: Any) -> UUID:
        """A sent reply with its message."""
        message = rows.message(self.conn, self.conversation, "outbound", body=body)
        sent = {
            "decision_id": decision,
            "message_id": message,
            "body": body,
            "state": "sent",
            "receipt": {"externalMessageId": "p-1"},
            "sending_at": NOW,
            "sent_at": NOW,
        }
        return rows.dispatch(self.conn, self.conversation, **{**sent, **values})

    def record(self, action: str, actor: str = "worker", entity: str = "message", **values: Any) -> None:
        details = values.pop("details", {})
        defaults = {"platform": "spareroom", "conversation_id": self.conversation, "entity_id": "x"}
        audit.record(
            self.conn,
            [AuditEntry(actor, entity, action=action, details=details, **{**defaults, **values})],
        )

    def set_conversation(self, **values: Any) -> None:
        table = conversations
        self.conn.execute(update(table).where(table.c.id == self.conversation).values(**values))

    def set_dispatch(self, **values: Any) -> None:
        table = outbound_dispatches
        self.conn.execute(update(table).where(table.c.id == self.dispatch).values(**values))

    def broken(self) -> set[str]:
        return {result.name for result in invariants.check(self.conn, SOON) if not result.holds}


@pytest.fixture
def story(conn: Connection) -> Story:
    return Story(conn)


def test_a_sound_story_breaks_nothing(story: Story) -> None:
    """A second question, a person's reply, an approved draft and a follow-up are all in order."""
    second = story.ask()
    decided = rows.decision(
        story.conn, story.conversation, second, outcome="draft", policy={"sendMode": "draft_only"}
    )
    story.reply(decided, body="Drafted")
    story.reply(None, body="Hello Ana", purpose="manual_reply")
    story.record("inbox_message_approved", actor="admin")
    nudge = story.reply(None, body="Still interested?", purpose="follow_up")
    rows.add(
        story.conn,
        follow_ups,
        conversation_id=story.conversation,
        stage="follow_up_1",
        due_at=NOW,
        dispatch_id=nudge,
    )
    assert story.broken() == set()


def test_a_result_says_what_is_wrong(story: Story) -> None:
    for _ in range(7):
        rows.event(story.conn, landed_at=NOW - HOUR)
    (result,) = [one for one in invariants.check(story.conn, SOON) if not one.holds]
    assert (result.name, result.violations, len(result.sample)) == ("landed_event_settled", 7, 5)
    assert result.sentence == "Each landed event is ingested or quarantined in time."
    assert "spareroom" in result.sample[0]


def test_without_a_given_time_the_databases_clock_counts(story: Story) -> None:
    rows.event(story.conn, landed_at=NOW - timedelta(days=9999))
    broken = {result.name for result in invariants.check(story.conn) if not result.holds}
    assert "landed_event_settled" in broken


def answered_twice(story: Story) -> None:
    story.reply(story.decision, body="Hello again", purpose="approved_draft", state="unknown")
    story.record("inbox_message_approved", actor="admin")


def clicked_twice(story: Story) -> None:
    rows.message(story.conn, story.conversation, "outbound", body=" Hello \n Ana ")


def escalated_yet_sent(story: Story) -> None:
    second = story.ask()
    story.reply(rows.decision(story.conn, story.conversation, second, outcome="escalate"), body="Oh")


def sent_without_decision(story: Story) -> None:
    story.reply(None, body="Out of nowhere")


def follow_up_out_of_nowhere(story: Story) -> None:
    story.reply(None, body="Still interested?", purpose="follow_up")


def manual_reply_by_nobody(story: Story) -> None:
    story.reply(None, body="By whose hand?", purpose="manual_reply")


def decided_without_effect(story: Story) -> None:
    rows.decision(story.conn, story.conversation, story.ask())


def sent_in_shadow(story: Story) -> None:
    story.conn.execute(update(release_stages).values(ended_at=NOW - HOUR))
    rows.add(
        story.conn, release_stages, stage="shadow", actor_type="admin", reason="r", started_at=NOW - HOUR
    )


def sent_before_any_stage(story: Story) -> None:
    story.conn.execute(release_stages.delete())


def policy_change(story: Story, **details: object) -> None:
    story.record(
        "platform_policy_updated", "user", "platform_account", entity_id=str(ACCOUNT), details=details
    )
    story.conn.execute(text('UPDATE "AuditLogs" SET created_at = :at'), {"at": NOW - HOUR})


def sent_on_inactive_account(story: Story) -> None:
    policy_change(story, isActive=False, effectiveSendMode="auto_send")


def sent_in_draft_only(story: Story) -> None:
    policy_change(story, isActive=True, effectiveSendMode="draft_only")


def sent_against_the_decisions_policy(story: Story) -> None:
    story.conn.execute(text("""UPDATE "Decisions" SET policy = '{"sendMode": "draft_only"}'"""))


def sent_without_intent(story: Story) -> None:
    story.set_dispatch(sending_at=None)


def sent_without_message(story: Story) -> None:
    story.conn.execute(messages_table.delete().where(messages_table.c.direction == "outbound"))


def claim_left_lying(story: Story) -> None:
    rows.dispatch(story.conn, story.conversation, state="claimed", lease_expires_at=NOW - HOUR)


def claim_without_lease(story: Story) -> None:
    rows.dispatch(story.conn, story.conversation, state="claimed")


def guards_off(story: Story) -> None:
    """Triggers and foreign keys do not look, for the rest of the test."""
    story.conn.execute(text("SET LOCAL session_replication_role = replica"))


def drop_constraint(story: Story, name: str) -> None:
    story.conn.execute(text(f'ALTER TABLE "ShowingAppointments" DROP CONSTRAINT {name}'))


def overlapping_showings(story: Story) -> None:
    drop_constraint(story, "showing_appointments_no_double_booked_agent")
    agent = rows.agent(story.conn)
    rows.showing(story.conn, agent, rows.unit(story.conn))
    rows.showing(story.conn, agent, rows.unit(story.conn))


def overlapping_buffers(story: Story) -> None:
    drop_constraint(story, "showing_appointments_no_double_booked_agent")
    agent = rows.agent(story.conn)
    rows.showing(story.conn, agent, rows.unit(story.conn), busy_until=NOW + 2 * HOUR)
    later = {"starts_at": NOW + HOUR, "ends_at": NOW + 2 * HOUR, "hold_expires_at": SOON}
    rows.showing(story.conn, agent, rows.unit(story.conn), status="pending", **later)


def seat_taken_twice(story: Story) -> None:
    drop_constraint(story, "showing_appointments_seat_taken_once")
    agent, unit = rows.agent(story.conn), rows.unit(story.conn)
    rows.showing(story.conn, agent, unit)
    rows.showing(story.conn, agent, unit)


def two_agents_in_a_unit(story: Story) -> None:
    drop_constraint(story, "showing_appointments_one_agent_in_unit")
    unit = rows.unit(story.conn)
    rows.showing(story.conn, rows.agent(story.conn), unit)
    rows.showing(story.conn, rows.agent(story.conn), unit, seat=2)


def showing_without_its_conversation(story: Story) -> None:
    guards_off(story)
    agent, unit = rows.agent(story.conn), rows.unit(story.conn)
    rows.showing(
        story.conn,
        agent,
        unit,
        conversation_id=story.conversation,
        status="pending",
        busy_from=NOW,
        busy_until=NOW + HOUR,
    )


def time_held_too_long(story: Story) -> None:
    held = {"status": "pending", "hold_expires_at": NOW - HOUR}
    rows.showing(story.conn, rows.agent(story.conn), rows.unit(story.conn), **held)


def offer(story: Story, state: str, **values: Any) -> UUID:
    identity: UUID = rows.add(
        story.conn,
        slot_offers,
        conversation_id=story.conversation,
        decision_id=story.decision,
        unit_id=rows.unit(story.conn),
        starts_at=NOW,
        ends_at=NOW + HOUR,
        timezone="UTC",
        label="a slot",
        position=1,
        state=state,
        **values,
    )
    return identity


def offer_held_too_long(story: Story) -> None:
    offer(story, "held", hold_expires_at=NOW - HOUR)


def offer_left_its_end(story: Story) -> None:
    ended = {"offerId": str(offer(story, "offered")), "previous": "offered", "next": "declined"}
    story.record("slot_offers_changed", entity="conversation", details={"offers": [ended]})


def event_forgotten(story: Story) -> None:
    rows.event(story.conn, landed_at=NOW - HOUR)


def event_lost(story: Story) -> None:
    rows.event(story.conn, ingested_at=NOW)


def lead_kept_waiting(story: Story) -> None:
    story.ask(created_at=NOW - HOUR)
    story.set_conversation(handled_through_seq=0)


def message_overlooked(story: Story) -> None:
    rows.message(story.conn, story.conversation)


def confirmed_without_appointment(story: Story) -> None:
    story.set_conversation(showing_state="confirmed")


def confirmed_but_only_held(story: Story) -> None:
    story.set_conversation(showing_state="confirmed")
    held = {"status": "cancelled", "hold_expires_at": NOW}
    agent, unit = rows.agent(story.conn), rows.unit(story.conn)
    rows.showing(story.conn, agent, unit, conversation_id=story.conversation, **held)


def another_leads_showing_begun(story: Story) -> None:
    other = rows.showing(story.conn, rows.agent(story.conn), rows.unit(story.conn))
    details = {
        "previous": {"showingState": "no_show"},
        "next": {"showingState": "confirmed"},
        "newAppointmentId": str(other),
    }
    story.record("workflow_state_transitioned", entity="conversation", details=details)


def terminal_showing_left(story: Story) -> None:
    story.record(
        "workflow_state_transitioned",
        entity="conversation",
        details={"previous": {"showingState": "no_show"}, "next": {"showingState": None}},
    )


def terminal_appointment_left(story: Story) -> None:
    story.record(
        "showing_workflow_outcome_synced",
        entity="showing_appointment",
        details={"previousStatus": "cancelled", "nextStatus": "confirmed"},
    )


def sent_reply_reopened(story: Story) -> None:
    story.set_dispatch(purpose_key="decision:x", state="queued")
    story.record("platform_dispatch_sent", details={"dispatchKey": "decision:x"})


def audit_without_platform(story: Story) -> None:
    story.record("ai_reply_escalated", platform=None)


def audit_of_another_platform(story: Story) -> None:
    story.record("ai_reply_escalated", details={"platform": "roomies"})


BREACHES: list[tuple[Callable[[Story], None], str]] = [
    (answered_twice, "message_answered_once"),
    (clicked_twice, "reply_in_thread_once"),
    (escalated_yet_sent, "reply_has_author"),
    (sent_without_decision, "reply_has_author"),
    (follow_up_out_of_nowhere, "reply_has_author"),
    (manual_reply_by_nobody, "reply_has_author"),
    (decided_without_effect, "decision_has_effect"),
    (sent_in_shadow, "nothing_sent_in_shadow"),
    (sent_before_any_stage, "nothing_sent_in_shadow"),
    (sent_on_inactive_account, "nothing_sent_against_policy"),
    (sent_in_draft_only, "nothing_sent_against_policy"),
    (sent_against_the_decisions_policy, "nothing_sent_against_policy"),
    (sent_without_intent, "sent_has_receipt"),
    (sent_without_message, "sent_has_receipt"),
    (claim_left_lying, "no_claim_past_lease"),
    (claim_without_lease, "no_claim_past_lease"),
    (overlapping_showings, "no_overlapping_showings"),
    (overlapping_buffers, "no_overlapping_showings"),
    (seat_taken_twice, "visitors_have_their_seats"),
    (two_agents_in_a_unit, "visitors_have_their_seats"),
    (showing_without_its_conversation, "showing_agrees"),
    (time_held_too_long, "no_hold_past_its_time"),
    (offer_held_too_long, "no_hold_past_its_time"),
    (offer_left_its_end, "ended_offer_final"),
    (another_leads_showing_begun, "terminal_state_final"),
    (event_forgotten, "landed_event_settled"),
    (event_lost, "ingested_event_stored"),
    (lead_kept_waiting, "waiting_conversation_decided"),
    (message_overlooked, "new_message_waits"),
    (confirmed_without_appointment, "confirmed_showing_booked"),
    (confirmed_but_only_held, "confirmed_showing_booked"),
    (terminal_showing_left, "terminal_state_final"),
    (terminal_appointment_left, "terminal_state_final"),
    (sent_reply_reopened, "terminal_state_final"),
    (audit_without_platform, "audit_names_platform"),
    (audit_of_another_platform, "audit_names_platform"),
]


@pytest.mark.parametrize(("breach", "name"), BREACHES, ids=lambda one: getattr(one, "__name__", ""))
def test_a_breach_is_seen_and_nothing_else(story: Story, breach: Callable[[Story], None], name: str) -> None:
    breach(story)
    assert story.broken() == {name}


def test_every_invariant_has_a_breach() -> None:
    assert {name for _, name in BREACHES} == {one.name for one in invariants.INVARIANTS}


def test_what_is_merely_under_way_breaks_nothing(story: Story) -> None:
    """Waiting within bounds, an inactive account's lead, history, a reply not yet clicked."""
    rows.event(story.conn, landed_at=NOW)
    rows.event(story.conn, landed_at=NOW - HOUR, quarantined_at=NOW, quarantine_reason="no text")
    rows.dispatch(story.conn, story.conversation, state="claimed", lease_expires_at=NOW)
    rows.dispatch(story.conn, story.conversation, state="queued")
    fresh = rows.conversation(story.conn)
    waits = rows.message(story.conn, fresh, created_at=NOW)
    story.conn.execute(
        update(conversations)
        .where(conversations.c.id == fresh)
        .values(newest_inbound_seq=rows.seq(story.conn, waits))
    )
    assert story.broken() == set()
    story.conn.execute(update(platform_accounts).values(is_active=False))
    story.conn.execute(text("""UPDATE "Messages" SET created_at = :at"""), {"at": NOW - HOUR})
    assert story.broken() == set()
