"""Five machines: no sequence of events leaves the tables, and what has ended stays so."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from datetime import UTC, datetime
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.decisions import WorkflowOutcome
from leasebot_pipeline.domain.follow_up_states import (
    FOLLOW_UP_TRANSITIONS,
    FollowUpStage,
    FollowUpStatus,
    follow_up_transition_allowed,
    stage_transition_allowed,
)
from leasebot_pipeline.domain.message_review import (
    REVIEW_TRANSITIONS,
    ReviewStatus,
    conversation_status,
    review_status,
    review_transition_allowed,
)
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.domain.showings import SHOWING_TRANSITIONS, ShowingState, showing_transition_allowed
from leasebot_pipeline.domain.slot_offers import OFFER_TRANSITIONS, OfferState, offer_transition_allowed
from leasebot_pipeline.domain.workflow import (
    WORKFLOW_TRANSITIONS,
    WorkflowState,
    workflow_transition_allowed,
)
from leasebot_pipeline.domain.workflow_changes import (
    KEEP,
    ChangeRefusal,
    WorkflowColumns,
    WorkflowPatch,
    outcome_fits,
    plan_change,
    showing_patch,
    step_refusal,
)

AT = datetime(2026, 11, 25, 9, tzinfo=UTC)
OWNER = UUID("a1000000-0000-4000-8000-000000000001")


def inbound(current: ReviewStatus, target: ReviewStatus) -> bool:
    return review_transition_allowed(Direction.INBOUND, current, target)


def outbound(current: ReviewStatus, target: ReviewStatus) -> bool:
    return review_transition_allowed(Direction.OUTBOUND, current, target)


MACHINES: dict[str, tuple[Mapping[Any, frozenset[Any]], Callable[[Any, Any], bool]]] = {
    "workflow": (WORKFLOW_TRANSITIONS, workflow_transition_allowed),
    "showing": (SHOWING_TRANSITIONS, showing_transition_allowed),
    "offer": (OFFER_TRANSITIONS, offer_transition_allowed),
    "follow-up": (FOLLOW_UP_TRANSITIONS, follow_up_transition_allowed),
    "inbound message": (REVIEW_TRANSITIONS[Direction.INBOUND], inbound),
    "outbound message": (REVIEW_TRANSITIONS[Direction.OUTBOUND], outbound),
}
TERMINAL = {
    "workflow": set(),
    "showing": {"cancelled", "completed", "no_show"},
    "offer": {"confirmed", "declined", "expired", "superseded"},
    "follow-up": {"completed", "cancelled"},
    "inbound message": {"draft", "sent"},
    "outbound message": {"new", "sent"},
}


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_has_its_row_and_the_ends_have_no_way_out(name: str) -> None:
    table, _ = MACHINES[name]
    assert {target for targets in table.values() for target in targets} <= set(table)
    assert {state for state, targets in table.items() if not targets} == TERMINAL[name]


@pytest.mark.parametrize("name", MACHINES)
@given(data=st.data())
def test_no_sequence_of_events_leaves_the_table(name: str, data: st.DataObject) -> None:
    """Whatever is asked for in whatever order: only steps of the table happen, and an end is an end."""
    table, allowed = MACHINES[name]
    states: list[Hashable] = list(table)
    state = data.draw(st.sampled_from(states))
    for target in data.draw(st.lists(st.sampled_from(states), max_size=20)):
        ended = not table[state]
        if allowed(state, target):
            assert target == state or target in table[state]
            assert not ended or target == state
            state = target
    assert state in table


def test_offers_follow_the_handshake() -> None:
    """offered, held, then one of the four ends; a hold is never a mere offer again."""
    ways = {
        (a.value, b.value)
        for a, b in product(OfferState, OfferState)
        if a != b and offer_transition_allowed(a, b)
    }
    ends = ("confirmed", "declined", "expired", "superseded")
    assert ways == {("offered", "held"), *(("offered", e) for e in ends), *(("held", e) for e in ends)}


def test_a_stage_goes_up_and_ends_only_with_its_conversation() -> None:
    """Behaviour 37 and the follow-up table, NULL handled expressly (G-17)."""
    stages = (None, *FollowUpStage)
    for may_clear, (a, b) in product((True, False), product(stages, stages)):
        up = {(None, "follow_up_1"), ("follow_up_1", "follow_up_2")}
        expected = a == b or (a, b) in up or (b is None and may_clear)
        assert stage_transition_allowed(a, b, may_clear=may_clear) is expected


class TestReviewStatus:
    def test_what_a_missing_status_means(self) -> None:
        """Behaviour 6."""
        assert review_status(Direction.INBOUND, None) is ReviewStatus.NEW
        assert review_status(Direction.OUTBOUND, None) is ReviewStatus.SENT
        assert review_status(Direction.OUTBOUND, "hold") is ReviewStatus.HOLD
        assert review_status(Direction.OUTBOUND, "odd") is ReviewStatus.SENT

    def test_a_conversation_is_new_while_its_lead_waits(self) -> None:
        """G-63: an answered message is no longer new; a draft comes before a hold, a hold before what is new."""
        asked, answered = (Direction.INBOUND, None, False), (Direction.INBOUND, None, True)
        draft, hold = (Direction.OUTBOUND, "draft", False), (Direction.INBOUND, "hold", True)
        assert conversation_status([answered, (Direction.OUTBOUND, None, False)]) is ReviewStatus.SENT
        assert conversation_status([answered, asked]) is ReviewStatus.NEW
        assert conversation_status([asked, hold]) is ReviewStatus.HOLD
        assert conversation_status([asked, hold, draft]) is ReviewStatus.DRAFT
        assert conversation_status([]) is ReviewStatus.SENT


def follow_up(stage: FollowUpStage) -> WorkflowColumns:
    return WorkflowColumns(WorkflowState(stage.value), None, None, stage, AT, OWNER)


def changed(current: WorkflowColumns, patch: WorkflowPatch, **how: bool) -> WorkflowColumns:
    steps = plan_change(current, patch, **how)
    assert not isinstance(steps, ChangeRefusal), steps
    return steps[-1]


def refused(current: WorkflowColumns, patch: WorkflowPatch, **how: bool) -> ChangeRefusal:
    refusal = plan_change(current, patch, **how)
    assert isinstance(refusal, ChangeRefusal), refusal
    return refusal


class TestChanges:
    """What a patch brings with it, and what it may not."""

    LEAD = WorkflowColumns()
    SHOWING = WorkflowColumns(
        WorkflowState.SHOWING, WorkflowOutcome.SHOWING_CONFIRMED, ShowingState.CONFIRMED
    )
    ENDED = WorkflowColumns(WorkflowState.OUTCOME, WorkflowOutcome.HUMAN_REQUIRED)

    @pytest.mark.parametrize("outcome", ["not_interested", "wants_reschedule", "no_show", "completed"])
    def test_an_outcome_brings_its_state(self, outcome: str) -> None:
        """Behaviour 38."""
        after = changed(self.SHOWING, WorkflowPatch(workflow_outcome=WorkflowOutcome(outcome)))
        assert (after.workflow_state, after.workflow_outcome) == ("outcome", outcome)

    def test_a_confirmed_showing_brings_showing(self) -> None:
        after = changed(self.LEAD, WorkflowPatch(workflow_outcome=WorkflowOutcome.SHOWING_CONFIRMED))
        assert after.workflow_state is WorkflowState.SHOWING

    def test_a_stage_brings_its_state_and_needs_owner_and_time(self) -> None:
        """Behaviour 35; a stage wins over the state the outcome would bring."""
        stage = WorkflowPatch(follow_up_stage=FollowUpStage.FOLLOW_UP_1)
        refusal = refused(self.LEAD, stage)
        assert (refusal.reason, refusal.message.split(":")[0]) == ("validation_error", "followUpDueAt")
        complete = WorkflowPatch(
            follow_up_stage=FollowUpStage.FOLLOW_UP_1, follow_up_due_at=AT, follow_up_owner_agent_id=OWNER
        )
        assert changed(self.LEAD, complete) == follow_up(FollowUpStage.FOLLOW_UP_1)

    def test_leaving_an_outcome_clears_it(self) -> None:
        """G-18: this ended as a CHECK violation."""
        after = changed(self.ENDED, WorkflowPatch(workflow_state=WorkflowState.LEAD))
        assert (after.workflow_state, after.workflow_outcome) == ("lead", None)

    def test_an_outcome_ends_the_follow_up(self) -> None:
        after = changed(
            follow_up(FollowUpStage.FOLLOW_UP_2), WorkflowPatch(workflow_outcome=WorkflowOutcome.NO_REPLY)
        )
        assert after == WorkflowColumns(WorkflowState.OUTCOME, WorkflowOutcome.NO_REPLY)

    def test_what_contradicts_itself_is_refused(self) -> None:
        both = WorkflowPatch(
            workflow_outcome=WorkflowOutcome.NO_REPLY,
            follow_up_stage=FollowUpStage.FOLLOW_UP_1,
            follow_up_due_at=AT,
            follow_up_owner_agent_id=OWNER,
        )
        assert refused(self.LEAD, both).kind == "workflow_outcome"
        other = WorkflowPatch(workflow_state=WorkflowState.FOLLOW_UP_1, follow_up_stage=None)
        assert refused(self.LEAD, other).kind == "follow_up_stage"

    def test_a_refusal_names_both_states(self) -> None:
        """Behaviours 33, 37 and 42."""
        up = WorkflowPatch(
            follow_up_stage=FollowUpStage.FOLLOW_UP_2, follow_up_due_at=AT, follow_up_owner_agent_id=OWNER
        )
        refusal = refused(self.SHOWING, up)
        assert (refusal.kind, refusal.current, refusal.target) == ("workflow_state", "showing", "follow_up_2")
        done = WorkflowColumns(WorkflowState.OUTCOME, WorkflowOutcome.COMPLETED, ShowingState.COMPLETED)
        refusal = refused(done, WorkflowPatch(showing_state=ShowingState.PENDING))
        assert (refusal.kind, refusal.current, refusal.target) == ("showing_state", "completed", "pending")
        refusal = refused(done, WorkflowPatch(showing_state=None))
        assert (refusal.reason, refusal.target) == ("invalid_transition", None)

    def test_asking_for_what_is_changes_nothing(self) -> None:
        assert refused(self.ENDED, WorkflowPatch()).reason == "no_change"

    def test_reopening_passes_through_lead(self) -> None:
        """Without it the tables hold; with it each step is one of the table."""
        patch = showing_patch(ShowingState.CONFIRMED)
        assert refused(self.ENDED, patch).reason == "invalid_transition"
        steps = plan_change(self.ENDED, patch, reopen=True)
        assert not isinstance(steps, ChangeRefusal)
        assert [step.workflow_state for step in steps] == ["lead", "showing"]
        steps = plan_change(follow_up(FollowUpStage.FOLLOW_UP_2), patch, reopen=True)
        assert not isinstance(steps, ChangeRefusal)
        assert [step.workflow_state for step in steps] == ["outcome", "lead", "showing"]

    def test_an_ended_showing_is_followed_only_by_a_new_one(self) -> None:
        cancelled = WorkflowColumns(showing_state=ShowingState.CANCELLED)
        patch = showing_patch(ShowingState.CONFIRMED)
        assert refused(cancelled, patch, reopen=True).kind == "showing_state"
        assert changed(cancelled, patch, reopen=True, new_showing=True).showing_state == "confirmed"


def _field(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.just(KEEP), values)


_PATCHES = st.builds(
    WorkflowPatch,
    workflow_state=_field(st.sampled_from(WorkflowState)),
    workflow_outcome=_field(st.one_of(st.none(), st.sampled_from(WorkflowOutcome))),
    showing_state=_field(st.one_of(st.none(), st.sampled_from(ShowingState))),
    follow_up_stage=_field(st.one_of(st.none(), st.sampled_from(FollowUpStage))),
    follow_up_due_at=_field(st.one_of(st.none(), st.just(AT))),
    follow_up_owner_agent_id=_field(st.one_of(st.none(), st.just(OWNER))),
    follow_up_status=_field(st.sampled_from(FollowUpStatus)),
)


@given(st.lists(st.tuples(_PATCHES, st.booleans()), max_size=12))
def test_no_sequence_of_changes_reaches_a_state_the_database_forbids(
    events: list[tuple[WorkflowPatch, bool]],
) -> None:
    """Each step is one of the tables; each state reached satisfies every constraint of the table; ends are ends."""
    columns = WorkflowColumns()
    for patch, reopen in events:
        steps = plan_change(columns, patch, reopen=reopen)
        if isinstance(steps, ChangeRefusal):
            continue
        for after in steps:
            assert step_refusal(columns, after) is None
            assert outcome_fits(after.workflow_outcome, after.workflow_state)
            if after.workflow_state.value.startswith("follow_up"):
                assert after.follow_up_stage == after.workflow_state
            if after.follow_up_stage is not None:
                assert after.follow_up_due_at is not None
                assert after.follow_up_owner_agent_id is not None
            if not SHOWING_TRANSITIONS[columns.showing_state]:
                assert after.showing_state == columns.showing_state
            columns = after
