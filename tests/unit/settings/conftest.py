"""Settings tests see the variables they set themselves, whatever the machine they run on has set."""

from __future__ import annotations

import os

import pytest

from leasebot_pipeline.settings.catalogue import known_names


@pytest.fixture(autouse=True)
def _no_variables_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tuple(os.environ):
        if name in known_names() or name.startswith(("LEASE_BOT_", "WORKER_")):
            monkeypatch.delenv(name)
