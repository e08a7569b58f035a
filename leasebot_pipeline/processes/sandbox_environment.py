"""Variables that point every platform at the local sandbox, and nothing at a real one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.sandbox import GEMINI_KEY

ADMIN_PASSWORD: Final = "sandbox-admin"  # noqa: S105 - the published login of play data on loopback
SITE_COUNT: Final = len(Platform)
"""The sites take the ports after the control port, in the order of ``Platform``; Gemini's stand-in the next."""


def sandbox_variables(
    given: Mapping[str, str], *, host: str, control_port: int, login: str, password: str
) -> dict[str, str]:
    """What to set over ``given`` (the environment as it is).

    Credentials of real platforms are blanked, so that a ``.env`` meant for production can't leak into the
    sandbox or the sandbox act on a real account. What a person set on purpose about sending and the
    administrator stays.
    """
    variables = {
        "LEASE_BOT_RPA_RUNTIME": "playwright",
        "LEASE_BOT_DEV_BOOTSTRAP_ADMIN": "1",
        # With AI_DECISION_PROVIDER=gemini the local stand-in is asked, and no real key leaves the machine.
        "GOOGLE_GEMINI_BASE_URL": f"http://{host}:{control_port + SITE_COUNT + 1}",
        "GOOGLE_GENERATIVE_AI_API_KEY": GEMINI_KEY,
    }
    for number, platform in enumerate(Platform, start=1):
        prefix = platform.env_prefix
        variables |= {
            f"{prefix}_BASE_URL": f"http://{host}:{control_port + number}",
            f"{prefix}_USERNAME": login,
            f"{prefix}_PASSWORD": password,
            f"{prefix}_LOGIN_ID": "",
            f"{prefix}_RPA_SESSION": "",
            f"{prefix}_RPA_PROFILE": "",
        }
    if not given.get("LEASE_BOT_DEV_ADMIN_PASSWORD", "").strip():
        variables["LEASE_BOT_DEV_ADMIN_PASSWORD"] = ADMIN_PASSWORD
    if not given.get("PLATFORM_DEFAULT_SEND_MODE", "").strip():
        variables["PLATFORM_DEFAULT_SEND_MODE"] = "auto_send"
    if not given.get("API_HOST", "").strip():
        variables["API_HOST"] = "127.0.0.1"
    # Adverts that appear while practising are found, at start and four times an hour.
    variables |= {
        "LEASE_BOT_SYNC_LISTINGS_ON_START": "1",
        "LEASE_BOT_DAILY_SEND_CAP": "0",  # its leads have no account to lose, and may be many
        "LEASE_BOT_SYNC_LISTINGS_PLATFORMS": ",".join(platform.value for platform in Platform),
        "LEASE_BOT_SYNC_LISTINGS_INTERVAL_MS": "900000",
    }
    return variables
