"""The console over a loaded database: how long its pages and a tap take on loopback, and how large the first page is.

A fresh embedded server (fsync off) with 10,000 conversations of six messages, the API in a process of its own, one
connection kept alive as a browser has. A page is timed until its last byte; a tap is the form's answer, with the page it
is answered with. Sizes are bytes on the wire, compressed. Times are milliseconds of wall clock; the machine's load is beside
them.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from socket import create_server
from urllib.parse import quote, urlencode
from uuid import UUID

import psycopg
from sqlalchemy import Connection, Engine, text

from api.auth.cookies import CookieJar, sign
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.storage import auth, bootstrap, migrate, rollups
from leasebot_pipeline.storage.engine import create_engine
from leasebot_pipeline.storage.rollups import tallies
from leasebot_pipeline.storage.server import EmbeddedServer

SECRET = "a-secret-of-the-benchmark-that-is-long-enough"
DANA = UUID("d0000000-0000-4000-8000-000000000001")

# Of each hundred conversations: ten are asked for a person (one of those still unanswered), one has a draft, one is held.
_ROWS = (
    """INSERT INTO "Agents" (platform_account_id, full_name, timezone)
       SELECT (SELECT id FROM "PlatformAccounts" ORDER BY platform LIMIT 1), 'Agent ' || g, 'America/New_York'
         FROM generate_series(1, 39) g""",
    """INSERT INTO "Agents" (id, platform_account_id, full_name, timezone, user_id)
       SELECT :dana, id, 'Dana Reyes', 'America/New_York', :user FROM "PlatformAccounts" ORDER BY platform LIMIT 1""",
    """INSERT INTO "Units" (property_name, unit_number) SELECT 'Block ' || g % 20, g::text FROM generate_series(1, 200) g""",
    """INSERT INTO "Listings" (unit_id, platform_account_id, rent_cents, listing_external_id)
       SELECT u.id, a.id, 185000, u.unit_number FROM "Units" u, "PlatformAccounts" a""",
    """INSERT INTO "UnitAgentAssignments" (unit_id, agent_id, priority)
       SELECT u.id, g.id, 10 FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM "Units") u
         JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM "Agents") g ON g.n = u.n % 40 + 1""",
    """INSERT INTO "AvailabilityRules" (unit_id, day_of_week, start_time, end_time, timezone, status)
       SELECT id, d, '09:00', '17:00', 'America/New_York', 'open' FROM "Units", generate_series(1, 5) d""",
    """INSERT INTO "AvailabilitySlots" (unit_id, starts_at, ends_at, timezone, status, rule_id)
       SELECT unit_id, t, t + interval '8 hours', timezone, 'open', id
         FROM (SELECT r.*, date_trunc('week', :now) + interval '14 hours' + (w * 7 + day_of_week - 1) * interval '1 day' AS t
                 FROM "AvailabilityRules" r, generate_series(0, 8) w WHERE unit_id IS NOT NULL) x""",
    """INSERT INTO "AvailabilityRules" (agent_id, day_of_week, start_time, end_time, timezone, status)
       SELECT id, d, '09:00', '17:00', 'America/New_York', 'available' FROM "Agents", generate_series(1, 5) d""",
    """INSERT INTO "AgentAvailabilitySlots" (agent_id, starts_at, ends_at, timezone, status, rule_id)
       SELECT agent_id, t, t + interval '8 hours', timezone, 'available', id
         FROM (SELECT r.*, date_trunc('week', :now) + interval '14 hours' + (w * 7 + day_of_week - 1) * interval '1 day' AS t
                 FROM "AvailabilityRules" r, generate_series(0, 8) w WHERE agent_id IS NOT NULL) x""",
    """INSERT INTO "Conversations" (platform_account_id, listing_id, assigned_agent_id, external_thread_id, lead_name,
                                    last_message_at, workflow_state, workflow_outcome, workflow_updated_at, linkage_strategy)
       SELECT l.platform_account_id, l.id, CASE WHEN g % 10 = 3 THEN :dana ELSE p.id END, 'lead' || g, 'Lead no. ' || g,
              :now - g * interval '5 minutes',
              CASE WHEN g % 10 IN (1, 2) THEN 'outcome' ELSE 'lead' END,
              CASE g % 10 WHEN 1 THEN 'human_required' WHEN 2 THEN 'not_interested' END, :now - g * interval '5 minutes',
              'listing_external_id'
         FROM generate_series(1, :many) g
         JOIN (SELECT id, platform_account_id, row_number() OVER (ORDER BY id) AS n FROM "Listings") l ON l.n = g % 1000 + 1
         JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM "Agents") p ON p.n = g % 40 + 1""",
    """INSERT INTO "Messages" (conversation_id, sender_type, external_message_id, direction, body, metadata, sent_at, created_at)
       SELECT c.id, CASE n % 2 WHEN 1 THEN 'lead' ELSE 'agent' END, 'm' || n, CASE n % 2 WHEN 1 THEN 'inbound' ELSE 'outbound' END,
              'Hi, is the room still available? Could I see it on Thursday evening?',
              CASE n % 2 WHEN 1 THEN '{"aiProcessedAt": "x", "sentAtSource": "platform_thread"}'
                         ELSE '{"reviewStatus": "sent", "sentAtSource": "platform_thread"}' END::jsonb, at, at
         FROM (SELECT c.id, n, c.last_message_at - (6 - n) * interval '20 minutes' AS at
                 FROM "Conversations" c, generate_series(1, 6) n) c ORDER BY n""",
    """UPDATE "AccountRuntime" SET last_success_ingest_at = :now, last_success_send_at = :now, last_polled_at = :now""",
    # To do: a new question, decided, with a draft, held, or left for a person.
    """INSERT INTO "Messages" (conversation_id, sender_type, external_message_id, direction, body, metadata, sent_at, created_at)
       SELECT c.id, 'lead', 'q', 'inbound', 'And could I bring my dog?',
              jsonb_build_object('aiProcessedAt', 'x', 'reviewStatus', CASE WHEN n % 100 IN (11, 14) THEN 'hold' ELSE 'new' END),
              c.last_message_at, c.last_message_at
         FROM (SELECT *, substr(external_thread_id, 5)::int AS n FROM "Conversations") c WHERE n % 100 IN (11, 13, 14)""",
    """UPDATE "Conversations" c SET newest_inbound_seq = m.seq, handled_through_seq = m.seq
         FROM (SELECT conversation_id, max(seq) AS seq FROM "Messages" WHERE direction = 'inbound' GROUP BY 1) m
        WHERE m.conversation_id = c.id""",
    """INSERT INTO "Decisions" (conversation_id, platform_account_id, platform, inbound_message_id, through_seq, provider,
                                rules_version, intent, effective_intent, follow_up, confidence, risk_level, outcome, reason,
                                reasons, guardrails, policy, evidence, decided_at)
       SELECT c.id, c.platform_account_id, a.platform, m.id, m.seq, 'heuristic', '1', 'tour_request', 'tour_request', false, 0.9,
              'low', 'draft', 'policy_draft_required', '{policy_draft_required}', '{}', '{"isActive": true}', '{}', m.created_at
         FROM "Conversations" c JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
         JOIN "Messages" m ON m.conversation_id = c.id AND m.direction = 'inbound'""",
    """INSERT INTO "Messages" (conversation_id, sender_type, direction, body, metadata, created_at)
       SELECT id, 'agent', 'outbound', 'Yes, it is. Would Thursday at 6 pm suit you?', '{"reviewStatus": "draft"}', last_message_at
         FROM "Conversations" WHERE substr(external_thread_id, 5)::int % 100 = 13""",
    """INSERT INTO "OutboundDispatches" (purpose, purpose_key, conversation_id, platform_account_id, platform, external_thread_id,
                                         message_id, decision_id, body, state, based_on_seq, sent_at, receipt)
       SELECT 'decision', 'k' || m.seq, c.id, c.platform_account_id, a.platform, c.external_thread_id, m.id,
              CASE WHEN m.metadata ->> 'reviewStatus' = 'draft' THEN
                (SELECT d.id FROM "Decisions" d WHERE d.conversation_id = c.id ORDER BY through_seq DESC LIMIT 1) END, m.body,
              CASE WHEN m.sent_at IS NULL THEN 'draft' WHEN failed THEN 'dead_letter' ELSE 'sent' END, c.newest_inbound_seq,
              CASE WHEN NOT failed THEN m.sent_at END,
              CASE WHEN m.sent_at IS NOT NULL AND NOT failed THEN '{"externalMessageId": "m"}'::jsonb END
         FROM "Messages" m JOIN "Conversations" c ON c.id = m.conversation_id
         JOIN "PlatformAccounts" a ON a.id = c.platform_account_id,
              LATERAL (SELECT COALESCE(m.external_message_id = 'm6' AND c.external_thread_id LIKE 'lead%77', false) AS failed) f
        WHERE m.direction = 'outbound'""",
    """INSERT INTO "ShowingAppointments" (idempotency_key, platform_account_id, unit_id, agent_id, conversation_id, starts_at,
                                          ends_at, timezone, status)
       SELECT 's' || c.n, c.platform_account_id, l.unit_id, c.assigned_agent_id, c.id, c.t, c.t + interval '30 minutes',
              'America/New_York', CASE WHEN c.t < :now THEN 'completed' ELSE 'confirmed' END
         FROM (SELECT x.*, substr(external_thread_id, 5)::int AS n,
                      date_trunc('hour', :now) + ((row_number() OVER (PARTITION BY assigned_agent_id ORDER BY id)) * 5 - 240)
                        * interval '1 hour' AS t FROM "Conversations" x WHERE substr(external_thread_id, 5)::int % 5 = 4) c
         JOIN "Listings" l ON l.id = c.listing_id ON CONFLICT DO NOTHING""",
    """INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, details, created_at, platform, conversation_id, agent_id)
       SELECT 'worker', 'conversation', c.id::text,
              (ARRAY['ai_reply_decision', 'ai_reply_created', 'platform_dispatch_sent', 'ai_reply_escalated'])[n + 1],
              '{"provider": "heuristic", "outcome": "draft", "escalationReasonCode": "escalate_ambiguous_intent"}',
              c.last_message_at, a.platform, c.id, c.assigned_agent_id::text
         FROM "Conversations" c JOIN "PlatformAccounts" a ON a.id = c.platform_account_id, generate_series(0, 3) n""",
)


@dataclass(frozen=True)
class Loaded:
    """What the benchmark looks at."""

    cookies: dict[str, str]
    drafts: list[tuple[UUID, UUID]]
    """Conversations and their drafts."""


def fill(engine: Engine, many: int, now: datetime) -> Loaded:
    migrate.upgrade(engine)
    with engine.begin() as conn:
        choice = bootstrap.AccountChoice({"sessionRef": "env:SESSION"}, True, "session", SendMode.AUTO_SEND)
        bootstrap.ensure_required_accounts(conn, dict.fromkeys(Platform, choice))
        bootstrap.ensure_release_stage(conn, ReleaseStage.FULL, "benchmark", now)
        cookies, users = {}, {}
        for role in ("admin", "agent"):
            users[role], cookies[role] = _session(conn, role, now)
    values = {"now": now, "many": many, "dana": DANA, "user": users["agent"]}
    for statement in _ROWS:
        with engine.begin() as conn:
            sql = text(statement)
            conn.execute(sql, {name: values[name] for name in sql.compile().params})
    with engine.begin() as conn:
        tallies.mend(conn, now)
    rollups.advance(engine, now, timedelta(hours=1))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("VACUUM ANALYZE"))
        drafts = conn.execute(
            text(
                """SELECT conversation_id, id FROM "Messages" WHERE metadata ->> 'reviewStatus' = 'draft' ORDER BY seq"""
            )
        ).all()
    return Loaded(cookies, [(row.conversation_id, row.id) for row in drafts])


def _session(conn: Connection, role: str, now: datetime) -> tuple[str, str]:
    """A user of the role and a session's cookie."""
    user = auth.create_user(conn, name=role, email=f"{role}@example.com", password_hash="x", now=now)
    conn.execute(text('UPDATE "user" SET role = :role WHERE id = :id'), {"role": role, "id": user.id})
    session = auth.create_session(
        conn, user_id=user.id, expires_at=now + timedelta(days=1), now=now, ip_address="", user_agent=""
    )
    name = CookieJar(SECRET, secure=False).session_token
    return user.id, f"{name}={quote(sign(session.token, SECRET))}"


