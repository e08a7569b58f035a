"""Follow up: silences are planned, steps whose time has come are taken, what ended a silence calls them off.

``plan_steps`` brings the plan in line with what happened; ``due`` reads and judges without writing, so that
the quality gate can look at every text; ``apply`` writes what stands: outbox row, conversation and audit in one
transaction. A conversation that changed in between is left alone and comes again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from leasebot_pipeline.domain.decisions import WorkflowOutcome
from leasebot_pipeline.domain.follow_up_states import FollowUpStage, FollowUpStatus
from leasebot_pipeline.domain.follow_up_texts import TEMPLATE_NAMES, FollowUpText, follow_up_text
from leasebot_pipeline.domain.follow_ups import (
    MOST_OVERDUE,
    FollowUpPolicy,
    FollowUpStep,
    FollowUpWork,
    StopReason,
    due_at,
    first_step,
    first_zone,
    outside_quiet_hours,
    quiet_from,
    step_after,
)
from leasebot_pipeline.domain.platforms import Platform, SendMode
from leasebot_pipeline.domain.policy import LeadGate, PlatformPolicy
from leasebot_pipeline.domain.showing_reminders import ShowingStep, not_after, steps_of
from leasebot_pipeline.domain.slots import Slot
from leasebot_pipeline.domain.workflow import WorkflowState
from leasebot_pipeline.domain.workflow_changes import WorkflowPatch
from leasebot_pipeline.stages import follow_up_rows
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import (
    audit,
    follow_up_checks,
    follow_up_ends,
    follow_up_people,
    follow_up_plans,
    follow_up_policies,
    follow_up_stops,
    follow_ups,
    handshake,
    policies,
    showing_steps,
    transitions,
    waiting,
)
from leasebot_pipeline.storage.crash_points import transaction
from leasebot_pipeline.storage.follow_up_plans import PlannedStep, SentReply
from leasebot_pipeline.storage.follow_ups import Allowed, DueRow
from leasebot_pipeline.storage.showing_steps import ShowingStepRow
from leasebot_pipeline.storage.transitions import Actor, TransitionRequest

BATCH = 500
PLAN_AFTER = timedelta(minutes=5)
"""How long a proven reply may wait for its silence to be planned, where the first step is far enough away: several share
one run, which must not get in the way of answers."""

What = Literal["queued", "drafted", "held", "no_reply", "prompted", "stopped", "postponed", "waits"]


def pending_work(pipeline: Pipeline, platform: Platform, plan_after: timedelta = PLAN_AFTER) -> FollowUpWork:
    """What waits for a run: due steps, silences and showings to plan."""
    now = pipeline.clock()
    with pipeline.engine.connect() as conn:
        by_account = follow_up_policies.policies(conn, platform, pipeline.policy.follow_ups)
        soonest = min((one.soonest_step for one in by_account.values()), default=plan_after)
        planned_before = now - min(plan_after, soonest / 4)
        work = follow_ups.pending_work(conn, platform, Allowed.by(by_account), now, planned_before)
        showings = showing_steps.pending_work(conn, platform, now)
        people = follow_up_people.pending_work(conn, platform, now, MOST_OVERDUE)
    return replace(work, to_plan=work.to_plan + showings + people)


def stored_steps(
    pipeline: Pipeline, platform: Platform, *, overdue_after: timedelta, settled_within: timedelta
) -> list[dict[str, object]]:
    """Open and lately settled steps, as the quality suite looks at them."""
    now = pipeline.clock()
    with pipeline.engine.connect() as conn:
        by_account = follow_up_policies.policies(conn, platform, pipeline.policy.follow_ups)
        return follow_up_checks.load_steps(
            conn,
            platform,
            Allowed.by(by_account),
            now=now,
            overdue_before=now - overdue_after,
            settled_after=now - settled_within,
        )


# ---- planning


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What planning did. ``not_followed`` counts sent replies by why nothing follows them."""

    looked_at: int = 0
    planned: int = 0
    completed: int = 0
    stopped: int = 0
    showing_steps: int = 0
    not_followed: Mapping[str, int] = field(default_factory=dict)


