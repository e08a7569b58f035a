"""Why a time is not offered: every obstacle of one agent's visit at one instant, in order. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.domain.slots_search import UnitCalendar


class Obstacle(StrEnum):
    """Reasons, in the order in which they are told."""

    UNIT_UNKNOWN = "unit_unknown"
    UNIT_INACTIVE = "unit_inactive"
    AGENT_UNKNOWN = "agent_unknown"
    AGENT_NOT_ASSIGNED = "agent_not_assigned"
    AGENT_PASSIVE = "agent_passive"
    IN_THE_PAST = "in_the_past"
    SHORT_NOTICE = "short_notice"
    BEYOND_HORIZON = "beyond_horizon"
    UNIT_NOT_OPEN = "unit_not_open"
    UNIT_BLOCKED = "unit_blocked"
    AGENT_NOT_AVAILABLE = "agent_not_available"
    AGENT_UNAVAILABLE = "agent_unavailable"
    AGENT_BOOKED = "agent_booked"
    AGENT_BUFFER = "agent_buffer"
    UNIT_WITH_OTHER_AGENT = "unit_with_other_agent"
    SLOT_FULL = "slot_full"
    DAILY_CAP = "daily_cap"
    OFF_GRID = "off_grid"


@dataclass(frozen=True, slots=True)
class NotOffered:
    """One reason; ``detail`` says in words what stands in the way (times in UTC, no personal data)."""

    obstacle: Obstacle
    detail: str


def why_not_offered(
    calendar: UnitCalendar,
    policy: SlotPolicy,
    agent_id: UUID | None,
    instant: datetime,
    now: datetime,
    horizon: datetime | None = None,
    *,
    ignoring_conversation: UUID | None = None,
) -> tuple[NotOffered, ...]:
    """All reasons why a visit of that agent beginning at that instant is not free, in order; empty when it is.

    Empty exactly when ``free_slots`` holds that agent's slot at that instant.
    """
    raise NotImplementedError
