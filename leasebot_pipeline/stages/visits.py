"""A visit to an account: lease, pacing, run record, circuit and stop, the same for every action."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from leasebot_pipeline.domain.alerts import AlertEvent, failure_alerts
from leasebot_pipeline.domain.circuit import Circuit, CircuitScope, CircuitState
from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.workers import is_dead
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.stages import reliability_events
from leasebot_pipeline.stages.heartbeats import beating
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import (
    accounts_circuits,
    accounts_runtime,
    audit,
    incidents,
    outbox,
    platform_runs,
)
from leasebot_pipeline.storage.accounts_circuits import Circuits
from leasebot_pipeline.storage.accounts_runtime import AccountRow
from leasebot_pipeline.storage.crash_points import transaction
from leasebot_pipeline.storage.outbox import ClaimedDispatch

_log: structlog.stdlib.BoundLogger = structlog.get_logger("leasebot.visits")


def account_ref(row: AccountRow) -> AccountRef:
    """The account as connectors take it."""
    return AccountRef(row.state.id, row.platform, row.account_external_id, row.credentials)


def expire_dead_workers(pipeline: Pipeline, platform: Platform) -> None:
    """Take back what workers of this host held when they died; those of other hosts run out by themselves."""
    with transaction(pipeline.engine, "lease.before_expiry", "lease.after_expiry") as conn:
        now = pipeline.clock()
        held = accounts_runtime.owners(conn, platform, now)
        dead = [owner for owner in held if is_dead(owner, socket.gethostname(), _process_lives)]
        if dead:
            accounts_runtime.expire_owners(conn, dead, now)


def _process_lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass(slots=True)
class Lease:
    """An account held by this worker.

    A thread of its own gives a sign of life while a browser works (``beat``); ``keep`` tells of progress.
    ``claim`` is the reply in hand, whose claim is kept alive with the account.
    """

    pipeline: Pipeline
    account: AccountRow
    fence: int
    claim: ClaimedDispatch | None = None

    @property
    def owner(self) -> str:
        return self.pipeline.worker

    def keep(self) -> None:
        """Extend the lease: there was progress. Raises PlatformFailure ACCOUNT_BUSY when it was taken over."""
        if not self._renew(self.pipeline.policy.account_lease):
            raise PlatformFailure("ACCOUNT_BUSY", "the account's lease was taken over by another worker")

    def beat(self) -> bool:
        """A sign of life, never beyond the deadlines of lease and attempt; False when the lease was taken over."""
        return self._renew(None)

    def _renew(self, hold: timedelta | None) -> bool:
        pipeline, now, claim = self.pipeline, self.pipeline.clock(), self.claim
        ttl = pipeline.policy.lease_ttl
        with transaction(pipeline.engine, "lease.before_renewal", "lease.after_renewal") as conn:
            held = accounts_runtime.renew_lease(
                conn, self.account.state.id, self.owner, self.fence, now, ttl, hold
            )
            if held and claim is not None:
                outbox.renew_claim(conn, claim, now, ttl)
        return held

    def pace(self, action: str) -> None:
        """Reserve the account's next instant for an action of this kind, and wait for it."""
        pipeline = self.pipeline
        distance = pipeline.policy.paces[self.account.platform].distance(pipeline.fraction())
        with transaction(pipeline.engine, "lease.before_pacing", "lease.after_pacing") as conn:
            begins = accounts_runtime.reserve_action(
                conn, self.account.state.id, action, pipeline.clock(), distance
            )
        wait = (begins - pipeline.clock()).total_seconds()
        if wait > 0:
            pipeline.sleep(wait)


@contextmanager
def leased(pipeline: Pipeline, account: AccountRow) -> Iterator[Lease | None]:
    """Hold the account's lease for the block, or yield None when another worker holds it."""
    policy = pipeline.policy
    with transaction(pipeline.engine, "lease.before_acquire", "lease.after_acquire") as conn:
        fence = accounts_runtime.acquire_lease(
            conn, account.state.id, pipeline.worker, pipeline.clock(), policy.lease_ttl, policy.account_lease
        )
        if fence is not None:
            platform_runs.abandon_open(conn, account.state.id, pipeline.clock())
    if fence is None:
        yield None
        return
    lease = Lease(pipeline, account, fence)
    try:
        with beating(lease.beat, policy.heartbeat_s, account.state.name):
            yield lease
    finally:
        pipeline.connectors.release(account_ref(account))
        _give_back(lease)


def _give_back(lease: Lease) -> None:
    """A connection that broke costs one more try on another; a lease that stays runs out by itself."""
    for _ in range(2):
        try:
            with transaction(lease.pipeline.engine, "lease.before_release", "lease.after_release") as conn:
                accounts_runtime.release_lease(conn, lease.account.state.id, lease.owner, lease.fence)
            return
        except SQLAlchemyError as error:  # what went wrong before must stay visible
            _log.warning("lease_not_released", account=lease.account.state.name, error=type(error).__name__)


@dataclass(slots=True)
class Visit:
    """A visit under way. ``counts`` go to the run's row; ``failure`` says how it failed, if it did."""

    run: UUID
    started_at: datetime
    counts: dict[str, int] = field(default_factory=dict)
    rows: int | None = None
    failure: PlatformFailure | None = None
    stopped_now: bool = False
    duration: timedelta = timedelta()