def plan_steps(pipeline: Pipeline, platform: Platform, run_id: str | None) -> PlanResult:
    """Plan what follows from replies that were sent and showings that were confirmed, moved or cancelled."""
    now = pipeline.clock()
    with transaction(pipeline.engine, "follow_up.before_commit", "follow_up.after_commit") as conn:
        by_account = follow_up_policies.policies(conn, platform, pipeline.policy.follow_ups)
        stopped = _stop_ended(conn, platform, Allowed.by(by_account), now, run_id)
        replies = follow_up_plans.lock_sent_replies(conn, platform, now, BATCH)
        reasons: Counter[str] = Counter()
        steps: dict[UUID, tuple[SentReply, PlannedStep]] = {}
        for reply in replies:
            step, why = _next(reply, by_account[reply.platform_account_id], pipeline.policy.follow_up_zone)
            if step is None:
                reasons[why] += 1
            else:
                steps[step.id] = (reply, step)
        completed = 0
        if replies:
            seen = [reply.dispatch_id for reply in replies]
            completed = follow_up_plans.complete_sent(conn, seen, now)
            follow_up_plans.mark_seen(conn, seen, now)
        replaced = [reply.pending_id for reply, _ in steps.values() if reply.pending_id is not None]
        follow_up_ends.call_off(conn, replaced, [StopReason.REPLACED] * len(replaced), now, run_id)
        stored = follow_up_plans.store_steps(conn, [step for _, step in steps.values()], now)
        planned = [pair for identity, pair in steps.items() if identity in stored]
        transitions.transition(conn, _columns(replies, planned, run_id), now)
        audit.record(
            conn,
            [
                follow_up_rows.planned_entry(
                    step,
                    reply.platform_account_id,
                    reply.dispatch_id,
                    platform=platform,
                    run_id=run_id,
                )
                for reply, step in planned
            ],
        )
        asked = _plan_asked_for(conn, platform, now, run_id)
    with transaction(pipeline.engine, "follow_up.before_commit", "follow_up.after_commit") as conn:
        showings, called_off = _plan_showings(conn, pipeline, platform, by_account, now, run_id)
    return PlanResult(
        looked_at=len(replies),
        planned=len(planned) + asked,
        completed=completed,
        stopped=stopped + called_off,
        showing_steps=showings,
        not_followed=dict(reasons),
    )


def _next(reply: SentReply, policy: FollowUpPolicy, default_zone: str) -> tuple[PlannedStep | None, str]:
    """The step that follows a sent reply, or why none does."""
    if reply.obstacle is not None:
        return None, reply.obstacle
    if not policy.enabled:
        return None, "follow_ups_disabled"
    if reply.purpose == "reminder":
        return None, "reminder"
    followed = FollowUpStep(reply.stage) if reply.stage else None
    step = first_step(policy) if followed is None else step_after(followed, policy)
    if followed is None and reply.workflow_state in (WorkflowState.FOLLOW_UP_1, WorkflowState.FOLLOW_UP_2):
        # A person wrote in the middle of a sequence: it goes on from where it is.
        step = step_after(FollowUpStep(reply.workflow_state), policy)
    if step is None:
        return None, "sequence_ended"
    due = due_at(step, policy, reply.sent_at, first_zone(*reply.zones, default_zone))
    planned = PlannedStep(uuid4(), reply.conversation_id, step.value, due, reply.owner_agent_id, reply.seq)
    return planned, ""


def _columns(
    replies: Sequence[SentReply], planned: Sequence[tuple[SentReply, PlannedStep]], run_id: str | None
) -> list[TransitionRequest]:
    """The conversations' own columns: what was sent is completed, a first follow-up stands there as due."""
    requests = [
        _request(reply, WorkflowPatch(follow_up_status=FollowUpStatus.COMPLETED), "follow_up_sent", run_id)
        for reply in replies
        if reply.stage is not None and reply.stage == reply.workflow_state
    ]
    requests += [
        _request(
            reply,
            WorkflowPatch(
                workflow_state=WorkflowState(reply.workflow_state),
                follow_up_stage=FollowUpStage.FOLLOW_UP_1,
                follow_up_due_at=step.due_at,
                follow_up_owner_agent_id=step.owner_agent_id,
                follow_up_status=FollowUpStatus.PENDING,
            ),
            "follow_up_planned",
            run_id,
        )
        for reply, step in planned
        if step.stage == FollowUpStep.FOLLOW_UP_1
    ]
    return requests


def _request(reply: SentReply, patch: WorkflowPatch, trigger: str, run_id: str | None) -> TransitionRequest:
    return TransitionRequest(
        reply.conversation_id,
        patch,
        source="follow_up",
        trigger=trigger,
        actor=Actor("worker", str(reply.owner_agent_id) if reply.owner_agent_id else None),
        run_id=run_id,
    )


