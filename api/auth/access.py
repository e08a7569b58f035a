"""Who asks: the session behind the cookie, and the roles a route allows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Request

from api.auth.cookies import CookieJar
from api.errors import forbidden_role, forbidden_scope, rate_limited, unauthorized
from api.services import Services, ServicesDep
from leasebot_pipeline.storage import agents
from leasebot_pipeline.storage import auth as logins

SESSION_LIFETIME: Final = timedelta(days=7)
RENEW_AFTER: Final = timedelta(days=1)
UNREMEMBERED_LIFETIME: Final = timedelta(days=1)

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

ADMIN: Final = "admin"
AGENT: Final = "agent"


@dataclass(frozen=True, slots=True)
class Identity:
    """A signed-in user."""

    session: logins.Session
    user: logins.User

    @property
    def role(self) -> str:
        """``admin``, or ``agent`` for whatever else is stored."""
        return ADMIN if self.user.role == ADMIN else AGENT


def cookie_jar(services: Services) -> CookieJar:
    config = services.config
    return CookieJar(config.auth_secret, secure=config.secure, previous=config.previous_secrets)


async def find_identity(request: Request, services: ServicesDep) -> Identity | None:
    """The caller, None for a stranger. A session older than a day is renewed, its cookie with it; a cookie of a
    previous secret is signed anew, so that it outlives that secret."""
    jar = cookie_jar(services)
    cookies = request.headers.get("cookie", "")
    token = jar.read(cookies, jar.session_token)
    if token is None:
        return None
    found = await services.database.run(logins.find_session, token)
    now = services.clock()
    if found is None or found[0].expires_at <= now or found[1].is_banned(now):
        return None
    session, user = found
    remembered = jar.read(cookies, jar.dont_remember) is None
    sign_until = None if jar.is_current(cookies, jar.session_token) else session.expires_at
    if remembered and session.expires_at - SESSION_LIFETIME + RENEW_AFTER <= now:
        expires_at = now + SESSION_LIFETIME
        if await services.database.run(logins.renew_session, session, expires_at, now):
            session = logins.renewed(session, expires_at, now)
            sign_until = expires_at
    if sign_until is not None:
        max_age_s = int((sign_until - now).total_seconds())
        # Sent with whatever the answer will be, see `api.edge.response_headers`: a file, a page, an error.
        request.state.session_lines = jar.signed_in(token, remember=remembered, max_age_s=max_age_s)
    return Identity(session, user)


OptionalIdentity = Annotated[Identity | None, Depends(find_identity)]


def require(*roles: str) -> Callable[..., Awaitable[Identity]]:
    """A dependency: the caller, who must have one of the roles. ``admin`` does not imply ``agent``."""

    async def allowed(identity: OptionalIdentity, request: Request, services: ServicesDep) -> Identity:
        if identity is None:
            raise unauthorized()
        if identity.role not in roles:
            raise forbidden_role(roles, identity.role)
        if request.method not in _READS:
            wait_s = await services.throttle.write_wait_s(identity.user.id, services.clock())
            if wait_s is not None:
                raise rate_limited(wait_s)
        return identity

    return allowed


ADMIN_ONLY = Depends(require(ADMIN))
AdminIdentity = Annotated[Identity, Depends(require(ADMIN))]
AnyIdentity = Annotated[Identity, Depends(require(AGENT, ADMIN))]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose data a caller may see and change: an agent its own, an administrator all."""

    identity: Identity
    agent_id: UUID | None
    """The agent behind the login; None for an administrator."""

    @property
    def user_id(self) -> str:
        return self.identity.user.id

    @property
    def role(self) -> str:
        return self.identity.role

    def own(self, requested: UUID | None) -> UUID | None:
        """The agent to look at: for an agent itself. Raises 403 for another agent's id."""
        if self.agent_id is None:
            return requested
        if requested is not None and requested != self.agent_id:
            raise forbidden_scope("Agents see and change only what is their own.")
        return self.agent_id


async def scope_of(identity: AnyIdentity, services: ServicesDep) -> Scope:
    """403 for a login of role agent that no agent is linked to."""
    if identity.role == ADMIN:
        return Scope(identity, None)
    agent_id = await services.database.read(agents.agent_of_login, identity.user.id)
    if agent_id is None:
        raise forbidden_scope("This login is not linked to an agent; an administrator can link it.")
    return Scope(identity, agent_id)


ScopedIdentity = Annotated[Scope, Depends(scope_of)]
