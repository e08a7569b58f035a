"""The console's words for codes of the API and the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_WORDS: Final = {
    "auto_send": "Sends by itself",
    "dead_letter": "Failed for good",
    "draft": "Draft",
    "draft_only": "Drafts only",
    "follow_up_1": "First follow-up",
    "follow_up_2": "Second follow-up",
    "hold": "Held",
    "human_required": "Needs a person",
    "no_reply": "No reply",
    "no_show": "No show",
    "retry_scheduled": "Will try again",
    "unavailable": "Not available",
    "unknown": "Unknown: clicked, not proven",
    "wants_reschedule": "Wants another time",
}
"""What the code alone does not say well; all others are shown with blanks for underscores."""

TONES: Final = {
    "active": "good",
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
    "half_open": "warn",
    "held": "warn",
    "hold": "warn",
    "human_required": "bad",
    "new": "info",
    "no_show": "bad",
    "ok": "good",
    "open": "info",
    "pending": "warn",
    "queued": "info",
    "reschedule_requested": "warn",
    "retry_scheduled": "warn",
    "revoked": "plain",
    "sending": "info",
    "sent": "good",
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


def words(code: object) -> str:
    """A code as words: ``human_required`` is "Needs a person", ``slot_gone`` "Slot gone"."""
    text = str(code)
    return _WORDS.get(text) or (text[:1].upper() + text[1:]).replace("_", " ")


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
    spaced = "".join(f" {char.lower()}" if char.isupper() else char for char in name.rpartition(".")[2])
    return f"{spaced[:1].upper()}{spaced[1:].replace('_', ' ')} {rule}"
