"""What operators do to sending: replies in doubt or given up, kill switches, stopped accounts, breakers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Query
from pydantic import Field
from sqlalchemy import Connection

from api.answers import Answer, Instant
from api.auth.access import ADMIN_ONLY, AdminIdentity, Identity
from api.edge.json_route import json_router
from api.errors import conflict, not_found, validation_error
from api.inputs import Input, PathId, Text, Trimmed, one_of
from api.operator_audit import by_user
from api.services import ServicesDep
from leasebot_pipeline.domain.dispatching import DispatchState, OperatorAction
from leasebot_pipeline.domain.kill_switches import KillTarget, parse_target
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage import (
    accounts_circuits,
    accounts_runtime,
    audit,
    incidents,
    kill_switches,
    outbox_operations,
    platform_accounts,
)
from leasebot_pipeline.storage.outbox_operations import Actor

router = json_router("/api/admin", "operations")

MOST: Final = 500
_Reason = Annotated[Trimmed, Field(min_length=3, max_length=500)]


class ReplyItem(Answer):
    id: UUID
    state: str
    purpose: str
    platform: str
    platform_account_id: UUID
    account_name: str
    conversation_id: UUID
    external_thread_id: str
    lead_name: str | None
    body: str
    attempts: int
    max_attempts: int
    next_attempt_at: Instant | None
    sending_at: Instant | None
    sent_at: Instant | None
    error_class: str | None
    error_code: str | None
    last_error: str | None
    created_at: Instant
    updated_at: Instant


class RepliesAnswer(Answer):
    counts: dict[str, int] = Field(description="of every open state, whatever the filter")
    items: list[ReplyItem]


class OperatedAnswer(Answer):
    id: UUID
    previous_state: str
    state: str
    kept_because: Literal["release_shadow"] | None = Field(
        None, description="why a reply is not queued again: in shadow nothing is sent"
    )


class KillSwitchAnswer(Answer):
    id: UUID
    target: str
    scope: str
    platform: str | None
    platform_account_id: UUID | None
    reason: str
    actor_id: str | None
    engaged_at: Instant


class KillSwitchesAnswer(Answer):
    items: list[KillSwitchAnswer]


class EngagedAnswer(Answer):
    target: str
    engaged: bool = Field(description="false: it was engaged already")


class LiftedAnswer(Answer):
    target: str
    lifted: bool


class AccountAnswer(Answer):
    id: UUID
    changed: bool = Field(description="false: there was nothing to do")


class IncidentsAnswer(Answer):
    items: list[dict[str, Any]]


class OperateBody(Input):
    reason: _Reason | None = None
    external_message_id: Annotated[Text, Field(max_length=200)] | None = Field(
        None, description="mark-sent: what the platform calls the message that was found"
    )


class EngageBody(Input):
    """`target`: `global`, a platform's name, or the id of an account."""

    target: Text
    reason: _Reason


@router.get(
    "/outbox", operation_id="listOutbox", summary="Replies that are not sent yet", dependencies=[ADMIN_ONLY]
)
async def list_outbox(
    services: ServicesDep,
    state: Annotated[list[str] | None, Query(description="may be given several times")] = None,
    platform: Annotated[str | None, Query()] = None,
    code: Annotated[str | None, Query(max_length=100, description="an error code")] = None,
    limit: Annotated[str | None, Query(description=f"1..{MOST}, default 100")] = None,
) -> RepliesAnswer:
    """Dead letters are `state=dead_letter`, deliveries in doubt `state=unknown`. Last touched first."""
    open_states = [s.value for s in outbox_operations.OPEN_STATES]
    chosen = [DispatchState(name) for one in state or [] if (name := one_of("state", one, open_states))]
    wanted = one_of("platform", platform, [p.value for p in Platform])
    if code and "\x00" in code:
        raise validation_error(["code: must not contain a NUL character"])
    most = min(max(int(limit), 1), MOST) if limit and limit.isdecimal() and len(limit) < 6 else 100

    def read(conn: Connection) -> RepliesAnswer:
        found = outbox_operations.list_replies(
            conn,
            states=chosen or outbox_operations.OPEN_STATES,
            platform=Platform(wanted) if wanted else None,
            code=code or None,
            limit=most,
        )
        counts = {s.value: count for s, count in outbox_operations.open_counts(conn).items()}
        return RepliesAnswer(counts=counts, items=[ReplyItem.model_validate(item) for item in found])

    return await services.database.read(read)


@router.post(
    "/outbox/{id}/{action}",
    operation_id="operateReply",
    summary="retry, discard, cancel, hold or mark-sent",
    responses={409: {"description": "invalid_transition: the action does not fit the reply's state"}},
)
async def operate(
    identity: AdminIdentity, dispatch_id: PathId, action: str, body: OperateBody, services: ServicesDep
) -> OperatedAnswer:
    """A reply in doubt is never clicked again by a word: mark it sent or discard it."""
    chosen = one_of("action", action, [a.value for a in OperatorAction])
    if chosen is None:
        raise not_found()

    def work(conn: Connection) -> outbox_operations.OperatorResult:
        [result] = outbox_operations.operate(
            conn,
            OperatorAction(chosen),
            [dispatch_id],
            actor=_actor(identity),
            reason=body.reason,
            now=services.clock(),
            external_message_id=body.external_message_id,
        )
        return result

    return operated(await services.database.run(work), action)


