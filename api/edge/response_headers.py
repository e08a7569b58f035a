"""Headers of every answer: CORS, no caching, what keeps a browser from misusing it, and a renewed session's cookie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.config import ApiConfig

_SECURITY: Final = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-site",
}


class ResponseHeaders:
    """Adds the headers a route did not set itself, and answers every OPTIONS with 204."""

    def __init__(self, app: ASGIApp, config: ApiConfig) -> None:
        self._app = app
        self._origins = frozenset(config.trusted_origins)
        self._defaults = dict(_SECURITY)
        if config.secure:
            self._defaults["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = Headers(scope=scope).get("origin")

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                self._add(headers, origin)
                _carry_session(headers, scope.get("state", {}).get("session_lines", ()))
            await send(message)

        if scope["method"] == "OPTIONS":
            await sending({"type": "http.response.start", "status": 204, "headers": []})
            await sending({"type": "http.response.body", "body": b""})
            return
        await self._app(scope, receive, sending)

    def _add(self, headers: MutableHeaders, origin: str | None) -> None:
        for name, value in self._defaults.items():
            headers.setdefault(name, value)
        headers["access-control-allow-methods"] = "GET,POST,PUT,DELETE,OPTIONS"
        headers["access-control-allow-headers"] = "content-type,authorization"
        if origin in self._origins:
            headers["access-control-allow-origin"] = origin
            headers["access-control-allow-credentials"] = "true"
            headers.add_vary_header("Origin")


def _carry_session(headers: MutableHeaders, lines: Sequence[str]) -> None:
    """Send the cookies of a session that was renewed on the way, except those the answer sets or ends itself."""
    told = {line.partition("=")[0] for line in headers.getlist("set-cookie")}
    for line in lines:
        if line.partition("=")[0] not in told:
            headers.append("set-cookie", line)
