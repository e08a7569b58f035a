"""The inboxes as assets of somebody else: nothing here makes them, each poll may report what it saw."""

from __future__ import annotations

from typing import Final

import dagster as dg

from assets.common import OWNERS, PLATFORM_TAG
from leasebot_pipeline.domain.platforms import Platform

GROUP: Final = "platforms"


def inbox_key(platform: Platform) -> dg.AssetKey:
    """Key of a platform's inbox."""
    return dg.AssetKey(["platform_inbox", platform.value])


INBOXES: Final = [
    dg.AssetSpec(
        key=inbox_key(platform),
        group_name=GROUP,
        description=f"The inbox of our accounts on {platform.value}, as the platform shows it.",
        owners=OWNERS,
        kinds={"playwright"},
        tags={PLATFORM_TAG: platform.value},
    )
    for platform in Platform
]
