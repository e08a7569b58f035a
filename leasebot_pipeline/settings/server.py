"""Variables of the processes that serve: environment, database, API, sign-in, web console, invitations."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, SecretStr

from leasebot_pipeline.domain.platforms import SendMode
from leasebot_pipeline.settings import rules
from leasebot_pipeline.settings.secret_file import kept_secret
from leasebot_pipeline.settings.variable import DataDirField, EnvironmentField, Group, env

_WEB: Final = "http://localhost:5173"


class CoreSettings(Group):
    """What everything else depends on."""

    title: ClassVar[str] = "Environment"

    environment: EnvironmentField = "development"
    data_dir: DataDirField = Path("var")
    default_send_mode: Annotated[
        SendMode,
        rules.choice(draft_only="draft_only", auto_send="auto_send"),
        env(
            "PLATFORM_DEFAULT_SEND_MODE",
            about="Send mode of accounts that set none. It is also a ceiling: with `draft_only` no account sends "
            "without a person.",
        ),
    ] = SendMode.DRAFT_ONLY


class DatabaseSettings(Group):
    """Where the rows live."""

    title: ClassVar[str] = "Database"

    url: Annotated[
        SecretStr | None,
        rules.POSTGRES_URL,
        env(
            "DATABASE_URL",
            about="PostgreSQL 15 or newer. Not set: leasebot starts its own server below LEASE_BOT_DATA_DIR. Required "
            "in production.",
            example="postgresql://postgres:replace-with-password@localhost:5432/lease_bot",
        ),
    ] = None
    pg_bin: Annotated[
        Path | None,
        rules.PATH,
        env(
            "LEASE_BOT_PG_BIN",
            about="Directory of the PostgreSQL programs the embedded server uses. Not set: a system PostgreSQL, "
            "then the bundled one.",
        ),
    ] = None


def _api_base(data: Mapping[str, Any]) -> str:
    return f"http://localhost:{data['port']}"


LogLevel = Literal["debug", "info", "warning", "error", "critical"]


class ApiSettings(Group):
    """The HTTP API."""

    title: ClassVar[str] = "API"

    host: Annotated[str, rules.HOST, env("API_HOST", about="Address the API listens on.")] = "0.0.0.0"  # noqa: S104 - the contract's default; the API asks for a login
    port: Annotated[int, rules.PORT, env("API_PORT", about="Port the API listens on.")] = 3001
    log_level: Annotated[
        LogLevel,
        rules.choice(
            trace="debug",
            debug="debug",
            info="info",
            warn="warning",
            warning="warning",
            error="error",
            fatal="critical",
            critical="critical",
        ),
        env("API_LOG_LEVEL", about="Least severe log lines the API writes."),
    ] = "info"
    base_url: Annotated[
        str,
        rules.HTTP_URL,
        env(
            "API_BASE_URL",
            "BETTER_AUTH_URL",
            about="Address under which browsers reach the API; with https the session cookie is a secure one. Falls "
            "back to BETTER_AUTH_URL.",
            described="http://localhost:<API_PORT>",
        ),
    ] = Field(default_factory=_api_base)
    metrics_token: Annotated[
        SecretStr | None,
        rules.SECRET,
        env(
            "METRICS_TOKEN",
            about="Bearer token for `/metrics`. Not set: only callers on the API's own machine may read it.",
            example="replace-with-metrics-token",
        ),
    ] = None


class AuthSettings(Group):
    """Sign-in and sessions."""

    title: ClassVar[str] = "Sign-in"

    configured_secret: Annotated[
        SecretStr | None,
        rules.SECRET,
        env(
            "BETTER_AUTH_SECRET",
            about="Signs session cookies. Production needs one of at least 32 characters; elsewhere one is made on "
            "first use and kept in LEASE_BOT_DATA_DIR.",
            example="change-me",
        ),
    ] = None
    previous: Annotated[
        SecretStr | None,
        rules.SECRET_LIST,
        env(
            "BETTER_AUTH_PREVIOUS_SECRETS",
            about="Former values of BETTER_AUTH_SECRET whose cookies are still accepted while the secret is rotated; "
            "a session that comes with one gets a cookie of the current secret. Empty again after a week.",
            example="replace-with-former-secret",
        ),
    ] = None
    url: Annotated[
        str | None,
        rules.HTTP_URL,
        env("BETTER_AUTH_URL", about="Address of the API when API_BASE_URL is not set."),
    ] = None
    trusted_origins: Annotated[
        tuple[str, ...],
        rules.ORIGINS,
        env(
            "BETTER_AUTH_TRUSTED_ORIGINS",
            "WEB_BASE_URL",
            about="Web pages of these origins may call the API with a session. Falls back to WEB_BASE_URL.",
            shown=_WEB,
        ),
    ] = (_WEB,)
    allow_public_signup: Annotated[
        bool,
        rules.EXACTLY_ONE,
        env("LEASE_BOT_ALLOW_PUBLIC_SIGNUP", about="Lets anybody register a login."),
    ] = False
    data_dir: DataDirField = Path("var")

    @cached_property
    def secret(self) -> SecretStr:
        """BETTER_AUTH_SECRET, or the one kept in the data directory, which is made when it is missing.

        Raises SettingsError when that file can't be written or read.
        """
        return self.configured_secret or SecretStr(kept_secret(self.data_dir / "auth-secret"))

    @property
    def previous_secrets(self) -> tuple[SecretStr, ...]:
        """The items of BETTER_AUTH_PREVIOUS_SECRETS."""
        listed = self.previous.get_secret_value() if self.previous else ""
        return tuple(SecretStr(item) for item in listed.split(",") if item)


class WebSettings(Group):
    """The web console of the earlier system; leasebot's own pages are served by the API."""

    title: ClassVar[str] = "Web console"
    intro: ClassVar[str] = (
        "Only WEB_BASE_URL matters to leasebot. The others belong to the separate web console: they are checked, "
        "so that an existing file keeps working, and have no effect here."
    )

    base_url: Annotated[
        str,
        rules.HTTP_URL,
        env(
            "WEB_BASE_URL",
            about="Address of the web console: fallback for trusted origins and invitation links.",
        ),
    ] = _WEB
    port: Annotated[
        int, rules.PORT, env("WEB_PORT", about="Port of the console's development server.", elsewhere=True)
    ] = 5173
    vite_api_base_url: Annotated[
        str,
        rules.HTTP_URL,
        env("VITE_API_BASE_URL", about="Address of the API, built into the console.", elsewhere=True),
    ] = "http://localhost:3001"
    vite_inbox_poll_interval_ms: Annotated[
        int,
        rules.MILLISECONDS_OR_0,
        env(
            "VITE_INBOX_POLL_INTERVAL_MS",
            about="How often the console asks for the inbox; 0 = never.",
            elsewhere=True,
        ),
    ] = 15_000
    vite_inbox_cache_ttl_ms: Annotated[
        int,
        rules.MILLISECONDS_OR_0,
        env("VITE_INBOX_CACHE_TTL_MS", about="How long the console keeps the inbox.", elsewhere=True),
    ] = 10_000
    vite_conversation_cache_ttl_ms: Annotated[
        int,
        rules.MILLISECONDS_OR_0,
        env(
            "VITE_CONVERSATION_CACHE_TTL_MS",
            about="How long the console keeps a conversation.",
            elsewhere=True,
        ),
    ] = 12_000
    vite_conversation_thread_sync_retry_ms: Annotated[
        int,
        rules.MILLISECONDS_OR_0,
        env(
            "VITE_CONVERSATION_THREAD_SYNC_RETRY_MS",
            about="Pause of the console after a failed thread sync.",
            elsewhere=True,
        ),
    ] = 60_000
    vite_conversation_thread_sync_success_cooldown_ms: Annotated[
        int,
        rules.MILLISECONDS_OR_0,
        env(
            "VITE_CONVERSATION_THREAD_SYNC_SUCCESS_COOLDOWN_MS",
            about="Pause of the console after a successful thread sync.",
            elsewhere=True,
        ),
    ] = 300_000
    vite_conversation_prefetch_count: Annotated[
        int,
        rules.whole(0),
        env(
            "VITE_CONVERSATION_PREFETCH_COUNT", about="Conversations the console loads ahead.", elsewhere=True
        ),
    ] = 6
    vite_conversation_prefetch_ttl_ms: Annotated[
        int,
        rules.MILLISECONDS_OR_0,
        env("VITE_CONVERSATION_PREFETCH_TTL_MS", about="How long those stay loaded.", elsewhere=True),
    ] = 45_000
    vite_listings_cache_ttl_ms: Annotated[
        int,
        rules.MILLISECONDS_OR_0,
        env("VITE_LISTINGS_CACHE_TTL_MS", about="How long the console keeps listings.", elsewhere=True),
    ] = 180_000
    vite_listings_poll_interval_ms: Annotated[
        int,
        rules.MILLISECONDS_OR_0,
        env(
            "VITE_LISTINGS_POLL_INTERVAL_MS", about="How often the console asks for listings.", elsewhere=True
        ),
    ] = 180_000


