"""Replay: decide stored conversations again, as they were or with other deciders, and compare. Writes nothing.

``Recorded`` repeats each decision from its record, with the model's stored answers; the same versions of rules and
code must give the same rows. Any other decider makes it a shadow comparison: what would change, worst first.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy import Engine, text

from leasebot_pipeline.decisions import gemini_verdict
from leasebot_pipeline.decisions.record import (
    NotReplayable,
    input_of,
    instant_of,
    slot_of,
)
from leasebot_pipeline.decisions.resolution import heuristic_verdict
from leasebot_pipeline.domain.decisions import (
    DecisionInput,
    DecisionProvider,
    Verdict,
    failed_verdict,
)
from leasebot_pipeline.domain.intents_rulebook import RULES, Rulebook
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.stages import decide
from leasebot_pipeline.stages.decide_record import book_of, code_version, options_of, policy_of
from leasebot_pipeline.stages.decide_rows import decision_row
from leasebot_pipeline.storage import decision_records
from leasebot_pipeline.storage.decision_records import COLUMNS, StoredDecision
from leasebot_pipeline.storage.decisions import REMADE_COLUMNS
from leasebot_pipeline.storage.handshake import NO_OFFER
from leasebot_pipeline.storage.waiting import StoredMessage, WaitingConversation

PAGE_SIZE: Final = 500
CASES_SHOWN: Final = 100


class Change(StrEnum):
    """What a decision would become, worst first."""

    SENDS = "sends"
    """It was held back and would go out alone: the dangerous direction."""
    OTHER_REPLY = "other_reply"
    """It went out, and would go out with another text, other slots or another booking."""
    SILENT = "silent"
    """It was answered or shown to a person, and neither would happen."""
    HOLDS = "holds"
    """It went out alone, and a person would have to look."""
    OUTCOME = "outcome"
    """Another outcome, neither of which goes out."""
    READING = "reading"
    """The same outcome from another intent, slot or workflow outcome, or another text in a draft."""
    REASONS = "reasons"
    """The same, for other reasons."""
    DETAILS = "details"
    """Only evidence, confidence or versions; looked at when decisions are repeated as recorded."""


DANGEROUS: Final = frozenset({Change.SENDS})
_READING: Final = (
    "intent",
    "effective_intent",
    "follow_up",
    "workflow_outcome",
    "selected_slot_index",
    "slots",
    "reply_body",
    "template_id",
)
_REASONS: Final = ("reason", "reasons", "escalation_reason_code", "guardrails", "risk_level")
_REPLY: Final = ("reply_body", "slots", "template_id", "workflow_outcome", "handshake")
_SHOWN: Final = ("provider", "intent", "workflow_outcome", "outcome", "reason", "confidence", "risk_level")


class Decider(Protocol):
    """Who reads the conversations this time. ``exact``: the result should be the stored row, to the last bit."""

    @property
    def name(self) -> str: ...

    @property
    def exact(self) -> bool: ...

    def verdicts(self, items: Sequence[tuple[StoredDecision, DecisionInput]]) -> list[Verdict]: ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """As it was: the rules again, with the model's stored answers. ``rules`` may be another version."""

    rules: Rulebook = RULES
    name: str = "recorded"

    @property
    def exact(self) -> bool:
        return self.rules is RULES

    def verdicts(self, items: Sequence[tuple[StoredDecision, DecisionInput]]) -> list[Verdict]:
        return [
            gemini_verdict.replayed(
                question,
                _by_rules(question, self.rules),
                stored.columns["model"],
                stored.columns["provider_details"],
            )
            for stored, question in items
        ]


@dataclass(frozen=True, slots=True)
class RulesAlone:
    """Without any model."""

    rules: Rulebook = RULES
    name: str = "heuristic"
    exact: bool = False

    def verdicts(self, items: Sequence[tuple[StoredDecision, DecisionInput]]) -> list[Verdict]:
        return [_by_rules(question, self.rules) for _, question in items]


@dataclass(frozen=True, slots=True)
class Asking:
    """A provider is asked anew: another one, or another model. What it costs is summed up."""

    provider: DecisionProvider
    name: str = "gemini"
    exact: bool = False
    usage: Counter[str] = field(default_factory=Counter)

    def verdicts(self, items: Sequence[tuple[StoredDecision, DecisionInput]]) -> list[Verdict]:
        verdicts = self.provider.decide([question for _, question in items])
        for verdict in verdicts:
            details = verdict.provider_details
            self.usage["answered"] += verdict.provider != "heuristic"
            self.usage["fellBack"] += "fallback_reason" in details
            for shown, key in (("promptTokens", "prompt_tokens"), ("outputTokens", "output_tokens")):
                self.usage[shown] += int(str(details.get(key, 0)))
            self.usage["costMicros"] += round(float(str(details.get("cost_usd", 0))) * 1e6)
        return verdicts


