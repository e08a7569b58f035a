"""Calendars over REST: rules, overrides, candidates, reasons; whose calendar may be changed."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.api.house import House

WEEKLY: dict[str, Any] = {
    "dayOfWeek": 3,
    "startTime": "09:00",
    "endTime": "12:00",
    "timezone": "America/New_York",
}
# The clock stands at Monday, 2 March 2026, 12:00 UTC.
WEDNESDAY = {"date": "2026-03-04", "startTime": "10:00", "endTime": "11:00", "timezone": "America/New_York"}


def calendars(house: House) -> dict[str, str]:
    return {
        "unit": f"/api/units/{house.unit}/availability",
        "agent": f"/api/agents/{house.dana}/availability",
    }


def make(house: House, calendar: str, what: str, body: dict[str, Any], who: str = "admin") -> Any:
    return house.ask(who, "POST", f"{calendars(house)[calendar]}/{what}", body)


@pytest.mark.parametrize("calendar", ["unit", "agent"])
def test_a_weekly_rule_is_stored_listed_replaced_and_deleted(house: House, calendar: str) -> None:
    """Behaviour 145 and G-53."""
    address = calendars(house)[calendar]
    made = make(house, calendar, "weekly-rules", {**WEEKLY, "weeks": 3, "notes": "mornings"})
    assert made.status_code == 201
    assert made.json()["generatedSlots"] == 3
    rule = f"{address}/weekly-rules/{made.json()['ruleId']}"
    [listed] = house.ask("admin", "GET", f"{address}/weekly-rules").json()["items"]
    assert (listed["dayOfWeek"], listed["startTime"], listed["untilDate"]) == (3, "09:00", "2026-03-22")
    assert [o["localStart"] for o in listed["occurrences"]] == [
        "2026-03-04T09:00:00",
        "2026-03-11T09:00:00",
        "2026-03-18T09:00:00",
    ]
    assert [o["startsAt"][11:16] for o in listed["occurrences"]] == ["14:00", "13:00", "13:00"], "summer time"
    replaced = house.ask("admin", "PUT", rule, {**WEEKLY, "startTime": "10:00", "weeks": 2})
    assert replaced.status_code == 200
    slots = house.ask("admin", "GET", address).json()["items"]
    assert [slot["localStart"] for slot in slots] == ["2026-03-04T10:00:00", "2026-03-11T10:00:00"]
    assert house.ask("admin", "DELETE", rule).json() == {"deletedSlots": 2}
    assert house.ask("admin", "DELETE", rule).status_code == 404
    assert house.ask("admin", "PUT", rule, WEEKLY).status_code == 404, "an unknown rule is not created"


@pytest.mark.parametrize("calendar", ["unit", "agent"])
def test_one_day_is_different(house: House, calendar: str) -> None:
    address = calendars(house)[calendar]
    made = make(house, calendar, "daily-overrides", WEDNESDAY)
    assert made.status_code == 201
    by_slot = "/api/availability" if calendar == "unit" else "/api/agent-availability"
    slot = f"{by_slot}/{made.json()['id']}"
    assert house.ask("admin", "PUT", slot, {**WEDNESDAY, "endTime": "11:30"}).json() == {"updated": True}
    [stored] = house.ask("admin", "GET", f"{address}?timezone=Europe/London").json()["items"]
    assert (stored["displayTimezone"], stored["localEnd"]) == ("Europe/London", "2026-03-04T16:30:00")
    assert stored["source"] == "daily_override"
    assert house.ask("admin", "DELETE", slot).json() == {"deleted": True}
    assert house.ask("admin", "DELETE", slot).status_code == 404
    assert house.ask("admin", "PUT", slot, WEDNESDAY).status_code == 404


def test_days_of_a_list_are_meant_in_its_zone(house: House) -> None:
    """G-54."""
    late = {**WEDNESDAY, "startTime": "21:00", "endTime": "22:00"}
    make(house, "agent", "daily-overrides", late)
    address = calendars(house)["agent"]

    def seen(query: str) -> int:
        return len(house.ask("admin", "GET", f"{address}?{query}").json()["items"])

    new_york = "timezone=America/New_York"
    assert seen(f"fromDate=2026-03-04&toDate=2026-03-04&{new_york}") == 1
    assert seen("fromDate=2026-03-04&toDate=2026-03-04") == 0
    assert seen("fromDate=2026-03-05") == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"dayOfWeek": 7}, "dayOfWeek"),
        ({"startTime": "9:00"}, "startTime"),
        ({"endTime": "25:00"}, "endTime"),
        ({"endTime": "08:00"}, "endTime"),
        ({"timezone": "Bad/Timezone"}, "timezone"),
        ({"weeks": 27}, "weeks"),
        ({"fromDate": "2026-13-01"}, "fromDate"),
        ({"status": "sleeping"}, "status"),
        ({"weeks": 2, "untilDate": "2026-04-01"}, "body"),
    ],
)
def test_a_faulty_rule_names_the_field(house: House, body: dict[str, Any], field: str) -> None:
    for calendar in ("unit", "agent"):
        refused = make(house, calendar, "weekly-rules", {**WEEKLY, **body})
        assert (refused.status_code, refused.json()["error"]) == (400, "validation_error")
        assert field in {detail.split(":")[0] for detail in refused.json()["details"]}


def test_overlapping_rules_and_skipped_times_are_refused(house: House) -> None:
    """Behaviour 145 and behaviour 1 at the edge."""
    make(house, "agent", "weekly-rules", WEEKLY)
    refused = make(house, "agent", "weekly-rules", {**WEEKLY, "startTime": "11:00", "endTime": "13:00"})
    assert refused.status_code == 400
    skipped = {**WEDNESDAY, "date": "2026-03-08", "startTime": "02:30", "endTime": "05:00"}
    [detail] = make(house, "agent", "daily-overrides", skipped).json()["details"]
    assert "2026-03-08" in detail
    assert "02:30" in detail
    assert "America/New_York" in detail


def test_an_agent_changes_its_own_calendar_only(house: House) -> None:
    """Behaviours 44, 150."""
    own, foreign = (f"/api/agents/{agent}/availability" for agent in (house.dana, house.marco))
    made = house.ask("agent", "POST", f"{own}/weekly-rules", WEEKLY)
    assert made.status_code == 201
    assert house.ask("agent", "GET", own).status_code == 200
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/weekly-rules", None),
        ("POST", "/weekly-rules", WEEKLY),
        ("POST", "/daily-overrides", WEDNESDAY),
        ("PUT", f"/weekly-rules/{made.json()['ruleId']}", WEEKLY),
        ("DELETE", f"/weekly-rules/{made.json()['ruleId']}", None),
    ):
        assert house.ask("agent", method, foreign + path, body).status_code == 403
        assert house.ask("stranger", method, foreign + path, body).status_code == 401
    slot = house.ask("admin", "POST", f"{foreign}/daily-overrides", WEDNESDAY).json()["id"]
    assert house.ask("agent", "PUT", f"/api/agent-availability/{slot}", WEDNESDAY).status_code == 403
    assert house.ask("agent", "DELETE", f"/api/agent-availability/{slot}").status_code == 403
    unit = calendars(house)["unit"]
    assert house.ask("agent", "GET", unit).status_code == 200
    assert house.ask("agent", "POST", f"{unit}/weekly-rules", WEEKLY).status_code == 403
    assert house.ask("agent", "DELETE", f"/api/availability/{uuid4()}").status_code == 403


def test_candidates_are_what_unit_and_agents_share(house: House) -> None:
    """Behaviours 45 to 48."""
    make(house, "unit", "daily-overrides", {**WEDNESDAY, "startTime": "08:00", "endTime": "12:00"})
    make(house, "agent", "daily-overrides", {**WEDNESDAY, "startTime": "09:00", "endTime": "13:00"})
    blocked = {**WEDNESDAY, "startTime": "10:00", "endTime": "10:30", "status": "unavailable"}
    make(house, "agent", "daily-overrides", blocked)
    address = f"/api/units/{house.unit}/agent-slot-candidates"
    found = house.ask("agent", "GET", f"{address}?timezone=America/New_York").json()["items"]
    assert [(c["localStart"][11:16], c["localEnd"][11:16]) for c in found] == [
        ("09:00", "10:00"),
        ("10:30", "12:00"),
    ]
    assert {(c["agentName"], c["assignmentMode"], c["priority"]) for c in found} == {
        ("Dana Reyes", "active", 10)
    }
    passive = {"agentId": str(house.dana), "assignmentMode": "passive"}
    house.ask("admin", "PUT", f"/api/units/{house.unit}/agents", passive)
    assert house.ask("agent", "GET", address).json()["items"] == []
    assert len(house.ask("agent", "GET", f"{address}?includePassive=true").json()["items"]) == 2
    assert house.ask("agent", "GET", f"{address}?toDate=2026-03-03&includePassive=true").json()["items"] == []
    for faulty in ("timezone=Bad/Timezone", "fromDate=1", "fromDate=2026-03-05&toDate=2026-03-04"):
        assert house.ask("agent", "GET", f"{address}?{faulty}").status_code == 400
    assert house.ask("stranger", "GET", address).status_code == 401


def test_why_a_time_is_not_offered(house: House) -> None:
    make(house, "unit", "daily-overrides", WEDNESDAY)
    address = f"/api/units/{house.unit}/slot-explanation?agentId={house.dana}"
    told = house.ask("agent", "GET", f"{address}&at=2026-03-04T15:00:00Z").json()
    assert told["offered"] is False
    assert [reason["reason"] for reason in told["reasons"]] == ["agent_not_available"]
    make(house, "agent", "daily-overrides", WEDNESDAY)
    told = house.ask("agent", "GET", f"{address}&at=2026-03-04T15:00:00Z").json()
    assert (told["offered"], told["reasons"]) == (True, [])
    assert house.ask("agent", "GET", f"{address}&at=soon").status_code == 400
    assert house.ask("agent", "GET", f"/api/units/{house.unit}/slot-explanation").status_code == 400


@pytest.mark.parametrize("calendar", ["unit", "agent"])
def test_a_week_and_a_day_are_copied_whole_or_not_at_all(house: House, calendar: str) -> None:
    address = calendars(house)[calendar]
    blocks = "blocked" if calendar == "unit" else "unavailable"
    make(house, calendar, "weekly-rules", WEEKLY)
    make(house, calendar, "daily-overrides", WEDNESDAY | {"startTime": "15:00", "endTime": "16:00"})
    make(house, calendar, "daily-overrides", WEDNESDAY | {"date": "2026-03-05", "status": blocks})
    # Clocks change on 8 March: the copy keeps the local time.
    week = {"fromDate": "2026-03-01", "toDate": "2026-03-08"}
    copied = make(house, calendar, "copy-week", week)
    assert (copied.status_code, copied.json()) == (201, {"createdSlots": 2})
    items = house.ask("admin", "GET", f"{address}?fromDate=2026-03-08&toDate=2026-03-14").json()["items"]
    own = [(i["startsAt"][:16], i["status"] == blocks) for i in items if i["ruleId"] is None]
    assert own == [("2026-03-11T19:00", False), ("2026-03-12T14:00", True)]
    again = make(house, calendar, "copy-week", week)
    assert again.json()["details"] == ["toDate: that week has these exceptions already"]
    assert make(house, calendar, "copy-week", {**week, "toDate": "2026-02-01"}).status_code == 400
    assert make(house, calendar, "copy-week", {**week, "toDate": "2026-03-03"}).status_code == 400
    skipped = {"fromDate": "2026-03-15", "toDate": "2026-03-22"}
    assert make(house, calendar, "copy-week", skipped).json()["details"] == [
        "fromDate: that week has no exceptions"
    ]

    days = make(house, calendar, "copy-day", {"fromDay": 3, "toDays": [1, 3, 5]})
    assert days.status_code == 201
    listed = house.ask("admin", "GET", f"{address}/weekly-rules").json()["items"]
    assert sorted((r["dayOfWeek"], r["startTime"]) for r in listed) == [(n, "09:00") for n in (1, 3, 5)]
    make(
        house, calendar, "weekly-rules", {**WEEKLY, "dayOfWeek": 4, "startTime": "11:00", "endTime": "13:00"}
    )
    refused = make(house, calendar, "copy-day", {"fromDay": 3, "toDays": [2, 4]})
    assert refused.status_code == 400
    assert "overlaps rule" in refused.json()["details"][0]
    assert len(house.ask("admin", "GET", f"{address}/weekly-rules").json()["items"]) == 4
    assert make(house, calendar, "copy-day", {"fromDay": 0, "toDays": [1]}).status_code == 400
    assert len(house.audits("availability_override_created")) == 4
    assert len(house.audits("availability_rule_created")) == 4


def test_an_agent_copies_only_its_own(house: House) -> None:
    days = {"fromDay": 3, "toDays": [1]}
    assert make(house, "unit", "copy-day", days, "agent").status_code == 403
    foreign = f"/api/agents/{house.marco}/availability/copy-day"
    assert house.ask("agent", "POST", foreign, days).status_code == 403
    # What an agent is already stated as available for is not overlapped.
    make(house, "agent", "daily-overrides", WEDNESDAY, "agent")
    make(house, "agent", "daily-overrides", WEDNESDAY | {"date": "2026-03-11", "endTime": "10:30"}, "agent")
    week = {"fromDate": "2026-03-01", "toDate": "2026-03-08"}
    [detail] = make(house, "agent", "copy-week", week, "agent").json()["details"]
    assert "already available from 2026-03-11T14:00:00.000Z" in detail
