"""Logins and invitations."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from aiosmtpd.controller import Controller
from starlette.testclient import TestClient

from api.app import create_app
from api.config import ApiConfig
from api.mail import MailServer
from tests.api.house import House, build_house
from tests.api.logins import PASSWORD, MovableClock, sign_in
from tests.conftest import Database

ANN = {"email": " Ann@Example.com ", "firstName": "Ann", "lastName": "van  Dyke", "role": "agent"}


def invite(house: House, **values: object) -> tuple[str, str]:
    answer = house.ask("admin", "POST", "/api/admin/users/invitations", {**ANN, **values})
    assert answer.status_code == 201, answer.text
    made = answer.json()["invitation"]
    [token] = parse_qs(urlsplit(made["previewUrl"]).query)["token"]
    return made["id"], token


def accept(house: House, token: str) -> object:
    return house.ask("stranger", "POST", "/api/invitations/accept", {"token": token, "password": PASSWORD})


def test_an_invited_agent_signs_in_and_has_an_agent(house: House) -> None:
    """Behaviour 65 and G-29."""
    answer = house.ask("admin", "POST", "/api/admin/users/invitations", ANN).json()["invitation"]
    assert (answer["status"], answer["delivery"], answer["email"]) == ("pending", "logged", "ann@example.com")
    [token] = parse_qs(urlsplit(answer["previewUrl"]).query)["token"]
    verified = house.ask("stranger", "GET", f"/api/invitations/verify?token={token}").json()
    assert verified["valid"] is True
    assert (verified["invitation"]["email"], verified["invitation"]["lastName"]) == (
        "ann@example.com",
        "van Dyke",
    )
    assert accept(house, token).json() == {"accepted": True, "email": "ann@example.com"}  # type: ignore[attr-defined]
    listed = house.ask("admin", "GET", "/api/admin/users").json()
    ann = next(user for user in listed["users"] if user["email"] == "ann@example.com")
    assert (ann["firstName"], ann["lastName"], ann["role"]) == ("Ann van", "Dyke", "agent")
    assert ann["agentId"] is not None
    assert [i["status"] for i in listed["invitations"]] == ["accepted"]
    sign_in(house.client, "ann@example.com")
    assert [len(house.audits(a)) for a in ("user_invited", "user_invitation_accepted")] == [1, 1]


def test_a_new_agent_is_in_the_zone_of_the_teams_units_and_may_say_otherwise(house: House) -> None:
    rule = {"dayOfWeek": 1, "startTime": "10:00", "endTime": "16:00", "timezone": "America/Chicago"}
    made = house.ask("admin", "POST", f"/api/units/{house.unit}/availability/weekly-rules", rule)
    assert made.status_code == 201, made.text
    accept(house, invite(house)[1])
    agents = {a["fullName"]: a for a in house.ask("admin", "GET", "/api/agents").json()["items"]}
    assert agents["Ann van Dyke"]["timezone"] == "America/Chicago"

    def zone(who: str, agent: object, name: str) -> tuple[int, object]:
        answer = house.ask(who, "PUT", f"/api/agents/{agent}/timezone", {"timezone": name})
        return answer.status_code, answer.json().get("updated")

    assert zone("agent", house.dana, "America/Denver") == (200, True)
    assert zone("agent", house.dana, "America/Denver") == (200, False)
    assert zone("agent", house.marco, "America/Denver") == (403, None)
    assert zone("admin", house.marco, "Mars/Olympus")[0] == 400
    assert zone("admin", house.unit, "America/Denver")[0] == 404
    [changed] = house.audits("agent_timezone_changed")
    assert (changed["actor_type"], changed["details"]["timezone"]) == ("agent", "America/Denver")


def test_an_agent_of_the_same_address_gets_the_login(house: House) -> None:
    with house.rows() as conn:
        conn.exec_driver_sql(
            """UPDATE "Agents" SET email = 'Ann@example.com' WHERE full_name = 'Marco Klein'"""
        )
    _, token = invite(house)
    accept(house, token)
    listed = house.ask("admin", "GET", "/api/admin/users").json()["users"]
    assert next(user for user in listed if user["email"] == "ann@example.com")["agentId"] == str(house.marco)


def test_an_invitation_is_used_once(house: House) -> None:
    _, token = invite(house)
    accept(house, token)
    again = accept(house, token)
    assert (again.status_code, again.json()) == (409, {"error": "invite_unavailable", "status": "accepted"})  # type: ignore[attr-defined]
    verified = house.ask("stranger", "GET", f"/api/invitations/verify?token={token}")
    assert (verified.status_code, verified.json()["status"]) == (409, "accepted")
    refused = house.ask("admin", "POST", "/api/admin/users/invitations", ANN)
    assert (refused.status_code, refused.json()["error"]) == (409, "user_exists")


def test_an_invitation_ends_by_time_by_revoking_and_by_the_next_one(house: House) -> None:
    first, first_token = invite(house)
    second, second_token = invite(house)
    assert accept(house, first_token).json()["status"] == "revoked"  # type: ignore[attr-defined]
    address = f"/api/admin/users/invitations/{second}/revoke"
    assert house.ask("admin", "POST", address).json() == {"revoked": True}
    assert house.ask("admin", "POST", address).status_code == 404
    assert accept(house, second_token).json()["status"] == "revoked"  # type: ignore[attr-defined]
    _, third_token = invite(house)
    house.clock.forward(timedelta(hours=73))
    assert accept(house, third_token).json()["status"] == "expired"  # type: ignore[attr-defined]
    assert len(house.audits("user_invitation_revoked")) == 1
    assert first != second


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"email": "ann"}, "email"),
        ({"firstName": " "}, "firstName"),
        ({"lastName": "x" * 81}, "lastName"),
        ({"role": "owner"}, "role"),
    ],
)
def test_a_faulty_invitation_names_the_field(house: House, values: dict[str, str], field: str) -> None:
    """G-57: an unknown role is not silently an agent's."""
    refused = house.ask("admin", "POST", "/api/admin/users/invitations", {**ANN, **values})
    assert refused.status_code == 400
    assert refused.json()["details"][0].split(":")[0] == field


