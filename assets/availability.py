"""Calendars: what weekly rules mean on the days ahead."""

# No postponed annotations here: Dagster reads them.
from collections.abc import Sequence
from typing import Final

import dagster as dg

from assets.common import OWNERS, Result
from leasebot_pipeline.stages import availability
from leasebot_pipeline.stages.pipeline import Pipeline

GROUP: Final = "scheduling"
_SHOWN: Final = 20

WRITTEN: Final = "occurrences_written"
USABLE: Final = "rules_usable"
GO_ON: Final = "calendars_go_on"
SHOWN_BY: Final = "open_units_have_agents"

_CHECKS: Final = {
    WRITTEN: "Each occurrence the rules give up to the horizon stands in its calendar.",
    USABLE: "Each weekly rule can be read; one that names an unknown time zone gives no occurrence.",
    GO_ON: "No calendar's weekly rules all end within the horizon: such a calendar runs out unless somebody acts.",
    SHOWN_BY: "Each unit that is open for viewings has an active agent to show it.",
}


@dg.asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "postgres"},
    tags={"leasebot/stage": "availability"},
    check_specs=[
        dg.AssetCheckSpec(name, asset="availability_horizon", description=about)
        for name, about in _CHECKS.items()
    ],
    description="Weekly rules of agents and units, written out as times up to a rolling horizon, each in its own "
    "zone. Rows a person wrote are never touched.",
)
def availability_horizon(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Result:
    result = availability.extend_horizon(pipeline, context.run_id)
    figures = result.figures
    missing = [f"{figures.missing} occurrences met a row written meanwhile"] if figures.missing else []
    return dg.MaterializeResult(
        metadata={
            "rules": figures.rules,
            "occurrences_created": figures.created,
            "occurrences_removed": figures.removed,
            "occurrences_kept": figures.kept,
            "past_occurrences_purged": figures.purged,
            "horizon_end": dg.MetadataValue.timestamp(figures.horizon_end),
        },
        check_results=[
            _check(WRITTEN, missing),
            _check(USABLE, figures.unusable),
            _check(GO_ON, figures.ending),
            _check(SHOWN_BY, result.without_agents),
        ],
    )


def _check(name: str, found: Sequence[str]) -> dg.AssetCheckResult:
    """A warning with the first few findings: calendars go on where they can, a person has to look."""
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return dg.AssetCheckResult(
        asset_key="availability_horizon",
        check_name=name,
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        description=("; ".join(found[:_SHOWN]) + more) or None,
        metadata={"found": len(found)},
    )
