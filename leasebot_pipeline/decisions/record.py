"""A decision's inputs as a record that replays bit by bit. Pure.

Messages are named by their sequence numbers and a digest, never copied; the lead's name only goes into the digest.
What many decisions share (free times, rules and templates) becomes a part, stored once under its content's hash.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from leasebot_pipeline.domain.decisions import DecisionInput
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.domain.slots import Slot

FORMAT: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Record = dict[str, Any]
Messages = Sequence[tuple[int, Direction, str]]
"""Sequence number, direction and text, oldest first."""


class NotReplayable(Exception):
    """A record whose decision can't be made again; ``code`` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of content under its hash."""

    digest: str
    content: bytes

    @classmethod
    def of(cls, value: object) -> Part:
        plain = json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
        return cls(hashlib.sha256(plain).hexdigest()[:32], zlib.compress(plain, 6))


def value_of(content: bytes) -> Any:
    """What a part holds."""
    return json.loads(zlib.decompress(content))


def slots_part(slots: Sequence[Slot]) -> Part:
    """Many slots: agents, units and zones are named once."""
    names: dict[object, int] = {}

    def number(key: object) -> int:
        return names.setdefault(key, len(names))

    rows = [
        [
            _micros(slot.starts_at),
            (slot.ends_at - slot.starts_at) // _MICROSECOND,
            number((slot.timezone, _text(slot.agent_id), slot.agent_name, str(slot.unit_id))),
        ]
        for slot in slots
    ]
    return Part.of({"kinds": [list(key) for key in names if isinstance(key, tuple)], "slots": rows})


def slots_of(content: bytes) -> tuple[Slot, ...]:
    value = value_of(content)
    kinds = [
        (zone, UUID(agent) if agent else None, name, UUID(unit)) for zone, agent, name, unit in value["kinds"]
    ]
    return tuple(
        Slot(_instant(start), _instant(start + length), *kinds[kind])
        for start, length, kind in value["slots"]
    )


def slot_value(slot: Slot) -> list[Any]:
    """One slot, in a record itself."""
    return [
        _micros(slot.starts_at),
        _micros(slot.ends_at),
        slot.timezone,
        _text(slot.agent_id),
        slot.agent_name,
        str(slot.unit_id),
    ]


def slot_of(value: Sequence[Any]) -> Slot:
    start, end, zone, agent, name, unit = value
    return Slot(_instant(start), _instant(end), zone, UUID(agent) if agent else None, name, UUID(unit))


def digest_of(lead_name: str | None, messages: Messages) -> str:
    """Tells whether the texts, or the name, are still those that were decided on."""
    plain = json.dumps([lead_name, [[seq, direction.value, body] for seq, direction, body in messages]])
    return hashlib.sha256(plain.encode()).hexdigest()[:24]


def input_record(question: DecisionInput, new: Messages, history: Messages, free: Part) -> Record:
    """The input without its texts. ``free`` is the part of its ``free_slots``."""
    ahead = len(question.slots)
    if question.slots != question.free_slots[:ahead]:
        raise ValueError("slots: must be the first of free_slots")
    return {
        "format": FORMAT,
        "new": [seq for seq, _, _ in new],
        "history": [seq for seq, _, _ in history],
        "texts": digest_of(question.lead_name, [*history, *new]),
        "unit": [question.unit_label, question.unit_number],
        "free": free.digest,
        "slots": ahead,
        "offer": [slot_value(slot) for slot in question.open_offer],
        "held": question.held_position,
        "gone": list(question.gone_positions),
        "showing": slot_value(question.showing) if question.showing else None,
        "recentOutbound": question.has_recent_outbound,
        "lastIntent": question.last_intent,
        "workflow": [question.workflow_state, question.workflow_outcome, question.showing_state],
        "ageS": question.age_s,
        "askedAt": _micros(question.asked_at) if question.asked_at else None,
    }


def input_of(
    record: Mapping[str, Any],
    *,
    conversation_id: UUID,
    platform: Platform,
    lead_name: str | None,
    messages: Mapping[int, tuple[Direction, str]],
    part: Callable[[str], bytes],
) -> DecisionInput:
    """The input as it was. Raises ``NotReplayable`` when texts changed or are gone, or the record is of another
    format; ``part`` raises it for a part that is gone."""
    if record.get("format") != FORMAT:
        raise NotReplayable("other_format")
    seqs: list[int] = [*record["history"], *record["new"]]
    if any(seq not in messages for seq in seqs):
        raise NotReplayable("messages_gone")
    found = [(seq, *messages[seq]) for seq in seqs]
    if digest_of(lead_name, found) != record["texts"]:
        raise NotReplayable("messages_changed")
    history, new = found[: len(record["history"])], found[len(record["history"]) :]
    free = slots_of(part(record["free"]))
    state, outcome, showing_state = record["workflow"]
    return DecisionInput(
        conversation_id=conversation_id,
        platform=platform,
        lead_name=lead_name,
        unit_label=record["unit"][0],
        unit_number=record["unit"][1],
        new_messages=tuple(body for _, _, body in new),
        history=tuple((direction, body) for _, direction, body in history),
        slots=free[: record["slots"]],
        open_offer=tuple(slot_of(value) for value in record["offer"]),
        has_recent_outbound=record["recentOutbound"],
        last_intent=record["lastIntent"],
        workflow_state=state,
        workflow_outcome=outcome,
        showing_state=showing_state,
        age_s=record["ageS"],
        asked_at=_instant(record["askedAt"]) if record["askedAt"] is not None else None,
        held_position=record["held"],
        gone_positions=tuple(record["gone"]),
        showing=slot_of(record["showing"]) if record["showing"] else None,
        free_slots=free,
    )


def instant_value(moment: datetime) -> int:
    """An instant, exactly."""
    return _micros(moment)


def instant_of(value: int) -> datetime:
    return _instant(value)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _instant(micros: int) -> datetime:
    return _EPOCH + micros * _MICROSECOND


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
