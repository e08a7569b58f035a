"""``"SlotOffers"``: the handshake's memory, changed only along its transition table, set by set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Row, text

from leasebot_pipeline.domain.slot_offers import OfferState
from leasebot_pipeline.domain.slots import Slot
from leasebot_pipeline.storage.appointments import dumps
from leasebot_pipeline.storage.audit import AuditEntry, record
from leasebot_pipeline.storage.transitions import Actor


@dataclass(frozen=True, slots=True)
class StoredOffer:
    """One offered slot; ``position`` is 1-based in the order of the reply that named it.

    ``decision_id`` is None where a person offered it.
    """

    id: UUID
    conversation_id: UUID
    decision_id: UUID | None
    position: int
    state: OfferState
    slot: Slot
    label: str
    offered_at: datetime
    expires_at: datetime | None
    hold_expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class OfferChange:
    """Take offers to a state: one by its id, or all open ones of a conversation (exactly one id).

    ``keep`` are offers of the conversation to leave alone.
    """

    target: OfferState
    offer_id: UUID | None = None
    conversation_id: UUID | None = None
    keep: tuple[UUID, ...] = ()
    hold_expires_at: datetime | None = None
    message_id: UUID | None = None
    actor: Actor = field(default_factory=Actor)
    run_id: str | None = None


_OFFER = text("""
    INSERT INTO "SlotOffers"
           (id, conversation_id, decision_id, message_id, unit_id, agent_id, starts_at, ends_at, timezone, label, position,
            state, offered_at, expires_at, hold_expires_at)
    SELECT id, conversation_id, decision_id, message_id, unit_id, agent_id, starts_at, ends_at, timezone, label, position, state,
           :now, COALESCE(expires_at, starts_at), hold_expires_at
      FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
             id uuid, conversation_id uuid, decision_id uuid, message_id uuid, unit_id uuid, agent_id uuid,
             starts_at timestamptz, ends_at timestamptz, timezone text, label text, position int, state text, expires_at timestamptz,
             hold_expires_at timestamptz)
