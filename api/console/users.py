"""People: who may sign in, who is invited, and for which agent a login acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy import Connection

from api.console.access import Administrator
from api.console.forms import Form, FormData, attempt, parse
from api.console.lists import Pages, known, page_number, searched
from api.console.render import go, page, query
from api.console.routes import page_router
from api.errors import ApiError, validation_error
from api.inputs import plain_uuid
from api.paging import MAX_LIMIT
from api.routes import agents, people
from api.routes.people import SentInvitationAnswer
from api.services import Services, ServicesDep
from leasebot_pipeline.storage import agents as stored
from leasebot_pipeline.storage import people_search, unit_assignments
from leasebot_pipeline.storage.agents import Agent
from leasebot_pipeline.storage.people_search import Wanted

router = page_router()
PATH: Final = "/admin/users"
ROWS: Final = 20
KINDS: Final = ("user", "invitation")
STATUSES: Final = ("active", "pending", "accepted", "expired", "revoked")
_NO_LOGIN: Final = "none"
ROLES: Final = ("agent", "admin")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; unknown values count as not given."""

    text: str
    kind: str
    status: str
    role: str
    page: int
    link: str
    """The login an agent is chosen for."""
    left: str
    """After an agent was removed: its login, ``none`` where it had none."""

    @classmethod
    def of(cls, request: Request) -> Asked:
        asked = request.query_params
        return cls(
            text=searched(asked.get("q")),
            kind=known(asked.get("type"), KINDS),
            status=known(asked.get("status"), STATUSES),
            role=known(asked.get("role"), ROLES),
            page=page_number(asked.get("page")),
            link=searched(asked.get("link")),
            left=searched(asked.get("left")),
        )

    def url(self, **changes: object) -> str:
        values = {"q": self.text, "type": self.kind, "status": self.status, "role": self.role}
        return query(PATH, **(values | changes))


@router.get(PATH)
async def users(request: Request, _viewer: Administrator, services: ServicesDep) -> Response:
    return await _page(request, services)


@router.post(PATH)
async def change(request: Request, viewer: Administrator, form: FormData, services: ServicesDep) -> Response:
    asked = Asked.of(request)
    here = asked.url(page=asked.page if asked.page > 1 else None)
    match form.text("do"):
        case "invite":
            return await _invite(request, viewer, form, services)
        case "revoke":
            work: Any = people.revoke(viewer.identity, _id(form, "invitation"), services)
            told = "The invitation is revoked; its link works no more."
        case "link":
            work = _link(viewer, form, services)
            told = "The login acts for that agent now." if form.text("agent") else "It acts for nobody now."
        case "remove":
            work = _remove(viewer, form, services)
            told = ""
            here = asked.url(left=await _login(form, services))
        case _:
            raise validation_error(["do: must be a known action"])
    done, reason = await attempt(work)
    if done is not None:
        return go(request, here, told or str(done))
    return await _page(request, services, at=form.text("do"), reason=reason, form=form, status=422)


async def _invite(request: Request, viewer: Administrator, form: Form, services: Services) -> Response:
    """Without a mail server the link is shown here, once: only the invited person's token opens it."""

    async def send() -> SentInvitationAnswer:
        values = form.given("email", "role") | {
            "firstName": form.text("firstName"),
            "lastName": form.text("lastName"),
        }
        body = parse(people.InviteBody, values)
        return (await people.invite(viewer.identity, body, services)).invitation

    made, reason = await attempt(send())
    if made is None:
        return await _page(request, services, at="invite", reason=reason, form=form, status=422)
    if made.preview_url is None:
        return go(request, PATH, f"Invited. The link is on its way to {made.email}.")
    return await _page(request, services, made=made)


