"""Heavy libraries stay in their rooms; the import contracts check the rest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("leasebot_pipeline", "assets", "sensors", "api")

ROOMS = {
    "playwright": r"leasebot_pipeline/platforms/browser\w*\.py|leasebot_pipeline/processes/browser_\w+\.py",
    "google": r"leasebot_pipeline/decisions/gemini\w*\.py",
    "dagster": r"assets/.*|sensors/.*|leasebot_pipeline/(definitions\.py|quality/.*|processes/.*)",
    "fastapi": r"api/.*|leasebot_pipeline/sandbox/.*",
    "great_expectations": r"leasebot_pipeline/quality/.*",
    "leasebot_pipeline.chaos": r"leasebot_pipeline/(chaos/.*|cli/chaos\.py)",
}


@pytest.mark.parametrize("library", ROOMS)
def test_a_library_is_imported_only_in_its_room(library: str) -> None:
    importing = re.compile(rf"^\s*(?:from|import) {re.escape(library)}\b", re.MULTILINE)
    allowed = re.compile(ROOMS[library])
    strays = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if importing.search(path.read_text(encoding="utf-8"))
        and not allowed.fullmatch(path.relative_to(ROOT).as_posix())
    ]
    assert strays == []


def test_great_expectations_is_imported_only_when_a_suite_runs() -> None:
    """It takes seconds to import; loading the definitions must not pay for it."""
    at_module_level = re.compile(r"^(?:from|import) great_expectations", re.MULTILINE)
    for path in (ROOT / "leasebot_pipeline").rglob("*.py"):
        assert not at_module_level.search(path.read_text(encoding="utf-8")), path
