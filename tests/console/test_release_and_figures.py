"""The release, the audit, the figures; and that none of the administrators' pages opens for an agent."""

from __future__ import annotations

import csv
import io

import pytest
from playwright.sync_api import expect

from api.config import ApiConfig
from tests.api.house import SPAREROOM, House
from tests.api.logins import SECRET
from tests.conftest import Database
from tests.console.people import Person, agrees


@pytest.fixture
def config(database: Database) -> ApiConfig:
    return ApiConfig(database_url=database.url, auth_secret=SECRET, dagster_url="https://dagster.example")


def test_a_release_goes_on_only_through_the_gate_or_with_a_reason(person: Person, house: House) -> None:
    house.in_stage(None)
    page = person("admin")
    agrees(page)
    page.goto("/admin/release")
    expect(page.get_by_text("No release was started")).to_be_visible()
    page.get_by_label("Commit").fill("4f2a9c1e")
    page.locator("#start").get_by_label("Why").fill("Version of March")
    page.get_by_role("button", name="Start in shadow").click()
    promote = page.locator("#promote")
    promote.get_by_label("Default SpareRoom").check()
    promote.get_by_label("Why").fill("It looks fine")
    promote.get_by_role("button", name="Promote").click()
    expect(promote.get_by_role("alert")).to_contain_text("the gate does not pass")
    expect(promote.get_by_label("Why")).to_have_value("It looks fine")
    expect(promote.get_by_label("Default SpareRoom")).to_be_checked()
    refused = page.get_by_test_id("gate-rule").and_(page.locator("[data-status=fail]"))
    expect(refused).to_have_count(2)
    expect(refused.first).to_contain_text("no evidence for 4f2a9c1e")
    assert _stage(house) == "shadow"

    promote.get_by_label("Go on although").check()
    promote.get_by_label("Why").fill(" ")
    promote.locator("form").evaluate("form => { form.noValidate = true; }")
    promote.get_by_role("button", name="Promote").click()
    expect(promote.get_by_role("alert")).to_contain_text("Reason")
    assert _stage(house) == "shadow"
    promote.get_by_label("Why").fill("The gates ran by hand")
    promote.get_by_role("button", name="Promote").click()
    expect(page.get_by_role("status").filter(has_text="in canary")).to_be_visible()
    assert house.ask("admin", "GET", "/api/admin/release").json()["cohortAccounts"] == [str(SPAREROOM)]

    page.get_by_role("button", name="Ask the gate now").click()
    expect(page.get_by_role("status").filter(has_text="The gate says")).to_be_visible()
    back = page.locator("#rollback")
    back.get_by_label("Why").fill("Strange replies")
    back.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("status").filter(has_text="back in shadow")).to_be_visible()
    page.locator("#kill").get_by_label("Why").fill("Stop it all")
    page.get_by_role("button", name="Stop all sending").click()
    stopped = page.get_by_role("alert").filter(has_text="All sending is stopped")
    expect(stopped).to_be_visible()
    stopped.get_by_role("button", name="Resume sending").click()
    expect(stopped).to_have_count(0)
    assert _stage(house) == "shadow"


def _stage(house: House) -> str:
    return str(house.ask("admin", "GET", "/api/admin/release").json()["current"]["stage"])


