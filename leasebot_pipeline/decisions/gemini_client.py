"""One question to Gemini over HTTP: a closed schema in, a parsed answer or a named failure out."""

from __future__ import annotations

import asyncio
import re
import threading
from dataclasses import dataclass
from typing import Final

import httpx2
from google import genai
from google.genai import errors, types
from pydantic import SecretStr

from leasebot_pipeline.decisions.gemini_answer import GeminiAnswer

_TRY_AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})
_HOPELESS: Final = frozenset({400, 401, 403, 404})
_WITHOUT_THINKING: Final = "gemini-2.5-flash"
"""Models that may be told not to think first: classification needs none, and thoughts are billed and slow."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the service counted them; thoughts are billed as output."""

    prompt_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.prompt_tokens + other.prompt_tokens, self.output_tokens + other.output_tokens)


@dataclass(frozen=True, slots=True)
class GeminiReply:
    """A parsed answer and what it cost."""

    answer: GeminiAnswer
    usage: Usage


class GeminiFailure(Exception):
    """No usable answer; ``code`` says why and never holds text of the conversation.

    ``again``: another try may succeed, not before ``pause_s``. ``hopeless``: no question will until a person
    changes key or model. ``about_text``: it says nothing about the service. ``usage`` is None when the
    service may have worked without telling what it cost.
    """

    def __init__(
        self,
        code: str,
        *,
        again: bool = False,
        pause_s: float = 0.0,
        hopeless: bool = False,
        about_text: bool = False,
        usage: Usage | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.again, self.pause_s, self.hopeless, self.about_text = again, pause_s, hopeless, about_text
        self.usage = usage


class GeminiClient:
    """The SDK behind one method. It is built when first used, and used from one event loop only.

    ``timeout_s`` bounds one request by the clock on the wall: a server that drips bytes is cut off too.
    ``base_url`` replaces the public endpoint. No retries of its own.
    """

    def __init__(
        self,
        model: str,
        api_key: SecretStr,
        *,
        base_url: str | None = None,
        timeout_s: float = 10.0,
        max_output_tokens: int = 2048,
    ) -> None:
        self.model = model
        self.max_output_tokens = max_output_tokens
        self._key, self._base_url, self._timeout_s = api_key, base_url, timeout_s
        self._client: genai.Client | None = None
        self._http: httpx2.AsyncClient | None = None
        self._building = threading.Lock()

    def _sdk(self) -> genai.Client:
        with self._building:
            if self._client is None:
                # Ours: the SDK would take whichever HTTP library is installed, with other errors each.
                self._http = httpx2.AsyncClient()
                self._client = genai.Client(
                    api_key=self._key.get_secret_value(),
                    http_options=types.HttpOptions(
                        base_url=self._base_url, api_version="v1beta", httpx_async_client=self._http
                    ),
                )
            return self._client

    def _config(self, system: str, timeout_s: float) -> types.GenerateContentConfig:
        thinking = (
            types.ThinkingConfig(thinking_budget=0) if self.model.startswith(_WITHOUT_THINKING) else None
        )
        return types.GenerateContentConfig(
            system_instruction=system,
            temperature=0.0,
            seed=7,
            candidate_count=1,
            max_output_tokens=self.max_output_tokens,
            thinking_config=thinking,
            response_mime_type="application/json",
            response_schema=GeminiAnswer,
            http_options=types.HttpOptions(timeout=max(1, round(timeout_s * 1000))),
        )

    async def ask(self, system: str, question: str, timeout_s: float) -> GeminiReply:
        """Ask once, for at most the smaller of both time limits. Raises ``GeminiFailure`` for every way of not
        getting a usable answer."""
        limit = min(timeout_s, self._timeout_s)
        try:
            async with asyncio.timeout(limit):
                response = await self._sdk().aio.models.generate_content(
                    model=self.model, contents=question, config=self._config(system, limit)
                )
        except (TimeoutError, httpx2.TimeoutException) as failure:
            raise GeminiFailure("timeout") from failure
        except errors.APIError as failure:
            status = int(failure.code or 0)
            raise GeminiFailure(
                f"http_{status}",
                again=status in _TRY_AGAIN,
                pause_s=_pause(failure),
                hopeless=status in _HOPELESS,
                usage=Usage(),
            ) from failure
        except httpx2.ConnectError as failure:
            raise GeminiFailure("network_error", again=True, usage=Usage()) from failure
        except httpx2.HTTPError as failure:
            raise GeminiFailure("network_error", again=True) from failure
        except ValueError as failure:  # a body that is no JSON at all
            raise GeminiFailure("invalid_response") from failure
        usage = _usage(response)
        if not isinstance(response.parsed, GeminiAnswer):
            code, about_text = _why_unparsed(response)
            raise GeminiFailure(code, about_text=about_text, usage=usage)
        return GeminiReply(response.parsed, usage)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aio.aclose()
            self._client.close()
            self._client = None
        if self._http is not None:
            await self._http.aclose()


def _usage(response: types.GenerateContentResponse) -> Usage:
    told = response.usage_metadata
    if told is None:
        return Usage()
    output = (told.candidates_token_count or 0) + (told.thoughts_token_count or 0)
    return Usage(max(0, told.prompt_token_count or 0), max(0, output))


def _why_unparsed(response: types.GenerateContentResponse) -> tuple[str, bool]:
    """Why, and whether that is about this text alone. The SDK raises nothing: it only leaves ``parsed`` empty."""
    if response.prompt_feedback and response.prompt_feedback.block_reason:
        return "blocked", True
    if not response.candidates:
        return "no_candidate", False
    finish = response.candidates[0].finish_reason
    if finish is types.FinishReason.MAX_TOKENS:
        return "truncated", False
    if finish is not None and finish is not types.FinishReason.STOP:
        return f"finished_{finish.value.lower()}", True
    return "invalid_answer", False


def _pause(failure: errors.APIError) -> float:
    """Seconds the service asks us to wait (``RetryInfo`` of its error details)."""
    found = re.search(r"retryDelay['\"]?\s*:\s*['\"](\d{1,6}(?:\.\d+)?)s", str(failure.details))
    return float(found.group(1)) if found else 0.0
