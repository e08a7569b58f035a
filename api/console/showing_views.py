"""Showings as pages lay them out: by day, in a week, in a month; what may be done with one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Final

from api.auth.access import ADMIN, Scope
from api.console import conversation_outcomes as ends
from api.console.times import Clock, zone_of
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES, SHOWING_TRANSITIONS, ShowingState
from leasebot_pipeline.storage.showing_news import News
from leasebot_pipeline.storage.showings import Showing

DAYS: Final = 7
_S: Final = ShowingState
A_DAY_OF_A_WEEK: Final = 12
A_DAY_OF_A_MONTH: Final = 2
"""How many showings of a day each shows; the others are counted, and a tap away."""


@dataclass(frozen=True, slots=True)
class Day:
    """A local day with its showings, or the first of them."""

    date: date
    showings: tuple[Showing, ...]
    over: bool = False
    total: int = 0
    """How many there are, where only the first are shown."""

    @property
    def more(self) -> int:
        return max(self.total - len(self.showings), 0)


@dataclass(frozen=True, slots=True)
class Step:
    """Something one tap does to a showing."""

    status: str
    label: str
    tone: str = ""
    question: str | None = None


def local_day(showing: Showing) -> date:
    """The day it begins on, where it is."""
    return showing.starts_at.astimezone(zone_of(showing.timezone)).date()


def by_day(showings: Iterable[Showing], now: datetime) -> list[Day]:
    """Days in the order their showings come in; what is over today stands apart from what is not."""
    grouped = groupby(showings, key=lambda s: (local_day(s), s.ends_at <= now))
    return [Day(day, tuple(found), over) for (day, over), found in grouped]


def first_of_week(day: date) -> date:
    """Its Sunday."""
    return day - timedelta(days=day.isoweekday() % 7)


def weeks(first: date, last: date, found: Mapping[date, tuple[Sequence[Showing], int]]) -> list[list[Day]]:
    """The weeks from a Sunday to a Saturday, each day with its first showings and how many it has."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    filled = [
        Day(day, tuple(shown), total=total) for day in days for shown, total in [found.get(day, ((), 0))]
    ]
    return [filled[n : n + DAYS] for n in range(0, len(filled), DAYS)]


def month_span(day: date) -> tuple[date, date]:
    """The Sunday and the Saturday between which the month of a day lies."""
    first = day.replace(day=1)
    last = next_month(first) - timedelta(days=1)
    return first_of_week(first), first_of_week(last) + timedelta(days=6)


def next_month(day: date) -> date:
    """The first of the month after."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def steps_of(showing: Showing, now: datetime) -> list[Step]:
    """What may be done next, as the state and the clock allow."""
    state = ShowingState(showing.status)
    if showing.hold_expires_at is not None and not showing.held(now):
        return []
    allowed = SHOWING_TRANSITIONS[state]
    steps = []
    if _S.CONFIRMED in allowed and showing.ends_at > now:
        steps.append(Step(_S.CONFIRMED, "Confirm", "primary"))
    if showing.starts_at <= now and showing.hold_expires_at is None:
        if _S.COMPLETED in allowed or ends.confirmed_first(state, _S.COMPLETED):
            steps.append(Step(_S.COMPLETED, "Completed", "primary"))
        if _S.NO_SHOW in allowed:
            steps.append(Step(_S.NO_SHOW, "No show"))
    if _S.CANCELLED in allowed:
        who = showing.lead_name or "the lead"
        asked = f"Cancel the showing of {showing.unit} with {who}? This can not be taken back."
        steps.append(Step(_S.CANCELLED, "Cancel showing", "danger", asked))
    return steps


def can_move(showing: Showing) -> bool:
    """Whether it can be given another time; a hold is confirmed or given up first."""
    return showing.hold_expires_at is None and ShowingState(showing.status) in LIVE_SHOWING_STATES


def telling(viewer: Scope, news: News) -> str:
    """The conversation, with a reply that says it filled in. Nothing is sent by that."""
    area = "admin" if viewer.role == ADMIN else "agent"
    return f"/{area}/inbox/{news.conversation_id}?say={news.what}#reply"


_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}Z")


def with_local_times(text: str, clock: Clock, timezone: str) -> str:
    """A reason whose instants are written as people of that zone say them."""
    told = _INSTANT.sub(lambda found: clock.moment(datetime.fromisoformat(found[0]), timezone), text)
    return told[:1].upper() + told[1:] + "."
