"""What a statement really reads, told by PostgreSQL itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, event

Plan = dict[str, Any]


def statements_of(conn: Connection, work: Callable[[], object]) -> list[tuple[str, Any]]:
    """The statements that ``work`` sends over the connection, with their parameters."""
    statements: list[tuple[str, Any]] = []

    def seen(_c: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        statements.append((statement, parameters))

    event.listen(conn, "before_cursor_execute", seen)
    try:
        work()
    finally:
        event.remove(conn, "before_cursor_execute", seen)
    return statements


def explained(conn: Connection, statement: str, parameters: Any) -> Plan:
    """The plan after running the statement, as PostgreSQL's JSON."""
    answer = conn.exec_driver_sql(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}", parameters)
    plan: Plan = answer.scalar_one()[0]["Plan"]
    return plan


def rows_read(plan: Plan, table: str) -> int:
    """Rows that scans of the table looked at: given on, or read and thrown away."""
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in _nodes(plan)
        if node.get("Relation Name") == table
    )


def scans(plan: Plan, table: str) -> list[str]:
    """How the table is read: the kind of each scan, with its index where it has one."""
    return [
        " ".join(filter(None, (node["Node Type"], node.get("Index Name"))))
        for node in _nodes(plan)
        if node.get("Relation Name") == table
    ]


def _nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
