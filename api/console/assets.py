"""Files browsers load: scripts, styles, icons. Served by us, kept by the browser for as long as they stay the same."""

from __future__ import annotations

import mimetypes
import re
from functools import cache
from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from api.console.pieces import STATIC

router = APIRouter(include_in_schema=False)
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_NAMES: Final = frozenset(path.name for path in STATIC.iterdir())
# Comments are for who reads the files here; they would be a tenth of a first page. Of the script, whole lines only.
_COMMENTS: Final = {
    "console.js": re.compile(r"^[ \t]*//.*\n", re.MULTILINE),
    "console.css": re.compile(r"/\*.*?\*/[ \t]*\n?", re.DOTALL),
}


@router.get("/console/static/{name}")
async def static_file(name: str) -> Response:
    if name not in _NAMES:
        return Response(status_code=404)
    kind, _ = mimetypes.guess_type(name)
    headers = {"cache-control": _FOR_EVER}
    if name in _COMMENTS:
        return Response(_without_comments(name), media_type=kind, headers=headers)
    return FileResponse(STATIC / name, media_type=kind, headers=headers)


@cache
def _without_comments(name: str) -> bytes:
    return _COMMENTS[name].sub("", (STATIC / name).read_text("utf-8")).encode()
