"""Every behaviour that was agreed has a test that names its number."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
NAMED = re.compile(r"[Bb]ehaviours?\s+((?:\d+(?:\s*(?:,|and|to|-)\s*)?)+)")
SPAN = re.compile(r"(\d+)\s*(?:to|-)\s*(\d+)")
AGREED = range(1, 151)
"""Numbers of the acceptance list."""


def named() -> set[int]:
    found: set[int] = set()
    for path in TESTS.rglob("test_*.py"):
        for numbers in NAMED.findall(path.read_text(encoding="utf-8")):
            for first, last in SPAN.findall(numbers):
                found.update(range(int(first), int(last) + 1))
            found.update(int(number) for number in re.findall(r"\d+", numbers))
    return found


def test_each_agreed_behaviour_is_named_by_a_test() -> None:
    assert sorted(set(AGREED) - named()) == []
