"""Signing in and out, invitations, the theme."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.api.house import House
from tests.api.logins import PASSWORD
from tests.console.people import Person
from tests.console.widths import PHONE, WIDTHS, at, fits


def test_an_administrator_signs_in_and_out(person: Person, house: House) -> None:
    page = person("stranger")
    page.goto("/admin/inbox?status=draft")
    expect(page.get_by_role("heading", name="Lease Bot Login")).to_be_visible()
    page.get_by_label("Email").fill("admin@example.com")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not fit together")
    expect(page.get_by_label("Email")).to_have_value("admin@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/admin/inbox?status=draft")
    page.get_by_role("button", name="Open menu").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_contain_text("signed out")
    page.goto("/admin/inbox")
    expect(page).to_have_url(re.compile("/login"))


def test_everybody_signs_in_and_out_at_every_width(person: Person, house: House) -> None:
    homes = {"agent": "/agent/appointments", "admin": "/admin/inbox"}
    page = person("stranger")
    for width, who in zip(WIDTHS, ("agent", "admin", "agent", "admin", "agent"), strict=True):
        at(page, width).goto("/login")
        fits(page)
        page.get_by_label("Email").fill(f"{who}@example.com")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"**{homes[who]}")
        fits(page)
        if width <= PHONE:
            page.get_by_role("button", name="Open menu").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("status")).to_contain_text("signed out")


def test_a_role_opens_its_own_places_at_every_width(person: Person, house: House) -> None:
    page = person("agent")
    for width in WIDTHS:
        at(page, width).goto("/agent/today")
        if width <= PHONE:
            page.get_by_role("button", name="Open menu").click()
        places = page.locator("#menu nav" if width <= PHONE else "#side").get_by_role("link")
        expect(places).to_have_text(["Today", "Workboard", "My Showings", "Availability"])
        answer = page.goto("/admin/platform")
        assert answer is not None
        assert answer.status == 403
        expect(page.get_by_role("main")).to_contain_text("This page is for administrators")
        fits(page)


@pytest.mark.parametrize(
    ("who", "wanted", "reached"),
    [
        ("agent", "/admin/users", "/agent/appointments"),
        ("admin", "https://elsewhere.example/", "/admin/inbox"),
        ("admin", "//elsewhere.example/admin/", "/admin/inbox"),
        ("agent", "/agent/availability", "/agent/availability"),
    ],
)
def test_signing_in_leads_only_where_the_role_may_go(
    house: House, who: str, wanted: str, reached: str
) -> None:
    form = {"email": f"{who}@example.com", "password": PASSWORD, "redirect": wanted}
    answer = house.client.post("/login", data=form, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, reached)


def test_without_script_a_person_signs_in_all_the_same(person: Person, house: House) -> None:
    page = person("stranger", java_script_enabled=False)
    page.goto("/login?redirect=/agent/availability")
    page.get_by_label("Email").fill("agent@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/agent/availability")


def test_an_invited_agent_chooses_a_password(person: Person, house: House) -> None:
    body = {"email": "new@example.com", "firstName": "Nia", "lastName": "Okoro", "role": "agent"}
    made = house.ask("admin", "POST", "/api/admin/users/invitations", body).json()["invitation"]
    token = made["previewUrl"].partition("token=")[2]
    page = person("stranger")
    page.goto(f"/invite?token={token}")
    page.get_by_label("Password", exact=True).fill("four plain words here")
    page.get_by_label("Password again").fill("three plain words here")
    page.get_by_role("button", name="Create my login").click()
    expect(page.get_by_role("alert")).to_contain_text("differ")
    page.get_by_label("Password", exact=True).fill("four plain words here")
    page.get_by_label("Password again").fill("four plain words here")
    page.get_by_role("button", name="Create my login").click()
    page.wait_for_url("**/agent/appointments")  # signed in by the password that was just chosen
    expect(page.locator("#notices")).to_contain_text("Your login is ready, new@example.com")
    page.get_by_role("link", name="Today").click()
    expect(page.get_by_role("heading", level=1, name="Today")).to_be_visible()
    used = person("stranger")
    used.goto(f"/invite?token={token}")
    expect(used.get_by_role("alert")).to_contain_text("accepted")


def test_the_theme_is_remembered_and_drawn_at_once(person: Person, house: House) -> None:
    page = person("stranger", color_scheme="light")
    page.goto("/login")
    page.get_by_role("button", name="Switch to dark theme").click()
    answer = page.goto("/login")
    assert answer is not None
    assert 'data-theme="dark"' in answer.text()
    expect(page.get_by_role("button", name="Switch to light theme")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("localStorage.getItem('lease-bot-theme')") == "dark"
    page.context.clear_cookies()  # as some browsers do after a week
    page.reload()
    expect(page.get_by_role("button", name="Switch to light theme")).to_be_visible()
    assert "lease-bot-theme=dark" in page.evaluate("document.cookie")
    page.get_by_role("button", name="Follow the system's theme").click()
    expect(page.get_by_role("button", name="Follow the system's theme")).to_have_count(0)
    expect(page.get_by_role("button", name="Switch to dark theme")).to_be_focused()
    answer = page.goto("/login")
    assert answer is not None
    assert 'data-theme="system"' in answer.text()
    assert page.evaluate("localStorage.getItem('lease-bot-theme')") is None
    page.emulate_media(color_scheme="dark")
    expect(page.get_by_role("button", name="Switch to light theme")).to_be_visible()


def test_a_page_of_another_site_can_not_write(house: House) -> None:
    answer = house.client.post(
        "/logout", headers={"cookie": house.cookies["admin"], "origin": "https://elsewhere.example"}
    )
    assert answer.status_code == 403
    assert house.ask("admin", "GET", "/api/auth/get-session").json() is not None
