"""What every stage is handed: the database, the clock, the platforms and the policy as plain values."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import Engine

from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.domain.decisions import DecisionProvider
from leasebot_pipeline.domain.follow_ups import FollowUpPolicy
from leasebot_pipeline.domain.pacing import DEFAULT_PACES, Pace
from leasebot_pipeline.domain.platforms import Platform, SendMode
from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.domain.workers import WorkerName
from leasebot_pipeline.platforms.protocol import Connectors
from leasebot_pipeline.stages.alerts import Alerts, NoAlerts


@dataclass(frozen=True, slots=True)
class PipelinePolicy:
    """Limits and switches of the pipeline; units are in the names."""

    default_send_mode: SendMode = SendMode.DRAFT_ONLY
    polled_platforms: tuple[Platform, ...] = tuple(Platform)
    poll_interval: timedelta = timedelta(0)
    """Time between two looks at an inbox; 0 looks whenever it is asked to."""
    ingest_batch_size: int = 1000
    decision_batch_size: int = 500
    threads_per_poll: int = 25
    poll_deadline_s: float = 25.0
    dispatch_deadline_s: float = 40.0
    action_deadline_s: float = 20.0
    lease_ttl: timedelta = timedelta(seconds=8)
    """How long an account or a reply stays with a worker that gives no sign of life."""
    heartbeat_s: float = 2.0
    account_lease: timedelta = timedelta(seconds=90)
    """How long an account stays with a worker that lives but makes no progress."""
    claim_ttl: timedelta = timedelta(seconds=60)
    """How long one attempt at a reply may take at most, however alive its worker is."""
    daily_send_caps: Mapping[Platform, int] = field(default_factory=dict)
    """Replies an account of the platform sends by itself in a day of its own; 0 or absent is no cap."""
    day_timezone: str = "America/New_York"
    """Zone of the day of accounts that have none of their own."""
    history_bound: timedelta = timedelta(hours=48)
    context_messages: int = 30
    reply_examples: int = 0
    """Sent replies of the account a model is shown; 0 where no model decides."""
    slot_option_limit: int = 4
    slot_horizon: timedelta = timedelta(days=14)
    """How far ahead visits are offered."""
    slots: SlotPolicy = field(default_factory=SlotPolicy)
    availability_horizon: timedelta = timedelta(days=56)
    """How far ahead weekly rules are written out as occurrences."""
    hold: timedelta = timedelta(minutes=10)
    """How long a time is held for a lead who has to confirm it."""
    draft_hold: timedelta = timedelta(hours=24)
    """How long a time is held while the reply that confirms it is a draft."""
    ask_back: SendMode = SendMode.DRAFT_ONLY
    """Whether the question back to an unclear answer goes out alone."""
    allow_lead_names: tuple[str, ...] = ()
    allow_lead_names_by_platform: Mapping[Platform, tuple[str, ...]] = field(default_factory=dict)
    max_message_age: timedelta | None = None
    ingest_p95_target_ms: int = 60_000
    follow_ups: FollowUpPolicy = field(default_factory=FollowUpPolicy)
    """Defaults of accounts that say nothing else."""
    follow_up_zone: str = "America/New_York"
    """Zone of the quiet hours where neither lead nor unit nor agent tells one."""
    paces: Mapping[Platform, Pace] = field(default_factory=lambda: dict(DEFAULT_PACES))


def _worker_name() -> str:
    return str(WorkerName(socket.gethostname(), os.getpid(), uuid4().hex[:8]))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The collaborators of the stages. ``sleep`` and ``fraction`` (random in [0, 1)) are seams for tests."""

    engine: Engine
    clock: Clock
    connectors: Connectors
    provider: DecisionProvider
    policy: PipelinePolicy
    alerts: Alerts = field(default_factory=NoAlerts)
    worker: str = field(default_factory=_worker_name)
    sleep: Callable[[float], None] = time.sleep
    fraction: Callable[[], float] = random.random
