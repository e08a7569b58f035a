"""Who am I, and may I enter? Used by front ends after sign-in."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from api.answers import Answer
from api.auth.access import AdminIdentity, AnyIdentity, OptionalIdentity
from api.errors import ApiError

router = APIRouter(prefix="/api", tags=["session"])


class Me(Answer):
    id: str
    email: str
    name: str
    role: Literal["admin", "agent"]


class MeAnswer(Answer):
    authenticated: Literal[True]
    user: Me


class ScopeAnswer(Answer):
    ok: Literal[True]
    scope: Literal["agent", "admin"]
    role: Literal["admin", "agent"]


@router.get("/me", operation_id="getMe", summary="The signed-in user", responses={401: {}})
async def me(identity: OptionalIdentity) -> MeAnswer:
    """401 `{authenticated: false, error: "unauthorized"}` without a session."""
    if identity is None:
        raise ApiError(401, {"authenticated": False, "error": "unauthorized"})
    user = identity.user
    return MeAnswer(
        authenticated=True, user=Me(id=user.id, email=user.email, name=user.name, role=identity.role)
    )


@router.get("/protected/agent", operation_id="getAgentScope", summary="Signed in at all")
async def agent_scope(identity: AnyIdentity) -> ScopeAnswer:
    return ScopeAnswer(ok=True, scope="agent", role=identity.role)


@router.get("/protected/admin", operation_id="getAdminScope", summary="Signed in as admin")
async def admin_scope(identity: AdminIdentity) -> ScopeAnswer:
    return ScopeAnswer(ok=True, scope="admin", role=identity.role)
