"""Today in a house with many agents: bounded, and nothing of today is crowded out by yesterday."""

from __future__ import annotations

from sqlalchemy import text

from api.console.today import ROWS, SHOWINGS
from tests.api.house import House

AGENTS = 220
TODAY = 40


def fill(house: House) -> None:
    """Each agent has a confirmed showing yesterday of which nobody told the outcome; some have one today."""
    with house.rows() as conn:
        conn.execute(
            text("""INSERT INTO "Agents" (platform_account_id, full_name)
                    SELECT (SELECT platform_account_id FROM "Agents" LIMIT 1), 'Agent ' || n FROM generate_series(1, :agents) n"""),
            {"agents": AGENTS},
        )
        conn.execute(
            text("""INSERT INTO "Units" (property_name, unit_number)
                    SELECT 'Tall House', n::text FROM generate_series(1, :agents) n"""),
            {"agents": AGENTS},
        )
        conn.execute(
            text("""
                INSERT INTO "ShowingAppointments" (idempotency_key, platform_account_id, unit_id, agent_id, starts_at, ends_at,
                                                   timezone, status)
                SELECT day || ' ' || n, platform_account_id, unit_id, id, :now + day * interval '1 day' + interval '3 hours',
                       :now + day * interval '1 day' + interval '4 hours', 'America/New_York', 'confirmed'
                  FROM (SELECT *, row_number() OVER (ORDER BY id) AS n FROM "Agents" WHERE full_name LIKE 'Agent %') a
                  JOIN (SELECT id AS unit_id, row_number() OVER (ORDER BY id) AS n FROM "Units"
                         WHERE property_name = 'Tall House') u USING (n),
                       unnest(ARRAY[-1, 0]) AS day WHERE day < 0 OR n <= :today
            """),
            {"now": house.clock(), "today": TODAY},
        )


def test_lists_are_bounded_and_lead_to_the_rest(house: House) -> None:
    fill(house)
    page = house.ask("admin", "GET", "/admin/today").text
    assert page.count('data-testid="showing-today-row"') == SHOWINGS
    assert f"All of today's showings ({TODAY})" in page
    assert "/admin/showings?from=2026-03-02&amp;to=2026-03-02" in page
    assert page.count('data-testid="outcome-row"') == ROWS
    assert 'href="/admin/showings?status=untold"' in page
