"""Showings: listed, booked once, moved, and carried to an end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeVar
from uuid import UUID

import structlog
from fastapi import Query, Response
from pydantic import Field, model_validator
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from api.answers import Answer, Instant
from api.auth.access import Identity, Scope, ScopedIdentity
from api.edge.json_route import json_router
from api.errors import ApiError, conflict, not_found, validation_error
from api.inputs import (
    DateRangeQuery,
    Document,
    Id,
    Input,
    MomentText,
    PathId,
    Text,
    Trimmed,
    Zone,
    one_of,
    query_id,
)
from api.local_times import local_span
from api.operator_audit import by_user
from api.paging import PageQuery, encode
from api.preconditions import IfMatch, check_match, set_etag
from api.routes.availability import CandidateAnswer, candidate_answer, span_of
from api.routes.inbox import in_charge
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.booking import CONFLICT_REASONS, BookingReason
from leasebot_pipeline.domain.showings import ShowingState
from leasebot_pipeline.storage import audit, booking, inbox, showings, slot_candidates
from leasebot_pipeline.storage.booking import BookingRequest, BookingResult, Reschedule, StatusChange
from leasebot_pipeline.storage.showings import Showing, ShowingFilter
from leasebot_pipeline.storage.transitions import Actor

router = json_router("/api/showing-appointments", "showings")
log = structlog.get_logger("api.showings")
T = TypeVar("T")

STATUSES: Final = tuple(state.value for state in ShowingState)
ALTERNATIVES: Final = 5
_AROUND: Final = timedelta(days=3)
_Status = Literal["pending", "confirmed", "reschedule_requested", "cancelled", "completed", "no_show"]
_Key = Annotated[Trimmed, Field(min_length=6, max_length=200)]
_Short = Annotated[Text, Field(max_length=200)]
_Notes = Annotated[Text, Field(max_length=2000)]
_GONE: Final = frozenset({BookingReason.NOT_FOUND})


class ConversationOfShowing(Answer):
    external_thread_id: str | None
    lead_name: str | None
    platform: str | None


class ShowingAnswer(Answer):
    id: UUID
    idempotency_key: str
    platform_account_id: UUID
    conversation_id: UUID | None
    unit_id: UUID
    listing_id: UUID | None
    agent_id: UUID
    agent_name: str
    starts_at: Instant
    ends_at: Instant
    timezone: str
    display_timezone: str
    local_start: str
    local_end: str
    status: str
    source: str
    external_booking_ref: str | None
    notes: str | None
    metadata: dict[str, Any]
    hold_expires_at: Instant | None
    unit: str
    conversation: ConversationOfShowing
    created_at: Instant
    updated_at: Instant

    @classmethod
    def of(cls, showing: Showing, timezone: str | None = None) -> ShowingAnswer:
        names = set(cls.model_fields) - {"conversation", "display_timezone", "local_start", "local_end"}
        shown = timezone or showing.timezone
        return cls(
            **{name: getattr(showing, name) for name in names},
            conversation=ConversationOfShowing.model_validate(showing),
            display_timezone=shown,
            **local_span(showing.starts_at, showing.ends_at, shown),
        )


class ShowingsAnswer(Answer):
    items: list[ShowingAnswer]
    next_cursor: str | None


class BookedAnswer(Answer):
    appointment: ShowingAnswer
    idempotent_replay: bool


class ChangedAnswer(Answer):
    appointment: ShowingAnswer


class BookBody(Input):
    """An ISO instant needs its offset; the visit must lie ahead."""

    idempotency_key: _Key
    platform_account_id: Id
    unit_id: Id
    agent_id: Id
    listing_id: Id | None = None
    conversation_id: Id | None = None
    starts_at: MomentText
    ends_at: MomentText
    timezone: Zone
    status: _Status = "confirmed"
    source: _Short = "lead_selection"
    external_booking_ref: _Short | None = None
    notes: _Notes | None = None
    metadata: Document = Field(default_factory=dict)

    @model_validator(mode="after")
    def _forward(self) -> BookBody:
        return _end_after_start(self)


class StatusBody(Input):
    status: _Status
    notes: _Notes | None = None


class RescheduleBody(Input):
    """The old time is free at once. Without `agentId` the agent stays."""

    idempotency_key: _Key
    starts_at: MomentText
    ends_at: MomentText
    timezone: Zone | None = None
    agent_id: Id | None = None

    @model_validator(mode="after")
    def _forward(self) -> RescheduleBody:
        return _end_after_start(self)


Body = TypeVar("Body", BookBody, RescheduleBody)


def _end_after_start(body: Body) -> Body:
    if body.ends_at <= body.starts_at:
        raise ValueError("endsAt must be after startsAt")
    return body


@router.get("", operation_id="listShowings", summary="Showings by start")
async def list_showings(
    scope: ScopedIdentity,
    page: PageQuery,
    days: DateRangeQuery,
    services: ServicesDep,
    unit_id: Annotated[UUID | None, query_id("unitId")],
    agent_id: Annotated[UUID | None, query_id("agentId")],
    status: Annotated[str | None, Query(description=", ".join(STATUSES))] = None,
) -> ShowingsAnswer:
    """An agent sees its own. Days are meant in `timezone` (UTC without one)."""
    chosen = one_of("status", status, STATUSES)
    begin, end = span_of(days)
    wanted = ShowingFilter(
        statuses=(chosen,) if chosen else (),
        unit_id=unit_id,
        agent_id=scope.own(agent_id),
        begin=begin,
        end=end,
    )
    found = await services.database.read(showings.list_showings, wanted, page.limit, page.key(datetime, UUID))
    last = found[-1] if len(found) == page.limit else None
    return ShowingsAnswer(
        items=[ShowingAnswer.of(showing, days.timezone) for showing in found],
        next_cursor=encode((last.starts_at.isoformat(), str(last.id))) if last else None,
    )


@router.post(
    "/book",
    operation_id="bookShowing",
    summary="Book a showing",
    status_code=201,
    responses={
        200: {"model": BookedAnswer, "description": "The same booking was made before"},
        409: {"description": "idempotency_conflict, slot_unavailable, booking_conflict; with alternatives"},
    },
)
async def book(
    scope: ScopedIdentity, body: BookBody, response: Response, services: ServicesDep
) -> BookedAnswer:
    """Once per `idempotencyKey`. What can't be booked is refused with the reason and free times."""
    scope.own(body.agent_id)
    request = BookingRequest(
        **body.model_dump(exclude={"status"}),
        status=ShowingState(body.status),
        actor=_actor(scope.identity),
    )
    now = services.clock()

    def work(conn: Connection) -> tuple[BookingResult, Showing | None, list[slot_candidates.Candidate]]:
        _check_conversation(conn, scope, body.conversation_id)
        [result] = booking.book(conn, [request], services.config.slots, now, audit_refusals=False)
        others: list[slot_candidates.Candidate] = []
        if not result.stands:
            others = _alternatives(conn, request.unit_id, request.starts_at, now)
            booking.audit_refused(conn, [(request, result, len(others))])
        return result, _shown(conn, result), others

    result, showing, others = await _guarded(services, scope, request, work)
    if showing is None or not result.stands:
        known = showing if showing and scope.agent_id in (None, showing.agent_id) else None
        raise _refusal(result, known, others)
    if result.outcome == "replay":
        response.status_code = 200
    return BookedAnswer(appointment=ShowingAnswer.of(showing), idempotent_replay=result.outcome == "replay")


