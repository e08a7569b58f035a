"""The handshake's effects, in the transaction of their decisions: book, hold, move, cancel, offer.

A booking that is refused (somebody was faster) changes its decision: alternatives are offered instead of a
confirmation. Set by set: a batch takes a bounded number of statements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from sqlalchemy import Connection

from leasebot_pipeline.domain.decisions import WorkflowOutcome
from leasebot_pipeline.domain.handshake_plan import HandshakePlan, Move, ShowingText
from leasebot_pipeline.domain.showings import ShowingState
from leasebot_pipeline.domain.slot_offers import OfferState
from leasebot_pipeline.domain.slots import Slot, label
from leasebot_pipeline.domain.workflow_changes import KEEP, workflow_patch
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import booking, slot_offers, transitions
from leasebot_pipeline.storage.booking import (
    BookingRequest,
    BookingResult,
    HoldRelease,
    Reschedule,
    StatusChange,
)
from leasebot_pipeline.storage.slot_offers import OfferChange
from leasebot_pipeline.storage.transitions import Actor, TransitionRequest

if TYPE_CHECKING:
    from leasebot_pipeline.stages.decide import PlannedDecision

SOURCE = "ai_outcome_decision"
TRIGGER = "ai_outcome_persistence"


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of the batch: its decisions as they stand, and how often each thing was done."""

    items: tuple[PlannedDecision, ...]
    changed: tuple[PlannedDecision, ...] = ()
    """Decisions that came out otherwise than planned."""
    made: frozenset[UUID] = frozenset()
    """Decisions that already have an offer of their own, at position 1."""
    confirmed: int = 0
    held: int = 0
    rescheduled: int = 0
    cancelled: int = 0
    conflicts: int = 0


def lock(conn: Connection, items: Sequence[PlannedDecision]) -> None:
    """All locks the batch will need, before its first write."""
    slots = [plan.slot for item in items if (plan := item.outcome.handshake) and plan.slot is not None]
    booking.lock(
        conn,
        [item.conversation.id for item in items],
        [slot.agent_id for slot in slots if slot.agent_id is not None],
        [slot.unit_id for slot in slots],
    )


def carry_out(
    conn: Connection,
    pipeline: Pipeline,
    items: Sequence[PlannedDecision],
    otherwise: Callable[[PlannedDecision, Slot], PlannedDecision],
    now: datetime,
    run_id: str | None,
) -> Carried:
    """Do what the decisions plan. ``otherwise`` remakes a decision whose slot could not be had."""
    policy = pipeline.policy
    made = _offer_what_is_taken_up(conn, items, now)
    wanted = [item for item in items if _slot(item) is not None]
    until = {
        item.id: now + (policy.hold if item.outcome.outcome == "send" else policy.draft_hold)
        for item in wanted
    }
    held = [item for item in wanted if _holds(item)]
    moved = [item for item in wanted if not _holds(item) and _plan(item).moves_showing]
    fresh = [item for item in wanted if not _holds(item) and not _plan(item).moves_showing]
    placed = held + fresh
    requests = [_request(item, until[item.id] if _holds(item) else None, run_id) for item in placed]
    results: dict[UUID, BookingResult] = dict(
        zip(
            (item.id for item in placed),
            booking.book(conn, requests, policy.slots, now, audit_refusals=False),
            strict=True,
        )
    )
    moves = booking.reschedule(conn, [_move(item, run_id) for item in moved], policy.slots, now)
    results |= {item.id: result for item, result in zip(moved, moves, strict=True)}
    refused = {item.id for item in wanted if not results[item.id].stands}
    stand = tuple(
        _remade(item, otherwise) if item.id in refused else _as_it_came(item, results.get(item.id))
        for item in items
    )
    by_id = {item.id: item for item in stand}
    booking.audit_refused(
        conn,
        [
            (request, results[item.id], len(by_id[item.id].outcome.slots_offered))
            for item, request in zip(placed, requests, strict=True)
            if item.id in refused
        ],
    )
    cancelled = _cancel(conn, stand, now, run_id)
    changed = tuple(item for item, planned in zip(stand, items, strict=True) if item is not planned)
    return Carried(
        items=stand,
        changed=changed,
        made=made,
        confirmed=sum(item.id not in refused for item in fresh),
        held=sum(item.id not in refused for item in held),
        rescheduled=sum(item.id not in refused for item in moved),
        cancelled=cancelled,
        conflicts=len(refused),
    )