@dataclass(frozen=True, slots=True)
class ChangedCase:
    """One decision that would come out otherwise; no text of a message."""

    decision_id: UUID
    conversation_id: UUID
    platform: str
    decided_at: datetime
    change: Change
    columns: tuple[str, ...]
    before: Mapping[str, object]
    after: Mapping[str, object]
    same_versions: bool

    def as_json(self) -> dict[str, object]:
        return {
            "decisionId": str(self.decision_id),
            "conversationId": str(self.conversation_id),
            "platform": self.platform,
            "decidedAt": self.decided_at,
            "change": self.change.value,
            "dangerous": self.change in DANGEROUS,
            "columns": list(self.columns),
            "before": dict(self.before),
            "after": dict(self.after),
            "sameVersions": self.same_versions,
        }


@dataclass(slots=True)
class ReplayReport:
    """What a replay came to. ``cases`` are the worst ones."""

    since: datetime
    until: datetime
    decider: str
    rules_version: str
    decisions: int = 0
    replayed: int = 0
    identical: int = 0
    same_versions: int = 0
    same_versions_identical: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    changed: Counter[Change] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    cases: list[ChangedCase] = field(default_factory=list)
    usage: Mapping[str, int] = field(default_factory=dict)

    @property
    def dangerous(self) -> int:
        return sum(self.changed[change] for change in DANGEROUS)

    @property
    def faithful(self) -> bool:
        """Everything made by the present versions came out as it was."""
        return self.same_versions == self.same_versions_identical

    def as_json(self) -> dict[str, object]:
        return {
            "since": self.since,
            "until": self.until,
            "decider": self.decider,
            "rulesVersion": self.rules_version,
            "codeVersion": code_version(),
            "decisions": self.decisions,
            "replayed": self.replayed,
            "identical": self.identical,
            "identicalShare": self.identical / self.replayed if self.replayed else None,
            "dangerous": self.dangerous,
            "changed": {change.value: self.changed[change] for change in Change},
            "sameVersions": {"replayed": self.same_versions, "identical": self.same_versions_identical},
            "skipped": dict(sorted(self.skipped.items())),
            "recordedVersions": dict(sorted(self.versions.items())),
            "usage": dict(self.usage),
            "cases": [case.as_json() for case in self.cases],
        }


def replay(
    engine: Engine,
    since: datetime,
    until: datetime,
    decider: Decider | None = None,
    *,
    cases_shown: int = CASES_SHOWN,
    page_size: int = PAGE_SIZE,
    each: Callable[[StoredDecision, Change | None], None] | None = None,
) -> ReplayReport:
    """Decide again what was decided in [since, until). Memory and statements are bounded by the page."""
    chosen = decider or Recorded()
    rules = getattr(chosen, "rules", RULES)
    report = ReplayReport(since, until, chosen.name, rules.version)
    for stored, parts in _pages(engine, since, until, page_size):
        report.decisions += len(stored)
        readable: list[tuple[StoredDecision, DecisionInput]] = []
        for one in stored:
            try:
                readable.append((one, _input(one, parts)))
            except NotReplayable as reason:
                report.skipped[reason.code] += 1
            except (KeyError, TypeError, ValueError):  # written by hand, or by a version that knew less
                report.skipped["unreadable_record"] += 1
        for (one, question), verdict in zip(readable, chosen.verdicts(readable), strict=True):
            row = _decided_again(one, question, verdict, parts)
            change, columns = _compared(one.columns, row, exact=chosen.exact)
            _count(report, one, change, columns, row)
            if each is not None:
                each(one, change)
        report.cases = _worst(report.cases, cases_shown)
    report.usage = getattr(chosen, "usage", {})
    return report


def _worst(cases: list[ChangedCase], shown: int) -> list[ChangedCase]:
    order = list(Change)
    return sorted(cases, key=lambda case: (order.index(case.change), case.decided_at, case.decision_id))[
        :shown
    ]


def _pages(
    engine: Engine, since: datetime, until: datetime, size: int
) -> Iterator[tuple[list[StoredDecision], dict[str, bytes]]]:
    after: tuple[datetime, UUID] | None = None
    while True:
        with engine.connect() as conn:
            conn.execute(text("SET TRANSACTION READ ONLY"))
            stored = decision_records.page(conn, since, until, after, size)
            digests = {
                str(one.record[name])
                for one in stored
                if one.record
                for name in ("free", "book")
                if name in one.record
            }
            parts = decision_records.load_parts(conn, sorted(digests))
        if stored:
            yield stored, parts
        if len(stored) < size:
            return
        after = stored[-1].decided_at, stored[-1].id


def _input(stored: StoredDecision, parts: Mapping[str, bytes]) -> DecisionInput:
    if stored.erased:
        raise NotReplayable("erased")
    if not stored.record:
        raise NotReplayable("not_recorded")
    if stored.record["book"] not in parts:
        raise NotReplayable("parts_gone")

    def part(digest: str) -> bytes:
        if digest not in parts:
            raise NotReplayable("parts_gone")
        return parts[digest]

    return input_of(
        stored.record,
        conversation_id=stored.conversation_id,
        platform=Platform(stored.platform),
        lead_name=stored.lead_name,
        messages=stored.messages,
        part=part,
    )


