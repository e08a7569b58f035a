"""Our own labelled set, in parts by who may read them.

``tuning`` and ``opened`` are for writing rules; ``scored`` and ``fresh`` are only ever scored. ``opened`` and
``fresh`` are the two halves of one batch, written on 25 November 2026 without a look at the rules and scored
once as a whole before ``opened`` was opened; ``second_opened`` and ``second_fresh`` those of one of the day after.
``third_opened`` and ``third_fresh`` were written by others, who did not know the rules.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final

from leasebot_pipeline.evaluation.cases import LabelledCase, read_cases

_DATA: Final = Path(__file__).parent / "data"


class Part(StrEnum):
    TUNING = "tuning"
    SCORED = "scored"
    OPENED = "opened"
    FRESH = "fresh"
    SECOND_OPENED = "second_opened"
    SECOND_FRESH = "second_fresh"
    THIRD_OPENED = "third_opened"
    THIRD_FRESH = "third_fresh"

    @property
    def only_scored(self) -> bool:
        """Whoever works on the rules does not read it."""
        return self in (Part.SCORED, Part.FRESH, Part.SECOND_FRESH, Part.THIRD_FRESH)


def part_file(part: Part) -> Path:
    return _DATA / f"{part.value}.jsonl"


def read_part(part: Part) -> tuple[LabelledCase, ...]:
    """The cases of a part. Raises ``CasesInvalid``."""
    return read_cases(part_file(part))