def test_a_foreign_token_tells_nothing(house: House) -> None:
    unknown = "x" * 43
    assert house.ask("stranger", "GET", f"/api/invitations/verify?token={unknown}").json() == {
        "valid": False,
        "error": "invalid_token",
    }
    assert house.ask("stranger", "GET", "/api/invitations/verify").status_code == 400
    assert accept(house, unknown).status_code == 404  # type: ignore[attr-defined]
    short = {"token": unknown, "password": "short"}
    assert house.ask("stranger", "POST", "/api/invitations/accept", short).status_code == 400
    for path in ("/api/admin/users", "/api/admin/users/invitations"):
        assert house.ask("agent", "POST" if "inv" in path else "GET", path, {}).status_code == 403


@dataclass
class Letterbox:
    """A real SMTP server's letters."""

    letters: list[tuple[list[str], str]] = field(default_factory=list)

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        self.letters.append((envelope.rcpt_tos, envelope.content.decode()))  # type: ignore[attr-defined]
        return "250 OK"


@pytest.fixture
def letterbox() -> Iterator[tuple[Letterbox, int]]:
    box = Letterbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port, loop=asyncio.new_event_loop())
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()


def test_an_invitation_goes_out_by_mail(
    letterbox: tuple[Letterbox, int], config: ApiConfig, database: Database, clock: MovableClock
) -> None:
    box, port = letterbox
    mail = MailServer("127.0.0.1", port, "Lease Bot <no-reply@leasebot.local>")
    with TestClient(create_app(replace(config, mail=mail, production=True), clock=clock)) as client:
        house = build_house(client, database, clock)
        answer = house.ask("admin", "POST", "/api/admin/users/invitations", ANN).json()["invitation"]
        assert (answer["delivery"], answer["previewUrl"]) == ("email", None)
        [(recipients, letter)] = box.letters
        assert recipients == ["ann@example.com"]
        token = re.search(r"token=3D([\w-]+=?\r?\n?[\w-]*)|token=([\w-]+)", letter)
        assert token is not None
        assert answer["messageId"] in letter


def test_an_undelivered_invitation_is_none(
    config: ApiConfig, database: Database, clock: MovableClock
) -> None:
    nowhere = MailServer("127.0.0.1", 1, "x@leasebot.local")
    with TestClient(create_app(replace(config, mail=nowhere), clock=clock)) as client:
        house = build_house(client, database, clock)
        refused = house.ask("admin", "POST", "/api/admin/users/invitations", ANN)
        assert (refused.status_code, refused.json()["error"]) == (500, "invite_delivery_failed")
        [left] = house.ask("admin", "GET", "/api/admin/users").json()["invitations"]
        assert left["status"] == "revoked"


def test_production_without_a_mail_server_says_so(
    config: ApiConfig, database: Database, clock: MovableClock
) -> None:
    with TestClient(create_app(replace(config, production=True), clock=clock)) as client:
        house = build_house(client, database, clock)
        refused = house.ask("admin", "POST", "/api/admin/users/invitations", ANN)
        assert (refused.status_code, refused.json()["error"]) == (500, "invite_delivery_failed")
