"""docs/reliability.md tells of every crash point, and every test it calls a proof is there and has that point."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from leasebot_pipeline.storage.crash_points import CRASH_POINTS
from tests.chaos.test_crash_points import IN_A_CYCLE
from tests.e2e.test_chaos import PASSED_IN_A_PLAIN_CYCLE
from tests.stages.test_dispatch import IN_DOUBT, SAFE_TO_PASS

ROOT = Path(__file__).parents[2]
PROOF = re.compile(r"\| ([A-Z]) \| `(tests/[\w/]+\.py)::(\w+)`")
HAS = {
    "E": set(IN_A_CYCLE),
    "K": set(PASSED_IN_A_PLAIN_CYCLE),
    "D": {*SAFE_TO_PASS, *IN_DOUBT, "dispatch.after_failure"},
}
"""Points of the tests that go through a list of them."""


def document() -> str:
    return (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def rows() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in document().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and re.fullmatch(r"`[a-z_]+\.[a-z_]+`", cells[0]):
            found[cells[0].strip("`")] = cells[1:]
    return found


def test_the_table_and_the_registry_say_the_same() -> None:
    assert {point: cells[0] for point, cells in rows().items()} == CRASH_POINTS
    assert list(rows()) == list(CRASH_POINTS), "in the same order"


def test_each_point_says_what_follows_and_has_a_proof() -> None:
    letters = {letter for letter, *_ in PROOF.findall(document())}
    for point, (_, follows, proofs) in rows().items():
        assert follows, point
        assert proofs.split(), point
        assert set(proofs.split()) <= letters, point


def test_tests_called_a_proof_exist() -> None:
    for _, path, name in PROOF.findall(document()):
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (
            f"{path}::{name}"
        )


def test_a_point_is_called_proven_exactly_by_the_lists_that_have_it() -> None:
    for letter, points in HAS.items():
        assert {point for point, cells in rows().items() if letter in cells[2].split()} == points, letter
