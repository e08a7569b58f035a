"""Settings in, collaborators out: the one place where the environment meets the pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr
from sqlalchemy import Engine

from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.domain.alerts import AlertPolicy
from leasebot_pipeline.domain.decisions import DecisionProvider
from leasebot_pipeline.platforms.evidence import EvidenceLimits
from leasebot_pipeline.platforms.options import PlatformOptions, RuntimeOptions
from leasebot_pipeline.platforms.registry import build_connectors, paces
from leasebot_pipeline.settings import Settings, catalogue
from leasebot_pipeline.stages.alerts import Alerter, Alerts, Destination, NoAlerts, Telegram, Webhook
from leasebot_pipeline.stages.alerts_mail import Mail, MailServer
from leasebot_pipeline.stages.pipeline import Pipeline, PipelinePolicy
from leasebot_pipeline.stages.retention import RetentionPolicy
from leasebot_pipeline.storage.engine import create_engine

if TYPE_CHECKING:
    from leasebot_pipeline.decisions.gemini import GeminiProvider


def utc_now() -> datetime:
    """The clock of every process."""
    return datetime.now(UTC)


def database_engine(settings: Settings, application_name: str, pool_size: int = 5) -> Engine:
    """An engine on the pipeline's database. Raises RuntimeError when the environment names none."""
    if settings.database.url is None:
        raise RuntimeError("DATABASE_URL is not set and no embedded server was started by `leasebot up`")
    return create_engine(
        settings.database.url.get_secret_value(), application_name=application_name, pool_size=pool_size
    )


def pipeline_policy(settings: Settings) -> PipelinePolicy:
    """The pipeline's limits as the environment sets them."""
    worker = settings.worker
    claim_ttl = timedelta(milliseconds=worker.claim_ttl_ms)
    defaults = PipelinePolicy()
    return replace(
        defaults,
        default_send_mode=settings.default_send_mode,
        polled_platforms=worker.ingest_platforms,
        poll_interval=timedelta(milliseconds=worker.poll_interval_ms),
        ingest_batch_size=worker.ingest_batch_size,
        decision_batch_size=worker.queue_batch_size,
        threads_per_poll=worker.thread_sync_max_per_cycle,
        claim_ttl=claim_ttl,
        account_lease=claim_ttl * 1.5,
        lease_ttl=timedelta(milliseconds=worker.lease_ttl_ms),
        heartbeat_s=worker.lease_ttl_ms / 4000,
        daily_send_caps={
            platform: worker.daily_send_cap if own.daily_send_cap is None else own.daily_send_cap
            for platform, own in settings.platforms.items()
        },
        day_timezone=worker.day_timezone,
        history_bound=timedelta(hours=worker.history_bound_hours),
        reply_examples=worker.ai_fewshot_example_limit if settings.ai.provider == "gemini" else 0,
        slot_option_limit=worker.autoreply_slot_option_limit,
        slots=settings.showings.slot_policy,
        slot_horizon=timedelta(days=settings.showings.offer_days),
        availability_horizon=timedelta(days=settings.showings.availability_horizon_days),
        hold=timedelta(minutes=settings.showings.hold_minutes),
        draft_hold=timedelta(hours=settings.showings.draft_hold_hours),
        follow_ups=settings.follow_ups.policy,
        follow_up_zone=settings.follow_ups.timezone,
        ask_back=settings.showings.ask_back,
        allow_lead_names=worker.autoreply_allow_lead_names,
        allow_lead_names_by_platform=dict(worker.autoreply_allow_lead_names_by_platform),
        max_message_age=worker.max_message_age,
        ingest_p95_target_ms=settings.rpa.ingest_p95_target_ms,
    )


def decision_provider(settings: Settings, engine: Engine | None = None) -> DecisionProvider:
    """The configured provider. Gemini is imported, and its client built, only when it is chosen.

    With an engine its limits and its breaker are those all processes share; without one (an evaluation, a
    replay) they are of its own.
    """
    if settings.ai.provider == "heuristic":
        return HeuristicProvider()
    return gemini_provider(settings, engine)


def gemini_provider(
    settings: Settings, engine: Engine | None = None, model: str | None = None
) -> GeminiProvider:
    """Gemini as the settings say, or another ``model`` of it. Raises RuntimeError without a key."""
    from leasebot_pipeline.decisions.gemini import GeminiOptions, GeminiProvider
    from leasebot_pipeline.decisions.gemini_client import GeminiClient
    from leasebot_pipeline.domain.model_metering import DailyLimits, LocalMeter, ModelPrice
    from leasebot_pipeline.storage.model_usage import DatabaseMeter

    ai, worker = settings.ai, settings.worker
    if ai.api_key is None:
        raise RuntimeError("GOOGLE_GENERATIVE_AI_API_KEY is not set")
    playbook = worker.ai_playbook or ""
    if not playbook and worker.ai_playbook_path is not None:
        playbook = worker.ai_playbook_path.read_text(encoding="utf-8")
    client = GeminiClient(
        model or ai.gemini_model,
        ai.api_key,
        base_url=ai.base_url,
        timeout_s=ai.timeout_ms / 1000,
        max_output_tokens=ai.max_output_tokens,
    )
    limits = DailyLimits(ai.daily_tokens, ai.daily_usd)
    meter = (
        LocalMeter(limits, utc_now)
        if engine is None
        else DatabaseMeter(engine, client.model, limits, utc_now)
    )
    options = GeminiOptions(
        playbook=playbook,
        context_messages=worker.ai_context_message_limit,
        concurrency=ai.concurrency,
        batch_deadline_s=ai.batch_deadline_ms / 1000,
        attempts=ai.attempts,
        failures_in_a_row=limits.failures,
        price=ModelPrice(ai.input_usd_per_mtok, ai.output_usd_per_mtok),
    )
    return GeminiProvider(client, meter, options)


