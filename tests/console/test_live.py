"""Open pages learn that something they show has changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import UUID

import httpx2
import pytest

from leasebot_pipeline.storage import audit
from tests.api.house import House
from tests.console.server import ConsoleServer
from tests.storage import rows

STEP = audit.AuditEntry(actor_type="system", entity_type="test", entity_id="1", action="tested")


@pytest.fixture
def conversation(house: House) -> UUID:
    with house.rows() as conn:
        return rows.conversation(conn, assigned_agent_id=house.dana)


def events(answer: httpx2.Response) -> Iterator[tuple[str, str]]:
    """Each with the name of the state it tells of."""
    name = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("id: "):
            yield name, line.removeprefix("id: ")


def test_a_change_is_told_and_the_stream_ends_with_the_server(
    server: ConsoleServer, house: House, conversation: UUID
) -> None:
    url = f"{server.url}/console/live?topic=conversation.{conversation}"
    headers = {"cookie": house.cookies["agent"]}
    with httpx2.stream("GET", url, headers=headers, timeout=20) as answer:
        told = events(answer)
        kind, first = next(told)
        assert kind == "ready"
        with house.rows() as conn:
            rows.message(conn, conversation)
        kind, second = next(told)
        assert kind == "changed"
        assert second != first
        with httpx2.stream("GET", url, headers=headers, timeout=20) as later:
            assert next(events(later)) == ("ready", second), "who comes back knows that nothing was missed"
        server.app.state.services.stopping.set()
        assert list(told) == []


def test_a_stream_tells_of_several_topics_which_it_was(
    server: ConsoleServer, house: House, conversation: UUID
) -> None:
    topics = [f"conversation.{conversation}", "anything"]
    url = f"{server.url}/console/live?topic={topics[0]}&topic={topics[1]}"
    with httpx2.stream("GET", url, headers={"cookie": house.cookies["agent"]}, timeout=20) as answer:
        lines = (line for line in answer.iter_lines() if line.startswith(("event: ", "data: ")))

        def told() -> tuple[str, str]:
            return next(lines), json.loads(next(lines).removeprefix("data: "))["topic"]

        assert [told(), told()] == [("event: ready", topic) for topic in topics]
        with house.rows() as conn:
            rows.message(conn, conversation)  # without a step: nothing else has changed
        assert told() == ("event: changed", topics[0])
        with house.rows() as conn:
            audit.record(conn, [STEP])
        assert told() == ("event: changed", topics[1])


def test_a_step_that_is_there_later_than_a_newer_one_is_told(server: ConsoleServer, house: House) -> None:
    url, headers = f"{server.url}/console/live?topic=anything", {"cookie": house.cookies["admin"]}
    slow = house.database.engine.connect()
    with slow, httpx2.stream("GET", url, headers=headers, timeout=20) as answer:
        told = events(answer)
        assert next(told)[0] == "ready"
        audit.record(slow, [STEP])
        with house.rows() as quick:
            audit.record(quick, [STEP])
        assert next(told)[0] == "changed"
        slow.commit()
        assert next(told)[0] == "changed"


@pytest.mark.parametrize(
    ("who", "query", "status"),
    [
        ("stranger", "topic=anything", 303),
        ("agent", "topic=nothing", 404),
        ("agent", "topic=conversation.x", 400),
        ("agent", "", 400),
        ("agent", "&".join(["topic=anything"] * 31), 400),
    ],
)
def test_a_stream_is_for_people_who_are_signed_in(house: House, who: str, query: str, status: int) -> None:
    headers = {"cookie": house.cookies[who]} if who != "stranger" else {}
    answer = house.client.get(f"/console/live?{query}", headers=headers, follow_redirects=False)
    assert answer.status_code == status
