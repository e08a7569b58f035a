"""Evidence of the release gates: the metadata file a gates run writes, and its way into the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from leasebot_pipeline.storage import audit, release_gate
from leasebot_pipeline.storage.outbox_operations import Actor


class EvidenceInvalid(ValueError):
    """The file is no metadata file; the message names the field and the rule."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One gates run. ``gates``: name to whether it passed; ``details`` is the file as it stands."""

    commit: str
    finished_at: datetime
    gates: Mapping[str, bool]
    details: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        return bool(self.gates) and all(self.gates.values())


def parse(document: Any) -> Evidence:
    """``{"commit", "finishedAt", "checks": [{"name", "status": "pass|fail|skip", ...}], ...}``. A check
    belongs to the gate named before its colon (``critical:dispatch``); a skipped check is no pass. Raises
    EvidenceInvalid."""
    if not isinstance(document, dict):
        raise EvidenceInvalid("evidence must be a JSON object")
    commit, finished, checks = (document.get(name) for name in ("commit", "finishedAt", "checks"))
    if not isinstance(commit, str) or not commit.strip():
        raise EvidenceInvalid("commit: must be a non-empty string")
    if not isinstance(checks, list) or not checks:
        raise EvidenceInvalid("checks: must be a list with at least one check")
    gates: dict[str, bool] = {}
    for position, one in enumerate(checks):
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise EvidenceInvalid(f"checks[{position}].name: must be a string")
        if one.get("status") not in ("pass", "fail", "skip"):
            raise EvidenceInvalid(f"checks[{position}].status: must be pass, fail or skip")
        gate = one["name"].partition(":")[0]
        gates[gate] = gates.get(gate, True) and one["status"] == "pass"
    try:
        at = datetime.fromisoformat(finished) if isinstance(finished, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise EvidenceInvalid("finishedAt: must be an ISO instant with its offset")
    return Evidence(commit.strip(), at, gates, document)


def read(file: Path) -> Evidence:
    """Read a metadata file. Raises EvidenceInvalid."""
    try:
        return parse(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise EvidenceInvalid(f"{file} can't be read: {type(error).__name__}") from None
    except json.JSONDecodeError:
        raise EvidenceInvalid(f"{file} holds no JSON") from None


def newest(folder: Path, commit: str) -> Evidence | None:
    """The newest readable evidence of the commit in a folder; None without any."""
    found = []
    for file in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            one = read(file)
        except EvidenceInvalid:
            continue
        if one.commit == commit:
            found.append(one)
    return max(found, key=lambda one: one.finished_at, default=None)


def keep(conn: Connection, evidence: Evidence, actor: Actor, now: datetime) -> None:
    """Store every gate's result, with an audit row."""
    for name, passed in evidence.gates.items():
        release_gate.record_evidence(
            conn,
            evidence.commit,
            name,
            passed=passed,
            details=evidence.details,
            finished_at=evidence.finished_at,
            now=now,
            by=actor.id,
        )
    entry = audit.AuditEntry(
        actor_type=actor.type,
        actor_id=actor.id,
        entity_type="release_evidence",
        entity_id=evidence.commit,
        action="release_evidence_recorded",
        details={"gates": dict(evidence.gates), "finishedAt": evidence.finished_at.isoformat()},
    )
    audit.record(conn, [entry])
