"""Signed cookies as Better Auth writes them: value, a dot, base64 of its HMAC-SHA256; URL-encoded."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, unquote

_UNESCAPED: Final = "!'()*-._~"  # what encodeURIComponent leaves as it is, besides letters and digits
_SIGNATURE_LENGTH: Final = 44


def sign(value: str, secret: str) -> str:
    """``value.signature``, not yet URL-encoded."""
    mac = hmac.new(secret.encode(), value.encode(), hashlib.sha256).digest()
    return f"{value}.{base64.b64encode(mac).decode()}"


def unsign(signed: str, secret: str) -> str | None:
    """The value of a signed one, None when the signature does not fit."""
    value, dot, signature = signed.rpartition(".")
    if not dot or not value or len(signature) != _SIGNATURE_LENGTH:
        return None
    genuine = hmac.compare_digest(sign(value, secret).encode(), signed.encode())
    return value if genuine else None


def parse(header: str) -> dict[str, str]:
    """Names and decoded values of a Cookie header; the first of equal names counts."""
    found: dict[str, str] = {}
    for pair in header.split(";"):
        name, equals, value = pair.partition("=")
        value = value.strip()
        if value.startswith('"') and value.endswith('"') and len(value) > 1:
            value = value[1:-1]
        if equals:
            found.setdefault(name.strip(), unquote(value))
    return found


class CookieJar:
    """Names and Set-Cookie lines; ``secure`` when browsers reach the API through https.

    Cookies are signed with ``secret``; ones of a ``previous`` secret are still read.
    """

    def __init__(self, secret: str, *, secure: bool, previous: Sequence[str] = ()) -> None:
        prefix = "__Secure-" if secure else ""
        self._secret = secret
        self._previous = tuple(previous)
        self._secure = secure
        self.session_token = f"{prefix}better-auth.session_token"
        self.session_data = f"{prefix}better-auth.session_data"
        self.dont_remember = f"{prefix}better-auth.dont_remember"

    def read(self, header: str, name: str) -> str | None:
        """The value of a signed cookie; None when it is missing or not signed by us."""
        signed = parse(header).get(name)
        if signed is None:
            return None
        found = (unsign(signed, secret) for secret in (self._secret, *self._previous))
        return next((value for value in found if value is not None), None)

    def is_current(self, header: str, name: str) -> bool:
        """Whether the cookie is signed with the current secret, not with a previous one."""
        signed = parse(header).get(name)
        return signed is not None and unsign(signed, self._secret) is not None

    def signed_in(self, token: str, *, remember: bool, max_age_s: int) -> list[str]:
        """Set-Cookie lines of a session; without ``remember`` the cookies end with the browser."""
        lines = [self._line(self.session_token, sign(token, self._secret), max_age_s if remember else None)]
        if not remember:
            lines.append(self._line(self.dont_remember, sign("true", self._secret), None))
        return lines

    def signed_out(self) -> list[str]:
        """Set-Cookie lines that remove every cookie of a session."""
        return [
            self._line(name, "", 0) for name in (self.session_token, self.session_data, self.dont_remember)
        ]

    def _line(self, name: str, value: str, max_age_s: int | None) -> str:
        age = "" if max_age_s is None else f"; Max-Age={max_age_s}"
        secure = "; Secure" if self._secure else ""
        return f"{name}={quote(value, safe=_UNESCAPED)}{age}; Path=/; HttpOnly{secure}; SameSite=Lax"
