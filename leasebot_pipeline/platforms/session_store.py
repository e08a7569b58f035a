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
        return StoredSession(str(saved.get("version", "")), saved["storageState"])

    def save(
        self,
        account: UUID,
        login_digest: str,
        base_url: str,
        storage_state: Mapping[str, object],
        version: str,
    ) -> None:
        """Replace the saved session; readers see the old or the new one, never half of it."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        document = {
            "version": version,
            "loginDigest": login_digest,
            "baseUrl": base_url,
            "storageState": storage_state,
        }
        handle, name = tempfile.mkstemp(dir=self.directory, prefix=f".{account}-")  # mode 0600
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file)
        os.replace(name, self._path(account))

    def _path(self, account: UUID) -> Path:
        return self.directory / f"{account}.json"
