"""Our own labelled set, in parts by who may read them.

``tuning`` and ``opened`` are for writing rules; ``scored`` and ``fresh`` are only ever scored. ``opened`` and
``fresh`` are the two halves of one batch, written on 25 November 2026 without a look at the rules and scored
once as a whole before ``opened`` was opened; ``second_opened`` and ``second_fresh`` those of one of the day after.
``third_opened`` and ``third_fresh`` were written by others, who did not know the rules, and so were
``fourth_opened`` and ``fourth_fresh``, of which one author wrote the hard end of inboxes only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from leasebot_pipeline.evaluation.cases import LabelledCase, read_cases
from leasebot_pipeline.evaluation.part import Part

__all__ = ["Part", "part_file", "read_part"]

_DATA: Final = Path(__file__).parent / "data"


def part_file(part: Part) -> Path:
    return _DATA / f"{part.value}.jsonl"


def read_part(part: Part) -> tuple[LabelledCase, ...]:
    """The cases of a part. Raises ``CasesInvalid``."""
    return read_cases(part_file(part))
