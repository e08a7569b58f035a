"""How a conversation ended: what may be noted just now, what not yet, and what can be taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from api.auth.access import Scope
from api.routes import showings, workflow
from api.routes.workflow import WorkflowBody
from api.services import Services
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES, SHOWING_TRANSITIONS, ShowingState
from leasebot_pipeline.storage.booking import Booked
from leasebot_pipeline.storage.conversation_story import LastChange

_S: Final = ShowingState
# The calls of the web console's contract.
BODIES: Final[dict[str, dict[str, Any]]] = {
    "not_interested": {"workflowOutcome": "not_interested"},
    "reschedule": {"workflowOutcome": "wants_reschedule", "showingState": "reschedule_requested"},
    "no_show": {"workflowOutcome": "no_show", "showingState": "no_show"},
    "completed": {"workflowOutcome": "completed", "showingState": "completed"},
}
TAKE_BACK: Final = "take-back"
_LABELS: Final = (
    ("not_interested", "Not interested"),
    ("reschedule", "Reschedule"),
    ("no_show", "No show"),
    ("completed", "Completed"),
)
_OF_SHOWING: Final = {"reschedule": _S.RESCHEDULE_REQUESTED, "no_show": _S.NO_SHOW, "completed": _S.COMPLETED}
_VISITED: Final = frozenset({_S.NO_SHOW, _S.COMPLETED})
_RESTORED: Final = ("pending", "confirmed")
_REACHED: Final = {"wants_reschedule": "reschedule"}


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What the card "How did it end?" offers."""

    noted: str | None
    """The outcome it has, when a person's tap can have given it."""
    choices: tuple[tuple[str, str], ...]
    waits: bool
    """Whether somebody came can't be told yet: the showing lies ahead."""
    can_be_taken_back: bool


def outcomes(
    outcome: str | None,
    showing_state: str | None,
    showing: Booked | None,
    last: LastChange | None,
    now: datetime,
) -> Outcomes:
    """``outcome`` and ``showing_state`` are the conversation's, ``showing`` its newest appointment."""
    state = showing.status if showing is not None else _S(showing_state) if showing_state else None
    ahead = showing is not None and lies_ahead(showing, now)
    noted = _REACHED.get(outcome or "", outcome or "")
    choices = tuple(
        (value, label)
        for value, label in _LABELS
        if value != noted and (value not in _OF_SHOWING or _may(state, _OF_SHOWING[value], ahead=ahead))
    )
    final = showing is not None and showing.status in _VISITED and noted in _OF_SHOWING
    return Outcomes(
        noted=noted if noted in BODIES else None,
        choices=choices,
        waits=ahead,
        can_be_taken_back=noted in BODIES and not final and last is not None and last.given == outcome,
    )


def lies_ahead(showing: Booked, now: datetime) -> bool:
    """Whether it is to take place and has not begun."""
    return showing.status in LIVE_SHOWING_STATES and showing.starts_at > now


def confirmed_first(current: ShowingState | None, target: ShowingState) -> bool:
    """A showing nobody confirmed took place all the same: it is confirmed on the way to completed."""
    steps = SHOWING_TRANSITIONS[current]
    return target is _S.COMPLETED and target not in steps and _S.CONFIRMED in steps


def too_early(when: str) -> str:
    return f"The showing is {when}: whether somebody came can be noted once it has begun. Until then it can be moved or cancelled."


def _may(state: ShowingState | None, target: ShowingState, *, ahead: bool) -> bool:
    """None: it may have been shown without an appointment in the calendar."""
    if target in _VISITED and ahead:
        return False
    return target in SHOWING_TRANSITIONS[state] or confirmed_first(state, target)


async def note(
    viewer: Scope, services: Services, conversation_id: UUID, chosen: str, showing: Booked | None
) -> None:
    """Raises what the API refuses."""
    if chosen == "completed" and showing is not None and confirmed_first(showing.status, _S.COMPLETED):
        confirm = showings.StatusBody(status="confirmed")
        await showings.set_status(viewer, showing.id, confirm, services)
    await workflow.change_workflow(
        viewer, conversation_id, WorkflowBody.model_validate(BODIES[chosen]), services
    )


async def take_back(
    viewer: Scope, services: Services, conversation_id: UUID, showing: Booked | None, last: LastChange
) -> None:
    """As it was before the outcome. A showing that stands takes its conversation back along; a conversation that was
    followed up begins anew."""
    if (
        showing is not None
        and showing.status in LIVE_SHOWING_STATES
        and (last.state == "showing" or showing.status is _S.RESCHEDULE_REQUESTED)
        and last.showing_state in _RESTORED
    ):
        again = showings.StatusBody.model_validate({"status": last.showing_state})
        await showings.set_status(viewer, showing.id, again, services)
        return
    ended = last.state == "outcome"
    body = {
        "workflowState": "outcome" if ended else "lead",
        "workflowOutcome": last.outcome if ended else None,
    }
    await workflow.change_workflow(viewer, conversation_id, WorkflowBody.model_validate(body), services)