""")


def offer(conn: Connection, rows: Sequence[Mapping[str, object]], now: datetime) -> None:
    """Store what a reply offers. Rows: conversation_id, decision_id (of a person's reply: its message_id), unit_id, agent_id,
    starts_at, ends_at, timezone, label, position; and, where they differ, id (default: a new one), state (``offered``, or ``held`` with
    hold_expires_at) and expires_at (default: the slot's start)."""
    if rows:
        complete = [{"id": uuid4(), "state": OfferState.OFFERED, **row} for row in rows]
        conn.execute(_OFFER, {"rows": dumps(complete), "now": now})


# The first change that names an offer counts. What has ended is not open, and so left alone.
_CHANGE = text("""
    WITH asked AS (
      SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
               n int, target text, offer_id uuid, conversation_id uuid, keep jsonb, hold_expires_at timestamptz, message_id uuid)
    ), named AS (
      SELECT o.id, a.n FROM asked a JOIN "SlotOffers" o ON o.id = a.offer_id
      UNION ALL
      SELECT o.id, a.n FROM asked a JOIN "SlotOffers" o ON o.conversation_id = a.conversation_id
       WHERE o.state IN ('offered', 'held') AND NOT a.keep ? o.id::text
    ), first_named AS (
      SELECT DISTINCT ON (id) id, n FROM named ORDER BY id, n
    ), open AS (
      SELECT o.id, o.state AS previous, f.n FROM first_named f JOIN "SlotOffers" o ON o.id = f.id
       WHERE o.state IN ('offered', 'held') ORDER BY o.id FOR UPDATE OF o
    ), changed AS (
      UPDATE "SlotOffers" o
         SET state = a.target, hold_expires_at = CASE WHEN a.target = 'held' THEN a.hold_expires_at ELSE o.hold_expires_at END,
             resolved_at = CASE WHEN a.target = 'held' THEN NULL ELSE CAST(:now AS timestamptz) END,
             resolved_by_message_id = COALESCE(a.message_id, o.resolved_by_message_id)
        FROM open JOIN asked a ON a.n = open.n
       WHERE o.id = open.id AND open.previous <> a.target
      RETURNING o.id, o.conversation_id, o.position, open.previous, o.state, open.n
    )
    SELECT d.*, c.platform_account_id, p.platform, c.assigned_agent_id
      FROM changed d JOIN "Conversations" c ON c.id = d.conversation_id JOIN "PlatformAccounts" p ON p.id = c.platform_account_id
     ORDER BY d.conversation_id, d.position, d.id
""")


def change(conn: Connection, changes: Sequence[OfferChange], now: datetime) -> dict[UUID, OfferState]:
    """Change offers; what has ended stays as it is. Returns the new state of each offer that changed.

    One audit row ``slot_offers_changed`` per conversation names them all.
    """
    if not changes:
        return {}
    rows = [
        {
            "n": n,
            "target": change.target,
            "offer_id": change.offer_id,
            "conversation_id": change.conversation_id,
            "keep": [str(identity) for identity in change.keep],
            "hold_expires_at": change.hold_expires_at,
            "message_id": change.message_id,
        }
        for n, change in enumerate(changes)
    ]
    rows = [{key: value for key, value in row.items() if value is not None} for row in rows]
    changed = list(conn.execute(_CHANGE, {"rows": dumps(rows), "now": now}))
    told = defaultdict(list)
    for row in changed:
        told[row.conversation_id].append(row)
    record(conn, [_audit(changes[group[0].n], group) for group in told.values()])
    return {row.id: OfferState(row.state) for row in changed}


_EXPIRED = text("""
    SELECT id FROM "SlotOffers" WHERE state IN ('offered', 'held') AND expires_at <= :now
     ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED
""")


def expire(conn: Connection, now: datetime, limit: int = 1000) -> int:
    """Expire open offers whose time ran out; returns how many. Never waits for a lock."""
    ids = list(conn.execute(_EXPIRED, {"now": now, "limit": limit}).scalars())
    system = Actor("system")
    return len(
        change(conn, [OfferChange(OfferState.EXPIRED, offer_id=one, actor=system) for one in ids], now)
    )


_OPEN = text("""
    WITH open AS (
      SELECT o.*, max(o.offered_at) OVER (PARTITION BY o.conversation_id) AS newest
        FROM "SlotOffers" o
       WHERE o.conversation_id = ANY(:ids) AND o.state IN ('offered', 'held')
         AND o.starts_at > :now AND (o.expires_at IS NULL OR o.expires_at > :now)
    )
    SELECT o.*, g.full_name FROM open o LEFT JOIN "Agents" g ON g.id = o.agent_id
     WHERE o.offered_at = o.newest OR o.state = 'held'
     ORDER BY o.conversation_id, o.offered_at DESC, o.position
""")


def open_offers(
    conn: Connection, conversations: Sequence[UUID], now: datetime
) -> dict[UUID, tuple[StoredOffer, ...]]:
    """The newest open offer of each conversation that has one, in its order; what is held comes along."""
    found: dict[UUID, list[StoredOffer]] = defaultdict(list)
    if not conversations:
        return {}
    for row in conn.execute(_OPEN, {"ids": list(conversations), "now": now}):
        slot = Slot(row.starts_at, row.ends_at, row.timezone, row.agent_id, row.full_name, row.unit_id)
        found[row.conversation_id].append(
            StoredOffer(
                row.id,
                row.conversation_id,
                row.decision_id,
                row.position,
                OfferState(row.state),
                slot,
                row.label,
                row.offered_at,
                row.expires_at,
                row.hold_expires_at,
            )
        )
    return {identity: tuple(offers) for identity, offers in found.items()}


def _audit(change: OfferChange, rows: Sequence[Row[Any]]) -> AuditEntry:
    first = rows[0]
    agent = str(first.assigned_agent_id) if first.assigned_agent_id else None
    worker = change.actor.actor_type == "worker" and change.actor.actor_id is None
    return AuditEntry(
        actor_type=change.actor.actor_type,
        actor_id=agent if worker else change.actor.actor_id,
        entity_type="conversation",
        entity_id=str(first.conversation_id),
        action="slot_offers_changed",
        details={
            "messageId": str(change.message_id) if change.message_id else None,
            "offers": [
                {
                    "offerId": str(row.id),
                    "position": row.position,
                    "previous": row.previous,
                    "next": row.state,
                }
                for row in rows
            ],
        },
        platform=first.platform,
        platform_account_id=first.platform_account_id,
        conversation_id=first.conversation_id,
        agent_id=agent,
        run_id=change.run_id,
    )
