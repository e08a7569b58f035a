"""Signing in and out, accepting an invitation, and the theme."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query, Request
from fastapi.responses import RedirectResponse, Response

from api.auth import routes as auth
from api.auth.access import OptionalIdentity
from api.auth.schemas import SignInBody
from api.console.access import home_of, safe_target
from api.console.forms import Form, FormData, parse
from api.console.render import THEME_COOKIE, go, page, query
from api.console.routes import page_router
from api.console.wording import error_text, words
from api.errors import ApiError
from api.routes import people
from api.services import Services, ServicesDep

router = page_router()
_THEME_LIFETIME_S: Final = 365 * 24 * 3600
_PASSWORD_MIN: Final = 8


@router.get("/")
async def start(identity: OptionalIdentity) -> Response:
    return RedirectResponse(home_of(identity.role) if identity else "/login", 303)


@router.get("/login")
async def login(
    request: Request,
    identity: OptionalIdentity,
    redirect: Annotated[str, Query()] = "",
    email: Annotated[str, Query(max_length=254)] = "",
) -> Response:
    if identity is not None:
        return RedirectResponse(safe_target(redirect, identity.role), 303)
    return page(request, "login.html", redirect=redirect, email=email, forget=False, problem=None)


@router.post("/login")
async def sign_in(request: Request, form: FormData, services: ServicesDep) -> Response:
    opened = Response()
    try:
        body = parse(
            SignInBody,
            {
                "email": form.text("email"),
                "password": _password(form, "password"),
                "rememberMe": not form.flag("forget"),
            },
        )
        answer = await auth.sign_in(body, request, opened, services)
    except ApiError as error:
        return page(
            request,
            "login.html",
            status=error.status,
            redirect=form.text("redirect"),
            email=form.text("email"),
            forget=form.flag("forget"),
            problem=_why_not(error),
        )
    role = "admin" if answer.user.role == "admin" else "agent"
    response = RedirectResponse(safe_target(form.text("redirect"), role), 303)
    for line in opened.headers.getlist("set-cookie"):
        response.headers.append("set-cookie", line)
    return response


@router.post("/logout")
async def sign_out(request: Request, services: ServicesDep) -> Response:
    response = go(request, "/login", "You are signed out.")
    ended = Response()
    await auth.sign_out(request, ended, services)
    for line in ended.headers.getlist("set-cookie"):
        response.headers.append("set-cookie", line)
    return response


@router.get("/invite")
async def invitation(
    request: Request, services: ServicesDep, identity: OptionalIdentity, token: Annotated[str, Query()] = ""
) -> Response:
    if identity is not None:
        return RedirectResponse(home_of(identity.role), 303)
    return await _invitation_page(request, services, token, None)


@router.post("/invite")
async def accept(request: Request, form: FormData, services: ServicesDep) -> Response:
    token, password = form.text("token"), _password(form, "password")
    if password != _password(form, "again"):
        return await _invitation_page(request, services, token, "The two passwords differ.")
    try:
        accepting = parse(people.AcceptBody, {"token": token, "password": password})
        made = await people.accept(accepting, request, services)
    except ApiError as error:
        return await _invitation_page(request, services, token, _why_not(error))
    ready = f"Your login is ready, {made.email}."
    opened = Response()
    try:  # as by hand, with the password that was just chosen: same throttle, same session
        body = parse(SignInBody, {"email": made.email, "password": password})
        answer = await auth.sign_in(body, request, opened, services)
    except ApiError:
        return go(request, query("/login", email=made.email), f"{ready} Sign in with your password.")
    response = go(request, home_of(answer.user.role), f"{ready} You are signed in.")
    for line in opened.headers.getlist("set-cookie"):
        response.headers.append("set-cookie", line)
    return response


@router.post("/theme")
async def choose_theme(form: FormData, services: ServicesDep) -> Response:
    """Without script; with it the page changes by itself and sets the same cookie."""
    back = form.text("back")
    response = RedirectResponse(back if back.startswith("/") and not back.startswith("//") else "/", 303)
    chosen = form.text("theme")
    if chosen in ("light", "dark"):
        # Read by our script too, which must not flash the other theme first.
        response.set_cookie(
            THEME_COOKIE, chosen, max_age=_THEME_LIFETIME_S, samesite="lax", secure=services.config.secure
        )
    else:
        response.delete_cookie(THEME_COOKIE)
    return response


def _password(form: Form, name: str) -> str:
    """As typed: blanks at its ends belong to a password."""
    return next((value for key, value in form.pairs if key == name), "")


async def _invitation_page(request: Request, services: Services, token: str, problem: str | None) -> Response:
    invited, status = None, 200 if problem is None else 422
    try:
        invited = (await people.verify(request, services, token)).invitation
    except ApiError as error:
        problem, status = _why_not(error), error.status
    return page(request, "invite.html", status=status, token=token, invited=invited, problem=problem)


def _why_not(error: ApiError) -> str:
    code = error.body.get("error") or error.body.get("code")
    if code == "INVALID_EMAIL_OR_PASSWORD":
        return "E-mail and password do not fit together. Check both, then try again."
    of_link = "valid" in error.body or "token" in str(error.body.get("details"))
    if code in ("invalid_token", "validation_error") and of_link:
        return (
            "This link is not an invitation of ours. It may have been cut off: open it again from the e-mail."
        )
    if code == "invite_unavailable":
        return f"This invitation can no longer be used: it is {words(error.body.get('status')).lower()}."
    if error.status == 429:
        return f"Too many attempts. Try again in {error.headers.get('retry-after', '60')} seconds."
    return error_text(error.body)
