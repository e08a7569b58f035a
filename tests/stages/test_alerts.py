"""Alerts over real HTTP and a real database: what a receiver gets, what a failing one does, who waits."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import structlog
from pydantic import SecretStr
from sqlalchemy import text

from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.domain.alerts import AlertEvent, AlertPolicy, Unsent
from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import REQUIRED_ACCOUNTS, Platform, SendMode
from leasebot_pipeline.platforms.protocol import AccountRef, Connector
from leasebot_pipeline.settings import load_settings
from leasebot_pipeline.stages import visits
from leasebot_pipeline.stages.alerts import (
    Alerter,
    AlertNotDelivered,
    Destination,
    NoAlerts,
    Telegram,
    Webhook,
)
from leasebot_pipeline.stages.pipeline import Pipeline, PipelinePolicy
from leasebot_pipeline.storage import accounts_runtime, bootstrap
from tests.conftest import Database

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ACCOUNT = next(account.id for account in REQUIRED_ACCOUNTS if account.platform is Platform.SPAREROOM)
TOKEN = "12345:secret-of-the-bot"
EVENT = AlertEvent(
    type="rpa_session_refresh_requested",
    platform=Platform.SPAREROOM,
    account_id=ACCOUNT,
    account_name="SpareRoom",
    action="ingest",
    at=NOW,
    source="worker",
    reason="session_expired",
    error="SESSION_EXPIRED: the login page came up",
)


@dataclass
class Receiver:
    """What came in, and with which status it is answered; ``hold`` keeps the answers back until it is set."""

    base_url: str
    status: int = 200
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    hold: threading.Event | None = None


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.received.append((self.path, body))
            state.arrived.set()
            if state.hold is not None:
                state.hold.wait(20)
            self.send_response(state.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that gave up waiting is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    state = Receiver(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        if state.hold is not None:
            state.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Time:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


class Bench:
    """Alerters of one database and receiver; each call of one of its methods is another process."""

    def __init__(self, database: Database, receiver: Receiver) -> None:
        self.database, self.receiver, self.time = database, receiver, Time()

    def alerter(self, provider: str | None = "telegram", *, timeout_s: float = 5.0, **policy: Any) -> Alerter:
        rules = AlertPolicy(enabled=True, provider=provider, cooldown=timedelta(seconds=60))
        destinations: dict[str, Destination] = {
            "telegram": Telegram(SecretStr(TOKEN), "-100", base_url=self.receiver.base_url),
            "webhook": Webhook(SecretStr(f"{self.receiver.base_url}/hook/secret")),
        }
        return Alerter(
            self.database.engine, self.time, replace(rules, **policy), destinations, timeout_s=timeout_s
        )

    def audited(self) -> list[dict[str, Any]]:
        with self.database.engine.begin() as conn:
            query = """SELECT details FROM "AuditLogs"
                        WHERE action = 'platform_alert_sent' AND entity_type = 'platform_account'
                          AND entity_id = :account AND platform_account_id = CAST(:account AS uuid)
                        ORDER BY created_at"""
            return list(conn.execute(text(query), {"account": str(ACCOUNT)}).scalars())

    def wait_for_a_waiting_process(self) -> None:
        """Return when one process waits for another's equal alert; fail after ten seconds."""
        waiting = text("""
            SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
             WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = current_database()
        """)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with self.database.engine.begin() as conn:
                if conn.execute(waiting).scalar_one():
                    return
            time.sleep(0.01)
        pytest.fail("the second process did not wait for the first")


@pytest.fixture
def bench(database: Database, receiver: Receiver) -> Bench:
    return Bench(database, receiver)


def test_nothing_is_sent_while_alerts_are_off(bench: Bench) -> None:
    """Behaviour 109."""
    result = bench.alerter(enabled=False).send(EVENT)
    assert (result.sent, result.reason) == (False, "disabled")
    assert bench.receiver.received == []


def test_telegram_gets_one_alert_a_cooldown(bench: Bench) -> None:
    """Behaviour 110."""
    alerter = bench.alerter()
    assert alerter.send(EVENT).sent
    ((path, body),) = bench.receiver.received
    assert path == f"/bot{TOKEN}/sendMessage"
    assert body == {"chat_id": "-100", "text": EVENT.text(), "disable_web_page_preview": True}
    assert alerter.send(EVENT).reason == "cooldown"
    bench.time.now += timedelta(seconds=61)
    assert alerter.send(EVENT).sent
    assert len(bench.receiver.received) == len(bench.audited()) == 2


