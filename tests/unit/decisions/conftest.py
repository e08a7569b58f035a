"""Gemini's stand-in, and the real client and provider over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from leasebot_pipeline.decisions.gemini import GeminiOptions, GeminiProvider
from leasebot_pipeline.decisions.gemini_client import GeminiClient
from leasebot_pipeline.domain.model_metering import DailyLimits, LocalMeter, Meter
from leasebot_pipeline.sandbox import GEMINI_KEY
from leasebot_pipeline.sandbox.gemini import GeminiState
from leasebot_pipeline.sandbox.testing import GeminiServer

ProviderMaker = Callable[..., GeminiProvider]


@pytest.fixture(scope="session")
def gemini_server() -> Iterator[GeminiServer]:
    with GeminiServer() as server:
        yield server


@pytest.fixture
def gemini(gemini_server: GeminiServer) -> GeminiState:
    """A healthy model that was asked nothing yet."""
    state = gemini_server.state
    state.clear()
    state.requests, state.asked = 0, []
    return state


@pytest.fixture
def provider(gemini_server: GeminiServer, gemini: GeminiState) -> Iterator[ProviderMaker]:
    """Build a provider; keyword arguments are those of the client, the meter and ``GeminiOptions``."""
    made: list[GeminiProvider] = []

    def make(
        timeout_s: float = 60.0,
        key: str = GEMINI_KEY,
        base_url: str | None = None,
        meter: Meter | None = None,
        limits: DailyLimits | None = None,
        **options: Any,
    ) -> GeminiProvider:
        client = GeminiClient(
            "gemini-test", SecretStr(key), base_url=base_url or gemini_server.url, timeout_s=timeout_s
        )
        meter = meter or LocalMeter(limits or DailyLimits(), lambda: datetime.now(UTC))
        options = {"batch_deadline_s": 90.0, "attempts": 1, **options}
        made.append(GeminiProvider(client, meter, GeminiOptions(**options)))
        return made[-1]

    yield make
    for one in made:
        one.close()
