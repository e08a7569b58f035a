"""A visit to an account: lease, pacing, run record, circuit and stop, the same for every action."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from leasebot_pipeline.domain.alerts import failure_alerts
from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.pacing import wait_seconds
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.workers import is_dead
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import accounts_runtime, audit, platform_runs
from leasebot_pipeline.storage.accounts_runtime import AccountRow


def account_ref(row: AccountRow) -> AccountRef:
    """The account as connectors take it."""
    return AccountRef(row.state.id, row.platform, row.account_external_id, row.credentials)


def expire_dead_workers(pipeline: Pipeline, platform: Platform) -> None:
    """Take back what workers of this host held when they died; those of other hosts run out by themselves."""
    with pipeline.engine.begin() as conn:
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
    """An account held by this worker; ``keep`` extends it while a browser works."""

    pipeline: Pipeline
    account: AccountRow
    fence: int

    @property
    def owner(self) -> str:
        return self.pipeline.worker

    def keep(self) -> None:
        """Extend the lease. Raises PlatformFailure ACCOUNT_BUSY when somebody took it over."""
        with self.pipeline.engine.begin() as conn:
            held = accounts_runtime.renew_lease(
                conn,
                self.account.state.id,
                self.owner,
                self.fence,
                self.pipeline.clock(),
                self.pipeline.policy.account_lease,
            )
        if not held:
            raise PlatformFailure("ACCOUNT_BUSY", "the account's lease was taken over by another worker")

    def pace(self, action: str) -> None:
        """Wait until the account may begin its next action of this kind, then note that it begins."""
        pipeline, account = self.pipeline, self.account.state.id
        with pipeline.engine.begin() as conn:
            last = accounts_runtime.last_action_at(conn, account, action)
        pace = pipeline.policy.paces[self.account.platform]
        wait = wait_seconds(last, pipeline.clock(), pace, pipeline.fraction())
        if wait > 0:
            pipeline.sleep(wait)
        with pipeline.engine.begin() as conn:
            accounts_runtime.note_action(conn, account, action, pipeline.clock())


@contextmanager
def leased(pipeline: Pipeline, account: AccountRow) -> Iterator[Lease | None]:
    """Hold the account's lease for the block, or yield None when another worker holds it."""
    with pipeline.engine.begin() as conn:
        fence = accounts_runtime.acquire_lease(
            conn, account.state.id, pipeline.worker, pipeline.clock(), pipeline.policy.account_lease
        )
        if fence is not None:
            platform_runs.abandon_open(conn, account.state.id, pipeline.clock())
    if fence is None:
        yield None
        return
    try:
        yield Lease(pipeline, account, fence)
    finally:
        pipeline.connectors.release(account_ref(account))
        with pipeline.engine.begin() as conn:
            accounts_runtime.release_lease(conn, account.state.id, pipeline.worker, fence)


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
    with pipeline.engine.begin() as conn:
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
    account, failure = lease.account, current.failure
    with lease.pipeline.engine.begin() as conn:
        platform_runs.end(conn, current.run, now, current.counts, failure)
        if failure is None:
            accounts_runtime.note_success(
                conn, account.state.id, action, current.started_at, now, current.rows
            )
            return
        circuit = account.state.circuit.after_failure(failure, now)
        accounts_runtime.save_circuit(conn, account.state.id, circuit, action, current.started_at, now)
        if failure.stops_account:
            current.stopped_now = accounts_runtime.stop_account(
                conn, account.state.id, failure.code, failure.detail, now
            )
        if current.stopped_now:
            audit.record(
                conn,
                [
                    audit.AuditEntry(
                        actor_type="system",
                        entity_type="platform_account",
                        entity_id=str(account.state.id),
                        action="platform_account_stopped",
                        details={"code": failure.code, "reason": failure.detail, "platformAction": action},
                        platform=account.platform.value,
                        platform_account_id=account.state.id,
                        run_id=run_id,
                    )
                ],
            )
    # Only now: what people are told of is committed, and no transaction waits for their server.
    for event in failure_alerts(
        failure,
        stopped_now=current.stopped_now,
        before=account.state.circuit,
        after=circuit,
        platform=account.platform,
        account_id=account.state.id,
        account_name=account.state.name,
        action=action,
        at=now,
    ):
        lease.pipeline.alerts.notify(event)
