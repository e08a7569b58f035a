"""People hear of an incident once when it begins and once when it is over, whatever happens in between."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from leasebot_pipeline.domain.alerts import AlertEvent, AlertPolicy
from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.settings import load_settings
from leasebot_pipeline.stages import accounts, visits
from leasebot_pipeline.stages.alerts import Alerter, AlertNotDelivered, Alerts, sweep
from leasebot_pipeline.stages.alerts_mail import Mail, MailServer
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import accounts_runtime, crash_points, incidents
from leasebot_pipeline.storage.crash_points import VARIABLE, CrashPointReached
from tests.stages.conftest import ACCOUNT, PLATFORM, Office, OfficeMaker

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
STOPPED = AlertEvent(
    type="rpa_session_refresh_requested",
    platform=PLATFORM,
    account_id=ACCOUNT,
    account_name="SpareRoom",
    action="ingest",
    at=NOW,
    source="worker",
    reason="session_expired",
    error="SESSION_EXPIRED: the login page came up",
)


@dataclass
class Channel:
    """A way alerts go, in memory; ``broken`` refuses them."""

    received: list[str] = field(default_factory=list)
    broken: bool = False

    def deliver(self, event: AlertEvent, now: datetime, timeout_s: float) -> None:
        if self.broken:
            raise AlertNotDelivered("the receiver answered with status 500")
        self.received.append(event.type)


@dataclass
class Room:
    office: Office
    chat: Channel
    mail: Channel

    @property
    def pipeline(self) -> Pipeline:
        return self.office.pipeline

    def alerter(self, **policy: Any) -> Alerter:
        rules = AlertPolicy(enabled=True, provider="webhook", also=("smtp",), **policy)
        channels = {"webhook": self.chat, "smtp": self.mail}
        return Alerter(self.pipeline.engine, self.office.clock, rules, channels)

    def visit(self, failure: PlatformFailure | None, alerts: Alerts, action: str = "ingest") -> None:
        from dataclasses import replace

        pipeline = replace(self.pipeline, alerts=alerts)
        with pipeline.engine.connect() as conn:
            (row,) = accounts_runtime.accounts(conn, PLATFORM)
        with visits.leased(pipeline, row) as lease:
            assert lease is not None
            with visits.visit(lease, action, "test", None):
                if failure is not None:
                    raise failure

    def sweep(self, alerts: Alerts) -> int:
        return sweep(self.pipeline.engine, alerts, self.office.clock)

    def audited(self, action: str) -> int:
        (row,) = self.office.rows('SELECT count(*) FROM "AuditLogs" WHERE action = :action', action=action)
        return int(str(row[0]))


class Connectors:
    def for_platform(self, platform: Platform) -> Any:
        raise PlatformFailure("UNSUPPORTED_PLATFORM", platform.value)

    def release(self, account: object) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def room(make_office: OfficeMaker) -> Room:
    return Room(make_office(connectors=Connectors()), Channel(), Channel())


EXPIRED = PlatformFailure("SESSION_EXPIRED", "the login page came up")
OUTAGE = PlatformFailure("NETWORK_ERROR", "connection refused")


def test_a_stopped_account_is_one_incident_on_every_channel_until_it_is_resumed(room: Room) -> None:
    alerts = room.alerter()
    room.visit(EXPIRED, alerts)
    room.office.clock.advance(hours=9)
    room.sweep(alerts)
    assert room.chat.received == room.mail.received == ["rpa_session_refresh_requested"]
    accounts.resume(room.pipeline.engine, PLATFORM, actor="tests")
    room.sweep(alerts)
    room.sweep(alerts)
    assert (
        room.chat.received == room.mail.received == ["rpa_session_refresh_requested", "rpa_session_renewed"]
    )
    assert room.audited("platform_alert_sent") == room.audited("platform_alert_recovery_sent") == 2


def test_a_breaker_tells_of_its_end_with_the_visit_that_closes_it(room: Room) -> None:
    """G-38: once open, once closed; probes in vain in between are the same incident."""
    alerts = room.alerter()
    for _ in range(5):
        room.visit(OUTAGE, alerts)
        room.office.clock.advance(minutes=6)
    room.visit(OUTAGE, alerts, action="send")
    room.visit(None, alerts, action="send")
    assert room.chat.received == ["rpa_circuit_opened", "rpa_circuit_closed"]
    (row,) = room.office.rows('SELECT occurrences, closed_at IS NOT NULL FROM "AlertIncidents"')
    assert row == (4, True)


def test_a_channel_that_fails_is_made_up_for_alone(room: Room) -> None:
    """The failure is recorded, the pipeline does not feel it, and the other channel is not told twice."""
    alerts = room.alerter()
    room.mail.broken = True
    room.visit(EXPIRED, alerts)
    room.sweep(alerts)
    assert room.office.rows('SELECT channel_failures FROM "AlertIncidents"') == [(1,)], "not before its time"
    for _ in range(3):
        room.office.clock.advance(minutes=20)
        room.sweep(alerts)
    assert room.audited("platform_alert_failed") == 1
    room.mail.broken = False
    room.office.clock.advance(minutes=20)
    assert room.sweep(alerts) == 1
    assert room.chat.received == room.mail.received == ["rpa_session_refresh_requested"]
    (row,) = room.office.rows(
        "SELECT channel_error, told ?& ARRAY['smtp', 'webhook'] FROM \"AlertIncidents\""
    )
    assert row == (None, True)


@pytest.mark.parametrize(("point", "heard"), [("alert.after_incident", 1), ("alert.after_send", 2)])
def test_whoever_dies_while_telling_is_made_up_for(
    room: Room, point: str, heard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The incident is stored with the stop. Delivery is at least once: a receipt that was lost tells again."""
    monkeypatch.setenv(VARIABLE, f"{point}:raise")
    monkeypatch.setattr(crash_points, "_passed", type(crash_points._passed)())
    alerts = room.alerter()
    with suppress(CrashPointReached):
        room.visit(EXPIRED, alerts)
    room.sweep(alerts)
    assert room.chat.received == ["rpa_session_refresh_requested"] * heard
    assert room.sweep(alerts) == 0