class CredentialSource(Mapping[str, str]):
    """Where credential references are looked up: the environment and ``.env``, without placeholders."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __getitem__(self, name: str) -> str:
        value = self._settings.credential(name)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return (variable.name for variable in catalogue() if variable.name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def runtime_options(settings: Settings) -> RuntimeOptions:
    """The platform runtime's options as the environment sets them."""
    rpa = settings.rpa
    return RuntimeOptions(
        data_dir=settings.data_dir,
        environ=CredentialSource(settings),
        runtime=rpa.runtime,
        platforms={
            platform: PlatformOptions(
                base_url=offered.base_url,
                user_agent=offered.user_agent,
                locale=offered.locale,
                timezone=offered.context_timezone,
                headless=offered.headless,
            )
            for platform, offered in settings.platforms.items()
        },
        adapter_overrides={platform.value: changes for platform, changes in rpa.adapter_overrides.items()},
        timezone_spareroom=rpa.timezone_spareroom,
        headless=rpa.headless,
        browser_path=rpa.browser_path,
        browser_channel=rpa.browser_channel,
        chromium_sandbox=bool(rpa.chromium_sandbox),
        launch_args=tuple(rpa.launch_args),
        debug=rpa.debug,
        debug_dir=rpa.debug_dir,
        debug_max_bytes=rpa.debug_max_mb * 1_000_000,
        debug_max_age=timedelta(hours=rpa.debug_max_age_hours),
        inbox_page_limit=rpa.inbox_max_pages,
        inbox_thread_limit=rpa.inbox_thread_limit,
        listings_page_size=rpa.listings_page_size,
        listings_max_pages=rpa.listings_max_pages,
        thread_ready_timeout_s=rpa.thread_ready_timeout_ms / 1000,
    )


def retention_policy(settings: Settings) -> RetentionPolicy:
    """How long things are kept, as the environment says."""
    chosen, rpa = settings.retention, settings.rpa
    return RetentionPolicy(
        archive_dir=chosen.archive_dir,
        audit=timedelta(days=chosen.audit_days) if chosen.audit_days else None,
        personal=timedelta(days=chosen.personal_days) if chosen.personal_days else None,
        evidence_dir=rpa.debug_dir,
        evidence=EvidenceLimits(rpa.debug_max_mb * 1_000_000, timedelta(hours=rpa.debug_max_age_hours)),
    )


def alerts(settings: Settings, engine: Engine) -> Alerts:
    """Who tells people of trouble: nobody unless alerts are switched on."""
    chosen = settings.alerts
    if not chosen.enabled:
        return NoAlerts()
    destinations: dict[str, Destination] = {}
    if chosen.telegram_bot_token is not None and chosen.telegram_chat_id is not None:
        destinations["telegram"] = Telegram(chosen.telegram_bot_token, chosen.telegram_chat_id)
    if chosen.webhook_url is not None:
        destinations["webhook"] = Webhook(chosen.webhook_url)
    mail = _team_mail(settings)
    if mail is not None:
        destinations["smtp"] = mail
    policy = AlertPolicy(
        enabled=True,
        provider=chosen.provider,
        event_types=frozenset(chosen.event_types),
        cooldown=timedelta(milliseconds=chosen.cooldown_ms),
        also=() if mail is None else ("smtp",),
    )
    return Alerter(engine, utc_now, policy, destinations)


def _team_mail(settings: Settings) -> Mail | None:
    """Mail to the team, when there are addresses and a mail server."""
    recipients, server = settings.alerts.email_to, _mail_server(settings)
    if not recipients or server is None:
        return None
    return Mail(server, settings.invite.from_email, recipients)


def _mail_server(settings: Settings) -> MailServer | None:
    """The mail server of the invitations: the address before host, port, user and password."""
    invite = settings.invite
    if invite.smtp_url is not None:
        parts = urlsplit(invite.smtp_url.get_secret_value())
        tls = parts.scheme == "smtps" or parts.port == 465
        return MailServer(
            host=parts.hostname or "",
            port=parts.port or (465 if tls else 587),
            security="tls" if tls else "starttls",
            user=unquote(parts.username) if parts.username else None,
            password=SecretStr(unquote(parts.password)) if parts.password else None,
        )
    if invite.smtp_host is None:
        return None
    return MailServer(
        host=invite.smtp_host,
        port=invite.smtp_port,
        security="tls" if invite.smtp_port == 465 else "starttls",
        user=invite.smtp_user,
        password=invite.smtp_password,
    )


def build_pipeline(settings: Settings, application_name: str = "leasebot") -> Pipeline:
    """The pipeline of one process. Opens no connection and no browser before it is used."""
    engine = database_engine(settings, application_name)
    options = runtime_options(settings)
    return Pipeline(
        engine=engine,
        clock=utc_now,
        connectors=build_connectors(options, utc_now, production=settings.is_production),
        provider=decision_provider(settings, engine),
        policy=replace(pipeline_policy(settings), paces=paces(options)),
        alerts=alerts(settings, engine),
    )