def _by_rules(question: DecisionInput, rules: Rulebook) -> Verdict:
    try:
        return heuristic_verdict(question, rules)
    except Exception as failure:  # as the provider does
        return failed_verdict("heuristic", None, rules.version, failure)


def _decided_again(
    stored: StoredDecision, question: DecisionInput, verdict: Verdict, parts: Mapping[str, bytes]
) -> dict[str, Any]:
    """The row this verdict leads to, under the circumstances of then."""
    record = stored.record
    assert record is not None
    planned = decide.planned(
        _conversation(stored, question, record),
        question,
        verdict,
        policy_of(stored.columns["policy"]),
        book_of(parts[record["book"]], stored.platform_account_id),
        options_of(record),
        record["boundS"],
        NO_OFFER,
        instant_of(record["plannedAt"]),
    )
    if "refused" in record:
        planned = decide.held_by_gate(planned, record["refused"])
    row = _plain(decision_row(planned, question.platform, None))
    if "taken" in record and planned.outcome.handshake is not None:
        taken = slot_of(record["taken"])
        if planned.outcome.handshake.slot == taken:  # another slot might have been had
            again = _plain(decision_row(decide.without_slot(planned, taken), question.platform, None))
            row |= {name: again[name] for name in REMADE_COLUMNS}
    return row


def _conversation(
    stored: StoredDecision, question: DecisionInput, record: Mapping[str, Any]
) -> WaitingConversation:
    newest = StoredMessage(
        stored.inbound_message_id,
        stored.through_seq,
        Direction.INBOUND,
        question.new_messages[-1] if question.new_messages else "",
        question.asked_at,
        stored.decided_at,
        processed=False,
    )
    return WaitingConversation(
        id=stored.conversation_id,
        platform_account_id=stored.platform_account_id,
        external_thread_id="",
        lead_name=question.lead_name,
        listing_id=None,
        unit_id=None,
        unit_label=question.unit_label,
        unit_number=question.unit_number,
        assigned_agent_id=None,
        newest_seq=stored.through_seq,
        handled_seq=0,
        workflow_state=question.workflow_state,
        workflow_outcome=question.workflow_outcome,
        showing_state=question.showing_state,
        follow_up_stage=None,
        last_intent=question.last_intent,
        delivery_unknown=record["deliveryUnknown"],
        opted_out=record["optedOut"],
        messages=(newest,),
        taken_over=record.get("takenOver", False),  # older records know no such thing
    )


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as the database would give it back."""
    plain: dict[str, Any] = json.loads(json.dumps(row, default=str))
    return plain


def _compared(
    before: Mapping[str, Any], after: Mapping[str, Any], *, exact: bool
) -> tuple[Change | None, tuple[str, ...]]:
    stored = _plain({**before, "confidence": float(before["confidence"])})
    looked_at = COLUMNS if exact else ("outcome", *_READING, *_REASONS)
    columns = tuple(name for name in looked_at if stored[name] != after[name])
    was, is_now = stored["outcome"], after["outcome"]
    sent, sends = was == "send", is_now == "send"
    if sends and not sent:
        return Change.SENDS, columns
    if sends and sent and (_reply(stored) != _reply(after)):
        return Change.OTHER_REPLY, columns
    if was != is_now:
        if _is_silent(after) and not _is_silent(stored):
            return Change.SILENT, columns
        return (Change.HOLDS if sent else Change.OUTCOME), columns
    if not columns:
        return None, ()
    if set(columns) & set(_READING):
        return Change.READING, columns
    return (Change.REASONS if set(columns) & set(_REASONS) else Change.DETAILS), columns


def _reply(row: Mapping[str, Any]) -> list[Any]:
    handshake = row["evidence"].get("handshake") or {}
    booked = [handshake.get(name) for name in ("move", "position", "movesShowing")]
    return [*(row.get(name) for name in _REPLY if name != "handshake"), booked]


def _is_silent(row: Mapping[str, Any]) -> bool:
    return bool(row["outcome"] == "skip" or row["reason"] == "escalate_unsubscribe_requested")


def _count(
    report: ReplayReport,
    stored: StoredDecision,
    change: Change | None,
    columns: tuple[str, ...],
    row: Mapping[str, Any],
) -> None:
    assert stored.record is not None
    code = str(stored.record.get("code"))
    same = stored.columns["rules_version"] == report.rules_version and code == code_version()
    report.replayed += 1
    report.same_versions += same
    report.versions[f"{stored.columns['rules_version']} {code}"] += 1
    if change is None:
        report.identical += 1
        report.same_versions_identical += same
        return
    report.changed[change] += 1
    report.cases.append(
        ChangedCase(
            stored.id,
            stored.conversation_id,
            stored.platform,
            stored.decided_at,
            change,
            columns,
            {name: _shown(stored.columns[name]) for name in _SHOWN},
            {name: _shown(row[name]) for name in _SHOWN},
            same,
        )
    )


def _shown(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float | bool) else float(str(value))
