"""The jobs. Always in one process: a step of its own process costs more than its work."""

from __future__ import annotations

from typing import Final

import dagster as dg

from assets.availability import availability_horizon
from assets.book import showing_appointments
from assets.common import PLATFORMS, UPKEEP_TAGS
from assets.decide import reply_decisions
from assets.dispatch import outbound_dispatches
from assets.ingest import conversation_linkage, inbound_messages

# A run that hangs holds its platform's place in the queue.
_MAX_RUNTIME: Final = {"dagster/max_runtime": "900"}
_UPKEEP: Final = _MAX_RUNTIME | UPKEEP_TAGS
_ANSWERS: Final = {**_MAX_RUNTIME, "dagster/priority": "10"}
"""Somebody waits for it: it leaves the queue before what can wait."""

INBOX_PIPELINE: Final = dg.define_asset_job(
    "inbox_pipeline",
    selection=[
        inbound_messages,
        conversation_linkage,
        reply_decisions,
        showing_appointments,
        outbound_dispatches,
    ],
    partitions_def=PLATFORMS,
    executor_def=dg.in_process_executor,
    run_tags=_ANSWERS,
    description="Ingest, link, decide, book and dispatch for one platform, whatever the number of messages.",
)
OUTBOX_DISPATCH: Final = dg.define_asset_job(
    "outbox_dispatch",
    selection=[outbound_dispatches],
    partitions_def=PLATFORMS,
    executor_def=dg.in_process_executor,
    run_tags=_ANSWERS,
    description="Send what is due on one platform: retries, approved drafts, replies of people.",
)
FOLLOW_UP: Final = dg.define_asset_job(
    "follow_up",
    selection=dg.AssetSelection.assets("follow_ups", "outbound_dispatches"),
    partitions_def=PLATFORMS,
    executor_def=dg.in_process_executor,
    run_tags=_MAX_RUNTIME,
    description="Follow-ups, reminders and questions to agents that are due on one platform, and what they send.",
)
LISTING_SYNC: Final = dg.define_asset_job(
    "listing_sync",
    selection=dg.AssetSelection.assets("listings"),
    executor_def=dg.in_process_executor,
    run_tags=_UPKEEP,
    description="Read our own adverts on the platforms.",
)
AVAILABILITY_HORIZON: Final = dg.define_asset_job(
    "availability_update",
    selection=[availability_horizon],
    executor_def=dg.in_process_executor,
    run_tags=_UPKEEP,
    description="Write weekly rules out as times up to the horizon.",
)
INVARIANT_CHECK: Final = dg.define_asset_job(
    "invariant_check",
    selection=dg.AssetSelection.assets("invariants"),
    executor_def=dg.in_process_executor,
    run_tags=_UPKEEP,
    description="Look whether everything that must always hold does.",
)
