"""How a page's route answers: errors as pages, and strangers sent to sign in."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.routing import APIRoute
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api.console.render import render_error
from api.errors import ApiError


class GoTo(Exception):
    """Ends a request by sending the browser elsewhere (303)."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


class PageRoute(APIRoute):
    """What handlers of pages raise becomes a page that says what happened and what to do."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_page(request: Request) -> Response:
            try:
                return await handle(request)
            except GoTo as there:
                return RedirectResponse(there.url, 303)
            except ApiError as error:
                return render_error(request, error.status, error.body, headers=error.headers)
            except RequestValidationError:
                return render_error(request, 400, {"error": "validation_error"})
            except (OperationalError, PoolTimeout):
                return render_error(
                    request, 503, {"error": "database_unavailable"}, headers={"retry-after": "5"}
                )

        return handle_page


def page_router(prefix: str = "") -> APIRouter:
    """A router of pages; none of them is part of the API's description."""
    return APIRouter(prefix=prefix, route_class=PageRoute, include_in_schema=False)
