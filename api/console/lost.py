"""Addresses below the console that lead nowhere. Registered last."""

from __future__ import annotations

from fastapi.responses import RedirectResponse, Response

from api.console.access import Viewer, home_of
from api.console.routes import page_router
from api.errors import not_found

router = page_router()


@router.get("/admin")
@router.get("/agent")
async def start(viewer: Viewer) -> Response:
    return RedirectResponse(home_of(viewer.role), 303)


@router.get("/admin/{_rest:path}")
@router.get("/agent/{_rest:path}")
async def lost(_: Viewer) -> Response:
    raise not_found()
