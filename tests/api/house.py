"""Who the contract tests ask as, and the rows they start from."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text
from starlette.testclient import TestClient

from api.auth.cookies import unsign
from api.console.render import NOTICE_COOKIE
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.storage import bootstrap
from leasebot_pipeline.storage.tables import accounts
from tests.api.logins import SECRET, MovableClock, add_user, hold_session
from tests.conftest import Database
from tests.storage import rows

SPAREROOM = UUID("12111111-1111-1111-1111-111111111111")


@dataclass
class House:
    """Five accounts, two agents (Dana with a login) and the unit both show; requests as whom one likes."""

    client: TestClient
    database: Database
    clock: MovableClock
    dana: UUID
    marco: UUID
    unit: UUID
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The answer to a request as ``admin``, ``agent`` (Dana), ``unlinked`` (an agent's login) or ``stranger``."""
        cookie = {"cookie": self.cookies[who]} if who != "stranger" else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, path, json=body, headers={**cookie, **named})

    def send(self, who: str, path: str, **form: str) -> Any:
        """The answer to a form of the console's, not followed."""
        cookie = {"cookie": self.cookies[who]}
        return self.client.post(path, data=form, headers=cookie, follow_redirects=False)

    def page(self, who: str, path: str) -> str:
        """The console's page as text."""
        return str(self.client.get(path, headers={"cookie": self.cookies[who]}).text)

    @staticmethod
    def notice(answer: Any) -> str:
        """What the next page tells after a form's answer."""
        packed = unsign(answer.cookies[NOTICE_COOKIE].strip('"').replace("~", "="), SECRET)
        assert packed is not None
        return str(json.loads(base64.urlsafe_b64decode(packed))[1])

    def in_stage(self, stage: str | None) -> None:
        """Another stage of the release; None: no release was started."""
        with self.rows() as conn:
            change = 'UPDATE "ReleaseStages" SET stage = :stage' if stage else 'DELETE FROM "ReleaseStages"'
            conn.execute(text(change), {"stage": stage} if stage else {})

    def audits(self, action: str) -> list[dict[str, Any]]:
        query = text('SELECT * FROM "AuditLogs" WHERE action = :action ORDER BY id')
        with self.database.engine.connect() as conn:
            return [dict(row) for row in conn.execute(query, {"action": action}).mappings()]

    @contextmanager
    def rows(self) -> Iterator[Connection]:
        with self.database.engine.begin() as conn:
            yield conn


def build_house(client: TestClient, database: Database, clock: MovableClock) -> House:
    with database.engine.begin() as conn:
        choice = bootstrap.AccountChoice({"sessionRef": "env:SESSION"}, True, "session", SendMode.AUTO_SEND)
        bootstrap.ensure_required_accounts(conn, dict.fromkeys(Platform, choice))
        bootstrap.ensure_release_stage(conn, ReleaseStage.FULL, "tests", clock())
        dana = rows.agent(
            conn, platform_account_id=SPAREROOM, full_name="Dana Reyes", email="dana@example.com"
        )
        marco = rows.agent(conn, platform_account_id=SPAREROOM, full_name="Marco Klein")
        unit = rows.unit(conn, property_name="Elm House", unit_number="1A")
        for priority, agent in ((10, dana), (20, marco)):
            values = {"unit_id": unit, "agent_id": agent, "priority": priority}
            rows.add(conn, accounts.unit_agent_assignments, **values)
    house = House(client, database, clock, dana, marco, unit)
    for who, role in (("admin", "admin"), ("agent", "agent"), ("unlinked", "agent")):
        user = add_user(database, f"{who}@example.com", role, clock())
        hold_session(client, database, user, clock())
        house.cookies[who] = client.headers.pop("cookie")
        if who == "agent":
            with database.engine.begin() as conn:
                conn.execute(
                    text('UPDATE "Agents" SET user_id = :u WHERE id = :id'), {"u": user.id, "id": dana}
                )
    return house
