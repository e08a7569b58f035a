"""Showings, calendars and what waits today: rows for the console's screens and flows.

The clock stands at Monday, 2 March 2026, 12:00 UTC: 7 in the morning in New York.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.tables import accounts, scheduling
from tests.api.house import SPAREROOM, House
from tests.storage import rows

ZONE = "America/New_York"
HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
ASIDE = {"snoozed_until": MONDAY + timedelta(days=2), "snoozed_seq": 10**12}


@dataclass
class Calendar:
    """Ids of what was filled in."""

    maple: UUID
    leads: dict[str, UUID] = field(default_factory=dict)
    showings: dict[str, UUID] = field(default_factory=dict)


def fill_showings(house: House) -> Calendar:
    """Eight showings of Dana on five days, three of them pending, one of those of Maple 204; one of Marco."""
    with house.rows() as conn:
        conn.execute(text('UPDATE "Agents" SET timezone = :zone'), {"zone": ZONE})
        maple = rows.unit(conn, property_name="Maple", unit_number="204")
        rows.add(conn, accounts.unit_agent_assignments, unit_id=maple, agent_id=house.dana, priority=10)
        calendar = Calendar(maple)
        wanted = (
            ("ann", house.unit, 0, 15, "confirmed"),
            ("ben", house.unit, 0, 17, "pending"),
            ("cleo", maple, 1, 15, "pending"),
            ("dev", house.unit, 1, 18, "confirmed"),
            ("eva", maple, 2, 16, "confirmed"),
            ("finn", house.unit, 4, 16, "pending"),
            ("gus", maple, 5, 15, "confirmed"),
            ("hana", house.unit, 5, 19, "confirmed"),
        )
        for name, unit, day, hour, status in wanted:
            lead = conversation(conn, house, name.title(), unit)
            calendar.leads[name] = lead
            calendar.showings[name] = showing(conn, house, lead, unit, day, hour, status)
        calendar.showings["marco"] = rows.showing(
            conn,
            house.marco,
            house.unit,
            **_span(6, 15),
            platform_account_id=SPAREROOM,
            timezone=ZONE,
        )
    return calendar


def conversation(conn: Connection, house: House, name: str, unit: UUID, **values: object) -> UUID:
    listing = conn.execute(
        text('SELECT id FROM "Listings" WHERE unit_id = :unit LIMIT 1'), {"unit": unit}
    ).scalar()
    listing = listing or rows.add(
        conn, accounts.listings, unit_id=unit, platform_account_id=SPAREROOM, rent_cents=1
    )
    told: dict[str, object] = {
        "platform_account_id": SPAREROOM,
        "listing_id": listing,
        "assigned_agent_id": house.dana,
        "last_message_at": house.clock() - timedelta(days=4),
    }
    return rows.conversation(conn, lead_name=name, **{**told, **values})


def showing(
    conn: Connection, house: House, lead: UUID | None, unit: UUID, day: int, hour: int, status: str
) -> UUID:
    values = {"platform_account_id": SPAREROOM, "conversation_id": lead, "status": status, "timezone": ZONE}
    return rows.showing(conn, house.dana, unit, **_span(day, hour), **values)


def _span(day: int, hour: int) -> dict[str, datetime]:
    start = MONDAY + timedelta(days=day, hours=hour)
    return {"starts_at": start, "ends_at": start + HOUR / 2}


def open_calendars(house: House) -> None:
    """Weekdays 10 to 16 in New York: the unit is open, Dana is available; Friday noon is blocked."""
    for day in range(1, 6):
        body = {"dayOfWeek": day, "startTime": "10:00", "endTime": "16:00", "timezone": ZONE}
        for path in (f"units/{house.unit}", f"agents/{house.dana}"):
            made = house.ask("admin", "POST", f"/api/{path}/availability/weekly-rules", body)
            assert made.status_code == 201, made.text
    blocked = {"date": "2026-03-06", "startTime": "12:00", "endTime": "13:00", "timezone": ZONE}
    path = f"/api/agents/{house.dana}/availability/daily-overrides"
    assert house.ask("admin", "POST", path, {**blocked, "status": "unavailable"}).status_code == 201


def many_calendars(house: House) -> None:
    """19 weekly rules and 31 times ahead of units, as release smoke B asks for."""
    with house.rows() as conn:
        units = [rows.unit(conn, property_name="Cedar", unit_number=f"{n:02d}") for n in range(19)]
        for n, unit in enumerate(units):
            rule = {"day_of_week": n % 7, "start_time": time(9), "end_time": time(12)}
            rows.add(conn, scheduling.availability_rules, unit_id=unit, timezone=ZONE, status="open", **rule)
        for n in range(31):
            start = MONDAY + timedelta(days=1 + n % 14, hours=14)
            span = {"starts_at": start, "ends_at": start + HOUR, "timezone": ZONE}
            rows.add(conn, scheduling.availability_slots, unit_id=units[n % 19], **span)


def fill_today(house: House) -> dict[str, UUID]:
    """One of each kind that waits; the ids of the conversations by the lead's name."""
    now = house.clock()
    found: dict[str, UUID] = {}
    with house.rows() as conn:

        def lead(name: str, hours: float, **values: object) -> UUID:
            at = now - timedelta(hours=hours)
            made = conversation(conn, house, name, house.unit, **{"last_message_at": at, **values})
            message = rows.message(
                conn,
                made,
                body=f"Hi, {name.split()[0]} here. Can I see it this week?",
                sent_at=now - timedelta(hours=hours),
            )
            seq = {"seq": rows.seq(conn, message), "id": made}
            conn.execute(text('UPDATE "Conversations" SET newest_inbound_seq = :seq WHERE id = :id'), seq)
            found[name] = made
            return made

        lead("Olga Brandt", 50, workflow_state="outcome", workflow_outcome="human_required")
        lead("Nadia Weiss", 2, workflow_state="outcome", workflow_outcome="human_required")
        held = lead("Hugo Marin", 5)
        rows.message(conn, held, "outbound", body="We pay cash", metadata={"reviewStatus": "hold"})
        draft = lead("Dora Quist", 1)
        rows.message(conn, draft, "outbound", body="Come at ten", metadata={"reviewStatus": "draft"})
        answered = lead("Anton Vogel", 3, workflow_state="outcome", workflow_outcome="human_required")
        rows.message(conn, answered, "outbound", body="Done", sent_at=now)
        lead(
            "Sofia Lang",
            100,
            workflow_state="follow_up_1",
            follow_up_stage="follow_up_1",
            follow_up_due_at=now - HOUR,
            follow_up_owner_agent_id=house.dana,
        )
        lead(
            "Frank Ortiz",
            9,
            workflow_state="outcome",
            workflow_outcome="human_required",
            assigned_agent_id=house.marco,
        )
        found["over"] = showing(conn, house, None, house.unit, -1, 15, "confirmed")
        lead("Alma Reed", 400, workflow_state="outcome", workflow_outcome="human_required", **ASIDE)
        doubt = {"platform_account_id": SPAREROOM, "purpose": "manual_reply", "updated_at": now - HOUR}
        rows.dispatch(
            conn, lead("Dario Costa", 300), state="unknown", **{**doubt, "updated_at": now - 2 * HOUR}
        )
        rows.dispatch(
            conn, lead("Greta Nowak", 300), state="dead_letter", error_code="composer_missing", **doubt
        )
    house.ask("admin", "POST", "/api/admin/kill-switches", {"target": "renthop", "reason": "wrong prices"})
    with house.rows() as conn:
        conn.execute(
            text("""INSERT INTO "AccountRuntime" (platform_account_id, stopped_at, stop_code, stop_reason, circuit_state)
                    SELECT id, :now, CASE platform WHEN 'roomies' THEN 'session_expired' END, NULL,
                           CASE platform WHEN 'leasebreak' THEN 'open' ELSE 'closed' END
                      FROM "PlatformAccounts" WHERE platform IN ('roomies', 'leasebreak')
                    ON CONFLICT (platform_account_id) DO UPDATE SET stopped_at = excluded.stopped_at,
                       stop_code = excluded.stop_code, circuit_state = excluded.circuit_state"""),
            {"now": now - HOUR},
        )
    return found


def fill_calendar_day(house: House) -> None:
    """All of it."""
    fill_showings(house)
    open_calendars(house)
    fill_today(house)


def showing_of(house: House, lead: str) -> UUID:
    """The showing of the lead of that name."""
    query = text("""SELECT s.id FROM "ShowingAppointments" s JOIN "Conversations" c ON c.id = s.conversation_id
                     WHERE c.lead_name = :lead""")
    with house.rows() as conn:
        return UUID(str(conn.execute(query, {"lead": lead}).scalar_one()))
