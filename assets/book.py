"""Showings: what leads and agents agreed on, judged before a confirmation goes out."""

# No postponed annotations here: Dagster reads them.
from typing import Final

import dagster as dg

from assets.common import OWNERS, PLATFORMS, Result, platform_of
from assets.decide import reply_decisions
from leasebot_pipeline.quality import checks
from leasebot_pipeline.quality.showings import check_showings, load_showings
from leasebot_pipeline.stages import book
from leasebot_pipeline.stages.pipeline import Pipeline

GROUP: Final = "book"


@dg.asset(
    partitions_def=PLATFORMS,
    deps=[reply_decisions],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "postgres"},
    tags={"leasebot/stage": "book"},
    check_specs=[check.spec("showing_appointments") for check in checks.SHOWINGS],
    description="Viewings that are held, booked, moved or cancelled, each written with the decision that made it. What "
    "was held past its time is freed here.",
)
def showing_appointments(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Result:
    platform = platform_of(context)
    result = book.settle(pipeline, platform)
    with pipeline.engine.connect() as conn:
        rows = load_showings(conn, platform, pipeline.clock())
    lines = [f"| {status} | {count} |" for status, count in result.by_status.items()]
    return dg.MaterializeResult(
        metadata={
            "holds_expired": result.holds_expired,
            "offers_expired": result.offers_expired,
            "showings_ahead": sum(result.by_status.values()),
            "by_status": dg.MetadataValue.md("\n".join(["| status | showings |", "| --- | --- |", *lines])),
        },
        check_results=checks.results("showing_appointments", checks.SHOWINGS, check_showings(rows)),
    )
