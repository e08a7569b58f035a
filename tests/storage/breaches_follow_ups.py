"""Ways to break what must always hold of follow-ups and opt-outs (see ``test_invariants``)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from leasebot_pipeline.storage.tables.scheduling import follow_ups
from tests.storage import rows
from tests.storage.conftest import ACCOUNT, NOW
from tests.storage.rows import HOUR

if TYPE_CHECKING:
    from tests.storage.test_invariants import Story


def step(story: Story, **values: Any) -> UUID:
    """A first follow-up after all that was said."""
    defaults = {
        "conversation_id": story.conversation,
        "stage": "follow_up_1",
        "due_at": NOW,
        "after_seq": rows.seq(story.conn, story.inbound) + 1000,
    }
    identity: UUID = rows.add(story.conn, follow_ups, **{**defaults, **values})
    return identity


def sent_step(story: Story, body: str, **values: Any) -> UUID:
    dispatch = story.reply(None, body=body, purpose="follow_up")
    return step(story, status="completed", dispatch_id=dispatch, **values)


def followed_up_twice(story: Story) -> None:
    story.conn.execute(text("DROP INDEX idx_follow_ups_step"))
    sent_step(story, "Still interested?")
    sent_step(story, "Are you still interested?")


def follow_up_clicked_twice(story: Story) -> None:
    sent_step(story, "Still interested?")
    rows.message(story.conn, story.conversation, "outbound", body="Still  interested?")


def followed_up_after_an_answer(story: Story) -> None:
    sent_step(story, "Still interested?", after_seq=0)
    later = {"at": NOW + timedelta(seconds=30)}
    story.conn.execute(
        text("""UPDATE "OutboundDispatches" SET sending_at = :at WHERE purpose = 'follow_up'"""), later
    )


def written_after_opting_out(story: Story) -> None:
    story.set_conversation(opted_out_at=NOW - HOUR)


def written_after_taking_over(story: Story) -> None:
    story.set_conversation(taken_over_at=NOW - HOUR)


def silent_lead_forgotten(story: Story) -> None:
    step(story, due_at=NOW - HOUR)
    story.conn.execute(
        text(
            """INSERT INTO "AccountRuntime" (platform_account_id, last_success_ingest_at) VALUES (:account, :now)
               ON CONFLICT (platform_account_id) DO UPDATE SET last_success_ingest_at = :now"""
        ),
        {"account": ACCOUNT, "now": NOW},
    )


def said_to_be_due(story: Story) -> None:
    step(story, status="cancelled", reason="lead_replied")
    story.set_conversation(
        follow_up_stage="follow_up_1", follow_up_due_at=NOW, follow_up_owner_agent_id=rows.agent(story.conn)
    )


BREACHES = [
    (followed_up_twice, "follow_up_once"),
    (follow_up_clicked_twice, "follow_up_in_thread_once"),
    (followed_up_after_an_answer, "no_follow_up_after_reply"),
    (written_after_opting_out, "opted_out_not_written"),
    (written_after_taking_over, "taken_over_left_alone"),
    (silent_lead_forgotten, "silent_lead_not_forgotten"),
    (said_to_be_due, "conversation_knows_its_step"),
]
