"""What a decision was made from, beside its own columns: written with it, read back to decide it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final
from uuid import UUID

from leasebot_pipeline.decisions import record
from leasebot_pipeline.decisions.record import Part, Record
from leasebot_pipeline.domain.decisions import ComposeOptions, DecisionInput
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.domain.policy import AutomationRule, LeadGate, PlatformPolicy, Template
from leasebot_pipeline.domain.slots import Slot
from leasebot_pipeline.storage.waiting import ReplyBook, StoredMessage, WaitingConversation

_DECIDING: Final = (
    ("leasebot_pipeline.domain", ""),
    ("leasebot_pipeline.decisions", ""),
    ("leasebot_pipeline.stages", "decide"),
)
_OWN: Final = "accounts_own"


@cache
def code_version() -> str:
    """Names the code that decides: it changes with any byte of it, and then another result may be right."""
    digest = sha256()
    for package, prefix in _DECIDING:
        modules = (
            m for m in files(package).iterdir() if m.name.startswith(prefix) and m.name.endswith(".py")
        )
        for module in sorted(modules, key=lambda m: m.name):
            digest.update(module.name.encode() + b"\0" + module.read_bytes() + b"\0")
    return f"code-{digest.hexdigest()[:10]}"


class Recorder:
    """Records a batch; what its decisions share is encoded once."""

    def __init__(self, book: ReplyBook, options: ComposeOptions, history_bound_s: float) -> None:
        self._book, self._options, self._bound = book, options, history_bound_s
        self.parts: dict[str, bytes] = {}
        self._free: dict[int, tuple[tuple[Slot, ...], Part]] = {}
        self._books: dict[UUID, Part] = {}

    def record(
        self, conversation: WaitingConversation, question: DecisionInput, new: Sequence[StoredMessage]
    ) -> Record:
        """The record of a conversation's decision, before anything was decided."""
        fresh = {message.id for message in new}
        history = [message for message in conversation.messages if message.id not in fresh]
        gate = self._options.lead_gate
        return {
            **record.input_record(question, _named(new), _named(history), self._free_part(question)),
            "code": code_version(),
            "book": self._book_part(conversation.platform_account_id).digest,
            "slotLimit": self._options.slot_option_limit,
            "askBack": self._options.ask_back.value,
            "gate": gate.refusal(question.platform, question.lead_name, question.age_s),
            "boundS": self._bound,
            "optedOut": conversation.opted_out,
            "deliveryUnknown": conversation.delivery_unknown,
            "takenOver": conversation.taken_over,
        }

    def _free_part(self, question: DecisionInput) -> Part:
        known = self._free.get(id(question.free_slots))
        if known is None:
            # The slots are kept with their part: an id is only unique while its object lives.
            known = self._free[id(question.free_slots)] = (
                question.free_slots,
                self._kept(record.slots_part(question.free_slots)),
            )
        return known[1]

    def _book_part(self, account: UUID) -> Part:
        if account not in self._books:
            self._books[account] = self._kept(Part.of(_book_value(self._book, account)))
        return self._books[account]

    def _kept(self, part: Part) -> Part:
        self.parts[part.digest] = part.content
        return part


def _named(messages: Sequence[StoredMessage]) -> record.Messages:
    return [(message.seq, message.direction, message.body) for message in messages]


def _book_value(book: ReplyBook, account: UUID) -> dict[str, Any]:
    def own(key: UUID | None) -> bool | None:
        return None if key not in (account, None) else key is not None

    def values(found: dict[tuple[UUID | None, str], Any]) -> list[dict[str, Any]]:
        rows = [
            {**asdict(one), "id": str(one.id), _OWN: own(key)}
            for (key, _), one in found.items()
            if own(key) is not None
        ]
        return sorted(rows, key=lambda row: (row[_OWN], row["id"]))

    return {"rules": values(book.rules), "templates": values(book.templates)}


def book_of(content: bytes, account: UUID) -> ReplyBook:
    """Rules and templates as the decision saw them."""
    value = record.value_of(content)

    def known(row: dict[str, Any]) -> tuple[UUID | None, dict[str, Any]]:
        fields = {name: found for name, found in row.items() if name != _OWN}
        return account if row[_OWN] else None, {**fields, "id": UUID(row["id"])}

    rules, templates = {}, {}
    for owner, fields in map(known, value["rules"]):
        rules[owner, str(fields["intent"])] = AutomationRule(**fields)
    for owner, fields in map(known, value["templates"]):
        fields["variables"] = tuple(fields["variables"])
        templates[owner, str(fields["name"])] = Template(**fields)
    return ReplyBook(rules, templates)


class _RecordedGate(LeadGate):
    """The lead gate with the answer it gave."""

    __slots__ = ("_said",)
    _said: str | None

    def __init__(self, said: str | None) -> None:
        super().__init__()
        object.__setattr__(self, "_said", said)

    def refusal(self, platform: Platform, lead_name: str | None, age_s: float | None) -> str | None:
        return self._said


def options_of(stored: Mapping[str, Any]) -> ComposeOptions:
    return ComposeOptions(stored["slotLimit"], _RecordedGate(stored["gate"]), SendMode(stored["askBack"]))


def policy_of(details: Mapping[str, Any]) -> PlatformPolicy:
    """The policy from a decision's ``policy`` column."""
    override = details["sendModeOverride"]
    return PlatformPolicy(
        is_active=details["isActive"],
        send_mode_override=SendMode(override) if override else None,
        global_default=SendMode(details["globalDefaultSendMode"]),
        release_stage=ReleaseStage(details["releaseStage"]),
        in_cohort=details["inCohort"],
    )
