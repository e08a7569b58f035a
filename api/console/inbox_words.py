"""What the inbox says for codes of decisions, replies and linkage: whole phrases where a word would puzzle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from api.console.wording import words

PLATFORMS: Final[Mapping[str, str]] = {
    "spareroom": "SpareRoom",
    "roomies": "Roomies",
    "leasebreak": "Leasebreak",
    "renthop": "RentHop",
    "furnishedfinder": "Furnished Finder",
}
_REASONS: Final[Mapping[str, str]] = {
    "policy_send_allowed": "All checks passed",
    "policy_draft_required": "Drafts only, as the release stage or the account is set",
    "policy_release_shadow": "The release is in shadow, and nothing goes out",
    "policy_platform_inactive": "The account is switched off",
    "draft_read_by_model_alone": "Only the language model read it this way",
    "draft_text_not_from_template": "The text does not come from a template",
    "skip_rule_disabled": "The rule for this is switched off",
    "skip_lead_declined": "The lead declined: nothing to answer",
    "skip_nothing_to_answer": "Nothing to answer",
    "escalate_human_required": "The lead asks for a person, or the matter needs one",
    "escalate_low_confidence_human_required": "Not sure enough what the lead means",
    "escalate_ambiguous_intent": "It is unclear what the lead wants",
    "escalate_non_tour_intent": "Not a question the bot answers",
    "escalate_no_slot_candidates": "No free time to offer",
    "escalate_no_agent_for_slot": "Nobody is free to show it then",
    "escalate_no_matching_rule": "No rule for this kind of question",
    "escalate_template_missing": "The rule has no template",
    "escalate_template_invalid": "The template has a gap that could not be filled",
    "escalate_showing_already_arranged": "A showing is arranged already",
    "escalate_reschedule_requires_booking": "The showing was not booked here: move it by hand",
    "escalate_cancellation_requires_booking": "The showing was not booked here: cancel it by hand",
    "escalate_unsubscribe_requested": "The lead wants no more messages",
    "escalate_lead_opted_out": "The lead wants no more messages",
    "escalate_delivery_unknown": "An earlier reply may or may not have arrived",
    "escalate_message_too_old": "The message is too old to be answered by itself",
    "rejected_by_person": "A person rejected it",
    "escalate_quality_gate": "A quality check held it",
    "escalate_taken_over_by_person": "A person has taken this conversation over",
    "escalate_dispatch_retry_exhausted": "The reply could not be sent",
    "unanswered_question": "It asks something the bot could not answer",
    "provider_failed": "The language model did not answer",
    "text_not_readable": "The message could not be read",
    "slot_conflict": "The chosen time was taken meanwhile",
}
GUARDRAILS: Final[Mapping[str, str]] = {
    "outbound_contains_ssn_pattern": "a social security number",
    "outbound_contains_card_number": "a card number",
    "outbound_contains_link": "a link",
    "outbound_contains_email": "an e-mail address",
    "outbound_contains_phone": "a phone number",
    "outbound_contains_money": "an amount of money",
    "outbound_contains_promise": "a promise or guarantee",
    "outbound_contains_access_code": "an access code",
    "outbound_steers": "words about who should or should not live there",
    "outbound_time_not_offered": "a time that is not free",
}
_STRATEGIES: Final[Mapping[str, str]] = {
    "listing_id": "The thread names our listing",
    "listing_external_id": "The thread names the advert's number on its platform",
    "unit_id": "The thread names our unit",
    "unit_external_id": "The thread names the unit's number on its platform",
    "property_name_unit_number": "Building and unit number in the thread fit",
    "unresolved": "The thread names something we have no listing for",
    "none": "The thread does not say which advert it is about",
}
_INTENTS: Final[Mapping[str, str]] = {
    "tour_request": "Asks for a viewing",
    "availability_question": "Asks whether it is free",
    "pricing_question": "Asks about the price",
    "follow_up": "Writes again after our answer",
    "unsubscribe": "Wants no more messages",
    "unknown": "It is unclear what the lead wants",
}
_DELIVERY: Final[Mapping[str, str]] = {
    "queued": "Queued: goes out as soon as the account is free",
    "claimed": "Sending: being typed",
    "sending": "Sending",
    "sent": "Sent, seen in the thread",
    "unknown": "Unknown: clicked, but not seen in the thread yet",
    "retry_scheduled": "Could not be sent yet; will try again",
    "dead_letter": "Failed: given up after several tries",
    "cancelled": "Withdrawn",
}
_SILENCES: Final[Mapping[str, str]] = {
    "release_shadow": "The release is in shadow: nothing is sent. What you write or approve stays a draft.",
    "account_inactive": "This account is switched off: nothing is sent.",
    "sends_stopped": "Sending is stopped just now. What you send or approve waits until it goes on.",
    "account_stopped": "This account has stopped and needs somebody to look. What you send or approve waits until then.",
}
WAITING_TO_GO: Final = ("queued", "retry_scheduled")
STOPPED: Final = "Waits: sending is stopped"
_OUTCOMES: Final[Mapping[str, str]] = {
    "send": "Answered by itself",
    "draft": "Prepared a draft",
    "skip": "Left unanswered",
    "escalate": "Asked for a person",
    "blocked": "Blocked",
}


_STATES: Final[Mapping[str, str]] = {
    "lead": "Being answered",
    "showing": "Showing arranged",
    "follow_up_1": "First follow-up",
    "follow_up_2": "Second follow-up",
    "outcome": "Came to an outcome",
}


def state_text(code: str) -> str:
    """How far a conversation has come."""
    return _STATES.get(code, words(code))


def platform_name(code: str) -> str:
    return PLATFORMS.get(code, words(code))


def reason_text(code: str) -> str:
    """A reason of a decision in words; guardrails and risks by what they found."""
    if code in _REASONS:
        return _REASONS[code]
    plain = code.removeprefix("escalate_")
    if plain in GUARDRAILS:
        return f"The prepared text contains {GUARDRAILS[plain]}"
    if plain.startswith("risk_"):
        return f"{words(plain.split('_')[1])} risk: a person should look"
    return words(plain)


_GONE: Final = {
    "in_the_past": "it has passed",
    "slot_unavailable": "unit or agent are not available then",
    "agent_busy": "the agent has another showing then",
    "unit_with_other_agent": "another agent shows the unit then",
    "slot_full": "the unit is taken then",
    "daily_cap": "the agent's day is full",
    "unit_inactive": "the unit is no longer let",
    "agent_removed": "the agent was removed",
    "agent_not_assigned": "the agent does not show the unit any more",
}


def gone_text(reason: str) -> str:
    """Why a time that is offered can not be booked any more."""
    return _GONE.get(reason) or words(reason).lower()


def guardrail_text(found: list[str]) -> str:
    """What a text contains that may not go out: "a link and a phone number"."""
    named = [GUARDRAILS.get(code, words(code).lower()) for code in found]
    return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)


def intent_text(code: str, sure: float | None = None) -> str:
    """What the bot took a message for, and how sure it was of that."""
    said = _INTENTS.get(code, words(code))
    return said if sure is None or code == "unknown" else f"{said}, {sure * 100:.0f} % sure"


def strategy_text(code: str | None) -> str:
    return _STRATEGIES.get(code or "", "Linked by hand" if code is None else words(code))


def delivery_text(state: str, silent: str | None = None) -> str:
    """A reply's state; ``silent`` says why nothing of the conversation's account goes out just now."""
    if silent == "sends_stopped" and state in WAITING_TO_GO:
        return STOPPED
    if silent == "account_stopped" and state == "queued":
        return "Queued: waits until sending goes on"
    return _DELIVERY.get(state, words(state))


def silence_text(silent: str) -> str:
    """Why nothing goes out just now, and what that means for who writes."""
    return _SILENCES[silent]


def outcome_text(code: str) -> str:
    return _OUTCOMES.get(code, words(code))
