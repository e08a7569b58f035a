"""Failures of a platform action: one taxonomy that every retry layer obeys.

Three classes (design: "Failure"): ``permanent`` is never retried and alerts; ``transient`` is retried
with backoff and a cap; ``needs_person`` stops the account (or the reply) until a person acts.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class FailureClass(StrEnum):
    PERMANENT = "permanent"
    TRANSIENT = "transient"
    NEEDS_PERSON = "needs_person"


class SendPhase(StrEnum):
    """Where a send failed: before the click it may be retried, after the click it never is."""

    BEFORE_CLICK = "before_click"
    AFTER_CLICK = "after_click"


# Codes are contracts (the earlier system's error codes); those marked "ours" close a hole of it.
FAILURE_CLASSES: Final[dict[str, FailureClass]] = {
    "MOCK_RUNTIME_FORBIDDEN": FailureClass.PERMANENT,
    "RPA_RUNTIME_UNAVAILABLE": FailureClass.PERMANENT,
    "RPA_PROFILE_INVALID": FailureClass.PERMANENT,
    "RPA_PROFILE_UNSUPPORTED": FailureClass.PERMANENT,
    "RPA_PROFILE_LOCKED": FailureClass.NEEDS_PERSON,  # ours: another browser owns the profile
    "UNSUPPORTED_PLATFORM": FailureClass.PERMANENT,
    "UNSUPPORTED_ACTION": FailureClass.PERMANENT,
    "CREDENTIAL_MISSING": FailureClass.NEEDS_PERSON,
    "CREDENTIAL_PLAINTEXT_FORBIDDEN": FailureClass.PERMANENT,
    "CREDENTIAL_REJECTED": FailureClass.NEEDS_PERSON,  # ours: the login form refused id or password
    "SESSION_INVALID": FailureClass.NEEDS_PERSON,
    "SESSION_EXPIRED": FailureClass.NEEDS_PERSON,
    "AUTH_REFRESH_REQUIRED": FailureClass.NEEDS_PERSON,
    "CAPTCHA_REQUIRED": FailureClass.NEEDS_PERSON,
    "BOT_CHALLENGE": FailureClass.NEEDS_PERSON,
    "ACCESS_BLOCKED": FailureClass.NEEDS_PERSON,
    "RATE_LIMITED": FailureClass.TRANSIENT,  # ours: HTTP 429 without a challenge text
    "PLATFORM_UNAVAILABLE": FailureClass.TRANSIENT,  # ours: HTTP 5xx
    "PAGE_FORBIDDEN": FailureClass.NEEDS_PERSON,  # ours: a bare HTTP 403
    "PAGE_NOT_FOUND": FailureClass.PERMANENT,  # ours: HTTP 404/410, e.g. a deleted thread
    "PAGE_TIMEOUT": FailureClass.TRANSIENT,  # ours: the page did not load within its deadline
    "NETWORK_ERROR": FailureClass.TRANSIENT,  # ours: connection refused, reset, DNS
    "BROWSER_CRASHED": FailureClass.TRANSIENT,  # ours: relaunched on the next visit
    "PAGE_INCOMPLETE": FailureClass.TRANSIENT,  # ours: a half page, the closing landmark is missing
    "MARKUP_DRIFT": FailureClass.PERMANENT,  # ours: the page loaded but its known landmark is gone
    "CIRCUIT_OPEN": FailureClass.TRANSIENT,
    "ACCOUNT_BUSY": FailureClass.TRANSIENT,  # ours: another process holds the account's lease
    "DEADLINE_EXCEEDED": FailureClass.TRANSIENT,  # ours: the visit's time budget ran out
    "THREAD_ID_REQUIRED": FailureClass.PERMANENT,
    "OUTBOUND_THREAD_REQUIRED": FailureClass.PERMANENT,
    "OUTBOUND_BODY_REQUIRED": FailureClass.PERMANENT,
    "OUTBOUND_COMPOSER_MISSING": FailureClass.PERMANENT,
    "OUTBOUND_SUBMIT_MISSING": FailureClass.PERMANENT,
    "OUTBOUND_DELIVERY_UNCONFIRMED": FailureClass.NEEDS_PERSON,
    "NONEXISTENT_LOCAL_TIME": FailureClass.PERMANENT,
    "OUTBOUND_NOT_IN_THREAD": FailureClass.TRANSIENT,  # ours: read back, and provably not there
    "CLAIM_LOST": FailureClass.TRANSIENT,  # ours: the worker died or was stuck with the reply in hand
    "SENDING_STOPPED": FailureClass.TRANSIENT,  # ours: a kill switch is engaged
    "REPLY_SUPERSEDED": FailureClass.PERMANENT,  # ours: the thread moved on while the reply waited
    "REPLY_TAKEN_OVER": FailureClass.PERMANENT,  # ours: a person answers this conversation now
    "REPLY_GROUNDLESS": FailureClass.PERMANENT,  # ours: what a follow-up was planned on no longer holds
    "REPLY_NOT_ALLOWED": FailureClass.PERMANENT,  # ours: send mode or release stage forbid it now
    "ACCOUNT_INACTIVE": FailureClass.PERMANENT,  # ours: the account was switched off meanwhile
    "INTERNAL_ERROR": FailureClass.TRANSIENT,  # ours: a fault of our own, told with its type
    "REPLY_ALREADY_SHOWN": FailureClass.NEEDS_PERSON,  # ours: an earlier attempt shows in the thread after all
}

ACCOUNT_STOPPING_CODES: Final[frozenset[str]] = frozenset(
    {
        "SESSION_EXPIRED",
        "AUTH_REFRESH_REQUIRED",
        "SESSION_INVALID",
        "CREDENTIAL_MISSING",
        "CREDENTIAL_PLAINTEXT_FORBIDDEN",
        "CREDENTIAL_REJECTED",
        "CAPTCHA_REQUIRED",
        "BOT_CHALLENGE",
        "ACCESS_BLOCKED",
        "RPA_PROFILE_LOCKED",
    }
)
"""Codes after which the whole account stops until a person renews its session or credentials."""

WITHDRAWAL_CODES: Final[frozenset[str]] = frozenset(
    {
        "SENDING_STOPPED",
        "REPLY_SUPERSEDED",
        "REPLY_TAKEN_OVER",
        "REPLY_GROUNDLESS",
        "REPLY_NOT_ALLOWED",
        "ACCOUNT_INACTIVE",
        "REPLY_ALREADY_SHOWN",
        "CLAIM_LOST",
        "ACCOUNT_BUSY",
        "CIRCUIT_OPEN",
    }
)
"""Codes with which we ourselves call a visit off: they say nothing about the platform."""

PAGE_CODES: Final[frozenset[str]] = frozenset(
    {"MARKUP_DRIFT", "OUTBOUND_COMPOSER_MISSING", "OUTBOUND_SUBMIT_MISSING"}
)
"""Codes that say a kind of page is no longer what we know: the action is affected, the account is not."""


class PlatformFailure(Exception):
    """A platform action that failed in a known way.

    ``detail`` is for people and logs: it never holds a credential or a lead's text.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        phase: SendPhase = SendPhase.BEFORE_CLICK,
        evidence: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.phase = phase
        self.evidence = dict(evidence or {})

    @property
    def failure_class(self) -> FailureClass:
        """The class of the code; an unknown code needs a person rather than a blind retry."""
        return FAILURE_CLASSES.get(self.code, FailureClass.NEEDS_PERSON)

    @property
    def stops_account(self) -> bool:
        """True when no further action of the account makes sense before a person acted."""
        return self.code in ACCOUNT_STOPPING_CODES

    @property
    def withdrawn(self) -> bool:
        """True when we called the action off ourselves, before anything was clicked."""
        return self.code in WITHDRAWAL_CODES and self.phase is SendPhase.BEFORE_CLICK
