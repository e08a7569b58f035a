"""The console's words for codes of the API and the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from api.console.audit_words import AUDIT_WORDS

_WORDS: Final = {
    **AUDIT_WORDS,
    "auto_send": "Sends by itself",
    "dead_letter": "Failed for good",
    "draft": "Draft",
    "draft_only": "Drafts only",
    "follow_up_1": "First follow-up",
    "follow_up_2": "Second follow-up",
    "full": "Full",
    "furnishedfinder": "Furnished Finder",
    "hold": "Held",
    "human_required": "Needs a person",
    "ingest": "Read inbox",
    "listing_sync": "Read listings",
    "listingExternalId": "Advert number",
    "listingId": "Listing",
    "markup_drift": "The page looks different than before",
    "no_reply": "No reply",
    "no_show": "No show",
    "outbound_contains_access_code": "Access code",
    "outbound_contains_card_number": "Card number",
    "outbound_contains_email": "E-mail address",
    "outbound_contains_link": "Link",
    "outbound_contains_money": "Amount of money",
    "outbound_contains_phone": "Phone number",
    "outbound_contains_promise": "Promise",
    "outbound_contains_ssn_pattern": "Social security number",
    "outbound_steers": "Words that steer people",
    "propertyName": "Building",
    "reconcile": "Prove delivery",
    "renthop": "RentHop",
    "reply_dead_letter": "A reply was given up",
    "reply_delivery_unknown": "A delivery is in doubt",
    "retry_scheduled": "Will try again",
    "send_cap_reached": "The day's cap is reached",
    "spareroom": "SpareRoom",
    "thread_sync": "Read thread",
    "unavailable": "Not available",
    "unitExternalId": "Unit's number there",
    "unitId": "Unit",
    "unitNumber": "Unit number",
    "wants_reschedule": "Wants another time",
}
"""What the code alone does not say well; all others are shown with blanks for underscores."""

TONES: Final = {
    "accepted": "good",
    "active": "good",
    "canary": "warn",
    "available": "good",
    "blocked": "warn",
    "cancelled": "plain",
    "claimed": "info",
    "closed": "good",
    "completed": "good",
    "confirmed": "good",
    "dead_letter": "bad",
    "degraded": "warn",
    "draft": "info",
    "expired": "plain",
    "failed": "bad",
    "full": "good",
    "half_open": "warn",
    "healthy": "good",
    "held": "warn",
    "hold": "warn",
    "human_required": "warn",
    "new": "info",
    "no_show": "bad",
    "ok": "good",
    "open": "info",
    "pass": "good",
    "pending": "warn",
    "queued": "info",
    "reschedule_requested": "warn",
    "retry_scheduled": "warn",
    "revoked": "plain",
    "rollback": "bad",
    "running": "info",
    "sending": "info",
    "sent": "good",
    "shadow": "info",
    "succeeded": "good",
    "unavailable": "warn",
    "unknown": "bad",
    "wants_reschedule": "warn",
}
"""How a state is coloured: good, info, warn, bad; plain for all others. Never the only sign: the word stands there."""

_ERRORS: Final = {
    "account_inactive": "The account is switched off.",
    "already_approved": "This reply is on its way already.",
    "database_unavailable": "The database does not answer just now. Nothing was changed; try again in a moment.",
    "forbidden": "You may not open this.",
    "guardrails_blocked": "The text may not go out like this.",
    "not_found": "There is nothing here. It may have been removed, or it belongs to another agent.",
    "precondition_failed": "Somebody changed this meanwhile. Look at the newest version below, then try again.",
    "unauthorized": "Sign in first.",
    "validation_error": "Something in the form is not right.",
}

_FIELDS: Final = {"body": "text"}
"""What a form calls it, where that is not its name."""
_SENTENCES: Final = {
    ("email", "must be an e-mail address"): "Write an e-mail address, like name@example.com",
}
_VERBS: Final = ("must ", "should ", "has ", "is ", "may ", "can ", "does ")


def words(code: object) -> str:
    """A code as words: ``human_required`` is "Needs a person", ``slot_gone`` "Slot gone"."""
    text = str(code)
    return _WORDS.get(text) or (text[:1].upper() + text[1:]).replace("_", " ")


def spaced(name: object) -> str:
    """A camelCase name as words: ``threadsRead`` is "threads read"."""
    return "".join(f" {char.lower()}" if char.isupper() else char for char in str(name)).replace("_", " ")


def error_text(body: Mapping[str, object]) -> str:
    """One text for an error body of the API: its details, else its message, else words for its code."""
    details = body.get("details")
    if isinstance(details, list) and details:
        return "; ".join(field_text(str(detail)) for detail in details)
    guardrails = body.get("guardrails")
    code = str(body.get("error") or body.get("code") or "")
    text = str(body.get("message") or _ERRORS.get(code) or words(code))
    if code == "forbidden" and "requiredRoles" in body:
        text = "This page is for administrators." if body["requiredRoles"] == ["admin"] else _ERRORS[code]
    if isinstance(guardrails, list) and guardrails:
        text += " Found: " + ", ".join(words(name).lower() for name in guardrails) + "."
    return text


def field_text(detail: str) -> str:
    """``startsAt: must be …`` as "Starts at must be …"."""
    name, colon, rule = detail.partition(": ")
    if not colon or " " in name:
        return detail
    if (name, rule) in _SENTENCES:
        return _SENTENCES[name, rule]
    field = _FIELDS.get(name, spaced(name.rpartition(".")[2]))
    # The words of the library that checks bodies, made to follow the field's name.
    said = "is needed" if rule == "Field required" else rule.removeprefix("String ").removeprefix("Input ")
    return f"{field[:1].upper()}{field[1:]}{' ' if said.startswith(_VERBS) else ': '}{said}"
