"""How far the release may act: stage, gate, promotion, rollback. What `leasebot release` and `gate` do, over HTTP."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import Connection

from api.answers import Answer
from api.auth.access import ADMIN_ONLY, AdminIdentity, Identity
from api.edge.json_route import json_router
from api.errors import conflict, validation_error
from api.inputs import Input, Trimmed
from api.services import ServicesDep
from leasebot_pipeline.domain.platforms import ReleaseStage
from leasebot_pipeline.release import gate, stages, views
from leasebot_pipeline.release.evidence import EvidenceInvalid, keep, parse
from leasebot_pipeline.storage import kill_switches, release_gate, release_stages
from leasebot_pipeline.storage.outbox_operations import Actor

router = json_router("/api/admin/release", "release")

_Reason = Annotated[Trimmed, Field(min_length=3, max_length=500)]
_Commit = Annotated[Trimmed, Field(min_length=4, max_length=64, pattern=r"^[0-9A-Za-z._-]+$")]


class ReleaseAnswer(Answer):
    current: dict[str, Any] | None = Field(description="null: no release was started, nothing is sent")
    cohort_accounts: list[str] = Field(description="accounts of the canary")
    history: list[dict[str, Any]]
    kill_switches: list[str]


class ReleaseChangeAnswer(Answer):
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    gate: dict[str, Any] | None = Field(description="the check that was asked, with every rule")


class GateAnswer(Answer):
    id: int
    stage: str
    verdict: str = Field(description="pass, hold or rollback")
    conclusive: bool = Field(description="false: too little traffic; it does not count as a check")
    spikes: list[str]
    since: str
    taken_at: str
    rules: list[dict[str, Any]]
    snapshot: dict[str, Any]


class EvidenceAnswer(Answer):
    commit: str
    gates: dict[str, bool]


class KilledAnswer(Answer):
    engaged: bool = Field(description="false: all sends were stopped already")


class StartBody(Input):
    commit: _Commit | None = None
    reason: _Reason


class PromoteBody(Input):
    """The next stage is canary (which needs `percentage` or `accounts`) or full."""

    reason: _Reason
    percentage: Annotated[float, Field(ge=0, le=100)] | None = None
    accounts: Annotated[list[UUID], Field(min_length=1, max_length=500)] | None = None
    override: bool = False


class RollbackBody(Input):
    reason: _Reason
    to: ReleaseStage = ReleaseStage.SHADOW


class GateBody(Input):
    baseline: bool = Field(False, description="in shadow: keep what it looks like now as the baseline")


class KillBody(Input):
    reason: _Reason


class EvidenceBody(Input):
    """A gates run's metadata file."""

    commit: _Commit
    finished_at: Annotated[Trimmed, Field(max_length=40)]
    checks: Annotated[list[dict[str, Any]], Field(max_length=200)]


@router.get(
    "", operation_id="getRelease", summary="The stage in force and the ones before", dependencies=[ADMIN_ONLY]
)
async def status(services: ServicesDep) -> ReleaseAnswer:
    def read(conn: Connection) -> ReleaseAnswer:
        current = release_stages.current(conn)
        return ReleaseAnswer(
            current=views.stage_json(current),
            cohort_accounts=sorted(release_gate.cohort_accounts(conn, current.cohort)) if current else [],
            history=[view for one in release_stages.history(conn) if (view := views.stage_json(one))],
            kill_switches=[switch.target for switch in kill_switches.engaged(conn)],
        )

    return await services.database.read(read)


@router.post("/start", operation_id="startRelease", summary="Begin a release in shadow", status_code=201)
async def start(identity: AdminIdentity, body: StartBody, services: ServicesDep) -> ReleaseChangeAnswer:
    """From its commit on nothing is sent until the release is promoted."""

    def work(conn: Connection) -> stages.StageChange:
        return stages.start(conn, _actor(identity), services.clock(), commit=body.commit, reason=body.reason)

    return _answer(await services.database.run(work))


