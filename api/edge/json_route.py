"""How a request's body is read: as JSON whatever it is called, an empty one as an empty object."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

_CONTENT_TYPE: Final = (b"content-type", b"application/json")


class _JsonRequest(Request):
    async def body(self) -> bytes:
        return await super().body() or b"{}"


class JsonRoute(APIRoute):
    """By contract the body is JSON: its content type is not looked at, and no body means ``{}``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            if request.method in ("GET", "HEAD"):
                return await handle(request)
            headers = [(name, value) for name, value in request.scope["headers"] if name != b"content-type"]
            scope = {**request.scope, "headers": [*headers, _CONTENT_TYPE]}
            return await handle(_JsonRequest(scope, request.receive))

        return handle_json


def json_router(prefix: str, tag: str) -> APIRouter:
    """A router of JSON endpoints."""
    return APIRouter(prefix=prefix, tags=[tag], route_class=JsonRoute)
