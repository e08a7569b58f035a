"""Great Expectations behind one function: a frame and a suite in, plain findings out.

Importing it takes seconds and 230 MB, so that happens on first use, inside a run (whose process has it
preloaded), and never in the sensors or the API.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from leasebot_pipeline.quality.validation import Effect, Finding, Validation

if TYPE_CHECKING:
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult


@dataclass(frozen=True, slots=True)
class Rule:
    """An expectation with its name, the sentence a person reads, and what follows when it breaks.

    Expectations pass over nulls. So a frame for them holds null where a rule is not about a row, and an empty
    text or an impossible number where a value is unknown and must not pass.
    """

    check: str
    """The asset check it counts for."""
    name: str
    says: str
    effect: Effect
    expectation: str
    """Great Expectations' name of it, e.g. ``expect_column_values_to_be_unique``."""
    arguments: Mapping[str, object]


# Great Expectations keeps its batches in shared dictionaries.
_one_at_a_time: Final = threading.Lock()


def validate(name: str, suite: Sequence[Rule], frame: pd.DataFrame, *, key: str) -> Validation:
    """Run a suite over a frame whose column ``key`` names its rows; an empty frame has nothing to find.

    A rule that could not be evaluated has not passed: its finding carries the error.
    """
    if frame.empty:
        return Validation()
    with _one_at_a_time:
        results = _run(name, suite, frame, key if key in frame.columns else None)
    return Validation(
        rows=len(frame), findings=tuple(_finding(rule, results[rule.name], key) for rule in suite)
    )


def _run(
    name: str, rules: Sequence[Rule], frame: pd.DataFrame, key: str | None
) -> dict[str, ExpectationValidationResult]:
    batches = _batches()  # first: it sets the environment of the import
    from great_expectations import ExpectationSuite
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    suite = ExpectationSuite(
        name=name,
        expectations=[
            ExpectationConfiguration(
                type=rule.expectation,
                kwargs=dict(rule.arguments),
                meta={"rule": rule.name},
            )
            for rule in rules
        ],
    )
    report = batches.get_batch({"dataframe": frame}).validate(
        suite,
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": [key] if key else [],
            "return_unexpected_index_query": False,
        },
    )
    return {_name(result): result for result in report.results}


def _name(result: ExpectationValidationResult) -> str:
    assert result.expectation_config is not None
    return str((result.expectation_config.meta or {})["rule"])


@lru_cache(maxsize=1)
def _batches() -> BatchDefinition[Any]:
    """The process's context: in memory, silent (its progress bars start a thread)."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("leasebot").add_dataframe_asset("batch")
    return asset.add_batch_definition_whole_dataframe("whole")


def _finding(rule: Rule, result: ExpectationValidationResult, key: str) -> Finding:
    details = result.result
    observed = details.get("observed_value")
    return Finding(
        check=rule.check,
        rule=rule.name,
        says=rule.says,
        effect=rule.effect,
        passed=bool(result.success),
        broken=int(details.get("unexpected_count") or 0),
        rows=tuple(dict.fromkeys(str(row[key]) for row in details.get("unexpected_index_list") or ())),
        observed=float(observed) if isinstance(observed, int | float) else None,
        error=_error(result),
    )


def _error(result: ExpectationValidationResult) -> str | None:
    """First line of what kept the rule from being evaluated; the rest may quote the batch."""
    info = result.exception_info or {}
    # One entry of its own, or one for each metric that failed.
    entries = [info] if "raised_exception" in info else [e for e in info.values() if isinstance(e, dict)]
    for entry in entries:
        if entry.get("raised_exception"):
            return str(entry.get("exception_message") or "unknown error").splitlines()[0][:200]
    return None