def make_offers(conn: Connection, carried: Carried, now: datetime, run_id: str | None) -> None:
    """Store what the replies offer anew; earlier offers and holds of those conversations end."""
    offering = [item for item in carried.items if _offers_anew(item)]
    declined = {
        item.id for item in offering if item.verdict.workflow_outcome is WorkflowOutcome.WANTS_RESCHEDULE
    }
    slot_offers.change(
        conn,
        [
            OfferChange(
                OfferState.DECLINED if item.id in declined else OfferState.SUPERSEDED,
                conversation_id=item.conversation.id,
                message_id=item.inbound_message_id,
                actor=_actor(item),
                run_id=run_id,
            )
            for item in offering
        ],
        now,
    )
    booking.release_holds(
        conn,
        [
            HoldRelease(
                conversation_id=item.conversation.id,
                offer="declined" if item.id in declined else "superseded",
                reason="lead_declined" if item.id in declined else "newer_offer",
                message_id=item.inbound_message_id,
                actor=_actor(item),
                run_id=run_id,
            )
            for item in offering
        ],
        now,
    )
    slot_offers.offer(
        conn,
        [
            _offer_row(item, slot, position)
            for item in offering
            for position, slot in enumerate(
                item.outcome.slots_offered, start=2 if item.id in carried.made else 1
            )
        ],
        now,
    )


def move_workflows(
    conn: Connection, items: Sequence[PlannedDecision], now: datetime, run_id: str | None
) -> None:
    """Let conversations follow their decisions; those that booked or cancelled have done so already."""
    showings = [item for item in items if _asks_to_move(item)]
    booking.change_status(
        conn,
        [
            StatusChange(
                ShowingState.RESCHEDULE_REQUESTED,
                conversation_id=item.conversation.id,
                message_id=item.inbound_message_id,
                actor=_actor(item),
                run_id=run_id,
            )
            for item in showings
        ],
        now,
    )
    transitions.transition(
        conn,
        [
            TransitionRequest(
                item.conversation.id,
                # Showings and their conversations move together, through the bookings.
                replace(workflow_patch(item.workflow, item.conversation.showing_state), showing_state=KEEP),
                source=SOURCE,
                trigger=TRIGGER,
                actor=_actor(item),
                message_id=item.inbound_message_id,
                run_id=run_id,
                reopen=item.workflow.reopen_first,
            )
            for item in items
            if item.workflow is not None and not _asks_to_move(item)
        ],
        now,
    )


def _plan(item: PlannedDecision) -> HandshakePlan:
    plan = item.outcome.handshake
    assert plan is not None
    return plan


def _slot(item: PlannedDecision) -> Slot | None:
    plan = item.outcome.handshake
    return plan.slot if plan is not None and item.outcome.outcome in ("send", "draft") else None


def _holds(item: PlannedDecision) -> bool:
    """A reply that is only a draft books nothing yet: its approval does."""
    return _plan(item).move is Move.HOLD or item.outcome.outcome == "draft"


def _asks_to_move(item: PlannedDecision) -> bool:
    plan = item.outcome.handshake
    return (
        plan is not None and plan.text is ShowingText.RESCHEDULE and item.outcome.outcome in ("send", "draft")
    )


def _offers_anew(item: PlannedDecision) -> bool:
    plan = item.outcome.handshake
    if item.outcome.outcome not in ("send", "draft") or not item.outcome.slots_offered:
        return False
    return plan is None or plan.move is Move.OFFER


def _taken_up(item: PlannedDecision) -> UUID | None:
    """The offer that the slot to book or hold belongs to: an open one, or the one made for it."""
    plan = _plan(item)
    if plan.position is not None:
        known = item.offer.rows[plan.position - 1].id
        if known is not None:
            return known
    return uuid5(item.id, "offer:1")


