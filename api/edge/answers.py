"""Errors that no route answers: a page for a person who looks at pages, the API's body for everybody else."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from api.console.render import render_error


def error_answer(scope: Scope, status: int, body: Mapping[str, object], *, said: str) -> Response:
    """``body``, or a page that tells ``said``."""
    request = Request(scope)
    if _is_for_a_person(request):
        return render_error(request, status, {"message": said})
    return JSONResponse(body, status)


def _is_for_a_person(request: Request) -> bool:
    """A browser that goes to a page says that it takes HTML; a page that asks by script says that it is htmx."""
    wants_html = "text/html" in request.headers.get("accept", "") or "hx-request" in request.headers
    return wants_html and not request.url.path.startswith("/api/")