async def _link(viewer: Administrator, form: Form, services: Services) -> bool:
    """Let a login act for another agent. The agent it acted for is left without one."""
    before = _id(form, "before") if form.text("before") else None
    wanted = _id(form, "agent") if form.text("agent") else None
    if wanted is not None:
        values = {"userId": form.text("user"), "move": True, "replace": form.flag("replace")}
        await agents.link_login(viewer.identity, wanted, parse(agents.LoginBody, values), services)
    elif before is not None:
        await agents.link_login(viewer.identity, before, parse(agents.LoginBody, {"userId": None}), services)
    return True


async def _remove(viewer: Administrator, form: Form, services: Services) -> str:
    """What became of the agent's work, in a sentence."""
    if not form.text("leaves"):
        raise ApiError(400, {"error": "empty", "message": "Choose who leaves first."})
    done = await agents.remove_agent(viewer.identity, _id(form, "leaves"), services)
    showings, leads = len(done.showings), len(done.to_a_person)
    return (
        f"Removed. {showings} {'showing' if showings == 1 else 'showings'} ahead to move or cancel; "
        f"{leads} {'conversation waits' if leads == 1 else 'conversations wait'} for a person."
    )


async def _login(form: Form, services: Services) -> str:
    """The login of the agent who is about to leave; the removal takes the agent away from it."""
    try:
        agent = _id(form, "leaves")
    except ApiError:  # the removal says what is wrong with it
        return _NO_LOGIN
    found = await services.database.read(stored.find_agent, agent)
    return found.user_id if found is not None and found.user_id else _NO_LOGIN


def _option(agent: Agent, addresses: dict[str, str]) -> str:
    """An agent with the login that acts for it now: choosing it cuts that one off."""
    login = addresses.get(agent.user_id or "")
    return f"{agent.full_name}: {login} acts for them" if login else agent.full_name


def _leaving(agent: Agent, addresses: dict[str, str]) -> str:
    """An agent with its address, as two may have one name."""
    login = addresses.get(agent.user_id or "")
    return f"{agent.full_name} ({login})" if login else agent.full_name


def _id(form: Form, name: str) -> UUID:
    try:
        return plain_uuid(form.text(name))
    except ValueError as error:
        raise validation_error([f"{name}: {error}"]) from None


async def _page(
    request: Request,
    services: Services,
    *,
    at: str = "",
    reason: str | None = None,
    form: Form | None = None,
    made: SentInvitationAnswer | None = None,
    status: int = 200,
) -> Response:
    asked = Asked.of(request)
    wanted = Wanted(asked.text or None, asked.kind or None, asked.role or None, asked.status or None)
    entries, total = await services.database.read(
        people_search.search, wanted, services.clock(), limit=ROWS, skip=(asked.page - 1) * ROWS
    )

    def read(conn: Connection) -> tuple[list[Agent], dict[str, str], int]:
        everybody = stored.list_agents(conn, MAX_LIMIT)
        logins = {one.user_id for one in everybody if one.user_id} | ({asked.left} if asked.left else set())
        left_units = unit_assignments.with_nobody(conn, 1)[1] if asked.left else 0
        return everybody, people_search.addresses(conn, logins), left_units

    everybody, addresses, left_units = await services.database.read(read)
    return page(
        request,
        "users.html",
        status=status,
        entries=entries,
        agent_options=[(str(agent.id), _option(agent, addresses)) for agent in everybody],
        leaving_options=[(str(agent.id), _leaving(agent, addresses)) for agent in everybody],
        asked=asked,
        pages=Pages(asked.page, total, ROWS, asked.url),
        here=asked.url(page=asked.page if asked.page > 1 else None),
        page_kept=asked.page if asked.page > 1 else None,
        linking=next((entry for entry in entries if entry.id == asked.link and entry.kind == "user"), None),
        left_units=left_units,
        left_login=addresses.get(asked.left),
        at=at,
        reason=reason,
        typed=form or Form(()),
        made=made,
        mails=services.config.mail is not None,
        hours=services.config.invite_ttl_hours,
    )