@router.post(
    "/promote",
    operation_id="promoteRelease",
    summary="One stage on, if the gate passes",
    responses={409: {"description": "gate_not_passed, no_stage, already_full: nothing was changed"}},
)
async def promote(identity: AdminIdentity, body: PromoteBody, services: ServicesDep) -> ReleaseChangeAnswer:
    """An override goes on although the gate does not pass; it is marked in the stage and in the audit."""
    cohort: dict[str, Any] = {}
    if body.percentage is not None:
        cohort["percentage"] = body.percentage
    if body.accounts:
        cohort["accounts"] = [str(one) for one in body.accounts]

    def work(conn: Connection) -> stages.StageChange:
        return stages.promote(
            conn,
            _actor(identity),
            services.clock(),
            reason=body.reason,
            cohort=cohort or None,
            override=body.override,
        )

    return _answer(await services.database.run(work))


@router.post(
    "/rollback",
    operation_id="rollbackRelease",
    summary="Back at once",
    responses={409: {"description": "not_back, no_stage, cohort_missing: nothing was changed"}},
)
async def rollback(identity: AdminIdentity, body: RollbackBody, services: ServicesDep) -> ReleaseChangeAnswer:
    """Never asks the gate. Holds for every send that is not clicked yet, in every process."""

    def work(conn: Connection) -> stages.StageChange:
        return stages.rollback(conn, _actor(identity), services.clock(), reason=body.reason, to=body.to)

    return _answer(await services.database.run(work))


@router.post("/kill", operation_id="killRelease", summary="Stop every send in every stage")
async def kill(identity: AdminIdentity, body: KillBody, services: ServicesDep) -> KilledAnswer:
    """Engages the global kill switch; lifted by `DELETE /api/admin/kill-switches/global`."""

    def work(conn: Connection) -> bool:
        return stages.kill(conn, _actor(identity), services.clock(), reason=body.reason)

    return KilledAnswer(engaged=await services.database.run(work))


@router.post(
    "/gate",
    operation_id="checkGate",
    summary="Judge the release now and keep the check",
    responses={409: {"description": "no_stage or not_shadow"}},
)
async def check(identity: AdminIdentity, body: GateBody, services: ServicesDep) -> GateAnswer:
    def work(conn: Connection) -> gate.Check:
        if body.baseline:
            gate.take_baseline(conn, _actor(identity), services.clock())
        return gate.check(conn, _actor(identity), services.clock())

    try:
        done = await services.database.run(work)
    except gate.NoStage as error:
        raise conflict("no_stage", str(error)) from None
    except ValueError as error:
        raise conflict("not_shadow", str(error)) from None
    return GateAnswer.model_validate(done.as_json())


@router.post(
    "/evidence",
    operation_id="recordEvidence",
    summary="Hand in the results of the release gates",
    status_code=201,
)
async def evidence(identity: AdminIdentity, body: EvidenceBody, services: ServicesDep) -> EvidenceAnswer:
    try:
        found = parse({"commit": body.commit, "finishedAt": body.finished_at, "checks": body.checks})
    except EvidenceInvalid as error:
        raise validation_error([str(error)]) from None

    def work(conn: Connection) -> None:
        keep(conn, found, _actor(identity), services.clock())

    await services.database.run(work)
    return EvidenceAnswer(commit=found.commit, gates=dict(found.gates))


def _actor(identity: Identity) -> Actor:
    return Actor("admin", identity.user.id)


def _answer(change: stages.StageChange) -> ReleaseChangeAnswer:
    if change.refused in ("cohort_missing", "cohort_empty", "reason_missing"):
        raise validation_error([f"percentage or accounts: {change.message}"])
    shown = change.check.as_json() if change.check else None
    if change.refused is not None:
        raise conflict(change.refused, str(change.message), gate=shown)
    return ReleaseChangeAnswer(
        before=views.stage_json(change.before), after=views.stage_json(change.after), gate=shown
    )
