"""Who looks at a page: strangers sign in first, roles and scopes are the API's."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request

from api.auth.access import ADMIN, AGENT, OptionalIdentity, Scope, require, scope_of
from api.console.routes import GoTo
from api.errors import forbidden_role
from api.services import ServicesDep

HOMES: Final = {ADMIN: "/admin/inbox", AGENT: "/agent/appointments"}


def home_of(role: str) -> str:
    """Where a role starts after signing in."""
    return HOMES.get(role, HOMES[AGENT])


def safe_target(redirect: str, role: str) -> str:
    """The page asked for before signing in when the role may see it, else the role's home."""
    own = ("/admin/", "/agent/") if role == ADMIN else ("/agent/",)
    plain = redirect.startswith(own) and "\\" not in redirect and redirect.isprintable()
    return redirect if plain else home_of(role)


async def _viewer(request: Request, identity: OptionalIdentity, services: ServicesDep) -> Scope:
    """The caller's scope. Strangers are sent to sign in; an agent's login without an agent gets a 403 page."""
    if identity is None:
        # Who sent a form comes back to its page; `safe_target` lets only the role's own pages through.
        sent = request.method not in ("GET", "HEAD")
        page = urlsplit(request.headers.get("referer", "") if sent else str(request.url))
        wanted = page.path + (f"?{page.query}" if page.query else "")
        raise GoTo(f"/login?redirect={quote(wanted, safe='')}")
    request.state.viewer = identity
    # The dependency that guards the API: it also slows down who writes too fast.
    allowed = await require(AGENT, ADMIN)(identity, request, services)
    return await scope_of(allowed, services)


Viewer = Annotated[Scope, Depends(_viewer)]
"""Anyone signed in; an agent sees its own only."""


async def _administrator(viewer: Viewer) -> Scope:
    if viewer.role != ADMIN:
        raise forbidden_role([ADMIN], viewer.role)
    return viewer


Administrator = Annotated[Scope, Depends(_administrator)]
"""An administrator; an agent gets a page that says so."""
