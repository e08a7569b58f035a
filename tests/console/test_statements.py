"""What a page costs the database: a bounded number of statements, in few transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event

from tests.api.house import House
from tests.console.screens import SCREENS, ids_of

STATEMENTS = 20
"""Of any page. The day has more conversations, showings and accounts than this leaves room to ask about one by one."""
TRANSACTIONS = 5
OF_ONE_MOMENT = {
    "inbox",
    "conversation-draft",
    "conversation-held",
    "conversation-failed",
    "observability",
    "platform",
    "platform-account",
}
"""Put together of several answers, read at one moment: who looks (for an agent, as whom), then the page."""
COUNTS_BESIDE = {"inbox", "conversation-draft", "conversation-held", "conversation-failed"}
"""The number that waits is read meanwhile."""


@dataclass
class Cost:
    statements: list[str] = field(default_factory=list)
    transactions: int = 0


@contextmanager
def counted(house: House) -> Iterator[Cost]:
    """What the application asks of the database."""
    engine = house.client.app.state.services.database._engine.sync_engine  # type: ignore[attr-defined]
    cost = Cost()

    def asked(_conn: object, _cursor: object, statement: str, *_: Any) -> None:
        cost.statements.append(" ".join(statement.split())[:80])

    def begun(_conn: object) -> None:
        cost.transactions += 1

    event.listen(engine, "before_cursor_execute", asked)
    event.listen(engine, "begin", begun)
    try:
        yield cost
    finally:
        event.remove(engine, "before_cursor_execute", asked)
        event.remove(engine, "begin", begun)


def test_a_page_costs_a_bounded_number_of_statements(day: House) -> None:
    ids = ids_of(day)
    for screen in SCREENS:
        with counted(day) as cost:
            day.ask(screen.who, "GET", screen.path.format(**ids))
        assert len(cost.statements) <= STATEMENTS, (screen.name, cost.statements)
        assert cost.transactions <= TRANSACTIONS, (screen.name, cost.statements)
        if screen.name in OF_ONE_MOMENT:
            one_moment = 3 if screen.who == "agent" else 2
            assert cost.transactions == one_moment + (screen.name in COUNTS_BESIDE), screen.name
