"""Landed events become messages, and conversations find what they are about."""

# No postponed annotations here: Dagster reads them.
from collections.abc import Mapping
from enum import Enum
from typing import Final

import dagster as dg

from assets.common import OWNERS, PLATFORMS, Result, platform_of
from assets.platforms import INBOXES
from leasebot_pipeline.quality import checks
from leasebot_pipeline.quality.inbound import DRIFT, check_inbound
from leasebot_pipeline.quality.linkage import check_linkage
from leasebot_pipeline.quality.validation import Validation, combine
from leasebot_pipeline.stages import ingest, link
from leasebot_pipeline.stages.pipeline import Pipeline

GROUP: Final = "ingest"
MAX_BATCHES: Final = 100
"""A run takes this many batches at most; what is left makes the next poll ask for another run."""


class OnDrift(Enum):
    """What to do with a batch whose pages seem to have changed: a person's choice, made for one run."""

    BLOCK = "block"  # ingest nothing, fail the run
    QUARANTINE = "quarantine"  # set the whole batch aside
    ACCEPT = "accept"  # the platform really shows it no more


class IngestConfig(dg.Config):
    """Run configuration of ``inbound_messages``."""

    on_markup_drift: OnDrift = OnDrift.BLOCK


@dg.asset(
    partitions_def=PLATFORMS,
    deps=INBOXES,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "postgres"},
    tags={"leasebot/stage": "ingest"},
    check_specs=[check.spec("inbound_messages") for check in checks.INBOUND],
    description="What polls landed, as conversations and messages. Events that can't be used are quarantined "
    "with the reason; a batch that can't be used as a whole stays landed and fails the run.",
)
def inbound_messages(
    context: dg.AssetExecutionContext, config: IngestConfig, pipeline: dg.ResourceParam[Pipeline]
) -> Result:
    platform = platform_of(context)
    accepted = frozenset() if config.on_markup_drift is OnDrift.BLOCK else frozenset({DRIFT})
    found: list[Validation] = []
    done: list[ingest.IngestResult] = []
    for _ in range(MAX_BATCHES):
        batch = ingest.load(pipeline, platform)
        if not batch.rows:
            break
        found.append(check_inbound(platform, batch.rows, pipeline.clock()))
        if found[-1].harmful_checks - accepted:
            break
        refused = _refused(found[-1], batch, config.on_markup_drift)
        done.append(ingest.ingest(pipeline, batch, refused, context.run_id))
        if (
            len(batch.rows) < pipeline.policy.ingest_batch_size
            or not done[-1].ingested + done[-1].quarantined
        ):
            break
    return dg.MaterializeResult(
        metadata=_ingest_metadata(done),
        check_results=checks.results("inbound_messages", checks.INBOUND, combine(found), accepted=accepted),
    )


def _refused(found: Validation, batch: ingest.InboundBatch, on_drift: OnDrift) -> Mapping[int, str]:
    if DRIFT in found.harmful_checks and on_drift is OnDrift.QUARANTINE:
        return {int(row["id"]): DRIFT for row in batch.rows}
    return {int(event): reason for event, reason in found.refused.items()}


def _ingest_metadata(done: list[ingest.IngestResult]) -> dict[str, int | float | dg.MetadataValue]:
    metadata: dict[str, int | float | dg.MetadataValue] = {
        "batches": len(done),
        "read": sum(result.read for result in done),
        "ingested": sum(result.ingested for result in done),
        "new_messages": sum(result.new_messages for result in done),
        "quarantined": sum(result.quarantined for result in done),
        "conversations": sum(result.conversations for result in done),
    }
    # Of several batches the slowest: the figure people are held to.
    p50 = [result.latency_p50_s for result in done if result.latency_p50_s is not None]
    p95 = [result.latency_p95_s for result in done if result.latency_p95_s is not None]
    if p50 and p95:
        metadata["latency_p50_s"] = dg.MetadataValue.float(max(p50))
        metadata["latency_p95_s"] = dg.MetadataValue.float(max(p95))
    return metadata


@dg.asset(
    partitions_def=PLATFORMS,
    deps=[inbound_messages],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"python", "postgres"},
    tags={"leasebot/stage": "link"},
    check_specs=[check.spec("conversation_linkage") for check in checks.LINKAGE],
    description="Which listing, unit and agent each conversation is about. Unresolved ones are tried again when "
    "listings of their account change.",
)
def conversation_linkage(context: dg.AssetExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> Result:
    result = link.link(pipeline, platform_of(context), context.run_id)
    metadata: dict[str, int | dg.MetadataValue] = {
        "attempted": result.attempted,
        "resolved": result.resolved,
        "unresolved": result.unresolved,
        "agents_assigned": result.agents_assigned,
    }
    if result.by_strategy:
        lines = [f"| {name} | {count} |" for name, count in sorted(result.by_strategy.items())]
        metadata["by_strategy"] = dg.MetadataValue.md(
            "\n".join(["| strategy | conversations |", "| --- | --- |", *lines])
        )
    return dg.MaterializeResult(
        metadata=metadata,
        check_results=checks.results(
            "conversation_linkage", checks.LINKAGE, check_linkage(result.attempted, result.resolved)
        ),
    )
