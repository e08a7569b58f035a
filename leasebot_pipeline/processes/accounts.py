"""What the environment offers for the five default accounts: references to credentials, never the values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leasebot_pipeline.domain.platforms import Platform, SendMode
from leasebot_pipeline.storage.bootstrap import AccountChoice

if TYPE_CHECKING:
    from leasebot_pipeline.settings import Settings


def account_choices(settings: Settings, *, sandbox: bool) -> dict[Platform, AccountChoice]:
    """One choice for each platform.

    A profile wins over a captured session, a session over a login. Only a profile or a session activates an
    account by itself: signing in by form at a real platform is for a person to decide. Sandbox accounts sign
    in by form and may send.
    """
    return {platform: _choice(settings, platform, sandbox=sandbox) for platform in Platform}


def _choice(settings: Settings, platform: Platform, *, sandbox: bool) -> AccountChoice:
    prefix = platform.env_prefix
    offered = settings.platforms[platform]
    login = {
        "usernameRef": f"env:{prefix}_USERNAME" if offered.username else f"env:{prefix}_LOGIN_ID",
        "passwordRef": f"env:{prefix}_PASSWORD",
    }
    if sandbox:
        return AccountChoice(login, is_active=True, auth_mode="login", send_mode=SendMode.AUTO_SEND)
    profile = {"userDataDirRef": f"env:{prefix}_RPA_PROFILE"}
    session = {"sessionRef": f"env:{prefix}_RPA_SESSION"}
    if offered.rpa_profile is not None:
        return AccountChoice(profile, is_active=True, auth_mode="profile")
    if offered.rpa_session is not None:
        return AccountChoice(session, is_active=True, auth_mode="session")
    if (offered.username or offered.login_id) and offered.password:
        return AccountChoice(login, is_active=False, auth_mode="login")
    if platform is Platform.SPAREROOM:  # its sign-in rarely survives in a captured session
        return AccountChoice(profile, is_active=False, auth_mode="profile")
    return AccountChoice(session, is_active=False, auth_mode="session")
