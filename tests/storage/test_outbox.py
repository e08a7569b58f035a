"""A reply moves through the outbox; a worker that lost its claim changes nothing."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from leasebot_pipeline.domain.dispatching import AfterFailure, DispatchState, after_failure
from leasebot_pipeline.domain.failures import PlatformFailure, SendPhase
from leasebot_pipeline.domain.platforms import Platform, SendMode
from leasebot_pipeline.domain.readings import DeliveryReceipt, SendBaseline
from leasebot_pipeline.storage import outbox, policies
from leasebot_pipeline.storage.outbox import ClaimedDispatch
from tests.storage.conftest import ACCOUNT, NOW

TTL = timedelta(seconds=60)
LATER = NOW + timedelta(seconds=61)
BASELINE = SendBaseline(outbound_count=0, same_text_count=0, last_external_message_id=None)
RECEIPT = DeliveryReceipt("p-1", "in_app", "sent", NOW)


@pytest.fixture
def reply(conn: Connection) -> UUID:
    """A queued reply of one conversation."""
    conversation = conn.execute(
        text(
            """INSERT INTO "Conversations" (platform_account_id, external_thread_id) VALUES (:account, 't1') RETURNING id"""
        ),
        {"account": ACCOUNT},
    ).scalar_one()
    identity: UUID = conn.execute(
        text(
            """INSERT INTO "OutboundDispatches" (purpose, purpose_key, conversation_id, platform_account_id, platform,
                   external_thread_id, body, state)
               VALUES ('decision', 'decision:1', :conversation, :account, 'spareroom', 't1', 'Hello Ana', 'queued')
               RETURNING id"""
        ),
        {"conversation": conversation, "account": ACCOUNT},
    ).scalar_one()
    return identity


def claim(conn: Connection, owner: str = "one", now: object = NOW) -> ClaimedDispatch:
    claimed = outbox.claim_due(conn, ACCOUNT, owner, None, now, TTL)  # type: ignore[arg-type]
    assert claimed is not None
    return claimed


def state(conn: Connection, reply: UUID) -> str:
    return str(
        conn.execute(
            text('SELECT state FROM "OutboundDispatches" WHERE id = :id'), {"id": reply}
        ).scalar_one()
    )


def test_a_reply_is_claimed_once(conn: Connection, reply: UUID) -> None:
    assert claim(conn).id == reply
    assert outbox.claim_due(conn, ACCOUNT, "two", None, NOW, TTL) is None


def test_a_claim_that_ran_out_before_the_intent_is_due_again(conn: Connection, reply: UUID) -> None:
    stale = claim(conn)
    assert outbox.expire_claims(conn, Platform.SPAREROOM, LATER) == (1, 0)
    fresh = claim(conn, "two", LATER)
    assert not outbox.commit_intent(conn, stale, "one", BASELINE, LATER, TTL)
    assert outbox.commit_intent(conn, fresh, "two", BASELINE, LATER, TTL)
    assert state(conn, reply) == "sending"


def test_a_claim_that_ran_out_after_the_intent_is_unknown_and_never_simply_due(
    conn: Connection, reply: UUID
) -> None:
    claimed = claim(conn)
    outbox.commit_intent(conn, claimed, "one", BASELINE, NOW, TTL)
    assert outbox.expire_claims(conn, Platform.SPAREROOM, LATER) == (0, 1)
    assert outbox.claim_due(conn, ACCOUNT, "two", None, LATER, TTL) is None
    in_doubt = outbox.claim_unknown(conn, ACCOUNT, "two", None, LATER, TTL)
    assert in_doubt is not None
    assert (in_doubt.id, in_doubt.baseline) == (reply, BASELINE)
    assert not outbox.mark_sent(conn, claimed, RECEIPT, LATER), "the old worker's fence is stale"
    assert outbox.mark_sent(conn, in_doubt, RECEIPT, LATER)


def test_a_receipt_writes_the_outbound_message_once_also_when_a_poll_saw_it_first(
    conn: Connection, reply: UUID
) -> None:
    claimed = claim(conn)
    outbox.commit_intent(conn, claimed, "one", BASELINE, NOW, TTL)
    conn.execute(
        text(
            """INSERT INTO "Messages" (conversation_id, sender_type, external_message_id, direction, body)
               SELECT conversation_id, 'agent', 'p-1', 'outbound', 'Hello Ana' FROM "OutboundDispatches" """
        )
    )
    assert outbox.mark_sent(conn, claimed, RECEIPT, NOW)
    rows = conn.execute(
        text("""SELECT metadata ->> 'reviewStatus', metadata ->> 'dispatchKey' FROM "Messages" """)
    ).all()
    assert [tuple(row) for row in rows] == [("sent", "decision:1")]
    assert not outbox.mark_sent(conn, claimed, RECEIPT, NOW), "a receipt is stored once"


def test_a_drafted_row_is_kept_and_its_landed_twin_goes(conn: Connection, reply: UUID) -> None:
    draft = conn.execute(
        text(
            """INSERT INTO "Messages" (conversation_id, sender_type, external_message_id, direction, body, metadata)
               SELECT conversation_id, 'agent', purpose_key, 'outbound', body, '{"reviewStatus": "draft"}'
                 FROM "OutboundDispatches" RETURNING id"""
        )
    ).scalar_one()
    conn.execute(text('UPDATE "OutboundDispatches" SET message_id = :draft'), {"draft": draft})
    conn.execute(
        text(
            """INSERT INTO "Messages" (conversation_id, sender_type, external_message_id, direction, body)
               SELECT conversation_id, 'agent', 'p-1', 'outbound', body FROM "OutboundDispatches" """
        )
    )
    claimed = claim(conn)
    outbox.commit_intent(conn, claimed, "one", BASELINE, NOW, TTL)
    assert outbox.mark_sent(conn, claimed, RECEIPT, NOW)
    rows = conn.execute(
        text("""SELECT id, external_message_id, metadata ->> 'reviewStatus' FROM "Messages" """)
    ).all()
    assert [tuple(row) for row in rows] == [(draft, "p-1", "sent")]


def test_a_transient_failure_is_due_again_later_and_a_stopped_account_costs_nothing(
    conn: Connection, reply: UUID
) -> None:
    claimed = claim(conn)
    failure = PlatformFailure("SESSION_EXPIRED", "log in again")
    outcome = after_failure(failure, attempts=claimed.attempts, max_attempts=5, now=NOW, fraction=0)
    assert outbox.mark_failed(conn, claimed, outcome, failure, NOW)
    assert outbox.claim_due(conn, ACCOUNT, "one", None, NOW, TTL) is None
    again = claim(conn, now=NOW + timedelta(minutes=2))
    assert again.attempts == 1


def test_after_the_click_a_failure_waits_for_the_thread_to_be_read(conn: Connection, reply: UUID) -> None:
    claimed = claim(conn)
    outbox.commit_intent(conn, claimed, "one", BASELINE, NOW, TTL)
    failure = PlatformFailure("OUTBOUND_DELIVERY_UNCONFIRMED", "no echo", phase=SendPhase.AFTER_CLICK)
    outcome = after_failure(failure, attempts=1, max_attempts=5, now=NOW, fraction=0)
    assert outbox.mark_failed(conn, claimed, outcome, failure, NOW, recheck_at=NOW + timedelta(seconds=20))
    assert state(conn, reply) == "unknown"
    assert outbox.claim_due(conn, ACCOUNT, "one", None, LATER, TTL) is None
    assert outbox.claim_unknown(conn, ACCOUNT, "one", None, NOW, TTL) is None
    assert outbox.claim_unknown(conn, ACCOUNT, "one", None, LATER, TTL) is not None


def test_an_account_switched_off_stops_a_reply_that_is_not_clicked_yet(conn: Connection, reply: UUID) -> None:
    claimed = claim(conn)
    conn.execute(text('UPDATE "PlatformAccounts" SET is_active = false'))
    assert not outbox.commit_intent(conn, claimed, "one", BASELINE, NOW, TTL)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("""UPDATE "PlatformAccounts" SET send_mode = 'draft_only'""", "draft"),
        ("""UPDATE "PlatformAccounts" SET is_active = false""", "held"),
        ("""UPDATE "ReleaseStages" SET stage = 'shadow'""", "draft"),
        ("""UPDATE "ReleaseStages" SET stage = 'canary', cohort = '{"percentage": 0}'""", "draft"),
        ("""UPDATE "ReleaseStages" SET stage = 'canary', cohort = '{"percentage": 100}'""", "queued"),
        ("SELECT 1", "queued"),
    ],
)
def test_queued_replies_follow_a_policy_that_changed(
    conn: Connection, reply: UUID, change: str, expected: str
) -> None:
    conn.execute(text(change))
    current = policies.account_policies(conn, Platform.SPAREROOM, SendMode.AUTO_SEND)
    outbox.demote_disallowed(conn, Platform.SPAREROOM, current, NOW)
    assert state(conn, reply) == expected


def test_sent_without_a_receipt_is_refused_by_the_database(conn: Connection, reply: UUID) -> None:
    with pytest.raises(Exception, match="outbound_dispatches_receipt_chk"), conn.begin_nested():
        conn.execute(text("""UPDATE "OutboundDispatches" SET state = 'sent'"""))
    assert state(conn, reply) == "queued"


def test_unknown_left_to_a_person_is_not_taken_again(conn: Connection, reply: UUID) -> None:
    claimed = claim(conn)
    outbox.commit_intent(conn, claimed, "one", BASELINE, NOW, TTL)
    for_person = AfterFailure(DispatchState.UNKNOWN, None, counts_as_attempt=True)
    outbox.mark_failed(conn, claimed, for_person, PlatformFailure("PAGE_NOT_FOUND", "gone"), NOW)
    assert outbox.claim_unknown(conn, ACCOUNT, "one", None, NOW + timedelta(days=1), TTL) is None