def test_other_events_are_filtered(bench: Bench) -> None:
    """Behaviour 111."""
    assert bench.alerter().send(replace(EVENT, type="rpa_circuit_closed")).reason == "event_filtered"
    assert bench.receiver.received == []


def test_a_provider_that_is_missing_or_unknown_is_named(bench: Bench) -> None:
    assert bench.alerter(None).send(EVENT).reason == Unsent.PROVIDER_UNCONFIGURED
    assert bench.alerter("pigeon").send(EVENT).reason == Unsent.PROVIDER_UNSUPPORTED
    assert bench.alerter().send(EVENT).sent
    # The cooldown is looked at before the provider.
    assert bench.alerter("pigeon").send(EVENT).reason == Unsent.COOLDOWN


def test_a_webhook_gets_text_and_event(bench: Bench) -> None:
    bench.time.now = NOW + timedelta(seconds=2)
    assert bench.alerter("webhook").send(EVENT).sent
    ((path, body),) = bench.receiver.received
    assert path == "/hook/secret"
    assert body == {
        "source": "worker",
        "text": EVENT.text(),
        "event": {
            "type": "rpa_session_refresh_requested",
            "platform": "spareroom",
            "accountId": str(ACCOUNT),
            "accountName": "SpareRoom",
            "action": "ingest",
            "reason": "session_expired",
            "error": "SESSION_EXPIRED: the login page came up",
            "at": "2026-11-24T12:00:00.000Z",
        },
        "sentAt": "2026-11-24T12:00:02.000Z",
    }


def test_processes_share_the_cooldown(bench: Bench) -> None:
    """G-36: it lives in the database, so neither a second process nor a restart repeats an alert."""
    assert bench.alerter().send(EVENT).sent
    other = bench.alerter("webhook")
    assert other.send(replace(EVENT, source="api")).reason == "cooldown"
    assert other.send(replace(EVENT, action="send")).sent
    assert other.send(replace(EVENT, reason="captcha_or_bot_challenge")).sent
    assert len(bench.receiver.received) == 3


def test_two_processes_at_the_same_moment_send_one_alert(bench: Bench) -> None:
    bench.receiver.hold = threading.Event()
    with ThreadPoolExecutor(2) as processes:
        first = processes.submit(bench.alerter().send, EVENT)
        assert bench.receiver.arrived.wait(10)
        second = processes.submit(bench.alerter().send, EVENT)
        bench.wait_for_a_waiting_process()
        bench.receiver.hold.set()
    assert (first.result().reason, second.result().reason) == (None, Unsent.COOLDOWN)
    assert len(bench.receiver.received) == 1


def test_a_receiver_that_refuses_begins_no_cooldown(bench: Bench) -> None:
    bench.receiver.status = 500
    with pytest.raises(AlertNotDelivered, match="status 500"):
        bench.alerter().send(EVENT)
    assert bench.audited() == []
    bench.receiver.status = 200
    assert bench.alerter().send(EVENT).sent
    assert [row["cooldownKey"] for row in bench.audited()] == [EVENT.cooldown_key]


def test_a_redirect_is_not_delivery(bench: Bench) -> None:
    bench.receiver.status = 302
    with pytest.raises(AlertNotDelivered, match="status 302"):
        bench.alerter("webhook").send(EVENT)


