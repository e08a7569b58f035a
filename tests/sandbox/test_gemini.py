"""Gemini's stand-in: part of the sandbox, its faults on the control API."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx

from leasebot_pipeline.sandbox import GEMINI_KEY
from leasebot_pipeline.sandbox.testing import SandboxServer

QUESTION: dict[str, Any] = {
    "contents": [{"role": "user", "parts": [{"text": '{"newMessages": "Can I tour?"}'}]}]
}


def ask(sandbox: SandboxServer, key: str = GEMINI_KEY) -> httpx.Response:
    url = f"{sandbox.gemini_url}/v1beta/models/gemini-2.5-flash:generateContent"
    return httpx.post(url, json=QUESTION, headers={"x-goog-api-key": key}, timeout=30)


def test_it_answers_in_the_services_form_and_only_to_its_key(
    sandbox: SandboxServer, control: httpx.Client
) -> None:
    answer = ask(sandbox).json()
    assert '"intent": "tour_request"' in answer["candidates"][0]["content"]["parts"][0]["text"]
    assert answer["usageMetadata"]["totalTokenCount"] > 0
    assert ask(sandbox, "another").status_code == 403
    seen = control.get("/gemini").json()
    assert (seen["requests"], seen["url"]) == (1, sandbox.gemini_url)
    assert control.get("/health").json()["gemini"] == sandbox.gemini_url


def test_faults_strike_their_share_and_end(sandbox: SandboxServer, control: httpx.Client) -> None:
    control.put("/gemini", json={"fault": "server_error", "share": 0.5, "count": 2})
    assert [ask(sandbox).status_code for _ in range(6)] == [200, 500, 200, 500, 200, 200]
    control.put("/gemini", json={"fault": "rate_limited"})
    control.put("/gemini", json={"answer": {"intent": "unsubscribe"}})
    assert ask(sandbox).json()["error"]["details"][0]["retryDelay"]
    assert control.put("/gemini", json={"fault": "no_such"}).status_code == 422
    healed = control.delete("/gemini").json()
    assert (healed["faults"], healed["answer"]) == ([], None)
    assert ask(sandbox).status_code == 200
