"""Each thing a platform may do to us: the tick says what was seen, nothing is invented, lost or doubled,
other platforms go on, and it recovers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from leasebot_pipeline.domain.failures import ACCOUNT_STOPPING_CODES
from leasebot_pipeline.domain.pacing import Pace
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.processes.accounts import account_choices
from leasebot_pipeline.processes.database import prepare_database
from leasebot_pipeline.processes.sandbox_environment import sandbox_variables
from leasebot_pipeline.sandbox import LOGIN_PASSWORD, LOGIN_USER
from leasebot_pipeline.sandbox.faults import Fault
from leasebot_pipeline.sandbox.testing import SandboxServer
from leasebot_pipeline.settings import load_settings
from leasebot_pipeline.stages import accounts, decide, dispatch, ingest, link, poll
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import invariants
from leasebot_pipeline.wiring import build_pipeline
from tests.conftest import Database

SICK, WELL = Platform.RENTHOP, Platform.LEASEBREAK
TOUR = "Hi! Could I come and see the apartment this week? Any time works."


@dataclass
class House:
    """Sandbox and pipeline, with a real browser."""

    sandbox: SandboxServer
    pipeline: Pipeline

    def cycle(self, platform: Platform) -> poll.PollResult:
        """What a tick and its run do."""
        polled = poll.poll(self.pipeline, platform, "test")
        ingest.ingest(self.pipeline, ingest.load(self.pipeline, platform), {}, "run")
        link.link(self.pipeline, platform, "run")
        decide.apply(self.pipeline, decide.plan(self.pipeline, platform, "run"), {}, "run")
        dispatch.dispatch(self.pipeline, platform, "run")
        return polled

    def run(self, statement: str) -> None:
        with self.pipeline.engine.begin() as conn:
            conn.execute(text(statement))

    def stored(self, platform: Platform) -> int:
        query = """SELECT count(*) FROM "Messages" m JOIN "Conversations" c ON c.id = m.conversation_id
                    JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
                   WHERE a.platform = :platform AND m.direction = 'inbound'"""
        with self.pipeline.engine.connect() as conn:
            return int(conn.execute(text(query), {"platform": platform.value}).scalar_one())


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def house(sandbox: SandboxServer, empty_database: Database, tmp_path: Path) -> Iterator[House]:
    variables = sandbox_variables(
        {}, host="127.0.0.1", control_port=1, login=LOGIN_USER, password=LOGIN_PASSWORD
    )
    urls = {f"{platform.env_prefix}_BASE_URL": url for platform, url in sandbox.base_urls.items()}
    settings = load_settings(
        {**variables, **urls, "DATABASE_URL": empty_database.url, "LEASE_BOT_DATA_DIR": str(tmp_path)}
    )
    prepare_database(
        empty_database.url,
        choices=account_choices(settings, sandbox=True),
        sandbox=True,
        now=datetime.now(UTC),
    )
    built = build_pipeline(settings, "tests")
    quick = replace(
        built.policy, paces={platform: Pace(0, 0) for platform in Platform}, action_deadline_s=6.0
    )
    try:
        yield House(sandbox, replace(built, policy=quick))
    finally:
        sandbox.clear_faults()
        built.connectors.close()
        built.engine.dispose()


SEEN = {
    Fault.CHALLENGE: "BOT_CHALLENGE",
    Fault.CAPTCHA: "CAPTCHA_REQUIRED",
    Fault.RATE_LIMITED: "RATE_LIMITED",
    Fault.SERVER_ERROR: "PLATFORM_UNAVAILABLE",
    Fault.HALF_PAGE: "PAGE_INCOMPLETE",
    Fault.CHANGED_MARKUP: "MARKUP_DRIFT",
    Fault.SLOW_PAGE: "PAGE_TIMEOUT",
    Fault.EXPIRED_SESSION: "SESSION_EXPIRED",
}


@pytest.mark.parametrize("fault", SEEN, ids=str)
@pytest.mark.timeout(120)
def test_a_fault_is_told_and_nothing_is_lost(house: House, fault: Fault) -> None:
    before = {platform: len(house.sandbox.received(platform)) for platform in (SICK, WELL)}
    known = {platform: house.stored(platform) for platform in (SICK, WELL)}
    for platform in (SICK, WELL):
        house.sandbox.add_lead(platform, TOUR)
    house.sandbox.fault(SICK, fault, seconds=30)

    polled = house.cycle(SICK)
    (account,) = polled.accounts
    assert account.code in (SEEN[fault], "DEADLINE_EXCEEDED" if fault is Fault.SLOW_PAGE else None)
    assert account.code in (polled.skip_reason or ""), "the tick says what was seen"
    assert house.stored(SICK) == known[SICK], "nothing is invented"

    house.cycle(WELL)
    assert len(house.sandbox.received(WELL)) == before[WELL] + 1, "other platforms go on"

    house.sandbox.clear_faults()
    if account.code in ACCOUNT_STOPPING_CODES:
        again = house.cycle(SICK)
        assert not again.accounts[0].visited, "a stopped account is left alone until a person acted"
        assert len(accounts.resume(house.pipeline.engine, SICK, actor="test")) == 1
    house.cycle(SICK)
    assert len(house.sandbox.received(SICK)) == before[SICK] + 1, "answered once after all"
    with house.pipeline.engine.connect() as conn:
        assert [result.name for result in invariants.check(conn) if not result.holds] == []


@pytest.mark.timeout(120)
def test_an_expired_session_of_a_login_account_is_renewed_by_itself(house: House) -> None:
    house.cycle(SICK)
    before = len(house.sandbox.received(SICK))
    house.sandbox.add_lead(SICK, TOUR)
    house.sandbox.fault(SICK, Fault.EXPIRED_SESSION, count=1)
    polled = house.cycle(SICK)
    assert polled.accounts[0].code is None
    assert len(house.sandbox.received(SICK)) == before + 1


@pytest.mark.timeout(120)
def test_an_invisible_captcha_badge_is_no_captcha(house: House) -> None:
    house.sandbox.fault(SICK, Fault.INVISIBLE_CAPTCHA_BADGE)
    assert house.cycle(SICK).accounts[0].code is None


@pytest.mark.timeout(120)
def test_a_click_whose_answer_was_lost_is_settled_by_reading_not_by_clicking_again(house: House) -> None:
    before = len(house.sandbox.received(SICK))
    house.sandbox.add_lead(SICK, TOUR)
    house.sandbox.fault(SICK, Fault.LOST_RESPONSE)
    house.cycle(SICK)
    house.sandbox.clear_faults()
    house.run(
        f"""UPDATE "OutboundDispatches" SET next_attempt_at = now() - interval '1 second',
              in_doubt_since = in_doubt_since - interval '{timedelta(minutes=2).seconds} seconds' WHERE state = 'unknown'"""
    )
    house.cycle(SICK)
    assert len(house.sandbox.received(SICK)) == before + 1
    with house.pipeline.engine.connect() as conn:
        states = conn.execute(text('SELECT state, receipt IS NOT NULL FROM "OutboundDispatches"')).all()
    assert [tuple(row) for row in states] == [("sent", True)]
