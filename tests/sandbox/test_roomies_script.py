"""Roomies' conversation page in a real browser: its messages exist only after its script ran."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.sandbox.faults import Fault
from leasebot_pipeline.sandbox.testing import SandboxServer

ROOMIES = Platform.ROOMIES
STATES = "items => items.map(item => item._x_dataStack[0].message)"


@pytest.fixture
def page(sandbox: SandboxServer) -> Iterator[Page]:
    browser_path = next(
        (p for n in ("chromium-headless-shell", "chromium", "google-chrome") if (p := shutil.which(n))), None
    )
    if browser_path is None:
        pytest.skip("no Chromium on the search path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path)
        state = sandbox.storage_state(ROOMIES)
        context = browser.new_context(storage_state=state)  # type: ignore[arg-type]
        yield context.new_page()
        browser.close()


def test_messages_carry_their_state_and_a_reply_appears_without_a_reload(
    sandbox: SandboxServer, page: Page
) -> None:
    lead = sandbox.add_lead(ROOMIES, "Hi <b>there</b>\nIs it free?")
    page.goto(f"{sandbox.base_urls[ROOMIES]}/inbox/{lead.thread}")
    conversation = page.locator("[data-testid='conversation']")
    expect(conversation).to_have_attribute("data-state", "ready")
    page.evaluate("window.stayed = true")
    page.fill("textarea[name='body']", "Yes,\nit is.")
    page.click("[data-testid='send-message']")
    items = page.locator("li[x-data*='messageItem']")
    expect(items).to_have_count(3)
    note, theirs, ours = items.evaluate_all(STATES)
    assert note["system"] is True
    assert (theirs["content"], theirs["isSender"]) == ("Hi <b>there</b>\nIs it free?", False)
    assert (ours["content"], ours["isSender"]) == ("Yes,\nit is.", True)
    assert len({theirs["uuid"], ours["uuid"]}) == 2
    assert ours["id"] > theirs["id"]
    assert page.evaluate("window.stayed") is True
    assert page.input_value("textarea[name='body']") == ""
    assert [m.body for m in lead.received] == ["Yes,\nit is."]


def test_a_lost_response_looks_like_a_failure_although_the_reply_arrived(
    sandbox: SandboxServer, page: Page
) -> None:
    lead = sandbox.add_lead(ROOMIES, "Hi")
    page.goto(f"{sandbox.base_urls[ROOMIES]}/inbox/{lead.thread}")
    expect(page.locator("li[x-data*='messageItem']")).to_have_count(2)
    sandbox.fault(ROOMIES, Fault.LOST_RESPONSE, count=1)
    page.fill("textarea[name='body']", "Hello")
    page.click("[data-testid='send-message']")
    expect(page.locator("[role='alert']")).to_have_text("Your reply could not be sent. Please try again.")
    assert [m.body for m in lead.received] == ["Hello"]
    page.reload()
    expect(page.locator("li[x-data*='messageItem']")).to_have_count(3)
