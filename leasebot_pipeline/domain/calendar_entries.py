"""A showing as a calendar shows it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from leasebot_pipeline.domain.showings import ShowingState


@dataclass(frozen=True, slots=True)
class CalendarEntry:
    """``sequence`` grows with every change of time, agent or status. ``held`` is not confirmed by the lead yet."""

    id: UUID
    starts_at: datetime
    ends_at: datetime
    status: ShowingState
    held: bool
    sequence: int
    created_at: datetime
    updated_at: datetime
    unit: str
    address: str | None = None
    lead_name: str | None = None
    agent_name: str | None = None


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody an invite is from or for."""

    name: str
    email: str