@contextmanager
def served(url: str) -> Iterator[int]:
    """The API as it is started in production, on a free port of this machine."""
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = {"DATABASE_URL": url, "BETTER_AUTH_SECRET": SECRET, "API_HOST": "127.0.0.1", "API_PORT": str(port)}
    told |= {"API_BASE_URL": f"http://127.0.0.1:{port}", "API_LOG_LEVEL": "warning"}
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    process = subprocess.Popen([sys.executable, "-m", "api"], env=environment | told)
    try:
        for _ in range(300):
            try:
                HTTPConnection("127.0.0.1", port, timeout=5).request("GET", "/health")
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(20)


class Browser:
    """One connection kept alive, with a session."""

    def __init__(self, port: int, cookie: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"accept-encoding": "gzip", "origin": f"http://127.0.0.1:{port}"}
        if cookie:
            self._headers["cookie"] = cookie

    def ask(self, method: str, path: str, form: dict[str, str] | None = None) -> tuple[int, bytes, str]:
        """Status, bytes as they came, and where it leads."""
        headers = self._headers | ({"content-type": "application/x-www-form-urlencoded"} if form else {})
        body = urlencode(form) if form else None
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
        except RemoteDisconnected:  # idle for longer than the server keeps it
            self._connection.close()
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
        return answer.status, answer.read(), answer.getheader("location") or ""

    def text(self, path: str) -> str:
        self._headers["accept-encoding"] = "identity"
        found = self.ask("GET", path)[1].decode()
        self._headers["accept-encoding"] = "gzip"
        return found

    def page(self, path: str) -> int:
        """Bytes of the page."""
        status, body, _ = self.ask("GET", path)
        if status != 200:
            raise SystemExit(f"{path}: {status}")
        return len(body)

    def tap(self, path: str, form: dict[str, str]) -> None:
        """Send a form as the console's script does, until the page it is answered with is there."""
        self._headers["hx-request"] = "true"
        status, body, location = self.ask("POST", path, form)
        if status == 303:
            self.page(location.partition("#")[0])
        elif status != 200:
            raise SystemExit(f"{path}: {status} {body[:500]!r}")
        del self._headers["hx-request"]


