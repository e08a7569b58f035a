"""Rules that need more than one variable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from leasebot_pipeline.settings.faults import Fault
from leasebot_pipeline.settings.model import Settings
from leasebot_pipeline.settings.secret_file import MIN_SECRET_LENGTH

RUNTIME: Final = "LEASE_BOT_RPA_RUNTIME"
MIN_PASSWORD_LENGTH: Final = 8


def forbidden_runtime(settings: Settings, environ: Mapping[str, str]) -> Iterator[Fault]:
    """Production without a real browser. The text as given counts, so that a mistyped runtime, too, carries the
    code operators watch for."""
    if settings.is_production and environ.get(RUNTIME, "").strip().casefold() != "playwright":
        yield Fault(RUNTIME, "MOCK_RUNTIME_FORBIDDEN: must be playwright in production")


def broken(settings: Settings) -> Iterator[Fault]:
    """Other faults between variables."""
    if settings.is_production:
        yield from _production(settings)
    if settings.ai.provider == "gemini" and settings.ai.api_key is None:
        yield Fault("GOOGLE_GENERATIVE_AI_API_KEY", "must be set when AI_DECISION_PROVIDER is gemini")
    showings = settings.showings
    if showings.availability_horizon_days < showings.offer_days:
        yield Fault("AVAILABILITY_HORIZON_DAYS", "must be at least SHOWING_OFFER_DAYS")
    password = settings.bootstrap.dev_admin_password
    if settings.bootstrap.dev_admin and password and len(password.get_secret_value()) < MIN_PASSWORD_LENGTH:
        yield Fault("LEASE_BOT_DEV_ADMIN_PASSWORD", f"must have at least {MIN_PASSWORD_LENGTH} characters")


def _production(settings: Settings) -> Iterator[Fault]:
    if settings.database.url is None:
        yield Fault("DATABASE_URL", "must be set in production")
    secret = settings.auth.configured_secret
    if secret is None:
        yield Fault("BETTER_AUTH_SECRET", "must be set in production, and to no placeholder")
    elif len(secret.get_secret_value()) < MIN_SECRET_LENGTH:
        yield Fault("BETTER_AUTH_SECRET", f"must have at least {MIN_SECRET_LENGTH} characters in production")
    if settings.stack.crash_point is not None:
        yield Fault("LEASE_BOT_CRASH_POINT", "must not be set in production")


def cautions(settings: Settings) -> Iterator[str]:
    """Combinations that are allowed and leave something without effect."""
    by_mail = bool(settings.alerts.email_to)
    server = settings.invite.smtp_url is not None or settings.invite.smtp_host is not None
    if settings.alerts.enabled and by_mail and not server:
        yield (
            "LEASE_BOT_RPA_ALERT_EMAIL_TO is set, but no mail server is (INVITE_SMTP_URL or INVITE_SMTP_HOST): "
            "no alert will be mailed"
        )
    if settings.alerts.enabled and settings.alerts.provider is None and not (by_mail and server):
        yield (
            "LEASE_BOT_RPA_ALERTS_ENABLED is on, but no way to send alerts is configured completely: "
            "nobody will be alerted"
        )
    if settings.bootstrap.dev_admin and settings.bootstrap.dev_admin_password is None:
        yield (
            "LEASE_BOT_DEV_BOOTSTRAP_ADMIN is on, but LEASE_BOT_DEV_ADMIN_PASSWORD is not set: "
            "no administrator will be created"
        )
