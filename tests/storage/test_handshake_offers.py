"""What a lead may still answer, found in one statement however many offers there were."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.quality import showings
from leasebot_pipeline.storage import handshake
from leasebot_pipeline.storage.tables import scheduling
from tests.storage.conftest import ACCOUNT, NOW
from tests.storage.rows import HOUR, add, agent, conversation, decision, message, showing, unit


def offers(conn: Connection, *states: str, hours: int = 24, **values: object) -> UUID:
    """A conversation with one decision that offered a slot per state, an hour apart."""
    of = conversation(conn)
    made = decision(conn, of, message(conn, of))
    place = unit(conn)
    for position, state in enumerate(states, start=1):
        starts = NOW + HOUR * (hours + position)
        add(
            conn,
            scheduling.slot_offers,
            **{
                "conversation_id": of,
                "decision_id": made,
                "unit_id": place,
                "starts_at": starts,
                "ends_at": starts + HOUR / 2,
                "timezone": "UTC",
                "label": str(position),
                "position": position,
                "state": state,
                "expires_at": starts,
                **values,
            },
        )
    return of


def loaded(conn: Connection, of: UUID, now: datetime = NOW) -> handshake.OpenOffer:
    return handshake.load_offers(conn, [of], now).get(of, handshake.NO_OFFER)


def test_an_open_offer_keeps_the_order_of_the_list_that_was_sent(conn: Connection) -> None:
    of = offers(conn, "offered", "offered", "offered")
    offer = loaded(conn, of, NOW + HOUR * 25 + timedelta(minutes=1))
    assert [slot.starts_at for slot in offer.slots] == [NOW + HOUR * n for n in (25, 26, 27)]
    assert offer.gone_positions == (1,)
    assert loaded(conn, of, NOW + HOUR * 30) is handshake.NO_OFFER


def test_a_slot_whose_hold_ran_out_is_what_confirm_is_about(conn: Connection) -> None:
    """Fault G-21."""
    of = offers(conn, "expired", hold_expires_at=NOW - HOUR)
    offer = loaded(conn, of)
    assert offer.held_position == 1
    assert offer.rows[0].id is None, "its row has ended: a booking needs an offer of its own"
    assert loaded(conn, offers(conn, "held", "offered", hold_expires_at=NOW + HOUR)).held_position == 1


def test_what_was_declined_replaced_or_booked_is_no_offer(conn: Connection) -> None:
    """Fault G-22."""
    for state in ("declined", "superseded", "confirmed", "expired"):
        assert loaded(conn, offers(conn, state)) is handshake.NO_OFFER, state


def test_only_the_newest_offer_counts(conn: Connection) -> None:
    of = offers(conn, "offered")
    newer = decision(conn, of, message(conn, of))
    add(
        conn,
        scheduling.slot_offers,
        conversation_id=of,
        decision_id=newer,
        unit_id=unit(conn),
        starts_at=NOW + HOUR * 50,
        ends_at=NOW + HOUR * 51,
        timezone="UTC",
        label="newer",
        position=1,
        state="offered",
    )
    assert [slot.starts_at for slot in loaded(conn, of).slots] == [NOW + HOUR * 50]


def test_offers_are_found_by_their_indexes(conn: Connection) -> None:
    of = offers(conn, "offered")
    for statement in (
        """INSERT INTO "Conversations" (platform_account_id, external_thread_id)
           SELECT CAST(:account AS uuid), 'old-' || n FROM generate_series(1, 5000) n""",
        """INSERT INTO "Decisions" (conversation_id, platform_account_id, platform, inbound_message_id, through_seq, provider,
                rules_version, intent, effective_intent, follow_up, confidence, risk_level, outcome, reason, reasons, guardrails,
                policy, decided_at)
           SELECT c.id, d.platform_account_id, d.platform, d.inbound_message_id, 100000 + row_number() OVER (), d.provider,
                  d.rules_version, d.intent, d.effective_intent, d.follow_up, d.confidence, d.risk_level, d.outcome, d.reason,
                  d.reasons, d.guardrails, d.policy, d.decided_at
             FROM "Conversations" c CROSS JOIN "Decisions" d WHERE c.external_thread_id LIKE 'old-%'""",
        """INSERT INTO "SlotOffers" (conversation_id, decision_id, unit_id, starts_at, ends_at, timezone, label, position, state)
           SELECT d.conversation_id, d.id, o.unit_id, o.starts_at, o.ends_at, 'UTC', 'x', n, 'superseded'
             FROM "Decisions" d CROSS JOIN "SlotOffers" o CROSS JOIN generate_series(11, 14) n WHERE d.through_seq > 100000""",
        "ANALYZE",
    ):
        conn.execute(text(statement), {"account": ACCOUNT} if ":account" in statement else {})
    question = text(f"EXPLAIN {handshake._NEWEST.text}")
    plan = "\n".join(conn.scalars(question, {"conversations": [of], "now": NOW}))
    for table in ("SlotOffers", "Decisions", "Conversations"):
        assert f'Seq Scan on "{table}"' not in plan, plan


def test_the_checks_of_a_run_see_what_the_constraints_would_not_let_happen(conn: Connection) -> None:
    of = conversation(conn)
    dana, place = agent(conn), unit(conn)
    fine = showing(conn, dana, place, conversation_id=of, starts_at=NOW + HOUR, ends_at=NOW + HOUR * 2)
    conn.execute(
        text("""UPDATE "Conversations" SET showing_state = 'confirmed' WHERE id = :id"""), {"id": of}
    )
    (row,) = showings.load_showings(conn, Platform.SPAREROOM, NOW)
    assert row == {
        "showing_id": fine,
        "overlaps": "no",
        "shares_seat": "no",
        "agrees": "yes",
        "held_too_long": "no",
    }
    assert handshake.showings_ahead(conn, Platform.SPAREROOM, NOW) == {"confirmed": 1}
