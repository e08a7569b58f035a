"""Sessions we logged in ourselves, kept as files so that other processes need not log in again."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from leasebot_pipeline.platforms.credentials import is_storage_state


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A saved storage state; ``version`` changes whenever somebody logs in anew."""

    version: str
    storage_state: Mapping[str, object] = field(repr=False)
    captured_version: str = ""
    """Version of the last one a person logged in for; later logins of our own keep it."""


@dataclass(frozen=True, slots=True)
class SessionStore:
    """Files ``<account>.json`` of mode 0600. A session is used only for the login and site it was made with."""

    directory: Path

    def load(self, account: UUID, login_digest: str, base_url: str) -> StoredSession | None:
        """The saved session, or None when there is none that fits (an unreadable one counts as none)."""
        try:
            saved = json.loads(self._path(account).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        if not isinstance(saved, dict) or not is_storage_state(saved.get("storageState")):
            return None
        if (saved.get("loginDigest"), saved.get("baseUrl")) != (login_digest, base_url):
            return None
        return StoredSession(
            str(saved.get("version", "")), saved["storageState"], str(saved.get("capturedVersion", ""))
        )

    def save(
        self,
        account: UUID,
        login_digest: str,
        base_url: str,
        storage_state: Mapping[str, object],
        version: str,
        *,
        captured: bool = False,
    ) -> None:
        """Replace the saved session; ``captured`` says that a person logged in for it."""
        before = self.load(account, login_digest, base_url)
        document = {
            "version": version,
            "capturedVersion": version if captured else before.captured_version if before else "",
            "loginDigest": login_digest,
            "baseUrl": base_url,
            "storageState": storage_state,
        }
        write_secret(self._path(account), json.dumps(document))

    def _path(self, account: UUID) -> Path:
        return self.directory / f"{account}.json"


def write_secret(path: Path, text: str) -> None:
    """Replace a file of mode 0600 at once: readers see the old or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
