"""What an environment becomes, and what is said when it can't become anything."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

import pytest

from leasebot_pipeline.domain.platforms import Platform, SendMode
from leasebot_pipeline.settings import Settings, SettingsError, load_settings

PRODUCTION = {
    "LEASE_BOT_ENV": "production",
    "LEASE_BOT_RPA_RUNTIME": "playwright",
    "DATABASE_URL": "postgresql://leasebot:pw-of-the-database@db.internal:5432/lease_bot",
    "BETTER_AUTH_SECRET": "0123456789abcdef0123456789abcdef",
}


def faults(environ: dict[str, str]) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    return {fault.name: fault.rule for fault in caught.value.faults}


def test_nothing_set_gives_a_usable_development_configuration() -> None:
    settings = load_settings({})
    assert (settings.environment, settings.is_production, settings.data_dir) == (
        "development",
        False,
        Path("var"),
    )
    assert settings.default_send_mode is SendMode.DRAFT_ONLY
    assert (settings.rpa.runtime, settings.ai.provider) == ("mock", "heuristic")
    assert (settings.api.host, settings.api.port, settings.dagster.port, settings.sandbox.port) == (
        "0.0.0.0",
        3001,
        3000,
        4100,
    )
    assert settings.worker.ingest_platforms == settings.worker.thread_sync_platforms == tuple(Platform)
    assert set(settings.platforms) == set(Platform)
    assert settings.warnings == ()


def test_a_complete_production_environment_loads() -> None:
    settings = load_settings(PRODUCTION)
    assert settings.is_production
    assert settings.database.url is not None
    assert settings.auth.secret.get_secret_value() == PRODUCTION["BETTER_AUTH_SECRET"]


def test_three_faulty_variables_are_named_in_one_error_with_their_rules() -> None:
    environ = {
        "API_PORT": "http",
        "AI_DECISION_PROVIDER": "chatgpt",
        "ROOMIES_BASE_URL": "sandbox.local",
        "LEASE_BOT_RPA_HEADLESS": "yes",
    }
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    message = str(caught.value)
    assert caught.value.names == ("AI_DECISION_PROVIDER", "API_PORT", "ROOMIES_BASE_URL")
    assert message.startswith("3 settings are faulty:")
    assert "AI_DECISION_PROVIDER: must be one of heuristic, gemini" in message
    assert "API_PORT: must be a whole number from 1 to 65535 (got 4 characters of text)" in message
    assert "ROOMIES_BASE_URL: must be an http:// or https:// address" in message


def test_faults_of_one_group_and_between_groups_are_named_together() -> None:
    environ = {
        "WORKER_POLL_INTERVAL_MS": "0",
        "WORKER_CLAIM_TTL_MS": "soon",
        "AI_DECISION_PROVIDER": "gemini",
    }
    assert set(faults(environ)) == {
        "WORKER_POLL_INTERVAL_MS",
        "WORKER_CLAIM_TTL_MS",
        "GOOGLE_GENERATIVE_AI_API_KEY",
    }


SECRETS = {
    "DATABASE_URL": "mysql://user:s3cret-value-1@host/db",
    "INVITE_SMTP_URL": "http://user:s3cret-value-2@host",
    "LEASE_BOT_RPA_ALERT_WEBHOOK_URL": "s3cret-value-3",
    "LEASE_BOT_PLATFORM_ADAPTER_OVERRIDES_JSON": '{"spareroom": "s3cret-value-4"',
    "LEASE_BOT_RPA_LAUNCH_ARGS_JSON": "--proxy=s3cret-value-5",
    "API_PORT": "s3cret-value-6",
    "WEB_BASE_URL": "https://user:s3cret-value-7@host",
}


def _set(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def test_no_value_shows_in_the_error_its_chain_or_the_frames_of_its_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    _set(monkeypatch, {**SECRETS, "SPAREROOM_PASSWORD": "s3cret-value-8"})
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert set(caught.value.names) == set(SECRETS)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "s3cret-value" not in "".join(frames.format())
    assert "s3cret-value" not in repr(caught.value)


def test_secrets_show_neither_in_the_settings_nor_in_their_public_view() -> None:
    environ = {
        **PRODUCTION,
        "SPAREROOM_LOGIN_ID": "s3cret-login",
        "SPAREROOM_PASSWORD": "s3cret-password",
        "ROOMIES_RPA_SESSION": "s3cret-session",
        "GOOGLE_GENERATIVE_AI_API_KEY": "s3cret-key",
        "LEASE_BOT_RPA_ALERT_TELEGRAM_BOT_TOKEN": "s3cret-token",
        "WORKER_AUTOREPLY_ALLOW_LEAD_NAMES": "s3cret-name",
    }
    settings = load_settings(environ)
    view = json.loads(json.dumps(settings.public_view()))
    for shown in (repr(settings), str(settings), repr(view)):
        assert "s3cret" not in shown
        assert "pw-of-the-database" not in shown
        assert PRODUCTION["BETTER_AUTH_SECRET"] not in shown
    assert (view["DATABASE_URL"], view["SPAREROOM_PASSWORD"], view["ROOMIES_PASSWORD"]) == (
        "set",
        "set",
        "not set",
    )
    assert (view["WORKER_AUTOREPLY_ALLOW_LEAD_NAMES"], view["API_PORT"]) == ("set", 3001)


@pytest.mark.parametrize("runtime", [None, "mock", "", "playwrite"])
def test_production_without_a_real_browser_is_refused_by_its_code(runtime: str | None) -> None:
    """Behaviour 118."""
    environ = {name: text for name, text in PRODUCTION.items() if name != "LEASE_BOT_RPA_RUNTIME"}
    if runtime is not None:
        environ["LEASE_BOT_RPA_RUNTIME"] = runtime
    found = faults(environ)
    assert list(found) == ["LEASE_BOT_RPA_RUNTIME"]
    assert "MOCK_RUNTIME_FORBIDDEN" in found["LEASE_BOT_RPA_RUNTIME"]


def test_the_earlier_name_of_the_environment_counts_when_ours_is_not_set() -> None:
    assert "MOCK_RUNTIME_FORBIDDEN" in faults({"NODE_ENV": "production"})["LEASE_BOT_RPA_RUNTIME"]
    assert load_settings({"NODE_ENV": "production", "LEASE_BOT_ENV": "test"}).environment == "test"
    assert set(faults({"NODE_ENV": "staging"})) == {"NODE_ENV"}


@pytest.mark.parametrize(
    "secret", [None, "change-me", "Replace-With-a-secret-of-32-characters-at-least", "short"]
)
def test_production_needs_a_real_signing_secret(secret: str | None) -> None:
    environ = {name: text for name, text in PRODUCTION.items() if name != "BETTER_AUTH_SECRET"}
    if secret is not None:
        environ["BETTER_AUTH_SECRET"] = secret
    assert set(faults(environ)) == {"BETTER_AUTH_SECRET"}


def test_production_needs_a_database_and_says_what_is_wrong_with_the_given_one() -> None:
    assert faults({**PRODUCTION, "DATABASE_URL": ""}) == {"DATABASE_URL": "must be set in production"}
    assert (
        "ends in a database name"
        in faults({**PRODUCTION, "DATABASE_URL": "postgresql://host"})["DATABASE_URL"]
    )


def test_production_refuses_an_armed_crash_point() -> None:
    armed = {"LEASE_BOT_CRASH_POINT": "dispatch.after_click:kill"}
    assert set(faults({**PRODUCTION, **armed})) == {"LEASE_BOT_CRASH_POINT"}
    assert load_settings(armed).stack.crash_point == "dispatch.after_click:kill"


def test_gemini_needs_a_key_that_is_no_placeholder() -> None:
    gemini = {"AI_DECISION_PROVIDER": "Gemini"}
    assert set(faults(gemini)) == {"GOOGLE_GENERATIVE_AI_API_KEY"}
    assert set(faults({**gemini, "GOOGLE_GENERATIVE_AI_API_KEY": "your-api-key"})) == {
        "GOOGLE_GENERATIVE_AI_API_KEY"
    }
    assert load_settings({**gemini, "GOOGLE_GENERATIVE_AI_API_KEY": "AIza"}).ai.provider == "gemini"


def test_a_development_administrator_needs_a_password_of_usable_length() -> None:
    on = {"LEASE_BOT_DEV_BOOTSTRAP_ADMIN": "1"}
    assert set(faults({**on, "LEASE_BOT_DEV_ADMIN_PASSWORD": "short"})) == {"LEASE_BOT_DEV_ADMIN_PASSWORD"}
    without = load_settings({**on, "LEASE_BOT_DEV_ADMIN_PASSWORD": "replace-with-a-password"})
    assert without.bootstrap.dev_admin_password is None
    assert any("no administrator" in warning for warning in without.warnings)


def test_development_bootstraps_stay_off_in_production() -> None:
    on = dict.fromkeys(
        [
            "LEASE_BOT_DEV_BOOTSTRAP_ADMIN",
            "LEASE_BOT_DEV_BOOTSTRAP_TEST_DATA",
            "LEASE_BOT_DEV_ARCHIVE_MISSING_THREADS",
        ],
        "1",
    )

    def switches(settings: Settings) -> set[bool]:
        found = settings.bootstrap
        return {found.dev_admin, found.test_data, found.archive_missing_threads}

    assert switches(load_settings({**PRODUCTION, **on})) == {False}
    assert switches(load_settings(on)) == {True}
    assert switches(load_settings({})) == {False}


def test_defaults_that_follow_from_other_variables() -> None:
    settings = load_settings(
        {
            "API_PORT": "3100",
            "WEB_BASE_URL": "https://console.example.com/app",
            "WORKER_POLL_INTERVAL_MS": "30000",
            "LEASE_BOT_DEV_AGENT_TIMEZONE": "Europe/London",
            "LEASE_BOT_DATA_DIR": "state",
            "LEASE_BOT_RPA_HEADLESS": "off",
            "LEASE_BOT_RPA_HEADLESS_ROOMIES": "on",
        }
    )
    assert settings.api.base_url == "http://localhost:3100"
    assert settings.auth.trusted_origins == ("https://console.example.com",)
    assert settings.invite.base_url == "https://console.example.com/app"
    assert settings.worker.claim_ttl_ms == 120_000
    assert settings.rpa.timezone_spareroom == "Europe/London"
    assert (settings.stack.log_dir, settings.dagster.home) == (Path("state/logs"), Path("state/dagster_home"))
    assert not settings.platforms[Platform.SPAREROOM].headless
    assert settings.platforms[Platform.ROOMIES].headless
    assert (
        load_settings({"BETTER_AUTH_URL": "https://api.example.com/"}).api.base_url
        == "https://api.example.com"
    )


def test_older_names_of_the_mail_server_stand_in_and_placeholders_do_not_hide_them() -> None:
    settings = load_settings(
        {
            "INVITE_SMTP_URL": "replace-with-smtp-url",
            "SMTP_URL": "smtps://user:pw@mail.example.com",
            "SMTP_PORT": "465",
            "INVITE_SMTP_USER": "invite",
            "SMTP_USER": "other",
        }
    )
    assert settings.invite.smtp_url is not None
    assert settings.invite.smtp_url.get_secret_value() == "smtps://user:pw@mail.example.com"
    assert (settings.invite.smtp_port, settings.invite.smtp_user) == (465, "invite")


def test_what_a_platform_offers_to_sign_in_with() -> None:
    settings = load_settings(
        {
            "SPAREROOM_RPA_PROFILE": ".playwright/profiles/spareroom",
            "SPAREROOM_RPA_SESSION": "base64:e30=",
            "ROOMIES_RPA_SESSION": "base64:e30=",
            "LEASEBREAK_USERNAME": "agent@example.com",
            "LEASEBREAK_PASSWORD": "pw",
            "RENTHOP_LOGIN_ID": "replace-with-login",
            "RENTHOP_PASSWORD": "change-me",
            "FURNISHEDFINDER_LOGIN_ID": "agent@example.com",
        }
    )
    assert {platform: settings.platforms[platform].auth_mode for platform in Platform} == {
        Platform.SPAREROOM: "profile",
        Platform.ROOMIES: "session",
        Platform.LEASEBREAK: "login",
        Platform.RENTHOP: None,
        Platform.FURNISHEDFINDER: None,
    }


def test_credential_references_may_point_at_any_name_but_at_no_placeholder() -> None:
    settings = load_settings({"OFFICE_2_PASSWORD": " pw ", "OFFICE_3_PASSWORD": "change-me", "BLANK": "  "})
    assert settings.credential("OFFICE_2_PASSWORD") == " pw "
    assert settings.credential("OFFICE_3_PASSWORD") is None
    assert settings.credential("BLANK") is None
    assert settings.credential("ABSENT") is None


def test_the_process_environment_wins_over_the_env_file_even_with_a_blank(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(
        "API_PORT=3100\nAPI_HOST=127.0.0.1 # this machine\nexport WORKER_TASK='a b'\n"
        'SPAREROOM_PASSWORD="p${HOME}w"\nROOMIES_PASSWORD=real\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("API_PORT", "3200")
    monkeypatch.setenv("ROOMIES_PASSWORD", "")
    settings = load_settings()
    assert (settings.api.port, settings.api.host, settings.worker.task) == (3200, "127.0.0.1", "a b")
    assert settings.credential("SPAREROOM_PASSWORD") == "p${HOME}w"
    assert settings.platforms[Platform.ROOMIES].password is None
    assert settings.credential("ROOMIES_PASSWORD") is None
    assert "port" in settings.api.model_fields_set
    assert "log_level" not in settings.api.model_fields_set


def test_overrides_win_over_the_process_environment_and_the_env_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("API_PORT", "3200")
    (tmp_path / ".env").write_text("API_HOST=127.0.0.1\nWORKER_TASK=file\n", encoding="utf-8")
    settings = load_settings(overrides={"API_PORT": "3300", "WORKER_TASK": ""})
    assert (settings.api.port, settings.api.host) == (3300, "127.0.0.1")
    assert settings.worker.task == "ai-triage-reply"
    assert load_settings({"API_PORT": "3200"}, overrides={"API_PORT": "3300"}).api.port == 3300


def test_an_unreadable_playbook_ends_the_start(tmp_path: Path) -> None:
    path = tmp_path / "playbook.md"
    playbook = {"WORKER_AI_PLAYBOOK_PATH": str(path)}
    assert faults(playbook) == {"WORKER_AI_PLAYBOOK_PATH": "must name a file that exists"}
    path.write_bytes(b"\xff")
    assert faults(playbook) == {"WORKER_AI_PLAYBOOK_PATH": "must name a file of UTF-8 text"}
    path.write_text("Be kind.", encoding="utf-8")
    assert load_settings(playbook).worker.ai_playbook_path == path


def test_a_broken_env_file_is_a_fault_with_its_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("API_PORT", "0")
    (tmp_path / ".env").write_text("A=1\n=2\nSPAREROOM_PASSWORD='never closed\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.names == (".env, line 2", ".env, line 3", "API_PORT")
    (tmp_path / ".env").write_bytes(b"A=\xff\n")
    with pytest.raises(SettingsError, match=r"\.env: must be UTF-8 text"):
        load_settings()


def test_names_that_look_like_ours_are_reported_with_the_nearest_known_one() -> None:
    settings = load_settings(
        {
            "WORKER_POLL_INTERVALL_MS": "1",
            "LEASE_BOT_RPA_HEADLES_ROOMIES": "1",
            "LEASE_BOT_XYZZY": "1",
            "AI_DECISON_PROVIDER": "gemini",
            "AI_OF_ANOTHER_PROGRAM": "1",
            "API_KEY": "1",
            "UNRELATED_NAME": "1",
            "LEASE_BOT_UNSET": "",
        }
    )
    assert {found.name: found.nearest for found in settings.unknown_names} == {
        "WORKER_POLL_INTERVALL_MS": "WORKER_POLL_INTERVAL_MS",
        "LEASE_BOT_RPA_HEADLES_ROOMIES": "LEASE_BOT_RPA_HEADLESS_ROOMIES",
        "LEASE_BOT_XYZZY": None,
        "AI_DECISON_PROVIDER": "AI_DECISION_PROVIDER",
    }
    assert any("did you mean WORKER_POLL_INTERVAL_MS?" in warning for warning in settings.warnings)


def test_words_that_do_not_switch_what_they_seem_to_are_warned_of() -> None:
    settings = load_settings(
        {
            "WORKER_RUN_ONCE": "true",
            "LEASE_BOT_BOOTSTRAP_PLATFORM_ACCOUNTS": "false",
            "LEASE_BOT_RPA_DEBUG": "0",
        }
    )
    assert not settings.worker.run_once
    assert settings.bootstrap.platform_accounts
    assert len(settings.cautions) == 2


def test_alerts_that_reach_nobody_are_warned_of() -> None:
    on = {"LEASE_BOT_RPA_ALERTS_ENABLED": "on", "LEASE_BOT_RPA_ALERT_TELEGRAM_BOT_TOKEN": "1:a"}
    assert load_settings(on).alerts.provider is None
    assert len(load_settings(on).warnings) == 1
    complete = load_settings({**on, "LEASE_BOT_RPA_ALERT_TELEGRAM_CHAT_ID": "-100"})
    assert (complete.alerts.provider, complete.warnings) == ("telegram", ())
    both = {"LEASE_BOT_RPA_ALERT_WEBHOOK_URL": "https://hooks.example.com/x?token=y"}
    assert load_settings({**on, **both}).alerts.provider == "webhook"


def test_adapter_overrides_come_from_the_json_else_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "overrides.json"
    path.write_text('{"Roomies": {"selectors": {"composer": ["textarea"]}}}', encoding="utf-8")
    file = {"LEASE_BOT_PLATFORM_ADAPTER_OVERRIDES_PATH": str(path)}
    text = {"LEASE_BOT_PLATFORM_ADAPTER_OVERRIDES_JSON": '{"renthop": {"inboxPath": "/inbox"}}'}
    assert load_settings(file).rpa.adapter_overrides == {
        Platform.ROOMIES: {"selectors": {"composer": ["textarea"]}}
    }
    assert load_settings({**file, **text}).rpa.adapter_overrides == {
        Platform.RENTHOP: {"inboxPath": "/inbox"}
    }
    path.write_text("{", encoding="utf-8")
    assert "names a file whose content must be valid JSON" in next(iter(faults(file).values()))
    assert set(faults({"LEASE_BOT_PLATFORM_ADAPTER_OVERRIDES_PATH": str(tmp_path)})) == set(file)


@pytest.mark.parametrize(
    "text",
    ["[]", "{", '{"craigslist": {}}', '{"renthop": []}', '{"renthop": {}, "renthop": {}}', "[" * 100_000],
)
def test_faulty_adapter_overrides_end_the_start(text: str) -> None:
    assert set(faults({"LEASE_BOT_PLATFORM_ADAPTER_OVERRIDES_JSON": text})) == {
        "LEASE_BOT_PLATFORM_ADAPTER_OVERRIDES_JSON"
    }


def test_settings_are_frozen() -> None:
    settings = load_settings({})
    with pytest.raises(ValueError, match="frozen"):
        settings.worker.run_once = True  # type: ignore[misc]
