"""Who shows what, and who may sign in."""

from __future__ import annotations

import re
from datetime import timedelta

from playwright.sync_api import Page, expect
from sqlalchemy import text

from leasebot_pipeline.storage.agent_removal import remove_agents
from leasebot_pipeline.storage.booking import Actor
from tests.api.house import SPAREROOM, House
from tests.console.people import Person, agrees
from tests.storage import rows


def _agents_of(house: House, name: str) -> list[str]:
    query = """SELECT a.full_name FROM "UnitAgentAssignments" s JOIN "Agents" a ON a.id = s.agent_id
                 JOIN "Units" u ON u.id = s.unit_id
                WHERE u.property_name || ' ' || u.unit_number = :name AND s.assignment_mode = 'active'"""
    with house.rows() as conn:
        return list(conn.execute(text(query), {"name": name}).scalars())


def test_units_are_assigned_one_by_one_and_many_at_once(person: Person, day: House) -> None:
    page = person("admin")
    page.goto("/admin/assignments")
    expect(page.get_by_role("heading", name="Assign listing")).to_be_visible()
    expect(page.get_by_test_id("assignment-row")).to_have_count(20)
    expect(page.get_by_test_id("assignments-pagination-summary")).to_have_text("1 / 2")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose a listing first")

    form = page.locator("#assign")
    form.get_by_label("Listing").select_option(
        label="SPAREROOM · Bright room 2B (Brooklyn • USD 1,800 • active)"
    )
    form.get_by_label("Agent").select_option(label="Dana Reyes")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="is assigned")).to_be_visible()
    assert _agents_of(day, "Maple Court 2B") == ["Dana Reyes"]

    page.get_by_label("Search").fill("maple court")
    page.get_by_label("Assignment").select_option("unassigned")
    page.get_by_role("button", name="Apply filters").click()
    rows = page.get_by_test_id("assignment-row")
    expect(rows.filter(has_text="Elm House")).to_have_count(0)
    expect(rows).to_have_count(3)
    page.get_by_role("button", name="Assign ticked").click()
    expect(page.get_by_role("alert")).to_contain_text("at least one")
    for box in rows.get_by_role("checkbox").all()[:2]:
        box.check()
    page.get_by_label("Assign the ticked ones to").select_option(label="Marco Klein")
    page.get_by_role("button", name="Assign ticked").click()
    expect(page.get_by_role("status").filter(has_text="2 units assigned")).to_be_visible()
    expect(rows).to_have_count(1)  # the filter stays

    page.goto("/admin/assignments?q=Maple+Court+2B")
    day.clock.forward(timedelta(minutes=20))
    page.get_by_role("button", name="Unassign Maple Court 2B").click()
    asked = page.get_by_role("alertdialog")
    expect(asked).to_contain_text("Take Dana Reyes off Maple Court 2B?")
    asked.get_by_role("button", name="Unassign").click()
    expect(page.get_by_role("status").filter(has_text="is unassigned")).to_be_visible()
    assert _agents_of(day, "Maple Court 2B") == []
    expect(rows.locator("[data-label='Last change']")).to_have_text("just now")
    page.get_by_role("button", name="Dismiss").click()
    page.get_by_role("link", name="Edit Maple Court 2B").click()
    expect(form.get_by_label("Listing")).to_have_value(re.compile("."))
    assert len(day.audits("unit_assignment_changed")) == 4


def test_somebody_is_invited_by_a_link_and_revoked(person: Person, house: House) -> None:
    page = person("admin")
    agrees(page)
    page.goto("/admin/users")
    _invite(page, "agent@example.com")
    expect(page.get_by_role("alert")).to_contain_text("can sign in already")
    expect(page.get_by_label("First name")).to_have_value("Nia")
    _invite(page, "nia@example.com")
    link = page.get_by_label("Invitation link").input_value()
    token = link.partition("token=")[2]
    guest = person("stranger")
    guest.goto(f"/invite?token={token}")
    expect(guest.get_by_text("Nia Okoro, you are invited as an agent")).to_be_visible()
    page.goto("/admin/users")
    assert token not in page.content()
    page.get_by_label("Status").select_option("pending")
    page.get_by_role("button", name="Apply filters").click()
    pending = page.get_by_test_id("invitation-row")
    expect(pending).to_have_count(1)
    expect(page.get_by_test_id("user-row")).to_have_count(0)
    page.get_by_role("button", name="Revoke the invitation of nia@example.com").click()
    expect(page.get_by_role("status").filter(has_text="revoked")).to_be_visible()
    expect(pending).to_have_count(0)
    guest.reload()
    expect(guest.get_by_role("alert")).to_contain_text("revoked")


def _invite(page: Page, email: str) -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("First name").fill("Nia")
    page.get_by_label("Last name").fill("Okoro")
    page.get_by_role("button", name="Invite").click()


def test_an_agent_who_leaves_is_chosen_by_a_labelled_list(person: Person, house: House) -> None:
    page = person("admin", 1280)
    page.goto("/admin/users")
    leaves = page.get_by_label("Agent who leaves")
    assert leaves.evaluate("select => select.labels.length") == 1
    assert leaves.locator("option").all_inner_texts()[1:] == ["Dana Reyes (agent@example.com)", "Marco Klein"]
    places = page.locator("#side")
    for place in ("Users", "Availability"):
        places.get_by_role("link", name=place).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(place)
        chosen = places.locator("[aria-current]")
        expect(chosen).to_contain_text(place)
        expect(chosen).to_be_in_viewport(ratio=1)
    page.set_viewport_size({"width": 1280, "height": 500})
    page.reload()
    expect(chosen).to_be_in_viewport(ratio=1)


def test_a_login_is_let_act_for_an_agent(person: Person, house: House) -> None:
    page = person("admin", java_script_enabled=False)
    page.goto("/admin/users?q=unlinked")
    page.get_by_role("link", name="choose for which agent unlinked@example.com acts").click()
    page.get_by_label("Agent", exact=True).select_option(label="Dana Reyes: agent@example.com acts for them")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Another login acts for this agent")
    page.get_by_label("shall act for nobody").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_test_id("user-row")).to_contain_text("Dana Reyes")
    agents = 'SELECT u.email FROM "Agents" a JOIN "user" u ON u.id = a.user_id WHERE a.id = :id'
    with house.rows() as conn:
        assert conn.execute(text(agents), {"id": house.dana}).scalars().all() == ["unlinked@example.com"]
    assert house.ask("unlinked", "GET", "/api/agents").json()["items"][0]["fullName"] == "Dana Reyes"


def test_who_left_is_offered_nowhere(house: House) -> None:
    """In no select, and no conversation is given to them; what they did stays in the audit."""
    with house.rows() as conn:
        each = rows.conversation(conn, platform_account_id=SPAREROOM)
        remove_agents(conn, [house.marco], Actor("admin"), house.clock())
    listed = [item["fullName"] for item in house.ask("admin", "GET", "/api/agents").json()["items"]]
    assert listed == ["Dana Reyes"]
    path = f"/api/conversations/{each}/assignment"
    assert house.ask("admin", "PUT", path, {"agentId": str(house.marco)}).status_code == 400
    for page in (f"inbox/{each}", "assignments", "showings"):
        shown = house.ask("admin", "GET", f"/admin/{page}").text
        options = set(re.findall(r"<option[^>]*>([^<]*)", shown))
        assert any("Dana" in option for option in options), page
        assert not any("Marco" in option for option in options), page
    assert house.ask("admin", "GET", f"/agent/availability?agent={house.marco}").status_code == 404