def _offer_what_is_taken_up(
    conn: Connection, items: Sequence[PlannedDecision], now: datetime
) -> frozenset[UUID]:
    """A slot that was never offered, or whose offer has ended, gets an offer of its own, to be held or confirmed."""
    made: list[dict[str, object]] = []
    for item in items:
        slot = _slot(item)
        if slot is not None and _taken_up(item) == uuid5(item.id, "offer:1"):
            made.append({**_offer_row(item, slot, 1), "id": uuid5(item.id, "offer:1")})
    slot_offers.change(
        conn,
        [
            OfferChange(OfferState.SUPERSEDED, conversation_id=UUID(str(row["conversation_id"])))
            for row in made
        ],
        now,
    )
    slot_offers.offer(conn, made, now)
    return frozenset(UUID(str(row["decision_id"])) for row in made)


def _request(item: PlannedDecision, hold_until: datetime | None, run_id: str | None) -> BookingRequest:
    slot, conversation = _slot(item), item.conversation
    assert slot is not None
    assert slot.agent_id is not None  # held back by the policy otherwise
    return BookingRequest(
        idempotency_key=booking.booking_key(conversation.id, slot.starts_at, slot.ends_at, item.id),
        platform_account_id=conversation.platform_account_id,
        unit_id=slot.unit_id,
        agent_id=slot.agent_id,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        timezone=slot.timezone,
        conversation_id=conversation.id,
        listing_id=conversation.listing_id,
        source="lead_selection" if _plan(item).position is not None else "ai_outcome",
        metadata={
            "workflowOutcome": item.verdict.workflow_outcome.value,
            "workflowSource": SOURCE,
            "workflowMessageId": str(item.inbound_message_id),
            "selectedSlotIndex": _plan(item).position,
            "slotCandidate": {"label": label(slot), "agentName": slot.agent_name},
        },
        decision_id=item.id,
        slot_offer_id=_taken_up(item),
        message_id=item.inbound_message_id,
        hold_until=hold_until,
        actor=_actor(item),
        run_id=run_id,
    )


def _move(item: PlannedDecision, run_id: str | None) -> Reschedule:
    slot = _slot(item)
    assert slot is not None
    return Reschedule(
        idempotency_key=booking.booking_key(item.conversation.id, slot.starts_at, slot.ends_at, item.id),
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        timezone=slot.timezone,
        conversation_id=item.conversation.id,
        agent_id=slot.agent_id,
        decision_id=item.id,
        slot_offer_id=_taken_up(item),
        message_id=item.inbound_message_id,
        actor=_actor(item),
        run_id=run_id,
    )


def _remade(
    item: PlannedDecision, otherwise: Callable[[PlannedDecision, Slot], PlannedDecision]
) -> PlannedDecision:
    slot = _slot(item)
    assert slot is not None
    return otherwise(item, slot)


def _as_it_came(item: PlannedDecision, result: BookingResult | None) -> PlannedDecision:
    """A booking moves its conversation itself; what is only held moves nothing."""
    return item if result is None else replace(item, workflow=None)


def _cancel(conn: Connection, items: Sequence[PlannedDecision], now: datetime, run_id: str | None) -> int:
    calling_off = [
        item
        for item in items
        if item.outcome.outcome in ("send", "draft")
        and item.outcome.handshake is not None
        and item.outcome.handshake.move is Move.CANCEL
    ]
    results = booking.change_status(
        conn,
        [
            StatusChange(
                ShowingState.CANCELLED,
                conversation_id=item.conversation.id,
                workflow_outcome=WorkflowOutcome.NOT_INTERESTED,
                message_id=item.inbound_message_id,
                actor=_actor(item),
                run_id=run_id,
            )
            for item in calling_off
        ],
        now,
    )
    return sum(result.outcome == "booked" for result in results)


def _offer_row(item: PlannedDecision, slot: Slot, position: int) -> Mapping[str, object]:
    return {
        "conversation_id": item.conversation.id,
        "decision_id": item.id,
        "unit_id": slot.unit_id,
        **({"agent_id": slot.agent_id} if slot.agent_id else {}),
        "starts_at": slot.starts_at,
        "ends_at": slot.ends_at,
        "timezone": slot.timezone,
        "label": label(slot),
        "position": position,
    }


def _actor(item: PlannedDecision) -> Actor:
    agent = item.conversation.assigned_agent_id
    return Actor("worker", str(agent) if agent else None)
