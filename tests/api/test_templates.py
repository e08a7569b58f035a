"""Templates and automation rules: checked when saved, listed, switched, audited."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.api.house import SPAREROOM, House

UNKNOWN = "00000000-0000-4000-8000-00000000dead"
ROOM = f"?platformAccountId={SPAREROOM}"


def create(house: House, **values: object) -> str:
    body = {"platformAccountId": str(SPAREROOM), "name": "welcome", "body": "Hello {{ lead_name }}", **values}
    answer = house.ask("admin", "POST", "/api/templates", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_template_is_stored_with_the_placeholders_it_uses(house: House) -> None:
    """Behaviours 7 and 8."""
    create(house, body="{{unit}} at {{ slot }} in {{room}}", variables="room, , unit")
    [stored] = house.ask("agent", "GET", f"/api/templates{ROOM}").json()["items"]
    assert stored["variables"] == ["room", "unit", "slot"]
    assert (stored["channel"], stored["locale"], stored["isActive"]) == ("in_app", "en-US", True)
    assert len(house.audits("template_created")) == 1


@pytest.mark.parametrize(
    "body", ["Hello {{ lead_nam }}", "Hello {{ lead_name }", "Hello {{ lead name }}", "hi"]
)
def test_a_text_with_a_hole_is_refused(house: House, body: str) -> None:
    """G-72."""
    values = {"name": "welcome", "body": body}
    refused = house.ask("admin", "POST", "/api/templates", values)
    assert refused.status_code == 400
    assert refused.json()["details"][0].startswith("body: ")


def test_a_second_template_of_the_name_is_refused(house: House) -> None:
    """G-72: also among the global ones."""
    for account in (str(SPAREROOM), None):
        create(house, platformAccountId=account)
        again = {"platformAccountId": account, "name": "welcome", "body": "Hello again"}
        refused = house.ask("admin", "POST", "/api/templates", again)
        assert (refused.status_code, refused.json()["details"][0][:5]) == (400, "name:")
    other = {"name": "x1", "body": "Hello", "platformAccountId": str(uuid4())}
    assert house.ask("admin", "POST", "/api/templates", other).status_code == 400


def test_an_empty_field_keeps_its_value(house: House) -> None:
    template = create(house)
    address = f"/api/templates/{template}"
    body = {"body": "", "name": None, "isActive": False}
    assert house.ask("admin", "PUT", address, body).json() == {"updated": True}
    [stored] = house.ask("admin", "GET", f"/api/templates{ROOM}").json()["items"]
    assert (stored["body"], stored["name"], stored["isActive"]) == ("Hello {{ lead_name }}", "welcome", False)
    assert house.ask("admin", "PUT", address, {"body": "Hello {{ nobody }}"}).status_code == 400
    assert house.ask("admin", "PUT", f"/api/templates/{uuid4()}", {}).status_code == 404
    stale = house.ask("admin", "PUT", address, {"body": "Hi there"}, if_match='"1"')
    assert stale.status_code == 412


def test_a_template_a_rule_sends_stays(house: House) -> None:
    template = create(house)
    rule = {
        "platformAccountId": str(SPAREROOM),
        "name": "Tours",
        "intent": "tour_request",
        "template": "welcome",
    }
    made = house.ask("admin", "POST", "/api/automation-rules", rule).json()["id"]
    address = f"/api/templates/{template}"
    refused = house.ask("admin", "DELETE", address)
    assert (refused.status_code, refused.json()["error"]) == (409, "template_in_use")
    assert house.ask("admin", "DELETE", f"/api/automation-rules/{made}").json() == {"deleted": True}
    assert house.ask("admin", "DELETE", address).json() == {"deleted": True}
    assert house.ask("admin", "DELETE", address).status_code == 404
    assert len(house.audits("template_deleted")) == len(house.audits("automation_rule_deleted")) == 1


def rule_sending(house: House, template: str, account: str | None) -> str:
    rule = {"platformAccountId": account, "name": "Tours", "intent": "tour_request", "template": template}
    return str(house.ask("admin", "POST", "/api/automation-rules", rule).json()["id"])


def sent_by(house: House, rule: str) -> str:
    found = house.ask("admin", "GET", f"/api/automation-rules/{rule}").json()
    return str(found["actionConfig"]["template"])


@pytest.mark.parametrize("account", [str(SPAREROOM), None])
def test_a_rule_goes_on_sending_a_template_that_is_renamed(house: House, account: str | None) -> None:
    """Rules find templates by name: automatic replies stopped silently."""
    template, rule = create(house, platformAccountId=account), rule_sending(house, "welcome", account)
    address = f"/api/templates/{template}"
    assert house.ask("admin", "PUT", address, {"name": "hello there"}).status_code == 200
    assert sent_by(house, rule) == "hello there"
    [audit] = house.audits("template_updated")
    assert (audit["details"]["previousName"], audit["details"]["rulesRenamed"]) == ("welcome", ["Tours"])
    refused = house.ask("admin", "PUT", address, {"isActive": False})
    assert (refused.status_code, refused.json()["error"]) == (409, "template_in_use")
    form = {"name": "hello there", "body": "Hi {{ lead_name }}", "locale": "en-US"}
    console = f"/admin/templates/{template}"
    assert "Tours" in house.send("admin", console, **form).text, "unticked"
    told = house.notice(house.send("admin", console, **form, isActive="1"))
    assert told.endswith("Replies use it from now on.")
    house.ask("admin", "DELETE", f"/api/automation-rules/{rule}")
    assert house.notice(house.send("admin", console, **form, isActive="1")).endswith(
        "No rule that is on sends it."
    )
    assert "switched off" in house.notice(house.send("admin", console, **form))


def test_a_new_name_gives_no_rule_another_text(house: House) -> None:
    """A rule of all accounts sends an account's own template there, and the general one elsewhere."""
    own, general = create(house), create(house, platformAccountId=None)
    rule = rule_sending(house, "welcome", None)
    for template in (own, general):
        refused = house.ask("admin", "PUT", f"/api/templates/{template}", {"name": "hello"})
        assert (refused.status_code, refused.json()["error"]) == (409, "template_in_use")
    assert sent_by(house, rule) == "welcome"
    stored = house.ask("admin", "GET", f"/api/templates{ROOM}").json()["items"]
    assert {item["name"] for item in stored} == {"welcome"}, "nothing was renamed"
    assert house.ask("admin", "PUT", f"/api/templates/{own}", {"body": "Hello you"}).status_code == 200