def test_the_audit_is_searched_read_and_taken_away(person: Person, day: House) -> None:
    page = person("admin")
    page.goto("/admin/audit")
    rows = page.get_by_test_id("audit-row")
    expect(rows).to_have_count(30)
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newest")).to_be_visible()
    page.goto("/admin/audit")
    page.get_by_label("Action").fill("platform_dispatch_error")
    page.get_by_label("Platform").select_option("roomies")
    page.get_by_role("button", name="Apply filters").click()
    expect(rows).to_have_count(6)
    rows.first.get_by_text("Details").click()
    expect(rows.first).to_contain_text("Linkage: strategy")
    expect(rows.first.get_by_role("link", name="Conversation")).to_have_attribute(
        "href", "/admin/inbox/" + _waiting(day)
    )
    file = page.request.get(str(page.get_by_role("link", name="Export CSV").get_attribute("href")))
    assert len(list(csv.DictReader(io.StringIO(file.text())))) == 6
    page.goto("/admin/audit?action=platform_dispatch_sent&from=2026-03-02T00:00&to=2026-03-02T12:00")
    found = day.ask(
        "admin",
        "GET",
        "/api/admin/audit?action=platform_dispatch_sent&since=2026-03-02T00:00:00Z&until=2026-03-02T12:00:00Z",
    )
    expect(rows).to_have_count(len(found.json()["items"]))
    expect(rows.first.get_by_role("link", name="Run")).to_have_attribute(
        "href", "https://dagster.example/runs/a1b2c3d4-0000-4000-8000-000000000001"
    )
    page.goto("/admin/audit?conversation=unheard-of")
    expect(page.get_by_role("alert")).to_contain_text("Conversation must be a UUID")


def _waiting(day: House) -> str:
    found = day.ask("admin", "GET", "/api/admin/audit?action=platform_dispatch_error&limit=1").json()
    return str(found["items"][0]["conversationId"])


@pytest.mark.parametrize("hours", [1, 24, 168])
def test_the_figures_are_those_of_the_api(person: Person, day: House, hours: int) -> None:
    page = person("admin")
    page.goto(f"/admin/observability?hours={hours}")
    api = day.ask("admin", "GET", f"/api/admin/observability?windowHours={hours}").json()
    core = api["coreMetrics"]
    for name in ("inboundMessages", "outboundSent", "outboundPendingReview", "auditEvents"):
        expect(page.locator(f"[data-figure={name}]")).to_have_text(str(core[name]))
    table = page.get_by_test_id("volumes-table")
    # Drawn from the same rows as the counters, cut into steps.
    assert table.locator("[data-total=in]").text_content() == str(core["inboundMessages"])
    assert table.locator("[data-total=out]").text_content() == str(core["outboundMessages"])
    expect(
        page.get_by_role("img", name=f"{core['inboundMessages']} in, {core['outboundMessages']} out")
    ).to_be_visible()
    failures = page.locator("section", has=page.get_by_role("heading", name="Failures by platform"))
    for failure in api["signals"]["platformFailures"]:
        assert failure["platform"] in (failures.text_content() or "").lower()
    assert (core["inboundMessages"] > 0) is True


_SOME = "11111111-1111-1111-1111-111111111111"
ADMIN_PAGES = (
    "/admin/audit",
    "/admin/observability",
    "/admin/platform/evidence/some-page",
    "/admin/platform/evidence/some-page/picture",
)
ADMIN_FORMS = (
    "/admin/assignments",
    "/admin/automation",
    f"/admin/automation/{_SOME}",
    "/admin/platform",
    f"/admin/platform/{SPAREROOM}",
    "/admin/release",
    "/admin/templates/new",
    f"/admin/templates/{_SOME}",
    "/admin/users",
)


def test_none_of_these_pages_opens_for_an_agent(house: House) -> None:
    asked = [("GET", path) for path in ("/admin/templates", *ADMIN_PAGES, *ADMIN_FORMS)]
    for method, path in (*asked, *(("POST", path) for path in ADMIN_FORMS)):
        answer = house.ask("agent", method, path)
        said = "This page is for administrators." in answer.text
        assert (answer.status_code, said) == (403, True), (method, path)
        stranger = house.client.request(method, path, follow_redirects=False)
        assert (stranger.status_code, stranger.headers["location"][:16]) == (303, "/login?redirect="), path


def test_the_pages_are_light_and_bounded(day: House) -> None:
    for path in ("assignments", "audit", "observability", "platform", "release", "templates", "users"):
        answer = day.ask("admin", "GET", f"/admin/{path}", accept_encoding="gzip")
        assert answer.status_code == 200
        assert int(answer.headers["content-length"]) < 20_000, path
