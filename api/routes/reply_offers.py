"""Times a person may offer in a reply: what is free, and which of it a reply means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from api.errors import conflict
from api.inputs import Id, Input, MomentText
from api.services import Services
from leasebot_pipeline.domain.slots import Slot
from leasebot_pipeline.domain.slots_search import candidates
from leasebot_pipeline.storage.calendars import load_calendars
from leasebot_pipeline.storage.inbox import ConversationRow

_MOST: Final = 1000
"""A unit open day and night has less in its two weeks."""


class OfferedSlot(Input):
    """A free time of the conversation's unit, by its start and the agent who shows it."""

    starts_at: MomentText
    agent_id: Id


def free_slots(
    conn: Connection, services: Services, conversation: ConversationRow, agent_id: UUID | None
) -> list[Slot]:
    """All free visits of the conversation's unit, by time, one per instant; an agent's own only. As the bot finds them."""
    if conversation.unit_id is None:
        return []
    now, config = services.clock(), services.config
    calendars = load_calendars(conn, [conversation.unit_id], now, config.slot_horizon)
    free = candidates(
        calendars.for_unit(conversation.unit_id),
        config.slots,
        now,
        limit=_MOST,
        assigned_agent_id=agent_id or conversation.assigned_agent_id,
        ignoring_conversation=conversation.id,
    )
    mine = (slot for slot in free if agent_id in (None, slot.agent_id) and slot.agent_id)
    return sorted(mine, key=lambda slot: slot.starts_at)


def chosen_slots(
    conn: Connection,
    services: Services,
    conversation: ConversationRow,
    agent_id: UUID | None,
    wanted: Sequence[OfferedSlot],
) -> list[Slot]:
    """The slots that are meant. Raises 409 when one of them is not free any more."""
    if not wanted:
        return []
    free = {
        (slot.starts_at, slot.agent_id): slot for slot in free_slots(conn, services, conversation, agent_id)
    }
    keys = list(dict.fromkeys((one.starts_at, one.agent_id) for one in wanted))
    if any(key not in free for key in keys):
        raise conflict("slot_unavailable", "A time in your reply is no longer free. Choose another one.")
    return [free[key] for key in keys]