def test_the_pipeline_never_feels_a_failing_receiver(
    bench: Bench, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refusing, a silent and an absent receiver are log lines, and none of them shows the address."""
    caplog.set_level(logging.INFO)
    with structlog.testing.capture_logs() as lines:
        bench.receiver.status = 500
        bench.alerter().notify(EVENT)
        bench.receiver.hold = threading.Event()
        bench.alerter(timeout_s=0.2).notify(EVENT)
        bench.receiver.hold.set()
        absent = Webhook(SecretStr("http://127.0.0.1:1/hook/secret"))
        policy = AlertPolicy(enabled=True, provider="webhook")
        Alerter(bench.database.engine, bench.time, policy, {"webhook": absent}).notify(EVENT)
    assert [(line["event"], line["log_level"]) for line in lines] == [("alert_failed", "error")] * 3
    assert [line["error"].rsplit(" ", 1)[1] for line in lines] == ["500", "ReadTimeout", "ConnectError"]
    said = f"{lines} {caplog.text} {capsys.readouterr()}"
    assert "secret" not in said
    assert bench.audited() == []


def test_a_delivered_alert_leaves_no_token_in_the_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with structlog.testing.capture_logs() as lines:
        bench.alerter().notify(EVENT)
        bench.alerter().notify(EVENT)
    assert [line["event"] for line in lines] == ["alert_sent", "alert_not_sent"]
    assert "secret" not in f"{lines} {caplog.text} {bench.audited()}"


def test_the_environment_chooses_who_is_told(bench: Bench) -> None:
    from leasebot_pipeline.wiring import alerts as configured_alerts  # imports every part of the product

    environ = {
        "LEASE_BOT_ENV": "test",
        "LEASE_BOT_RPA_ALERT_WEBHOOK_URL": f"{bench.receiver.base_url}/hook",
        "LEASE_BOT_RPA_ALERT_EVENT_TYPES": "rpa_circuit_opened",
    }
    engine = bench.database.engine
    assert isinstance(configured_alerts(load_settings(environ), engine), NoAlerts)
    told = configured_alerts(load_settings({**environ, "LEASE_BOT_RPA_ALERTS_ENABLED": "yes"}), engine)
    told.notify(EVENT)
    told.notify(replace(EVENT, type="rpa_circuit_opened"))
    assert [body["event"]["type"] for _, body in bench.receiver.received] == ["rpa_circuit_opened"]


class NoBrowser:
    """Connectors of a pipeline whose visits are played by the test."""

    def for_platform(self, platform: Platform) -> Connector:
        raise PlatformFailure("UNSUPPORTED_PLATFORM", platform.value)

    def release(self, account: AccountRef) -> None: ...

    def close(self) -> None: ...


def _pipeline(bench: Bench) -> Pipeline:
    with bench.database.engine.begin() as conn:
        choice = bootstrap.AccountChoice({}, True, "login", SendMode.AUTO_SEND)
        bootstrap.ensure_required_accounts(conn, dict.fromkeys(Platform, choice))
    return Pipeline(
        engine=bench.database.engine,
        clock=bench.time,
        connectors=NoBrowser(),
        provider=HeuristicProvider(),
        policy=PipelinePolicy(),
        alerts=bench.alerter("webhook"),
    )


def _fail(pipeline: Pipeline, failure: PlatformFailure) -> None:
    with pipeline.engine.begin() as conn:
        (account,) = accounts_runtime.accounts(conn, Platform.SPAREROOM)
    with visits.leased(pipeline, account) as lease:
        assert lease is not None
        with visits.visit(lease, "ingest", "test", None):
            raise failure


@pytest.mark.parametrize(
    ("code", "reason"),
    [("SESSION_EXPIRED", "session_expired"), ("CAPTCHA_REQUIRED", "captcha_or_bot_challenge")],
)
def test_people_hear_once_of_a_stopped_account(bench: Bench, code: str, reason: str) -> None:
    pipeline = _pipeline(bench)
    _fail(pipeline, PlatformFailure(code, "seen on the inbox page"))
    bench.time.now += timedelta(hours=1)  # long after the cooldown: it is still the same stop
    _fail(pipeline, PlatformFailure(code, "seen on the inbox page"))
    ((_, body),) = bench.receiver.received
    event = body["event"]
    assert (event["type"], event["reason"]) == ("rpa_session_refresh_requested", reason)
    assert event["error"] == f"{code}: seen on the inbox page"


def test_people_hear_of_a_circuit_that_opened(bench: Bench) -> None:
    pipeline = _pipeline(bench)
    for _ in range(2):
        _fail(pipeline, PlatformFailure("NETWORK_ERROR", "connection refused"))
    assert bench.receiver.received == []
    _fail(pipeline, PlatformFailure("NETWORK_ERROR", "connection refused"))
    ((_, body),) = bench.receiver.received
    assert body["event"]["type"] == "rpa_circuit_opened"
    assert body["event"]["retryAfterMs"] == 30_000


def test_a_visit_ends_as_ever_when_nobody_can_be_told(bench: Bench) -> None:
    bench.receiver.status = 500
    pipeline = _pipeline(bench)
    _fail(pipeline, PlatformFailure("SESSION_EXPIRED", "the login page came up"))
    with pipeline.engine.begin() as conn:
        (account,) = accounts_runtime.accounts(conn, Platform.SPAREROOM)
    assert account.state.stop_code == "SESSION_EXPIRED"
    assert account.state.lease_owner is None
    assert len(bench.receiver.received) == 1
