"""What all assets share: the five platforms as partitions, the tag of a platform's runs, owners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import dagster as dg

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.shards import WHOLE, Shard, shard_of_label

PLATFORMS: Final = dg.StaticPartitionsDefinition([platform.value for platform in Platform])

PLATFORM_TAG: Final = "leasebot/platform"
"""Tag of every run that acts on one platform; the queue lets one such run of a platform start at a time."""

UPKEEP_TAGS: Final = {"leasebot/kind": "upkeep"}
"""Tags of every run that no lead waits for; the queue lets two of them run at a time, so that inboxes keep their places."""

SHARD_TAG: Final = "leasebot/accounts"
"""Tag of a run that sends for one shard of a platform's accounts only, as ``roomies/2of3``; the queue lets one such run of a
shard start at a time, beside the platform's own."""

OWNERS: Final = ["team:leasebot"]

if TYPE_CHECKING:
    Result = dg.MaterializeResult[None]
else:
    Result = dg.MaterializeResult  # Dagster takes no parametrised form where an asset has checks


def platform_of(context: dg.AssetExecutionContext) -> Platform:
    """The platform a partitioned step works for."""
    return Platform(context.partition_key)


def run_tags(platform: Platform, shard: Shard) -> dict[str, str]:
    """The tags of a run that sends: one of a shard waits for none of the platform's other runs."""
    if shard == WHOLE:
        return {PLATFORM_TAG: platform.value}
    return {SHARD_TAG: f"{platform.value}/{shard.label}"}


def shard_of(context: dg.AssetExecutionContext) -> Shard:
    """The accounts a run sends for."""
    tag = context.run.tags.get(SHARD_TAG)
    return WHOLE if tag is None else shard_of_label(tag.partition("/")[2])
