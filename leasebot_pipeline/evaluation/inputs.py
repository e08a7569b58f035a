"""From a labelled case to what the provider and the policy are asked in the pipeline."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import uuid5
from zoneinfo import ZoneInfo

from leasebot_pipeline.domain.decisions import DecisionInput
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.domain.slots import Slot
from leasebot_pipeline.evaluation.cases import LabelledCase
from leasebot_pipeline.evaluation.slot_labels import REFERENCE, UNIT, same_slot

UNIT_LABEL: Final = "Garden Row 4B"
_ZONE: Final = "America/New_York"
_AGENT: Final = "Dana"
_FREE: Final = ((1, 18), (2, 12), (3, 18), (5, 11), (6, 14), (8, 17))
"""Free visits: days from the start and the hour."""


def decision_input(case: LabelledCase) -> DecisionInput:
    """The waiting conversation of a case: the message is new, what is prior is history.

    Slots are always free: the offered ones first, then others on later days.
    """
    prior = case.prior or ()
    offer = case.open_offer
    wrote_before = any(message.direction is Direction.OUTBOUND for message in prior)
    if case.prior is None:
        # A file that names an offer but tells no history: somebody must have made the offer.
        wrote_before = bool(offer)
    return DecisionInput(
        conversation_id=uuid5(UNIT, case.id),
        platform=case.platform,
        lead_name=case.lead_name,
        unit_label=case.unit or UNIT_LABEL,
        unit_number=None,
        new_messages=case.body,
        history=tuple((message.direction, message.body) for message in prior),
        slots=_free(case),
        open_offer=offer,
        has_recent_outbound=wrote_before,
        last_intent=case.last_intent.value if case.last_intent else None,
        workflow_state="showing" if case.showing_state else "lead",
        workflow_outcome=None,
        showing_state=case.showing_state.value if case.showing_state else None,
        age_s=60.0,
    )


def _free(case: LabelledCase) -> tuple[Slot, ...]:
    known = list(case.offered_slots)
    if case.pending_slot and not any(same_slot(case.pending_slot, slot) for slot in known):
        known.insert(0, case.pending_slot)
    zone = known[0].timezone if known else _ZONE
    first = max((slot.starts_at.astimezone(ZoneInfo(zone)).date() for slot in known), default=REFERENCE)
    return (*known, *(_visit(first, days, hour, zone) for days, hour in _FREE))


def _visit(first: date, days: int, hour: int, zone: str) -> Slot:
    start = datetime.combine(first, time(hour), ZoneInfo(zone)) + timedelta(days=days)
    return Slot(start, start + timedelta(minutes=30), zone, uuid5(UNIT, _AGENT), _AGENT, UNIT)
