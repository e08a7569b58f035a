"""Login sessions: a signed cookie that says when it began. Nothing to store, so they survive restarts."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.sandbox import LOGIN_PASSWORD, LOGIN_USER


def load_secret(state_dir: Path) -> bytes:
    """The signing secret of this state directory, made on first use (file mode 0600)."""
    path = state_dir / "session-secret"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(32))
        return path.read_bytes()


def accepts(user: str, password: str) -> bool:
    """Whether the login form lets somebody in."""
    return user.strip().lower() == LOGIN_USER and password == LOGIN_PASSWORD


@dataclass(frozen=True, slots=True)
class Sessions:
    """Issues and checks session cookies of one sandbox."""

    secret: bytes

    def issue(self, platform: Platform, now: datetime) -> str:
        """A cookie value for a session that begins now."""
        begun = f"{int(now.timestamp() * 1_000_000):x}"
        return f"{begun}.{self._sign(platform, begun)}"

    def valid(self, platform: Platform, cookie: str | None, revoked_at: datetime | None) -> bool:
        """Whether a cookie is a session of this platform that was not revoked."""
        begun, _, signature = (cookie or "").partition(".")
        if not hmac.compare_digest(self._sign(platform, begun).encode(), signature.encode()):
            return False
        return revoked_at is None or datetime.fromtimestamp(int(begun, 16) / 1_000_000, UTC) > revoked_at

    def _sign(self, platform: Platform, begun: str) -> str:
        return hmac.new(self.secret, f"{platform.value}:{begun}".encode(), "sha256").hexdigest()