def _stop_ended(
    conn: Connection, platform: Platform, allowed: Allowed, now: datetime, run_id: str | None
) -> int:
    """Steps whose text a person discarded end there, and those of accounts that follow up no more."""
    gone = follow_ups.discarded(conn, platform, BATCH)
    off = follow_ups.switched_off(conn, platform, allowed, BATCH)
    called = follow_up_people.called_off(conn, platform, BATCH)
    reasons = (
        [StopReason.NOT_SENT] * len(gone)
        + [StopReason.DISABLED] * len(off)
        + [StopReason.BY_PERSON] * len(called)
    )
    return len(follow_up_ends.call_off(conn, [*gone, *off, *called], reasons, now, run_id))


def _plan_asked_for(conn: Connection, platform: Platform, now: datetime, run_id: str | None) -> int:
    """Plan what people set on conversations; their word replaces what was planned."""
    asked = follow_up_people.asked_for(conn, platform, now, MOST_OVERDUE, BATCH)
    replaced = [one.pending_id for one in asked if one.pending_id is not None]
    follow_up_stops.stop_steps(conn, replaced, [StopReason.REPLACED] * len(replaced), now, run_id=run_id)
    steps = [
        PlannedStep(
            uuid4(),
            one.conversation_id,
            one.stage,
            one.due_at,
            one.owner_agent_id,
            one.after_seq,
            planned_by="person",
        )
        for one in asked
    ]
    stored = follow_up_plans.store_steps(conn, steps, now)
    audit.record(
        conn,
        [
            follow_up_rows.planned_entry(
                step, one.platform_account_id, None, platform=platform, run_id=run_id
            )
            for one, step in zip(asked, steps, strict=True)
            if step.id in stored
        ],
    )
    return len(stored)


def _plan_showings(
    conn: Connection,
    pipeline: Pipeline,
    platform: Platform,
    by_account: Mapping[UUID, FollowUpPolicy],
    now: datetime,
    run_id: str | None,
) -> tuple[int, int]:
    """Steps of showings; (stored, called off). First what no longer fits goes, so that a moved one comes anew."""
    obsolete = showing_steps.obsolete(conn, platform, BATCH)
    stopped = follow_up_ends.call_off(
        conn, obsolete.stop, [StopReason.SHOWING_CHANGED] * len(obsolete.stop), now, run_id
    )
    showing_steps.answered(conn, obsolete.answered, now)
    rows = []
    for showing in showing_steps.unplanned(conn, platform, now, BATCH):
        policy = by_account[showing.platform_account_id]
        tz = first_zone(showing.timezone, *showing.zones, pipeline.policy.follow_up_zone)
        due_steps = steps_of(
            showing.starts_at, showing.ends_at, now, policy.quiet_hours, tz, reminders=policy.reminders
        )
        rows += [
            ShowingStepRow(
                showing.conversation_id,
                step.step.value,
                step.due_at,
                showing.agent_id,
                showing.id,
                showing.starts_at,
            )
            for step in due_steps
        ]
    return showing_steps.store(conn, rows, now), len(stopped)


# ---- due steps


@dataclass(frozen=True, slots=True)
class DueStep:
    """A due step and what is done about it. ``text`` only where one goes out or is drafted."""

    row: DueRow
    what: What
    policy: PlatformPolicy
    reason: StopReason | None = None
    text: FollowUpText | None = None
    new_due_at: datetime | None = None
    not_after: datetime | None = None

    @property
    def dispatch_key(self) -> str:
        """Unique purpose of its outbox row: from the step, nothing else."""
        return f"{self.purpose}:{self.row.id}"

    @property
    def purpose(self) -> Literal["follow_up", "reminder"]:
        return "follow_up" if self.row.appointment_id is None else "reminder"

    @property
    def template_name(self) -> str | None:
        return TEMPLATE_NAMES.get(self.row.stage)


@dataclass(frozen=True, slots=True)
class DuePlan:
    """The due steps of a batch. ``rows`` is what the quality gate looks at, keyed by ``follow_up_id``."""

    platform: Platform
    steps: tuple[DueStep, ...]

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [follow_up_rows.check_row(step) for step in self.steps if step.text is not None]


@dataclass(frozen=True, slots=True)
class FollowUpResult:
    """What became of a batch. ``raced`` steps or conversations changed meanwhile and come next time."""

    due: int = 0
    queued: int = 0
    drafted: int = 0
    held: int = 0
    no_reply: int = 0
    prompted: int = 0
    stopped: int = 0
    postponed: int = 0
    refused: int = 0
    raced: int = 0


