"""Replies in people's hands: written by them, approved, edited or rejected. All go out through the outbox.

Every function works in the caller's transaction and locks the conversation first, as decisions do. Nothing
here clicks: an approved or written reply is queued, and is sent only with a receipt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.booking import BookingReason
from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.storage import booking, manual_offers, offered_times, outbox_sweeps
from leasebot_pipeline.storage.booking import Actor, BookingResult
from leasebot_pipeline.storage.crash_points import crash_point
from leasebot_pipeline.storage.inbox import draft_version
from leasebot_pipeline.storage.offered_times import GoneTime
from leasebot_pipeline.storage.policies import CURRENT_STAGE, IN_SHADOW, Kept

Refusal = Literal[
    "not_found",
    "not_a_draft",
    "already_approved",
    "superseded",
    "account_inactive",
    "slot_gone",
    "offered_times_taken",
]


@dataclass(frozen=True, slots=True)
class DraftRow:
    """An outbound message that was not sent, and the outbox row behind it, if it has one."""

    id: UUID
    conversation_id: UUID
    platform_account_id: UUID
    platform: str
    assigned_agent_id: UUID | None
    follow_up_owner_agent_id: UUID | None
    body: str
    review_status: str
    metadata: dict[str, Any]
    dispatch_id: UUID | None
    dispatch_state: str | None
    purpose: str | None
    decision_id: UUID | None
    template_body: str | None
    account_is_active: bool
    in_shadow: bool
    overtaken: bool
    rent_cents: int | None

    @property
    def version(self) -> str:
        """Changes with the text and with what was done about it."""
        return draft_version(self.body, self.review_status, self.dispatch_state)


@dataclass(frozen=True, slots=True)
class Approval:
    """What came of an approval; ``booking`` tells why a held time could not be kept, ``gone`` which offered ones are taken.

    ``kept`` says why the draft stays one although nothing speaks against it: nothing can be sent now.
    """

    refused: Refusal | None
    dispatch_id: UUID | None = None
    booking: BookingResult | None = None
    kept: Kept | None = None
    gone: tuple[GoneTime, ...] = ()


_LOCK_CONVERSATION = text("""
    SELECT c.id FROM "Messages" m JOIN "Conversations" c ON c.id = m.conversation_id WHERE m.id = :id FOR UPDATE OF c
""")
_DRAFT = text(f"""
    SELECT m.id, m.conversation_id, c.platform_account_id, a.platform, c.assigned_agent_id, c.follow_up_owner_agent_id,
           m.body, COALESCE(m.metadata ->> 'reviewStatus', 'sent') AS review_status, m.metadata,
           d.id AS dispatch_id, d.state AS dispatch_state, d.purpose, d.decision_id, t.body AS template_body,
           a.is_active AS account_is_active, COALESCE(s.stage, 'shadow') = 'shadow' AS in_shadow,
           COALESCE(d.purpose <> 'manual_reply'
                    AND GREATEST(c.newest_inbound_seq, c.handled_through_seq) > d.based_on_seq, false) AS overtaken,
           li.rent_cents
      FROM "Messages" m
      JOIN "Conversations" c ON c.id = m.conversation_id
      JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
      {CURRENT_STAGE}
      LEFT JOIN "Listings" li ON li.id = c.listing_id
      LEFT JOIN "OutboundDispatches" d ON d.message_id = m.id AND d.conversation_id = c.id
      LEFT JOIN "Decisions" x ON x.id = d.decision_id
      LEFT JOIN "Templates" t ON t.id = x.template_id
     WHERE m.id = :id AND m.direction = 'outbound'
     ORDER BY d.created_at DESC LIMIT 1
""")
_QUEUE = text("""
    UPDATE "OutboundDispatches"
       SET state = 'queued', purpose = CASE purpose WHEN 'manual_reply' THEN purpose ELSE 'approved_draft' END,
           next_attempt_at = :now, queued_at = :now, error_class = NULL, error_code = NULL, last_error = NULL,
           updated_at = :now
     WHERE id = :id
""")
_HOLD = text("""
    UPDATE "OutboundDispatches" SET state = 'held', error_code = 'rejected_by_person', next_attempt_at = NULL, updated_at = :now
     WHERE id = :id AND state IN ('draft', 'queued', 'retry_scheduled')
""")
_MARK = text("""
    UPDATE "Messages" SET metadata = metadata || CAST(:marks AS jsonb) WHERE id = :id
""")
_EDIT_MESSAGE = text("""
    UPDATE "Messages" SET body = :body, metadata = metadata || CAST(:marks AS jsonb) WHERE id = :id
