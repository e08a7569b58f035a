"""One question to Gemini over HTTP: a closed schema in, a parsed answer or a named failure out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import httpx2
from google import genai
from google.genai import errors, types
from pydantic import BaseModel, SecretStr


class GeminiAnswer(BaseModel):
    """The closed schema of an answer; names are those of the earlier system."""

    intent: Literal["tour_request", "pricing_question", "availability_question", "unsubscribe", "unknown"]
    workflowOutcome: (
        Literal[
            "not_interested",
            "wants_reschedule",
            "no_reply",
            "showing_confirmed",
            "general_question",
            "human_required",
        ]
        | None
    )
    confidence: float | None
    riskLevel: Literal["low", "medium", "high", "critical"] | None
    ambiguity: bool
    selectedSlotIndex: int | None
    suggestedReply: str | None
    reasonCode: str | None


@dataclass(frozen=True, slots=True)
class GeminiReply:
    """A parsed answer and what it cost, in tokens."""

    answer: GeminiAnswer
    prompt_tokens: int | None
    output_tokens: int | None


class GeminiFailure(Exception):
    """No usable answer; ``code`` says why and never holds text of the conversation."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class GeminiClient:
    """A lazily built SDK client, usable from several threads. No retries of its own.

    ``timeout_s`` bounds one request; ``base_url`` replaces the public endpoint.
    """

    def __init__(
        self, model: str, api_key: SecretStr, *, base_url: str | None = None, timeout_s: float = 10.0
    ) -> None:
        self.model = model
        self._client = genai.Client(
            api_key=api_key.get_secret_value(),
            http_options=types.HttpOptions(
                base_url=base_url, api_version="v1beta", timeout=max(1, round(timeout_s * 1000))
            ),
        )

    def ask(self, system: str, question: str) -> GeminiReply:
        """Ask once. Raises ``GeminiFailure`` for every way of not getting a usable answer."""
        try:
            response = self._client.models.generate_content(
                model=self.model,
                contents=question,
                config=types.GenerateContentConfig(
                    system_instruction=system,
                    temperature=0.0,
                    candidate_count=1,
                    response_mime_type="application/json",
                    response_schema=GeminiAnswer,
                ),
            )
        except errors.APIError as failure:
            raise GeminiFailure(f"http_{failure.code}") from failure
        except httpx2.TimeoutException as failure:
            raise GeminiFailure("timeout") from failure
        except httpx2.HTTPError as failure:
            raise GeminiFailure("network_error") from failure
        except ValueError as failure:  # a body that is no JSON at all
            raise GeminiFailure("invalid_response") from failure
        if not isinstance(response.parsed, GeminiAnswer):
            raise GeminiFailure(_why_unparsed(response))
        usage = response.usage_metadata
        return GeminiReply(
            response.parsed,
            usage.prompt_token_count if usage else None,
            usage.candidates_token_count if usage else None,
        )


def _why_unparsed(response: types.GenerateContentResponse) -> str:
    """The SDK raises nothing for these: it only leaves ``parsed`` empty."""
    if response.prompt_feedback and response.prompt_feedback.block_reason:
        return "blocked"
    if not response.candidates:
        return "no_candidate"
    finish = response.candidates[0].finish_reason
    if finish is types.FinishReason.MAX_TOKENS:
        return "truncated"
    if finish is not None and finish is not types.FinishReason.STOP:
        return f"finished_{finish.value.lower()}"
    return "invalid_answer"
