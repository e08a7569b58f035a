"""What must always hold, looked at on a schedule."""

# No postponed annotations here: Dagster reads them.
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import dagster as dg

from assets.common import OWNERS, Result
from leasebot_pipeline.stages.pipeline import Pipeline

GROUP: Final = "operations"
HOLD: Final = "invariants_hold"


class CheckedInvariant(Protocol):
    """One invariant after it was checked."""

    @property
    def name(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    @property
    def violations(self) -> int: ...
    @property
    def sample(self) -> Sequence[str]: ...


def invariants_asset(check: Callable[[Pipeline], Sequence[CheckedInvariant]]) -> dg.AssetsDefinition:
    """The invariants of the whole database. A violated one fails the run, so that somebody is told."""

    @dg.asset(
        name="invariants",
        group_name=GROUP,
        owners=OWNERS,
        kinds={"postgres"},
        check_specs=[
            dg.AssetCheckSpec(
                HOLD, asset="invariants", description="No invariant is violated.", blocking=True
            )
        ],
        description="What must always hold in the database, and where it does not.",
    )
    def invariants(pipeline: dg.ResourceParam[Pipeline]) -> Result:
        results = check(pipeline)
        broken = [result for result in results if result.violations]
        return dg.MaterializeResult(
            metadata={
                "checked": len(results),
                "violated": len(broken),
                "violations": sum(result.violations for result in broken),
            },
            check_results=[
                dg.AssetCheckResult(
                    asset_key="invariants",
                    check_name=HOLD,
                    passed=not broken,
                    severity=dg.AssetCheckSeverity.ERROR,
                    description="; ".join(f"{result.name}: {result.violations}" for result in broken) or None,
                    metadata={"violated": dg.MetadataValue.md(_table(broken))} if broken else {},
                )
            ],
        )

    return invariants


def _table(broken: Sequence[CheckedInvariant]) -> str:
    lines = [
        f"| {result.name} | {result.sentence} | {result.violations} | {'; '.join(result.sample)} |"
        for result in broken
    ]
    return "\n".join(["| invariant | says | violations | for example |", "| --- | --- | --- | --- |", *lines])
