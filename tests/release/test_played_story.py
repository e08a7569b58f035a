"""A release from shadow to full on the sandbox: real pages, real stages, and a spike that the sites cause.

Without a browser: the sites' HTTP and the platforms' own parsers. Time is set forward, nothing is waited for. What the
gate judges is written by the stages and by the gates' own runner; the suites it runs here are empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from leasebot_pipeline.chaos.clock import PlayClock
from leasebot_pipeline.chaos.connector import HttpConnectors, SiteLogin
from leasebot_pipeline.chaos.worker import cycle, policy
from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.domain.follow_ups import FollowUpPolicy
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.domain.release_gate import REQUIRED_GATES, Verdict
from leasebot_pipeline.processes import practice
from leasebot_pipeline.release import evidence, gate, gates, stages
from leasebot_pipeline.sandbox import LOGIN_PASSWORD, LOGIN_USER
from leasebot_pipeline.sandbox.faults import Fault, Page
from leasebot_pipeline.sandbox.testing import SandboxServer
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import bootstrap, invariants
from tests.conftest import Database
from tests.release.conftest import CANARY, COMMIT, OPERATOR, World

NOON = datetime(2026, 11, 24, 17, tzinfo=UTC)
HERE, ELSEWHERE = Platform.ROOMIES, Platform.RENTHOP


@dataclass
class Play:
    """The team, its sites and its release."""

    sandbox: SandboxServer
    pipeline: Pipeline
    clock: PlayClock
    world: World
    folder: Path

    def pass_time(self, **span: float) -> None:
        self.clock.advance(timedelta(**span).total_seconds())
        set_database_clock(self.pipeline.engine, self.clock)
        with (
            self.pipeline.engine.begin() as conn
        ):  # doubt is aged by the database's clock, which did not move
            conn.execute(
                text(
                    'UPDATE "OutboundDispatches" SET in_doubt_since = in_doubt_since - CAST(:span AS interval)'
                ),
                {"span": timedelta(**span)},
            )
        self.sandbox.wake()

    def leads_write(self, platform: Platform, many: int) -> None:
        for _ in range(many):
            self.sandbox.add_lead(
                platform, "Hi, could I tour the apartment on Thursday after work?", reactions=[]
            )

    def work(self, *platforms: Platform) -> None:
        """Every stage, on each platform, as a worker does it."""
        for platform in platforms or tuple(Platform):
            free, _ = cycle(self.pipeline, platform, "run-1")
            assert free

    def run_gates(self, **codes: int) -> None:
        """`leasebot gates` and `leasebot release evidence`, with suites that end at once with the given code."""
        suites = {
            f"{name}:suite": ("-c", f"raise SystemExit({codes.get(name, 0)})") for name in REQUIRED_GATES
        }
        file, _ = gates.run(
            self.folder, self.clock, commit=COMMIT, run_id="play", ref="refs/heads/main", suites=suites
        )
        with self.pipeline.engine.begin() as conn:
            evidence.keep(conn, evidence.read(file), OPERATOR, self.clock())

    def check(self) -> gate.Check:
        self.world.now = self.clock()
        return self.world.check()

    def promote(self, **values: object) -> stages.StageChange:
        self.world.now = self.clock()
        return self.world.promote(**values)

    def broken(self) -> dict[str, int]:
        with self.pipeline.engine.connect() as conn:
            found = invariants.check(conn, self.clock())
        return {one.name: one.violations for one in found if one.violations}


def set_database_clock(engine: Engine, clock: PlayClock) -> None:
    """The database stamps audit rows by its own clock: it is as far ahead as the play's."""
    with engine.begin() as conn:
        conn.execute(text("UPDATE ahead SET seconds = :seconds"), {"seconds": clock.offset})


_DATABASE_CLOCK = """
    CREATE TABLE ahead (seconds double precision);
    INSERT INTO ahead VALUES (0);
    CREATE FUNCTION stamp_ahead() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      NEW.created_at := NEW.created_at + make_interval(secs => (SELECT seconds FROM ahead));
      RETURN NEW;
    END $$;
    CREATE TRIGGER stamp_ahead BEFORE INSERT ON "AuditLogs" FOR EACH ROW EXECUTE FUNCTION stamp_ahead();
"""


@pytest.fixture
def play(database: Database, tmp_path: Path) -> Iterator[Play]:
    clock = PlayClock(tmp_path / "clock")
    clock.advance((NOON - datetime.now(UTC)).total_seconds())
    with database.engine.begin() as conn:
        conn.exec_driver_sql(_DATABASE_CLOCK)
    set_database_clock(database.engine, clock)
    with database.engine.begin() as conn:
        choice = bootstrap.AccountChoice({}, True, "login", SendMode.AUTO_SEND)
        bootstrap.ensure_required_accounts(conn, dict.fromkeys(Platform, choice))
        bootstrap.ensure_release_stage(conn, ReleaseStage.SHADOW, "first start", clock())
        practice.prepare(conn, clock())
        stages.start(conn, OPERATOR, clock(), commit=COMMIT, reason="the release of the week")
    with SandboxServer(tmp_path / "sandbox", clock=clock) as sandbox:
        connectors = HttpConnectors(sandbox.base_urls, SiteLogin(LOGIN_USER, LOGIN_PASSWORD), clock)
        pipeline = Pipeline(
            engine=database.engine,
            clock=clock,
            connectors=connectors,
            provider=HeuristicProvider(),
            policy=replace(policy(), follow_ups=FollowUpPolicy(enabled=False)),
            sleep=lambda _seconds: None,
            fraction=lambda: 0.0,
        )
        yield Play(sandbox, pipeline, clock, World(database, clock()), tmp_path / "evidence")
        connectors.close()


