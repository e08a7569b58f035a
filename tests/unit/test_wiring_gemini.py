"""From the environment to the provider that decides."""

from __future__ import annotations

import pytest

from leasebot_pipeline.decisions.gemini import GeminiProvider
from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.settings import SettingsError, load_settings
from leasebot_pipeline.wiring import decision_provider, gemini_provider, pipeline_policy

GEMINI = {
    "AI_DECISION_PROVIDER": "gemini",
    "AI_GEMINI_MODEL": "gemini-9-flash",
    "GOOGLE_GENERATIVE_AI_API_KEY": "a-key-of-tests",
    "WORKER_AI_FEWSHOT_EXAMPLE_LIMIT": "2",
    "WORKER_AI_PLAYBOOK": "Be brief.",
}


def test_the_configured_model_is_asked() -> None:
    """Behaviours 70 and 71: the model, the examples and the playbook of the environment."""
    settings = load_settings(GEMINI)
    provider = decision_provider(settings)
    assert isinstance(provider, GeminiProvider)
    assert provider.model == "gemini-9-flash"
    assert provider.instructions.endswith("Be brief.\n")
    assert gemini_provider(settings, model="another").model == "another"
    assert pipeline_policy(settings).reply_examples == 2


def test_without_gemini_nothing_of_it_is_needed() -> None:
    settings = load_settings({})
    assert isinstance(decision_provider(settings), HeuristicProvider)
    assert pipeline_policy(settings).reply_examples == 0


def test_gemini_without_a_key_ends_the_start() -> None:
    with pytest.raises(SettingsError, match="GOOGLE_GENERATIVE_AI_API_KEY"):
        load_settings({"AI_DECISION_PROVIDER": "gemini"})
