"""Times a person offers in a reply of their own: open to the lead's answer as the bot's offers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from leasebot_pipeline.domain.slot_offers import OfferState
from leasebot_pipeline.domain.slots import Slot, label
from leasebot_pipeline.storage import booking, slot_offers
from leasebot_pipeline.storage.booking import Actor, HoldRelease
from leasebot_pipeline.storage.slot_offers import OfferChange

OFFERED: Final = "offeredSlots"
"""Key of a message's metadata: the times its text may offer, until it is sent."""


def as_metadata(slots: Sequence[Slot]) -> list[dict[str, object]]:
    return [
        {
            "unitId": str(slot.unit_id),
            "agentId": str(slot.agent_id) if slot.agent_id else None,
            "startsAt": slot.starts_at.isoformat(),
            "endsAt": slot.ends_at.isoformat(),
            "timezone": slot.timezone,
            "label": label(slot),
        }
        for slot in slots
    ]


def open_offer(
    conn: Connection,
    conversation_id: UUID,
    message_id: UUID,
    body: str,
    metadata: Mapping[str, object],
    actor: Actor,
    now: datetime,
) -> int:
    """Offer those times of ``metadata`` that the text names, in its order; how many.

    The lead counts by the text: a time that was edited away is not offered. Earlier offers and holds end, as they do
    when the bot offers anew.
    """
    known = metadata.get(OFFERED)
    named = [one for one in known if one["label"] in body] if isinstance(known, list) else []
    if not named:
        return 0
    slot_offers.change(
        conn, [OfferChange(OfferState.SUPERSEDED, conversation_id=conversation_id, actor=actor)], now
    )
    booking.release_holds(
        conn, [HoldRelease(conversation_id=conversation_id, reason="newer_offer", actor=actor)], now
    )
    rows = [
        {
            "conversation_id": conversation_id,
            "message_id": message_id,
            "unit_id": one["unitId"],
            "agent_id": one["agentId"],
            "starts_at": one["startsAt"],
            "ends_at": one["endsAt"],
            "timezone": one["timezone"],
            "label": one["label"],
            "position": position,
        }
        for position, one in enumerate(sorted(named, key=lambda one: body.index(one["label"])), start=1)
    ]
    slot_offers.offer(conn, rows, now)
    return len(rows)
