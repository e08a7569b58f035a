"""Every `leasebot` command the release's documents name exists, with those options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from leasebot_pipeline.cli import app

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    *sorted((ROOT / "docs" / "release").glob("*.md")),
    *sorted((ROOT / "docs" / "qa").glob("*.md")),
    ROOT / "docs" / "runbooks" / "rollback.md",
    ROOT / "docs" / "runbooks" / "incident-triage.md",
    ROOT / "docs" / "runbooks" / "backup-and-restore.md",
)
_COMMAND = re.compile(r"`(leasebot [^`\n]+)`|^(leasebot .+)$", re.MULTILINE)


def commands(document: Path) -> list[str]:
    found = [one or two for one, two in _COMMAND.findall(document.read_text(encoding="utf-8"))]
    return [one for one in found if "|" not in one]


def fault(command: str) -> str | None:
    """What the terminal would not know of a command line; values are not looked at, and nothing is run."""
    words = [word for word in shlex.split(command) if word != "..."][1:]
    current: Any = typer.main.get_command(app)
    while hasattr(current, "commands") and words:
        found = current.commands.get(words.pop(0))
        if found is None:
            return "no such command"
        current = found
    known = {option for parameter in current.params for option in parameter.opts} | {"--help"}
    return next((word for word in words if word.startswith("--") and word not in known), None)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: one.stem)
def test_documented_commands_are_accepted(document: Path) -> None:
    named = commands(document)
    assert named
    assert {command: wrong for command in named if (wrong := fault(command))} == {}


def test_a_slip_would_be_found() -> None:
    assert fault("leasebot gate --bassline") == "--bassline"
    assert fault("leasebot gaet") == "no such command"
