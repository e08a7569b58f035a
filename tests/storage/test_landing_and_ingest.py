"""What a poll saw becomes conversations and messages, once."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage import ingest, landing, platform_runs
from leasebot_pipeline.storage.landing import LandedMessage, SeenThread
from tests.storage.conftest import ACCOUNT, NOW

PLATFORM = Platform.SPAREROOM
BOUND = NOW - timedelta(hours=48)


def message(
    identity: str, body: str, *, direction: str = "inbound", sent_at: datetime | None = NOW
) -> LandedMessage:
    return LandedMessage(identity, "platform", direction, body, sent_at, "today", sent_at is not None)


def seen(
    thread: str, fingerprint: str, rank: int = 1, *, history: bool = False, ours: bool = False
) -> SeenThread:
    return SeenThread(thread, fingerprint, rank, history, ours)


def land(
    conn: Connection, thread: str, *messages: LandedMessage, payload: dict[str, object] | None = None
) -> int:
    run = platform_runs.begin(
        conn, account=ACCOUNT, platform=PLATFORM, action="ingest", triggered_by="test", run_id=None, now=NOW
    )
    landed, _ = landing.land_thread(
        conn,
        account=ACCOUNT,
        platform=PLATFORM,
        external_thread_id=thread,
        messages=messages,
        payload=payload or {},
        platform_run=run,
        now=NOW,
    )
    return landed


def ingest_all(conn: Connection) -> ingest.Ingested:
    rows = ingest.load_pending(conn, PLATFORM, 1000)
    return ingest.ingest_events(conn, PLATFORM, [row["id"] for row in rows], BOUND, NOW)


def waiting(conn: Connection) -> set[str]:
    query = 'SELECT external_thread_id FROM "Conversations" WHERE newest_inbound_seq > handled_through_seq'
    return set(conn.execute(text(query)).scalars())


def test_a_thread_is_read_while_its_row_differs_from_the_one_it_was_read_under(conn: Connection) -> None:
    assert landing.note_inbox(conn, ACCOUNT, [seen("a", "1"), seen("b", "1", 2)], NOW) == ["a", "b"]
    land(conn, "a", message("m1", "hi"))
    assert landing.note_inbox(conn, ACCOUNT, [seen("a", "1"), seen("b", "1", 2)], NOW) == ["b"]
    assert landing.note_inbox(conn, ACCOUNT, [seen("a", "2"), seen("b", "1", 2)], NOW) == ["a", "b"]


def test_history_is_not_visited_until_it_moves(conn: Connection) -> None:
    assert landing.note_inbox(conn, ACCOUNT, [seen("old", "1", history=True)], NOW) == []
    assert landing.note_inbox(conn, ACCOUNT, [seen("old", "2")], NOW) == ["old"]


def test_waiting_leads_come_before_our_own_and_before_broken_threads(conn: Connection) -> None:
    rows = [seen("ours", "1", 1, ours=True), seen("broken", "1", 2), seen("lead", "1", 3)]
    landing.note_inbox(conn, ACCOUNT, rows, NOW)
    landing.note_thread_failure(conn, ACCOUNT, "broken", "PAGE_TIMEOUT")
    assert landing.note_inbox(conn, ACCOUNT, rows, NOW) == ["lead", "ours", "broken"]


def test_landing_twice_adds_nothing_and_equal_texts_are_two(conn: Connection) -> None:
    two = (message("m1", "hello?"), message("m2", "hello?"))
    assert land(conn, "a", *two) == 2
    assert land(conn, "a", *two) == 0


def test_a_batch_becomes_conversations_and_messages_in_page_order(conn: Connection) -> None:
    land(
        conn, "a", message("m1", "first"), message("m2", "second", sent_at=None), payload={"leadName": "Ana"}
    )
    land(conn, "b", message("m1", "other"))
    result = ingest_all(conn)
    assert (result.events, result.new_messages, len(result.conversations)) == (3, 3, 2)
    bodies = conn.execute(
        text(
            'SELECT body, sent_at FROM "Messages" JOIN "Conversations" c ON c.id = conversation_id '
            "WHERE external_thread_id = 'a' ORDER BY seq"
        )
    ).all()
    assert [tuple(row) for row in bodies] == [("first", NOW), ("second", None)]
    assert waiting(conn) == {"a", "b"}
    assert ingest_all(conn).events == 0


def test_history_is_stored_and_never_waits(conn: Connection) -> None:
    old = NOW - timedelta(days=30)
    land(conn, "a", message("m1", "is it free?", sent_at=old))
    assert ingest_all(conn).new_messages == 1
    assert waiting(conn) == set()


def test_a_person_who_answered_on_the_platform_ends_the_waiting(conn: Connection) -> None:
    land(conn, "a", message("m1", "is it free?"))
    ingest_all(conn)
    land(conn, "a", message("m1", "is it free?"), message("m2", "yes it is", direction="outbound"))
    ingest_all(conn)
    assert waiting(conn) == set()
    land(conn, "a", message("m3", "great, when?"))
    ingest_all(conn)
    assert waiting(conn) == {"a"}


def test_bad_rows_are_set_aside_with_their_reason(conn: Connection) -> None:
    land(conn, "a", message("m1", ""), message("m2", "fine"))
    rows = ingest.load_pending(conn, PLATFORM, 10)
    assert ingest.quarantine(conn, {rows[0]["id"]: "body is empty"}, NOW) == 1
    assert ingest_all(conn).events == 1
    reason = conn.execute(
        text('SELECT quarantine_reason FROM "InboundEvents" WHERE ingested_at IS NULL')
    ).scalar_one()
    assert reason == "body is empty"


def test_an_archived_conversation_reopens_and_known_facts_are_kept(conn: Connection) -> None:
    """Behaviour 124."""
    land(
        conn,
        "a",
        message("m1", "hi"),
        payload={"leadName": "Ana", "leadContact": {"email": "a@example.test"}},
    )
    ingest_all(conn)
    conn.execute(text("""UPDATE "Conversations" SET status = 'archived'"""))
    land(conn, "a", message("m2", "still there?"), payload={"leadContact": {"email": "b@example.test"}})
    ingest_all(conn)
    row = conn.execute(text('SELECT status, lead_name, lead_contact FROM "Conversations"')).one()
    assert tuple(row) == ("open", "Ana", {"email": "a@example.test"})


def test_ranks_follow_the_inbox(conn: Connection) -> None:
    landing.note_inbox(conn, ACCOUNT, [seen("a", "1", 1), seen("b", "1", 2)], NOW)
    land(conn, "a", message("m1", "hi"))
    land(conn, "b", message("m1", "hi"))
    ingest_all(conn)
    landing.note_inbox(conn, ACCOUNT, [seen("b", "1", 1)], NOW)
    ingest_all(conn)
    ranks = conn.execute(
        text('SELECT external_thread_id, external_inbox_sort_rank FROM "Conversations" ORDER BY 1')
    )
    assert [tuple(row) for row in ranks] == [("a", None), ("b", 1)]


def test_pending_work_counts_what_a_run_would_do(conn: Connection) -> None:
    assert landing.pending_work(conn, PLATFORM, NOW) == landing.PendingWork(0, 0, 0)
    land(conn, "a", message("m1", "hi"))
    assert landing.pending_work(conn, PLATFORM, NOW).events == 1
    ingest_all(conn)
    assert landing.pending_work(conn, PLATFORM, NOW) == landing.PendingWork(0, 1, 0)
    conn.execute(text('UPDATE "PlatformAccounts" SET is_active = false'))
    assert landing.pending_work(conn, PLATFORM, NOW).conversations == 0


def test_the_pending_queues_are_read_by_their_partial_indexes(conn: Connection) -> None:
    conn.execute(text("SET LOCAL enable_seqscan = off"))
    plans = {
        "idx_inbound_events_pending": (
            """SELECT * FROM "InboundEvents" WHERE platform = 'roomies' AND ingested_at IS NULL
               AND quarantined_at IS NULL ORDER BY id LIMIT 100"""
        ),
        "idx_conversations_waiting": (
            """SELECT * FROM "Conversations" WHERE platform_account_id = gen_random_uuid() AND status = 'open'
               AND newest_inbound_seq > handled_through_seq ORDER BY newest_inbound_seq LIMIT 100"""
        ),
    }
    for index, query in plans.items():
        plan = "\n".join(conn.execute(text(f"EXPLAIN {query}")).scalars())
        assert index in plan, plan


def test_identity_of_an_event_is_account_thread_and_message(conn: Connection) -> None:
    assert land(conn, "a", message("m1", "x")) == 1
    assert land(conn, "b", message("m1", "x")) == 1


def test_a_thread_that_is_gone_is_left_alone_until_the_inbox_shows_a_change(conn: Connection) -> None:
    landing.note_inbox(conn, ACCOUNT, [seen("gone", "1")], NOW)
    landing.note_thread_gone(conn, ACCOUNT, "gone", "PAGE_NOT_FOUND: deleted", NOW)
    assert landing.note_inbox(conn, ACCOUNT, [seen("gone", "1")], NOW) == []
    assert landing.note_inbox(conn, ACCOUNT, [seen("gone", "2")], NOW) == ["gone"]
