"""What is refused before any handler runs: writes from foreign pages, and bodies that are too large."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.config import ApiConfig
from api.edge.answers import error_answer
from api.errors import AUTH_PATH

MAX_BODY_BYTES: Final = 1_000_000
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FOREIGN: Final = "This was sent from an address that is not trusted here, so nothing was done. Open the console at its own."
_TOO_LARGE: Final = f"The body may have at most {MAX_BODY_BYTES} bytes."


class OriginGuard:
    """Refuses a write that a page of an untrusted origin makes with the user's cookie.

    Browsers name the page's origin on every write. Programs name none; they hold no one else's cookie.
    """

    def __init__(self, app: ASGIApp, config: ApiConfig) -> None:
        self._app = app
        self._trusted = config.write_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] == "http"
            and scope["method"] not in _READS
            and not self._allowed(Headers(scope=scope))
        ):
            if scope["path"].startswith(AUTH_PATH):
                body = {"code": "INVALID_ORIGIN", "message": "Invalid origin"}
            else:
                body = {"error": "forbidden", "message": "Invalid origin"}
            await error_answer(scope, 403, body, said=_FOREIGN)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _allowed(self, headers: Headers) -> bool:
        site = headers.get("sec-fetch-site")
        if site == "same-origin":
            return True
        origin = headers.get("origin") or _origin_of(headers.get("referer"))
        if origin is None:
            return site in (None, "none")
        return origin in self._trusted


def _origin_of(referer: str | None) -> str | None:
    if not referer:
        return None
    parts = urlsplit(referer)
    return f"{parts.scheme}://{parts.netloc}"


class BodyLimit:
    """413 for a larger body, whether it declares its size or streams."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
            body = {"error": "payload_too_large", "message": _TOO_LARGE}
            said = "That is too much text for one form. Shorten it, then try again."
            await error_answer(scope, 413, body, said=said)(scope, receive, send)
            return
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                raise HTTPException(413, _TOO_LARGE)
            return message

        await self._app(scope, counting, send)
