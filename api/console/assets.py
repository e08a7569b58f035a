"""Files browsers load: scripts, styles, icons. Served by us, kept by the browser for as long as they stay the same."""

from __future__ import annotations

import mimetypes
from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from api.console.pieces import STATIC

router = APIRouter(include_in_schema=False)
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_NAMES: Final = frozenset(path.name for path in STATIC.iterdir())


@router.get("/console/static/{name}")
async def static_file(name: str) -> Response:
    if name not in _NAMES:
        return Response(status_code=404)
    kind, _ = mimetypes.guess_type(name)
    return FileResponse(STATIC / name, media_type=kind, headers={"cache-control": _FOR_EVER})
