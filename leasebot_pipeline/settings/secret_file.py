"""The signing secret of a development installation: made once, kept in a file only its owner can read."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

from leasebot_pipeline.settings.faults import Fault, SettingsError

MIN_SECRET_LENGTH: Final = 32
_NAME: Final = "BETTER_AUTH_SECRET"


def kept_secret(path: Path) -> str:
    """The secret in ``path``; written first when there is none. Raises SettingsError.

    Processes that start together agree: the file appears complete or not at all, and the first one wins.
    """
    trouble = ""
    try:
        if not path.exists():
            _write(path)
        secret = path.read_text(encoding="ascii").strip()
        if len(secret) >= MIN_SECRET_LENGTH:
            return secret
        trouble = f"is not set and {path} holds none of {MIN_SECRET_LENGTH} characters: delete that file"
    except UnicodeDecodeError:
        trouble = f"is not set and {path} holds no text: delete that file"
    except OSError as error:
        trouble = f"is not set and none can be kept in {path} ({error.strerror})"
    raise SettingsError([Fault(_NAME, trouble)])


def _write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
        try:
            os.link(name, path)
        except FileExistsError:
            return
    finally:
        os.unlink(name)
