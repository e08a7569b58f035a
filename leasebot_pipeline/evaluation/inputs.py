"""From a labelled case to what the provider and the policy are asked in the pipeline."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from uuid import uuid5
from zoneinfo import ZoneInfo

from leasebot_pipeline.domain.decisions import DecisionInput
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.domain.showings import ShowingState
from leasebot_pipeline.domain.slots import Slot
from leasebot_pipeline.evaluation.cases import LabelledCase
from leasebot_pipeline.evaluation.slot_labels import REFERENCE, UNIT, same_slot

UNIT_LABEL: Final = "Garden Row 4B"
_ZONE: Final = "America/New_York"
_AGENT: Final = "Dana"
_HOURS: Final = (9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19)
_DAYS: Final = range(1, 11)
_BEST: Final = ((1, 18), (2, 12), (3, 18), (5, 11), (6, 14), (8, 17))
"""Free visits that are offered first: days from the start and the hour."""


def decision_input(case: LabelledCase) -> DecisionInput:
    """The waiting conversation of a case: the message is new, what is prior is history.

    Slots are always free: the offered ones first, then others on later days. Without ``asked_at`` a message
    that answers an offer has no clock, so that relative days name nothing; any other is written on the
    reference day.
    """
    prior = case.prior or ()
    offer = case.open_offer
    wrote_before = any(message.direction is Direction.OUTBOUND for message in prior)
    if case.prior is None:
        # A file that names an offer but tells no history: somebody must have made the offer.
        wrote_before = bool(offer)
    state = case.showing_state or (ShowingState.CONFIRMED if case.showing else None)
    best, free = _slots(case)
    return DecisionInput(
        conversation_id=uuid5(UNIT, case.id),
        platform=case.platform,
        lead_name=case.lead_name,
        unit_label=case.unit or UNIT_LABEL,
        unit_number=None,
        new_messages=case.body,
        history=tuple((message.direction, message.body) for message in prior),
        slots=best,
        open_offer=offer,
        has_recent_outbound=wrote_before,
        last_intent=case.last_intent.value if case.last_intent else None,
        workflow_state="showing" if state else "lead",
        workflow_outcome=None,
        showing_state=state.value if state else None,
        age_s=60.0,
        asked_at=case.asked_at or (None if offer else _at(REFERENCE, 10, _ZONE)),
        held_position=1 if case.pending_slot else None,
        showing=case.showing,
        free_slots=free,
    )


def _slots(case: LabelledCase) -> tuple[tuple[Slot, ...], tuple[Slot, ...]]:
    """The slots worth offering, and all that are free."""
    known = list(case.offered_slots)
    if case.pending_slot and not any(same_slot(case.pending_slot, slot) for slot in known):
        known.insert(0, case.pending_slot)
    dated = [*known, *([case.showing] if case.showing else [])]
    zone = dated[0].timezone if dated else _ZONE
    first = max((slot.starts_at.astimezone(ZoneInfo(zone)).date() for slot in dated), default=REFERENCE)
    best = (*known, *_calendar(first, zone)[0])
    taken = {(slot.starts_at, slot.ends_at) for slot in best}
    later = (slot for slot in _calendar(first, zone)[1] if (slot.starts_at, slot.ends_at) not in taken)
    return best, (*best, *later)


@lru_cache(maxsize=256)
def _calendar(first: date, zone: str) -> tuple[tuple[Slot, ...], tuple[Slot, ...]]:
    """The free visits after a day: those offered first, and one for each hour."""
    return (
        tuple(_visit(first, days, hour, zone) for days, hour in _BEST),
        tuple(_visit(first, days, hour, zone) for days in _DAYS for hour in _HOURS),
    )


def _visit(first: date, days: int, hour: int, zone: str) -> Slot:
    start = _at(first + timedelta(days=days), hour, zone)
    return Slot(start, start + timedelta(minutes=30), zone, uuid5(UNIT, _AGENT), _AGENT, UNIT)


def _at(day: date, hour: int, zone: str) -> datetime:
    return datetime.combine(day, time(hour), ZoneInfo(zone))
