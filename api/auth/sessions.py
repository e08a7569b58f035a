"""`/api/auth`: a signed-in user's password and sessions, as Better Auth's browser client asks for them."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request, Response

from api.auth import passwords
from api.auth.access import Identity, OptionalIdentity
from api.auth.opening import client_address, open_session
from api.auth.schemas import (
    AuthErrorAnswer,
    ChangePasswordAnswer,
    ChangePasswordBody,
    RevokeSessionBody,
    SessionAnswer,
    StatusAnswer,
    UserAnswer,
)
from api.errors import auth_error
from api.services import ServicesDep
from leasebot_pipeline.storage import auth as logins

router = APIRouter(
    prefix="/api/auth",
    tags=["auth"],
    responses={401: {"model": AuthErrorAnswer, "description": "UNAUTHORIZED"}},
)
log = structlog.get_logger("api.auth")


async def signed_in(identity: OptionalIdentity) -> Identity:
    """The caller; 401 in the library's form for a stranger."""
    if identity is None:
        raise auth_error(401, "UNAUTHORIZED", "Unauthorized")
    return identity


SignedIn = Annotated[Identity, Depends(signed_in)]


@router.post(
    "/change-password",
    operation_id="changePassword",
    summary="Change one's own password",
    responses={
        400: {
            "model": AuthErrorAnswer,
            "description": "INVALID_PASSWORD, PASSWORD_TOO_SHORT, PASSWORD_TOO_LONG, CREDENTIAL_ACCOUNT_NOT_FOUND",
        },
        429: {"model": AuthErrorAnswer, "description": "Too many attempts; wait for retry-after seconds"},
    },
)
async def change_password(
    identity: SignedIn, body: ChangePasswordBody, request: Request, response: Response, services: ServicesDep
) -> ChangePasswordAnswer:
    """The current password is asked for again; wrong ones count like failed sign-ins."""
    passwords.check_length(body.new_password)
    user = identity.user
    client = client_address(request)
    wait_s = await services.throttle.sign_in_wait_s(client, user.email, services.clock())
    if wait_s is not None:
        headers = {"retry-after": str(wait_s), "x-retry-after": str(wait_s)}
        raise auth_error(429, "TOO_MANY_REQUESTS", "Too many requests. Please try again later.", headers)
    stored = await services.database.run(logins.password_hash_of, user.id)
    if stored is None:
        raise auth_error(400, "CREDENTIAL_ACCOUNT_NOT_FOUND", "Credential account not found")
    if not await services.passwords.verify(stored, body.current_password):
        log.warning("change_password_refused", client=client)
        raise auth_error(400, "INVALID_PASSWORD", "Invalid password")
    await services.throttle.signed_in(client, user.email)
    password_hash = await services.passwords.hash(body.new_password)
    await services.database.run(logins.set_password, user.id, password_hash, services.clock())
    token = None
    if body.revoke_other_sessions:
        await services.database.run(logins.delete_sessions_of, user.id)
        token = (await open_session(user, request, response, services, remember=True)).token
    return ChangePasswordAnswer(token=token, user=UserAnswer.model_validate(user))


@router.get("/list-sessions", operation_id="listSessions", summary="One's own sessions that have not expired")
async def list_sessions(identity: SignedIn, services: ServicesDep) -> list[SessionAnswer]:
    found = await services.database.run(logins.list_sessions, identity.user.id, services.clock())
    return [SessionAnswer.model_validate(session) for session in found]


@router.post("/revoke-session", operation_id="revokeSession", summary="End one of one's own sessions")
async def revoke_session(identity: SignedIn, body: RevokeSessionBody, services: ServicesDep) -> StatusAnswer:
    """A token that is not one's own is left alone and answered alike."""
    await services.database.run(logins.delete_session_of, identity.user.id, body.token)
    return StatusAnswer(status=True)


@router.post("/revoke-sessions", operation_id="revokeSessions", summary="End all of one's own sessions")
async def revoke_sessions(identity: SignedIn, services: ServicesDep) -> StatusAnswer:
    await services.database.run(logins.delete_sessions_of, identity.user.id)
    return StatusAnswer(status=True)


@router.post(
    "/revoke-other-sessions", operation_id="revokeOtherSessions", summary="End one's sessions but this one"
)
async def revoke_other_sessions(identity: SignedIn, services: ServicesDep) -> StatusAnswer:
    await services.database.run(logins.delete_sessions_of, identity.user.id, identity.session.token)
    return StatusAnswer(status=True)
