"""The page of platforms: what is switched there holds for polls and sends."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from api.config import ApiConfig
from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.domain.platforms import Platform, SendMode
from leasebot_pipeline.platforms.mock import MockConnectors
from leasebot_pipeline.stages.pipeline import Pipeline, PipelinePolicy
from leasebot_pipeline.stages.poll import AccountPoll, poll
from leasebot_pipeline.storage import outbox_sql
from tests.api.house import SPAREROOM, House
from tests.api.logins import SECRET
from tests.conftest import Database
from tests.console.day_admin import KEPT_PAGE
from tests.console.people import Person, agrees
from tests.console.widths import WIDTHS, at, fits
from tests.storage import rows

PATH = "/admin/platform"


@pytest.fixture
def config(database: Database, tmp_path: Path) -> ApiConfig:
    return ApiConfig(
        database_url=database.url,
        auth_secret=SECRET,
        default_send_mode=SendMode.AUTO_SEND,
        evidence_dir=tmp_path,
    )


def _row(page: Page, platform: str) -> Locator:
    listed = page.get_by_test_id("platform-controls-list")
    return listed.locator(f"[data-testid=platform-policy-row][data-platform={platform}]")


def _polled(house: House) -> AccountPoll:
    """What the sensor of SpareRoom does at its next tick."""
    house.clock.forward(timedelta(minutes=5))
    pipeline = Pipeline(
        engine=house.database.engine,
        clock=house.clock,
        connectors=MockConnectors(house.clock),
        provider=HeuristicProvider(),
        policy=PipelinePolicy(),
    )
    return poll(pipeline, Platform.SPAREROOM, "test", when_due=True).accounts[0]


def test_switching_a_platform_off_stops_its_polling(person: Person, house: House) -> None:
    assert _polled(house).visited
    page = person("admin")
    page.goto(PATH)
    expect(page.get_by_test_id("platform-policy-row")).to_have_count(5)
    switch = page.get_by_role("switch", name="spareroom active policy")
    expect(switch).to_have_attribute("aria-checked", "true")
    for width in WIDTHS:
        at(page, width)
        switch.click()
        expect(page.get_by_role("status").filter(has_text="nothing is read or sent")).to_be_visible()
        expect(switch).to_have_attribute("aria-checked", "false")
        expect(_row(page, "spareroom")).to_contain_text("its inbox is not read")
        fits(page)
        assert not _polled(house).visited
        switch.click()
        expect(switch).to_have_attribute("aria-checked", "true")
        assert _polled(house).visited
    switched = [row["details"]["isActive"] for row in house.audits("platform_policy_updated")]
    assert switched == [False, True] * len(WIDTHS)


def test_the_send_mode_is_set_and_not_over_somebody_elses(person: Person, house: House) -> None:
    page = person("admin", java_script_enabled=False)
    page.goto(PATH)
    row = _row(page, "spareroom")
    row.get_by_label("Send mode", exact=True).select_option("draft_only")
    row.get_by_role("button", name="Save send mode").click()
    assert _policy(house)["sendModeOverride"] == "draft_only"
    stale = person("admin", java_script_enabled=False)
    stale.goto(PATH)
    house.clock.forward(timedelta(seconds=1))
    _row(page, "spareroom").get_by_label("Send mode", exact=True).select_option("inherit")
    _row(page, "spareroom").get_by_role("button", name="Save send mode").click()
    assert _policy(house)["sendModeOverride"] is None
    _row(stale, "spareroom").get_by_label("Send mode", exact=True).select_option("auto_send")
    _row(stale, "spareroom").get_by_role("button", name="Save send mode").click()
    expect(_row(stale, "spareroom").get_by_role("alert")).to_contain_text("Somebody changed this")
    expect(_row(stale, "spareroom").get_by_label("Send mode", exact=True)).to_have_value("auto_send")
    assert _policy(house)["sendModeOverride"] is None


def _policy(house: House) -> dict[str, object]:
    items = house.ask("admin", "GET", "/api/admin/platform-policies").json()["items"]
    return next(item for item in items if item["id"] == str(SPAREROOM))


def test_sends_are_stopped_and_let_go_on(person: Person, house: House) -> None:
    page = person("admin")
    agrees(page)
    page.goto(PATH)
    page.get_by_label("Why").fill("no")
    page.locator("#stop form").evaluate("form => { form.noValidate = true; }")
    page.get_by_role("button", name="Stop sending").click()
    expect(page.locator("#stop").get_by_role("alert")).to_contain_text("at least 3")
    expect(page.get_by_label("Why")).to_have_value("no")
    page.get_by_label("Why").fill("Wrong rent in replies")
    page.get_by_role("button", name="Stop sending").click()
    expect(page.locator("#stop")).to_contain_text("Stop all sending now? No reply waits to go out.")
    page.get_by_role("button", name="Yes, stop").click()
    stopped = page.get_by_role("alert").filter(has_text="All sending is stopped")
    expect(stopped).to_contain_text("Wrong rent in replies")
    expect(stopped).to_contain_text("admin@example.com")
    page.get_by_role("button", name="Dismiss").click()
    with house.rows() as conn:
        waiting = rows.dispatch(conn, rows.conversation(conn))
        killed = f'SELECT {outbox_sql.killed("d")} FROM "OutboundDispatches" d WHERE d.id = :id'
        assert rows.value(conn, killed, id=waiting)
    stopped.get_by_role("button", name="Resume sending").click()
    expect(stopped).to_have_count(0)
    page.get_by_role("button", name="Dismiss").click()
    with house.rows() as conn:
        assert not rows.value(conn, killed, id=waiting)
    for target, said in (("roomies", "Sending on Roomies"), (str(SPAREROOM), "Sending by Default SpareRoom")):
        page.get_by_label("What to stop").select_option(target)
        page.get_by_label("Why").fill("A test of the switch")
        page.get_by_role("button", name="Stop sending").click()
        page.get_by_role("button", name="Yes, stop").click()
        expect(page.get_by_role("alert").filter(has_text=said)).to_be_visible()
        page.get_by_role("button", name="Dismiss").click()
    assert [row["details"]["reason"] for row in house.audits("kill_switch_engaged")] == [
        "Wrong rent in replies",
        "A test of the switch",
        "A test of the switch",
    ]


def test_a_stopped_account_is_understood_and_resumed(person: Person, day: House, tmp_path: Path) -> None:
    (tmp_path / f"{KEPT_PAGE}.json").write_text(
        '{"platform": "roomies", "action": "ingest", "accountId": "13111111-1111-1111-1111-111111111111",'
        ' "url": "https://roomies.example/xxx", "code": "MARKUP_DRIFT", "detail": "no inbox list",'
        ' "title": "Xxxx", "takenAt": "2026-03-02T11:40:00+00:00", "selectors": {"inbox_row": {".row": 0}}}'
    )
    picture = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001"
        "00fa6b8e3e0000000049454e44ae426082"
    )
    (tmp_path / f"{KEPT_PAGE}.png").write_bytes(picture)
    page = person("admin")
    page.goto(PATH)
    row = _row(page, "roomies")
    expect(row).to_contain_text("The site asked to sign in again")
    expect(row).to_contain_text("Degraded")
    expect(page.locator("#incidents")).to_contain_text("Session needs renewing")
    row.get_by_role("link", name="Roomies").click()
    failed = page.locator("#failures")
    expect(failed).to_contain_text("no inbox list on the page")
    failed.get_by_role("link", name="What the page looked like").first.click()
    expect(page.get_by_role("main")).to_contain_text("https://roomies.example/xxx")
    shown = page.request.get(f"{page.url}/picture")
    assert (shown.status, shown.headers["content-type"], shown.body()) == (200, "image/png", picture)
    page.get_by_role("link", name="Back to the account").click()
    page.get_by_role("button", name="Resume Roomies").click()
    expect(page.get_by_role("status").filter(has_text="visited again")).to_be_visible()
    page.goto(PATH)
    _row(page, "renthop").get_by_role("button", name="Try RentHop again").click()
    expect(page.get_by_role("status").filter(has_text="rest is over")).to_be_visible()
    assert [len(day.audits(f"platform_{what}")) for what in ("account_resumed", "circuit_reset")] == [1, 1]


@pytest.mark.parametrize("name", ["..%2F..%2Fetc%2Fpasswd", "unknown", "a.png"])
def test_only_kept_pages_are_shown(house: House, name: str) -> None:
    answer = house.ask("admin", "GET", f"{PATH}/evidence/{name}/picture")
    assert answer.status_code == 404
