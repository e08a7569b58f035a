"""Credentials of an account: references only, resolved just before a visit, never kept or shown."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.protocol import AccountRef

PROFILE_KEYS: Final = ("userDataDirRef", "userDataDir")
SESSION_KEYS: Final = (
    "storageStatePathRef",
    "storageStatePath",
    "storageStateRef",
    "sessionRef",
    "storageState",
    "session",
)
LOGIN_KEYS: Final = ("loginIdRef", "loginId", "usernameRef", "username", "emailRef", "email")
PASSWORD_KEYS: Final = ("passwordRef", "password")
_PLACEHOLDERS: Final = ("change-me", "replace-with-", "your-")


@dataclass(frozen=True, slots=True)
class Profile:
    """A browser profile directory that only one browser may own at a time."""

    directory: Path

    @property
    def digest(self) -> str:
        return _digest(str(self.directory))


@dataclass(frozen=True, slots=True)
class CapturedSession:
    """Cookies and local storage a person captured after logging in by hand."""

    storage_state: Mapping[str, object] = field(repr=False)

    @property
    def digest(self) -> str:
        return _digest(json.dumps(self.storage_state, sort_keys=True))


@dataclass(frozen=True, slots=True)
class Login:
    """Login id and password for the platform's own form."""

    login_id: str
    password: str = field(repr=False)

    @property
    def digest(self) -> str:
        return _digest(self.login_id)


Credentials = Profile | CapturedSession | Login


def resolve(account: AccountRef, options: RuntimeOptions) -> Credentials:
    """The account's way in: a profile before a captured session before login id and password.

    Only the strongest one that the account names is resolved. Raises PlatformFailure:
    CREDENTIAL_PLAINTEXT_FORBIDDEN, CREDENTIAL_MISSING, SESSION_INVALID, RPA_PROFILE_INVALID.
    """
    given = account.credentials
    for key in (*PROFILE_KEYS, *SESSION_KEYS, *LOGIN_KEYS, *PASSWORD_KEYS):
        if key in given:
            _split(key, given[key], account.platform)
    for key in PROFILE_KEYS:
        if key in given:
            return Profile(_profile(_value(key, account, options), key, account.platform, options))
    for key in SESSION_KEYS:
        if key in given:
            text = _value(key, account, options)
            return CapturedSession(_storage_state(text, key, account.platform, options))
    login = next((key for key in LOGIN_KEYS if key in given), None)
    password = next((key for key in PASSWORD_KEYS if key in given), None)
    if login is None or password is None:
        lacking = "a session, a profile or a login id" if login is None else "a password"
        raise PlatformFailure(
            "CREDENTIAL_MISSING", f"{account.platform.value}: the account names no {lacking}"
        )
    return Login(_value(login, account, options), _value(password, account, options))


def reference_value(key: str, account: AccountRef, options: RuntimeOptions) -> str | None:
    """What the account's reference ``key`` stands for; None when it stands for nothing."""
    try:
        return _value(key, account, options)
    except PlatformFailure:
        return None


def _split(key: str, reference: str, platform: Platform) -> tuple[str, str]:
    scheme, _, name = reference.partition(":")
    if scheme not in ("env", "secret") or not name.strip():
        raise PlatformFailure(
            "CREDENTIAL_PLAINTEXT_FORBIDDEN",
            f"{platform.value}: credential {key} must be a reference env:NAME or secret:NAME",
        )
    return scheme, name.strip()


def _value(key: str, account: AccountRef, options: RuntimeOptions) -> str:
    scheme, name = _split(key, account.credentials[key], account.platform)
    value = _secret_file(options.secrets_dir, name) if scheme == "secret" else None
    value = (value if value is not None else options.environ.get(name, "")).strip()
    if not value or value.lower().startswith(_PLACEHOLDERS):
        raise PlatformFailure(
            "CREDENTIAL_MISSING",
            f"{account.platform.value}: credential {key} refers to {name}, which is not set",
        )
    return value


def _secret_file(directory: Path | None, name: str) -> str | None:
    if directory is None or "/" in name or name.startswith("."):
        return None
    try:
        return (directory / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _profile(value: str, key: str, platform: Platform, options: RuntimeOptions) -> Path:
    directory = (options.project_root / Path(value).expanduser()).resolve()
    if not directory.is_dir():
        raise PlatformFailure(
            "RPA_PROFILE_INVALID",
            f"{platform.value}: {key} names no directory; log in once to make the profile",
        )
    return directory


def _storage_state(text: str, key: str, platform: Platform, options: RuntimeOptions) -> Mapping[str, object]:
    """JSON, ``base64:`` of JSON, or the path of a file with one of them."""

    def invalid(rule: str) -> PlatformFailure:
        return PlatformFailure("SESSION_INVALID", f"{platform.value}: credential {key} {rule}")

    if not text.startswith(("{", "base64:")):
        path = options.project_root / Path(text).expanduser()
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError, ValueError):
            raise invalid("is neither JSON nor base64: nor the path of a readable file") from None
    if text.startswith("base64:"):
        try:
            text = base64.b64decode(text.removeprefix("base64:"), validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            raise invalid("is no base64 of UTF-8 text") from None
    try:
        state = json.loads(text)
    except ValueError:
        raise invalid("holds no JSON") from None
    if not is_storage_state(state):
        raise invalid("is no storage state: an object with a list of cookies or origins is needed")
    return {"cookies": state.get("cookies", []), "origins": state.get("origins", [])}


def is_storage_state(state: object) -> bool:
    """True for an object with lists ``cookies`` and ``origins`` (one may be absent), cookies being objects."""
    if not isinstance(state, dict) or not ({"cookies", "origins"} & state.keys()):
        return False
    cookies, origins = state.get("cookies", []), state.get("origins", [])
    return (
        isinstance(cookies, list)
        and isinstance(origins, list)
        and all(isinstance(c, dict) and {"name", "value"} <= c.keys() for c in cookies)
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
