"""Decide: one answer per waiting conversation; the decision first, its effects in the same transaction.

``plan`` reads and judges without writing, so that the quality gate can look at every decision before
anything happens; ``apply`` writes what stands. A conversation that changed in between is left alone and
comes again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from leasebot_pipeline.decisions.record import Record, instant_value, slot_value
from leasebot_pipeline.domain.decisions import (
    ComposeOptions,
    DecisionInput,
    Intent,
    Outcome,
    ReplyExample,
    Verdict,
    WorkflowOutcome,
)
from leasebot_pipeline.domain.eligibility import compose, policy_intent, rule_intents
from leasebot_pipeline.domain.handshake_plan import Move, ShowingText
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.policy import LeadGate, PlatformPolicy
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES, ShowingState
from leasebot_pipeline.domain.slots import Slot
from leasebot_pipeline.domain.slots_search import candidates
from leasebot_pipeline.domain.workflow import (
    ConversationState,
    WorkflowChange,
    WorkflowState,
    workflow_effects,
)
from leasebot_pipeline.stages import decide_rows, handshake
from leasebot_pipeline.stages.decide_record import Recorder
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import audit, booking, decision_records, decisions, opt_outs, policies, waiting
from leasebot_pipeline.storage import handshake as handshake_offers
from leasebot_pipeline.storage.booking import Booked
from leasebot_pipeline.storage.crash_points import transaction
from leasebot_pipeline.storage.handshake import NO_OFFER, OpenOffer
from leasebot_pipeline.storage.waiting import Calendars, ReplyBook, StoredMessage, WaitingConversation

RECENT_OUTBOUND = timedelta(days=14)
"""A lead who "follows up" answers something we sent this recently; drafts are no part of the history (G-61)."""

# Beyond what is offered, so that the provider can match a lead's own proposal.
_CANDIDATES = 12
_FREE = 2000


@dataclass(frozen=True, slots=True)
class PlannedDecision:
    """A decision that is made but not written."""

    id: UUID
    conversation: WaitingConversation
    input: DecisionInput
    inbound_message_id: UUID
    verdict: Verdict
    outcome: Outcome
    policy: PlatformPolicy
    slot_source: str
    workflow: WorkflowChange | None
    decided_at: datetime
    offer: OpenOffer = NO_OFFER
    remake: Callable[[Slot], tuple[Verdict, Outcome]] | None = None
    """What is decided instead when that slot can't be had."""
    record: Record = field(default_factory=dict)
    """What it was made from, for a replay."""

    @property
    def dispatch_key(self) -> str:
        """Unique purpose of its outbox row: from the conversation and the message answered, nothing else."""
        return f"decision:{self.conversation.id}:{self.conversation.newest_seq}"


@dataclass(frozen=True, slots=True)
class DecisionPlan:
    """The decisions of a batch. ``rows`` is what the quality gate looks at, keyed by ``decision_id``."""

    platform: Platform
    planned: tuple[PlannedDecision, ...]
    decided_at: datetime
    parts: Mapping[str, bytes] = field(default_factory=dict)
    """What the decisions' records refer to, by digest."""

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [decide_rows.check_row(planned) for planned in self.planned]


@dataclass(frozen=True, slots=True)
class DecideResult:
    """What became of a batch. ``raced`` conversations changed meanwhile and are decided next time."""

    decided: int = 0
    queued: int = 0
    drafted: int = 0
    held: int = 0
    skipped: int = 0
    blocked: int = 0
    refused: int = 0
    raced: int = 0
    slots_held: int = 0
    showings_confirmed: int = 0
    showings_rescheduled: int = 0
    showings_cancelled: int = 0
    slot_conflicts: int = 0
    """Bookings that came too late and were answered with alternatives."""