def figures(taken: list[float]) -> dict[str, float]:
    return {
        "p50_ms": round(statistics.median(taken), 1),
        "p95_ms": round(statistics.quantiles(taken, n=20)[18], 1),
    }


def pages(loaded: Loaded) -> dict[str, tuple[str, str]]:
    conversation, _ = loaded.drafts[0]
    return {
        "today": ("admin", "/admin/today"),
        "today, agent": ("agent", "/agent/today"),
        "inbox": ("admin", "/admin/inbox"),
        "inbox, agent": ("agent", "/agent/inbox"),
        "waiting": ("admin", "/admin/inbox?status=waiting"),
        "held": ("admin", "/admin/inbox?status=hold"),
        "search": ("admin", "/admin/inbox?q=no.+77"),
        "conversation": ("admin", f"/admin/inbox/{conversation}"),
        "times to offer": ("admin", f"/admin/inbox/{conversation}/slots"),
        "showings, list": ("admin", "/admin/showings"),
        "showings, week": ("admin", "/admin/showings?view=week"),
        "showings, month": ("admin", "/admin/showings?view=month"),
        "my showings": ("agent", "/agent/appointments"),
        "availability": ("agent", "/agent/availability"),
        "assignments": ("admin", "/admin/assignments"),
        "platform": ("admin", "/admin/platform"),
        "observability": ("admin", "/admin/observability"),
        "audit": ("admin", "/admin/audit"),
    }