def due(pipeline: Pipeline, platform: Platform) -> DuePlan:
    """Judge the steps whose time has come; nothing is written."""
    now, limits = pipeline.clock(), pipeline.policy
    with pipeline.engine.connect() as conn:
        by_account = follow_up_policies.policies(conn, platform, limits.follow_ups)
        rows = follow_ups.load_due(conn, platform, Allowed.by(by_account), now, BATCH)
        if not rows:
            return DuePlan(platform, ())
        sending = policies.account_policies(conn, platform, limits.default_send_mode)
        book = waiting.load_reply_book(conn, platform)
        silent = [row.conversation_id for row in rows if row.appointment_id is None]
        offers = handshake.load_offers(conn, silent, now) if silent else {}
    gate = LeadGate(limits.allow_lead_names, limits.allow_lead_names_by_platform, limits.max_message_age)
    steps = []
    for row in rows:
        account = row.platform_account_id
        judged = _judge(
            row, by_account[account], sending[account], gate, platform, limits.follow_up_zone, now
        )
        if judged.what == "queued":
            template = book.template(account, judged.template_name)
            judged = _with_text(
                judged, template, offers.get(row.conversation_id, handshake.NO_OFFER).takeable
            )
        steps.append(judged)
    return DuePlan(platform, tuple(steps))


def _judge(
    row: DueRow,
    policy: FollowUpPolicy,
    sending: PlatformPolicy,
    gate: LeadGate,
    platform: Platform,
    default_zone: str,
    now: datetime,
) -> DueStep:
    """What is done about a due step, before its text is known."""
    step = DueStep(row, "queued", sending)
    if row.obstacle is not None:
        return replace(step, what="stopped", reason=StopReason(row.obstacle))
    if row.stage == ShowingStep.OUTCOME_PROMPT:
        return replace(step, what="prompted")
    tz = first_zone(row.showing_timezone, *row.zones, default_zone)
    latest: datetime | None = None
    if row.appointment_id is not None:
        assert row.showing_starts_at is not None
        latest = not_after(ShowingStep(row.stage), row.showing_starts_at)
        assert latest is not None
        if now >= latest:
            return replace(step, what="stopped", reason=StopReason.TOO_LATE)
        if row.waits:
            return replace(step, what="waits")
    elif now - row.due_at > MOST_OVERDUE:
        return replace(step, what="stopped", reason=StopReason.TOO_LATE)
    if row.stage == FollowUpStep.NO_REPLY:
        return replace(step, what="no_reply")
    # A lead is never too old for a follow-up, which is what the gate's age bound is about.
    if gate.refusal(platform, row.lead_name, 0.0) is not None:
        return replace(step, what="stopped", reason=StopReason.LEAD_GATE)
    return _in_its_hours(step, policy, latest, tz, now)


def _in_its_hours(
    step: DueStep, policy: FollowUpPolicy, latest: datetime | None, tz: ZoneInfo, now: datetime
) -> DueStep:
    """Late enough to fall into the quiet hours is not now; what waits in the outbox may not slip into them."""
    morning = outside_quiet_hours(now, policy.quiet_hours, tz)
    if morning > now:
        if latest is not None and morning >= latest:
            return replace(step, what="stopped", reason=StopReason.TOO_LATE)
        return replace(step, what="postponed", new_due_at=morning)
    evening = quiet_from(now, policy.quiet_hours, tz)
    bounds = [bound for bound in (latest, evening) if bound is not None]
    return replace(step, not_after=min(bounds, default=None))


def _with_text(step: DueStep, template: Any, offers: tuple[Slot, ...]) -> DueStep:
    """The step with its text, and whether that is sent, drafted or held."""
    row = step.row
    slots = (_showing_slot(row),) if row.appointment_id is not None else offers
    found = follow_up_text(
        row.stage,
        template,
        lead_name=row.lead_name,
        unit_label=row.unit_label,
        unit_number=row.unit_number,
        slots=slots,
    )
    what: What = "queued"
    if found.broken:
        what = "held"
    elif found.draft_only or step.policy.effective_send_mode is not SendMode.AUTO_SEND:
        what = "drafted"
    return replace(step, what=what, text=found)


def _showing_slot(row: DueRow) -> Slot:
    assert row.showing_starts_at is not None
    assert row.showing_ends_at is not None
    assert row.showing_unit_id is not None
    return Slot(
        row.showing_starts_at,
        row.showing_ends_at,
        row.showing_timezone or "UTC",
        row.owner_agent_id,
        row.showing_agent_name,
        row.showing_unit_id,
    )


