"""While sending is stopped, everybody is told so where they write, approve and look."""

from __future__ import annotations

import re
from html import unescape
from uuid import UUID

import pytest
from sqlalchemy import Connection

from leasebot_pipeline.domain.kill_switches import GLOBAL
from leasebot_pipeline.storage.tables import accounts
from tests.api.house import SPAREROOM, House
from tests.console.day_inbox import draft, fill_inbox, lead
from tests.storage import rows

WHY = "Wrong rent in replies"
WHO = {"admin": "/admin", "agent": "/agent"}


@pytest.fixture
def held(house: House) -> UUID:
    """A conversation of Dana's with a draft of the bot's."""
    with house.rows() as conn:
        each = lead(conn, house, advert(conn, house), "Ann Lee", house.clock())
        draft(conn, house, each, "Hi Ann, yes it is.", house.clock())
    return each


def advert(conn: Connection, house: House) -> UUID:
    values = {"unit_id": house.unit, "platform_account_id": SPAREROOM, "listing_external_id": "SR-77"}
    found: UUID = rows.add(conn, accounts.listings, rent_cents=185000, **values)
    return found


def stop(house: House, target: str = GLOBAL) -> None:
    answer = house.ask("admin", "POST", "/api/admin/kill-switches", {"target": target, "reason": WHY})
    assert answer.status_code == 201


def read(page: str) -> str:
    """The words of a page."""
    plain = unescape(re.sub(r"<[^>]+>", " ", page.partition("<main")[2]))
    return re.sub(r"\s+([.,:;])", r"\1", " ".join(plain.split()))


@pytest.mark.parametrize("who", WHO)
def test_it_is_said_on_today_and_in_the_conversation(house: House, held: UUID, who: str) -> None:
    paths = [f"{WHO[who]}/today", f"{WHO[who]}/inbox/{held}"]
    for path in paths:
        assert "is stopped" not in read(house.page(who, path)), path
    stop(house)
    for path in paths:
        said = read(house.page(who, path))
        assert "All sending is stopped" in said, path
        assert f"Stopped by admin, just now: {WHY}." in said, path


@pytest.mark.parametrize("who", WHO)
def test_it_is_said_after_send_and_approve(house: House, held: UUID, who: str) -> None:
    stop(house)
    here = f"{WHO[who]}/inbox/{held}"
    page = house.page(who, here)
    form = re.search(r'/drafts/([0-9a-f-]+)[^>]*>.*?name="version" value="([^"]+)"', page, re.DOTALL)
    assert form is not None
    words = {"body": "Hi Ann, yes it is.", "before": "Hi Ann, yes it is.", "version": unescape(form[2])}
    approved = house.notice(house.send(who, f"{here}/drafts/{form[1]}", act="approve", **words))
    sent = house.notice(house.send(who, f"{here}/reply", body="See you then.", key="k-1"))
    for said in (approved, sent):
        assert "All sending is stopped" in said
        assert "waits" in said
        assert f"Stopped by admin, just now: {WHY}." in said
        assert "on its way" not in said
    shown = read(house.page(who, here))
    assert "goes out as soon as the account is free" not in shown
    assert shown.count("Waits: sending is stopped") == 2, "beside the reply, and in the list"
    house.ask("admin", "DELETE", "/api/admin/kill-switches/global")
    assert "is stopped" not in read(house.page(who, here))


def test_only_what_is_stopped_is_told_of(house: House, held: UUID) -> None:
    stop(house, "roomies")
    for path in ("/agent/today", f"/agent/inbox/{held}"):
        assert "is stopped" not in read(house.page("agent", path)), path
    assert "Sending on Roomies is stopped" in read(house.page("admin", "/admin/today"))
    stop(house, str(SPAREROOM))
    for path in ("/agent/today", f"/agent/inbox/{held}"):
        assert "Sending of Default SpareRoom is stopped" in read(house.page("agent", path)), path


def test_the_list_says_it_too(house: House) -> None:
    fill_inbox(house)
    assert read(house.page("agent", "/agent/inbox")).count("On its way") == 1
    stop(house)
    said = read(house.page("agent", "/agent/inbox"))
    assert (said.count("On its way"), said.count("Waits: sending is stopped")) == (0, 1)


def test_the_platform_page_does_not_contradict_it(house: House) -> None:
    path = f"/admin/platform/{SPAREROOM}"
    assert "Nothing is wrong just now" in read(house.page("admin", "/admin/platform"))
    stop(house)
    for page in (path, "/admin/platform"):
        said = read(house.page("admin", page))
        assert "Every reply waits as a draft until" not in said, page
        assert "Sending is stopped: replies wait" in said, page
        assert "Nothing is wrong just now" not in said, page


def test_stopping_asks_with_scope_and_count_and_says_what_it_did(house: House, held: UUID) -> None:
    with house.rows() as conn:
        for _ in range(2):
            rows.dispatch(conn, held, state="queued")
        rows.dispatch(conn, held, state="sent", sent_at=house.clock(), receipt={})
    for target, what, count in (
        (GLOBAL, "all sending", "2 replies wait"),
        ("roomies", "sending on Roomies", "No reply waits"),
        (str(SPAREROOM), "sending of Default SpareRoom", "2 replies wait"),
    ):
        form = {"do": "kill", "at": "kill", "target": target, "reason": WHY}
        asked = house.send("admin", "/admin/platform", **form)
        assert f"Stop {what} now? {count} to go out." in read(asked.text)
        assert house.ask("admin", "GET", "/api/admin/kill-switches").json()["items"] == []
        told = house.notice(house.send("admin", "/admin/platform", **form, sure="1"))
        assert told == f"Stopped: {what}. {count} to go out. Sending is resumed at the top of this page."
        house.send("admin", "/admin/platform", do="lift", target=target)
    for path, what in (
        (f"/admin/platform/{SPAREROOM}", "sending of Default SpareRoom"),
        ("/admin/release", "all sending"),
    ):
        assert f'data-confirm="Stop {what} now? 2 replies wait to go out."' in house.page("admin", path)