class InviteSettings(Group):
    """Invitations by e-mail."""

    title: ClassVar[str] = "Invitations"
    intro: ClassVar[str] = (
        "Without a mail server an invitation is only logged; in production that is an error."
    )

    base_url: Annotated[
        str,
        rules.HTTP_URL,
        env(
            "INVITE_BASE_URL",
            "WEB_BASE_URL",
            about="Address invitation links begin with. Falls back to WEB_BASE_URL.",
        ),
    ] = _WEB
    accept_path: Annotated[
        str, rules.URL_PATH, env("INVITE_ACCEPT_PATH", about="Path of the page that accepts an invitation.")
    ] = "/invite"
    token_ttl_hours: Annotated[
        int,
        rules.clamped(1, 240),
        env("INVITE_TOKEN_TTL_HOURS", about="How long an invitation can be accepted."),
    ] = 72
    smtp_url: Annotated[
        SecretStr | None,
        rules.SMTP_URL,
        env(
            "INVITE_SMTP_URL",
            "SMTP_URL",
            about="Mail server as one address; wins over host, port, user and password.",
            example="replace-with-smtp-url",
        ),
    ] = None
    smtp_host: Annotated[
        str | None, rules.HOST, env("INVITE_SMTP_HOST", "SMTP_HOST", about="Mail server.")
    ] = None
    smtp_port: Annotated[
        int,
        rules.PORT,
        env("INVITE_SMTP_PORT", "SMTP_PORT", about="Its port; 465 speaks TLS from the first byte."),
    ] = 587
    smtp_user: Annotated[
        str | None, rules.LOGIN, env("INVITE_SMTP_USER", "SMTP_USER", about="Login at the mail server.")
    ] = None
    smtp_password: Annotated[
        SecretStr | None,
        rules.SECRET,
        env(
            "INVITE_SMTP_PASSWORD",
            "SMTP_PASSWORD",
            about="Password at the mail server.",
            example="replace-with-smtp-password",
        ),
    ] = None
    from_email: Annotated[
        str, rules.SENDER, env("INVITE_FROM_EMAIL", "SMTP_FROM", about="Sender of invitations.")
    ] = "Lease Bot <no-reply@leasebot.local>"
