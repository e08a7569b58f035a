"""A stopped account: what a person does about it, and which stops end by themselves once that was done."""

from __future__ import annotations

from typing import Final

from leasebot_pipeline.domain.platforms import Platform

RENEWABLE: Final = frozenset(
    {
        "SESSION_EXPIRED",
        "AUTH_REFRESH_REQUIRED",
        "SESSION_INVALID",
        "CREDENTIAL_MISSING",
        "CREDENTIAL_PLAINTEXT_FORBIDDEN",
        "CREDENTIAL_REJECTED",
        "CAPTCHA_REQUIRED",
        "BOT_CHALLENGE",
    }
)
"""Stops that end when the session, profile or password was renewed. A block or a foreign browser does not."""

_CAPTURE: Final = "log in by hand: leasebot session capture {platform}"
_THEN_RESUME: Final = ", then leasebot account resume {platform}"
_STEPS: Final = {
    "SESSION_EXPIRED": _CAPTURE,
    "AUTH_REFRESH_REQUIRED": _CAPTURE,
    "SESSION_INVALID": "the captured session can't be read; capture it anew: leasebot session capture {platform}",
    "CREDENTIAL_MISSING": "set the variable the reason names, or capture a session: leasebot session capture {platform}",
    "CREDENTIAL_PLAINTEXT_FORBIDDEN": "store a reference (env:NAME) instead of the value in the account's credentials",
    "CREDENTIAL_REJECTED": "correct login id and password, or log in by hand: leasebot session capture {platform}",
    "CAPTCHA_REQUIRED": "answer the captcha while logging in by hand: leasebot session capture {platform}",
    "BOT_CHALLENGE": "pass the check while logging in by hand: leasebot session capture {platform}",
    "ACCESS_BLOCKED": "the platform blocks this account or address: settle it with the platform"
    + _THEN_RESUME,
    "PAGE_FORBIDDEN": "look at the account on the platform, it refuses a page" + _THEN_RESUME,
    "RPA_PROFILE_LOCKED": "close the browser on the profile, or leasebot session unlock {platform}"
    + _THEN_RESUME,
}


def next_step(code: str, platform: Platform) -> str:
    """What a person does to get an account going that stopped with ``code``."""
    return _STEPS.get(code, "look into the reason" + _THEN_RESUME).format(platform=platform.value)