def test_a_preview_reads_like_the_reply(house: House) -> None:
    body = {"body": "Hi {{ lead_name }}, {{ room }} at www.example.com", "variables": {"room": "the loft"}}
    shown = house.ask("agent", "POST", "/api/templates/preview", body).json()
    assert shown["rendered"] == "Hi Alex, the loft at www.example.com"
    assert (shown["placeholders"], shown["missing"], shown["unknown"]) == (
        ["lead_name", "room"],
        [],
        ["room"],
    )
    shown = house.ask("agent", "POST", "/api/templates/preview", {"body": "Hi {{ room }}"}).json()
    assert (shown["rendered"], shown["missing"]) == (None, ["room"])


def test_the_switch_moves_every_rule_of_the_account(house: House) -> None:
    """G-32."""
    address = "/api/message-automation"
    before = house.ask("agent", "GET", f"{address}{ROOM}").json()
    assert (before["autoSendEnabled"], before["ruleId"], before["actionConfig"]) == (False, None, {})
    rules = []
    for priority, intent in ((10, "tour_request"), (20, "availability_question")):
        rule = {"platformAccountId": str(SPAREROOM), "name": intent, "intent": intent, "template": "welcome"}
        rule |= {"priority": priority}
        rules.append(house.ask("admin", "POST", "/api/automation-rules", rule).json()["id"])
    switched = house.ask(
        "admin", "PUT", address, {"platformAccountId": str(SPAREROOM), "enabled": False}
    ).json()
    assert switched == {"ruleId": rules[0], "autoSendEnabled": False, "platformAccountId": str(SPAREROOM)}
    found = house.ask("agent", "GET", f"/api/automation-rules{ROOM}").json()["items"]
    assert [rule["isEnabled"] for rule in found] == [False, False]
    assert len(house.audits("message_automation_switched")) == 1


def test_an_account_without_rules_gets_one_that_matches(house: House) -> None:
    body = {"platformAccountId": str(SPAREROOM), "enabled": True}
    made = house.ask("admin", "PUT", "/api/message-automation", body).json()["ruleId"]
    rule = house.ask("admin", "GET", f"/api/automation-rules/{made}").json()
    assert (rule["conditions"], rule["isEnabled"]) == ({"intent": "tour_request"}, True)
    body["platformAccountId"] = str(uuid4())
    assert house.ask("admin", "PUT", "/api/message-automation", body).status_code == 400
    assert house.ask("admin", "PUT", "/api/message-automation", {}).status_code == 400


def test_a_rule_is_changed_field_by_field(house: House) -> None:
    rule = {"name": "Tours", "intent": "tour_request", "template": "welcome"}
    made = house.ask("admin", "POST", "/api/automation-rules", rule).json()["id"]
    address = f"/api/automation-rules/{made}"
    version = house.ask("agent", "GET", address).headers["etag"]
    house.clock.forward(house.clock.now - house.clock.now.replace(hour=0))
    changed = house.ask("admin", "PUT", address, {"template": "hello", "priority": 5}, if_match=version)
    assert changed.status_code == 200
    stored = house.ask("agent", "GET", address).json()
    assert (stored["actionConfig"], stored["conditions"], stored["priority"]) == (
        {"template": "hello"},
        {"intent": "tour_request"},
        5,
    )
    assert house.ask("admin", "PUT", address, {"priority": 0}, if_match=version).status_code == 400
    assert house.ask("admin", "PUT", address, {"name": "Other"}, if_match=version).status_code == 412
    assert house.ask("admin", "POST", "/api/automation-rules", {**rule, "intent": "dance"}).status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/templates"),
        ("PUT", f"/api/templates/{UNKNOWN}"),
        ("DELETE", f"/api/templates/{UNKNOWN}"),
        ("PUT", "/api/message-automation"),
        ("POST", "/api/automation-rules"),
        ("PUT", f"/api/automation-rules/{UNKNOWN}"),
        ("DELETE", f"/api/automation-rules/{UNKNOWN}"),
    ],
)
def test_only_administrators_change_replies(house: House, method: str, path: str) -> None:
    assert house.ask("stranger", method, path, {}).status_code == 401
    assert house.ask("agent", method, path, {}).json()["requiredRoles"] == ["admin"]
