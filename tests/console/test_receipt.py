"""From the console to the lead and back: approved once, received once, its receipt shown without a reload."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import text

from api.config import ApiConfig
from leasebot_pipeline.domain.pacing import Pace
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.processes.accounts import account_choices
from leasebot_pipeline.processes.database import prepare_database
from leasebot_pipeline.processes.sandbox_environment import sandbox_variables
from leasebot_pipeline.sandbox import LOGIN_PASSWORD, LOGIN_USER
from leasebot_pipeline.sandbox.testing import SandboxServer
from leasebot_pipeline.settings import load_settings
from leasebot_pipeline.stages import decide, dispatch, ingest, link, poll
from leasebot_pipeline.storage import invariants
from leasebot_pipeline.wiring import build_pipeline
from tests.api.logins import SECRET, add_user, hold_session
from tests.conftest import Database
from tests.console.people import Watched
from tests.console.server import ConsoleServer
from tests.console.widths import WIDTHS, at, fits

SITE = Platform.LEASEBREAK
TOUR = "Hi! Could I come and see the apartment this week? Any time works."
LEADS = ("Ana Abel", "Ben Osei", "Cleo Ruiz", "Dan Ivory", "Eva Lind")
"""One for each width."""


def answer_to(lead: str) -> str:
    return f"Hi {lead.split()[0]}, gladly. Does Thursday suit you?"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.timeout(120)
def test_what_is_approved_arrives_once_and_its_receipt_shows(
    browser: Browser, empty_database: Database, tmp_path: Path
) -> None:
    variables = sandbox_variables(
        {}, host="127.0.0.1", control_port=1, login=LOGIN_USER, password=LOGIN_PASSWORD
    )
    with SandboxServer() as sandbox:
        urls = {f"{site.env_prefix}_BASE_URL": url for site, url in sandbox.base_urls.items()}
        settings = load_settings(
            {**variables, **urls, "DATABASE_URL": empty_database.url, "LEASE_BOT_DATA_DIR": str(tmp_path)}
        )
        choices = account_choices(settings, sandbox=True)
        prepare_database(empty_database.url, choices=choices, sandbox=True, now=now())
        built = build_pipeline(settings, "tests")
        pipeline = replace(built, policy=replace(built.policy, paces={site: Pace(0, 0) for site in Platform}))
        login = SimpleNamespace(headers={})
        hold_session(login, empty_database, add_user(empty_database, "a@example.com", "admin", now()), now())  # type: ignore[arg-type]
        cookie, _, value = login.headers["cookie"].partition("=")
        watched = Watched()
        config = ApiConfig(database_url=empty_database.url, auth_secret=SECRET)
        try:
            with ConsoleServer(config, now) as console:
                with pipeline.engine.begin() as conn:
                    conn.execute(text("""UPDATE "PlatformAccounts" SET send_mode = 'draft_only'"""))
                for name in LEADS:
                    sandbox.add_lead(SITE, TOUR, name=name)
                poll.poll(pipeline, SITE, "test")
                ingest.ingest(pipeline, ingest.load(pipeline, SITE), {}, "run")
                link.link(pipeline, SITE, "run")
                drafted = decide.apply(pipeline, decide.plan(pipeline, SITE, "run"), {}, "run").drafted
                assert drafted == len(LEADS)
                context = browser.new_context(base_url=console.url)
                context.add_cookies([{"name": cookie, "value": value, "url": console.url}])
                page = context.new_page()
                watched.follow(page, console.url)
                for lead, width in zip(LEADS, WIDTHS, strict=True):
                    at(page, width).goto("/admin/inbox?status=waiting")
                    page.get_by_test_id("inbox-row").get_by_role("link", name=lead).click()
                    page.locator(".draft textarea").fill(answer_to(lead))
                    fits(page)
                    page.get_by_role("button", name="Approve and send").click()
                    expect(page.locator("#thread [data-state=queued]")).to_be_visible()
                assert sandbox.received() == [], "the console sends nothing by itself"
                assert dispatch.dispatch(pipeline, SITE, "run").sent == len(LEADS)
                # The page of the last one is still open.
                expect(page.locator("#thread [data-state=sent]")).to_contain_text("Sent, seen in the thread")
                poll.poll(pipeline, SITE, "test")
                ingest.ingest(pipeline, ingest.load(pipeline, SITE), {}, "run")
                assert dispatch.dispatch(pipeline, SITE, "run").claimed == 0
                assert sorted(sandbox.received()) == sorted(answer_to(lead) for lead in LEADS)
                for lead, width in zip(LEADS, WIDTHS, strict=True):
                    at(page, width).goto("/admin/inbox")
                    page.get_by_test_id("inbox-row").get_by_role("link", name=lead).click()
                    expect(page.locator("#thread .said", has_text=answer_to(lead))).to_have_count(1)
                    expect(page.locator("#thread [data-state=sent]")).to_contain_text("Sent, seen")
                    fits(page)
                context.close()
            with pipeline.engine.connect() as conn:
                assert [one.name for one in invariants.check(conn) if not one.holds] == []
        finally:
            built.connectors.close()
            built.engine.dispose()
    assert watched.complaints == []