def run(port: int, loaded: Loaded, rounds: int, only: str) -> dict[str, object]:
    browsers = {who: Browser(port, loaded.cookies.get(who, "")) for who in ("admin", "agent", "stranger")}
    result: dict[str, object] = {}
    for name, (who, path) in pages(loaded).items():
        if only not in name:
            continue
        taken = []
        for number in range(rounds + 2):
            started = time.perf_counter()
            size = browsers[who].page(path)
            if number >= 2:
                taken.append((time.perf_counter() - started) * 1000)
        result[name] = figures(taken) | {"bytes": size}
    drafts = iter(loaded.drafts[1:])
    for act in ("approve", "reject"):
        taken = []
        for _ in range(rounds):
            conversation, message = next(drafts)
            shown = browsers["admin"].text(f"/admin/inbox/{conversation}")
            form = {name: _field(shown, name) for name in ("version", "before")} | {"act": act}
            form["body"] = form["before"]
            started = time.perf_counter()
            browsers["admin"].tap(f"/admin/inbox/{conversation}/drafts/{message}", form)
            taken.append((time.perf_counter() - started) * 1000)
        result[act] = figures(taken)
    taken = []
    for number in range(rounds):
        started = time.perf_counter()
        note = {"body": f"note {number}", "key": f"benchmark-{number}"}
        browsers["admin"].tap(f"/admin/inbox/{loaded.drafts[0][0]}/notes", note)
        taken.append((time.perf_counter() - started) * 1000)
    result["note"] = figures(taken)
    first = {
        who: whole_page(browsers[who], path)
        for who, path in (("stranger", "/login"), ("admin", "/admin/inbox"), ("agent", "/agent/today"))
    }
    return result | {"first_page_bytes": first}


