"""Open pages learn that something they show has changed."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import httpx2
import pytest

from tests.api.house import House
from tests.console.server import ConsoleServer
from tests.storage import rows


@pytest.fixture
def conversation(house: House) -> UUID:
    with house.rows() as conn:
        return rows.conversation(conn, assigned_agent_id=house.dana)


def events(answer: httpx2.Response) -> Iterator[str]:
    return (line.removeprefix("event: ") for line in answer.iter_lines() if line.startswith("event: "))


def test_a_change_is_told_and_the_stream_ends_with_the_server(
    server: ConsoleServer, house: House, conversation: UUID
) -> None:
    path = f"/console/live?topic=conversation&subject={conversation}"
    headers = {"cookie": house.cookies["agent"]}
    with httpx2.stream("GET", server.url + path, headers=headers, timeout=20) as answer:
        told = events(answer)
        assert next(told) == "ready"
        with house.rows() as conn:
            rows.message(conn, conversation)
        assert next(told) == "changed"
        server.app.state.services.stopping.set()
        assert list(told) == []


@pytest.mark.parametrize(
    ("who", "query", "status"),
    [
        ("stranger", "topic=anything", 303),
        ("agent", "topic=nothing", 404),
        ("agent", "topic=anything&subject=x", 400),
    ],
)
def test_a_stream_is_for_people_who_are_signed_in(house: House, who: str, query: str, status: int) -> None:
    headers = {"cookie": house.cookies[who]} if who != "stranger" else {}
    answer = house.client.get(f"/console/live?{query}", headers=headers, follow_redirects=False)
    assert answer.status_code == status
