"""Variables of the browser: how it runs, what it reads, the platforms' credentials, and who is told of trouble."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SecretStr

from leasebot_pipeline.domain.alerts import EVENT_TYPES
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.settings import rules
from leasebot_pipeline.settings.variable import Group, env
from leasebot_pipeline.settings.work import NEW_YORK

Overrides = Mapping[Platform, Mapping[str, object]]


def _overrides_of_file(data: Mapping[str, Any]) -> Overrides:
    found: Overrides = data["adapter_overrides_file"]
    return found


class RpaSettings(Group):
    """The browser that reads and answers."""

    title: ClassVar[str] = "Browser"

    runtime: Annotated[
        Literal["mock", "playwright"],
        rules.choice(mock="mock", playwright="playwright"),
        env(
            "LEASE_BOT_RPA_RUNTIME",
            about="`playwright` drives a real browser; `mock` touches no site. Anything but `playwright` in production "
            "ends the start with MOCK_RUNTIME_FORBIDDEN.",
        ),
    ] = "mock"
    headless: Annotated[
        bool, rules.BOOLEAN, env("LEASE_BOT_RPA_HEADLESS", about="Runs the browser without a window.")
    ] = True
    browser_channel: Annotated[
        str | None,
        rules.NAME,
        env(
            "LEASE_BOT_RPA_BROWSER_CHANNEL",
            about="Installed browser to use (chrome, msedge); tried without when it fails.",
        ),
    ] = None
    browser_path: Annotated[
        Path | None,
        rules.PATH,
        env(
            "LEASE_BOT_RPA_BROWSER_PATH",
            about="Browser program to use. Not set: the first one found on this machine.",
        ),
    ] = None
    chromium_sandbox: Annotated[
        bool | None,
        rules.UNLESS_ZERO,
        env(
            "LEASE_BOT_RPA_CHROMIUM_SANDBOX",
            about="`0` switches Chromium's own sandbox off, any other value on; root usually needs `0`.",
            described="chosen for the machine",
        ),
    ] = None
    launch_args: Annotated[
        tuple[str, ...],
        rules.JSON_TEXTS,
        env(
            "LEASE_BOT_RPA_LAUNCH_ARGS_JSON",
            about="Further arguments of the browser.",
            shown="[]",
            hidden=True,
        ),
    ] = ()
    debug: Annotated[
        bool,
        rules.EXACTLY_ONE,
        env(
            "LEASE_BOT_RPA_DEBUG",
            about="Keeps a picture, the markup and the facts of every failed visit; without it only of changed pages. "
            "What people wrote is masked.",
        ),
    ] = False
    debug_dir: Annotated[Path, rules.PATH, env("LEASE_BOT_RPA_DEBUG_DIR", about="Where those are kept.")] = (
        Path(".playwright/rpa-debug")
    )
    debug_max_mb: Annotated[
        int,
        rules.whole(1),
        env("LEASE_BOT_RPA_DEBUG_MAX_MB", about="Megabytes those may take; the oldest go first."),
    ] = 50
    debug_max_age_hours: Annotated[
        int,
        rules.whole(1),
        env("LEASE_BOT_RPA_DEBUG_MAX_AGE_HOURS", about="Hours after which those are deleted."),
    ] = 168
    inbox_thread_limit: Annotated[
        int,
        rules.whole(0),
        env("LEASE_BOT_RPA_INBOX_THREAD_LIMIT", about="Most rows used of one inbox; 0 = all."),
    ] = 0
    inbox_max_pages: Annotated[
        int,
        rules.whole(1),
        env(
            "LEASE_BOT_RPA_INBOX_MAX_PAGES",
            about="Most pages one look opens of an inbox. It ends sooner at what is known; the next one goes on where "
            "it was cut off.",
        ),
    ] = 40
    thread_ready_timeout_ms: Annotated[
        int,
        rules.clamped(1_000, rules.MONTH_MS),
        env(
            "LEASE_BOT_RPA_THREAD_READY_TIMEOUT_MS",
            about="How long a thread page may take to show its messages.",
        ),
    ] = 12_000
    timezone_spareroom: Annotated[
        str,
        rules.TIMEZONE,
        env(
            "LEASE_BOT_RPA_TIMEZONE_SPAREROOM",
            "LEASE_BOT_DEV_AGENT_TIMEZONE",
            about="Time zone of the times SpareRoom shows. Falls back to LEASE_BOT_DEV_AGENT_TIMEZONE.",
        ),
    ] = NEW_YORK
    listings_page_size: Annotated[
        int,
        rules.whole(1),
        env("LEASE_BOT_RPA_LISTINGS_PAGE_SIZE", about="Listings on one page of SpareRoom's own listings."),
    ] = 10
    listings_max_pages: Annotated[
        int | None,
        rules.whole(1),
        env(
            "LEASE_BOT_RPA_LISTINGS_MAX_PAGES",
            about="Most pages one listing sync reads of a platform.",
            described="50; 25 for roomies and leasebreak",
        ),
    ] = None
    adapter_overrides_file: Annotated[
        Overrides,
        rules.OVERRIDES_FILE,
        env(
            "LEASE_BOT_PLATFORM_ADAPTER_OVERRIDES_PATH",
            about="File with replacements of platform definitions, used when LEASE_BOT_PLATFORM_ADAPTER_OVERRIDES_JSON is not set. A faulty one ends "
            "the start.",
            hidden=True,
        ),
    ] = Field(default_factory=dict)
    adapter_overrides: Annotated[
        Overrides,
        rules.JSON_OVERRIDES,
        env(
            "LEASE_BOT_PLATFORM_ADAPTER_OVERRIDES_JSON",
            about="Replaces parts of platform definitions, such as a selector a site has changed. A faulty one "
            "ends the start.",
            hidden=True,
        ),
    ] = Field(default_factory=_overrides_of_file)
    ingest_p95_target_ms: Annotated[
        int,
        rules.ROUNDED_POSITIVE,
        env(
            "LEASE_BOT_INGEST_P95_TARGET_MS",
            about="Target the observability page compares with: time from a message's own time to its row.",
        ),
    ] = 60_000


class ListingSyncSettings(Group):
    """Reading our own listings."""

    title: ClassVar[str] = "Listing sync"

    on_start: Annotated[
        bool,
        rules.EXACTLY_ONE,
        env(
            "LEASE_BOT_SYNC_LISTINGS_ON_START",
            about="Reads the listings at start and then at the interval below.",
        ),
    ] = False
    platforms: Annotated[
        tuple[Platform, ...],
        rules.PLATFORMS,
        env("LEASE_BOT_SYNC_LISTINGS_PLATFORMS", about="Platforms whose listings are read."),
    ] = (Platform.SPAREROOM,)
    interval_ms: Annotated[
        int,
        rules.MILLISECONDS_OR_0,
        env("LEASE_BOT_SYNC_LISTINGS_INTERVAL_MS", about="Time between two readings; 0 = off."),
    ] = 180_000


AuthMode = Literal["profile", "session", "login"]


class PlatformSettings(Group):
    """One platform: how we sign in and how the browser presents itself.

    ``<PREFIX>`` stands for SPAREROOM, ROOMIES, LEASEBREAK, RENTHOP or FURNISHEDFINDER; ``<PLATFORM>`` for the same.
    """

    title: ClassVar[str] = "Platforms"
    intro: ClassVar[str] = (
        "Five of each. These are what the references in a platform account (`env:SPAREROOM_PASSWORD`) point at; "
        "further accounts may use any other name. A profile or session activates the platform's account when a "
        "start creates it; a profile wins over a session, a session over a login."
    )

    login_id: Annotated[
        SecretStr | None,
        rules.LOGIN,
        env(
            "<PREFIX>_LOGIN_ID",
            about="E-mail address or user name at the platform.",
            example="replace-with-login",
        ),
    ] = None
    username: Annotated[
        SecretStr | None,
        rules.LOGIN,
        env("<PREFIX>_USERNAME", about="Other name of the same.", example="replace-with-login"),
    ] = None
    password: Annotated[
        SecretStr | None,
        rules.SECRET,
        env("<PREFIX>_PASSWORD", about="Password at the platform.", example="replace-with-password"),
    ] = None
    rpa_session: Annotated[
        SecretStr | None,
        rules.SECRET,
        env(
            "<PREFIX>_RPA_SESSION",
            about="Captured browser session: storage state as JSON, as `base64:` of it, or a path to it.",
            example="replace-with-storage-state",
        ),
    ] = None
    rpa_profile: Annotated[
        Path | None,
        rules.PROFILE_PATH,
        env(
            "<PREFIX>_RPA_PROFILE",
            about="Browser profile directory, for platforms that need more than a session.",
            example=".playwright/profiles/<platform>",
        ),
    ] = None
    daily_send_cap: Annotated[
        int | None,
        rules.whole(0),
        env(
            "LEASE_BOT_DAILY_SEND_CAP_<PLATFORM>",
            about="The platform's own cap instead of LEASE_BOT_DAILY_SEND_CAP; 0 = no cap.",
        ),
    ] = None
    base_url: Annotated[
        str | None,
        rules.HTTP_URL,
        env(
            "<PREFIX>_BASE_URL",
            about="Other address of the platform, such as the sandbox.",
            described="the platform's own",
        ),
    ] = None
    headless: Annotated[
        bool,
        rules.BOOLEAN,
        env(
            "LEASE_BOT_RPA_HEADLESS_<PLATFORM>",
            "LEASE_BOT_RPA_HEADLESS",
            about="LEASE_BOT_RPA_HEADLESS for this platform.",
            described="LEASE_BOT_RPA_HEADLESS",
        ),
    ] = True
    user_agent: Annotated[
        str | None,
        rules.TEXT,
        env(
            "LEASE_BOT_RPA_USER_AGENT_<PLATFORM>",
            about="User agent the browser names.",
            described="the browser's own",
        ),
    ] = None
    locale: Annotated[
        str | None,
        rules.LOCALE,
        env("LEASE_BOT_RPA_LOCALE_<PLATFORM>", about="Locale of the browser.", described="the browser's own"),
    ] = None
    context_timezone: Annotated[
        str | None,
        rules.TIMEZONE,
        env(
            "LEASE_BOT_RPA_CONTEXT_TIMEZONE_<PLATFORM>",
            about="Time zone of the browser.",
            described="the machine's",
        ),
    ] = None

    @property
    def login(self) -> SecretStr | None:
        """The login id under whichever of its two names it was given."""
        return self.login_id or self.username

    @property
    def auth_mode(self) -> AuthMode | None:
        """What the environment offers to sign in with, best first; None when it is nothing usable."""
        if self.rpa_profile is not None:
            return "profile"
        if self.rpa_session is not None:
            return "session"
        return "login" if self.login is not None and self.password is not None else None


AlertProvider = Literal["telegram", "webhook"]


class AlertSettings(Group):
    """Messages to a person when an account needs one."""

    title: ClassVar[str] = "Alerts"

    enabled: Annotated[bool, rules.BOOLEAN, env("LEASE_BOT_RPA_ALERTS_ENABLED", about="Sends alerts.")] = (
        False
    )
    configured_provider: Annotated[
        AlertProvider | None,
        rules.choice(telegram="telegram", webhook="webhook"),
        env(
            "LEASE_BOT_RPA_ALERTS_PROVIDER",
            about="Way alerts go.",
            described="telegram with token and chat id, else webhook with a URL",
        ),
    ] = None
    event_types: Annotated[
        tuple[str, ...],
        rules.COMMA_LIST,
        env(
            "LEASE_BOT_RPA_ALERT_EVENT_TYPES",
            about="Events that alert, once per incident; who was told of one is told when it is over.",
        ),
    ] = EVENT_TYPES
    cooldown_ms: Annotated[
        int,
        rules.MILLISECONDS,
        env("LEASE_BOT_RPA_ALERT_COOLDOWN_MS", about="Least time between two equal alerts."),
    ] = 300_000
    telegram_bot_token: Annotated[
        SecretStr | None,
        rules.SECRET,
        env(
            "LEASE_BOT_RPA_ALERT_TELEGRAM_BOT_TOKEN",
            about="Token of the Telegram bot.",
            example="replace-with-bot-token",
        ),
    ] = None
    telegram_chat_id: Annotated[
        str | None, rules.LOGIN, env("LEASE_BOT_RPA_ALERT_TELEGRAM_CHAT_ID", about="Chat the bot writes to.")
    ] = None
    webhook_url: Annotated[
        SecretStr | None,
        rules.WEBHOOK_URL,
        env(
            "LEASE_BOT_RPA_ALERT_WEBHOOK_URL",
            about="Address alerts are posted to.",
            example="replace-with-webhook-url",
        ),
    ] = None

    email_to: Annotated[
        tuple[str, ...],
        rules.EMAILS,
        env(
            "LEASE_BOT_RPA_ALERT_EMAIL_TO",
            about="Addresses of the team: every alert goes there by mail as well, through the mail server of the "
            "invitations.",
            hidden=True,
        ),
    ] = ()

    @property
    def provider(self) -> AlertProvider | None:
        """The way alerts go; None when nothing is configured completely."""
        telegram = self.telegram_bot_token is not None and self.telegram_chat_id is not None
        if telegram and self.configured_provider != "webhook":
            return "telegram"
        if self.webhook_url is not None and self.configured_provider != "telegram":
            return "webhook"
        return None
