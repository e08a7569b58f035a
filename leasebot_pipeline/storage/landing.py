"""Landing: what a poll saw, raw, in `"InboundEvents"`; and the inbox's change signal in `"InboxThreads"`.

Both are idempotent: landing the same thread page twice adds nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.domain.recognition import Edit, KnownMessage
from leasebot_pipeline.storage.outbox_sql import BEING_SETTLED, VISITABLE_ACCOUNT, due


@dataclass(frozen=True, slots=True)
class SeenThread:
    """One inbox row as the change signal needs it."""

    external_thread_id: str
    fingerprint: str
    sort_rank: int
    history: bool
    """True when the row's own time lies before the history bound: known, but not worth a visit."""
    ours_last: bool
    """True when the newest message is ours: read after those in which a lead waits."""


# A thread is new or changed while its fingerprint differs from the one its page was last read under.
# History never seen before counts as read: it is answered by nobody. Rows that left the inbox lose
# their rank; where the list goes on behind the rows seen, those not seen stand behind them instead. One
# statement, whatever the size of the inbox.
_NOTE_INBOX = text("""
    WITH seen AS (
      SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS t(external_thread_id text, fingerprint text, sort_rank int, history boolean, ours_last boolean)
    ), unseen AS (
      SELECT external_thread_id, (SELECT count(*) FROM seen) + 1 - min(sort_rank) OVER () AS shift
        FROM "InboxThreads"
       WHERE platform_account_id = :account AND sort_rank IS NOT NULL
         AND external_thread_id NOT IN (SELECT external_thread_id FROM seen)
    ), gone AS (
      UPDATE "InboxThreads" i SET sort_rank = CASE WHEN :truncated THEN i.sort_rank + u.shift END
        FROM unseen u
       WHERE i.platform_account_id = :account AND i.external_thread_id = u.external_thread_id
         AND (NOT :truncated OR u.shift > 0)
    ), noted AS (
      INSERT INTO "InboxThreads" AS i
             (platform_account_id, external_thread_id, fingerprint, read_fingerprint, sort_rank, seen_at)
      SELECT :account, external_thread_id, fingerprint, CASE WHEN history THEN fingerprint END, sort_rank, :now
        FROM seen
      ON CONFLICT (platform_account_id, external_thread_id) DO UPDATE
         SET fingerprint = EXCLUDED.fingerprint, sort_rank = EXCLUDED.sort_rank, seen_at = EXCLUDED.seen_at
      RETURNING i.external_thread_id, i.failures, i.read_fingerprint IS DISTINCT FROM i.fingerprint AS unread
    )
    SELECT external_thread_id FROM noted JOIN seen USING (external_thread_id)
     WHERE noted.unread ORDER BY noted.failures, seen.ours_last, seen.sort_rank
""")


def note_inbox(
    conn: Connection, account: UUID, threads: Sequence[SeenThread], now: datetime, *, truncated: bool = False
) -> list[str]:
    """Store what the inbox listed; returns the threads whose page must be read: waiting leads first, then by rank.

    Threads that failed before come last, so that one broken page never starves the others. ``truncated``:
    the inbox goes on behind these threads.
    """
    rows = json.dumps([asdict(thread) for thread in threads])
    parameters = {"account": account, "rows": rows, "now": now, "truncated": truncated}
    return list(conn.execute(_NOTE_INBOX, parameters).scalars())


@dataclass(frozen=True, slots=True)
class LandedMessage:
    """One message of a thread page on its way to `"InboundEvents"`."""

    external_message_id: str
    identity_source: str
    direction: str
    body: str
    sent_at: datetime | None
    sent_at_text: str | None
    sent_at_has_time: bool