def apply(
    pipeline: Pipeline, plan: DuePlan, refused: Mapping[str, str], run_id: str | None
) -> FollowUpResult:
    """Write the plan in one transaction; ``refused`` maps step ids to why the quality gate holds them."""
    steps = [
        replace(step, what="stopped", reason=StopReason.QUALITY_GATE, text=None)
        if str(step.row.id) in refused
        else step
        for step in plan.steps
        if step.what != "waits"
    ]
    if not steps:
        return FollowUpResult(due=len(plan.steps))
    now = pipeline.clock()
    with transaction(pipeline.engine, "follow_up.before_commit", "follow_up.after_commit") as conn:
        unchanged = follow_ups.lock_unchanged(conn, [step.row for step in steps], now)
        stands = [step for step in steps if step.row.id in unchanged]
        stands = _moved(conn, stands, now, run_id)
        stopping = [step for step in stands if step.what == "stopped"]
        follow_up_ends.call_off(
            conn,
            [step.row.id for step in stopping],
            [step.reason or StopReason.NOT_SENT for step in stopping],
            now,
            run_id,
        )
        _postpone(conn, [step for step in stands if step.what == "postponed"], now, run_id)
        written = [step for step in stands if step.text is not None]
        follow_ups.hand_over(
            conn,
            drafts=[follow_up_rows.draft_row(step, now) for step in written if step.what != "queued"],
            dispatches=[follow_up_rows.dispatch_row(step, plan.platform, run_id) for step in written],
            handed=[
                follow_up_rows.handed_row(step)
                for step in stands
                if step.text is not None or step.what in ("no_reply", "prompted")
            ],
            now=now,
        )
        audit.record(
            conn,
            [
                entry
                for step in stands
                if (entry := follow_up_rows.done_entry(step, plan.platform, run_id)) is not None
            ],
        )
    done = Counter(step.what for step in stands)
    return FollowUpResult(
        due=len(plan.steps),
        queued=done["queued"],
        drafted=done["drafted"],
        held=done["held"],
        no_reply=done["no_reply"],
        prompted=done["prompted"],
        stopped=done["stopped"],
        postponed=done["postponed"],
        refused=sum(str(step.row.id) in refused for step in stands),
        raced=len(steps) - len(stands),
    )


def _postpone(conn: Connection, steps: Sequence[DueStep], now: datetime, run_id: str | None) -> None:
    """Move steps to a later time, with what their conversations say about them."""
    rows = [{"id": str(step.row.id), "due_at": step.new_due_at} for step in steps]
    follow_ups.postpone(conn, rows, now)
    requests = [
        TransitionRequest(
            step.row.conversation_id,
            WorkflowPatch(follow_up_due_at=step.new_due_at),
            source="follow_up",
            trigger="follow_up_postponed",
            run_id=run_id,
        )
        for step in steps
        if step.row.on_conversation
    ]
    transitions.transition(conn, requests, now)


def _moved(conn: Connection, steps: Sequence[DueStep], now: datetime, run_id: str | None) -> list[DueStep]:
    """Move the conversations; a step whose conversation may not move is called off."""
    moving = [step for step in steps if step.what in ("queued", "drafted", "held", "no_reply")]
    moving = [step for step in moving if step.row.appointment_id is None]
    results = transitions.transition(
        conn,
        [
            TransitionRequest(
                step.row.conversation_id,
                _patch(step.row),
                source="follow_up",
                trigger="follow_up_due",
                actor=Actor("worker", str(step.row.owner_agent_id) if step.row.owner_agent_id else None),
                run_id=run_id,
            )
            for step in moving
        ],
        now,
    )
    refused = {
        step.row.id
        for step, result in zip(moving, results, strict=True)
        if not result.applied and result.reason != "no_change"
    }
    return [
        replace(step, what="stopped", reason=StopReason.REFUSED, text=None)
        if step.row.id in refused
        else step
        for step in steps
    ]


def _patch(row: DueRow) -> WorkflowPatch:
    if row.stage == FollowUpStep.NO_REPLY:
        return WorkflowPatch(workflow_outcome=WorkflowOutcome.NO_REPLY)
    return WorkflowPatch(
        workflow_state=WorkflowState(row.stage),
        follow_up_stage=FollowUpStage(row.stage),
        follow_up_due_at=row.due_at,
        follow_up_owner_agent_id=row.owner_agent_id,
        follow_up_status=FollowUpStatus.PENDING,
    )
