"""Labelled messages, read from JSON lines once and checked at the edge.

Only ``body`` is needed. Every label may be missing: a figure counts the cases that carry its label.
Unknown fields are ignored, so that a file may carry notes of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from leasebot_pipeline.domain.decisions import Intent, WorkflowOutcome
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.domain.showings import ShowingState
from leasebot_pipeline.domain.slots import Slot
from leasebot_pipeline.evaluation.slot_labels import parse_slot_label

SILENCE: Final = frozenset({"nothing_to_answer", "declined", "opt_out"})
"""Hold reasons of messages that must not be answered, and need no person either."""
_FAULTS_SHOWN: Final = 20


class CasesInvalid(ValueError):
    """A file that can't be used; ``faults`` names line, field and rule of each."""

    def __init__(self, source: str, faults: Sequence[str]) -> None:
        shown = list(faults[:_FAULTS_SHOWN])
        if len(faults) > len(shown):
            shown.append(f"and {len(faults) - len(shown)} more")
        super().__init__("\n".join(f"{source}: {fault}" for fault in shown))
        self.faults = tuple(faults)


def _slot(value: object) -> object:
    if isinstance(value, str):
        return parse_slot_label(value)
    raise ValueError("must be a slot's label")


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _direction(value: object) -> object:
    if isinstance(value, str):
        return {"lead": "inbound", "agent": "outbound"}.get(value.lower(), value.lower())
    return value


def _plain(value: object) -> object:
    return "".join(value.split()).lower() if isinstance(value, str) else value


def _selected(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be a 1-based index or a slot's label")  # noqa: TRY004 (pydantic reports values)
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    return _slot(value) if isinstance(value, str) else value


_SlotLabel = Annotated[Slot, BeforeValidator(_slot)]


class PriorMessage(BaseModel):
    """An earlier message of the conversation."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    direction: Annotated[Direction, BeforeValidator(_direction)]
    body: str


class LabelledCase(BaseModel):
    """One labelled message with what was said and offered before it."""

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True)

    id: str = ""
    body: Annotated[tuple[str, ...], BeforeValidator(_one_or_many), Field(min_length=1)]
    """What waits for an answer; several texts are a burst, oldest first."""
    prior: tuple[PriorMessage, ...] | None = None
    lead_name: str | None = None
    platform: Annotated[Platform, BeforeValidator(_plain)] = Platform.SPAREROOM
    unit: str | None = None
    """How the unit is called."""
    offered_slots: tuple[_SlotLabel, ...] = ()
    pending_slot: _SlotLabel | None = None
    showing: _SlotLabel | None = None
    """The live showing ahead."""
    showing_state: ShowingState | None = None
    """Default: ``confirmed`` with a showing, else none."""
    asked_at: AwareDatetime | None = None
    """When the message was written: what "tomorrow" counts from."""
    last_intent: Intent | None = None
    """What the conversation was about before, as the last decision stored it."""

    intent: Intent | None = None
    intents: tuple[Intent, ...] | None = None
    workflow_outcome: WorkflowOutcome | None = None
    selected_slot: Annotated[Slot | int, BeforeValidator(_selected)] | None = None
    auto_ok: bool | None = None
    hold_reason: Annotated[tuple[str, ...], BeforeValidator(_one_or_many)] | None = None
    follow_up: bool | None = None
    tags: Annotated[tuple[str, ...], BeforeValidator(_one_or_many)] = ()
    pair: str | None = None
    """Cases of one pair must be decided alike."""

    @property
    def open_offer(self) -> tuple[Slot, ...]:
        """What the lead can pick: the slot held for a "confirm", else what was offered."""
        return (self.pending_slot,) if self.pending_slot else self.offered_slots

    @property
    def expects_slot(self) -> bool:
        """Whether the case says which slot is picked, or that none is."""
        return "selected_slot" in self.model_fields_set

    @property
    def expected_slot(self) -> Slot | None:
        """The slot of the label; an index counts through what was offered."""
        if isinstance(self.selected_slot, int):
            return (self.offered_slots or self.open_offer)[self.selected_slot - 1]
        return self.selected_slot

    @property
    def reason(self) -> str:
        """The first hold reason, for counting."""
        return self.hold_reason[0] if self.hold_reason else "unlabelled"

    @property
    def silence_is_right(self) -> bool:
        """Whether neither a reply nor a person is needed: opt-outs, refusals, bare courtesies."""
        return (
            self.intent is Intent.UNSUBSCRIBE
            or self.workflow_outcome is WorkflowOutcome.NOT_INTERESTED
            or self.reason in SILENCE
        )


def read_cases(path: Path) -> tuple[LabelledCase, ...]:
    """All cases of a file. Raises ``CasesInvalid`` for a file that can't be read or has a bad line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CasesInvalid(str(path), [f"cannot be read as UTF-8 text: {error}"]) from None
    return parse_cases(text, str(path))


def parse_cases(text: str, source: str = "input") -> tuple[LabelledCase, ...]:
    """The cases of JSON lines; blank lines are skipped. A case without ``id`` is called ``line-N``."""
    cases: list[LabelledCase] = []
    faults: list[str] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            case = _case(json.loads(line), number)
        except json.JSONDecodeError as error:
            faults.append(f"line {number}: not JSON: {error.msg} at column {error.colno}")
            continue
        except ValidationError as error:
            faults.extend(f"line {number}: {_fault(detail)}" for detail in error.errors())
            continue
        except ValueError as error:
            faults.append(f"line {number}: {error}")
            continue
        if case.id in seen:
            faults.append(f"line {number}: id: {case.id!r} is already the id of line {seen[case.id]}")
        seen[case.id] = number
        cases.append(case)
    if not cases and not faults:
        faults.append("holds no case")
    if faults:
        raise CasesInvalid(source, faults)
    return tuple(cases)


def _case(value: object, number: int) -> LabelledCase:
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")  # noqa: TRY004 (all faults of a line are values)
    identity = value.get("id")
    value = {**value, "id": f"line-{number}" if identity in (None, "") else str(identity)}
    value = {
        name: given
        for name, given in value.items()
        # A list or a platform given as null is the same as one left out; a null slot label says "none".
        if given is not None or name == "selected_slot"
    }
    case = LabelledCase.model_validate(value)
    if isinstance(case.selected_slot, int):
        choices = len(case.offered_slots or case.open_offer)
        if not 1 <= case.selected_slot <= choices:
            raise ValueError(f"selected_slot: must be 1 to {choices}, got {case.selected_slot}")
    return case


def _fault(detail: Any) -> str:
    field = ".".join(str(part) for part in detail["loc"]) or "line"
    return f"{field}: {detail['msg']}"
