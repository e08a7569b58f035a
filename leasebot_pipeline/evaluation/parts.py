"""Our own labelled set: a part the rules are tuned on, and a part that is only ever scored."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final

from leasebot_pipeline.evaluation.cases import LabelledCase, read_cases

_DATA: Final = Path(__file__).parent / "data"


class Part(StrEnum):
    TUNING = "tuning"
    SCORED = "scored"


def part_file(part: Part) -> Path:
    return _DATA / f"{part.value}.jsonl"


def read_part(part: Part) -> tuple[LabelledCase, ...]:
    """The cases of a part. Raises ``CasesInvalid``."""
    return read_cases(part_file(part))
