"""Variables of the pipeline itself: its rhythm, its limits, who decides, and what a start creates."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.settings import rules
from leasebot_pipeline.settings.variable import EnvironmentField, Group, env

_ALL: Final = tuple(Platform)
NEW_YORK: Final = "America/New_York"


def _claim_ttl(data: Mapping[str, Any]) -> int:
    return max(4 * int(data["poll_interval_ms"]), 60_000)


def _instance_id() -> str:
    return f"worker-{os.getpid()}"


class WorkerSettings(Group):
    """Rhythm and limits of the pipeline."""

    title: ClassVar[str] = "Worker"

    poll_interval_ms: Annotated[
        int,
        rules.MILLISECONDS,
        env(
            "WORKER_POLL_INTERVAL_MS",
            about="Time between two looks at a platform's inbox. The sensors tick every 5 s at best.",
        ),
    ] = 15_000
    queue_batch_size: Annotated[
        int,
        rules.whole(1),
        env(
            "WORKER_QUEUE_BATCH_SIZE",
            about="Most waiting conversations decided at once; a run takes one batch after the other. A batch costs "
            "the same few statements whatever its size.",
        ),
    ] = 200
    ingest_batch_size: Annotated[
        int,
        rules.whole(1),
        env(
            "WORKER_INGEST_BATCH_SIZE",
            about="Most landed messages one ingest step takes; the rest follow in the next.",
        ),
    ] = 250
    ingest_platforms: Annotated[
        tuple[Platform, ...],
        rules.PLATFORMS,
        env("WORKER_INGEST_PLATFORMS", about="Platforms whose inboxes are read.", shown="all"),
    ] = _ALL
    account_shards: Annotated[
        int,
        rules.whole(1, 32),
        env(
            "WORKER_ACCOUNT_SHARDS",
            about="Groups of accounts on each platform whose inboxes are read, and whose replies are sent, side by "
            "side. More than one is for platforms with more than about nine accounts.",
        ),
    ] = 1
    claim_ttl_ms: Annotated[
        int,
        rules.clamped(1_000, rules.MONTH_MS),
        env(
            "WORKER_CLAIM_TTL_MS",
            about="Longest one attempt at a reply may take before another worker takes it over, however alive its "
            "worker is; an account is held for one and a half times this without progress.",
            described="4 x WORKER_POLL_INTERVAL_MS, at least 60000",
        ),
    ] = Field(default_factory=_claim_ttl)
    lease_ttl_ms: Annotated[
        int,
        rules.clamped(3_000, 600_000),
        env(
            "LEASE_BOT_LEASE_TTL_MS",
            about="How long an account and a reply stay with a worker that gives no sign of life; it gives one four "
            "times in this span. Work of a killed process on another host resumes after it.",
        ),
    ] = 8_000
    daily_send_cap: Annotated[
        int,
        rules.whole(0),
        env(
            "LEASE_BOT_DAILY_SEND_CAP",
            about="Most replies an account sends by itself in a day of its own; 0 = no cap. Replies people write go "
            "out all the same, but count. `leasebot account limits` sets one account's own.",
        ),
    ] = 200
    day_timezone: Annotated[
        str,
        rules.TIMEZONE,
        env("LEASE_BOT_DAY_TIMEZONE", about="Zone of that day, for accounts that have none of their own."),
    ] = NEW_YORK
    instance_id: Annotated[
        str,
        rules.NAME,
        env("WORKER_INSTANCE_ID", about="Name of this worker in claims and logs.", described="worker-<pid>"),
    ] = Field(default_factory=_instance_id)
    task: Annotated[str, rules.TEXT, env("WORKER_TASK", about="Label of the worker in its log.")] = (
        "ai-triage-reply"
    )
    run_once: Annotated[
        bool, rules.EXACTLY_ONE, env("WORKER_RUN_ONCE", about="One full cycle over all platforms, then exit.")
    ] = False
    thread_sync_on_new_inbound: Annotated[
        bool,
        rules.EXACTLY_ONE,
        env(
            "WORKER_THREAD_SYNC_ON_NEW_INBOUND",
            about="Kept for existing files, without effect: leasebot always reads the thread page of a changed thread.",
        ),
    ] = False
    thread_sync_platforms: Annotated[
        tuple[Platform, ...],
        rules.PLATFORMS,
        env(
            "WORKER_THREAD_SYNC_PLATFORMS",
            about="Kept for existing files, without effect: thread pages are where messages come from on every platform.",
            shown="all",
        ),
    ] = _ALL
    thread_sync_max_per_cycle: Annotated[
        int,
        rules.whole(1),
        env(
            "WORKER_THREAD_SYNC_MAX_PER_CYCLE",
            about="Most thread pages read per account and poll; the others follow in the next poll. Thread pages are "
            "where messages come from, so keep it well above the usual number of new inquiries.",
        ),
    ] = 25
    ai_context_message_limit: Annotated[
        int,
        rules.whole(0),
        env(
            "WORKER_AI_CONTEXT_MESSAGE_LIMIT",
            about="Newest messages of the conversation Gemini is shown; 0 = none.",
        ),
    ] = 12
    ai_fewshot_example_limit: Annotated[
        int,
        rules.whole(0),
        env(
            "WORKER_AI_FEWSHOT_EXAMPLE_LIMIT",
            about="Replies to other leads of the account that Gemini is shown as examples of style, newest first, only "
            "such as were sent; 0 = none.",
        ),
    ] = 3
    ai_playbook: Annotated[
        str | None,
        rules.TEXT,
        env("WORKER_AI_PLAYBOOK", about="House rules for Gemini, as text; wins over the file.", hidden=True),
    ] = None
    ai_playbook_path: Annotated[
        Path | None,
        rules.TEXT_FILE,
        env(
            "WORKER_AI_PLAYBOOK_PATH", about="File with house rules for Gemini. It must be readable at start."
        ),
    ] = None
    autoreply_allow_lead_names: Annotated[
        tuple[str, ...],
        rules.COMMA_LIST,
        env(
            "WORKER_AUTOREPLY_ALLOW_LEAD_NAMES",
            about="Safety gate: when set, only leads of these names are answered.",
            hidden=True,
        ),
    ] = ()
    autoreply_allow_lead_names_by_platform: Annotated[
        Mapping[Platform, tuple[str, ...]],
        rules.NAMES_BY_PLATFORM,
        env(
            "WORKER_AUTOREPLY_ALLOW_LEAD_NAMES_BY_PLATFORM",
            about="The same gate for single platforms; replaces the general list there.",
            hidden=True,
        ),
    ] = Field(default_factory=dict)
    autoreply_max_message_age_minutes: Annotated[
        float,
        rules.decimal(525_600, zero=True),
        env(
            "WORKER_AUTOREPLY_MAX_MESSAGE_AGE_MINUTES",
            about="With the gate on, older messages are not answered either; 0 = any age.",
        ),
    ] = 60.0
    autoreply_slot_option_limit: Annotated[
        int,
        rules.whole(1),
        env("WORKER_AUTOREPLY_SLOT_OPTION_LIMIT", about="Most viewing times one reply offers."),
    ] = 4
    history_bound_hours: Annotated[
        float,
        rules.decimal(8_760),
        env(
            "LEASE_BOT_HISTORY_BOUND_HOURS",
            about="Messages older than this are stored as history and never answered.",
        ),
    ] = 48.0

    @property
    def max_message_age(self) -> timedelta | None:
        """The age gate as a duration; None when it is off."""
        minutes = self.autoreply_max_message_age_minutes
        return timedelta(minutes=minutes) if minutes > 0 else None


class AiSettings(Group):
    """Who reads what leads want."""

    title: ClassVar[str] = "Decisions"

    provider: Annotated[
        Literal["heuristic", "gemini"],
        rules.choice(heuristic="heuristic", gemini="gemini"),
        env("AI_DECISION_PROVIDER", about="Rules of our own, or Google Gemini (which needs the key below)."),
    ] = "heuristic"
    gemini_model: Annotated[str, rules.NAME, env("AI_GEMINI_MODEL", about="Model Gemini is asked with.")] = (
        "gemini-2.5-flash"
    )
    api_key: Annotated[
        SecretStr | None,
        rules.SECRET,
        env(
            "GOOGLE_GENERATIVE_AI_API_KEY",
            about="Key of the Gemini API. Required when AI_DECISION_PROVIDER is gemini.",
            example="replace-with-api-key",
        ),
    ] = None
    base_url: Annotated[
        str | None,
        rules.HTTP_URL,
        env(
            "GOOGLE_GEMINI_BASE_URL",
            about="Other address of the Gemini API, such as a proxy.",
            described="Google's own",
        ),
    ] = None
    timeout_ms: Annotated[
        int,
        rules.whole(100, 120_000),
        env("AI_GEMINI_TIMEOUT_MS", about="Longest wait for one answer of Gemini."),
    ] = 10_000
    batch_deadline_ms: Annotated[
        int,
        rules.whole(100, 300_000),
        env(
            "AI_GEMINI_BATCH_DEADLINE_MS",
            about="Longest wait for Gemini per batch of conversations; those left are decided by the rules.",
        ),
    ] = 20_000
    concurrency: Annotated[
        int,
        rules.whole(1, 64),
        env("AI_GEMINI_CONCURRENCY", about="Most questions to Gemini under way at once."),
    ] = 8
    attempts: Annotated[
        int,
        rules.whole(1, 5),
        env(
            "AI_GEMINI_ATTEMPTS",
            about="Tries per question; only busy, broken and unreachable services are tried again.",
        ),
    ] = 2
    max_output_tokens: Annotated[
        int,
        rules.whole(256, 65_536),
        env(
            "AI_GEMINI_MAX_OUTPUT_TOKENS",
            about="Longest answer, thoughts of the model included.",
        ),
    ] = 2_048
    daily_tokens: Annotated[
        int,
        rules.whole(0),
        env(
            "AI_GEMINI_DAILY_TOKENS",
            about="Tokens a day (UTC), over all processes; when spent, the rules decide. 0 = no limit.",
        ),
    ] = 5_000_000
    daily_usd: Annotated[
        float,
        rules.decimal(1_000_000, zero=True),
        env(
            "AI_GEMINI_DAILY_USD",
            about="US dollars a day (UTC), by the prices below; when spent, the rules decide. 0 = no limit.",
        ),
    ] = 5.0
    input_usd_per_mtok: Annotated[
        float,
        rules.decimal(10_000, zero=True),
        env("AI_GEMINI_INPUT_USD_PER_MTOK", about="Price of a million tokens asked, in US dollars."),
    ] = 0.30
    output_usd_per_mtok: Annotated[
        float,
        rules.decimal(10_000, zero=True),
        env("AI_GEMINI_OUTPUT_USD_PER_MTOK", about="Price of a million tokens answered, in US dollars."),
    ] = 2.50
    replay_days: Annotated[
        int,
        rules.whole(0, 3650),
        env(
            "AI_DECISION_REPLAY_DAYS",
            about="How long decisions can be made again (`leasebot replay`): after so many days the free times, rules "
            "and templates they saw are forgotten, the decisions stay. 0 = for ever.",
        ),
    ] = 180


Meridiem = Literal["am", "pm"]


class BootstrapSettings(Group):
    """Rows a start creates. Only missing rows are created; nothing a person changed is overwritten."""

    title: ClassVar[str] = "Bootstrap"
    intro: ClassVar[str] = (
        "Rows a start creates when they are missing. What a person changed later is never overwritten. The "
        "switches for development stay off in production."
    )

    environment: EnvironmentField = "development"
    platform_accounts: Annotated[
        bool,
        rules.UNLESS_ZERO,
        env("LEASE_BOT_BOOTSTRAP_PLATFORM_ACCOUNTS", about="Creates the five required platform accounts."),
    ] = True
    dev_admin: Annotated[
        bool,
        rules.EXACTLY_ONE,
        env(
            "LEASE_BOT_DEV_BOOTSTRAP_ADMIN",
            about="Creates an administrator from the next three variables; needs a password that is no placeholder.",
        ),
    ] = False
    dev_admin_email: Annotated[
        str, rules.EMAIL, env("LEASE_BOT_DEV_ADMIN_EMAIL", about="E-mail address of that administrator.")
    ] = "admin@leasebot.com"
    dev_admin_password: Annotated[
        SecretStr | None,
        rules.SECRET,
        env(
            "LEASE_BOT_DEV_ADMIN_PASSWORD",
            about="Password of that administrator, at least 8 characters.",
            example="replace-with-a-password",
        ),
    ] = None
    dev_admin_name: Annotated[
        str, rules.TEXT, env("LEASE_BOT_DEV_ADMIN_NAME", about="Name of that administrator.")
    ] = "Lease Bot Admin"
    test_data: Annotated[
        bool,
        rules.EXACTLY_ONE,
        env(
            "LEASE_BOT_DEV_BOOTSTRAP_TEST_DATA",
            about="Kept for existing files, without effect so far: `leasebot up --sandbox` brings a team to practise with.",
        ),
    ] = False
    agent_name: Annotated[
        str,
        rules.TEXT,
        env("LEASE_BOT_DEV_AGENT_NAME", about="Kept for existing files, without effect so far."),
    ] = "Alex"
    agent_timezone: Annotated[
        str,
        rules.TIMEZONE,
        env(
            "LEASE_BOT_DEV_AGENT_TIMEZONE",
            about="Time zone of SpareRoom's times when LEASE_BOT_RPA_TIMEZONE_SPAREROOM is not set.",
        ),
    ] = NEW_YORK
    availability_xlsx_path: Annotated[
        Path | None,
        rules.PATH,
        env(
            "LEASE_BOT_DEV_AVAILABILITY_XLSX_PATH",
            about="Kept for existing files, without effect so far.",
        ),
    ] = None
    availability_default_meridiem: Annotated[
        Meridiem | None,
        rules.choice(a="am", am="am", p="pm", pm="pm"),
        env(
            "LEASE_BOT_DEV_AVAILABILITY_DEFAULT_MERIDIEM",
            about="Kept for existing files, without effect so far.",
        ),
    ] = None
    availability_lookahead_days: Annotated[
        int,
        rules.clamped(1, 60),
        env(
            "LEASE_BOT_DEV_AVAILABILITY_LOOKAHEAD_DAYS",
            about="Kept for existing files, without effect so far.",
        ),
    ] = 14
    listing_external_id: Annotated[
        str,
        rules.NAME,
        env("LEASE_BOT_DEV_LISTING_EXTERNAL_ID", about="Kept for existing files, without effect so far."),
    ] = "dev_default"
    unit_property_name: Annotated[
        str,
        rules.TEXT,
        env("LEASE_BOT_DEV_UNIT_PROPERTY_NAME", about="Kept for existing files, without effect so far."),
    ] = "Test Property"
    unit_number: Annotated[
        str,
        rules.TEXT,
        env("LEASE_BOT_DEV_UNIT_NUMBER", about="Kept for existing files, without effect so far."),
    ] = "1A"
    archive_missing_threads: Annotated[
        bool,
        rules.EXACTLY_ONE,
        env(
            "LEASE_BOT_DEV_ARCHIVE_MISSING_THREADS",
            about="Kept for existing files, without effect so far.",
        ),
    ] = False

    @field_validator("dev_admin", "test_data", "archive_missing_threads", mode="after")
    @classmethod
    def _never_in_production(cls, value: bool, info: ValidationInfo) -> bool:
        return value and info.data.get("environment") != "production"
