"""Templates and the rules that send them."""

from __future__ import annotations

from datetime import timedelta

from playwright.sync_api import expect

from tests.api.house import SPAREROOM, House
from tests.console.people import Person, agrees

TEMPLATES = "/admin/templates"


def _templates(house: House) -> dict[str, str]:
    items = house.ask("admin", "GET", "/api/templates").json()["items"]
    return {item["name"]: item["body"] for item in items}


def test_a_template_is_written_with_a_preview_and_checked(person: Person, house: House) -> None:
    page = person("admin")
    agrees(page)
    page.goto(f"{TEMPLATES}/new")
    page.get_by_label("Name").fill("greeting")
    text = page.get_by_role("textbox", name="Text")
    text.press_sequentially("Hi {{ lead_name }}, welcome to {{ unti }}.")
    preview = page.locator("#preview")
    expect(preview).to_contain_text("Nothing fills unti")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("unti")
    expect(text).to_have_value("Hi {{ lead_name }}, welcome to {{ unti }}.")
    assert _templates(house) == {}
    text.fill("Hi {{ lead_name }}, welcome to {{ unit }}. Your number is 123-45-6789.")
    expect(preview).to_contain_text("Hi Alex, welcome to Maple Court 4B.")
    expect(preview).to_contain_text("held for a person")
    text.fill("Hi {{ lead_name }}, welcome to {{ unit }}.")
    expect(preview).to_contain_text("Nothing in it holds it back")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_test_id("template-row")).to_contain_text("Greeting")
    assert _templates(house) == {"greeting": "Hi {{ lead_name }}, welcome to {{ unit }}."}

    page.get_by_role("link", name="greeting").click()
    stale = person("admin")
    expect(page.get_by_role("heading", name="greeting", level=1)).to_be_visible()
    stale.goto(page.url)
    house.clock.forward(timedelta(seconds=1))
    text.fill("Hello {{ lead_name }}.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_test_id("template-row")).to_contain_text("Hello")
    mine = stale.get_by_role("textbox", name="Text")
    mine.fill("Dear {{ lead_name }}.")
    stale.get_by_role("button", name="Save").click()
    expect(stale.get_by_role("alert")).to_contain_text("Somebody changed this")
    expect(stale.get_by_text("Hello {{ lead_name }}.")).to_be_visible()
    expect(mine).to_have_value("Dear {{ lead_name }}.")
    stale.get_by_role("button", name="Save").click()
    expect(stale.get_by_test_id("template-row")).to_contain_text("Dear")
    page.goto(TEMPLATES)
    page.get_by_role("link", name="greeting").click()
    page.get_by_role("button", name="Remove this template").click()
    expect(page.get_by_text("No templates yet")).to_be_visible()


def test_without_script_a_button_shows_the_preview(person: Person, house: House) -> None:
    page = person("admin", java_script_enabled=False)
    page.goto(f"{TEMPLATES}/new")
    page.get_by_label("Name").fill("greeting")
    page.get_by_role("textbox", name="Text").fill("Hi {{ lead_name }}.")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#preview")).to_contain_text("Hi Alex.")
    expect(page.get_by_label("Name")).to_have_value("greeting")
    assert _templates(house) == {}


def test_rules_are_added_changed_removed_and_switched(person: Person, house: House) -> None:
    body = {"name": "greeting", "body": "Hi {{ lead_name }}, see {{ slot_options_list }}"}
    house.ask("admin", "POST", "/api/templates", body)
    page = person("admin")
    agrees(page)
    page.goto("/admin/automation")
    page.get_by_label("For", exact=True).select_option(label="Default SpareRoom")
    page.get_by_label("Name").fill("Viewings")
    page.get_by_label("When a lead").select_option("tour_request")
    page.get_by_label("Answer with").select_option("greeting")
    page.get_by_label("Priority").fill("5000")
    page.locator("form", has=page.get_by_role("button", name="Add rule")).evaluate(
        "f => { f.noValidate = true; }"
    )
    page.get_by_role("button", name="Add rule").click()
    expect(page.get_by_role("alert")).to_contain_text("Priority")
    expect(page.get_by_label("Name")).to_have_value("Viewings")
    page.get_by_label("Priority").fill("20")
    page.get_by_role("button", name="Add rule").click()
    rule = page.get_by_test_id("automation-rule").filter(has_text="Viewings")
    expect(rule).to_contain_text("asks for a viewing")
    switch = page.get_by_role("switch", name="Own rules of Default SpareRoom")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    state = house.ask("admin", "GET", f"/api/message-automation?platformAccountId={SPAREROOM}").json()
    assert state["autoSendEnabled"] is False
    rule.get_by_role("link", name="Edit Viewings").click()
    expect(page.get_by_role("heading", name="Viewings", level=1)).to_be_visible()
    page.get_by_label("Name").fill("Visits")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Remove Visits").click()
    expect(page.get_by_test_id("automation-rule")).to_have_count(0)
    actions = ("automation_rule_created", "automation_rule_updated", "automation_rule_deleted")
    assert [len(house.audits(action)) for action in actions] == [1, 1, 1]
