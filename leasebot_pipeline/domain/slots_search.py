"""The slot search: which visits of a unit are free, which of them to offer, which lie nearest to a wish. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from leasebot_pipeline.domain.slots import AgentWindow, Appointment, Assignment, Slot, UnitWindow
from leasebot_pipeline.domain.slots_policy import SlotPolicy

DEFAULT_LIMIT = 6


@dataclass(frozen=True, slots=True)
class UnitCalendar:
    """Everything that decides which visits of ONE unit are free.

    ``appointments`` are those of the unit (whoever shows it) and those of its agents (whatever they show),
    without cancelled ones and without holds that ran out; they reach back over the agents' whole current day.
    """

    unit_id: UUID
    windows: Sequence[UnitWindow] = ()
    assignments: Sequence[Assignment] = ()
    agent_windows: Sequence[AgentWindow] = ()
    appointments: Sequence[Appointment] = ()


def free_slots(
    calendar: UnitCalendar,
    policy: SlotPolicy,
    now: datetime,
    *,
    ignoring_conversation: UUID | None = None,
) -> tuple[Slot, ...]:
    """Every free visit, one per agent and instant, by start, priority and agent."""
    raise NotImplementedError


def candidates(
    calendar: UnitCalendar,
    policy: SlotPolicy,
    now: datetime,
    limit: int = DEFAULT_LIMIT,
    *,
    assigned_agent_id: UUID | None = None,
    ignoring_conversation: UUID | None = None,
) -> tuple[Slot, ...]:
    """The visits of one unit worth offering, best first, at most ``limit``, one per instant.

    ``ignoring_conversation`` leaves out the conversation's own showings, which a rebooking would free.
    """
    raise NotImplementedError


def nearest(
    calendar: UnitCalendar,
    policy: SlotPolicy,
    now: datetime,
    wanted: datetime,
    limit: int = 3,
    *,
    assigned_agent_id: UUID | None = None,
    ignoring_conversation: UUID | None = None,
) -> tuple[Slot, ...]:
    """The free visits whose start lies nearest to the wanted instant, nearest first, one per instant."""
    raise NotImplementedError
