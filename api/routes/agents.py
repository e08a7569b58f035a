"""Agents, and the logins that act for them."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import Connection

from api.answers import Answer
from api.auth.access import AdminIdentity, ScopedIdentity
from api.edge.json_route import json_router
from api.errors import conflict, not_found, validation_error
from api.inputs import Input, PathId, Text, Zone
from api.operator_audit import by_user
from api.paging import PageQuery, encode
from api.services import ServicesDep
from leasebot_pipeline.storage import agent_removal, agents, audit
from leasebot_pipeline.storage import auth as logins
from leasebot_pipeline.storage.transitions import Actor

router = json_router("/api/agents", "units")


class AgentAnswer(Answer):
    id: UUID
    full_name: str
    email: str | None
    timezone: str
    role: str


class AgentsAnswer(Answer):
    items: list[AgentAnswer]
    next_cursor: str | None


class LoginBody(Input):
    """`move` lets the login leave the agent it acts for, `replace` ends what another login does for this agent."""

    user_id: Text | None
    move: bool = False
    replace: bool = False


class LinkAnswer(Answer):
    updated: bool
    user_id: str | None


class RemovedAgentAnswer(Answer):
    removed: Literal[True] = True
    showings: list[UUID] = Field(description="those ahead: somebody must move or cancel them")
    to_a_person: list[UUID] = Field(description="conversations that are a person's now")


class TimezoneBody(Input):
    timezone: Zone


class TimezoneAnswer(Answer):
    updated: bool = Field(description="false: it was that zone already")
    timezone: str


@router.get("", operation_id="listAgents", summary="Agents by name")
async def list_agents(scope: ScopedIdentity, page: PageQuery, services: ServicesDep) -> AgentsAnswer:
    """An agent sees itself; e-mail addresses of the others are no business of it."""
    if scope.agent_id is not None:
        own = await services.database.read(agents.find_agent, scope.agent_id)
        return AgentsAnswer(items=[AgentAnswer.model_validate(own)] if own else [], next_cursor=None)
    after = page.key(str, UUID)
    found = await services.database.read(agents.list_agents, page.limit, after)
    last = found[-1] if len(found) == page.limit else None
    return AgentsAnswer(
        items=[AgentAnswer.model_validate(agent) for agent in found],
        next_cursor=encode((last.full_name, str(last.id))) if last else None,
    )


@router.put(
    "/{id}/login",
    operation_id="linkAgentLogin",
    summary="Let a login act for an agent",
    responses={409: {"description": "login_in_use, agent_has_login"}},
)
async def link_login(
    identity: AdminIdentity, agent_id: PathId, body: LoginBody, services: ServicesDep
) -> LinkAnswer:
    """`userId: null` takes the login away. A login acts for one agent only (409 `login_in_use` without `move`), and
    nobody is cut off unasked: 409 `agent_has_login` without `replace`."""
    now = services.clock()

    def link(conn: Connection) -> None:
        agent = agents.find_agent(conn, agent_id)
        if agent is None:
            raise not_found()
        told: dict[str, object] = {"userId": body.user_id}
        if body.user_id is not None:
            if not logins.user_exists(conn, body.user_id):
                raise validation_error(["userId: must be the id of a login"])
            if agent.user_id not in (None, body.user_id):
                if not body.replace:
                    raise conflict("agent_has_login", "Another login acts for this agent.")
                told["previousUserId"] = agent.user_id
            if body.move:
                left = agents.unlink_elsewhere(conn, agent_id, body.user_id, now)
                told |= {"previousAgentId": str(left)} if left else {}
        if not agents.link_login(conn, agent_id, body.user_id, now):
            raise conflict("login_in_use", "This login acts for another agent.")
        entry = by_user(identity, "agent", agent_id, "agent_login_linked", told, agent_id=agent_id)
        audit.record(conn, [entry])

    await services.database.run(link)
    return LinkAnswer(updated=True, user_id=body.user_id)


@router.delete("/{id}", operation_id="removeAgent", summary="Remove an agent who leaves")
async def remove_agent(
    identity: AdminIdentity, agent_id: PathId, services: ServicesDep
) -> RemovedAgentAnswer:
    """A mark, never a deletion. Showings ahead stand, and their conversations, like those with a follow-up of the agent's,
    become a person's; holds and open offers end, the login acts for nobody, the assignments go."""
    actor = Actor(identity.role, identity.user.id)

    def remove(conn: Connection) -> agent_removal.RemovalResult:
        [result] = agent_removal.remove_agents(conn, [agent_id], actor, services.clock())
        if result.outcome != "removed":
            raise not_found()
        return result

    done = await services.database.run(remove)
    return RemovedAgentAnswer(showings=list(done.showings), to_a_person=list(done.to_a_person))


@router.put(
    "/{id}/timezone", operation_id="setAgentTimezone", summary="The zone an agent's calendar is shown in"
)
async def set_timezone(
    scope: ScopedIdentity, agent_id: PathId, body: TimezoneBody, services: ServicesDep
) -> TimezoneAnswer:
    """An agent sets its own. Weekly rules, exceptions and showings keep the zones they were made in."""
    scope.own(agent_id)
    now = services.clock()

    def change(conn: Connection) -> bool:
        before = agents.find_agent(conn, agent_id)
        if before is None:
            raise not_found()
        if not agents.set_timezone(conn, agent_id, body.timezone, now):
            return False
        told = {"previousTimezone": before.timezone, "timezone": body.timezone}
        entry = by_user(scope.identity, "agent", agent_id, "agent_timezone_changed", told, agent_id=agent_id)
        audit.record(conn, [entry])
        return True

    return TimezoneAnswer(updated=await services.database.run(change), timezone=body.timezone)
