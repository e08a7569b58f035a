"""What addresses of the showings' pages ask for, and where a page of rows stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from api.auth.access import Scope
from api.console.render import query
from api.inputs import plain_uuid
from api.routes import showings as api
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES
from leasebot_pipeline.storage.showings import ShowingFilter
from leasebot_pipeline.storage.today import OUTCOME_ASKED_FOR

VIEWS: Final = ("list", "week", "month")
UNTOLD: Final = "untold"
"""Over, and nobody said what came of it: what Today asks about."""
_LIVE: Final = tuple(state.value for state in LIVE_SHOWING_STATES)


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address asks for; what can not be read counts as not given."""

    status: str = ""
    unit: UUID | None = None
    agent: UUID | None = None
    first: date | None = None
    last: date | None = None
    view: str = "list"
    day: date | None = None
    number: int = 1
    rules_number: int = 1
    times_number: int = 1
    exceptions: bool = False
    problem: str | None = None

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Filters:
        status, view = values.get("status", ""), values.get("view", "")
        first, last = day_of(values.get("from")), day_of(values.get("to"))
        reversed_days = first is not None and last is not None and last < first
        return cls(
            status=status if status in (*api.STATUSES, UNTOLD) else "",
            unit=id_of(values.get("unit")),
            agent=id_of(values.get("agent")),
            first=first,
            last=last,
            view=view if view in VIEWS else "list",
            day=day_of(values.get("day")),
            number=_number(values.get("page")),
            rules_number=_number(values.get("rules")),
            times_number=_number(values.get("times")),
            exceptions=values.get("only") == "exceptions",
            problem="From lies after To: no day is between them." if reversed_days else None,
        )

    def wanted(self, scope: Scope, now: datetime) -> ShowingFilter:
        untold = self.status == UNTOLD
        statuses = _LIVE if untold else (self.status,) if self.status else ()
        return ShowingFilter(
            statuses=statuses,
            begin=now - OUTCOME_ASKED_FOR if untold else None,
            over_by=now if untold else None,
            unit_id=self.unit,
            agent_id=scope.agent_id or self.agent,
            first_day=self.first,
            last_day=self.last,
            standing_at=now,
        )

    def address(self, path: str, **changed: object) -> str:
        """The page with these filters, some of them changed."""
        values: dict[str, object] = {
            "view": "" if self.view == "list" else self.view,
            "day": self.day,
            "status": self.status,
            "unit": self.unit,
            "agent": self.agent,
            "from": self.first,
            "to": self.last,
            "page": "" if self.number == 1 else self.number,
            "rules": "" if self.rules_number == 1 else self.rules_number,
            "times": "" if self.times_number == 1 else self.times_number,
            "only": "exceptions" if self.exceptions else "",
        }
        return query(path, **values | changed)


def day_of(text: str | None) -> date | None:
    """A date of the address; None when there is none, or none that can be read."""
    try:
        found = date.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found if found and 1970 <= found.year < 2200 else None


def id_of(text: str | None) -> UUID | None:
    try:
        return plain_uuid(text) if text else None
    except ValueError:
        return None


def _number(text: str | None) -> int:
    return min(int(text), 10_000) if text and text.isdecimal() and len(text) < 7 and int(text) else 1


@dataclass(frozen=True, slots=True)
class Paged:
    """Where a page of rows stands: ``summary`` is "p / n"."""

    number: int
    total: int
    size: int

    @property
    def pages(self) -> int:
        return max(-(-self.total // self.size), 1)

    @property
    def summary(self) -> str:
        return f"{self.number} / {self.pages}"

    @property
    def previous(self) -> int | None:
        return min(self.number - 1, self.pages) if self.number > 1 else None

    @property
    def next(self) -> int | None:
        return self.number + 1 if self.number < self.pages else None
