"""A team of five accounts in shadow for a day, and what happens in it, written row by row."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from leasebot_pipeline.domain.platforms import REQUIRED_ACCOUNTS, Platform, ReleaseStage, SendMode
from leasebot_pipeline.domain.release_gate import REQUIRED_GATES
from leasebot_pipeline.release import gate, stages
from leasebot_pipeline.storage import bootstrap, policies, release_gate
from leasebot_pipeline.storage.outbox_operations import Actor
from tests.conftest import Database

START = datetime(2026, 11, 24, 6, tzinfo=UTC)
CANARY = REQUIRED_ACCOUNTS[1].id
"""The account on Roomies."""
OPERATOR = Actor("admin", "ops@example.com")
COMMIT = "4f2a9c1"


@dataclass
class World:
    database: Database
    now: datetime = START
    _numbers: Any = field(default_factory=lambda: count(1))

    def pass_time(self, **span: float) -> None:
        self.now += timedelta(**span)

    def messages(self, many: int, over: timedelta = timedelta(hours=2)) -> None:
        """Inbound messages spread over the five accounts and the time before now."""
        with self.database.engine.begin() as conn:
            conn.execute(
                text("""
                WITH thread AS (
                  INSERT INTO "Conversations" (platform_account_id, external_thread_id)
                  SELECT id, 'thread-' || :n || '-' || id FROM "PlatformAccounts" RETURNING id)
                INSERT INTO "Messages" (conversation_id, sender_type, direction, body, sent_at)
                SELECT t.id, 'lead', 'inbound', 'Is it free?', :now - random() * CAST(:over AS interval)
                  FROM (SELECT id FROM thread) t, generate_series(1, :each)"""),
                {"n": next(self._numbers), "now": self.now, "over": over, "each": many // 5},
            )

    def errors(self, action: str, many: int, account: UUID = CANARY) -> None:
        with self.database.engine.begin() as conn:
            conn.execute(
                text("""
                INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, details, created_at,
                                         platform, platform_account_id)
                SELECT 'worker', 'message', 'm', :action, '{}', :now - interval '5 minutes', a.platform, a.id
                  FROM "PlatformAccounts" a, generate_series(1, :many) WHERE a.id = :account"""),
                {"action": action, "now": self.now, "many": many, "account": account},
            )

    def evidence(self, **gates: bool) -> None:
        with self.database.engine.begin() as conn:
            for name, passed in gates.items():
                release_gate.record_evidence(
                    conn, COMMIT, name, passed=passed, details={}, finished_at=self.now, now=self.now, by="ci"
                )

    def check(self) -> gate.Check:
        with self.database.engine.begin() as conn:
            return gate.check(conn, OPERATOR, self.now)

    def promote(self, **values: Any) -> stages.StageChange:
        with self.database.engine.begin() as conn:
            return stages.promote(conn, OPERATOR, self.now, **{"reason": "tests", **values})

    def rollback(self, reason: str = "tests", **values: Any) -> stages.StageChange:
        with self.database.engine.begin() as conn:
            return stages.rollback(conn, OPERATOR, self.now, reason=reason, **values)

    def sending(self) -> set[str]:
        """Platforms whose account may send by itself now, as every stage reads it."""
        with self.database.engine.connect() as conn:
            return {
                platform.value
                for platform in Platform
                for policy in policies.account_policies(conn, platform, SendMode.AUTO_SEND).values()
                if policy.effective_send_mode is SendMode.AUTO_SEND
            }

    def audits(self) -> list[tuple[str, dict[str, Any]]]:
        with self.database.engine.connect() as conn:
            rows = conn.execute(
                text("""SELECT action, details FROM "AuditLogs" WHERE action LIKE 'release_%' ORDER BY id""")
            )
            return [(row.action, json.loads(json.dumps(row.details))) for row in rows]


@pytest.fixture
def world(database: Database) -> World:
    world = World(database)
    with database.engine.begin() as conn:
        choice = bootstrap.AccountChoice({}, True, "login", SendMode.AUTO_SEND)
        bootstrap.ensure_required_accounts(conn, dict.fromkeys(Platform, choice))
        bootstrap.ensure_release_stage(conn, ReleaseStage.SHADOW, "first start", world.now)
        stages.start(conn, OPERATOR, world.now, commit=COMMIT, reason="release 4f2a9c1")
    return world


@pytest.fixture
def canary(world: World) -> World:
    """Shadow for a day, a baseline, all gates passed, and a canary on one account."""
    world.pass_time(hours=25)
    world.messages(200, over=timedelta(hours=23))
    world.errors("ai_reply_error", 2)
    world.evidence(**dict.fromkeys(REQUIRED_GATES, True))
    with world.database.engine.begin() as conn:
        gate.take_baseline(conn, OPERATOR, world.now)
    change = world.promote(cohort={"accounts": [str(CANARY)]})
    assert change.refused is None, change.message
    return world
