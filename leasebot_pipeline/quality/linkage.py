"""Suite over the linkage of one run: is what leads write about still found among our listings?"""

from __future__ import annotations

from typing import Final

import pandas as pd

from leasebot_pipeline.quality.adapter import Rule, validate
from leasebot_pipeline.quality.validation import Effect, Validation

COVERAGE: Final = "linkage_coverage"

MIN_COVERAGE: Final = 0.8
ENOUGH: Final = 5
"""Fewer attempts than this say nothing about the coverage."""

_RULES: Final = (
    Rule(
        COVERAGE,
        "coverage_low",
        f"at least {MIN_COVERAGE:.0%} of {ENOUGH} or more conversations found their listing",
        Effect.WARN,
        "expect_column_min_to_be_between",
        {"column": "coverage", "min_value": MIN_COVERAGE},
    ),
)


def check_linkage(attempted: int, resolved: int) -> Validation:
    """Ask for a look when too few conversations of a run found their listing."""
    if attempted < ENOUGH:
        return Validation(rows=attempted)
    return validate("linkage", _RULES, pd.DataFrame([{"coverage": resolved / attempted}]), key="coverage")
