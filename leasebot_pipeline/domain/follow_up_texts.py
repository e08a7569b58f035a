"""Texts of follow-ups and reminders: built-in templates, and which one is used. Pure.

An account's own template of the same name wins over a global one, both over the built-in text. A template
that can't be filled is replaced by the built-in text, which then waits for a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from leasebot_pipeline.domain.follow_ups import FollowUpStep
from leasebot_pipeline.domain.guardrails_outbound import check_outbound
from leasebot_pipeline.domain.policy import Template
from leasebot_pipeline.domain.replies import TemplateInvalid, render, template_context
from leasebot_pipeline.domain.showing_reminders import ShowingStep
from leasebot_pipeline.domain.slots import Slot

TEMPLATE_NAMES: Final[dict[str, str]] = {
    FollowUpStep.FOLLOW_UP_1.value: "follow_up_1",
    FollowUpStep.FOLLOW_UP_2.value: "follow_up_2",
    ShowingStep.REMINDER_24H.value: "showing_reminder_24h",
    ShowingStep.REMINDER_2H.value: "showing_reminder_2h",
}
"""Name of the ``"Templates"`` row that replaces a built-in text, by stage."""

BUILT_IN: Final[dict[str, str]] = {
    FollowUpStep.FOLLOW_UP_1.value: (
        "Hi {{ lead_name }}, just checking in about {{ unit }}. Are you still interested? "
        "If you would like to see it, tell me what days suit you and I will find a time."
    ),
    FollowUpStep.FOLLOW_UP_2.value: (
        "Hi {{ lead_name }}, I did not hear back from you about {{ unit }}, so this is my last message. "
        "If you still want to see it, just reply here and we will arrange a visit."
    ),
    ShowingStep.REMINDER_24H.value: (
        "Hi {{ lead_name }}, a reminder of your visit to {{ unit }}: {{ slot }}. "
        "If you can't make it, please reply here."
    ),
    ShowingStep.REMINDER_2H.value: (
        "Hi {{ lead_name }}, see you soon at {{ unit }}: {{ slot }}. If something came up, please reply here."
    ),
}


@dataclass(frozen=True, slots=True)
class FollowUpText:
    """A text ready to go out. ``broken`` are outbound guardrails it hits; ``draft_only`` says a person must look."""

    body: str
    template_id: UUID | None
    broken: tuple[str, ...]
    draft_only: bool


def follow_up_text(
    stage: str,
    template: Template | None,
    *,
    lead_name: str | None,
    unit_label: str | None,
    unit_number: str | None,
    slots: tuple[Slot, ...] = (),
) -> FollowUpText:
    """The text of a stage that writes. ``slots`` are the showing reminded of, or those still on offer."""
    context = template_context(lead_name, unit_label, unit_number, slots)
    built_in = BUILT_IN[stage]
    if template is not None and template.is_active and template.body.strip():
        try:
            body = render(template.body, context)
        except TemplateInvalid:
            body = render(built_in, context)
            return FollowUpText(body, None, check_outbound(body, built_in), draft_only=True)
        return FollowUpText(body, template.id, check_outbound(body, template.body), draft_only=False)
    body = render(built_in, context)
    return FollowUpText(body, None, check_outbound(body, built_in), draft_only=False)
