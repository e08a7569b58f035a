"""From a lead's answer to what is done about it: book, hold, ask back, offer other times, cancel. Pure.

The lead's own words decide, whichever provider read the message: a model's index alone is never booked, it is
held until the lead says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from leasebot_pipeline.domain.decisions import DecisionInput, Verdict, WorkflowOutcome
from leasebot_pipeline.domain.handshake import NO_ANSWER, Answer, AnswerKind, read_answer
from leasebot_pipeline.domain.handshake_times import Wish
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES
from leasebot_pipeline.domain.slots import Slot, distinct_by_label, zone


class Move(StrEnum):
    """What happens to slots and showings; each is written in one transaction with its reply."""

    BOOK = "book"
    HOLD = "hold"
    ASK = "ask"
    OFFER = "offer"
    CANCEL = "cancel"


class ShowingText(StrEnum):
    """Names of the reply templates; an account's own template of that name wins over the built-in one."""

    CONFIRMED = "showing_confirmed"
    HOLD = "showing_hold"
    WHICH_ONE = "showing_which_one"
    OTHER_TIMES = "showing_other_times"
    TAKEN = "showing_taken"
    RESCHEDULE = "showing_reschedule"
    RESCHEDULED = "showing_rescheduled"
    CANCELLED = "showing_cancelled"


@dataclass(frozen=True, slots=True)
class HandshakePlan:
    """What is done about an answer. ``slots`` are those the reply names, in its order."""

    move: Move
    text: ShowingText
    slots: tuple[Slot, ...]
    position: int | None = None
    """Where the slot to book or to hold stands in the open offer; None for one that was not offered."""
    strategy: str | None = None
    moves_showing: bool = False
    """The lead has a showing ahead that goes to the new time."""

    @property
    def slot(self) -> Slot | None:
        """The one slot that is booked or held."""
        return self.slots[0] if self.move in (Move.BOOK, Move.HOLD) else None

    @property
    def offers(self) -> tuple[Slot, ...]:
        """Slots the reply offers for the lead to choose from."""
        return self.slots if self.move in (Move.ASK, Move.OFFER, Move.HOLD) else ()


PENDING_STRATEGY: Final = "deterministic_arbitration"
CONFIRMED_STRATEGY: Final = "pending_slot_confirmation"
PICKED_STRATEGY: Final = "lead_selection"


def answer_of(question: DecisionInput) -> Answer:
    """How the new messages answer the open offer; NONE without an offer."""
    if not question.open_offer:
        return NO_ANSWER
    return read_answer(
        question.new_messages,
        question.open_offer,
        question.asked_at,
        held=question.held_position,
        gone=question.gone_positions,
        ours=[text for direction, text in question.history if direction is Direction.OUTBOUND],
    )


def plan_handshake(
    question: DecisionInput, verdict: Verdict, limit: int, *, taken: Slot | None = None
) -> HandshakePlan | None:
    """The plan, or None when the message is no step of the handshake (or nothing is free to offer).

    ``taken`` is a slot that could not be booked after all: others near it are offered instead.
    """
    if taken is not None:
        return _offer(question, _near(taken), ShowingText.TAKEN, limit, without=(taken,))
    if verdict.nothing_to_answer:
        return None
    answer = answer_of(question)
    match verdict.workflow_outcome:
        case WorkflowOutcome.SHOWING_CONFIRMED:
            return _agreed(question, verdict, answer, limit)
        case WorkflowOutcome.WANTS_RESCHEDULE if question.open_offer or _live(question):
            return _other_time(question, answer, limit)
        case WorkflowOutcome.NOT_INTERESTED if _live(question) and question.showing is not None:
            return HandshakePlan(Move.CANCEL, ShowingText.CANCELLED, (question.showing,))
        case WorkflowOutcome.HUMAN_REQUIRED if verdict.ambiguous and answer.fitting:
            asked = tuple(question.open_offer[position - 1] for position in answer.fitting[: max(limit, 1)])
            return HandshakePlan(Move.ASK, ShowingText.WHICH_ONE, asked)
        case _:
            return None


