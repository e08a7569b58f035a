"""No side effect without a crash point: read off the code itself, so that a new one can't be forgotten."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from leasebot_pipeline.storage.crash_points import CRASH_POINTS

ROOT = Path(__file__).parents[2]
PIPELINE = ("leasebot_pipeline", "assets", "sensors")

ONE_TRANSACTION_EACH = {
    "leasebot_pipeline/storage/crash_points.py": "it is what puts a point on each side of a commit",
    "leasebot_pipeline/storage/migrate.py": "a migration is one transaction before any process works",
    "leasebot_pipeline/processes/database.py": "bootstrap: one transaction before any process works, repeatable",
    "leasebot_pipeline/definitions.py": "the note of a run that failed; nothing follows it",
    "leasebot_pipeline/cli/calendars.py": "an operator's command: one transaction, nothing before or after it",
    "leasebot_pipeline/cli/follow_ups.py": "an operator's command: one transaction, nothing before or after it",
    "leasebot_pipeline/cli/drill.py": "a look at the gate that is rolled back",
    "leasebot_pipeline/cli/release.py": "an operator's command: one transaction, nothing before or after it",
    "leasebot_pipeline/processes/backup.py": "a restored database, before any process works on it",
    "leasebot_pipeline/release/startup.py": "the note of a worker that does not start; nothing follows it",
    "leasebot_pipeline/cli/outbox.py": "an operator's command: one transaction, nothing before or after it",
}
"""Modules that commit without a crash point of their own, and why that is no gap."""

NO_PIPELINE = ("leasebot_pipeline/sandbox/", "leasebot_pipeline/chaos/")
"""Rooms that play the world around the pipeline."""


@cache
def sources() -> list[tuple[str, ast.Module]]:
    paths = [path for room in PIPELINE for path in sorted((ROOT / room).rglob("*.py"))]
    named = [(path.relative_to(ROOT).as_posix(), path) for path in paths]
    return [
        (name, ast.parse(path.read_text(encoding="utf-8")))
        for name, path in named
        if not name.startswith(NO_PIPELINE)
    ]


def calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            name = (
                called.attr
                if isinstance(called, ast.Attribute)
                else called.id
                if isinstance(called, ast.Name)
                else ""
            )
            if name in names:
                yield node


def points_passed(tree: ast.AST) -> Iterator[str]:
    for call in calls(tree, "crash_point", "transaction"):
        for argument in call.args:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value


def test_whatever_is_committed_has_a_crash_point_on_each_side() -> None:
    """Commits come from ``begin`` or ``commit`` only, and the pipeline calls neither but through ``transaction``."""
    committing = {
        name
        for name, tree in sources()
        for call in calls(tree, "begin", "commit")
        if not _is_handed_a_connection(call)
    }
    assert committing == set(ONE_TRANSACTION_EACH)


def _is_handed_a_connection(call: ast.Call) -> bool:
    """``platform_runs.begin`` and ``marks.begin`` are functions of ours that are handed a connection."""
    called = call.func
    return (
        isinstance(called, ast.Attribute)
        and isinstance(called.value, ast.Name)
        and called.value.id in ("platform_runs", "marks")
    )


def test_nothing_is_stored_outside_a_transaction() -> None:
    """``connect`` rolls back when it is left, unless autocommit is asked for: only servers and databases are made so."""
    asking = {
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg in ("autocommit", "isolation_level")
    }
    assert asking <= {
        "leasebot_pipeline/storage/engine.py",  # CREATE DATABASE
        "leasebot_pipeline/storage/migrate.py",
        "leasebot_pipeline/processes/database.py",  # the mark of a play database
        "leasebot_pipeline/processes/dagster_home.py",
        "leasebot_pipeline/processes/dagster_storage.py",  # Dagster's own tables, as Dagster writes them
    }


def test_statements_that_write_are_handed_their_connection() -> None:
    """No module of storage opens a connection of its own: its caller's transaction decides what is kept.

    Two count for themselves, beside any work: the tallies, and what a model costs.
    """
    opening = {
        name
        for name, tree in sources()
        if name.startswith("leasebot_pipeline/storage/")
        for _ in calls(tree, "connect", "begin", "transaction")
    }
    assert opening == {
        "leasebot_pipeline/storage/crash_points.py",
        "leasebot_pipeline/storage/engine.py",
        "leasebot_pipeline/storage/migrate.py",
        "leasebot_pipeline/storage/model_usage.py",
        "leasebot_pipeline/storage/rollups/__init__.py",
        "leasebot_pipeline/storage/server.py",
    }


def test_a_click_can_only_happen_between_its_crash_points() -> None:
    """One place takes a connector's ``send``, one calls it, with points before and after."""
    taking = [
        (name, node.lineno)
        for name, tree in sources()
        if name.startswith(
            ("leasebot_pipeline/stages/", "assets/", "sensors/", "leasebot_pipeline/definitions")
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "send"
    ]
    assert [name for name, _ in taking] == ["leasebot_pipeline/stages/dispatch.py"]
    attempt = (ROOT / "leasebot_pipeline/stages/dispatch_attempt.py").read_text(encoding="utf-8")
    assert len(re.findall(r"\bsend\(", attempt)) == 1
    assert attempt.index('crash_point("dispatch.after_click")') > attempt.index(" send(")
    assert 'crash_point("dispatch.before_click")' in attempt


def test_an_alert_can_only_leave_before_its_crash_point() -> None:
    delivering = {
        name
        for name, tree in sources()
        for call in calls(tree, "deliver")
        if not name.endswith("alerts_mail.py")
    }
    assert delivering == {"leasebot_pipeline/stages/alerts.py"}


def test_every_declared_point_is_passed_by_the_code_and_every_passed_one_is_declared() -> None:
    """A chaos test of a point nobody passes would prove nothing."""
    passed = {point for _, tree in sources() for point in points_passed(tree)}
    assert passed == set(CRASH_POINTS)


def test_points_read_as_before_or_after() -> None:
    odd = [name for name in CRASH_POINTS if not re.fullmatch(r"[a-z_]+\.(?:before|after)_[a-z_]+", name)]
    assert odd == []