def operated(result: outbox_operations.OperatorResult, action: str) -> OperatedAnswer:
    """The answer; raises 404 or 409 where nothing was done."""
    if result.refused == "not_found" or result.before is None or result.after is None:
        raise not_found()
    if result.refused is not None:
        message = f"A reply that is {result.before} can't be: {action}."
        raise conflict("invalid_transition", message, state=result.before)
    return OperatedAnswer(
        id=result.id, previous_state=result.before, state=result.after, kept_because=result.kept
    )


@router.get(
    "/kill-switches",
    operation_id="listKillSwitches",
    summary="What stops sends now",
    dependencies=[ADMIN_ONLY],
)
async def list_switches(services: ServicesDep) -> KillSwitchesAnswer:
    found = await services.database.read(kill_switches.engaged)
    return KillSwitchesAnswer(items=[KillSwitchAnswer.model_validate(switch) for switch in found])


@router.post("/kill-switches", operation_id="engageKillSwitch", summary="Stop sends at once", status_code=201)
async def engage(identity: AdminIdentity, body: EngageBody, services: ServicesDep) -> EngagedAnswer:
    """Every send that is not clicked yet is stopped within five seconds, in every process."""
    target = _target(body.target)

    def work(conn: Connection) -> bool:
        return kill_switches.engage(
            conn, target, reason=body.reason, actor=_actor(identity), now=services.clock()
        )

    try:
        engaged = await services.database.run(work)
    except LookupError:
        raise validation_error(["target: must be global, a platform or the id of an account"]) from None
    return EngagedAnswer(target=target.key, engaged=engaged)


@router.delete("/kill-switches/{target}", operation_id="liftKillSwitch", summary="Let sends go on")
async def lift(identity: AdminIdentity, target: str, services: ServicesDep) -> LiftedAnswer:
    """404 when no switch of exactly that target is engaged."""
    parsed = _target(target.partition(":")[2] or target)

    def work(conn: Connection) -> bool:
        return kill_switches.lift(conn, parsed, actor=_actor(identity), now=services.clock())

    if not await services.database.run(work):
        raise not_found()
    return LiftedAnswer(target=parsed.key, lifted=True)


@router.post(
    "/platform-accounts/{id}/resume",
    operation_id="resumeAccount",
    summary="Let a stopped account be visited again",
)
async def resume(identity: AdminIdentity, account_id: PathId, services: ServicesDep) -> AccountAnswer:
    """After a person renewed its session or solved what the platform asked for."""

    def work(conn: Connection, now: datetime) -> bool:
        return bool(accounts_runtime.resume_accounts(conn, [account_id], now))

    return await _on_account(identity, account_id, services, "platform_account_resumed", work)


@router.post(
    "/platform-accounts/{id}/reset-circuits",
    operation_id="resetCircuits",
    summary="Close an account's breakers",
)
async def reset(identity: AdminIdentity, account_id: PathId, services: ServicesDep) -> AccountAnswer:
    """After what failed was mended. A stopped account stays stopped."""

    def work(conn: Connection, now: datetime) -> bool:
        return accounts_circuits.reset_circuits(conn, account_id, now)

    return await _on_account(identity, account_id, services, "platform_circuit_reset", work)


@router.get(
    "/incidents",
    operation_id="listIncidents",
    summary="What people were told of and is not over",
    dependencies=[ADMIN_ONLY],
)
async def list_incidents(services: ServicesDep) -> IncidentsAnswer:
    found = await services.database.read(incidents.list_incidents)
    return IncidentsAnswer(items=[dict(incident) for incident in found])


async def _on_account(
    identity: Identity, account_id: UUID, services: ServicesDep, action: str, work: Any
) -> AccountAnswer:
    now = services.clock()

    def run(conn: Connection) -> bool:
        account = platform_accounts.find_account(conn, account_id, services.config.default_send_mode)
        if account is None:
            raise not_found()
        changed: bool = work(conn, now)
        if changed:
            entry = by_user(
                identity,
                "platform_account",
                account_id,
                action,
                platform=account.platform,
                platform_account_id=account_id,
            )
            audit.record(conn, [entry])
        return changed

    return AccountAnswer(id=account_id, changed=await services.database.run(run))


def _target(text: str) -> KillTarget:
    parsed = parse_target(text)
    if parsed is None:
        raise validation_error(["target: must be global, a platform or the id of an account"])
    return parsed


def _actor(identity: Identity) -> Actor:
    return Actor(identity.role, identity.user.id)
