"""Values for the tests of decisions: a unit with four open viewing times, a lead, an account that may send."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from leasebot_pipeline.domain.decisions import (
    ComposeOptions,
    DecisionInput,
    Intent,
    Outcome,
    RiskLevel,
    Verdict,
    WorkflowOutcome,
)
from leasebot_pipeline.domain.eligibility import compose
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.domain.policy import AutomationRule, PlatformPolicy, Template
from leasebot_pipeline.domain.slots import Slot

UNIT = UUID(int=1)
DANA = UUID(int=2)
BODY = "Hi {{ lead_name }}, you can see {{ unit }}:\n{{ slot_options_list }}"
RULE = AutomationRule(UUID(int=10), "tour_request", True, "t")
TEMPLATE = Template(UUID(int=11), "t", BODY, ("lead_name", "unit", "slot_options_list"), True)
SENDS = PlatformPolicy(True, SendMode.AUTO_SEND, SendMode.AUTO_SEND, ReleaseStage.FULL, True)


def slot(day: int, hour: int, minute: int = 0, zone: str = "UTC") -> Slot:
    start = datetime(2026, 2, day, hour, minute, tzinfo=UTC)
    return Slot(start, start + timedelta(minutes=30), zone, DANA, "Dana", UNIT)


FRIDAY_6PM, SATURDAY_3PM, SATURDAY_6PM, TUESDAY_10AM = slot(13, 18), slot(14, 15), slot(14, 18), slot(17, 10)
OFFER = (FRIDAY_6PM, SATURDAY_3PM, SATURDAY_6PM, TUESDAY_10AM)


def asked(*messages: str, **changes: Any) -> DecisionInput:
    """A waiting conversation; an open offer implies that we wrote before."""
    values: dict[str, Any] = {
        "conversation_id": UUID(int=3),
        "platform": Platform.ROOMIES,
        "lead_name": "Sam",
        "unit_label": "Maple Court 4B",
        "unit_number": "4B",
        "new_messages": messages,
        "history": (),
        "slots": OFFER,
        "open_offer": (),
        "has_recent_outbound": bool(changes.get("open_offer")),
        "last_intent": None,
        "workflow_state": "lead",
        "workflow_outcome": None,
        "showing_state": None,
        "age_s": 5.0,
    }
    return DecisionInput(**{**values, **changes})


TOUR_VERDICT = Verdict(
    provider="heuristic",
    model=None,
    rules_version="test",
    intent=Intent.TOUR_REQUEST,
    effective_intent=Intent.TOUR_REQUEST,
    follow_up=False,
    workflow_outcome=WorkflowOutcome.GENERAL_QUESTION,
    confidence=0.9,
    risk_level=RiskLevel.LOW,
    ambiguous=False,
    selected_slot_index=None,
    guardrails=(),
    evidence=(),
    reply_language="en",
)


def verdict(**changes: Any) -> Verdict:
    return replace(TOUR_VERDICT, **changes)


def composed(
    question: DecisionInput | None = None,
    judged: Verdict = TOUR_VERDICT,
    policy: PlatformPolicy = SENDS,
    rule: AutomationRule | None = RULE,
    template: Template | None = TEMPLATE,
    options: ComposeOptions | None = None,
) -> Outcome:
    return compose(
        question or asked("Can I tour?"), judged, policy, rule, template, options or ComposeOptions()
    )
