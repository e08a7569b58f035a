"""Units and leads that have nobody are seen, and pages without rows say why they have none."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.api.house import House
from tests.console.day_inbox import fill_inbox, lead
from tests.console.test_stopped_sends import advert, read
from tests.storage import rows


def leave_the_unit(house: House) -> None:
    with house.rows() as conn:
        conn.execute(text('DELETE FROM "UnitAgentAssignments"'))


def test_advertised_units_with_nobody_are_a_problem_on_today(house: House) -> None:
    with house.rows() as conn:
        rows.unit(conn, property_name="Not advertised", unit_number="9")
        advert(conn, house)
    assert "nobody: Elm" not in read(house.page("admin", "/admin/today"))
    leave_the_unit(house)
    page = house.page("admin", "/admin/today")
    assert "1 unit has nobody: Elm House 1A" in read(page)
    assert 'href="/admin/assignments?status=active&amp;assigned=unassigned"' in page
    assert "Not advertised" not in read(page)
    assert "1 problem " in read(page)
    assert "has nobody" not in read(house.page("agent", "/agent/today")), "an agent can't change it"


def test_after_an_agent_left_what_is_open_is_a_tap_away(house: House) -> None:
    with house.rows() as conn:
        each = advert(conn, house)
        lead(conn, house, each, "Ann Lee", house.clock())
        conn.execute(text('DELETE FROM "UnitAgentAssignments" WHERE agent_id <> :dana'), {"dana": house.dana})
    answer = house.send("admin", "/admin/users", do="remove", leaves=str(house.dana))
    assert answer.status_code == 303
    page = house.page("admin", answer.headers["location"])
    said = read(page)
    assert "1 unit that is advertised has nobody" in said
    assert 'href="/admin/assignments?status=active&amp;assigned=unassigned"' in page
    assert 'href="/admin/inbox?status=waiting"' in page
    assert "agent@example.com can still sign in, and acts for nobody" in said
    assert "/admin/users?link=" in page


@pytest.mark.parametrize("path", ["/agent/inbox", "/agent/today"])
def test_an_agent_without_units_is_told_so(house: House, path: str) -> None:
    assert "No unit was assigned to you yet" not in read(house.page("agent", path))
    leave_the_unit(house)
    said = read(house.page("agent", path))
    assert "No unit was assigned to you yet" in said
    assert "inbox was read" not in said


def test_a_unit_with_nobody_has_no_times_for_that_reason(house: House) -> None:
    with house.rows() as conn:
        each = lead(conn, house, advert(conn, house), "Ann Lee", house.clock())
    path = f"/admin/inbox/{each}/slots"
    assert "never free together" in read(house.page("admin", path))
    leave_the_unit(house)
    page = house.page("admin", path)
    assert "Nobody is assigned to this unit" in read(page)
    assert 'href="/admin/assignments?q=Elm+House+1A"' in page
    assert "never free together" not in read(page)


def test_figures_say_what_they_count(house: House) -> None:
    fill_inbox(house)
    house.clock.forward(timedelta(minutes=1))
    today = read(house.page("admin", "/admin/today"))
    assert "wait for a person" in today
    figures = read(house.page("admin", "/admin/observability"))
    assert "handed over and not ended, of all days, answered or not" in figures
    assert "drafts and held replies, of all days" in figures
    assert "messages from leads in 24 hours" in figures
    assert "replies sent in 24 hours" in figures