@router.get("/{id}", operation_id="getShowing", summary="One showing")
async def get_showing(
    scope: ScopedIdentity, showing_id: PathId, response: Response, services: ServicesDep
) -> ShowingAnswer:
    showing = await services.database.read(showings.find_showing, showing_id)
    _check_scope(scope, showing)
    assert showing is not None
    set_etag(response, showing.updated_at)
    return ShowingAnswer.of(showing)


@router.post(
    "/{id}/status",
    operation_id="setShowingStatus",
    summary="Confirm, cancel, complete a showing, or say that nobody came",
    responses={409: {"description": "invalid_transition, hold_expired, booking_conflict"}},
)
async def set_status(
    scope: ScopedIdentity,
    showing_id: PathId,
    body: StatusBody,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> ChangedAnswer:
    """The conversation follows (G-27). A hold is confirmed with `confirmed` and given up with `cancelled`."""
    now = services.clock()

    def work(conn: Connection) -> tuple[BookingResult, Showing | None]:
        before = showings.find_showing(conn, showing_id)
        _check_scope(scope, before)
        assert before is not None
        check_match(if_match, before.updated_at)
        result = _change(conn, services, scope.identity, before, ShowingState(body.status), now)
        return result, showings.find_showing(conn, showing_id)

    result, showing = await services.database.run(work)
    if showing is None or not result.stands:
        raise _refusal(result, showing, [])
    return ChangedAnswer(appointment=ShowingAnswer.of(showing))


@router.post(
    "/{id}/reschedule",
    operation_id="rescheduleShowing",
    summary="Move a showing to another time",
    responses={
        409: {"description": "slot_unavailable, booking_conflict, invalid_transition; with alternatives"}
    },
)
async def reschedule(
    scope: ScopedIdentity,
    showing_id: PathId,
    body: RescheduleBody,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> ChangedAnswer:
    """On a conflict the old time is kept, and free times are named."""
    now = services.clock()
    if body.agent_id is not None:
        scope.own(body.agent_id)

    def work(conn: Connection) -> tuple[BookingResult, Showing | None, list[slot_candidates.Candidate]]:
        before = showings.find_showing(conn, showing_id)
        _check_scope(scope, before)
        assert before is not None
        check_match(if_match, before.updated_at)
        wish = Reschedule(
            idempotency_key=body.idempotency_key,
            starts_at=body.starts_at,
            ends_at=body.ends_at,
            timezone=body.timezone,
            appointment_id=showing_id,
            agent_id=body.agent_id,
            actor=_actor(scope.identity),
        )
        [result] = booking.reschedule(conn, [wish], services.config.slots, now)
        others = [] if result.stands else _alternatives(conn, before.unit_id, body.starts_at, now)
        return result, showings.find_showing(conn, showing_id), others

    result, showing, others = await services.database.run(work)
    if showing is None or not result.stands:
        raise _refusal(result, showing, others)
    return ChangedAnswer(appointment=ShowingAnswer.of(showing))


def _change(
    conn: Connection,
    services: Services,
    identity: Identity,
    before: Showing,
    status: ShowingState,
    now: datetime,
) -> BookingResult:
    if before.hold_expires_at is not None and before.status == ShowingState.PENDING:
        if status is ShowingState.CONFIRMED:
            confirmation = booking.HoldConfirmation(appointment_id=before.id, actor=_actor(identity))
            [result] = booking.confirm_holds(conn, [confirmation], services.config.slots, now)
            return result
        if status is ShowingState.CANCELLED:
            release = booking.HoldRelease(
                appointment_id=before.id,
                offer="declined",
                reason="released_by_person",
                actor=_actor(identity),
            )
            booking.release_holds(conn, [release], now)
            return BookingResult("booked")
    change = StatusChange(
        status, appointment_id=before.id, source="operator", trigger="api", actor=_actor(identity)
    )
    [result] = booking.change_status(conn, [change], now)
    return result


async def _guarded(
    services: Services, scope: Scope, request: BookingRequest, work: Callable[[Connection], T]
) -> T:
    """Run a booking; an error nobody foresaw is audited as ``showing_booking_failed`` before it is answered."""
    try:
        return await services.database.run(work)
    except DBAPIError as error:
        details = {
            "idempotencyKey": request.idempotency_key,
            "unitId": str(request.unit_id),
            "agentId": str(request.agent_id),
            "error": type(error).__name__,
        }
        entry = by_user(
            scope.identity,
            "showing_appointment",
            request.idempotency_key,
            "showing_booking_failed",
            details,
            conversation_id=request.conversation_id,
            agent_id=request.agent_id,
        )
        try:
            await services.database.run(audit.record, [entry])
        except DBAPIError:
            log.exception("audit_failed", action="showing_booking_failed")
        raise


def _shown(conn: Connection, result: BookingResult) -> Showing | None:
    return showings.find_showing(conn, result.appointment.id) if result.appointment else None


def _alternatives(
    conn: Connection, unit_id: UUID, around: datetime, now: datetime
) -> list[slot_candidates.Candidate]:
    """Free times of the unit's agents near the wish, nearest first."""
    begin = max(now, around - _AROUND)
    found = slot_candidates.candidates(conn, unit_id, begin, around + _AROUND, include_passive=True)
    ahead = [candidate for candidate in found if candidate.ends_at > now]
    return sorted(ahead, key=lambda c: abs((c.starts_at - around).total_seconds()))[:ALTERNATIVES]


def _refusal(
    result: BookingResult, showing: Showing | None, others: list[slot_candidates.Candidate]
) -> ApiError:
    reason = result.reason
    message = f"{result.field}: {result.rule}" if result.rule else "This can't be done."
    if reason in _GONE:
        return not_found()
    alternatives = [
        CandidateAnswer.model_dump(candidate_answer(other, None), mode="json", by_alias=True)
        for other in others
    ]
    more: dict[str, Any] = {"reason": reason, "alternatives": alternatives, "adminReviewRequired": True}
    if reason is BookingReason.IDEMPOTENCY_CONFLICT:
        existing = ShowingAnswer.of(showing).model_dump(mode="json", by_alias=True) if showing else None
        return conflict(
            "idempotency_conflict", message, existingAppointment=existing, adminReviewRequired=True
        )
    if reason is BookingReason.SLOT_UNAVAILABLE:
        return conflict("slot_unavailable", message, **more)
    if reason in CONFLICT_REASONS or reason is BookingReason.ALREADY_BOOKED:
        return conflict("booking_conflict", message, **more)
    if reason in (BookingReason.INVALID_TRANSITION, BookingReason.HOLD_EXPIRED, BookingReason.NOT_HELD):
        return conflict(str(reason), message)
    return validation_error([message])


def _check_scope(scope: Scope, showing: Showing | None) -> None:
    """Raises 404 for what is not there or not the agent's."""
    if showing is None or (scope.agent_id is not None and showing.agent_id != scope.agent_id):
        raise not_found()


def _check_conversation(conn: Connection, scope: Scope, conversation_id: UUID | None) -> None:
    """Raises 404 for a conversation an agent is not in charge of: a booking answers its lead and moves it on."""
    if scope.agent_id is None or conversation_id is None:
        return
    conversation = inbox.find_conversation(conn, conversation_id)
    if conversation is None or not in_charge(conversation, scope.agent_id):
        raise not_found()


def _actor(identity: Identity) -> Actor:
    return Actor(identity.role, identity.user.id)