""")
_EDIT_DISPATCH = text("""
    UPDATE "OutboundDispatches" SET body = :body, updated_at = :now WHERE id = :id AND state IN ('draft', 'held')
""")
_INSERT_MESSAGE = text("""
    INSERT INTO "Messages" (id, conversation_id, sender_type, sender_agent_id, external_message_id, direction, channel,
                            body, metadata, sent_at)
    VALUES (:id, :conversation, 'agent', :agent, :key, 'outbound', 'in_app', :body, CAST(:metadata AS jsonb), NULL)
""")
_INSERT_DISPATCH = text("""
    INSERT INTO "OutboundDispatches" (id, purpose, purpose_key, conversation_id, platform_account_id, platform,
                                      external_thread_id, message_id, body, state, next_attempt_at, queued_at,
                                      created_at, updated_at)
    SELECT :id, :purpose, :key, c.id, c.platform_account_id, a.platform, c.external_thread_id, :message, :body, :state,
           CASE WHEN :state = 'queued' THEN CAST(:now AS timestamptz) END,
           CASE WHEN :state = 'queued' THEN CAST(:now AS timestamptz) END, :now, :now
      FROM "Conversations" c JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
     WHERE c.id = :conversation
""")
# Somebody answers the lead in person: what the bot had ready for the same message is not said, too.
_WITHDRAW = text("""
    UPDATE "OutboundDispatches"
       SET state = 'cancelled', error_code = 'superseded_by_person', next_attempt_at = NULL, updated_at = :now,
           last_error = 'a person answered instead'
     WHERE conversation_id = :conversation AND purpose <> 'manual_reply'
       AND state IN ('draft', 'held', 'queued', 'retry_scheduled')
    RETURNING id, decision_id
""")
_HANDLED = text("""
    UPDATE "Conversations"
       SET handled_through_seq = GREATEST(handled_through_seq, COALESCE(newest_inbound_seq, 0)), updated_at = :now
     WHERE id = :conversation