@contextmanager
def visit(lease: Lease, action: str, triggered_by: str, run_id: str | None) -> Iterator[Visit]:
    """Record a visit; a PlatformFailure inside ends it as failed and is kept on the visit, not raised.

    A failure updates the account's circuit; one that only a person can mend stops the account, once,
    with an audit row. People are told of a stop and of a circuit that opened.
    """
    pipeline, account = lease.pipeline, lease.account
    now = pipeline.clock()
    with transaction(pipeline.engine, "visit.before_begin", "visit.after_begin") as conn:
        run = platform_runs.begin(
            conn,
            account=account.state.id,
            platform=account.platform,
            action=action,
            triggered_by=triggered_by,
            run_id=run_id,
            now=now,
        )
    current = Visit(run, now)
    try:
        yield current
    except PlatformFailure as failure:
        current.failure = failure
    except BaseException as error:
        current.failure = PlatformFailure("INTERNAL_ERROR", f"{type(error).__name__} during the visit")
        raise
    finally:
        ended = pipeline.clock()
        current.duration = ended - now
        _close(lease, current, action, run_id, ended)


def _close(lease: Lease, current: Visit, action: str, run_id: str | None, now: datetime) -> None:
    account, failure, pipeline = lease.account.state.id, current.failure, lease.pipeline
    events: list[AlertEvent] = []
    recovered = False
    with transaction(pipeline.engine, "visit.before_end", "visit.after_end") as conn:
        platform_runs.end(conn, current.run, now, current.counts, failure)
        before = accounts_circuits.lock_circuits(conn, account, action)
        after = _circuits_after(before, failure, now)
        if after != before:
            accounts_circuits.save_circuits(conn, account, action, after, now)
            audit.record(conn, _circuit_entries(lease, action, before, after, run_id))
        if failure is None:
            accounts_runtime.note_success(conn, account, action, current.started_at, now, current.rows)
            recovered = after != before and bool(incidents.close_recovered(conn, now, account))
        else:
            accounts_runtime.note_failure(conn, account, action, current.started_at, now)
            if failure.stops_account:
                current.stopped_now = accounts_runtime.stop_account(
                    conn, account, failure.code, failure.detail, now
                )
            if current.stopped_now:
                details: dict[str, object] = {
                    "code": failure.code,
                    "reason": failure.detail,
                    "platformAction": action,
                }
                audit.record(conn, [_account_entry(lease, "platform_account_stopped", details, run_id)])
            events = list(
                failure_alerts(
                    failure,
                    stopped_now=current.stopped_now,
                    before=before.account,
                    after=after.account,
                    action_before=before.action,
                    action_after=after.action,
                    platform=lease.account.platform,
                    account_id=account,
                    account_name=lease.account.state.name,
                    action=action,
                    at=now,
                )
            )
            incidents.note(conn, events, now)
    reliability_events.circuits_changed(lease.account, action, before, after, failure)
    if failure is not None and current.stopped_now:
        reliability_events.account_stopped(lease.account, action, failure)
    if failure is None and action == "ingest":
        reliability_events.inbox_read(lease.account, current.duration, pipeline.policy.ingest_p95_target_ms)
    # Only now: what people are told of is committed, and no transaction waits for their server.
    for event in events:
        pipeline.alerts.notify(event)
    if recovered:
        pipeline.alerts.flush()


def _circuits_after(before: Circuits, failure: PlatformFailure | None, now: datetime) -> Circuits:
    if failure is None:
        return Circuits(before.account.after_success(), before.action.after_success())
    return Circuits(
        before.account.after_failure(failure, now, CircuitScope.ACCOUNT),
        before.action.after_failure(failure, now, CircuitScope.ACTION),
    )


def _circuit_entries(
    lease: Lease, action: str, before: Circuits, after: Circuits, run_id: str | None
) -> list[audit.AuditEntry]:
    """One row for each breaker that opened or closed; a count alone is no news."""
    pairs = {
        CircuitScope.ACCOUNT: (before.account, after.account),
        CircuitScope.ACTION: (before.action, after.action),
    }
    return [
        _account_entry(
            lease,
            "platform_circuit_closed" if new.state is CircuitState.CLOSED else "platform_circuit_opened",
            {"scope": scope.value, "platformAction": action, **_circuit_details(old, new)},
            run_id,
        )
        for scope, (old, new) in pairs.items()
        if old.state is not new.state
    ]


def _circuit_details(old: Circuit, new: Circuit) -> dict[str, object]:
    return {
        "code": new.code or old.code,
        "failureCount": new.failures or old.failures,
        "openUntil": new.open_until.isoformat() if new.open_until else None,
    }


def _account_entry(
    lease: Lease, action: str, details: dict[str, object], run_id: str | None
) -> audit.AuditEntry:
    return audit.AuditEntry(
        actor_type="system",
        entity_type="platform_account",
        entity_id=str(lease.account.state.id),
        action=action,
        details=details,
        platform=lease.account.platform.value,
        platform_account_id=lease.account.state.id,
        run_id=run_id,
    )
