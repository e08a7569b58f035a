"""`.env.example`, docs/configuration.md and the code name the same variables with the same defaults."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.settings import Variable, catalogue, is_placeholder, load_settings
from leasebot_pipeline.settings import render as documents
from leasebot_pipeline.settings.catalogue import GROUPS
from leasebot_pipeline.settings.model import Settings

ROOT = Path(__file__).resolve().parents[3]
REFRESH = "out of date: run `python -m leasebot_pipeline.settings`"
LINE = re.compile(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)

RUNBOOK = {
    "API_HOST",
    "API_PORT",
    "API_LOG_LEVEL",
    "API_BASE_URL",
    "DATABASE_URL",
    "BETTER_AUTH_SECRET",
    "BETTER_AUTH_URL",
    "BETTER_AUTH_TRUSTED_ORIGINS",
    "WEB_BASE_URL",
    "WORKER_POLL_INTERVAL_MS",
    "WORKER_QUEUE_BATCH_SIZE",
    "WORKER_TASK",
    "WORKER_RUN_ONCE",
    "LEASE_BOT_RPA_RUNTIME",
    "AI_DECISION_PROVIDER",
    "AI_GEMINI_MODEL",
    "GOOGLE_GENERATIVE_AI_API_KEY",
    "ADMIN_OBSERVABILITY_COOKIE",
    *(
        f"{platform.env_prefix}_{kind}"
        for platform in Platform
        for kind in ("USERNAME", "PASSWORD", "RPA_SESSION")
    ),
    "FURNISHEDFINDER_RPA_PROFILE",
}
"""Names the production runbook speaks of."""


@pytest.fixture(scope="module")
def env_example() -> str:
    return (ROOT / ".env.example").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def configuration() -> str:
    return (ROOT / "docs/configuration.md").read_text(encoding="utf-8")


def settable(variable: Variable) -> bool:
    return bool(variable.default) and not variable.worked_out


def test_the_catalogue_names_each_variable_once_and_says_what_it_does() -> None:
    names = [variable.name for variable in catalogue()]
    assert len(names) == len(set(names))
    assert all(variable.about.endswith(".") for variable in catalogue())
    assert set(names) >= RUNBOOK
    assert set(GROUPS) == set(Settings.model_fields) - {"unknown_names", "cautions"}


def test_the_example_file_is_what_the_models_say(env_example: str) -> None:
    assert env_example == documents.env_example(), f".env.example is {REFRESH}"


def test_the_tables_of_the_documents_are_what_the_models_say(configuration: str) -> None:
    assert configuration == documents.with_tables(configuration), f"docs/configuration.md is {REFRESH}"


def test_both_documents_hold_exactly_the_names_of_the_code(env_example: str, configuration: str) -> None:
    names = [variable.name for variable in catalogue()]
    assert [name for name, _ in LINE.findall(env_example)] == names
    rows = [line for line in configuration.splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([A-Z][A-Z0-9_]*)`", row.split(" | ")[0])}
    assert documented == set(names)


def test_defaults_shown_in_the_example_file_are_the_defaults_of_the_code(env_example: str) -> None:
    shown = dict(LINE.findall(env_example))
    for variable in catalogue():
        if variable.example is None:
            assert shown[variable.name].strip('"') == ("" if variable.worked_out else variable.default)


def test_the_example_file_sets_placeholders_only(env_example: str) -> None:
    live = re.findall(r"^([A-Z][A-Z0-9_]*)=(.*)$", env_example, re.MULTILINE)
    assert live
    assert all(is_placeholder(text) for _, text in live)


@pytest.mark.parametrize("everything", [False, True])
def test_a_copied_example_file_loads_and_changes_nothing(
    everything: bool, env_example: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also with every commented line made live, apart from examples that are no defaults."""
    monkeypatch.chdir(tmp_path)
    examples = {variable.name for variable in catalogue() if variable.example is not None}
    text = LINE.sub(
        lambda match: match.group(0) if match.group(1) in examples else match.group(0).lstrip("#"),
        env_example,
    )
    (tmp_path / ".env").write_text(text if everything else env_example, encoding="utf-8")
    loaded = load_settings()
    assert loaded.public_view() == load_settings({}).public_view()
    assert loaded.warnings == ()
    assert all(loaded.platforms[platform].auth_mode is None for platform in Platform)


@pytest.mark.parametrize(
    "variable", [v for v in catalogue() if v.example], ids=lambda variable: variable.name
)
def test_every_example_passes_its_own_rule(variable: Variable) -> None:
    load_settings({variable.name: variable.example or ""})


@pytest.mark.parametrize(
    "variable", [v for v in catalogue() if settable(v)], ids=lambda variable: variable.name
)
def test_a_documented_default_set_by_hand_changes_nothing(variable: Variable) -> None:
    assert load_settings({variable.name: variable.default}).public_view() == load_settings({}).public_view()


def test_every_variable_of_ours_shows_in_the_public_view() -> None:
    ours = {v.name for v in catalogue() if v.fallback_for is None and not v.elsewhere}
    assert set(load_settings({}).public_view()) == ours


def test_a_document_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="must hold the lines"):
        documents.with_tables("# Configuration\n")
