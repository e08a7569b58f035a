"""A page's fingerprint: which selector found each part of it. A change tells drift before anything is lost.

Keys are the parts' names in camelCase as in adapter overrides; a value is the position of the selector that
finds the part, None when none does. Parts of rows are only there when there are rows: a page without rows
says nothing about them, so that emptiness is never taken for drift.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Fingerprint = Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class PageChange:
    """Parts that are found no more, and parts that another selector finds now."""

    lost: tuple[str, ...]
    moved: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.lost or self.moved)

    @property
    def summary(self) -> str:
        """In words, for the tick."""
        said = [f"found no more: {', '.join(self.lost)}"] if self.lost else []
        said += [f"found by another selector: {', '.join(self.moved)}"] if self.moved else []
        return "; ".join(said)


def page_change(before: Fingerprint, now: Fingerprint) -> PageChange:
    """What became of the parts that both fingerprints know."""
    common = [part for part in now if before.get(part) is not None]
    return PageChange(
        lost=tuple(sorted(part for part in common if now[part] is None)),
        moved=tuple(sorted(part for part in common if now[part] is not None and now[part] != before[part])),
    )


def merged(before: Fingerprint, now: Fingerprint) -> dict[str, int | None]:
    """What to remember: parts this page says nothing about keep what an earlier one said."""
    return {**before, **now}
