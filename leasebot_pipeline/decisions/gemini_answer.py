"""The closed schema of a model's answer. Kept apart from the SDK, so that a replay needs none."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class GeminiAnswer(BaseModel):
    """What the model may say; names are those of the earlier system."""

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
