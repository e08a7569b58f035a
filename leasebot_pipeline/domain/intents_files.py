"""The rules' data files, as shipped in ``domain/rules``, and what a version of them is called.

Package data, read once at import like code; nothing else in the domain touches a file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final

DATA_FILES: Final = (
    "words.toml",
    "intents.toml",
    "acts.toml",
    "remarks.toml",
    "topics.toml",
    "guardrails.toml",
    "patterns.toml",
    "outbound.toml",
    "weights.toml",
    "english.txt",
)
_CODE: Final = tuple(
    ("leasebot_pipeline.domain", prefix) for prefix in ("intents", "guardrails", "handshake")
)
_JUDGES: Final = (("leasebot_pipeline.decisions", "resolution"),)


def shipped() -> dict[str, bytes]:
    """The data files by name."""
    folder = files("leasebot_pipeline.domain").joinpath("rules")
    return {name: folder.joinpath(name).read_bytes() for name in DATA_FILES}


def parse(name: str, data: bytes) -> dict[str, Any]:
    """One file's tables. Raises ``ValueError`` with the file's name when it is no TOML."""
    try:
        return tomllib.loads(data.decode("utf-8"))
    except ValueError as failure:
        raise ValueError(f"rules file {name}: {failure}") from failure


def version_of(data: Mapping[str, bytes]) -> str:
    """``rules-<data>-<code>``: changes with any byte of the data or of the code that reads and judges.

    A stored decision names it, so that a replay knows whether it may expect the same answer.
    """
    of_data, of_code = sha256(), sha256()
    for name in DATA_FILES:
        of_data.update(name.encode() + b"\0" + data[name] + b"\0")
    for package, prefix in (*_CODE, *_JUDGES):
        modules = (
            m for m in files(package).iterdir() if m.name.startswith(prefix) and m.name.endswith(".py")
        )
        for module in sorted(modules, key=lambda m: m.name):
            of_code.update(module.name.encode() + b"\0" + module.read_bytes() + b"\0")
    return f"rules-{of_data.hexdigest()[:8]}-{of_code.hexdigest()[:8]}"
