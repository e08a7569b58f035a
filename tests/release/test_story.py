"""A release from shadow to full, with the way back in between, against the real database."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from leasebot_pipeline.cli import app
from leasebot_pipeline.domain.platforms import ReleaseStage
from leasebot_pipeline.domain.release_gate import Verdict
from leasebot_pipeline.release import stages
from leasebot_pipeline.storage import release_stages
from leasebot_pipeline.storage.outbox_operations import Actor
from tests.conftest import Database
from tests.release.conftest import CANARY, COMMIT, World

SYSTEM = Actor("system", "sensor:release_gate")


def test_shadow_canary_spike_rollback_and_full(world: World, canary: World) -> None:
    assert canary is world
    assert world.sending() == {"roomies"}

    # Errors of the canary at many times the baseline: refused, and seen twice it has to go back.
    world.pass_time(hours=2)
    world.messages(150)
    world.errors("ai_reply_error", 12)
    first = world.check()
    assert first.result.verdict is Verdict.HOLD
    refused = world.promote()
    assert (refused.refused, refused.after.stage) == ("gate_not_passed", ReleaseStage.CANARY)
    world.pass_time(hours=2)
    world.messages(150)
    world.errors("ai_reply_error", 12)
    second = world.check()
    assert second.result.verdict is Verdict.ROLLBACK
    assert second.since == first.taken_at, "two checks never judge the same events"

    world.rollback("ai_reply_error spike")
    assert world.sending() == set()

    # Mended: the baseline is kept, the checks begin anew.
    world.pass_time(hours=1)
    assert world.promote(cohort={"accounts": [str(CANARY)]}).refused is None
    world.pass_time(hours=2)
    world.messages(150)
    once = world.check()
    assert (once.result.verdict, once.result.conclusive) == (Verdict.HOLD, True)
    assert world.promote().refused == "gate_not_passed"
    world.pass_time(hours=2)
    world.messages(150)
    assert world.check().result.verdict is Verdict.PASS
    done = world.promote(reason="two clean checks")
    assert done.refused is None, done.message
    assert len(world.sending()) == 5

    audits = world.audits()
    changes = [
        action for action, _ in audits if action not in ("release_gate_checked", "release_baseline_taken")
    ]
    assert changes == [
        "release_started",
        "release_promoted",
        "release_rolled_back",
        "release_promoted",
        "release_promoted",
    ]
    _, last = audits[-1]
    assert last["gate"]["verdict"] == "pass"
    assert (last["reason"], last["previousStage"], last["stage"], last["overridden"]) == (
        "two clean checks",
        "canary",
        "full",
        False,
    )


def test_asking_twice_at_once_is_not_two_checks(canary: World) -> None:
    canary.pass_time(hours=2)
    canary.messages(150)
    assert canary.check().result.conclusive
    canary.pass_time(minutes=1)
    again = canary.check()
    assert (again.result.conclusive, again.result.verdict) == (False, Verdict.HOLD)


def test_an_override_needs_a_reason_and_is_marked(canary: World) -> None:
    assert canary.promote(reason="  ", override=True).refused == "reason_missing"
    done = canary.promote(reason="sites are down for the weekend", override=True)
    assert done.after.stage is ReleaseStage.FULL
    assert done.after.overridden
    assert done.after.gate_result["verdict"] == "hold"
    assert canary.audits()[-1][1]["overridden"] is True


def test_a_canary_needs_somebody_in_it(world: World) -> None:
    assert world.promote().refused == "cohort_missing"
    assert world.promote(cohort={"accounts": [str(uuid4())]}).refused == "cohort_empty"
    few = world.promote(cohort={"percentage": 20})
    assert (few.refused, few.message) == (
        "cohort_empty",
        "no account belongs to that cohort: the first joins at 37 percent",
    )
    assert world.promote(cohort={"percentage": 37}).refused == "gate_not_passed"
    assert world.sending() == set()


def test_nothing_goes_on_without_baseline_and_evidence(world: World) -> None:
    refused = world.promote(cohort={"percentage": 100})
    assert refused.refused == "gate_not_passed"
    assert "baseline" in str(refused.message)
    assert "required_gates" in str(refused.message)
    assert world.sending() == set()


def test_rollback_goes_back_only(canary: World) -> None:
    assert canary.rollback(to=ReleaseStage.FULL).refused == "not_back"
    canary.promote(reason="go", override=True)
    back = canary.rollback(to=ReleaseStage.CANARY)
    assert back.after.cohort == {"accounts": [str(CANARY)]}
    assert canary.sending() == {"roomies"}


def test_the_watch_takes_back_by_itself_once_it_is_sustained(canary: World) -> None:
    for expected in (ReleaseStage.CANARY, ReleaseStage.SHADOW):
        canary.pass_time(hours=2)
        canary.messages(150)
        canary.errors("showing_booking_failed", 12)
        with canary.database.engine.begin() as conn:
            change = stages.watch(conn, SYSTEM, canary.now)
        assert change is not None
        assert change.after.stage is expected
    action, details = canary.audits()[-1]
    assert (action, details["gate"]["verdict"]) == ("release_rolled_back", "rollback")
    assert "showing_booking_failed" in details["reason"]
    with canary.database.engine.begin() as conn:
        assert stages.watch(conn, SYSTEM, canary.now) is None  # shadow needs no watching


def test_a_failed_gate_of_the_commit_takes_back(canary: World) -> None:
    canary.pass_time(hours=2)
    canary.evidence(critical=False)
    assert canary.check().result.verdict is Verdict.ROLLBACK


def breaker(world: World, sql: str) -> None:
    with world.database.engine.begin() as conn:
        conn.execute(text(sql), {"account": CANARY, "now": world.now - timedelta(minutes=5)})


BREAKERS = {
    "of the account": """UPDATE "AccountRuntime" SET circuit_state = 'open', circuit_failures = 3,
        circuit_open_until = :now WHERE platform_account_id = :account""",
    "of one action": """UPDATE "AccountRuntime" SET action_circuits = '{"send": {"state": "open", "failures": 3}}',
        updated_at = :now WHERE platform_account_id = :account""",
    "closed again": """INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, details, created_at,
        platform_account_id) VALUES ('system', 'platform_account', 'a', 'platform_circuit_opened', '{}', :now, :account)""",
}


@pytest.mark.parametrize("sql", BREAKERS.values(), ids=BREAKERS)
def test_a_breaker_that_opens_in_canary_takes_back(canary: World, sql: str) -> None:
    canary.pass_time(hours=2)
    assert canary.check().result.verdict is Verdict.HOLD
    canary.pass_time(minutes=30)
    breaker(canary, sql)
    check = canary.check()
    assert check.result.verdict is Verdict.ROLLBACK
    [circuits] = [rule for rule in check.result.rules if rule.name == "circuits"]
    assert circuits.numbers == {"open": ["roomies/Default Roomies"]}


def test_outages_of_shadow_that_are_over_hold_no_canary_back(world: World) -> None:
    world.pass_time(hours=3)
    breaker(world, BREAKERS["closed again"])
    rules = {rule.name: rule.kept for rule in world.check().result.rules}
    assert rules["circuits"]
    breaker(world, BREAKERS["of one action"])
    rules = {rule.name: rule.kept for rule in world.check().result.rules}
    assert not rules["circuits"]


def test_two_operators_at_once_leave_one_stage(canary: World) -> None:
    canary.rollback()
    assert canary.rollback().refused == "not_back"
    with canary.database.engine.connect() as conn:
        count = conn.execute(text('SELECT count(*) FROM "ReleaseStages" WHERE ended_at IS NULL')).scalar_one()
        assert count == 1
        current = release_stages.current(conn)
    assert current is not None
    assert current.stage is ReleaseStage.SHADOW


class Terminal:
    def __init__(self, database: Database) -> None:
        self.url = database.url

    def __call__(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        result = CliRunner().invoke(app, [*arguments, "--json", "--database-url", self.url])
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)


def test_the_commands_of_a_release(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("LEASE_BOT_ENV", "test")
    leasebot = Terminal(world.database)
    metadata = tmp_path_factory.mktemp("evidence") / "gates.json"
    checks = [{"name": f"{name}:suite", "status": "pass"} for name in ("critical", "quality", "smoke")]
    metadata.write_text(
        json.dumps({"commit": COMMIT, "finishedAt": "2026-11-24T09:00:00+00:00", "checks": checks})
    )
    assert (
        leasebot("release", "start", "--commit", COMMIT, "--reason", "a release")["after"]["stage"]
        == "shadow"
    )
    assert leasebot("release", "evidence", str(metadata))["gates"] == {
        "critical": True,
        "quality": True,
        "smoke": True,
    }
    rules = {rule["name"]: rule for rule in leasebot("gate", "--baseline", code=1)["rules"]}
    assert rules["required_gates"]["status"] == "pass"
    assert rules["baseline"]["status"] == "fail"  # no day of shadow yet
    assert leasebot("release", "promote", "--percentage", "100", "--reason", "go", code=1)["refused"] == (
        "gate_not_passed"
    )
    promoted = leasebot("release", "promote", "--percentage", "100", "--reason", "go", "--override")
    assert promoted["after"]["overridden"] is True
    assert leasebot("release", "kill", "--reason", "stop all") == {"engaged": True}
    assert leasebot("release", "rollback", "--reason", "back")["after"]["stage"] == "shadow"
    status = leasebot("release", "status")
    assert (status["current"]["stage"], status["killSwitches"]) == ("shadow", ["global"])
