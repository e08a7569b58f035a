"""What all assets share: the five platforms as partitions, the tag of a platform's runs, owners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import dagster as dg

from leasebot_pipeline.domain.platforms import Platform

PLATFORMS: Final = dg.StaticPartitionsDefinition([platform.value for platform in Platform])

PLATFORM_TAG: Final = "leasebot/platform"
"""Tag of every run that acts on one platform; the queue lets one such run of a platform start at a time."""

UPKEEP_TAGS: Final = {"leasebot/kind": "upkeep"}
"""Tags of every run that no lead waits for; the queue lets two of them run at a time, so that inboxes keep their places."""

OWNERS: Final = ["team:leasebot"]

if TYPE_CHECKING:
    Result = dg.MaterializeResult[None]
else:
    Result = dg.MaterializeResult  # Dagster takes no parametrised form where an asset has checks


def platform_of(context: dg.AssetExecutionContext) -> Platform:
    """The platform a partitioned step works for."""
    return Platform(context.partition_key)