def _field(page: str, name: str) -> str:
    """The value of the first field of that name."""
    found = re.search(rf'name="{name}"[^>]*?value="([^"]*)"', page)
    if found is None:
        raise SystemExit(f"no field {name}")
    return html.unescape(found[1])


def whole_page(browser: Browser, path: str) -> dict[str, int]:
    """Compressed bytes of a page and of each file it needs from us."""
    assets = set(re.findall(r'(?:src|href)="(/console/static/[^"#]+)', browser.text(path)))
    sizes = {path: browser.page(path)} | {
        asset.partition("?")[0]: browser.page(asset) for asset in sorted(assets)
    }
    return sizes | {"all": sum(sizes.values())}


@contextmanager
def loaded_console(conversations: int, folder: Path | None = None) -> Iterator[tuple[int, Loaded]]:
    """The port of an API over a database of its own with that many conversations."""
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o755)
        with EmbeddedServer(Path(place), durable=False) as server:
            with psycopg.connect(server.url("postgres"), autocommit=True) as conn:
                conn.execute("CREATE DATABASE console")
            engine = create_engine(
                server.url("console"),
                application_name="benchmark",
                pool_size=1,
                statement_timeout=timedelta(hours=1),
            )
            loaded = fill(engine, conversations, datetime.now(UTC))
            engine.dispose()
            with served(server.url("console")) as port:
                yield port, loaded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", default="", help="of the pages only those whose name has this in it")
    parser.add_argument("--folder", type=Path, help="where the server's files go, for example in memory")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with loaded_console(args.conversations, args.folder) as (port, loaded):
        result = run(port, loaded, args.rounds, args.only)
    result["load"] = [round(one, 1) for one in os.getloadavg()]
    if args.json:
        print(json.dumps(result))
        return
    for name, figure in result.items():
        print(f"{name:<18}{figure}")


if __name__ == "__main__":
    main()