def test_an_incident_that_comes_back_at_once_waits_for_the_cooldown(room: Room) -> None:
    """Flapping: the cooldown is shared in the database; one that is over before it ends says nothing at all."""
    alerts = room.alerter(cooldown=timedelta(minutes=5))
    room.visit(EXPIRED, alerts)
    accounts.resume(room.pipeline.engine, PLATFORM, actor="tests")
    room.sweep(alerts)
    room.visit(EXPIRED, alerts)
    assert room.chat.received.count("rpa_session_refresh_requested") == 1
    room.office.clock.advance(minutes=5)
    room.sweep(alerts)
    assert room.chat.received.count("rpa_session_refresh_requested") == 2


def test_filtered_and_switched_off_alerts_leave_the_incident_for_people_to_see(room: Room) -> None:
    """Behaviours 109 and 111."""
    room.alerter(event_types=frozenset({"rpa_circuit_opened"})).notify(STOPPED)
    room.sweep(room.alerter())
    assert room.chat.received == []
    with room.pipeline.engine.connect() as conn:
        assert [one["type"] for one in incidents.list_incidents(conn)] in ([], [STOPPED.type])


class Post(socketserver.StreamRequestHandler):
    """A mail server of a few lines: takes one mail and says so."""

    def handle(self) -> None:
        self._say("220 mail.local")
        body: list[str] = []
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            word = line.split(" ")[0].upper()
            if word == "DATA":
                self._say("354 go on")
                for data in self.rfile:
                    if data == b".\r\n":
                        break
                    body.append(data.decode().rstrip("\r\n"))
                self.server.mails.append(body)  # type: ignore[attr-defined]
                self._say("250 taken")
            elif word == "RCPT" and "nobody@" in line:
                self._say("550 unknown")
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def post_office() -> Iterator[tuple[int, list[list[str]]]]:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Post)
    server.daemon_threads = True
    mails: list[list[str]] = []
    server.mails = mails  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1], mails
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_team_gets_a_mail_in_plain_words(post_office: tuple[int, list[list[str]]]) -> None:
    port, mails = post_office
    server = MailServer("127.0.0.1", port)
    Mail(server, "Lease Bot <bot@leasebot.local>", ("a@team.example", "b@team.example")).deliver(
        STOPPED, NOW, 5
    )
    ((*lines,),) = mails
    said = "\n".join(lines)
    assert "To: a@team.example, b@team.example" in said
    assert "Subject: Lease Bot: rpa_session_refresh_requested on spareroom" in said
    assert "Reason: session_expired" in said


@pytest.mark.parametrize(
    "mail",
    [
        Mail(MailServer("127.0.0.1", 1), "bot@leasebot.local", ("a@team.example",)),
        Mail(MailServer("127.0.0.1", 0, user="u", password=SecretStr("hush")), "b@l.local", ("a@t.example",)),
    ],
    ids=["nobody there", "a password is not sent in the clear"],
)
def test_a_mail_that_does_not_leave_is_an_alert_not_delivered(
    mail: Mail, post_office: tuple[int, list[list[str]]]
) -> None:
    from dataclasses import replace

    port, mails = post_office
    server = replace(mail.server, port=mail.server.port or port)
    with pytest.raises(AlertNotDelivered) as refused:
        replace(mail, server=server).deliver(STOPPED, NOW, 5)
    assert "hush" not in str(refused.value)
    assert mails == []


def test_the_environment_adds_mail_to_the_team(room: Room) -> None:
    from leasebot_pipeline.wiring import alerts as configured

    told = configured(
        load_settings(
            {
                "LEASE_BOT_ENV": "test",
                "LEASE_BOT_RPA_ALERTS_ENABLED": "1",
                "LEASE_BOT_RPA_ALERT_EMAIL_TO": "a@team.example,b@team.example",
                "INVITE_SMTP_URL": "smtps://user:p%40ss@mail.example",
            }
        ),
        room.pipeline.engine,
    )
    assert isinstance(told, Alerter)
    assert told._policy.channels == ("smtp",)
    mail = told._destinations["smtp"]
    assert isinstance(mail, Mail)
    assert (mail.server.host, mail.server.port, mail.server.security) == ("mail.example", 465, "tls")
    assert mail.server.password is not None
    assert mail.server.password.get_secret_value() == "p@ss"
