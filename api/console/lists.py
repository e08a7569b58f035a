"""Lists in pages of a fixed number of rows, with filters in the address."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

_MOST_PAGES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Pages:
    """Where a list stands. ``url`` gives the address of the list with another ``page``."""

    page: int
    total: int
    rows: int
    url: Callable[..., str]

    @property
    def count(self) -> int:
        return max(1, -(-self.total // self.rows), self.page)

    @property
    def summary(self) -> str:
        return f"{self.page} / {self.count}"

    @property
    def previous(self) -> str | None:
        return self.url(page=self.page - 1 if self.page > 2 else None) if self.page > 1 else None

    @property
    def next(self) -> str | None:
        return self.url(page=self.page + 1) if self.page * self.rows < self.total else None


def page_number(text: str | None) -> int:
    """A page of the address, the first for what is none."""
    if not text or not text.isdecimal() or len(text) > 6:
        return 1
    return min(max(int(text), 1), _MOST_PAGES)


def known(value: str | None, allowed: Iterable[str]) -> str:
    """A value of the address out of a closed list; empty for any other."""
    return value if value in tuple(allowed) and value is not None else ""


def searched(text: str | None) -> str:
    """What somebody typed into a search box."""
    return (text or "").replace("\x00", "").strip()[:100]
