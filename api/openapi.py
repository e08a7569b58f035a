"""The OpenAPI document: what the code really answers with."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi

_TAGS: Final = [
    ("health", "For probes and scrapers: alive, ready, figures."),
    ("auth", "Sign-in with a session cookie, as Better Auth's browser client expects it."),
    ("session", "Who is signed in."),
    ("observability", "What the system did, and how it stands. Administrators only."),
    ("platforms", "Accounts: switches, credentials by reference, health, visits. Administrators only."),
    ("people", "Logins and invitations."),
    ("templates", "Reply templates and the rules that send them."),
    ("units", "Units, agents, and who shows what. Agents see their own."),
    ("listings", "Listings as people manage them."),
    ("availability", "Calendars of units and agents, and what can be offered."),
    ("calendars", "Calendar files."),
    ("showings", "Showings: booked once, moved, carried to an end. Agents see their own."),
    ("inbox", "Conversations, replies, drafts, workflow. Agents see what they are in charge of."),
    ("decisions", "Why this reply?"),
    ("operations", "Replies in doubt or given up, kill switches, stopped accounts. Administrators only."),
    ("release", "Shadow, canary, full: stage, gate, promotion, rollback. Administrators only."),
    ("audit", "Who did what, when. Administrators only."),
    ("privacy", "A lead's personal data. Administrators only."),
]
_ERRORS: Final = {
    "400": ("A field is missing or breaks a rule; `details` names each", "validation_error"),
    "401": ("Not signed in", "unauthorized"),
    "403": ("The role or its scope does not allow it", "forbidden"),
    "404": ("Not there, or not the caller's", "not_found"),
    "429": ("Too many requests; `retry-after` says how long to wait", "rate_limited"),
}
_PUBLIC: Final = (
    "/health",
    "/ready",
    "/metrics",
    "/api/auth/",
    "/api/invitations/",
    "/api/calendar-feeds/",
    "/api/me",
)


def serve(app: FastAPI, path: str) -> None:
    """Answer with the document at ``path``. Building it takes seconds, so it is built when first asked for, in a thread."""
    made: list[bytes] = []
    one_at_a_time = asyncio.Lock()

    async def document(_: Request) -> Response:
        async with one_at_a_time:
            if not made:
                made.append(await asyncio.to_thread(lambda: json.dumps(describe(app)).encode()))
        return Response(made[0], media_type="application/json")

    app.add_route(path, document, include_in_schema=False)


def describe(app: FastAPI) -> dict[str, Any]:
    """The document of ``app``, built once. Invalid requests answer 400 here, never FastAPI's 422."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            routes=app.routes,
            tags=[{"name": name, "description": about} for name, about in _TAGS],
        )
        schemas = document["components"]["schemas"]
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        schemas["Error"] = {
            "type": "object",
            "required": ["error"],
            "properties": {
                "error": {"type": "string", "description": "a stable code"},
                "message": {"type": "string"},
                "details": {"type": ["array", "null"], "items": {"type": "string"}},
            },
        }
        document["components"]["securitySchemes"] = {
            "session": {"type": "apiKey", "in": "cookie", "name": "better-auth.session_token"}
        }
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                _describe(path, method, operation)
        app.openapi_schema = document
    return app.openapi_schema


def _describe(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    invalid = responses.get("422")
    if invalid is not None and invalid["description"] == "Validation Error":
        del responses["422"]
    if path.startswith(_PUBLIC):
        return
    operation["security"] = [{"session": []}]
    for status, (about, code) in _ERRORS.items():
        if status == "429" and method == "get":
            continue
        responses.setdefault(status, {"description": about} | _error(code))
    for status, answer in responses.items():
        if status.startswith(("4", "5")) and "content" not in answer:
            answer.update(_error(answer.get("description", "").split(",")[0].split(";")[0].split(":")[0]))


def _error(code: str) -> dict[str, Any]:
    return {
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Error"},
                "examples": {"example": {"value": {"error": code}}},
            }
        }
    }
