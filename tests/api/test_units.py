"""Units, who shows them, and agents: contract, roles, scope, audit."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import text

from tests.api.house import SPAREROOM, House
from tests.api.logins import PASSWORD
from tests.storage import rows

NOWHERE = f"/api/units/{uuid4()}"


def test_a_unit_is_created_read_changed_and_taken_out_of_use(house: House) -> None:
    made = house.ask(
        "admin", "POST", "/api/units", {"propertyName": " Oak Court ", "unitNumber": "2", "bathrooms": 1.5}
    )
    assert made.status_code == 201
    unit = f"/api/units/{made.json()['id']}"
    found = house.ask("admin", "GET", unit).json()
    assert (found["propertyName"], found["bathrooms"], found["isActive"]) == ("Oak Court", 1.5, True)
    assert (found["assignedAgentId"], found["assignedAgents"]) == (None, [])
    assert house.ask("admin", "PUT", unit, {"bedrooms": 2, "bathrooms": None}).json() == {"updated": True}
    found = house.ask("admin", "GET", unit).json()
    assert (found["bedrooms"], found["bathrooms"]) == (2, 1.5), "null keeps"
    assert house.ask("admin", "DELETE", unit).json() == {"deleted": True}
    assert house.ask("admin", "GET", unit).status_code == 404
    assert house.ask("admin", "DELETE", unit).status_code == 404
    again = house.ask("admin", "POST", "/api/units", {"propertyName": "Oak Court", "unitNumber": "2"})
    assert again.json()["id"] == made.json()["id"], "its showings and conversations come back with it"
    actions = ["unit_created", "unit_updated", "unit_deleted", "unit_created"]
    assert [len(house.audits(action)) for action in actions] == [2, 1, 1, 2]


def test_a_second_unit_of_the_same_name_is_refused(house: House) -> None:
    """G-55: on creation and on change."""
    body = {"propertyName": "Elm House", "unitNumber": "1A"}
    refused = house.ask("admin", "POST", "/api/units", body)
    assert (refused.status_code, refused.json()["error"]) == (400, "validation_error")
    other = house.ask("admin", "POST", "/api/units", {**body, "unitNumber": "1B"}).json()["id"]
    assert house.ask("admin", "PUT", f"/api/units/{other}", body).status_code == 400


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"propertyName", "unitNumber"}),
        (None, {"propertyName", "unitNumber"}),
        ({"propertyName": "x", "unitNumber": " "}, {"propertyName", "unitNumber"}),
        (
            {"propertyName": "Elm", "unitNumber": "1", "bedrooms": 21, "bathrooms": -1, "squareFeet": 1.5},
            {"bedrooms", "bathrooms", "squareFeet"},
        ),
        ({"propertyName": "a\x00b", "unitNumber": "1"}, {"propertyName"}),
        ([], {"body"}),
    ],
)
def test_every_faulty_field_is_named(house: House, body: object, fields: set[str]) -> None:
    refused = house.ask("admin", "POST", "/api/units", body)
    assert refused.status_code == 400
    assert {detail.split(":")[0] for detail in refused.json()["details"]} == fields


def test_ids_are_looked_at_before_roles(house: House) -> None:
    assert house.ask("stranger", "GET", "/api/units/7").status_code == 400
    assert house.ask("stranger", "GET", NOWHERE).status_code == 401
    assert house.ask("stranger", "PUT", "/api/units/7/agents").status_code == 400
    assert house.ask("admin", "GET", NOWHERE).status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", ""),
        ("PUT", "/{unit}"),
        ("DELETE", "/{unit}"),
        ("PUT", "/{unit}/assignment"),
        ("PUT", "/{unit}/agents"),
        ("DELETE", "/{unit}/agents/{unit}"),
    ],
)
def test_only_administrators_change_units(house: House, method: str, path: str) -> None:
    """Behaviour 150."""
    address = "/api/units" + path.format(unit=house.unit)
    assert house.ask("stranger", method, address, {}).json() == {"error": "unauthorized"}
    refused = house.ask("agent", method, address, {})
    assert (refused.status_code, refused.json()["requiredRoles"]) == (403, ["admin"])


def test_an_agent_sees_the_units_it_shows(house: House) -> None:
    with house.rows() as conn:
        foreign = rows.unit(conn, property_name="Far Away")
    assert [unit["id"] for unit in house.ask("agent", "GET", "/api/units").json()["items"]] == [
        str(house.unit)
    ]
    assert house.ask("agent", "GET", f"/api/units/{foreign}").status_code == 404
    assert house.ask("agent", "GET", f"/api/units/{foreign}/agents").status_code == 404
    assert len(house.ask("admin", "GET", "/api/units").json()["items"]) == 2
    refused = house.ask("unlinked", "GET", "/api/units")
    assert (refused.status_code, refused.json()["error"]) == (403, "forbidden")


def test_pages_of_units_join_up(house: House) -> None:
    """G-49."""
    with house.rows() as conn:
        for _ in range(4):
            rows.unit(conn, property_name="Elm House")
    seen, cursor = [], ""
    while cursor is not None:
        page = house.ask("admin", "GET", f"/api/units?limit=2&cursor={cursor}").json()
        seen += [unit["unitNumber"] for unit in page["items"]]
        cursor = page["nextCursor"]
    assert len(seen) == 5
    assert seen == sorted(seen)
    assert house.ask("admin", "GET", "/api/units?cursor=abc").status_code == 400
    foreign = house.ask("admin", "GET", "/api/agents?limit=1").json()["nextCursor"]
    assert house.ask("admin", "GET", f"/api/units?cursor={foreign}").status_code == 400


def test_two_operators_do_not_overwrite_each_other(house: House) -> None:
    address = f"/api/units/{house.unit}"
    version = house.ask("admin", "GET", address).headers["etag"]
    house.clock.forward(rows.HOUR)
    assert house.ask("admin", "PUT", address, {"city": "Here"}, if_match=version).status_code == 200
    refused = house.ask("admin", "PUT", address, {"city": "There"}, if_match=version)
    assert (refused.status_code, refused.json()["error"]) == (412, "precondition_failed")
    assert house.ask("admin", "GET", address).json()["city"] == "Here"


def test_the_primary_agent_becomes_the_only_active_one(house: House) -> None:
    """G-30: conversations about the unit follow."""
    with house.rows() as conn:
        listing = conn.execute(
            text("""INSERT INTO "Listings" (unit_id, platform_account_id, rent_cents)
                    VALUES (:unit, :account, 1000) RETURNING id"""),
            {"unit": house.unit, "account": SPAREROOM},
        ).scalar_one()
        told = {"platform_account_id": SPAREROOM, "listing_id": listing}
        conversation = rows.conversation(conn, **told, assigned_agent_id=house.dana)
    address = f"/api/units/{house.unit}/assignment"
    answer = house.ask("admin", "PUT", address, {"agentId": str(house.marco)})
    assert answer.json() == {"ok": True, "assignedAgentId": str(house.marco)}
    found = house.ask("admin", "GET", f"/api/units/{house.unit}/agents").json()["items"]
    assert [(a["agent"]["fullName"], a["assignmentMode"], a["priority"]) for a in found] == [
        ("Marco Klein", "active", 1),
        ("Dana Reyes", "passive", 10),
    ]
    with house.rows() as conn:
        query = 'SELECT assigned_agent_id FROM "Conversations" WHERE id = :id'
        assert rows.value(conn, query, id=conversation) == house.marco
    assert house.ask("admin", "PUT", address, {"agentId": None}).json()["assignedAgentId"] is None
    assert house.ask("admin", "GET", f"/api/units/{house.unit}").json()["assignedAgentId"] is None
    assert len(house.audits("unit_assignment_changed")) == 2


def test_a_taken_priority_is_refused(house: House) -> None:
    """Behaviours 47 and 49."""
    address = f"/api/units/{house.unit}/agents"
    refused = house.ask("admin", "PUT", address, {"agentId": str(house.marco), "priority": 10})
    assert refused.status_code == 400
    assert "priority" in refused.json()["details"][0]
    moved = house.ask("admin", "PUT", address, {"agentId": str(house.marco), "priority": 5}).json()
    assert moved["updated"] is True
    assert [a["agentId"] for a in moved["items"]] == [str(house.marco), str(house.dana)]
    passive = {"agentId": str(house.dana), "assignmentMode": "passive", "priority": 5}
    assert house.ask("admin", "PUT", address, passive).status_code == 200
    for body in (
        {"agentId": str(uuid4())},
        {"agentId": "x"},
        {"agentId": str(house.dana), "priority": 0},
        {},
    ):
        assert house.ask("admin", "PUT", address, body).status_code == 400
    assert house.ask("admin", "PUT", f"{NOWHERE}/agents", {"agentId": str(house.dana)}).status_code == 404
    gone = f"{address}/{house.marco}"
    assert house.ask("admin", "DELETE", gone).json() == {"deleted": True}
    assert house.ask("admin", "DELETE", gone).status_code == 404


def test_agents_see_themselves_administrators_all(house: House) -> None:
    assert [a["fullName"] for a in house.ask("admin", "GET", "/api/agents").json()["items"]] == [
        "Dana Reyes",
        "Marco Klein",
    ]
    [own] = house.ask("agent", "GET", "/api/agents").json()["items"]
    assert own == {
        "id": str(house.dana),
        "fullName": "Dana Reyes",
        "email": "dana@example.com",
        "timezone": "UTC",
        "role": "leasing_agent",
    }


def test_a_login_acts_for_one_agent(house: House) -> None:
    """G-29."""
    with house.rows() as conn:
        unlinked = rows.value(conn, """SELECT id FROM "user" WHERE email = 'unlinked@example.com'""")
        linked = rows.value(conn, """SELECT id FROM "user" WHERE email = 'agent@example.com'""")
    address = f"/api/agents/{house.marco}/login"
    assert house.ask("admin", "PUT", address, {"userId": linked}).json()["error"] == "login_in_use"
    assert house.ask("admin", "PUT", address, {"userId": "nobody"}).status_code == 400
    assert house.ask("admin", "PUT", address, {"userId": unlinked}).status_code == 200
    [own] = house.ask("unlinked", "GET", "/api/agents").json()["items"]
    assert own["fullName"] == "Marco Klein"
    assert house.ask("admin", "PUT", address, {"userId": None}).status_code == 200
    assert house.ask("unlinked", "GET", "/api/agents").status_code == 403
    assert house.ask("agent", "PUT", address, {"userId": None}).status_code == 403


def test_linking_a_login_cuts_nobody_off_unasked(house: House) -> None:
    """Neither the login the agent has, nor the agent the login acts for; in the console neither."""
    with house.rows() as conn:
        free = rows.value(conn, """SELECT id FROM "user" WHERE email = 'unlinked@example.com'""")
        linked = rows.value(conn, """SELECT id FROM "user" WHERE email = 'agent@example.com'""")
    address = f"/api/agents/{house.dana}/login"
    refused = house.ask("admin", "PUT", address, {"userId": free})
    assert (refused.status_code, refused.json()["error"]) == (409, "agent_has_login")
    assert house.ask("admin", "PUT", address, {"userId": linked}).status_code == 200, "it is that one already"
    assert house.ask("admin", "PUT", f"/api/agents/{house.marco}/login", {"userId": free}).status_code == 200
    form = {"do": "link", "user": free, "before": str(house.marco), "agent": str(house.dana)}
    page = house.send("admin", f"/admin/users?link={free}", **form)
    assert page.status_code == 422
    assert "Dana Reyes (agent@example.com)" in page.text
    assert house.ask("unlinked", "GET", "/api/agents").json()["items"][0]["fullName"] == "Marco Klein"
    assert house.send("admin", "/admin/users", **form, replace="1").status_code == 303
    assert house.ask("unlinked", "GET", "/api/agents").json()["items"][0]["fullName"] == "Dana Reyes"
    assert house.ask("agent", "GET", "/api/agents").status_code == 403
    told = house.audits("agent_login_linked")[-1]["details"]
    assert (told["previousUserId"], told["previousAgentId"]) == (linked, str(house.marco))


def test_an_agent_who_leaves_is_removed_and_may_come_back(house: House) -> None:
    address = f"/api/agents/{house.dana}"
    with house.rows() as conn:
        begin = house.clock() + timedelta(days=1)
        times = {"starts_at": begin, "ends_at": begin + timedelta(hours=1)}
        lead = rows.conversation(conn, platform_account_id=SPAREROOM, assigned_agent_id=house.dana)
        about = {"platform_account_id": SPAREROOM, "conversation_id": lead}
        showing = rows.showing(conn, house.dana, house.unit, **about, **times)
    assert house.ask("agent", "DELETE", address).status_code == 403
    assert "<span>Agents</span><b>2</b>" in house.page("admin", "/admin/assignments")
    told = house.ask("admin", "DELETE", address)
    assert told.json() == {"removed": True, "showings": [str(showing)], "toAPerson": [str(lead)]}
    assert house.ask("admin", "DELETE", address).status_code == 404
    assert house.ask("agent", "GET", "/api/agents").status_code == 403, "the login acts for nobody"
    [audit] = house.audits("agent_removed")
    assert (audit["actor_type"], audit["details"]["showings"]) == ("admin", [str(showing)])
    assert "<span>Agents</span><b>1</b>" in house.page("admin", "/admin/assignments")
    sent = house.send("admin", "/admin/users", do="remove", leaves=str(house.marco))
    assert house.notice(sent).startswith("Removed. 0 showings ahead")
    person = {"email": "dana@example.com", "firstName": "Dana", "lastName": "Reyes", "role": "agent"}
    made = house.ask("admin", "POST", "/api/admin/users/invitations", person).json()["invitation"]
    [token] = parse_qs(urlsplit(made["previewUrl"]).query)["token"]
    house.ask("stranger", "POST", "/api/invitations/accept", {"token": token, "password": PASSWORD})
    [back] = house.ask("admin", "GET", "/api/agents").json()["items"]
    assert back["id"] == str(house.dana)