def plan(pipeline: Pipeline, platform: Platform, run_id: str | None) -> DecisionPlan:  # noqa: ARG001
    """Judge the next waiting conversations of a platform; nothing is written."""
    policy = pipeline.policy
    now = pipeline.clock()
    with pipeline.engine.connect() as conn:
        conversations = waiting.load_waiting(
            conn, platform, policy.decision_batch_size, policy.context_messages
        )
        if not conversations:
            return DecisionPlan(platform, (), now)
        units = [c.unit_id for c in conversations if c.unit_id is not None]
        calendars = waiting.load_calendars(conn, units, now, policy.slot_horizon)
        ids = [c.id for c in conversations]
        offers = handshake_offers.load_offers(conn, ids, now)
        showings = booking.current_appointments(conn, ids)
        book = waiting.load_reply_book(conn, platform)
        by_account = policies.account_policies(conn, platform, policy.default_send_mode)
        examples = waiting.load_examples(
            conn, [c.platform_account_id for c in conversations], policy.reply_examples
        )
    slots = _SlotFinder(pipeline, calendars, now)
    inputs = [
        _input(
            platform,
            c,
            slots.for_conversation(c, showings.get(c.id)),
            offers.get(c.id, NO_OFFER),
            showings.get(c.id),
            now,
        )
        for c in conversations
    ]
    options = ComposeOptions(
        slot_option_limit=policy.slot_option_limit,
        ask_back=policy.ask_back,
        lead_gate=LeadGate(
            policy.allow_lead_names, policy.allow_lead_names_by_platform, policy.max_message_age
        ),
    )
    bound_s = policy.history_bound.total_seconds()
    recorder = Recorder(book, options, bound_s)
    records = [
        {**recorder.record(c, asked, _new_messages(c)), "plannedAt": instant_value(now)}
        for c, asked in zip(conversations, inputs, strict=True)
    ]
    inputs = [
        _with_examples(asked, examples.get(c.platform_account_id, []), policy.reply_examples)
        for c, asked in zip(conversations, inputs, strict=True)
    ]
    verdicts = pipeline.provider.decide(inputs)
    return DecisionPlan(
        platform,
        tuple(
            replace(
                planned(
                    conversation,
                    asked,
                    verdict,
                    by_account[conversation.platform_account_id],
                    book,
                    options,
                    bound_s,
                    offers.get(conversation.id, NO_OFFER),
                    now,
                ),
                record=record,
            )
            for conversation, asked, verdict, record in zip(
                conversations, inputs, verdicts, records, strict=True
            )
        ),
        now,
        recorder.parts,
    )


def apply(
    pipeline: Pipeline, plan: DecisionPlan, refused: Mapping[str, str], run_id: str | None
) -> DecideResult:
    """Write the plan in one transaction; ``refused`` maps decision ids to why the quality gate holds them."""
    items = [
        held_by_gate(item, refused[str(item.id)]) if str(item.id) in refused else item
        for item in plan.planned
    ]
    if not items:
        return DecideResult()
    now = pipeline.clock()
    carried = handshake.Carried(())
    # Parts in a transaction of their own: no decision may wait for another's part.
    with transaction(pipeline.engine, "decide.before_parts", "decide.after_parts") as conn:
        decision_records.store_parts(conn, plan.parts)
    with transaction(pipeline.engine, "decide.before_commit", "decide.after_commit") as conn:
        unchanged = decisions.lock_unchanged(conn, [item.conversation for item in items])
        stands = [item for item in items if item.conversation.id in unchanged]
        if stands:
            handshake.lock(conn, stands)
            decisions.insert(
                conn, [decide_rows.decision_row(item, plan.platform, run_id) for item in stands], now
            )
            carried = handshake.carry_out(conn, pipeline, stands, without_slot, now, run_id)
            stands = list(carried.items)
            rows = [decide_rows.decision_row(item, plan.platform, run_id) for item in stands]
            remade = {str(item.id) for item in carried.changed}
            decisions.remake(conn, [row for row in rows if row["id"] in remade])
            handshake.make_offers(conn, carried, now, run_id)
            decisions.write_replies(
                conn,
                decisions=rows,
                drafts=[
                    decide_rows.draft_row(item, now) for item in stands if item.outcome.outcome == "draft"
                ],
                dispatches=[
                    decide_rows.dispatch_row(item, plan.platform, run_id)
                    for item in stands
                    if item.outcome.outcome in ("send", "draft")
                ],
                marks=[row for item in stands for row in decide_rows.mark_rows(item, now)],
                now=now,
            )
            opt_outs.record(
                conn, {i.conversation.id: i.inbound_message_id for i in stands if _opts_out(i)}, now, run_id
            )
            audit.record(
                conn,
                [
                    entry
                    for item in stands
                    for entry in decide_rows.audit_entries(item, plan.platform, run_id)
                ],
            )
            handshake.move_workflows(conn, stands, now, run_id)
    outcomes = [item.outcome.outcome for item in stands]
    return DecideResult(
        decided=len(stands),
        queued=outcomes.count("send"),
        drafted=outcomes.count("draft"),
        held=outcomes.count("escalate"),
        skipped=outcomes.count("skip"),
        blocked=outcomes.count("blocked"),
        refused=sum(str(item.id) in refused for item in stands),
        raced=len(items) - len(stands),
        slots_held=carried.held,
        showings_confirmed=carried.confirmed,
        showings_rescheduled=carried.rescheduled,
        showings_cancelled=carried.cancelled,
        slot_conflicts=carried.conflicts,
    )