def _agreed(question: DecisionInput, verdict: Verdict, answer: Answer, limit: int) -> HandshakePlan | None:
    """The provider heard an agreement; what the lead's words name decides what is done."""
    offer = question.open_offer
    if not offer:
        return _hold_unoffered(question, verdict)
    if answer.kind in (AnswerKind.DECLINES, AnswerKind.PROPOSES):
        return _other_time(question, answer, limit)
    moves = _live(question)
    if answer.index in question.gone_positions:
        near = offer[(answer.index or 1) - 1]
        return _offer(question, _near(near), ShowingText.TAKEN, limit, without=(near,))
    if answer.index is not None and answer.firm:
        strategy = CONFIRMED_STRATEGY if answer.index == question.held_position else PICKED_STRATEGY
        text = ShowingText.RESCHEDULED if moves else ShowingText.CONFIRMED
        return HandshakePlan(Move.BOOK, text, (offer[answer.index - 1],), answer.index, strategy, moves)
    if answer.index is not None:
        return HandshakePlan(
            Move.HOLD, ShowingText.HOLD, (offer[answer.index - 1],), answer.index, PICKED_STRATEGY, moves
        )
    if answer.kind is AnswerKind.AMBIGUOUS and len(answer.fitting) > 1:
        asked = tuple(offer[position - 1] for position in answer.fitting[: max(limit, 1)])
        return HandshakePlan(Move.ASK, ShowingText.WHICH_ONE, asked)
    position = verdict.selected_slot_index
    if position is None or not 1 <= position <= len(offer):
        open_ones = [p for p in range(1, len(offer) + 1) if p not in question.gone_positions]
        position = _earliest(offer, answer.fitting or open_ones)
    return HandshakePlan(
        Move.HOLD, ShowingText.HOLD, (offer[position - 1],), position, PENDING_STRATEGY, moves
    )


def _hold_unoffered(question: DecisionInput, verdict: Verdict) -> HandshakePlan | None:
    """A slot the lead was never offered is held at most: the one the provider chose, else the earliest."""
    if not question.slots or _live(question):
        return None
    position = verdict.selected_slot_index
    if position is None or not 1 <= position <= len(question.slots):
        position = _earliest(question.slots, ())
    return HandshakePlan(Move.HOLD, ShowingText.HOLD, (question.slots[position - 1],), None, PENDING_STRATEGY)


def _earliest(slots: Sequence[Slot], among: Sequence[int]) -> int:
    """First by start, end, agent and position: the same slot whoever asks."""
    positions = among or range(1, len(slots) + 1)
    return min(
        positions,
        key=lambda p: (slots[p - 1].starts_at, slots[p - 1].ends_at, slots[p - 1].agent_name or "", p),
    )


def _other_time(question: DecisionInput, answer: Answer, limit: int) -> HandshakePlan | None:
    """Another time: the one free slot the lead's own words name is held, else the nearest ones are offered."""
    moves = _live(question)
    wish = answer.wish
    if not question.open_offer:
        wish = wish_of(question)
    refused = tuple(
        slot for position, slot in enumerate(question.open_offer, start=1) if position not in answer.fitting
    )
    if answer.kind is AnswerKind.PROPOSES and wish.anything:
        refused = ()
    if _is_one_time(wish):
        met = [slot for slot in _free(question) if wish.met_by(slot) and slot not in refused]
        if met:
            # "Thursday" is the next one.
            next_one = min(met, key=lambda slot: slot.starts_at)
            return HandshakePlan(Move.HOLD, ShowingText.HOLD, (next_one,), None, PICKED_STRATEGY, moves)
    text = ShowingText.RESCHEDULE if moves else ShowingText.OTHER_TIMES
    without = (*refused, *((question.showing,) if question.showing and moves else ()))
    return _offer(question, wish, text, limit, without=without)


def _is_one_time(wish: Wish) -> bool:
    """A day and a time of day, each named once, by the clock of the unit. A weekday beside a date only repeats it."""
    days = wish.days or wish.weekdays
    return not wish.converted and len(wish.minutes) == 1 and len(days) == 1


def wish_of(question: DecisionInput) -> Wish:
    """What a lead without an open offer says of a time of their own."""
    slots = _free(question)
    if not slots:
        return Wish()
    return read_answer(question.new_messages, (), question.asked_at, zone_name=slots[0].timezone).wish


def _offer(
    question: DecisionInput, wish: Wish, text: ShowingText, limit: int, *, without: Sequence[Slot]
) -> HandshakePlan | None:
    refused = {(slot.starts_at, slot.ends_at) for slot in without}
    pool = question.slots if not wish.anything else _free(question)
    free = [slot for slot in pool if (slot.starts_at, slot.ends_at) not in refused]
    if wish.anything:
        free.sort(key=wish.distance)
    best = distinct_by_label(free, max(limit, 1))
    if not best:
        return None
    return HandshakePlan(Move.OFFER, text, tuple(sorted(best, key=lambda slot: slot.starts_at)))


def _free(question: DecisionInput) -> tuple[Slot, ...]:
    return question.free_slots or question.slots


def _live(question: DecisionInput) -> bool:
    return question.showing_state in LIVE_SHOWING_STATES and question.showing is not None


def _local(slot: Slot) -> datetime:
    return slot.starts_at.astimezone(zone(slot.timezone))


def _near(slot: Slot) -> Wish:
    local = _local(slot)
    return Wish(days=frozenset({local.date()}), minutes=frozenset({local.hour * 60 + local.minute}))
