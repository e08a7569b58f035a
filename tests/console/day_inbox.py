"""The conversations of a leasing team's day: to approve, held, answered, on their way, in doubt, put aside."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.tables import accounts, conversations, scheduling, steering
from tests.api.house import SPAREROOM, House
from tests.storage import rows

ZONE = "America/New_York"
NAMES = (
    "Ann Lee",
    "Bo Park",
    "Cy Dunn",
    "Di Rossi",
    "Ed Okafor",
    "Fay Moss",
    "Gus Hill",
    "Ida Kern",
    "Jo Lund",
    "Kim Abe",
)
ANSWERED = {
    "sent": ("Lou Berg", "sent"),
    "queued": ("Mia Quast", "queued"),
    "unknown": ("Nils Urban", "unknown"),
    "failed": ("Paula Frey", "dead_letter"),
}
"""Leads the bot answered, by what became of the reply."""
QUESTION = "Hi, is the room still available? Could I see it on Thursday evening?"
DRAFTED = "Hi {name}, yes it is. Would Thursday at 6 pm suit you?"


@dataclass
class Inbox:
    """Ids by what is special about them."""

    listing: UUID
    template: UUID
    to_approve: list[UUID] = field(default_factory=list)
    held: list[UUID] = field(default_factory=list)
    special: dict[str, UUID] = field(default_factory=dict)


def fill_inbox(house: House) -> Inbox:
    """Four to approve, six held, one each answered, queued, unknown, failed, put aside, taken over; plus history."""
    now = house.clock()
    with house.rows() as conn:
        listing = rows.add(
            conn,
            accounts.listings,
            unit_id=house.unit,
            platform_account_id=SPAREROOM,
            listing_external_id="SR-77",
            rent_cents=185000,
            metadata={"title": "Bright room near the park"},
        )
        template = rows.add(
            conn,
            conversations.templates,
            name="offer_times",
            body="Hi {{ lead_name }}, {{ unit }} is free to see: {{ slot }}. Does that suit you?",
            variables=["lead_name", "unit", "slot"],
        )
        inbox = Inbox(listing, template)
        for number, name in enumerate(NAMES):
            each = lead(conn, house, listing, name, now - timedelta(hours=number + 1))
            if number < 4:
                draft(conn, house, each, DRAFTED.format(name=name.split()[0]), now)
                inbox.to_approve.append(each)
            else:
                decide(conn, each, now, "escalate", ["escalate_ambiguous_intent"])
                mark(conn, each, "hold")
                inbox.held.append(each)
        for number, (what, (name, state)) in enumerate(ANSWERED.items()):
            each = lead(conn, house, listing, name, now - timedelta(hours=20 + number))
            answer(conn, each, state, now)
            inbox.special[what] = each
        foreign = lead(conn, house, listing, "Max Soto", now, assigned_agent_id=house.marco)
        mark(conn, foreign, "hold")
        inbox.special["foreign"] = foreign
        for number in range(40):
            lead(
                conn,
                house,
                listing,
                f"Old {number:02}",
                now - timedelta(days=2, hours=number),
                processed=True,
            )
    return inbox


def lead(
    conn: Connection,
    house: House,
    listing: UUID,
    name: str,
    at: datetime,
    *,
    processed: bool = False,
    **values: Any,
) -> UUID:
    """A conversation with the question it began with."""
    each = rows.conversation(
        conn,
        **{
            "platform_account_id": SPAREROOM,
            "assigned_agent_id": house.dana,
            "listing_id": listing,
            "lead_name": name,
            "last_message_at": at,
            "linkage_strategy": "listing_external_id",
            "linkage_hints": {"listingExternalId": "SR-77"},
            "linkage_attempted_at": at,
            **values,
        },
    )
    marks = {"aiProcessedAt": at.isoformat()} if processed else {}
    message = rows.message(conn, each, body=QUESTION, sent_at=at, created_at=at, metadata=marks)
    seq = rows.seq(conn, message)
    conn.execute(
        text(
            'UPDATE "Conversations" SET newest_inbound_seq = :seq, handled_through_seq = :seq WHERE id = :id'
        ),
        {"id": each, "seq": seq},
    )
    return each


def inbound(conn: Connection, each: UUID) -> UUID:
    found: UUID = rows.value(
        conn,
        """SELECT id FROM "Messages" WHERE conversation_id = :id AND direction = 'inbound' ORDER BY seq DESC LIMIT 1""",
        id=each,
    )
    return found


def mark(conn: Connection, each: UUID, status: str) -> None:
    conn.execute(
        text("""UPDATE "Messages" SET metadata = metadata || jsonb_build_object('reviewStatus', CAST(:status AS text),
                 'aiProcessedAt', 'x') WHERE id = :id"""),
        {"id": inbound(conn, each), "status": status},
    )


def decide(conn: Connection, each: UUID, at: datetime, outcome: str, reasons: list[str]) -> UUID:
    return rows.decision(
        conn,
        each,
        inbound(conn, each),
        platform_account_id=SPAREROOM,
        outcome=outcome,
        reason=reasons[0],
        reasons=reasons,
        escalation_reason_code=reasons[0] if outcome == "escalate" else None,
        evidence={"rules": [{"rule": "tour", "words": "could i see it"}]},
        slots=[{"label": "Thu, Mar 5 6:00 PM - 6:30 PM EST (Dana)"}] if outcome != "escalate" else [],
        decided_at=at - timedelta(minutes=5),
    )


def draft(conn: Connection, house: House, each: UUID, body: str, at: datetime) -> UUID:
    """A reply the bot prepared."""
    decision = decide(conn, each, at, "draft", ["policy_draft_required"])
    mark(conn, each, "new")
    message = rows.message(conn, each, "outbound", body=body, metadata={"reviewStatus": "draft"})
    rows.dispatch(
        conn,
        each,
        state="draft",
        body=body,
        message_id=message,
        decision_id=decision,
        platform_account_id=SPAREROOM,
    )
    return message


def answer(conn: Connection, each: UUID, state: str, at: datetime) -> UUID:
    """A reply of the bot in the given state of the outbox."""
    decision = decide(conn, each, at, "send", ["policy_send_allowed"])
    mark(conn, each, "new")
    body = "Hi, yes. Would Thursday at 6 pm suit you?"
    sent = state == "sent"
    message = rows.message(
        conn,
        each,
        "outbound",
        body=body,
        sent_at=at if sent else None,
        created_at=at,
        metadata={"reviewStatus": "sent" if sent else "draft"},
    )
    found: UUID = rows.dispatch(
        conn,
        each,
        state=state,
        body=body,
        message_id=message,
        decision_id=decision,
        platform_account_id=SPAREROOM,
        sent_at=at if sent else None,
        receipt={"externalMessageId": "m-1", "observedAt": at.isoformat()} if sent else None,
        error_code={
            "dead_letter": "OUTBOUND_COMPOSER_MISSING",
            "unknown": "OUTBOUND_DELIVERY_UNCONFIRMED",
        }.get(state),
    )
    return found


def open_calendars(house: House) -> None:
    """Unit and agents have time on the next four days from noon to three."""
    with house.rows() as conn:
        for day in range(1, 5):
            begin = datetime.combine(house.clock().date() + timedelta(days=day), time(17), UTC)
            span = {"starts_at": begin, "ends_at": begin + timedelta(hours=3), "timezone": ZONE}
            rows.add(conn, scheduling.availability_slots, unit_id=house.unit, status="open", **span)
            for agent in (house.dana, house.marco):
                rows.add(
                    conn, scheduling.agent_availability_slots, agent_id=agent, status="available", **span
                )


def note(house: House, each: UUID, body: str) -> None:
    with house.rows() as conn:
        rows.add(conn, steering.conversation_notes, conversation_id=each, body=body, created_at=house.clock())


def inbox_ids(house: House) -> dict[str, str]:
    """What paths of screens may name, as far as the day was filled."""
    wanted = {"Ann Lee": "conversation", "Ed Okafor": "held", ANSWERED["failed"][0]: "failed"}
    query = text('SELECT lead_name, id FROM "Conversations" WHERE lead_name = ANY(:names)')
    with house.database.engine.connect() as conn:
        return {wanted[row.lead_name]: str(row.id) for row in conn.execute(query, {"names": list(wanted)})}
