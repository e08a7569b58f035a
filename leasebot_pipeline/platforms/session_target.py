"""Where a captured login of an account belongs: its profile, its session file, or the store of its login."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.platforms.credentials import (
    LOGIN_KEYS,
    PASSWORD_KEYS,
    PROFILE_KEYS,
    SESSION_KEYS,
    Login,
    reference_value,
    resolve,
)
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.platforms.session_mark import PROFILE_MARK
from leasebot_pipeline.platforms.session_store import SessionStore, write_secret


@dataclass(frozen=True, slots=True)
class SessionTarget:
    """``profile`` is the directory the browser runs on; ``path`` is what is written.

    ``to_set`` names the variable that must hold ``path`` before the account uses it; None when it does already.
    """

    kind: Literal["profile", "file", "store"]
    profile: Path
    path: Path
    to_set: str | None = None


def target_of(
    account: AccountRef, options: RuntimeOptions, *, profile: Path | None = None, out: Path | None = None
) -> SessionTarget:
    """Where a login captured for the account goes; ``profile`` and ``out`` are a person's wishes."""
    given = account.credentials
    root = options.project_root
    name = account.platform.value
    own_profile = (root / (profile or Path(".playwright/profiles") / name)).resolve()
    if out is not None:
        return SessionTarget("file", own_profile, (root / out).resolve())
    key = next((key for key in (*PROFILE_KEYS, *SESSION_KEYS) if key in given), None)
    value = None if key is None else reference_value(key, account, options)
    if key in PROFILE_KEYS:
        directory = own_profile if value is None or profile else (root / Path(value).expanduser()).resolve()
        to_set = None if value is not None and profile is None else _variable(given[str(key)])
        return SessionTarget("profile", directory, directory / PROFILE_MARK, to_set)
    if key is None and any(k in given for k in LOGIN_KEYS) and any(k in given for k in PASSWORD_KEYS):
        try:
            if isinstance(resolve(account, options), Login):
                return SessionTarget(
                    "store", own_profile, options.data_dir / "sessions" / f"{account.id}.json"
                )
        except PlatformFailure:
            pass  # a login that names nothing has no store of its own
    if value is not None and not value.startswith(("{", "base64:")):
        return SessionTarget("file", own_profile, (root / Path(value).expanduser()).resolve())
    variable = _variable(given[key]) if key is not None else f"{account.platform.env_prefix}_RPA_SESSION"
    return SessionTarget(
        "file", own_profile, (root / ".playwright/sessions" / f"{name}.json").resolve(), variable
    )


def keep(
    target: SessionTarget,
    account: AccountRef,
    options: RuntimeOptions,
    base_url: str,
    storage_state: dict[str, object],
    when: str,
) -> None:
    """Write what was captured, readable by this user only."""
    if target.kind == "profile":
        write_secret(target.path, json.dumps({"capturedAt": when, "site": base_url, "id": uuid4().hex}))
    elif target.kind == "file":
        write_secret(target.path, json.dumps(storage_state))
    else:
        login = resolve(account, options)
        assert isinstance(login, Login)
        SessionStore(options.data_dir / "sessions").save(
            account.id, login.digest, base_url, storage_state, uuid4().hex, captured=True
        )


def _variable(reference: str) -> str:
    return reference.partition(":")[2].strip()
