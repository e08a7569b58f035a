"""Password hashes in Better Auth's format: ``<salt>:<key>`` in hex, scrypt over the NFKC form.

The salt goes into scrypt as its hex text, not as the bytes the text stands for.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import unicodedata
from functools import partial
from typing import Final

import anyio
import anyio.to_thread

from api.errors import auth_error

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 128

_N, _R, _P, _KEY_LENGTH = 16384, 16, 1, 64
_MEMORY: Final = 128 * _N * _R * 2
# Checked when an e-mail is unknown, so that an unknown one costs the same time as a known one.
_NOBODY: Final = f"{'0' * 32}:{'0' * (_KEY_LENGTH * 2)}"


def check_length(password: str) -> None:
    """Raises the library's 400 for a password that is too short or too long."""
    if len(password) < MIN_LENGTH:
        raise auth_error(400, "PASSWORD_TOO_SHORT", "Password too short")
    if len(password) > MAX_LENGTH:
        raise auth_error(400, "PASSWORD_TOO_LONG", "Password too long")


def hash_password(password: str) -> str:
    """Hash with a fresh salt. Takes about 0.1 s and 32 MB; not for the event loop."""
    salt = os.urandom(16).hex()
    return f"{salt}:{_key(password, salt).hex()}"


def verify_password(stored: str | None, password: str) -> bool:
    """Whether ``password`` belongs to ``stored``; the same time is spent when there is no usable hash."""
    salt, separator, key = (stored or _NOBODY).partition(":")
    try:
        expected = bytes.fromhex(key)
    except ValueError:
        expected = b""
    matches = hmac.compare_digest(_key(password, salt), expected)
    return matches and bool(stored and separator)


def _key(password: str, salt: str) -> bytes:
    normalised = unicodedata.normalize("NFKC", password)
    return hashlib.scrypt(
        # A lone surrogate (possible in JSON) becomes U+FFFD, as the web's UTF-8 encoder has it.
        normalised.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode(),
        salt=salt.encode(),
        n=_N,
        r=_R,
        p=_P,
        dklen=_KEY_LENGTH,
        maxmem=_MEMORY,
    )


class PasswordHasher:
    """Hashes in threads, a few at a time: each costs 32 MB, and sign-in is open to strangers."""

    def __init__(self, at_once: int = 4) -> None:
        self._limiter = anyio.CapacityLimiter(at_once)

    async def hash(self, password: str) -> str:
        return await anyio.to_thread.run_sync(partial(hash_password, password), limiter=self._limiter)

    async def verify(self, stored: str | None, password: str) -> bool:
        return await anyio.to_thread.run_sync(
            partial(verify_password, stored, password), limiter=self._limiter
        )
