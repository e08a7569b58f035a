"""What Dagster sees: assets, checks, jobs, sensors and schedules, composed from the settings.

Loading it opens nothing. The pipeline is built when a sensor or a run first needs it: once for all sensors of the
process, whose browser stays warm between ticks, and once for each run, which closes its own.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import product
from uuid import UUID

import dagster as dg

from assets import jobs
from assets.availability import availability_horizon
from assets.book import showing_appointments
from assets.decide import reply_decisions
from assets.dispatch import outbound_dispatches
from assets.follow_up import LOOK_EVERY, follow_ups_asset
from assets.ingest import conversation_linkage, inbound_messages
from assets.inventory import listings_asset
from assets.operations import invariants_asset
from assets.platforms import INBOXES
from assets.replay import DECISION_REPLAY, decision_replays
from assets.retention import MAINTENANCE, Step, retention_asset
from leasebot_pipeline.domain.follow_ups import FollowUpWork
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.shards import shards
from leasebot_pipeline.release import stages as release_stages
from leasebot_pipeline.settings import Settings, load_settings
from leasebot_pipeline.stages import follow_up, retention
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import (
    audit,
    housekeeping,
    invariants,
    outbox_sweeps,
    rollups,
    sync_requests,
)
from leasebot_pipeline.storage.availability_horizon import rules_fingerprint
from leasebot_pipeline.storage.outbox_operations import Actor
from leasebot_pipeline.wiring import build_pipeline, retention_policy
from sensors.alerts import alerts_sensor
from sensors.availability import AVAILABILITY_SCHEDULE, availability_sensor
from sensors.failures import RunFailure, run_failure_sensor
from sensors.follow_up import follow_up_sensor
from sensors.inbox import inbox_sensor
from sensors.listings import listing_requests, listing_schedule, listings_at_start
from sensors.maintenance import INVARIANTS_SCHEDULE, MAINTENANCE_SCHEDULE, REPLAY_SCHEDULE
from sensors.outbox import outbox_sensor
from sensors.release import GateLook, release_gate_sensor
from sensors.rollups import rollups_sensor


class WarmPipeline:
    """The pipeline all sensors of a process share; they tick on changing threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._pipeline: Pipeline | None = None

    def get(self) -> Pipeline:
        with self._lock:
            if self._pipeline is None:
                self._pipeline = build_pipeline(self._settings, "leasebot sensors")
                atexit.register(partial(_close, self._pipeline))
            return self._pipeline


def _close(pipeline: Pipeline) -> None:
    pipeline.connectors.close()
    if (close := getattr(pipeline.provider, "close", None)) is not None:  # one that speaks to a model
        close()
    pipeline.engine.dispose()


def pipeline_resource(settings: Settings) -> dg.ResourceDefinition:
    """The stages' pipeline: shared and warm for sensors, its own for a run."""
    warm = WarmPipeline(settings)

    @dg.resource(description="Database, clock, platforms, decision provider and policy of the stages.")
    def pipeline(context: dg.InitResourceContext) -> Iterator[Pipeline]:
        if context.run is None:
            yield warm.get()
            return
        own = build_pipeline(settings, f"leasebot run {context.run.run_id[:8]}")
        try:
            yield own
        finally:
            _close(own)

    return pipeline


def due_dispatches(pipeline: Pipeline) -> dict[Platform, dict[UUID, int]]:
    """How many replies may go out now, per platform and account."""
    with pipeline.engine.connect() as conn:
        return outbox_sweeps.due_by_account(conn, pipeline.clock())


def due_follow_ups(pipeline: Pipeline) -> dict[Platform, FollowUpWork]:
    """What waits for the follow-up stage, per platform."""
    return {platform: follow_up.pending_work(pipeline, platform) for platform in Platform}


def requested_listings(pipeline: Pipeline) -> list[Platform]:
    """Platforms whose listings somebody asked for."""
    with pipeline.engine.connect() as conn:
        return sync_requests.open_listings(conn)


def weekly_rules(pipeline: Pipeline) -> str:
    """What tells one state of the weekly rules from another."""
    with pipeline.engine.connect() as conn:
        return rules_fingerprint(conn)


def watch_release(pipeline: Pipeline) -> GateLook | None:
    """Ask the gate in canary and go back when it says so, in one transaction; None in other stages."""
    with pipeline.engine.begin() as conn:
        change = release_stages.watch(conn, Actor("system", "sensor:release_gate"), pipeline.clock())
    if change is None or change.check is None or change.after is None:
        return None
    return GateLook(
        change.check.result.verdict.value,
        taken_back=change.after != change.before,
        reason=change.after.reason,
    )


def check_invariants(pipeline: Pipeline) -> list[invariants.InvariantResult]:
    """All invariants, in one connection."""
    with pipeline.engine.connect() as conn:
        return invariants.check(conn, pipeline.clock())