_LAND = text("""
    INSERT INTO "InboundEvents"
           (platform_account_id, platform, external_thread_id, external_message_id, identity_source, direction, body,
            sent_at, sent_at_text, sent_at_has_time, payload, platform_run_id, landed_at)
    SELECT :account, :platform, :thread, m.external_message_id, m.identity_source, m.direction, m.body,
           m.sent_at, m.sent_at_text, m.sent_at_has_time, CAST(:payload AS jsonb), :run, :now
      FROM ROWS FROM (jsonb_to_recordset(CAST(:messages AS jsonb))
             AS (external_message_id text, identity_source text, direction text, body text, sent_at timestamptz,
                 sent_at_text text, sent_at_has_time boolean)) WITH ORDINALITY
        AS m(external_message_id, identity_source, direction, body, sent_at, sent_at_text, sent_at_has_time, position)
     ORDER BY m.position
    ON CONFLICT (platform_account_id, external_thread_id, external_message_id) DO NOTHING
    RETURNING direction
""")
_MARK_READ = text("""
    UPDATE "InboxThreads" SET read_fingerprint = fingerprint, read_at = :now, failures = 0, last_error = NULL
     WHERE platform_account_id = :account AND external_thread_id = :thread
""")


def land_thread(
    conn: Connection,
    *,
    account: UUID,
    platform: Platform,
    external_thread_id: str,
    messages: Sequence[LandedMessage],
    payload: dict[str, object],
    platform_run: UUID,
    now: datetime,
) -> tuple[int, int]:
    """Land a thread page and mark the thread read, in the caller's transaction; (new, new inbound)."""
    rows = [
        {**asdict(message), "sent_at": message.sent_at.isoformat() if message.sent_at else None}
        for message in messages
    ]
    directions = list(
        conn.execute(
            _LAND,
            {
                "account": account,
                "platform": platform.value,
                "thread": external_thread_id,
                "messages": json.dumps(rows),
                "payload": json.dumps(payload),
                "run": platform_run,
                "now": now,
            },
        ).scalars()
    )
    conn.execute(_MARK_READ, {"account": account, "thread": external_thread_id, "now": now})
    return len(directions), directions.count("inbound")


# Our own sent replies are known from the moment they were proven, before the thread is read again. Of what
# we wrote, the platform's version counts; of what a lead wrote, the newest one.
_KNOWN = text("""
    SELECT e.external_message_id, e.direction,
           CASE WHEN e.direction = 'inbound' THEN COALESCE(m.body, e.body) ELSE e.body END AS body,
           e.sent_at, e.sent_at_text, e.sent_at_has_time, e.id AS landed
      FROM "InboundEvents" e LEFT JOIN "Messages" m ON m.id = e.message_id
     WHERE e.platform_account_id = :account AND e.external_thread_id = :thread
    UNION ALL
    SELECT m.external_message_id, m.direction, m.body, NULL, NULL, false, NULL
      FROM "Conversations" c JOIN "Messages" m ON m.conversation_id = c.id
     WHERE c.platform_account_id = :account AND c.external_thread_id = :thread
       AND m.external_message_id IS NOT NULL AND m.direction = 'outbound'
       AND NOT EXISTS (SELECT 1 FROM "InboundEvents" e
                        WHERE e.platform_account_id = :account AND e.external_thread_id = :thread
                          AND e.external_message_id = m.external_message_id)
     ORDER BY landed NULLS LAST
""")


def known_messages(conn: Connection, account: UUID, external_thread_id: str) -> list[KnownMessage]:
    """What is stored of a thread, in landing order."""
    return [
        KnownMessage(
            row.external_message_id,
            Direction(row.direction),
            row.body,
            row.sent_at,
            row.sent_at_text,
            row.sent_at_has_time,
        )
        for row in conn.execute(_KNOWN, {"account": account, "thread": external_thread_id})
    ]


# An event not ingested yet becomes a message with the new text; one that is one already keeps what it said
# before beside it. The events stay what each poll saw.
_EDIT_EVENTS = text("""
    UPDATE "InboundEvents" e SET body = n.body
      FROM jsonb_to_recordset(CAST(:edits AS jsonb)) AS n(external_message_id text, body text)
     WHERE e.platform_account_id = :account AND e.external_thread_id = :thread AND e.direction = 'inbound'
       AND e.external_message_id = n.external_message_id AND e.ingested_at IS NULL AND e.quarantined_at IS NULL
""")
_EDIT_MESSAGES = text("""
    UPDATE "Messages" m
       SET body = n.body,
           metadata = m.metadata || jsonb_build_object('edits', COALESCE(m.metadata -> 'edits', '[]'::jsonb)
             || jsonb_build_array(jsonb_build_object('body', m.body, 'seenAt', CAST(:now AS timestamptz))))
      FROM "Conversations" c, jsonb_to_recordset(CAST(:edits AS jsonb)) AS n(external_message_id text, body text)
     WHERE c.platform_account_id = :account AND c.external_thread_id = :thread AND m.conversation_id = c.id
       AND m.external_message_id = n.external_message_id AND m.direction = 'inbound' AND m.body <> n.body
       AND c.erased_at IS NULL
    RETURNING m.id, m.conversation_id, m.external_message_id
""")


