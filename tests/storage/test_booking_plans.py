"""The hot questions of bookings are answered from their indexes, however many showings there are."""

from __future__ import annotations

import json
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, text

from leasebot_pipeline.storage import appointments, slot_offers, transitions
from tests.storage import rows
from tests.storage.conftest import ACCOUNT, NOW

# 10,000 showings of 200 agents, one an hour, a third of them over; as many offers, a few of them open.
_FILL = (
    """INSERT INTO "Units" (property_name, unit_number) SELECT 'House', n::text FROM generate_series(1, 200) n""",
    """INSERT INTO "Agents" (platform_account_id, full_name) SELECT CAST(:account AS uuid), 'A' FROM generate_series(1, 200)""",
    """INSERT INTO "Conversations" (platform_account_id, external_thread_id)
       SELECT CAST(:account AS uuid), n::text FROM generate_series(1, 10000) n""",
    """INSERT INTO "ShowingAppointments" (idempotency_key, platform_account_id, conversation_id, unit_id, agent_id, starts_at,
                                         ends_at, timezone, status, busy_from, busy_until)
       SELECT 'key-' || c.n, CAST(:account AS uuid), c.id, u.id, a.id, CAST(:now AS timestamptz) + c.n * interval '1 hour',
              CAST(:now AS timestamptz) + c.n * interval '1 hour' + interval '30 minutes', 'UTC',
              (ARRAY['confirmed', 'pending', 'completed'])[c.n % 3 + 1], CAST(:now AS timestamptz) + c.n * interval '1 hour',
              CAST(:now AS timestamptz) + c.n * interval '1 hour' + interval '30 minutes'
         FROM (SELECT id, row_number() OVER () AS n FROM "Conversations") c
         JOIN (SELECT id, row_number() OVER () AS n FROM "Units") u ON u.n = c.n % 200 + 1
         JOIN (SELECT id, row_number() OVER () AS n FROM "Agents") a ON a.n = c.n % 200 + 1""",
)
_OFFERS = """INSERT INTO "SlotOffers" (conversation_id, decision_id, unit_id, starts_at, ends_at, timezone, label, position, state,
                                       expires_at)
             SELECT c.id, CAST(:decision AS uuid), CAST(:unit AS uuid), :now, CAST(:now AS timestamptz) + interval '1 hour', 'UTC',
                    'a slot', row_number() OVER (), 'superseded', :now
               FROM "Conversations" c"""

_SOME = str(uuid4())
_WISH = json.dumps(
    [{"agent_id": _SOME, "unit_id": _SOME, "busy_from": NOW.isoformat(), "busy_until": NOW.isoformat()}]
)
_DAY = json.dumps([{"n": 0, "agent_id": _SOME, "day_from": NOW.isoformat(), "day_until": NOW.isoformat()}])
_QUESTIONS = {
    "what an agent and a unit have taken": (
        appointments._TAKEN,
        {"wishes": _WISH},
        ("showing_appointments_no_double_booked_agent", "idx_showing_appointments_unit_time"),
    ),
    "an agent's day": (appointments._THAT_DAY, {"days": _DAY}, ("idx_showing_appointments_agent_time",)),
    "a key": (appointments._BY_KEYS, {"keys": ["key-7"]}, ("showing_appointments_idempotency_key_key",)),
    "current showings": (
        appointments._CURRENT,
        {"ids": [UUID(_SOME)]},
        ("idx_showing_appointments_conversation",),
    ),
    "holds of leads": (
        appointments._HOLDS,
        {"ids": [UUID(_SOME)]},
        ("idx_showing_appointments_",),  # the conversation's or the few holds there are
    ),
    "holds of decisions": (
        appointments._BY_DECISIONS,
        {"ids": [UUID(_SOME)]},
        ("idx_showing_appointments_decision_id",),
    ),
    "holds that ran out": (
        appointments._EXPIRED,
        {"agents": None, "units": [], "limit": 100},
        ("idx_showing_appointments_holds",),
    ),
    "a lead's open offer": (slot_offers._OPEN, {"ids": [UUID(_SOME)]}, ("idx_slot_offers_",)),
    "offers that ran out": (slot_offers._EXPIRED, {"limit": 100}, ("idx_slot_offers_expiring",)),
    "conversations to change": (transitions._LOCK, {"ids": [UUID(_SOME)]}, ("Conversations_pkey",)),
}


@pytest.fixture
def full(conn: Connection) -> Connection:
    conn.execute(text("SET LOCAL session_replication_role = replica"))  # no guard needs to look at these
    for statement in _FILL:
        conn.execute(text(statement), {"account": ACCOUNT, "now": NOW})
    lead = rows.conversation(conn)
    decision = rows.decision(conn, lead, rows.message(conn, lead))
    conn.execute(text(_OFFERS), {"decision": decision, "unit": rows.unit(conn), "now": NOW})
    conn.execute(text("ANALYZE"))
    return conn


def test_each_hot_question_uses_its_index(full: Connection) -> None:
    for name, (question, parameters, indexes) in _QUESTIONS.items():
        statement = text(f"EXPLAIN {question.text}")
        given = {**parameters, "now": NOW}
        plan = "\n".join(full.scalars(statement, {key: given[key] for key in statement.compile().params}))
        for index in indexes:
            assert index in plan, f"{name}:\n{plan}"
        for table in ("ShowingAppointments", "SlotOffers", "Conversations"):
            assert f'Seq Scan on "{table}"' not in plan, f"{name}:\n{plan}"
