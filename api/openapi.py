"""The OpenAPI document: what the code really answers with."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_TAGS = [
    {"name": "health", "description": "For probes: alive, ready."},
    {
        "name": "auth",
        "description": "Sign-in with a session cookie, as Better Auth's browser client expects it.",
    },
    {"name": "session", "description": "Who is signed in."},
    {"name": "calendars", "description": "Showings as calendar files, at secret addresses."},
    {"name": "observability", "description": "What the system did, and how it stands. Administrators only."},
]


def describe(app: FastAPI) -> dict[str, Any]:
    """The document of ``app``, built once. Invalid requests answer 400 here, never FastAPI's 422."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, summary=app.summary, routes=app.routes, tags=_TAGS
        )
        for path in document["paths"].values():
            for operation in path.values():
                invalid = operation["responses"].get("422")
                if invalid is not None and invalid["description"] == "Validation Error":
                    del operation["responses"]["422"]
        for unused in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(unused, None)
        app.openapi_schema = document
    return app.openapi_schema
