"""Replies that are due leave through the browser, and what counts as sent is checked afterwards."""

# No postponed annotations here: Dagster reads them.
from dataclasses import asdict
from typing import Final

import dagster as dg

from assets.book import showing_appointments
from assets.common import OWNERS, PLATFORMS, Result, platform_of, shard_of
from assets.decide import reply_decisions
from leasebot_pipeline.quality import checks
from leasebot_pipeline.quality.dispatch import check_dispatches, load_dispatches
from leasebot_pipeline.stages import dispatch
from leasebot_pipeline.stages.pipeline import Pipeline

GROUP: Final = "dispatch"


@dg.asset(
    partitions_def=PLATFORMS,
    deps=[reply_decisions, showing_appointments, dg.AssetKey("follow_ups")],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"playwright", "postgres", "python"},
    tags={"leasebot/stage": "dispatch"},
    check_specs=[check.spec("outbound_dispatches") for check in checks.DISPATCH],
    description="Replies on their way: at most one click each, proven by reading the thread back. What can't be "
    "proven is settled by reading again or by a person, never by a second click.",
)
def outbound_dispatches(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Result:
    platform = platform_of(context)
    result = dispatch.dispatch(pipeline, platform, context.run_id, shard_of(context))
    with pipeline.engine.connect() as conn:
        rows = load_dispatches(conn, platform, context.run_id)
    counts = {name: value for name, value in asdict(result).items() if value is not None}
    return dg.MaterializeResult(
        metadata=counts,
        check_results=checks.results("outbound_dispatches", checks.DISPATCH, check_dispatches(rows)),
    )
