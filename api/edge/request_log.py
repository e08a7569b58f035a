"""Outermost layer: a request id on every request, one log line and one measurement when it is done."""

from __future__ import annotations

import re
import time
from typing import Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import UNMATCHED, RequestMetrics

_USABLE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PROBES: Final = frozenset({"/health", "/ready", "/metrics"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
log = structlog.get_logger("api.request")


class RequestLog:
    """Takes the caller's x-request-id when it is short and plain, else makes one; logs no query text."""

    def __init__(self, app: ASGIApp, requests: RequestMetrics) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _USABLE_ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, sending)
            finally:
                seconds = time.perf_counter() - started
                self._requests.seen(_method(scope), _template(scope), status, seconds)
                tell = log.debug if scope["path"] in _PROBES else log.info
                tell(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    duration_ms=round(seconds * 1000, 1),
                )


def _method(scope: Scope) -> str:
    """The method; one made up by a stranger is not a label of its own."""
    method: str = scope["method"]
    return method if method in _METHODS else "other"


def _template(scope: Scope) -> str:
    """The route's path as it was declared, with names where a request has ids."""
    path: str | None = getattr(scope.get("route"), "path", None)
    return path or UNMATCHED
