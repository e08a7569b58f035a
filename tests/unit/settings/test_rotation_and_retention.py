"""Former secrets and how long things are kept, as the environment says them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from leasebot_pipeline.settings import SettingsError, load_settings
from leasebot_pipeline.wiring import retention_policy

OLD, OLDER = "a-former-secret-of-thirty-two-letters", "an-older-secret-of-thirty-two-letters"


def test_former_secrets_are_a_list_and_hidden() -> None:
    settings = load_settings({"BETTER_AUTH_PREVIOUS_SECRETS": f"{OLD}, {OLDER},"})
    assert [one.get_secret_value() for one in settings.auth.previous_secrets] == [OLD, OLDER]
    assert OLD not in repr(settings)
    assert settings.public_view()["BETTER_AUTH_PREVIOUS_SECRETS"] == "set"


@pytest.mark.parametrize("unset", ["", "replace-with-former-secret"])
def test_no_former_secret_is_the_rule(unset: str) -> None:
    assert load_settings({"BETTER_AUTH_PREVIOUS_SECRETS": unset}).auth.previous_secrets == ()


def test_a_short_former_secret_is_refused_and_not_shown() -> None:
    """Whoever guesses it could sign any cookie."""
    with pytest.raises(SettingsError) as refused:
        load_settings({"BETTER_AUTH_PREVIOUS_SECRETS": f"{OLD},guessable"})
    assert "at least 32 characters" in str(refused.value)
    assert "guessable" not in str(refused.value)


def test_what_is_kept_without_a_word() -> None:
    policy = retention_policy(load_settings({"LEASE_BOT_DATA_DIR": "/data"}))
    assert (policy.audit, policy.personal) == (timedelta(days=365), None)
    assert policy.archive_dir == Path("/data/archive")


def test_never_is_said_by_zero() -> None:
    given = {
        "RETENTION_AUDIT_DAYS": "0",
        "RETENTION_PERSONAL_DATA_DAYS": "400",
        "RETENTION_AUDIT_DIR": "/archive",
    }
    policy = retention_policy(load_settings(given))
    assert (policy.audit, policy.personal) == (None, timedelta(days=400))
    assert policy.archive_dir == Path("/archive")


@pytest.mark.parametrize("name", ["RETENTION_AUDIT_DAYS", "RETENTION_PERSONAL_DATA_DAYS"])
@pytest.mark.parametrize("days", ["7", "-1", "4000", "soon"])
def test_too_short_a_time_is_a_slip(name: str, days: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings({name: days})
