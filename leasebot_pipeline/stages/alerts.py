"""Alerts to people by Telegram, webhook and mail: once per incident, and once more when it is over.

What people are to be told of is an incident in the database before anybody is told; a process that dies
in between, or a receiver that does not answer, is made up for by the next ``flush`` of any process.
Delivery is at least once: who dies after a receiver accepted and before that is stored tells twice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import httpx2
import structlog
from pydantic import SecretStr
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from leasebot_pipeline.domain.alerts import AlertEvent, AlertPolicy, AlertResult, Unsent, iso, recovery_of
from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.storage import alerts as sent_alerts
from leasebot_pipeline.storage import incidents
from leasebot_pipeline.storage.crash_points import crash_point, transaction
from leasebot_pipeline.storage.incidents import Incident

TIMEOUT_S: Final = 5.0
TELEGRAM_BASE_URL: Final = "https://api.telegram.org"

_log: structlog.stdlib.BoundLogger = structlog.get_logger("leasebot.alerts")
# It logs every request's URL at info, and these URLs hold the bot's token or the webhook's secret path.
logging.getLogger("httpx2").setLevel(logging.WARNING)


class AlertNotDelivered(Exception):
    """The receiver could not be reached or did not accept the alert; the text never holds its address."""


class Alerts(Protocol):
    """Whoever tells people."""

    def notify(self, event: AlertEvent) -> None:
        """Tell people if they are to be told. Never raises because of a receiver or the database."""
        ...

    def flush(self) -> int:
        """Say what is still to be said about incidents; how many messages were accepted. Never raises likewise."""
        ...


class NoAlerts:
    """Nobody is told."""

    def notify(self, event: AlertEvent) -> None:
        """Do nothing."""

    def flush(self) -> int:
        """Do nothing."""
        return 0


@dataclass(frozen=True, slots=True)
class Request:
    """What is posted where."""

    url: str
    body: dict[str, object]


class Destination(Protocol):
    """One way alerts go."""

    def deliver(self, event: AlertEvent, now: datetime, timeout_s: float) -> None:
        """Hand the event over. Raises AlertNotDelivered unless the receiver accepted it in time."""
        ...


@dataclass(frozen=True, slots=True)
class Telegram:
    """A bot that writes to a chat."""

    bot_token: SecretStr
    chat_id: str
    base_url: str = TELEGRAM_BASE_URL

    def request(self, event: AlertEvent, now: datetime) -> Request:
        url = f"{self.base_url.rstrip('/')}/bot{self.bot_token.get_secret_value()}/sendMessage"
        body = {"chat_id": self.chat_id, "text": event.text(), "disable_web_page_preview": True}
        return Request(url, body)

    def deliver(self, event: AlertEvent, now: datetime, timeout_s: float) -> None:
        _post(self.request(event, now), timeout_s)


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that takes the event as JSON."""

    url: SecretStr

    def request(self, event: AlertEvent, now: datetime) -> Request:
        body: dict[str, object] = {
            "source": event.source,
            "text": event.text(),
            "event": event.payload(),
            "sentAt": iso(now),
        }
        return Request(self.url.get_secret_value(), body)

    def deliver(self, event: AlertEvent, now: datetime, timeout_s: float) -> None:
        _post(self.request(event, now), timeout_s)


def _post(request: Request, timeout_s: float) -> None:
    try:
        response = httpx2.post(request.url, json=request.body, timeout=timeout_s)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise AlertNotDelivered(f"the receiver was not reached: {type(error).__name__}") from error
    if not response.is_success:
        raise AlertNotDelivered(f"the receiver answered with status {response.status_code}")


