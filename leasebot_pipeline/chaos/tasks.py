"""What a worker is told to do and what it tells back: plain values that cross a pipe."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from leasebot_pipeline.domain.platforms import Platform

TaskKind = Literal[
    "cycle",
    "listings",
    "calendars",
    "resume",
    "retry",
    "cap",
    "alerts",
    "tallies",
    "bill",
    "reply",
    "retention",
    "stop",
]
CommitFault = Literal["unsent", "unanswered"]


@dataclass(frozen=True, slots=True)
class BrowserPlace:
    """A browser's executable and where its sessions are kept."""

    executable: str
    data_dir: str


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker needs to build its pipeline. ``host`` is the machine it says it runs on."""

    database_url: str
    base_urls: dict[Platform, str]
    clock_file: str
    host: str
    webhook_url: str
    seed: int
    archive_dir: str
    """Where old audit rows go."""
    browser: BrowserPlace | None = None
    """A real browser; None is the connector without one."""


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work. ``commit_fault`` resets the connection in the ``commit_nth`` commit from now on."""

    kind: TaskKind
    platform: Platform | None = None
    armed: str | None = None
    commit_fault: CommitFault | None = None
    commit_nth: int = 1
    skew_s: float = 0.0
    value: int | None = None
    host: str | None = None
    """Only a worker on that host does it."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a task. ``passed``: the armed crash point was, as often as it took. ``free``: no other worker had the account."""

    kind: TaskKind
    platform: Platform | None
    began_at: datetime
    ended_at: datetime
    passed: bool
    free: bool
    error: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    surprise: str | None = None
    """The traceback of an error that no fault of the play explains."""