def _opts_out(item: PlannedDecision) -> bool:
    """Whether the lead asked not to be written to any more."""
    if item.verdict.ambiguous:  # only a model thinks so: a person is asked
        return False
    return policy_intent(item.input, item.verdict) is Intent.UNSUBSCRIBE


class _SlotFinder:
    """Free visits per unit and agent, computed once for all conversations that share them."""

    def __init__(self, pipeline: Pipeline, calendars: Calendars, now: datetime) -> None:
        self._pipeline, self._calendars, self._now = pipeline, calendars, now
        self._found: dict[tuple[UUID, UUID | None, UUID | None], tuple[Slot, ...]] = {}

    def for_conversation(self, conversation: WaitingConversation, showing: Booked | None) -> tuple[Slot, ...]:
        """Every free visit, best first. A lead's own showings and holds are no obstacle to the lead."""
        unit = conversation.unit_id
        if unit is None:
            return ()
        own = any(
            taken.conversation_id == conversation.id
            for taken in self._calendars.appointments_of_units.get(unit, [])
        )
        # A showing is moved within its agent's calendar where that is possible.
        agent = showing.agent_id if showing is not None and own else conversation.assigned_agent_id
        key = (unit, agent, conversation.id if own else None)
        if key not in self._found:
            self._found[key] = candidates(
                self._calendars.for_unit(unit),
                self._pipeline.policy.slots,
                self._now,
                limit=_FREE,
                assigned_agent_id=agent,
                ignoring_conversation=conversation.id if own else None,
            )
        return self._found[key]


def _input(
    platform: Platform,
    conversation: WaitingConversation,
    free: tuple[Slot, ...],
    offer: OpenOffer,
    showing: Booked | None,
    now: datetime,
) -> DecisionInput:
    new = _new_messages(conversation)
    new_ids = {message.id for message in new}
    history = [message for message in conversation.messages if message.id not in new_ids]
    newest = new[-1] if new else conversation.messages[-1]
    return DecisionInput(
        conversation_id=conversation.id,
        platform=platform,
        lead_name=conversation.lead_name,
        unit_label=conversation.unit_label,
        unit_number=conversation.unit_number,
        new_messages=tuple(message.body for message in new),
        history=tuple((message.direction, message.body) for message in history),
        slots=free[:_CANDIDATES],
        open_offer=offer.slots,
        has_recent_outbound=any(
            message.direction is Direction.OUTBOUND
            and now - (message.sent_at or message.created_at) <= RECENT_OUTBOUND
            for message in history
        ),
        last_intent=conversation.last_intent,
        workflow_state=conversation.workflow_state,
        workflow_outcome=conversation.workflow_outcome,
        showing_state=conversation.showing_state,
        age_s=(now - (newest.sent_at or newest.created_at)).total_seconds(),
        asked_at=newest.sent_at or newest.created_at,
        held_position=offer.held_position,
        gone_positions=offer.gone_positions,
        showing=_ahead(showing, now),
        free_slots=free,
    )


def _new_messages(conversation: WaitingConversation) -> list[StoredMessage]:
    """The lead's messages that wait for an answer."""
    return [
        message
        for message in conversation.messages
        if message.direction is Direction.INBOUND
        and message.seq > conversation.handled_seq
        and not message.processed
    ]


def _with_examples(
    asked: DecisionInput, found: Sequence[tuple[UUID, ReplyExample]], limit: int
) -> DecisionInput:
    """With replies to other leads, which a model is shown."""
    others = tuple(example for conversation, example in found if conversation != asked.conversation_id)
    return replace(asked, examples=others[:limit]) if others else asked


def _ahead(showing: Booked | None, now: datetime) -> Slot | None:
    """The lead's live showing that is still to come."""
    if showing is None or showing.status not in LIVE_SHOWING_STATES or showing.ends_at <= now:
        return None
    return Slot(showing.starts_at, showing.ends_at, showing.timezone, showing.agent_id, None, showing.unit_id)


