"""What is kept for a time only: evidence of pages, audit rows (a file is written first), leads' personal data.

Each batch is one transaction of bounded size; a night that runs out of time goes on the night after.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.platforms.evidence import EvidenceLimits, prune
from leasebot_pipeline.storage import audit, audit_archive, privacy, privacy_retention
from leasebot_pipeline.storage.audit_archive import OldRow
from leasebot_pipeline.storage.crash_points import transaction

ROWS_PER_FILE: Final = 20_000
LEADS_AT_ONCE: Final = 200
_ACTOR: Final = "retention"


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """``None``: kept for ever. ``archive_dir`` must outlive the process."""

    archive_dir: Path
    audit: timedelta | None = timedelta(days=365)
    personal: timedelta | None = None
    evidence_dir: Path | None = None
    evidence: EvidenceLimits = field(default_factory=EvidenceLimits)
    budget: timedelta = timedelta(minutes=5)
    """For each of audit rows and personal data."""


@dataclass(frozen=True, slots=True)
class Archived:
    rows: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What would be taken away now."""

    audit_rows: int
    personal: int


def waiting(engine: Engine, policy: RetentionPolicy, now: datetime) -> Waiting:
    """Look only."""
    with engine.connect() as conn:
        return Waiting(
            audit_archive.waiting(conn, now - policy.audit) if policy.audit else 0,
            privacy_retention.waiting(conn, now - policy.personal) if policy.personal else 0,
        )


def prune_evidence(policy: RetentionPolicy, now: datetime) -> int:
    """Delete evidence of pages that is too old or too much; how many files. Also done where evidence is written:
    here it ends too when no page fails any more."""
    return prune(policy.evidence_dir, policy.evidence, now) if policy.evidence_dir else 0


def archive_audit(engine: Engine, policy: RetentionPolicy, clock: Clock) -> Archived:
    """Write old audit rows to files and delete them: a file is complete on disk before its rows go.

    Killed in between, the rows are still there and are written again: a row may stand in two files, never in none.
    """
    if policy.audit is None:
        return Archived(0, ())
    before = clock() - policy.audit
    ends = time.monotonic() + policy.budget.total_seconds()
    rows, files = 0, list[str]()
    while True:
        with transaction(engine, "retention.before_archive", "retention.after_archive") as conn:
            found = audit_archive.oldest(conn, before, ROWS_PER_FILE)
            if found:
                file, digest = _write(policy.archive_dir, found)
                audit_archive.delete(conn, [row.id for row in found])
                details = {
                    "file": file.name,
                    "rows": len(found),
                    "sha256": digest,
                    "firstId": found[0].id,
                    "lastId": found[-1].id,
                    "before": before.isoformat(),
                }
                audit.record(conn, [_entry("audit_log", file.name, "audit_archived", details)])
                rows += len(found)
                files.append(file.name)
        if len(found) < ROWS_PER_FILE or time.monotonic() > ends:
            return Archived(rows, tuple(files))


def erase_silent_leads(engine: Engine, policy: RetentionPolicy, clock: Clock) -> dict[str, int]:
    """Erase what tells who silent leads are, and what they wrote; how many conversations and stray messages."""
    done = {"conversations": 0, "strays": 0}
    if policy.personal is None:
        return done
    before = clock() - policy.personal
    ends = time.monotonic() + policy.budget.total_seconds()
    while True:
        with transaction(engine, "retention.before_erasure", "retention.after_erasure") as conn:
            found = privacy_retention.silent_leads(conn, before, LEADS_AT_ONCE)
            if found:
                privacy.erase(conn, found, clock())
                details = {"reason": "retention", "before": before.isoformat()}
                audit.record(
                    conn, [_entry("conversation", str(one), "lead_data_erased", details) for one in found]
                )
            strays = privacy_retention.erase_strays(conn, before, ROWS_PER_FILE)
        done["conversations"] += len(found)
        done["strays"] += strays
        if (len(found) < LEADS_AT_ONCE and strays < ROWS_PER_FILE) or time.monotonic() > ends:
            return done


def _entry(entity_type: str, entity_id: str, action: str, details: Mapping[str, object]) -> audit.AuditEntry:
    return audit.AuditEntry(
        actor_type="system",
        actor_id=_ACTOR,
        entity_type=entity_type,
        entity_id=entity_id,
        action=action,
        details=details,
    )


def _write(folder: Path, rows: Sequence[OldRow]) -> tuple[Path, str]:
    """The rows as compressed lines of JSON, readable by the owner only; the file, and the hash of the lines.

    It appears complete, read back and on disk, or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{row.line}\n" for row in rows).encode()
    digest = hashlib.sha256(content).hexdigest()
    file = folder / f"audit-{rows[0].id:012}-{rows[-1].id:012}.jsonl.gz"
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{file.name}-")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(gzip.compress(content, mtime=0))
            out.flush()
            os.fsync(out.fileno())
        if hashlib.sha256(gzip.decompress(Path(name).read_bytes())).hexdigest() != digest:
            raise OSError(f"{file} was not stored as it was written")
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync(folder)
    return file, digest


def _sync(folder: Path) -> None:
    """The name is on disk too, not only the content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
