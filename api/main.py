"""Start the API process: settings, logs, server."""

from __future__ import annotations

import sys

import uvicorn
from leasebot_pipeline.settings import Settings, SettingsError, load_settings

from api.app import create_app
from api.config import ApiConfig, DevAdmin
from api.logs import configure_logs

EXIT_CONFIGURATION = 2


class ConfigError(ValueError):
    """The API can't start with these settings; the message names the variable."""


def api_config(settings: Settings) -> ApiConfig:
    """The API's part of the settings. Raises ConfigError when there is no database to serve from."""
    if settings.database.url is None:
        raise ConfigError("DATABASE_URL is not set; the API needs it (`leasebot up` sets it by itself)")
    return ApiConfig(
        database_url=settings.database.url.get_secret_value(),
        auth_secret=settings.auth.secret.get_secret_value(),
        base_url=str(settings.api.base_url or settings.auth.url).rstrip("/"),
        trusted_origins=tuple(str(origin).rstrip("/") for origin in settings.auth.trusted_origins),
        allow_public_signup=settings.auth.allow_public_signup,
        dev_admin=_dev_admin(settings),
        ingest_p95_target_ms=settings.rpa.ingest_p95_target_ms,
        log_level=settings.api.log_level,
        host=settings.api.host,
        port=settings.api.port,
    )


def _dev_admin(settings: Settings) -> DevAdmin | None:
    """Never in production, and only with a password that somebody chose."""
    wanted = settings.bootstrap
    if settings.is_production or not wanted.dev_admin or wanted.dev_admin_password is None:
        return None
    password = wanted.dev_admin_password.get_secret_value()
    if not password or password.startswith("replace-with-"):
        return None
    return DevAdmin(email=wanted.dev_admin_email, password=password, name=wanted.dev_admin_name)


def main() -> None:
    """Serve until SIGTERM or SIGINT; open requests are finished first. Exits with 2 on faulty settings."""
    try:
        config = api_config(load_settings())
    except (SettingsError, ConfigError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_CONFIGURATION) from None
    configure_logs(config.log_level)
    uvicorn.run(
        create_app(config),
        host=config.host,
        port=config.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