class Alerter:
    """Sends alerts by the policy's provider; what was sent is kept in the database for all processes."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        policy: AlertPolicy,
        destinations: Mapping[str, Destination],
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._policy = policy
        self._destinations = dict(destinations)
        self._timeout_s = timeout_s

    def send(self, event: AlertEvent) -> AlertResult:
        """Send the event unless the policy or its cooldown speaks against it.

        Raises AlertNotDelivered when the receiver can't be reached within the timeout or answers anything
        but 2xx; then no cooldown begins. Raises SQLAlchemyError when the database fails.
        """
        policy = self._policy
        refusal = policy.refusal(event)
        if refusal is not None or policy.provider is None:
            return AlertResult(refusal or Unsent.PROVIDER_UNCONFIGURED)
        with transaction(self._engine, "alert.before_told", "alert.after_told") as conn:
            last_sent = sent_alerts.lock_and_last_sent(conn, event)
            now = self._clock()
            if policy.cools_down(last_sent, now):
                return AlertResult(Unsent.COOLDOWN)
            destination = self._destinations.get(policy.provider)
            if destination is None:
                return AlertResult(Unsent.PROVIDER_UNSUPPORTED)
            destination.deliver(event, now, self._timeout_s)
            sent_alerts.record_sent(conn, event, policy.provider, now)
        return AlertResult()

    def notify(self, event: AlertEvent) -> None:
        """Tell people of the event's incident unless they know of it.

        Whatever goes wrong is logged and stored, for no visit may fail because of an alert.
        """
        log = _log.bind(type=event.type, platform=event.platform.value, account=str(event.account_id))
        try:
            with transaction(self._engine, "alert.before_incident", "alert.after_incident") as conn:
                incidents.note(conn, [event], self._clock(), again=False)
            with transaction(self._engine, "alert.before_told", "alert.after_told") as conn:
                incident = incidents.lock_open(conn, event)
                outcomes = [] if incident is None else self._tell(conn, incident, event)
        except SQLAlchemyError as error:
            # Without a traceback: frames shown by a formatter would hold the receiver's address.
            log.error("alert_failed", error=type(error).__name__)  # noqa: TRY400
            return
        self._log_outcomes(log, outcomes)

    def flush(self) -> int:
        """Tell people of incidents they do not know of yet, and of those that are over."""
        accepted = 0
        channels = self._policy.channels
        try:
            with self._engine.connect() as conn:
                waiting = incidents.unsettled(conn, channels, self._clock())
            for one in waiting:
                with transaction(self._engine, "alert.before_told", "alert.after_told") as conn:
                    incident = incidents.lock(conn, one.id)
                    if incident is None:
                        continue
                    event = incident.event
                    log = _log.bind(type=event.type, platform=event.platform.value)
                    outcomes = (
                        self._tell(conn, incident, event)
                        if incident.closed_at is None
                        else self._tell_recovery(conn, incident)
                    )
                self._log_outcomes(log, outcomes)
                accepted += sum(outcome.sent for outcome in outcomes)
        except SQLAlchemyError as error:
            _log.error("alert_flush_failed", error=type(error).__name__)
        return accepted

    def _tell(self, conn: Connection, incident: Incident, event: AlertEvent) -> list[_Outcome]:
        """Tell every channel that does not know of an open incident."""
        policy, now = self._policy, self._clock()
        refusal = policy.refusal(event)
        if refusal is not None:
            incidents.settle(conn, incident.id, now)
            return [_Outcome(None, reason=refusal)]
        missing = [channel for channel in policy.channels if channel not in incident.told]
        if not missing:
            return [_Outcome(None, reason=Unsent.TOLD_BEFORE)]
        if not incident.told:
            last_sent = sent_alerts.lock_and_last_sent(conn, event)
            if last_sent is not None and policy.cools_down(last_sent, now):
                incidents.postpone(conn, incident.id, last_sent + policy.cooldown)
                return [_Outcome(None, reason=Unsent.COOLDOWN)]
        outcomes = [self._deliver(conn, incident, channel, event, recovery=False) for channel in missing]
        if any(outcome.sent for outcome in outcomes):
            crash_point("alert.after_send")
        return outcomes

    def _tell_recovery(self, conn: Connection, incident: Incident) -> list[_Outcome]:
        """Tell every channel that knows of an incident that it is over; nobody else."""
        now = self._clock()
        notice = recovery_of(incident.event, incident.closed_at or now)
        missing = [channel for channel in incident.told if channel not in incident.recovery_told]
        known = [channel for channel in missing if channel in self._destinations]
        outcomes = [self._deliver(conn, incident, channel, notice, recovery=True) for channel in known]
        if all(outcome.sent for outcome in outcomes):
            incidents.settle(conn, incident.id, now)
        return outcomes

    def _deliver(
        self, conn: Connection, incident: Incident, channel: str, event: AlertEvent, *, recovery: bool
    ) -> _Outcome:
        now = self._clock()
        destination = self._destinations.get(channel)
        if destination is None:
            # Nothing to retry: a way nobody built stays unknown until the configuration changes.
            incidents.settle(conn, incident.id, now)
            return _Outcome(channel, reason=Unsent.PROVIDER_UNSUPPORTED)
        try:
            destination.deliver(event, now, self._timeout_s)
        except AlertNotDelivered as error:
            delay = self._policy.retry_delay(incident.channel_failures + 1)
            incidents.note_channel_failure(conn, incident.id, str(error), now + delay)
            if not incident.channel_failures:  # told once; the incident's row counts the rest
                sent_alerts.record_failed(conn, event, channel, str(error), now)
            return _Outcome(channel, error=f"{type(error).__name__}: {error}")
        incidents.note_told(conn, incident.id, channel, now, recovery=recovery)
        record = sent_alerts.record_recovery if recovery else sent_alerts.record_sent
        record(conn, event, channel, now)
        return _Outcome(channel)

    @staticmethod
    def _log_outcomes(log: structlog.stdlib.BoundLogger, outcomes: Sequence[_Outcome]) -> None:
        for outcome in outcomes:
            if outcome.error is not None:
                log.error("alert_failed", provider=outcome.channel, error=outcome.error)
            elif outcome.sent:
                log.info("alert_sent", provider=outcome.channel)
            else:
                log.info("alert_not_sent", reason=str(outcome.reason))


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of telling one channel; without reason and error it accepted."""

    channel: str | None
    reason: Unsent | None = None
    error: str | None = None

    @property
    def sent(self) -> bool:
        return self.reason is None and self.error is None


def sweep(engine: Engine, alerts: Alerts, clock: Clock) -> int:
    """Close what is over, then say what is to be said; how many messages were accepted."""
    with transaction(engine, "alert.before_sweep", "alert.after_sweep") as conn:
        incidents.close_recovered(conn, clock())
    return alerts.flush()
