"""``leasebot outbox``, ``kill``, ``resume`` and ``account`` as an operator types them."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from leasebot_pipeline.cli import app
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.storage import bootstrap
from tests.conftest import Database
from tests.storage import rows
from tests.storage.conftest import ACCOUNT, NOW


class Terminal:
    def __init__(self, database: Database) -> None:
        self.database = database

    def __call__(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run the command with --json; its output."""
        result = CliRunner().invoke(app, [*arguments, "--json", "--database-url", self.database.url])
        assert result.exit_code == code, result.output
        if code in (0, 1):
            return json.loads(result.stdout)
        return {}

    def says(self, *arguments: str) -> str:
        result = CliRunner().invoke(app, [*arguments, "--database-url", self.database.url])
        assert result.exit_code == 0, result.output
        return result.stdout


@pytest.fixture
def replies(database: Database) -> list[UUID]:
    """A dead letter, an unproven reply and a queued one."""
    with database.engine.begin() as conn:
        choice = bootstrap.AccountChoice({}, True, "login", SendMode.AUTO_SEND)
        bootstrap.ensure_required_accounts(conn, dict.fromkeys(Platform, choice))
        bootstrap.ensure_release_stage(conn, ReleaseStage.FULL, "tests", NOW)
        conversation = rows.conversation(conn, lead_name="Ana Lead")
        return [
            rows.dispatch(conn, conversation, state="dead_letter", error_code="PAGE_NOT_FOUND"),
            rows.dispatch(conn, conversation, state="unknown"),
            rows.dispatch(conn, conversation, state="queued"),
        ]


@pytest.fixture
def leasebot(database: Database, replies: list[UUID], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("LEASE_BOT_ENV", "test")
    return Terminal(database)


def test_replies_are_listed_and_moved(leasebot: Terminal, replies: list[UUID]) -> None:
    dead, unknown, queued = (str(one) for one in replies)
    listed = leasebot("outbox", "list", "--state", "dead_letter")
    assert [(one["id"], one["errorCode"], one["leadName"]) for one in listed["replies"]] == [
        (dead, "PAGE_NOT_FOUND", "Ana Lead")
    ]
    assert listed["counts"] == {"dead_letter": 1, "queued": 1, "unknown": 1}
    assert leasebot("outbox", "hold", queued, "--reason", "let me see")["done"] == [queued]
    assert leasebot("outbox", "retry", dead, queued)["done"] == [dead, queued]
    assert leasebot("outbox", "cancel", dead)["done"] == [dead]
    refused = leasebot("outbox", "retry", unknown, code=1)
    assert refused["refused"] == [{"id": unknown, "state": "unknown", "reason": "invalid_transition"}]
    assert leasebot("outbox", "mark-sent", unknown, "--message-id", "p-1")["done"] == [unknown]
    assert leasebot("outbox", "discard", unknown, code=1)["done"] == []
    with leasebot.database.engine.connect() as conn:
        reasons = conn.execute(
            text("""SELECT details ->> 'reason' FROM "AuditLogs" WHERE action = 'platform_dispatch_held'""")
        ).scalars()
        assert list(reasons) == ["let me see"]


def test_in_shadow_nothing_is_queued_again(leasebot: Terminal, replies: list[UUID]) -> None:
    with leasebot.database.engine.begin() as conn:
        conn.execute(text("""UPDATE "ReleaseStages" SET stage = 'shadow'"""))
    dead = str(replies[0])
    told = leasebot("outbox", "retry", dead)
    assert (told["done"], told["kept"]) == ([], [{"id": dead, "reason": "release_shadow"}])
    assert "stays dead_letter, the release is in shadow" in leasebot.says("outbox", "retry", dead)


@pytest.mark.parametrize(
    "arguments",
    [
        ("outbox", "retry", "not-an-id"),
        ("outbox", "list", "--state", "lost"),
        ("kill", "craigslist"),
        ("kill", "00000000-0000-0000-0000-000000000001"),
        ("account", "limits", "roomies"),
        ("account", "limits", "roomies", "--daily-cap", "-3"),
        ("account", "limits", "roomies", "--timezone", "Mars/Base"),
        ("account", "reset", "craigslist"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_refused_as_usage(leasebot: Terminal, arguments: tuple[str, ...]) -> None:
    leasebot(*arguments, code=2)


def test_sending_is_stopped_and_goes_on(leasebot: Terminal) -> None:
    killed = leasebot("kill", "all", "--reason", "odd replies", "--actor", "grace")
    assert killed["engaged"]
    assert [(one["target"], one["reason"], one["actor"]) for one in killed["killSwitches"]] == [
        ("global", "odd replies", "grace")
    ]
    assert killed["repliesWaiting"] == 1
    assert not leasebot("kill", "all")["engaged"], "once is enough"
    leasebot("kill", "spareroom")
    assert "spareroom: stopped since" in leasebot.says("kill")
    assert leasebot("outbox", "list")["killSwitches"] == ["global", "platform:spareroom"]
    assert leasebot("resume", "all") == {"lifted": True, "killSwitches": ["platform:spareroom"]}
    assert not leasebot("resume", "all")["lifted"]
    assert leasebot("resume", "spareroom")["killSwitches"] == []
    assert "nothing is stopped" in leasebot.says("kill")


def test_accounts_show_and_take_what_limits_them(leasebot: Terminal) -> None:
    breaker = '{"send": {"state": "open", "failures": 3, "openUntil": "2099-01-01T00:00:00+00:00", "code": "MARKUP_DRIFT"}}'
    with leasebot.database.engine.begin() as conn:
        conn.execute(
            text(
                """UPDATE "AccountRuntime" SET action_circuits = CAST(:breaker AS jsonb),
                          send_cap_until = now() + interval '1 day' WHERE platform_account_id = :account"""
            ),
            {"account": ACCOUNT, "breaker": breaker},
        )
    assert "send open (MARKUP_DRIFT)" in leasebot.says("account", "list")
    assert leasebot("account", "reset", "spareroom")["reset"] == [str(ACCOUNT)]
    assert leasebot("account", "reset", "spareroom")["reset"] == []
    leasebot("account", "limits", str(ACCOUNT), "--daily-cap", "40", "--timezone", "Europe/London")
    (account,) = [one for one in leasebot("account", "list")["accounts"] if one["platform"] == "spareroom"]
    assert (account["dailySendCap"], account["timezone"], account["sendCapUntil"]) == (
        40,
        "Europe/London",
        None,
    )
    assert account["actionCircuits"] == {}
    leasebot("account", "limits", str(ACCOUNT), "--daily-cap", "default")
    (account,) = [one for one in leasebot("account", "list")["accounts"] if one["platform"] == "spareroom"]
    assert (account["dailySendCap"], account["timezone"]) == (None, "Europe/London")
