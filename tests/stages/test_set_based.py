"""A batch costs the same statements whatever its size."""

from __future__ import annotations

from sqlalchemy import event

from tests.stages.conftest import Office

BODIES = (
    "Hi, could I tour the apartment on Thursday after work?",
    "Is this still available?",
    "What is the monthly rent?",
    "My attorney will contact you.",
    "Thanks for the information.",
)


def test_a_thousand_messages_cost_no_more_statements_than_ten(office: Office) -> None:
    counts = []
    for size in (10, 1000):
        for number in range(size):
            office.lead_writes(f"{size}-{number}", BODIES[number % len(BODIES)], listing=f"L{number % 5}")
        statements: list[str] = []

        def note(
            _conn: object, _cursor: object, statement: str, *_rest: object, into: list[str] = statements
        ) -> None:
            into.append(statement)

        event.listen(office.pipeline.engine, "before_cursor_execute", note)
        result = office.work()
        event.remove(office.pipeline.engine, "before_cursor_execute", note)
        assert result.decided == size
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 40