def test_a_release_is_taken_back_for_what_the_sites_do_and_made_again(play: Play) -> None:
    # Shadow: everything is read and decided, and nobody hears from us.
    play.pass_time(hours=2)
    play.leads_write(HERE, 18)
    play.leads_write(ELSEWHERE, 4)
    play.work()
    play.pass_time(hours=23)
    with play.pipeline.engine.begin() as conn:
        baseline = gate.take_baseline(conn, OPERATOR, play.clock())
    play.run_gates(quality=1)
    refused = play.promote(cohort={"accounts": [str(CANARY)]})
    assert (refused.refused, "quality" in str(refused.message)) == ("gate_not_passed", True)
    play.run_gates()
    assert baseline.figures.inbound() == 22
    assert baseline.figures.decisions == 22
    assert play.sandbox.received() == []

    # Canary: Roomies is answered, the others are not.
    change = play.promote(cohort={"accounts": [str(CANARY)]})
    assert change.refused is None, change.message
    play.leads_write(HERE, 2)
    play.leads_write(ELSEWHERE, 1)
    play.work()
    assert (len(play.sandbox.received(HERE)), len(play.sandbox.received(ELSEWHERE))) == (2, 0)

    # The site takes replies no more. Each is tried, read back, tried once more, and given up.
    play.sandbox.fault(HERE, Fault.SERVER_ERROR, pages=[Page.REPLY])
    play.leads_write(HERE, 8)
    for _ in range(8):
        play.work(HERE)
        play.pass_time(minutes=10)
    look = play.check()
    failed = {rule.name for rule in look.result.rules if not rule.kept and rule.takes_back}
    assert look.result.verdict is Verdict.ROLLBACK, look.as_json()
    assert "failed_sends" in failed
    refused = play.promote()
    assert (refused.refused, refused.after and refused.after.stage) == (
        "gate_not_passed",
        ReleaseStage.CANARY,
    )
    play.world.rollback("Roomies takes no replies")
    play.sandbox.clear_faults()
    play.leads_write(HERE, 2)
    play.work()
    assert len(play.sandbox.received()) == 2, "nothing is sent from the rollback on"

    # Mended: the canary begins anew on the same baseline, and two clean checks make it full.
    play.pass_time(hours=1)
    change = play.promote(cohort={"accounts": [str(CANARY)]})
    assert change.refused is None, change.message
    for verdict in (Verdict.HOLD, Verdict.PASS):
        assert play.promote().refused == "gate_not_passed"
        play.pass_time(minutes=5)
        play.leads_write(HERE, 20)
        play.work()
        play.pass_time(hours=1)
        look = play.check()
        assert (look.result.verdict, look.result.conclusive) == (verdict, True), look.as_json()
    done = play.promote(reason="two clean checks")
    assert done.refused is None, done.message
    assert done.after is not None
    assert (done.after.stage, done.after.overridden) == (ReleaseStage.FULL, False)
    play.leads_write(ELSEWHERE, 1)
    play.work(ELSEWHERE)
    assert (len(play.sandbox.received(HERE)), len(play.sandbox.received(ELSEWHERE))) == (42, 1)
    assert play.broken() == {}

    # In full a spike is believed when it is seen twice, and then takes back just the same.
    play.sandbox.fault(HERE, Fault.SERVER_ERROR, pages=[Page.REPLY])
    for verdict in (Verdict.HOLD, Verdict.ROLLBACK):
        play.leads_write(HERE, 8)
        for _ in range(8):
            play.work(HERE)
            play.pass_time(minutes=7)
        look = play.check()
        [spike] = [rule for rule in look.result.rules if rule.name == "error_spike"]
        assert (look.result.verdict, spike.kept) == (verdict, False), look.as_json()
    play.world.rollback("the spike is sustained")
    play.sandbox.clear_faults()
    assert play.world.sending() == set()
    assert play.broken() == {}

    with (
        play.pipeline.engine.connect() as conn
    ):  # what the gate counted was written by runs, not by this test
        told = conn.execute(
            text(
                """SELECT action, run_id, count(*) FROM "AuditLogs"
                    WHERE action IN ('platform_dispatch_error', 'platform_dispatch_dlq') GROUP BY 1, 2"""
            )
        ).all()
    assert {(row.action, row.run_id) for row in told} == {
        ("platform_dispatch_error", "run-1"),
        ("platform_dispatch_dlq", "run-1"),
    }
    assert all(row.count >= 8 for row in told)
