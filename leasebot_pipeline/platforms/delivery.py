"""Proof of delivery: what a thread showed before the click, and what it shows after. Pure."""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime
from typing import Final

from leasebot_pipeline.domain.failures import PlatformFailure, SendPhase
from leasebot_pipeline.domain.identity import normalise_text
from leasebot_pipeline.domain.readings import DeliveryReceipt, Direction, SendBaseline, ThreadReading

CHANNEL: Final = "in_app"


def baseline(reading: ThreadReading, body: str) -> SendBaseline:
    """The thread just before the click."""
    last = reading.messages[-1].external_message_id if reading.messages else None
    outbound = sum(message.direction is Direction.OUTBOUND for message in reading.messages)
    return SendBaseline(outbound, len(same_text(reading, body)), last)


def receipt(
    before: SendBaseline, known_ids: Set[str], reading: ThreadReading, body: str, seen_at: datetime
) -> DeliveryReceipt | None:
    """Proof: one more outbound message with exactly this text than before, and one that is new."""
    same = same_text(reading, body)
    new = [message_id for message_id in same if message_id not in known_ids]
    if not new or len(same) <= before.same_text_count:
        return None
    return DeliveryReceipt(new[-1], CHANNEL, "sent", seen_at)


def same_text(reading: ThreadReading, body: str) -> list[str]:
    """Ids of our messages that read like the reply."""
    wanted = normalise_text(body)
    return [
        message.external_message_id
        for message in reading.messages
        if message.direction is Direction.OUTBOUND and normalise_text(message.body) == wanted
    ]


def unconfirmed(detail: str) -> PlatformFailure:
    """The one failure there is after the click."""
    return PlatformFailure("OUTBOUND_DELIVERY_UNCONFIRMED", detail, phase=SendPhase.AFTER_CLICK)
