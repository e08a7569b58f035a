"""Starting, promoting and taking back a release: one transaction each, audited, refused with a reason.

The stage is read from the database where a reply is claimed, before its intent and before the click: what is
committed here holds for every send not clicked yet, in every process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from leasebot_pipeline.domain.kill_switches import KillScope, KillTarget
from leasebot_pipeline.domain.platforms import ReleaseStage
from leasebot_pipeline.domain.release_gate import Verdict
from leasebot_pipeline.release import gate
from leasebot_pipeline.storage import kill_switches, release_gate, release_stages
from leasebot_pipeline.storage.outbox_operations import Actor
from leasebot_pipeline.storage.release_stages import NewStage, StageRow

ORDER: Final = (ReleaseStage.SHADOW, ReleaseStage.CANARY, ReleaseStage.FULL)


@dataclass(frozen=True, slots=True)
class StageChange:
    """``refused`` is a code why nothing was changed, ``message`` says it to a person; else both are None."""

    before: StageRow | None
    after: StageRow | None
    check: gate.Check | None = None
    refused: str | None = None
    message: str | None = None


def start(conn: Connection, actor: Actor, now: datetime, *, commit: str | None, reason: str) -> StageChange:
    """Begin a release in shadow: from now on nothing is sent until it is promoted."""
    release_stages.lock(conn)
    before = release_stages.current(conn)
    new = NewStage(ReleaseStage.SHADOW, {}, None, None, commit, False, actor.type, actor.id, reason)
    after = release_stages.enter(conn, new, now)
    _audit(conn, actor, "release_started", before, after, reason, None)
    return StageChange(before, after)


def promote(
    conn: Connection,
    actor: Actor,
    now: datetime,
    *,
    reason: str,
    cohort: Mapping[str, Any] | None = None,
    override: bool = False,
) -> StageChange:
    """Go one stage on: shadow to canary (with a cohort), canary to full; with a cohort in canary, to a new cohort.

    The gate is asked in the same transaction. Refused: ``no_stage``, ``already_full``, ``cohort_missing``,
    ``cohort_empty``, ``reason_missing`` (an override needs one), ``gate_not_passed``. A check stays kept also when
    the promotion is refused: commit the transaction either way.
    """
    release_stages.lock(conn)
    before = release_stages.current(conn)
    if before is None:
        return _refused(before, "no_stage", "no release was started")
    if before.stage is ReleaseStage.FULL:
        return _refused(before, "already_full", "the release is full already")
    target = ReleaseStage.FULL
    if before.stage is ReleaseStage.SHADOW or cohort:
        target = ReleaseStage.CANARY
        if not cohort:
            return _refused(before, "cohort_missing", "a canary needs a percentage or accounts")
        if not release_gate.cohort_accounts(conn, cohort):
            first = release_gate.first_percentage(conn)
            hint = (
                f": the first joins at {first} percent"
                if first is not None and "percentage" in cohort
                else ""
            )
            return _refused(before, "cohort_empty", f"no account belongs to that cohort{hint}")
    if override and not reason.strip():
        return _refused(before, "reason_missing", "an override needs a reason")
    check = gate.check(conn, actor, now)
    passed = check.result.verdict is Verdict.PASS
    if not passed and not override:
        said = "; ".join(f"{name}: {why}" for name, why in gate.broken(check.result).items())
        return _refused(before, "gate_not_passed", f"the gate says {check.result.verdict}: {said}", check)
    new = NewStage(
        target,
        cohort if target is ReleaseStage.CANARY and cohort else {},
        before.baseline,
        check.as_json(),
        before.commit,
        not passed,
        actor.type,
        actor.id,
        reason,
    )
    after = release_stages.enter(conn, new, now)
    _audit(conn, actor, "release_promoted", before, after, reason, check)
    return StageChange(before, after, check)


def rollback(
    conn: Connection,
    actor: Actor,
    now: datetime,
    *,
    reason: str,
    to: ReleaseStage = ReleaseStage.SHADOW,
    check: gate.Check | None = None,
) -> StageChange:
    """Go back: always allowed and never waits for the gate. Keeps baseline and commit.

    Back to canary keeps the last canary's cohort. Refused: ``no_stage``, ``not_back`` (the target is no earlier
    stage), ``cohort_missing`` (there was no canary of this release).
    """
    release_stages.lock(conn)
    before = release_stages.current(conn)
    if before is None:
        return _refused(before, "no_stage", "no release was started")
    if ORDER.index(to) >= ORDER.index(before.stage):
        said = f"the stage is {to} already" if to is before.stage else f"{to} is not before {before.stage}"
        return _refused(before, "not_back", said)
    cohort: Mapping[str, Any] = {}
    if to is ReleaseStage.CANARY:
        found = next(
            (
                one
                for one in release_stages.history(conn, 50)
                if one.stage is to and one.commit == before.commit
            ),
            None,
        )
        if found is None:
            return _refused(before, "cohort_missing", "this release had no canary to go back to")
        cohort = found.cohort
    new = NewStage(
        to,
        cohort,
        before.baseline,
        check.as_json() if check else None,
        before.commit,
        False,
        actor.type,
        actor.id,
        reason,
    )
    after = release_stages.enter(conn, new, now)
    _audit(conn, actor, "release_rolled_back", before, after, reason, check)
    return StageChange(before, after, check)


def kill(conn: Connection, actor: Actor, now: datetime, *, reason: str) -> bool:
    """Stop every send of every stage at once; False when all were stopped already. Lifted by `leasebot resume all`."""
    return kill_switches.engage(conn, KillTarget(KillScope.GLOBAL), reason=reason, actor=actor, now=now)


def watch(conn: Connection, actor: Actor, now: datetime) -> StageChange | None:
    """Look once in canary, and go back to shadow when the gate says so; None in the other stages."""
    release_stages.lock(conn)
    stage = release_stages.current(conn)
    if stage is None or stage.stage is not ReleaseStage.CANARY:
        return None
    check = gate.check(conn, actor, now)
    if check.result.verdict is not Verdict.ROLLBACK:
        return StageChange(stage, stage, check)
    causes = [rule for rule in check.result.rules if not rule.kept and rule.takes_back]
    reason = "; ".join(f"{rule.name}: {rule.reason}" for rule in causes)
    return rollback(conn, actor, now, reason=f"by itself: {reason}", check=check)


def _refused(
    before: StageRow | None, code: str, message: str, check: gate.Check | None = None
) -> StageChange:
    return StageChange(before, before, check, code, message)


def _audit(
    conn: Connection,
    actor: Actor,
    action: str,
    before: StageRow | None,
    after: StageRow,
    reason: str,
    check: gate.Check | None,
) -> None:
    details: dict[str, Any] = {
        "previousStage": before.stage.value if before else None,
        "cohort": dict(after.cohort),
        "reason": reason,
        "overridden": after.overridden,
        "gate": None
        if check is None
        else {"check": check.id, "verdict": check.result.verdict.value, "broken": gate.broken(check.result)},
    }
    gate.record(conn, actor, after, action, details)
