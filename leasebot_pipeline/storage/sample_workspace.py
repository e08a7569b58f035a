"""A leasing team to practise with: agents, calendars, assignments, rules and templates for the sandbox.

Written only on request (`leasebot up --sandbox`, `leasebot demo`), never to a production database, and
only what is missing: changes made while practising survive a restart.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.replies import DEFAULT_TEMPLATES
from leasebot_pipeline.storage import availability_horizon

ZONE = "America/New_York"
HORIZON = timedelta(days=14)

# Weekday 0 is Sunday. Between them the two agents cover every day, and overlap at noon.
_AGENTS = [
    {
        "id": UUID("a1000000-0000-4000-8000-000000000001"),
        "name": "Dana Reyes",
        "email": "dana@example.test",
        "days": [1, 2, 3, 4, 5],
        "start": "09:30",
        "end": "13:30",
        "priority": 10,
    },
    {
        "id": UUID("a1000000-0000-4000-8000-000000000002"),
        "name": "Marco Klein",
        "email": "marco@example.test",
        "days": [0, 2, 4, 6],
        "start": "12:00",
        "end": "18:30",
        "priority": 20,
    },
]

_INSERT_AGENTS = text("""
    INSERT INTO "Agents" (id, platform_account_id, full_name, email, timezone)
    SELECT r.id, a.id, r.name, r.email, :zone
      FROM jsonb_to_recordset(CAST(:agents AS jsonb)) AS r(id uuid, name text, email text)
     CROSS JOIN (SELECT id FROM "PlatformAccounts" ORDER BY platform LIMIT 1) a
    ON CONFLICT DO NOTHING
""")
_AGENT_RULES = text("""
    INSERT INTO "AvailabilityRules" (agent_id, day_of_week, start_time, end_time, timezone, status, notes)
    SELECT r.id, d.day, r.start::time, r."end"::time, :zone, 'available', 'sample workspace'
      FROM jsonb_to_recordset(CAST(:agents AS jsonb)) AS r(id uuid, start text, "end" text, days jsonb)
     CROSS JOIN LATERAL (SELECT value::int AS day FROM jsonb_array_elements_text(r.days)) d
     WHERE NOT EXISTS (SELECT 1 FROM "AvailabilityRules" x WHERE x.agent_id = r.id)
""")
_UNIT_RULES = text("""
    INSERT INTO "AvailabilityRules" (unit_id, day_of_week, start_time, end_time, timezone, status, notes)
    SELECT u.id, d.day, time '09:00', time '19:00', :zone, 'open', 'sample workspace'
      FROM "Units" u CROSS JOIN generate_series(0, 6) AS d(day)
     WHERE u.is_active
       AND NOT EXISTS (SELECT 1 FROM "AvailabilityRules" x WHERE x.unit_id = u.id)
       AND NOT EXISTS (SELECT 1 FROM "AvailabilitySlots" x WHERE x.unit_id = u.id AND x.ends_at > :now)
""")
_ASSIGN = text("""
    INSERT INTO "UnitAgentAssignments" (unit_id, agent_id, assignment_mode, priority)
    SELECT u.id, r.id, 'active', r.priority
      FROM "Units" u
     CROSS JOIN jsonb_to_recordset(CAST(:agents AS jsonb)) AS r(id uuid, priority int)
     WHERE NOT EXISTS (SELECT 1 FROM "UnitAgentAssignments" x WHERE x.unit_id = u.id)
    ON CONFLICT DO NOTHING
""")
_TEMPLATES = text("""
    INSERT INTO "Templates" (name, body, variables)
    SELECT r.name, r.body, r.variables FROM jsonb_to_recordset(CAST(:templates AS jsonb)) AS r(name text, body text, variables jsonb)
     WHERE NOT EXISTS (SELECT 1 FROM "Templates" t WHERE t.platform_account_id IS NULL AND t.name = r.name)
""")
_RULES = text("""
    INSERT INTO "AutomationRules" (name, trigger_type, conditions, action_type, action_config, priority)
    SELECT 'Answer ' || r.intent, 'message_received', jsonb_build_object('intent', r.intent), 'send_template',
           jsonb_build_object('template', r.name), 50
      FROM jsonb_to_recordset(CAST(:templates AS jsonb)) AS r(name text, intent text)
     WHERE NOT EXISTS (SELECT 1 FROM "AutomationRules" x
                        WHERE x.platform_account_id IS NULL AND x.conditions ->> 'intent' = r.intent)
""")


def seed_replies(conn: Connection) -> None:
    """Global templates and rules for the intents we can answer, where there are none."""
    templates = json.dumps(
        [
            {"name": t.name, "body": t.body, "variables": list(t.variables), "intent": t.intent.value}
            for t in DEFAULT_TEMPLATES
        ]
    )
    conn.execute(_TEMPLATES, {"templates": templates})
    conn.execute(_RULES, {"templates": templates})


def seed_team(conn: Connection, now: datetime) -> None:
    """Two agents with weekly calendars; every unit without agents is given both, and is open by day.

    Call again when units have appeared.
    """
    agents = json.dumps(_AGENTS, default=str)
    conn.execute(_INSERT_AGENTS, {"agents": agents, "zone": ZONE})
    conn.execute(_AGENT_RULES, {"agents": agents, "zone": ZONE})
    conn.execute(_ASSIGN, {"agents": agents})
    conn.execute(_UNIT_RULES, {"zone": ZONE, "now": now})
    availability_horizon.extend(conn, now, HORIZON)
