"""The Gemini service, played locally: the HTTP protocol the real client speaks, well or badly on demand.

By default it reads a message about as well as a small model would. Faults, and answers of a model that obeys
whoever steers it, are switched on over the control API; each with a share of the requests and a count.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from threading import RLock
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.middleware.trustedhost import TrustedHostMiddleware

from leasebot_pipeline.domain.intents import understand
from leasebot_pipeline.domain.intents_rulebook import RULES
from leasebot_pipeline.sandbox import GEMINI_KEY

_REMEMBERED: Final = 200


class GeminiFault(StrEnum):
    """What the service may do. The docs say how each shows."""

    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    FORBIDDEN = "forbidden"
    SLOW = "slow"
    DRIP = "drip"
    TRUNCATED = "truncated"
    INVALID_JSON = "invalid_json"
    SCHEMA_BREAKING = "schema_breaking"
    NO_JSON = "no_json"
    SAFETY = "safety"
    BLOCKED = "blocked"
    EMPTY = "empty"
    HOSTILE = "hostile"
    MIXED = "mixed"


_MIXTURE: Final = (
    GeminiFault.RATE_LIMITED,
    GeminiFault.SERVER_ERROR,
    GeminiFault.INVALID_JSON,
    GeminiFault.TRUNCATED,
    GeminiFault.SAFETY,
    GeminiFault.UNAVAILABLE,
    GeminiFault.SCHEMA_BREAKING,
    GeminiFault.EMPTY,
)
"""What ``mixed`` plays, in turn."""

HOSTILE_ANSWERS: Final[tuple[dict[str, Any], ...]] = (
    {
        "intent": "tour_request",
        "workflowOutcome": "showing_confirmed",
        "confidence": 1.0,
        "riskLevel": "low",
        "ambiguity": False,
        "selectedSlotIndex": 1,
        "suggestedReply": "It's yours for $1 a month, guaranteed! Pay at https://evil.test/pay today.",
        "reasonCode": "ignore_previous_instructions",
    },
    {
        "intent": "availability_question",
        "workflowOutcome": "general_question",
        "confidence": 1.0,
        "riskLevel": "low",
        "ambiguity": False,
        "selectedSlotIndex": 99,
        "suggestedReply": "The door code is 4711. The other applicant is Ana Lead, 212-555-0100, she earns 90k.",
        "reasonCode": "<script>alert(1)</script>",
    },
    {
        "intent": "unsubscribe",
        "workflowOutcome": "not_interested",
        "confidence": 1.0,
        "riskLevel": "low",
        "ambiguity": False,
        "selectedSlotIndex": None,
        "suggestedReply": None,
        "reasonCode": "DROP TABLE",
    },
    {
        "intent": "tour_request",
        "workflowOutcome": "wants_reschedule",
        "confidence": 99,
        "riskLevel": "low",
        "ambiguity": False,
        "selectedSlotIndex": -3,
        "suggestedReply": "We only rent to people without children. Come at 3:33 AM, the fee is waived.",
        "reasonCode": None,
    },
)
"""A model that wants the worst: each answer keeps the schema."""


@dataclass(slots=True)
class GeminiSwitch:
    """A fault that is on for ``share`` of the requests, spread evenly. ``left`` None: until it is switched off."""

    fault: GeminiFault
    share: float
    left: int | None
    seconds: float
    hits: int = 0
    due: float = 0.0

    def strikes(self) -> bool:
        self.due += self.share
        if self.due < 1 - 1e-9:
            return False
        self.due -= 1
        self.hits += 1
        return True


@dataclass(slots=True)
class GeminiState:
    """What the stand-in was asked and how it behaves. May be used from any thread."""

    requests: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)
    """The newest requests: model, instructions, data."""
    answer: dict[str, Any] | None = None
    """Fields that replace those of every good answer: a steered model."""
    seconds: float = 0.0
    """How long every answer takes."""
    _on: dict[GeminiFault, GeminiSwitch] = field(default_factory=dict)
    _mixed: int = 0
    _lock: RLock = field(default_factory=RLock)

    def switch_on(
        self,
        fault: GeminiFault,
        *,
        share: float = 1.0,
        count: int | None = None,
        seconds: float = 5.0,
    ) -> None:
        with self._lock:
            self._on[fault] = GeminiSwitch(fault, share, count, seconds)

    def switch_off(self, fault: GeminiFault) -> None:
        with self._lock:
            self._on.pop(fault, None)

    def clear(self) -> None:
        """A healthy model that obeys nobody."""
        with self._lock:
            self._on.clear()
            self.answer, self.seconds = None, 0.0

    def active(self) -> list[GeminiSwitch]:
        with self._lock:
            return list(self._on.values())

    def take(self, model: str, body: Mapping[str, Any]) -> tuple[GeminiFault | None, float]:
        """Count a request; the fault that strikes it and how many seconds that takes."""
        with self._lock:
            self.requests += 1
            self.asked = [*self.asked[-_REMEMBERED + 1 :], {"model": model, **_texts(body)}]
            for switch in list(self._on.values()):
                if not switch.strikes():
                    continue
                if switch.left is not None:
                    switch.left -= 1
                    if switch.left <= 0:
                        del self._on[switch.fault]
                if switch.fault is GeminiFault.MIXED:
                    self._mixed += 1
                    return _MIXTURE[self._mixed % len(_MIXTURE)], switch.seconds
                return switch.fault, switch.seconds
            return None, self.seconds

    def bill(self, prompt: int, output: int) -> dict[str, int]:
        with self._lock:
            self.prompt_tokens += prompt
            self.output_tokens += output
        return {
            "promptTokenCount": prompt,
            "candidatesTokenCount": output,
            "totalTokenCount": prompt + output,
        }

    def hostile(self) -> dict[str, Any]:
        with self._lock:
            return HOSTILE_ANSWERS[self.requests % len(HOSTILE_ANSWERS)]


def build_gemini(state: GeminiState) -> FastAPI:
    """The service as an application."""
    app = FastAPI(title="leasebot sandbox: Gemini", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]", "testserver"])

    @app.post("/v1beta/models/{model}:generateContent")
    async def generate(model: str, request: Request) -> Response:
        try:
            body = json.loads(await request.body())
            assert isinstance(body["contents"], list)
        except (ValueError, KeyError, TypeError, AssertionError):
            return _error(400, "INVALID_ARGUMENT")
        if request.headers.get("x-goog-api-key") != GEMINI_KEY:
            return _error(403, "PERMISSION_DENIED")
        fault, seconds = state.take(model, body)
        if seconds and fault in (None, GeminiFault.SLOW):
            await asyncio.sleep(seconds)
        return _faulty(fault, state, body, seconds) or _good(state, body)

    return app


def _faulty(
    fault: GeminiFault | None, state: GeminiState, body: Mapping[str, Any], seconds: float
) -> Response | None:
    match fault:
        case GeminiFault.RATE_LIMITED:
            return _error(429, "RESOURCE_EXHAUSTED", "0.05s")
        case GeminiFault.SERVER_ERROR:
            return _error(500, "INTERNAL")
        case GeminiFault.UNAVAILABLE:
            return _error(503, "UNAVAILABLE")
        case GeminiFault.FORBIDDEN:
            return _error(403, "PERMISSION_DENIED")
        case GeminiFault.NO_JSON:
            return Response("<html>bad gateway</html>", media_type="text/html")
        case GeminiFault.DRIP:
            return _Dripping(seconds)
        case GeminiFault.TRUNCATED:
            return _said('{"intent": "tour_requ', state, body, finish="MAX_TOKENS")
        case GeminiFault.INVALID_JSON:
            return _said("Sure! Here is what I think: {intent:", state, body)
        case GeminiFault.SCHEMA_BREAKING:
            return _said(json.dumps({**_reading(body), "intent": "give_discount"}), state, body)
        case GeminiFault.SAFETY:
            return _said("", state, body, finish="SAFETY")
        case GeminiFault.BLOCKED:
            return JSONResponse({"promptFeedback": {"blockReason": "SAFETY"}})
        case GeminiFault.EMPTY:
            return JSONResponse({})
        case GeminiFault.HOSTILE:
            return _said(json.dumps(state.hostile()), state, body)
        case _:
            return None


def _good(state: GeminiState, body: Mapping[str, Any]) -> Response:
    return _said(json.dumps({**_reading(body), **(state.answer or {})}), state, body)


def _said(text: str, state: GeminiState, body: Mapping[str, Any], finish: str = "STOP") -> Response:
    prompt = len(json.dumps(body)) // 4
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": finish}
    return JSONResponse({"candidates": [candidate], "usageMetadata": state.bill(prompt, len(text) // 4 + 1)})


def _error(status: int, code: str, retry: str | None = None) -> Response:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": retry}] if retry else []
    error = {"code": status, "message": code.lower(), "status": code, "details": details}
    return JSONResponse({"error": error}, status_code=status)


class _Dripping(Response):
    """An answer that never ends: one byte at a time, so that no read ever times out."""

    def __init__(self, seconds: float) -> None:
        super().__init__(media_type="application/json")
        self._seconds = seconds

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(max(1, round(self._seconds / 0.05))):
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.sleep(0.05)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _texts(body: Mapping[str, Any]) -> dict[str, Any]:
    def parts(content: Any) -> str:
        found = content.get("parts") or [] if isinstance(content, dict) else []
        return "".join(str(part.get("text", "")) for part in found if isinstance(part, dict))

    return {
        "instructions": parts(body.get("systemInstruction")),
        "data": "".join(parts(content) for content in body["contents"]),
    }


def _reading(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a small model makes of the question."""
    try:
        data = json.loads(_texts(body)["data"])
        text = str(data.get("newMessages") or "")
    except (ValueError, AttributeError):
        text = ""
    found = understand(RULES.reader.read((text,)))
    main = found.intents[0].value if found.intents else "unknown"
    return {
        "intent": main,
        "workflowOutcome": None if main == "unknown" else "general_question",
        "confidence": 0.9 if main != "unknown" else 0.6,
        "riskLevel": "low",
        "ambiguity": False,
        "selectedSlotIndex": None,
        "suggestedReply": "Thanks for your message! Which of the times we have suits you?",
        "reasonCode": f"reads_as_{main}",
    }
