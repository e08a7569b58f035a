"""Poll: read a platform's inboxes, land what is new, say whether a run is worth starting.

The inbox list is the change signal, the thread page is the source of messages. A failed poll is not an
empty inbox: it is recorded with its class and told in the skip reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.identity import inbox_row_fingerprint
from leasebot_pipeline.domain.linkage import extract_hints
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.polling import reason_not_to_visit, seconds_until_due
from leasebot_pipeline.domain.readings import (
    Direction,
    InboxReading,
    InboxRow,
    ThreadMessage,
    ThreadReading,
)
from leasebot_pipeline.domain.recognition import recognise
from leasebot_pipeline.domain.shards import WHOLE, Shard
from leasebot_pipeline.domain.stops import next_step
from leasebot_pipeline.domain.watermark import DEEP_LOOK_EVERY, Watermark
from leasebot_pipeline.stages.accounts import resume_renewed
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.stages.poll_notes import note_edits, note_empty, note_page
from leasebot_pipeline.stages.visits import Lease, Visit, account_ref, expire_dead_workers, leased, visit
from leasebot_pipeline.storage import accounts_runtime, connector_state, landing
from leasebot_pipeline.storage.accounts_runtime import AccountRow
from leasebot_pipeline.storage.crash_points import transaction

_NOT_POLLED = "left out by WORKER_INGEST_PLATFORMS"


@dataclass(frozen=True, slots=True)
class AccountPoll:
    """What one account's poll saw. ``code`` and ``message`` are set when it failed or was left alone."""

    account_name: str
    visited: bool
    due_in_s: float = 0.0
    """Seconds until the next look, when it was not yet time for one."""
    rows: int = 0
    changed: int = 0
    threads_read: int = 0
    landed: int = 0
    rows_without_identity: int = 0
    notes: tuple[str, ...] = ()
    """What was unusual, in words, though the inbox was read."""
    latency_s: float = 0.0
    code: str | None = None
    message: str | None = None

    @property
    def summary(self) -> str:
        """One line for the tick."""
        if self.due_in_s:
            return f"{self.account_name}: next look in {self.due_in_s:.0f} s"
        if not self.visited:
            return self.message or f"{self.account_name}: not visited"
        seen = f"{self.account_name}: inbox read in {self.latency_s:.2f} s, {self.rows} threads"
        unidentified = (
            f", {self.rows_without_identity} rows without identity" if self.rows_without_identity else ""
        )
        noted = unidentified + "".join(f"; {note}" for note in self.notes)
        if self.code is not None:
            read = f" after {self.threads_read} of {self.changed} threads" if self.changed else ""
            return f"{self.account_name}: {self.code}{read}: {self.message}"
        if self.changed == 0:
            return f"{seen}, none changed{noted}"
        return f"{seen}, {self.changed} changed, {self.landed} new messages{noted}"


@dataclass(frozen=True, slots=True)
class PollResult:
    """A platform's poll and what waits for a run."""

    platform: Platform
    accounts: tuple[AccountPoll, ...]
    landed: int
    pending: int
    waiting: int
    due_dispatches: int

    @property
    def has_work(self) -> bool:
        return self.pending + self.waiting + self.due_dispatches > 0

    @property
    def skip_reason(self) -> str | None:
        """Why no run is needed, in words; None when there is work."""
        if self.has_work:
            return None
        return "; ".join(account.summary for account in self.accounts) or "no account of this platform"


def poll(
    pipeline: Pipeline,
    platform: Platform,
    triggered_by: str,
    *,
    when_due: bool = False,
    shard: Shard = WHOLE,
) -> PollResult:
    """Visit every account of the platform's shard that may be visited now, one after the other.

    ``when_due`` visits only accounts whose interval has passed; what waits for a run is counted either way,
    for the whole platform.
    """
    expire_dead_workers(pipeline, platform)
    with pipeline.engine.connect() as conn:
        rows = [row for row in accounts_runtime.accounts(conn, platform) if shard.holds(row.state.id)]
    if platform not in pipeline.policy.polled_platforms:
        polls = tuple(AccountPoll(row.state.name, visited=False, message=_NOT_POLLED) for row in rows)
    else:
        rows = [resume_renewed(pipeline, row) for row in rows]
        polls = tuple(_poll_account(pipeline, row, triggered_by, when_due=when_due) for row in rows)
    with pipeline.engine.connect() as conn:
        pending = landing.pending_work(conn, platform, pipeline.clock())
    return PollResult(
        platform=platform,
        accounts=polls,
        landed=sum(account.landed for account in polls),
        pending=pending.events,
        waiting=pending.conversations,
        due_dispatches=pending.dispatches,
    )