def advance_rollups(pipeline: Pipeline) -> str:
    """Count what is new in the logs; what was done, in a sentence."""
    done = rollups.advance(pipeline.engine, pipeline.clock())
    waits = f"; {', '.join(done.waiting)} waits for a writer" if done.waiting else ""
    return f"{done.counted} rows counted, {done.merged} tallies merged{waits}"


def clean_up(pipeline: Pipeline, keep_decision_inputs: timedelta | None) -> dict[str, int]:
    """Delete what nobody needs any more and mend the tallies; how many rows of each."""
    with pipeline.engine.begin() as conn:
        return housekeeping.clean_up(conn, pipeline.clock(), keep_decision_inputs)


def retention_steps(settings: Settings) -> dict[str, Step]:
    """What the nightly cleaning does besides Dagster's own tables, by what it is about."""
    policy = retention_policy(settings)
    replayable = settings.ai.replay_days

    def evidence(pipeline: Pipeline) -> dict[str, int]:
        return {"deleted_files": retention.prune_evidence(policy, pipeline.clock())}

    def audit_rows(pipeline: Pipeline) -> dict[str, int | str]:
        done = retention.archive_audit(pipeline.engine, policy, pipeline.clock)
        return {"archived": done.rows, "files": ", ".join(done.files) or "none"}

    def personal(pipeline: Pipeline) -> dict[str, int]:
        return retention.erase_silent_leads(pipeline.engine, policy, pipeline.clock)

    return {
        "expired": partial(clean_up, keep_decision_inputs=timedelta(days=replayable) if replayable else None),
        "page_evidence": evidence,
        "audit": audit_rows,
        "personal_data": personal,
    }


def record_run_failure(pipeline: Pipeline, failure: RunFailure) -> None:
    """Write a failed run into the audit log."""
    entry = audit.AuditEntry(
        actor_type="system",
        entity_type="dagster_run",
        entity_id=failure.run_id,
        action="dagster_run_failed",
        details={"job": failure.job, "step": failure.step, "error": failure.error},
        platform=failure.platform.value if failure.platform else None,
        run_id=failure.run_id,
    )
    with pipeline.engine.begin() as conn:
        audit.record(conn, [entry])


def build_definitions(settings: Settings) -> dg.Definitions:
    """Everything, by the settings; deterministic, so that a test can compare it with a reviewed picture."""
    sync = settings.listing_sync
    sync_interval = timedelta(milliseconds=sync.interval_ms)
    poll_interval = timedelta(milliseconds=settings.worker.poll_interval_ms)
    read = settings.worker.ingest_platforms
    parts = shards(settings.worker.account_shards)
    return dg.Definitions(
        assets=[
            *INBOXES,
            inbound_messages,
            conversation_linkage,
            reply_decisions,
            follow_ups_asset(max(poll_interval, LOOK_EVERY)),
            showing_appointments,
            outbound_dispatches,
            listings_asset(sync.platforms),
            availability_horizon,
            invariants_asset(check_invariants),
            decision_replays,
            retention_asset(timedelta(days=settings.retention.runs_days), retention_steps(settings)),
        ],
        jobs=[
            jobs.INBOX_PIPELINE,
            jobs.OUTBOX_DISPATCH,
            jobs.FOLLOW_UP,
            jobs.LISTING_SYNC,
            jobs.AVAILABILITY_HORIZON,
            jobs.INVARIANT_CHECK,
            DECISION_REPLAY,
            MAINTENANCE,
        ],
        sensors=[
            *(
                inbox_sensor(platform, poll_interval, enabled=platform in read, shard=shard)
                for platform, shard in product(Platform, parts)
            ),
            outbox_sensor(due_dispatches, parts),
            follow_up_sensor(due_follow_ups, max(poll_interval, LOOK_EVERY)),
            availability_sensor(weekly_rules),
            alerts_sensor,
            rollups_sensor(advance_rollups),
            run_failure_sensor(record_run_failure),
            listings_at_start(enabled=sync.on_start),
            listing_requests(requested_listings),
            release_gate_sensor(
                watch_release,
                timedelta(minutes=settings.release.gate_interval_minutes),
                enabled=settings.release.auto_rollback,
            ),
        ],
        schedules=[
            listing_schedule(sync_interval, enabled=sync.on_start),
            AVAILABILITY_SCHEDULE,
            MAINTENANCE_SCHEDULE,
            INVARIANTS_SCHEDULE,
            REPLAY_SCHEDULE,
        ],
        resources={"pipeline": pipeline_resource(settings)},
        executor=dg.in_process_executor,
    )


_kept: list[dg.Definitions] = []


def keep() -> dg.Definitions:
    """Build the code location now and hand out this one from now on: to the runs that fork from this process."""
    _kept[:] = [build_definitions(load_settings())]
    return _kept[0]


@dg.definitions
def defs() -> dg.Definitions:
    """The code location. Reads the environment; a faulty one is refused with all its faults."""
    return _kept[0] if _kept else build_definitions(load_settings())
