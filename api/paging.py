"""Pages by key: `limit` and `cursor` of a list, `nextCursor` of its answer."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Query

from api.errors import validation_error

DEFAULT_LIMIT: Final = 200
MAX_LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class Page:
    """At most ``limit`` rows after the one whose sort key is ``after`` (JSON values), from the first when None."""

    limit: int
    after: tuple[str | int | None, ...] | None

    def key(self, *kinds: type) -> tuple[str | int | None, ...] | None:
        """The key when its parts are of these kinds (str, int, datetime or UUID, the latter two as text).

        Raises 400 for a cursor of another list.
        """
        if self.after is None:
            return None
        try:
            if len(self.after) != len(kinds):
                raise ValueError
            for part, kind in zip(self.after, kinds, strict=True):
                _check(part, kind)
        except ValueError:
            raise validation_error(["cursor: must be a nextCursor of this list"]) from None
        return self.after


def _check(part: object, kind: type) -> None:
    if kind is int:
        if not isinstance(part, int) or not 0 <= part < 2**63:
            raise ValueError
    elif not isinstance(part, str) or "\x00" in part:
        raise ValueError
    elif kind is UUID:
        UUID(part)
    elif kind is datetime and datetime.fromisoformat(part).tzinfo is None:
        raise ValueError


def encode(key: tuple[str | int | None, ...]) -> str:
    """An opaque cursor that stands for the row with this sort key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[str | int | None, ...]:
    """Raises ValueError for what ``encode`` did not make."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        raise ValueError("must be a nextCursor of an earlier answer") from None
    if not isinstance(key, list) or not all(isinstance(part, str | int | None) for part in key):
        raise ValueError("must be a nextCursor of an earlier answer")
    return tuple(key)


async def page(
    limit: Annotated[
        str | None, Query(description=f"rows at most: 1..{MAX_LIMIT}, default {DEFAULT_LIMIT}; clamped")
    ] = None,
    cursor: Annotated[str | None, Query(description="nextCursor of the page before")] = None,
) -> Page:
    """The page asked for; a limit that is no integer has the default, a foreign cursor is a 400."""
    try:
        rows = int(limit) if limit and "_" not in limit else DEFAULT_LIMIT
    except ValueError:
        rows = DEFAULT_LIMIT
    after = None
    if cursor:
        try:
            after = decode(cursor)
        except ValueError as error:
            raise validation_error([f"cursor: {error}"]) from None
    return Page(min(max(rows, 1), MAX_LIMIT), after)


PageQuery = Annotated[Page, Depends(page)]
