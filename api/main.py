"""Start the API process: settings, logs, server."""

from __future__ import annotations

import gc
import sys
from datetime import timedelta
from types import FrameType
from urllib.parse import unquote, urlsplit

import structlog
import uvicorn
from pydantic import SecretStr

from api.app import create_app
from api.config import ApiConfig, DevAdmin
from api.logs import configure_logs
from api.mail import MailServer
from leasebot_pipeline.settings import Settings, SettingsError, load_settings

EXIT_CONFIGURATION = 2
log = structlog.get_logger("api")


class ConfigError(ValueError):
    """The API can't start with these settings; the message names the variable."""


def api_config(settings: Settings) -> ApiConfig:
    """The API's part of the settings. Raises ConfigError when there is no database to serve from."""
    if settings.database.url is None:
        raise ConfigError("DATABASE_URL is not set; the API needs it (`leasebot up` sets it by itself)")
    return ApiConfig(
        database_url=settings.database.url.get_secret_value(),
        auth_secret=settings.auth.secret.get_secret_value(),
        previous_secrets=tuple(one.get_secret_value() for one in settings.auth.previous_secrets),
        base_url=settings.api.base_url.rstrip("/"),
        trusted_origins=settings.auth.trusted_origins,
        allow_public_signup=settings.auth.allow_public_signup,
        dev_admin=_dev_admin(settings),
        default_send_mode=settings.default_send_mode,
        sync_platforms=tuple(settings.listing_sync.platforms),
        production=settings.is_production,
        slots=settings.showings.slot_policy,
        slot_horizon=timedelta(days=settings.showings.offer_days),
        availability_horizon=timedelta(days=settings.showings.availability_horizon_days),
        invite_url=f"{settings.invite.base_url.rstrip('/')}{settings.invite.accept_path}",
        invite_ttl_hours=settings.invite.token_ttl_hours,
        mail=_mail_server(settings),
        metrics_token=_secret(settings.api.metrics_token),
        read_platforms=tuple(settings.worker.ingest_platforms),
        poll_interval=timedelta(milliseconds=settings.worker.poll_interval_ms),
        ingest_p95_target_ms=settings.rpa.ingest_p95_target_ms,
        dagster_url=_dagster_url(settings),
        evidence_dir=settings.rpa.debug_dir,
        log_level=settings.api.log_level,
        host=settings.api.host,
        port=settings.api.port,
    )


def _dagster_url(settings: Settings) -> str | None:
    """The address set, else of the UI `leasebot up` starts on this machine; in production only the one set."""
    if settings.dagster.url is not None:
        return settings.dagster.url.rstrip("/")
    return None if settings.is_production else f"http://localhost:{settings.dagster.port}"


def _secret(value: SecretStr | None) -> str | None:
    return None if value is None else value.get_secret_value()


def _mail_server(settings: Settings) -> MailServer | None:
    """The server of SMTP_URL, else of the single variables, else None."""
    invite = settings.invite
    if invite.smtp_url is not None:
        parts = urlsplit(invite.smtp_url.get_secret_value())
        port = parts.port or (465 if parts.scheme == "smtps" else 587)
        user, password = (unquote(part) if part else None for part in (parts.username, parts.password))
        return MailServer(parts.hostname or "", port, invite.from_email, user, password)
    if invite.smtp_host is None:
        return None
    password = invite.smtp_password.get_secret_value() if invite.smtp_password else None
    return MailServer(invite.smtp_host, invite.smtp_port, invite.from_email, invite.smtp_user, password)


def _dev_admin(settings: Settings) -> DevAdmin | None:
    """Never in production, and only with a password that somebody chose."""
    wanted = settings.bootstrap
    if settings.is_production or not wanted.dev_admin or wanted.dev_admin_password is None:
        return None
    return DevAdmin(
        email=wanted.dev_admin_email,
        password=wanted.dev_admin_password.get_secret_value(),
        name=wanted.dev_admin_name,
    )


class Server(uvicorn.Server):
    """Ends open streams when it is asked to stop, instead of waiting for browsers to close them."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        state = self.config.app.state  # type: ignore[union-attr]
        if hasattr(state, "services"):  # not before the start is through
            state.services.stopping.set()
        super().handle_exit(sig, frame)


def _keep_for_good() -> None:
    """What the start has built lives as long as the process: the garbage collector need not look at it again.

    Else every so many requests one waits for a look at all of it, longer than the page itself takes.
    """
    gc.collect()
    gc.freeze()


def main() -> None:
    """Serve until SIGTERM or SIGINT; open requests are finished first. Exits with 2 on faulty settings."""
    try:
        settings = load_settings()
        config = api_config(settings)
    except (SettingsError, ConfigError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_CONFIGURATION) from None
    configure_logs(config.log_level)
    for warning in settings.warnings:
        log.warning("settings", detail=warning)
    app = create_app(config)
    _keep_for_good()
    options = uvicorn.Config(
        app,
        host=config.host,
        port=config.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    Server(options).run()
