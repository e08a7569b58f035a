"""Listings as people manage them."""

from __future__ import annotations

from uuid import uuid4

import pytest
from sqlalchemy import text

from leasebot_pipeline.storage import sync_requests
from tests.api.house import SPAREROOM, House
from tests.storage import rows


def body(house: House, **values: object) -> dict[str, object]:
    return {"unitId": str(house.unit), "platformAccountId": str(SPAREROOM), "rentCents": 150000, **values}


def create(house: House, **values: object) -> str:
    answer = house.ask("admin", "POST", "/api/listings", body(house, **values))
    assert answer.status_code == 201, answer.text
    return f"/api/listings/{answer.json()['id']}"


def test_a_listing_is_created_read_changed_and_taken_out_of_use(house: House) -> None:
    """G-54: a date is a date."""
    address = create(
        house,
        availableOn="2026-04-01",
        metadata={"floor": 2},
        assignedAgentId=str(house.dana),
        listingExternalId="77",
    )
    found = house.ask("admin", "GET", address).json()
    assert (found["rentCents"], found["currencyCode"], found["availableOn"], found["status"]) == (
        150000,
        "USD",
        "2026-04-01",
        "active",
    )
    assert (found["assignedAgentId"], found["listingExternalId"]) == (str(house.dana), "77")
    assert found["platformPolicy"] == {
        "isActive": True,
        "integrationMode": "rpa",
        "sendMode": "draft_only",
        "sendModeOverride": "auto_send",
        "globalDefaultSendMode": "draft_only",
    }
    assert "platform" not in found
    change = {"metadata": {"view": "park"}, "assignedAgentId": None, "status": "leased", "availableOn": None}
    assert house.ask("admin", "PUT", address, change).json() == {"updated": True}
    found = house.ask("admin", "GET", address).json()
    assert found["metadata"] == {"floor": 2, "view": "park"}
    assert (found["assignedAgentId"], found["status"], found["availableOn"]) == (None, "leased", None)
    assert house.ask("admin", "DELETE", address).json() == {"deleted": True}
    assert house.ask("admin", "GET", address).status_code == 404
    assert [len(house.audits(f"listing_{what}")) for what in ("created", "updated", "deleted")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"unitId": str(uuid4())}, "unitId"),
        ({"platformAccountId": str(uuid4())}, "platformAccountId"),
        ({"rentCents": 0}, "rentCents"),
        ({"rentCents": 12.5}, "rentCents"),
        ({"currencyCode": "usd"}, "currencyCode"),
        ({"availableOn": "2026-02-30"}, "availableOn"),
        ({"availableOn": "tomorrow"}, "availableOn"),
        ({"status": "gone"}, "status"),
        ({"metadata": []}, "metadata"),
        ({"assignedAgentId": "x"}, "assignedAgentId"),
    ],
)
def test_a_faulty_field_is_named(house: House, values: dict[str, object], field: str) -> None:
    """G-55: foreign keys too."""
    refused = house.ask("admin", "POST", "/api/listings", body(house, **values))
    assert refused.status_code == 400
    assert refused.json()["details"][0].split(":")[0] == field


def test_an_external_id_is_used_once_an_account(house: House) -> None:
    create(house, listingExternalId="77")
    assert house.ask("admin", "POST", "/api/listings", body(house, listingExternalId="77")).status_code == 400
    other = create(house, listingExternalId="78")
    assert house.ask("admin", "PUT", other, {"listingExternalId": "77"}).status_code == 400


def test_agents_see_active_listings_of_their_units(house: House) -> None:
    """Behaviour 21."""
    own = create(house)
    with house.rows() as conn:
        foreign = str(rows.unit(conn))
        conn.execute(text("UPDATE \"PlatformAccounts\" SET is_active = false WHERE platform = 'roomies'"))
    hidden = create(house, unitId=foreign)
    inactive = create(house, platformAccountId="13111111-1111-1111-1111-111111111111")

    def seen(who: str, query: str = "") -> set[str]:
        items = house.ask(who, "GET", f"/api/listings{query}").json()["items"]
        return {f"/api/listings/{item['id']}" for item in items}

    assert seen("agent", "?includeInactive=true") == {own}
    assert seen("admin") == {own, hidden}
    assert seen("admin", "?includeInactive=true") == {own, hidden, inactive}
    assert seen("admin", f"?unitId={foreign}") == {hidden}
    assert house.ask("admin", "GET", "/api/listings?unitId=x").status_code == 400
    assert house.ask("agent", "GET", hidden).status_code == 404
    assert house.ask("agent", "POST", "/api/listings", {}).status_code == 403
    assert house.ask("agent", "DELETE", own).status_code == 403


def test_a_sync_is_asked_for_once(house: House) -> None:
    """G-70: the API opens no browser, it leaves word for the pipeline."""
    for _ in range(2):
        answer = house.ask("admin", "POST", "/api/listings/sync?platform=roomies").json()
        assert (answer["ok"], answer["platforms"]) == (True, ["roomies"])
    assert house.ask("admin", "POST", "/api/listings/sync").json()["platforms"] == ["spareroom"]
    assert house.ask("admin", "POST", "/api/listings/sync?platform=zillow").status_code == 400
    assert house.ask("agent", "POST", "/api/listings/sync").status_code == 403
    with house.rows() as conn:
        waiting = sync_requests.open_listings(conn)
        assert [platform.value for platform in waiting] == ["roomies", "spareroom"]
        sync_requests.take_listings(conn, waiting, house.clock())
        assert sync_requests.open_listings(conn) == []
