"""The control API as a demo or a test drives it."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2 as httpx

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.sandbox.catalog import SITES
from leasebot_pipeline.sandbox.testing import SandboxServer
from tests.sandbox.conftest import OFFER, Visit, send

LEAD = {
    "id": "one",
    "platform": "renthop",
    "name": "Mina Choi",
    "messages": ["Can I visit?"],
    "reactions": [{"when": "offered", "do": "pick", "pick": 1, "say": "{slot} please"}],
    "patience": 10,
}


def test_a_lead_is_added_answered_and_its_transcript_read(
    sandbox: SandboxServer, control: httpx.Client, visit: Visit
) -> None:
    added = control.post("/leads", json=LEAD)
    assert added.status_code == 201
    number, thread = added.json()["lead"], added.json()["threadId"]
    sandbox.until(lambda: control.get(f"/leads/{number}").json()["inbound"] == 1)
    send(visit(Platform.RENTHOP), Platform.RENTHOP, thread, OFFER)
    sandbox.until(lambda: control.get(f"/leads/{number}").json()["inbound"] == 2)
    messages = control.get(f"/leads/{number}").json()["messages"]
    assert [m["direction"] for m in messages] == ["inbound", "outbound", "inbound"]
    assert messages[2]["text"] == "Fri, Nov 27 9:30 AM - 10:00 AM EST (Dana Reyes) please"
    assert [m["at"] for m in messages] == sorted(m["at"] for m in messages)
    received = control.get("/received").json()
    assert received["total"] == 1
    assert received["threads"][0]["messages"][0]["text"] == OFFER
    assert control.get("/state").json()["platforms"]["renthop"]["received"] == 1
    assert control.get("/leads/99").status_code == 404


def test_idle_turns_true_when_everybody_is_content_or_out_of_patience(
    sandbox: SandboxServer, control: httpx.Client
) -> None:
    assert control.get("/idle").json()["idle"] is True
    control.post("/leads", json=LEAD)
    busy = control.get("/idle").json()
    assert busy["idle"] is False
    assert busy["nextInSeconds"] is not None
    sandbox.until(lambda: control.get("/idle").json()["idle"])
    assert control.get("/idle").json()["silent"] == 1


def test_leads_are_loaded_from_the_shipped_ones_a_list_or_a_file(
    sandbox: SandboxServer, control: httpx.Client, tmp_path: Path
) -> None:
    assert control.post("/leads/load", json={"builtin": 60}).json()["added"] == 60
    only = {"builtin": 60, "limit": 10, "platforms": ["roomies", "renthop"]}
    numbers = control.post("/leads/load", json=only).json()["leads"]
    assert {control.get(f"/leads/{n}").json()["platform"] for n in numbers} == {"roomies", "renthop"}
    assert control.post("/leads/load", json={"leads": [LEAD, {**LEAD, "id": "two"}]}).json()["added"] == 2
    dialogue = {"turns": [{"role": "lead", "text": "Hello"}, {"role": "agent", "text": "Hi"}]}
    path = tmp_path / "dialogues.jsonl"
    path.write_text(json.dumps(dialogue) + "\n[]\n", encoding="utf-8")
    loaded = control.post("/leads/load", json={"path": str(path)}).json()
    assert loaded["added"] == 1
    assert loaded["refused"] == ["dialogues.jsonl line 2: must be an object"]


def test_what_cannot_be_done_is_refused_with_its_reason(
    sandbox: SandboxServer, control: httpx.Client
) -> None:
    cases: list[tuple[str, dict[str, object], str]] = [
        ("/leads", {**LEAD, "listing": "castle"}, "castle"),
        ("/leads", {**LEAD, "messages": []}, "messages"),
        ("/leads", {**LEAD, "unknown": 1}, "unknown"),
        ("/leads/load", {"builtin": 3, "path": "x"}, "exactly one"),
        ("/leads/load", {"path": "/does/not/exist.jsonl"}, "path"),
        ("/listings", {}, "unit"),
    ]
    for path, body, words in cases:
        answer = control.post(path, json=body)
        assert answer.status_code == 422, path
        assert words in answer.text
    assert control.post("/listings", json={"unit": "castle"}).status_code == 404
    wrong = {"platform": "roomies", "fault": "half_page", "on": True, "pages": ["reply"]}
    assert control.put("/faults", json=wrong).status_code == 422
    assert sandbox.leads() == []


def test_adverts_are_published_and_taken_off_the_market(control: httpx.Client, visit: Visit) -> None:
    client = visit(Platform.LEASEBREAK)
    advert = {"platform": "leasebreak", "externalId": "99001", "title": "Brand new loft", "unitNumber": "8"}
    assert control.post("/listings", json=advert).status_code == 201
    pages = "".join(client.get("/my/listings", params={"page": n}).text for n in (1, 2, 3))
    assert "Brand new loft" in pages
    control.post("/listings", json={**advert, "active": False})
    assert "not available" in client.get("/listing/99001").text
    assert len(control.post("/listings", json={"unit": "tannery-6"}).json()["published"]) == 5


def test_faults_are_switched_on_one_or_all_platforms_and_off(control: httpx.Client, visit: Visit) -> None:
    clients = {platform: visit(platform) for platform in Platform}

    def broken() -> set[Platform]:
        return {p for p, c in clients.items() if c.get(SITES[p].inbox_path).status_code == 500}

    on = {"platform": "all", "fault": "server_error", "on": True}
    assert len(control.put("/faults", json=on).json()["faults"]) == 5
    assert broken() == set(Platform)
    control.put("/faults", json={"platform": "roomies", "fault": "server_error", "on": False})
    assert broken() == set(Platform) - {Platform.ROOMIES}
    assert {fault["hits"] for fault in control.get("/faults").json()["faults"]} == {2}
    control.delete("/faults")
    assert broken() == set()


def test_a_captured_session_opens_the_inbox(sandbox: SandboxServer, control: httpx.Client) -> None:
    for platform in Platform:
        (cookie,) = control.get(f"/sessions/{platform.value}").json()["cookies"]
        cookies = {cookie["name"]: cookie["value"]}
        answer = httpx.get(sandbox.base_urls[platform] + SITES[platform].inbox_path, cookies=cookies)
        assert answer.status_code == 200
        other = next(p for p in Platform if p is not platform)
        refused = httpx.get(sandbox.base_urls[other] + SITES[other].inbox_path, cookies=cookies)
        assert refused.status_code == 303


def test_a_foreign_host_name_is_refused(control: httpx.Client) -> None:
    assert control.get("/health", headers={"Host": "rebound.example.net"}).status_code == 400
    assert control.get("/health").json()["status"] == "ok"
    assert "agent@sandbox.test" in control.get("/").text
