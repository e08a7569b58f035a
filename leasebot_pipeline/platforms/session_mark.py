"""Has a person renewed the account's way in? A mark changes with it, and leads back to no credential."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.platforms.credentials import CapturedSession, Login, Profile, resolve
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.platforms.session_store import SessionStore

PROFILE_MARK: Final = ".leasebot-session.json"
"""Written into a profile when a login on it was verified; Chromium itself changes a profile all the time."""


def session_mark(account: AccountRef, options: RuntimeOptions, base_url: str) -> str:
    """The mark of what the account would sign in with now; what can't be resolved has a mark too."""
    try:
        credentials = resolve(account, options)
    except PlatformFailure as failure:
        return f"none:{hashlib.sha256(str(failure).encode()).hexdigest()[:32]}"
    match credentials:
        case Profile():
            try:
                written = (credentials.directory / PROFILE_MARK).read_bytes()
            except FileNotFoundError:
                written = b""
            return f"profile:{hashlib.sha256(credentials.digest.encode() + written).hexdigest()[:32]}"
        case CapturedSession():
            return f"session:{credentials.digest[:32]}"
        case Login():
            saved = SessionStore(options.data_dir / "sessions").load(account.id, credentials.digest, base_url)
            version = saved.captured_version if saved is not None else ""
            secret = f"{credentials.login_id}\0{credentials.password}\0{version}"
            return f"login:{_slow_digest(secret, account.id.bytes)}"


@lru_cache(maxsize=64)
def _slow_digest(secret: str, salt: bytes) -> str:
    """Passwords can be guessed, so their mark is made dear to guess."""
    return hashlib.scrypt(secret.encode(), salt=salt, n=2**14, r=8, p=1, dklen=16).hex()