def planned(
    conversation: WaitingConversation,
    asked: DecisionInput,
    verdict: Verdict,
    policy: PlatformPolicy,
    book: ReplyBook,
    options: ComposeOptions,
    history_bound_s: float,
    offer: OpenOffer,
    now: datetime,
) -> PlannedDecision:
    """What comes of a verdict under these circumstances; also how a stored decision is made again."""
    account = conversation.platform_account_id
    rule = next(
        (found for intent in rule_intents(asked, verdict) if (found := book.rule(account, intent.value))),
        None,
    )
    template = book.template(account, rule.template_name if rule else None)
    texts = {text.value: own for text in ShowingText if (own := book.template(account, text.value))}
    outcome = compose(asked, verdict, policy, rule, template, options, texts)

    def instead(taken: Slot) -> tuple[Verdict, Outcome]:
        calmer = replace(verdict, workflow_outcome=WorkflowOutcome.GENERAL_QUESTION, selected_slot_index=None)
        return calmer, compose(asked, calmer, policy, rule, template, options, texts, taken=taken)

    verdict = _as_it_stands(verdict, outcome)
    if outcome.outcome in ("send", "draft"):
        if conversation.opted_out:
            outcome = _held(outcome, "escalate_lead_opted_out")
        elif conversation.taken_over:
            outcome = _held(outcome, "escalate_taken_over_by_person")
        elif conversation.delivery_unknown:
            outcome = _held(outcome, "escalate_delivery_unknown")
        elif asked.age_s is not None and asked.age_s > history_bound_s:
            outcome = _held(outcome, "escalate_message_too_old")
    inbound = [message for message in conversation.messages if message.direction is Direction.INBOUND]
    return PlannedDecision(
        id=uuid4(),
        conversation=conversation,
        input=asked,
        inbound_message_id=inbound[-1].id,
        verdict=verdict,
        outcome=outcome,
        policy=policy,
        slot_source=_slot_source(asked.slots),
        workflow=workflow_effects(conversation_state(conversation), verdict, outcome),
        decided_at=now,
        offer=offer,
        remake=instead,
    )


def _as_it_stands(verdict: Verdict, outcome: Outcome) -> Verdict:
    """What the conversation has come to: a slot that is held, asked about or drafted confirms nothing yet."""
    plan = outcome.handshake
    if plan is None or verdict.workflow_outcome is not WorkflowOutcome.SHOWING_CONFIRMED:
        return verdict
    if plan.move is Move.BOOK and outcome.outcome == "send":
        return verdict
    return replace(verdict, workflow_outcome=WorkflowOutcome.GENERAL_QUESTION)


def without_slot(item: PlannedDecision, taken: Slot) -> PlannedDecision:
    """The decision when the slot it was to book was taken: alternatives, or a person when there are none."""
    assert item.remake is not None
    verdict, outcome = item.remake(taken)
    outcome = replace(outcome, reasons=(*outcome.reasons, "slot_conflict"))
    return replace(
        item,
        verdict=verdict,
        outcome=outcome,
        workflow=workflow_effects(conversation_state(item.conversation), verdict, outcome),
        record={**item.record, "taken": slot_value(taken)},
    )


def conversation_state(conversation: WaitingConversation) -> ConversationState:
    """The workflow columns of a conversation as the rules take them."""
    return ConversationState(
        WorkflowState(conversation.workflow_state),
        WorkflowOutcome(conversation.workflow_outcome) if conversation.workflow_outcome else None,
        ShowingState(conversation.showing_state) if conversation.showing_state else None,
    )


def _slot_source(slots: tuple[Slot, ...]) -> str:
    if not slots:
        return "none"
    return "unit_agent_availability" if any(slot.agent_id for slot in slots) else "unit_availability"


def _held(outcome: Outcome, reason: str) -> Outcome:
    """The same decision, kept from going out for one more reason, which comes first."""
    return replace(
        outcome,
        outcome="escalate",
        reason=reason,
        reasons=(reason, *outcome.reasons),
        escalation_reason_code=reason,
        reply_body=None,
        slots_offered=(),
        human_action_required=True,
        handshake=None,
    )


def held_by_gate(item: PlannedDecision, why: str) -> PlannedDecision:
    """The decision when the quality gate refuses it."""
    held = _held(item.outcome, "escalate_quality_gate")
    return replace(
        item,
        outcome=replace(held, reasons=(*held.reasons, f"quality_gate: {why}")),
        workflow=None,
        record={**item.record, "refused": why},
    )