""")


def lock_draft(conn: Connection, message_id: UUID) -> DraftRow | None:
    """The outbound message, its conversation locked; None when there is no such outbound message."""
    if conn.execute(_LOCK_CONVERSATION, {"id": message_id}).one_or_none() is None:
        return None
    row = conn.execute(_DRAFT, {"id": message_id}).one_or_none()
    return None if row is None else DraftRow(*row)


def approve(conn: Connection, draft: DraftRow, actor: Actor, policy: SlotPolicy, now: datetime) -> Approval:
    """Queue a draft or a held reply to be sent; a time it holds is confirmed in the same transaction.

    A person's own draft goes out instead of what the bot had ready, as one that is sent at once does. In shadow nothing
    goes out: the draft stays as it is, and nothing is withdrawn or confirmed for it.
    """
    refused = _not_approvable(draft)
    if refused is not None:
        return Approval(refused, draft.dispatch_id)
    if draft.in_shadow:
        return Approval(None, draft.dispatch_id, kept=IN_SHADOW)
    gone = offered_times.gone(conn, [draft.id], policy, now).get(draft.id)
    if gone:
        return Approval("offered_times_taken", draft.dispatch_id, gone=gone)
    if draft.decision_id is not None:
        if draft.metadata.get("editedBy"):
            offered_times.drop_unnamed(conn, draft.decision_id, draft.body, actor, now)
        confirmation = booking.HoldConfirmation(decision_id=draft.decision_id, actor=actor)
        [confirmed] = booking.confirm_holds(conn, [confirmation], policy, now)
        if not confirmed.stands and confirmed.reason not in _NO_HOLD:
            return Approval("slot_gone", draft.dispatch_id, confirmed)
    dispatch_id = draft.dispatch_id
    if dispatch_id is None:
        dispatch_id = _dispatch(
            conn,
            draft.conversation_id,
            draft.id,
            "approved_draft",
            f"draft:{draft.id}",
            draft.body,
            "queued",
            now,
        )
    else:
        conn.execute(_QUEUE, {"id": dispatch_id, "now": now})
    marks = {"reviewStatus": "draft", "approvedAt": _instant(now), "approvedBy": actor.actor_id}
    conn.execute(_MARK, {"id": draft.id, "marks": json.dumps(marks)})
    if draft.purpose == "manual_reply":
        _answered_by_person(conn, draft.conversation_id, actor, now)
    manual_offers.open_offer(conn, draft.conversation_id, draft.id, draft.body, draft.metadata, actor, now)
    crash_point("reply.before_commit")
    return Approval(None, dispatch_id)


_NO_HOLD = (BookingReason.NOT_FOUND, BookingReason.NOT_HELD)


def _not_approvable(draft: DraftRow) -> Refusal | None:
    if draft.review_status not in ("draft", "hold") or draft.metadata.get("discarded"):
        return "not_a_draft"
    if draft.dispatch_state not in (None, "draft", "held"):
        return "already_approved" if draft.dispatch_state != "cancelled" else "superseded"
    if not draft.account_is_active:
        return "account_inactive"
    return "superseded" if draft.overtaken or draft.metadata.get("superseded") else None


def reject(conn: Connection, draft: DraftRow, actor: Actor, now: datetime) -> Refusal | None:
    """Hold a reply back; a time it held is free again."""
    if draft.review_status not in ("draft", "hold"):
        return "not_a_draft"
    if draft.dispatch_state not in (None, "draft", "held", "queued", "retry_scheduled"):
        return "already_approved" if draft.dispatch_state != "cancelled" else "superseded"
    if draft.dispatch_id is not None:
        conn.execute(_HOLD, {"id": draft.dispatch_id, "now": now})
    if draft.decision_id is not None:
        release = booking.HoldRelease(
            decision_id=draft.decision_id, offer="superseded", reason="draft_rejected", actor=actor
        )
        booking.release_holds(conn, [release], now)
    marks = {"reviewStatus": "hold", "rejectedAt": _instant(now), "rejectedBy": actor.actor_id}
    conn.execute(_MARK, {"id": draft.id, "marks": json.dumps(marks)})
    crash_point("reply.before_commit")
    return None


def edit(conn: Connection, draft: DraftRow, body: str, actor: Actor, now: datetime) -> Refusal | None:
    """Replace the text of a draft or a held reply."""
    if draft.review_status not in ("draft", "hold") or draft.dispatch_state not in (None, "draft", "held"):
        return "not_a_draft"
    marks = {"editedAt": _instant(now), "editedBy": actor.actor_id}
    conn.execute(_EDIT_MESSAGE, {"id": draft.id, "body": body, "marks": json.dumps(marks)})
    if draft.dispatch_id is not None:
        conn.execute(_EDIT_DISPATCH, {"id": draft.dispatch_id, "body": body, "now": now})
    crash_point("reply.before_commit")
    return None


def write(
    conn: Connection,
    conversation_id: UUID,
    body: str,
    metadata: Mapping[str, object],
    *,
    agent_id: UUID | None,
    send: bool,
    actor: Actor,
    now: datetime,
) -> UUID:
    """Store a person's reply and queue it (or keep it as a draft); the message's id.

    What the bot had ready for the conversation is withdrawn, its held times are free again. Times that ``metadata`` says
    it offers are open to the lead once it goes out.
    """
    message_id = uuid4()
    key = f"manual:{message_id}"
    conn.execute(
        _INSERT_MESSAGE,
        {
            "id": message_id,
            "conversation": conversation_id,
            "agent": agent_id,
            "key": key,
            "body": body,
            "metadata": json.dumps(
                {**metadata, "reviewStatus": "draft", "dispatchKey": key, "writtenBy": actor.actor_id}
            ),
        },
    )
    if send:
        _answered_by_person(conn, conversation_id, actor, now)
        manual_offers.open_offer(conn, conversation_id, message_id, body, metadata, actor, now)
    _dispatch(
        conn, conversation_id, message_id, "manual_reply", key, body, "queued" if send else "draft", now
    )
    crash_point("reply.before_commit")
    return message_id


def _answered_by_person(conn: Connection, conversation_id: UUID, actor: Actor, now: datetime) -> None:
    """Withdraw what the bot had ready and count the lead's messages as answered: the bot does not answer them, too."""
    conn.execute(_HANDLED, {"conversation": conversation_id, "now": now})
    taken = conn.execute(_WITHDRAW, {"conversation": conversation_id, "now": now}).all()
    if not taken:
        return
    outbox_sweeps.mark_superseded(conn, [row.id for row in taken])
    releases = [
        booking.HoldRelease(decision_id=row.decision_id, reason="answered_by_person", actor=actor)
        for row in taken
        if row.decision_id is not None
    ]
    booking.release_holds(conn, releases, now)


def _dispatch(
    conn: Connection,
    conversation_id: UUID,
    message_id: UUID,
    purpose: str,
    key: str,
    body: str,
    state: str,
    now: datetime,
) -> UUID:
    dispatch_id = uuid4()
    conn.execute(
        _INSERT_DISPATCH,
        {
            "id": dispatch_id,
            "purpose": purpose,
            "key": key,
            "conversation": conversation_id,
            "message": message_id,
            "body": body,
            "state": state,
            "now": now,
        },
    )
    return dispatch_id


def _instant(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
