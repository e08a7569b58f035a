"""What a poll saw that a person should hear of: a page that looks different, an inbox suddenly empty, an edit."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from leasebot_pipeline.domain.fingerprints import Fingerprint, merged, page_change
from leasebot_pipeline.domain.recognition import Edit
from leasebot_pipeline.stages.visits import Lease
from leasebot_pipeline.storage import audit, connector_state, landing
from leasebot_pipeline.storage.crash_points import transaction

LONGEST_EDIT = 8000
"""Characters; more is a page taken for a message, as at ingest."""


def note_page(lease: Lease, kind: str, now: Fingerprint, notes: list[str]) -> None:
    """Compare a page with how it looked before; a change is audited and told once, then remembered."""
    if not now:
        return
    account = lease.account.state.id
    with transaction(lease.pipeline.engine, "poll.before_notes", "poll.after_notes") as conn:
        before = (connector_state.load(conn, account).fingerprints or {}).get(kind, {})
        remembered = merged(before, now)
        if remembered == before:
            return
        connector_state.note_fingerprint(conn, account, kind, remembered)
        change = page_change(before, now)
        if not change:
            return
        _audit(
            lease,
            conn,
            "platform_page_changed",
            {"page": kind, "lost": list(change.lost), "moved": list(change.moved)},
        )
    notes.append(f"the {kind} page looks different: {change.summary}")


def note_empty(lease: Lease, rows: int, notes: list[str]) -> None:
    """Tell of an inbox that shows its own empty words where threads were at the last look."""
    before = lease.account.last_rows or 0
    if rows or not before:
        return
    with transaction(lease.pipeline.engine, "poll.before_notes", "poll.after_notes") as conn:
        _audit(lease, conn, "inbox_unusually_empty", {"rowsBefore": before})
    notes.append(f"unusual: the inbox says it is empty, it had {before} threads at the last look")


def note_edits(lease: Lease, conn: Connection, external_thread_id: str, edits: Sequence[Edit]) -> int:
    """Store what leads edited, in the caller's transaction; returns how many stored messages changed."""
    usable = [edit for edit in edits if edit.body.strip() and len(edit.body) <= LONGEST_EDIT]
    account = lease.account
    edited = landing.note_edits(conn, account.state.id, external_thread_id, usable, lease.pipeline.clock())
    audit.record(
        conn,
        [
            audit.AuditEntry(
                actor_type="system",
                entity_type="message",
                entity_id=str(message.message_id),
                action="inbound_message_edited",
                details={"externalMessageId": message.external_message_id},
                platform=account.platform.value,
                platform_account_id=account.state.id,
                conversation_id=message.conversation_id,
            )
            for message in edited
        ],
    )
    return len(edited)


def _audit(lease: Lease, conn: Connection, action: str, details: dict[str, object]) -> None:
    account = lease.account
    entry = audit.AuditEntry(
        actor_type="system",
        entity_type="platform_account",
        entity_id=str(account.state.id),
        action=action,
        details=details,
        platform=account.platform.value,
        platform_account_id=account.state.id,
    )
    audit.record(conn, [entry])
