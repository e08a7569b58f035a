"""Built-in reply texts of the handshake. An account's own template of the same name wins. Pure."""

from __future__ import annotations

from typing import Final

from leasebot_pipeline.domain.handshake_plan import HandshakePlan, ShowingText
from leasebot_pipeline.domain.replies import template_context

SHOWING_TEMPLATES: Final[dict[ShowingText, str]] = {
    ShowingText.CONFIRMED: "Hi {{ lead_name }}, you are confirmed to see {{ unit }}:\n{{ slot_options_list }}\n"
    "See you then! If anything changes, just write to us here.",
    ShowingText.HOLD: "Hi {{ lead_name }}, we can hold this time for you to see {{ unit }}:\n{{ slot_options_list }}\n"
    'Please reply with the word "confirm" to take it.',
    ShowingText.WHICH_ONE: "Hi {{ lead_name }}, just to be sure: which of these times do you mean?\n{{ slot_options_list }}",
    ShowingText.OTHER_TIMES: "Hi {{ lead_name }}, these are other times at which we can show {{ unit }}:\n"
    "{{ slot_options_list }}\nWhich one suits you?",
    ShowingText.TAKEN: "Hi {{ lead_name }}, sorry, that time has just been taken. We can offer these instead:\n"
    "{{ slot_options_list }}\nWhich one suits you?",
    ShowingText.RESCHEDULE: "Hi {{ lead_name }}, no problem, we can move your visit to {{ unit }} to one of these times:\n"
    "{{ slot_options_list }}\nWhich one suits you?",
    ShowingText.RESCHEDULED: "Hi {{ lead_name }}, done: your visit to {{ unit }} is moved. You are confirmed for:\n"
    "{{ slot_options_list }}\nSee you then!",
    ShowingText.CANCELLED: "Hi {{ lead_name }}, thanks for telling us. Your visit to {{ unit }} is cancelled:\n"
    "{{ slot_options_list }}\nIf you would like to come another time, just write to us here.",
}


def showing_context(
    lead_name: str | None, unit_label: str | None, unit_number: str | None, plan: HandshakePlan
) -> dict[str, str]:
    """Values of the placeholders: the ones every template knows, over the slots of the plan."""
    return template_context(lead_name, unit_label, unit_number, plan.slots)
