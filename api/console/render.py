"""Pages from templates: what every page knows, and the headers it is sent with."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal
from urllib.parse import urlencode, urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from api.auth.access import ADMIN
from api.auth.cookies import parse, sign, unsign
from api.console import pieces, times
from api.console.inbox_words import reason_text
from api.console.navigation import entries_for
from api.console.readable import readable
from api.console.wording import TONES, error_text, spaced, words
from api.services import Services, services

THEME_COOKIE: Final = "lease-bot-theme"
NOTICE_COOKIE: Final = "lease-bot-notice"
_THEMES: Final = frozenset({"light", "dark"})

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    # Forms must name their origin to be let through, which `no-referrer` would hide.
    "referrer-policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person is told once, on the next page they see."""

    kind: Literal["done", "failed"]
    text: str
    next: tuple[str, str] | None = None
    """What is left to do: a link's words and where it leads. Such a notice stays until it is dismissed."""
    at: str = ""
    """The id of what is to be seen now, on that page."""
    onward: bool = False
    """Whether that page offers to go on from here."""


def query(path: str, **values: object) -> str:
    """``path`` with those values that are not empty."""
    given = {name: str(value) for name, value in values.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("api.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(static=pieces.static_url, pieces=pieces, query=query, tones=TONES)
    environment.filters.update(
        words=words, spaced=spaced, age=times.age, readable=readable, reason=reason_text
    )
    return environment


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """The rendered template. Beside ``context`` it knows ``viewer``, ``nav``, ``theme``, ``notice``, ``now``,
    ``path`` and ``clock`` (instants as text in a zone, see ``api.console.times.Clock``).
    """
    html = fragment(request, template, **context)
    response = HTMLResponse(html, status, headers=_HEADERS)
    shown = urlsplit(request.headers.get("hx-current-url", ""))
    if (shown.path, shown.query) == (request.url.path, request.url.query):
        # Where a form's answer leads, mostly: the way back stays one step, however often one was sent.
        response.headers["hx-replace-url"] = shown.path + (f"?{shown.query}" if shown.query else "")
    if NOTICE_COOKIE in request.cookies:
        response.delete_cookie(NOTICE_COOKIE)
    return response


def fragment(request: Request, template: str, **context: Any) -> str:
    """As ``page``, only the text."""
    handled = services(request)
    viewer = getattr(request.state, "viewer", None)
    now = handled.clock()
    values = {
        "viewer": viewer,
        "is_admin": viewer is not None and viewer.role == ADMIN,
        "nav": entries_for(viewer.role if viewer else None),
        "path": request.url.path,
        "theme": theme_of(request),
        "notice": _notice_of(request, handled),
        "now": now,
        "clock": times.Clock(now, times.locale_of(request.headers.get("accept-language", ""))),
    }
    return _environment().get_template(template).render(**values | context)


def render_error(
    request: Request, status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> Response:
    """A page for an error nobody caught closer to its form."""
    response = page(request, "error.html", status=status, code=status, text=error_text(body))
    response.headers.update(headers or {})
    return response


def go(
    request: Request,
    url: str,
    done: str | None = None,
    *,
    failed: str | None = None,
    then: tuple[str, str] | None = None,
) -> RedirectResponse:
    """Send the browser on after a write, with a notice for the page it comes to.

    A fragment of ``url`` goes along in the notice: the answer to a request of our script does not tell it.
    """
    response = RedirectResponse(url, 303)
    text = done or failed
    if text is not None:
        kind = "done" if done else "failed"
        told = [kind, text[:600], then, urlsplit(url).fragment]
        packed = base64.urlsafe_b64encode(json.dumps(told).encode()).decode()
        handled = services(request)
        response.set_cookie(
            NOTICE_COOKIE,
            sign(packed, handled.config.auth_secret).replace("=", "~"),
            max_age=60,
            httponly=True,
            secure=handled.config.secure,
            samesite="lax",
        )
    return response


def theme_of(request: Request) -> str:
    """``light`` or ``dark`` when somebody chose, else ``system``."""
    chosen = parse(request.headers.get("cookie", "")).get(THEME_COOKIE, "")
    return chosen if chosen in _THEMES else "system"


def _notice_of(request: Request, handled: Services) -> Notice | None:
    packed = parse(request.headers.get("cookie", "")).get(NOTICE_COOKIE, "")
    opened = unsign(packed.replace("~", "="), handled.config.auth_secret) if packed else None
    if opened is None:
        return None
    kind, text, then, at = json.loads(base64.urlsafe_b64decode(opened))
    return Notice(kind, text, tuple(then) if then else None, at)