@dataclass(frozen=True, slots=True)
class EditedMessage:
    """A stored message whose text was replaced."""

    message_id: UUID
    conversation_id: UUID
    external_message_id: str


def note_edits(
    conn: Connection, account: UUID, external_thread_id: str, edits: Sequence[Edit], now: datetime
) -> list[EditedMessage]:
    """Give edited messages of the lead their new text; what they said before stays in their metadata.

    Nothing waits anew because of an edit: who was answered was answered. Returns the edited messages that
    were ingested already.
    """
    if not edits:
        return []
    parameters = {
        "account": account,
        "thread": external_thread_id,
        "edits": json.dumps([asdict(edit) for edit in edits]),
        "now": now,
    }
    conn.execute(_EDIT_EVENTS, parameters)
    return [EditedMessage(*row) for row in conn.execute(_EDIT_MESSAGES, parameters)]


_THREAD_FAILED = text("""
    UPDATE "InboxThreads" SET failures = failures + 1, last_error = :error
     WHERE platform_account_id = :account AND external_thread_id = :thread
""")


def note_thread_failure(conn: Connection, account: UUID, external_thread_id: str, error: str) -> None:
    """Remember that a thread page could not be read; it is tried again, behind the others."""
    conn.execute(_THREAD_FAILED, {"account": account, "thread": external_thread_id, "error": error[:500]})


_THREAD_GONE = text("""
    UPDATE "InboxThreads" SET read_fingerprint = fingerprint, read_at = :now, failures = failures + 1, last_error = :error
     WHERE platform_account_id = :account AND external_thread_id = :thread
""")


def note_thread_gone(
    conn: Connection, account: UUID, external_thread_id: str, error: str, now: datetime
) -> None:
    """Remember that a listed thread has no page any more; it is tried again once the inbox shows a change."""
    parameters = {"account": account, "thread": external_thread_id, "error": error[:500], "now": now}
    conn.execute(_THREAD_GONE, parameters)


@dataclass(frozen=True, slots=True)
class PendingWork:
    """What waits for a run of a platform."""

    events: int
    conversations: int
    dispatches: int


_PENDING = text(f"""
    SELECT (SELECT count(*) FROM (
              SELECT 1 FROM "InboundEvents"
               WHERE platform = :platform AND ingested_at IS NULL AND quarantined_at IS NULL LIMIT 10000) e),
           (SELECT count(*) FROM (
              SELECT 1 FROM "Conversations" c JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
               WHERE a.platform = :platform AND a.is_active AND c.status = 'open'
                 AND c.newest_inbound_seq > c.handled_through_seq AND NOT {BEING_SETTLED} LIMIT 10000) w),
           (SELECT count(*) FROM (
              SELECT 1 FROM "OutboundDispatches" d
                JOIN "PlatformAccounts" a ON a.id = d.platform_account_id
                LEFT JOIN "AccountRuntime" r ON r.platform_account_id = d.platform_account_id
               WHERE d.platform = :platform AND d.state IN ('queued', 'retry_scheduled', 'claimed', 'sending', 'unknown')
                 AND {VISITABLE_ACCOUNT} AND {due("d")}
               LIMIT 10000) o)
""")


def pending_work(conn: Connection, platform: Platform, now: datetime) -> PendingWork:
    """Counts (capped at 10,000 each) of landed events, waiting conversations and due dispatches."""
    events, conversations, dispatches = conn.execute(_PENDING, {"platform": platform.value, "now": now}).one()
    return PendingWork(events, conversations, dispatches)