def _poll_account(pipeline: Pipeline, row: AccountRow, triggered_by: str, *, when_due: bool) -> AccountPoll:
    now = pipeline.clock()
    reason = reason_not_to_visit(row.state, now, "ingest")
    if reason is not None:
        if row.state.is_active and row.state.stop_code is not None:
            reason = f"{reason}; next: {next_step(row.state.stop_code, row.platform)}"
        return AccountPoll(row.state.name, visited=False, code=row.state.stop_code, message=reason)
    due_in = seconds_until_due(row.last_polled_at, now, pipeline.policy.poll_interval, row.platform)
    if when_due and due_in:
        return AccountPoll(row.state.name, visited=False, due_in_s=due_in)
    with leased(pipeline, row) as lease:
        if lease is None:
            return AccountPoll(
                row.state.name, visited=False, message=f"{row.state.name}: busy, another visit is under way"
            )
        return _visit_inbox(lease, triggered_by)


@dataclass(slots=True)
class _Progress:
    rows: int = 0
    pages: int = 0
    changed: int = 0
    threads_read: int = 0
    landed: int = 0
    edited: int = 0
    without_identity: int = 0
    failed_threads: int = 0
    notes: list[str] = field(default_factory=list)


def _visit_inbox(lease: Lease, triggered_by: str) -> AccountPoll:
    progress = _Progress()
    with visit(lease, "ingest", triggered_by, None) as current:
        try:
            _read_and_land(lease, current, progress)
        finally:
            current.counts = {
                "rows": progress.rows,
                "pages": progress.pages,
                "changed": progress.changed,
                "threadsRead": progress.threads_read,
                "threadsFailed": progress.failed_threads,
                "landed": progress.landed,
                "edited": progress.edited,
                "rowsWithoutIdentity": progress.without_identity,
                "notes": len(progress.notes),
            }
    failure = current.failure
    return AccountPoll(
        lease.account.state.name,
        visited=True,
        rows=progress.rows,
        changed=progress.changed,
        threads_read=progress.threads_read,
        landed=progress.landed,
        rows_without_identity=progress.without_identity,
        notes=tuple(progress.notes),
        latency_s=current.duration.total_seconds(),
        code=failure.code if failure else None,
        message=failure.detail if failure else None,
    )


def _read_and_land(lease: Lease, current: Visit, progress: _Progress) -> None:
    pipeline, account = lease.pipeline, lease.account
    policy = pipeline.policy
    connector = pipeline.connectors.for_platform(account.platform)
    reading = _read_inbox(lease, progress)
    current.rows = len(reading.rows)
    with transaction(pipeline.engine, "poll.before_inbox", "poll.after_inbox") as conn:
        unread = landing.note_inbox(
            conn,
            account.state.id,
            _seen_threads(reading, pipeline.clock() - policy.history_bound),
            pipeline.clock(),
            truncated=reading.truncated,
        )
    progress.changed = len(unread)
    by_thread = {row.external_thread_id: row for row in reading.rows}
    for thread_id in unread[: policy.threads_per_poll]:
        spent = (pipeline.clock() - current.started_at).total_seconds()
        if progress.threads_read and spent > policy.poll_deadline_s:
            break  # the rest stays unread and comes first next time
        lease.keep()
        lease.pace("thread_sync")
        try:
            thread = connector.read_thread(
                account_ref(account), thread_id, deadline_s=policy.action_deadline_s
            )
        except PlatformFailure as failure:
            if failure.code == "PAGE_NOT_FOUND":
                with transaction(
                    pipeline.engine, "poll.before_thread_failure", "poll.after_thread_failure"
                ) as conn:
                    landing.note_thread_gone(
                        conn, account.state.id, thread_id, str(failure), pipeline.clock()
                    )
                continue
            progress.failed_threads += 1
            with transaction(
                pipeline.engine, "poll.before_thread_failure", "poll.after_thread_failure"
            ) as conn:
                landing.note_thread_failure(conn, account.state.id, thread_id, str(failure))
            if failure.stops_account or progress.failed_threads >= 3:
                raise
            continue
        if not progress.threads_read:
            note_page(lease, "thread", thread.fingerprint, progress.notes)
        progress.threads_read += 1
        # One that stands below the rows of this reading was seen, but not read, at an earlier look.
        row = by_thread.get(thread_id) or InboxRow(thread_id, len(reading.rows) + 1)
        _land(lease, current, row, thread, progress)


