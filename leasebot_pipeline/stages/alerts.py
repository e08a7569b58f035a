"""Alerts to people: one HTTP request to Telegram or a webhook, at most one of a kind in its cooldown."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import httpx2
import structlog
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from leasebot_pipeline.domain.alerts import AlertEvent, AlertPolicy, AlertResult, Unsent, iso
from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.storage import alerts as sent_alerts

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


class NoAlerts:
    """Nobody is told."""

    def notify(self, event: AlertEvent) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is posted where."""

    url: str
    body: dict[str, object]


class Destination(Protocol):
    """One way alerts go."""

    def request(self, event: AlertEvent, now: datetime) -> Request:
        """The POST that delivers the event."""
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
        with self._engine.begin() as conn:
            last_sent = sent_alerts.lock_and_last_sent(conn, event)
            now = self._clock()
            if policy.cools_down(last_sent, now):
                return AlertResult(Unsent.COOLDOWN)
            destination = self._destinations.get(policy.provider)
            if destination is None:
                return AlertResult(Unsent.PROVIDER_UNSUPPORTED)
            self._post(destination.request(event, now))
            sent_alerts.record_sent(conn, event, policy.provider, now)
        return AlertResult()

    def notify(self, event: AlertEvent) -> None:
        """``send`` for the pipeline: whatever goes wrong is logged, for no visit may fail because of an alert."""
        log = _log.bind(type=event.type, platform=event.platform.value, account=str(event.account_id))
        try:
            result = self.send(event)
        except (AlertNotDelivered, SQLAlchemyError) as error:
            what = f"{type(error).__name__}: {error}"
            # Without a traceback: frames shown by a formatter would hold the receiver's address.
            log.error("alert_failed", provider=self._policy.provider, error=what)  # noqa: TRY400
            return
        if result.sent:
            log.info("alert_sent", provider=self._policy.provider)
        else:
            log.info("alert_not_sent", reason=str(result.reason))

    def _post(self, request: Request) -> None:
        try:
            response = httpx2.post(request.url, json=request.body, timeout=self._timeout_s)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise AlertNotDelivered(f"the receiver was not reached: {type(error).__name__}") from error
        if not response.is_success:
            raise AlertNotDelivered(f"the receiver answered with status {response.status_code}")
