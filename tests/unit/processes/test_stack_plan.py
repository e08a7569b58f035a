"""What `leasebot up` decides before it starts anything."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from leasebot_pipeline.domain.platforms import Platform, SendMode
from leasebot_pipeline.processes.accounts import account_choices
from leasebot_pipeline.processes.ports import PortTaken
from leasebot_pipeline.processes.stack_plan import StackChoice, StackPlan, StackRefused, plan
from leasebot_pipeline.settings import SettingsError, load_settings


@pytest.fixture
def browser(tmp_path: Path) -> Path:
    path = tmp_path / "browser"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def environ(tmp_path: Path, browser: Path) -> dict[str, str]:
    return {"LEASE_BOT_DATA_DIR": str(tmp_path / "data"), "LEASE_BOT_RPA_BROWSER_PATH": str(browser)}


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def _sandbox(environ: dict[str, str]) -> StackPlan:
    return plan(StackChoice(sandbox=True), environ)


def test_sandbox_data_is_kept_apart(environ: dict[str, str], tmp_path: Path) -> None:
    assert _sandbox(environ).data_dir == tmp_path / "data" / "sandbox"
    assert plan(StackChoice(), environ).data_dir == tmp_path / "data"


def test_sandbox_children_know_only_the_local_sites(environ: dict[str, str]) -> None:
    environ |= {
        "SPAREROOM_RPA_PROFILE": "/profiles/real",
        "ROOMIES_RPA_SESSION": '{"cookies": []}',
        "RENTHOP_USERNAME": "me@example.com",
    }
    planned = _sandbox(environ)
    for number, platform in enumerate(Platform, start=1):
        offered = planned.settings.platforms[platform]
        assert offered.base_url == f"http://127.0.0.1:{planned.ports.sandbox + number}"
        assert offered.username is not None
        assert offered.username.get_secret_value() == "agent@sandbox.test"
        assert offered.rpa_profile is None
        assert offered.rpa_session is None
    assert planned.settings.rpa.runtime == "playwright"
    assert planned.settings.default_send_mode is SendMode.AUTO_SEND
    assert planned.settings.api.host == "127.0.0.1"


def test_an_invitation_leads_to_this_stacks_console_unless_another_is_named(environ: dict[str, str]) -> None:
    planned = _sandbox(environ)
    assert planned.settings.invite.base_url == f"http://127.0.0.1:{planned.ports.api}"
    named = _sandbox(environ | {"WEB_BASE_URL": "https://console.example.com"}).settings
    assert named.invite.base_url == "https://console.example.com"


def test_secret_addresses_are_of_the_host_invitations_lead_to(environ: dict[str, str]) -> None:
    planned = _sandbox(environ)
    assert planned.settings.api.base_url == planned.settings.invite.base_url
    named = _sandbox(environ | {"BETTER_AUTH_URL": "https://api.example.com"}).settings
    assert named.api.base_url == "https://api.example.com"


def test_what_a_person_chose_about_sending_and_the_administrator_stays(environ: dict[str, str]) -> None:
    environ |= {
        "PLATFORM_DEFAULT_SEND_MODE": "draft_only",
        "LEASE_BOT_DEV_ADMIN_PASSWORD": "my-own-password",
        "API_HOST": "0.0.0.0",
    }
    settings = _sandbox(environ).settings
    assert settings.default_send_mode is SendMode.DRAFT_ONLY
    assert settings.bootstrap.dev_admin_password is not None
    assert settings.bootstrap.dev_admin_password.get_secret_value() == "my-own-password"
    assert settings.api.host == "0.0.0.0"


def test_the_sandboxs_gemini_needs_no_key_and_is_given_no_real_one(environ: dict[str, str]) -> None:
    for given in ({}, {"GOOGLE_GENERATIVE_AI_API_KEY": "a-real-key"}):
        planned = _sandbox({**environ, "AI_DECISION_PROVIDER": "gemini", **given})
        ai = planned.settings.ai
        assert ai.base_url == f"http://127.0.0.1:{planned.ports.sandbox + 6}"
        assert ai.api_key is not None
        assert ai.api_key.get_secret_value() == "sandbox-gemini-key"


def test_the_sandbox_is_refused_in_production(environ: dict[str, str]) -> None:
    environ |= {
        "LEASE_BOT_ENV": "production",
        "LEASE_BOT_RPA_RUNTIME": "playwright",
        "DATABASE_URL": "postgresql://localhost/lease_bot",
        "BETTER_AUTH_SECRET": "x" * 40,
    }
    with pytest.raises(StackRefused, match="production"):
        _sandbox(environ)


def test_a_faulty_environment_is_refused_before_anything_is_made(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(SettingsError):
        plan(StackChoice(), environ | {"API_PORT": "many"})
    assert not (tmp_path / "data").exists()


def test_a_configured_port_that_is_taken_is_an_error(environ: dict[str, str], listener: int) -> None:
    with pytest.raises(PortTaken, match=f"LEASE_BOT_DAGSTER_PORT={listener}"):
        plan(StackChoice(), environ | {"LEASE_BOT_DAGSTER_PORT": str(listener)})


def test_a_taken_port_of_a_part_that_is_left_out_does_not_matter(
    environ: dict[str, str], listener: int
) -> None:
    planned = plan(StackChoice(webserver=False), environ | {"LEASE_BOT_DAGSTER_PORT": str(listener)})
    assert planned.ports.webserver == listener


def test_a_given_database_is_used_and_dagster_gets_a_second_one_with_its_own_driver(
    environ: dict[str, str],
) -> None:
    planned = plan(StackChoice(), environ | {"DATABASE_URL": "postgresql://me:secret@db.example/lease_bot"})
    assert planned.embedded is None
    assert (
        planned.variables["DAGSTER_PG_URL"] == "postgresql+psycopg2://me:secret@db.example/lease_bot_dagster"
    )


def test_without_a_database_an_embedded_one_is_planned(environ: dict[str, str]) -> None:
    planned = plan(StackChoice(), environ)
    assert planned.embedded is not None
    assert planned.settings.database.url is not None
    assert planned.settings.database.url.get_secret_value() == planned.database_url


def test_instance_file_is_put_into_dagster_home(environ: dict[str, str]) -> None:
    planned = plan(StackChoice(), environ)
    home = Path(planned.variables["DAGSTER_HOME"])
    assert home.is_absolute()
    assert "DAGSTER_PG_URL" in (home / "dagster.yaml").read_text()


def test_mistyped_names_are_told_at_start(environ: dict[str, str]) -> None:
    planned = plan(StackChoice(), environ | {"WORKER_POL_INTERVAL_MS": "1"})
    assert any("WORKER_POLL_INTERVAL_MS" in note for note in planned.notes)


def test_accounts_profile_before_session_before_login() -> None:
    settings = load_settings(
        {
            "SPAREROOM_RPA_PROFILE": "/profiles/spareroom",
            "SPAREROOM_RPA_SESSION": '{"cookies": []}',
            "ROOMIES_RPA_SESSION": '{"cookies": []}',
            "LEASEBREAK_USERNAME": "me@example.com",
            "LEASEBREAK_PASSWORD": "secret-secret",
        }
    )
    choices = account_choices(settings, sandbox=False)
    shown = {platform.value: (dict(c.credentials), c.is_active) for platform, c in choices.items()}
    assert shown == {
        "spareroom": ({"userDataDirRef": "env:SPAREROOM_RPA_PROFILE"}, True),
        "roomies": ({"sessionRef": "env:ROOMIES_RPA_SESSION"}, True),
        "leasebreak": (
            {"usernameRef": "env:LEASEBREAK_USERNAME", "passwordRef": "env:LEASEBREAK_PASSWORD"},
            False,
        ),
        "renthop": ({"sessionRef": "env:RENTHOP_RPA_SESSION"}, False),
        "furnishedfinder": ({"sessionRef": "env:FURNISHEDFINDER_RPA_SESSION"}, False),
    }
    assert all(choice.send_mode is SendMode.DRAFT_ONLY for choice in choices.values())


def test_sandbox_accounts_sign_in_by_form_and_may_send(environ: dict[str, str]) -> None:
    choices = account_choices(_sandbox(environ).settings, sandbox=True)
    assert {(c.is_active, c.auth_mode, c.send_mode) for c in choices.values()} == {
        (True, "login", SendMode.AUTO_SEND)
    }
