"""`/api/auth`: the endpoints Better Auth's browser client calls for e-mail and password."""

from __future__ import annotations

import re
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, Request, Response

from api.auth import passwords
from api.auth.access import Identity, OptionalIdentity, cookie_jar
from api.auth.opening import client_address, open_session
from api.auth.schemas import (
    AuthErrorAnswer,
    CurrentSessionAnswer,
    SessionAnswer,
    SignInAnswer,
    SignInBody,
    SignOutAnswer,
    SignUpAnswer,
    SignUpBody,
    UserAnswer,
)
from api.errors import ApiError, auth_error
from api.services import Services, ServicesDep
from leasebot_pipeline.storage import auth as logins

router = APIRouter(prefix="/api/auth", tags=["auth"])
log = structlog.get_logger("api.auth")

_EMAIL: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@.]+")
_RELATIVE_PATH: Final = re.compile(r"/(?![/\\]|%2f|%5c)[\w\-.+/@]*(?:\?[\w\-.+/=&%@]*)?", re.IGNORECASE)

_REFUSED: Final[dict[int | str, dict[str, object]]] = {
    400: {"model": AuthErrorAnswer, "description": "A field is missing or malformed"},
    401: {"model": AuthErrorAnswer, "description": "INVALID_EMAIL_OR_PASSWORD"},
    403: {"model": AuthErrorAnswer, "description": "BANNED_USER, INVALID_ORIGIN"},
    429: {"model": AuthErrorAnswer, "description": "Too many attempts; wait for retry-after seconds"},
}


@router.post(
    "/sign-in/email",
    operation_id="signInEmail",
    summary="Sign in with e-mail and password",
    response_model_exclude_unset=True,  # the library leaves `url` out unless there is one
    responses=_REFUSED,
)
async def sign_in(
    body: SignInBody, request: Request, response: Response, services: ServicesDep
) -> SignInAnswer:
    """Opens a session and sets its cookie. Unknown e-mail and wrong password answer alike, in equal time."""
    if not _EMAIL.fullmatch(body.email):
        raise auth_error(400, "INVALID_EMAIL", "Invalid email")
    _check_callback(body.callback_url, services)
    client = client_address(request)
    wait_s = await services.throttle.sign_in_wait_s(client, body.email, services.clock())
    if wait_s is not None:
        log.warning("sign_in_throttled", client=client, wait_s=wait_s)
        headers = {"retry-after": str(wait_s), "x-retry-after": str(wait_s)}
        raise auth_error(429, "TOO_MANY_REQUESTS", "Too many requests. Please try again later.", headers)
    credential = await services.database.run(logins.find_credential, body.email)
    stored = credential.password_hash if credential else None
    if not await services.passwords.verify(stored, body.password) or credential is None:
        log.warning("sign_in_refused", client=client)
        raise auth_error(401, "INVALID_EMAIL_OR_PASSWORD", "Invalid email or password")
    now = services.clock()
    await services.throttle.signed_in(client, body.email)
    if credential.user.is_banned(now):
        raise auth_error(
            403,
            "BANNED_USER",
            "You have been banned from this application. "
            "Please contact support if you believe this is an error.",
        )
    session = await open_session(credential.user, request, response, services, remember=body.remember_me)
    user = UserAnswer.model_validate(credential.user)
    if not body.callback_url:
        return SignInAnswer(redirect=False, token=session.token, user=user)
    response.headers["location"] = body.callback_url
    return SignInAnswer(redirect=True, token=session.token, url=body.callback_url, user=user)


@router.post("/sign-out", operation_id="signOut", summary="End the session of the cookie")
async def sign_out(request: Request, response: Response, services: ServicesDep) -> SignOutAnswer:
    """Succeeds without a session too; the cookies are removed either way."""
    jar = cookie_jar(services)
    token = jar.read(request.headers.get("cookie", ""), jar.session_token)
    if token is not None:
        await services.database.run(logins.delete_session, token)
    for line in jar.signed_out():
        response.headers.append("set-cookie", line)
    return SignOutAnswer(success=True)


@router.get("/get-session", operation_id="getSession", summary="The session of the cookie, or null")
async def get_session(
    request: Request, response: Response, identity: OptionalIdentity, services: ServicesDep
) -> CurrentSessionAnswer | None:
    """Null without a session; a cookie whose session has ended is removed."""
    if identity is None:
        jar = cookie_jar(services)
        if jar.read(request.headers.get("cookie", ""), jar.session_token) is not None:
            for line in jar.signed_out():
                response.headers.append("set-cookie", line)
        return None
    return _current(identity)


async def signup_open(services: ServicesDep) -> None:
    """Raises 403 registration_disabled unless self-registration was switched on."""
    if not services.config.allow_public_signup:
        raise ApiError(
            403, {"error": "registration_disabled", "message": "Registration is by invitation only."}
        )


SignupOpen = Annotated[None, Depends(signup_open)]


@router.post(
    "/sign-up/email",
    operation_id="signUpEmail",
    summary="Register (closed unless LEASE_BOT_ALLOW_PUBLIC_SIGNUP=1)",
    responses={
        400: {
            "model": AuthErrorAnswer,
            "description": "INVALID_EMAIL, PASSWORD_TOO_SHORT, PASSWORD_TOO_LONG",
        },
        422: {"model": AuthErrorAnswer, "description": "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL"},
    },
)
async def sign_up(
    _: SignupOpen, body: SignUpBody, request: Request, response: Response, services: ServicesDep
) -> SignUpAnswer:
    """Creates a login of role agent and opens its session."""
    if not _EMAIL.fullmatch(body.email):
        raise auth_error(400, "INVALID_EMAIL", "Invalid email")
    passwords.check_length(body.password)
    password_hash = await services.passwords.hash(body.password)
    try:
        user = await services.database.run(
            logins.create_user,
            name=body.name,
            email=body.email,
            password_hash=password_hash,
            now=services.clock(),
        )
    except logins.EmailTaken:
        raise auth_error(
            422, "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL", "User already exists. Use another email."
        ) from None
    session = await open_session(user, request, response, services, remember=body.remember_me)
    return SignUpAnswer(token=session.token, user=UserAnswer.model_validate(user))


@router.api_route(
    "/sign-up{_rest:path}", methods=["GET", "POST", "PUT", "DELETE"], include_in_schema=False, status_code=404
)
async def other_sign_up(_: SignupOpen) -> None:
    """Every other way to register answers as the documented one while registration is closed."""
    raise ApiError(404, {"error": "not_found"})


def _check_callback(url: str | None, services: Services) -> None:
    if not url or _RELATIVE_PATH.fullmatch(url):
        return
    if "/".join(url.split("/", 3)[:3]) not in services.config.write_origins:
        raise auth_error(403, "INVALID_CALLBACKURL", "Invalid callbackURL")


def _current(identity: Identity) -> CurrentSessionAnswer:
    return CurrentSessionAnswer(
        session=SessionAnswer.model_validate(identity.session), user=UserAnswer.model_validate(identity.user)
    )