def _read_inbox(lease: Lease, progress: _Progress) -> InboxReading:
    """Read the inbox down to what is known, and tell what is unusual about it."""
    pipeline, account = lease.pipeline, lease.account
    connector, ref = pipeline.connectors.for_platform(account.platform), account_ref(account)
    mark = connector.session_mark(ref)
    with transaction(pipeline.engine, "poll.before_notes", "poll.after_notes") as conn:
        connector_state.note_session(conn, account.state.id, mark)
        now = pipeline.clock()
        deep = connector_state.deep_look_due(conn, account.state.id, now - DEEP_LOOK_EVERY)
        watermark = Watermark(
            {} if deep else connector_state.read_rows(conn, account.state.id),
            now - pipeline.policy.history_bound,
            connector_state.load(conn, account.state.id).resume_url,
        )
    lease.pace("ingest")
    reading = connector.read_inbox(ref, deadline_s=pipeline.policy.action_deadline_s, watermark=watermark)
    progress.rows, progress.without_identity = len(reading.rows), reading.rows_without_identity
    progress.pages = reading.pages_read
    note_page(lease, "inbox", reading.fingerprint, progress.notes)
    note_empty(lease, len(reading.rows), progress.notes)
    if reading.resume_url is not None:
        progress.notes.append(
            f"cut off after {reading.pages_read} pages with more to read, goes on there next time"
        )
    with transaction(pipeline.engine, "poll.before_notes", "poll.after_notes") as conn:
        connector_state.note_resume_url(conn, account.state.id, reading.resume_url)
        if deep:
            connector_state.note_deep_look(conn, account.state.id, now)
    return reading


def _seen_threads(reading: InboxReading, history_before: datetime) -> list[landing.SeenThread]:
    seen: dict[str, landing.SeenThread] = {}
    for row in reading.rows:
        seen.setdefault(
            row.external_thread_id,
            landing.SeenThread(
                external_thread_id=row.external_thread_id,
                fingerprint=inbox_row_fingerprint(row),
                sort_rank=row.sort_rank,
                history=row.sent_at is not None and row.sent_at < history_before,
                ours_last=row.preview_direction is Direction.OUTBOUND,
            ),
        )
    return list(seen.values())


def _land(lease: Lease, current: Visit, row: InboxRow, thread: ThreadReading, progress: _Progress) -> None:
    """Land a thread page: each of its messages under the id it is stored with, once for ever."""
    pipeline, account = lease.pipeline, lease.account
    with transaction(pipeline.engine, "poll.before_landing", "poll.after_landing") as conn:
        known = landing.known_messages(conn, account.state.id, row.external_thread_id)
        recognised = recognise(known, thread.messages)
        progress.edited += note_edits(lease, conn, row.external_thread_id, recognised.edits)
        landed, _ = landing.land_thread(
            conn,
            account=account.state.id,
            platform=account.platform,
            external_thread_id=row.external_thread_id,
            messages=[_landed(message) for message in recognised.messages],
            payload=_payload(row, thread),
            platform_run=current.run,
            now=pipeline.clock(),
        )
    progress.landed += landed


def _landed(message: ThreadMessage) -> landing.LandedMessage:
    return landing.LandedMessage(
        external_message_id=message.external_message_id,
        identity_source=message.identity_source,
        direction=message.direction.value,
        body=message.body,
        sent_at=message.sent_at,
        sent_at_text=message.sent_at_text,
        sent_at_has_time=message.sent_at_has_time,
    )


def _payload(row: InboxRow, thread: ThreadReading) -> dict[str, object]:
    """What is known of the thread; the thread page wins over the inbox row."""
    known: dict[str, object | None] = {
        "leadName": thread.lead_name or row.lead_name,
        "leadExternalId": thread.lead_external_id or row.lead_external_id,
        "leadContact": dict(thread.lead_contact) or None,
        "listingExternalId": thread.listing_external_id or row.listing_external_id,
        "threadLabel": thread.thread_label or row.thread_label,
        "threadMessageCount": row.message_count,
        "inboxSortRank": row.sort_rank,
        "propertyName": thread.property_name,
        "unitNumber": thread.unit_number,
    }
    payload: dict[str, object] = {key: value for key, value in known.items() if value is not None}
    hints = extract_hints(payload)
    if hints:
        payload["linkageHints"] = hints
    return payload
