"""Why a time somebody chose can not be had: which one it is, and what stands in its way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from api.console.showing_views import with_local_times
from api.console.times import Clock
from api.console.wording import error_text
from api.errors import ApiError
from api.services import Services
from leasebot_pipeline.domain.slots_reasons import NotOffered
from leasebot_pipeline.storage import slot_reasons

_TAKEN: Final = frozenset({"booking_conflict", "slot_unavailable"})


@dataclass(frozen=True, slots=True)
class Chosen:
    """A visit as it was chosen. ``conversation_id``: its showings are to be moved, and take no time."""

    unit_id: UUID
    agent_id: UUID
    starts_at: datetime
    timezone: str
    conversation_id: UUID | None


async def why(services: Services, clock: Clock, chosen: Chosen) -> str:
    """The time, and all that speaks against it."""

    def read(conn: Connection) -> tuple[NotOffered, ...]:
        return slot_reasons.explain(
            conn,
            chosen.unit_id,
            chosen.agent_id,
            chosen.starts_at,
            services.config.slots,
            clock.now,
            services.config.slot_horizon,
            ignoring_conversation=chosen.conversation_id,
        )

    found = await services.database.read(read)
    told = [with_local_times(reason.detail, clock, chosen.timezone).rstrip(".") for reason in found]
    because = ": " + "; ".join(each[:1].lower() + each[1:] for each in told) if told else ""
    return (
        f"{clock.moment(chosen.starts_at, chosen.timezone)} is no longer free{because}. Choose another time."
    )


async def why_refused(services: Services, clock: Clock, chosen: Chosen, error: ApiError) -> str:
    """The API's own words, unless it was the time. Raises what is gone or not allowed."""
    if error.status in (401, 403, 404):
        raise error
    if error.body.get("error") not in _TAKEN or error.body.get("reason") == "already_booked":
        return error_text(error.body)
    return await why(services, clock, chosen)
