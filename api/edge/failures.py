"""An exception nobody expected: logged, audited as `api_error`, answered without its text."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.edge.answers import error_answer
from api.services import Services
from leasebot_pipeline.storage import audit

_SECRET_PARAMETERS: Final = frozenset({"token", "password", "secret", "code", "key"})
log = structlog.get_logger("api")


class Failures:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            log.info("client_disconnected", path=scope["path"])
        except Exception as error:
            log.exception("unexpected_error", method=scope["method"], path=scope["path"])
            await _record(scope, error)
            if started:
                raise
            request_id = scope["state"]["request_id"]
            message = f"Unexpected error; request {request_id} in the log tells more."
            body = {"error": "internal_error", "message": message}
            said = f"Something went wrong on our side. If it does so again: the log tells more under request {request_id}."
            await error_answer(scope, 500, body, said=said)(scope, receive, send)


async def _record(scope: Scope, error: Exception) -> None:
    services: Services = scope["app"].state.services
    method, path = scope["method"], scope["path"]
    query = {
        name: "[REDACTED]" if name.lower() in _SECRET_PARAMETERS else value
        for name, value in parse_qsl(scope["query_string"].decode("latin-1"))
    }
    entry = audit.AuditEntry(
        actor_type="system",
        entity_type="request",
        entity_id=f"{method} {path}",
        action="api_error",
        details={
            "method": method,
            "path": path,
            "query": query,
            "error": _describe(error),
            "requestId": scope["state"]["request_id"],
        },
    )
    try:
        await services.database.run(audit.record, [entry])
    except SQLAlchemyError:
        log.exception("audit_failed", action="api_error")


def _describe(error: Exception) -> str:
    """Class and text; of a database error only the server's own words, not the statement."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return f"{type(cause).__name__}: {cause}"[:500]
