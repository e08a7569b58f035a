"""ETag and If-Match: two operators can't overwrite each other unknowingly."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Header, Response

from api.errors import ApiError

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match", description="ETag of the version that was edited; 412 when it is no longer current"
    ),
]


def etag(updated_at: datetime) -> str:
    """The version of a row: its last change, to the microsecond."""
    return f'"{int(updated_at.timestamp() * 1_000_000):x}"'


def set_etag(response: Response, updated_at: datetime) -> None:
    response.headers["etag"] = etag(updated_at)


def check_match(if_match: str | None, updated_at: datetime) -> None:
    """Raises 412 unless the given version is the stored one; without a version nothing is compared."""
    check_version(if_match, etag(updated_at))


def check_version(if_match: str | None, current: str) -> None:
    """As ``check_match``, for a version of another kind."""
    if if_match is None or if_match.strip() == "*":
        return
    if current not in [part.strip() for part in if_match.split(",")]:
        raise ApiError(
            412,
            {"error": "precondition_failed", "message": "Somebody changed this meanwhile: load it again."},
            {"etag": current},
        )
