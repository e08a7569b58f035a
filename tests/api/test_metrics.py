"""`/metrics` and `/ready`: who may scrape, what is exported, what makes the API unready."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from starlette.testclient import TestClient

from api.app import create_app
from api.config import ApiConfig
from leasebot_pipeline.storage import rollups
from tests.api.conftest import MovableClock
from tests.api.observability_rows import Rows
from tests.conftest import Database

DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana" / "leasebot.json"
HERE, ELSEWHERE = "127.0.0.1", "203.0.113.9"
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}")


@pytest.fixture
def rows(database: Database, clock: MovableClock) -> Iterator[Rows]:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        yield Rows(conn, clock())


@pytest.fixture
def scraper(config: ApiConfig, clock: MovableClock) -> Iterator[TestClient]:
    with TestClient(create_app(config, clock=clock), client=(HERE, 1)) as client:
        yield client


def scrape(client: TestClient) -> dict[str, Metric]:
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(families: dict[str, Metric], sample: str, **labels: str) -> float | None:
    found = [
        one.value
        for family in families.values()
        for one in family.samples
        if one.name == sample and one.labels.items() >= labels.items()
    ]
    return found[0] if found else None


@pytest.mark.parametrize(
    ("address", "token", "headers", "status"),
    [
        (HERE, None, {}, 200),
        ("::1", "secret", {}, 200),
        (ELSEWHERE, None, {}, 401),
        (ELSEWHERE, "secret", {}, 401),
        (HERE, "secret", {"x-forwarded-for": ELSEWHERE}, 401),
        (ELSEWHERE, "secret", {"authorization": "Bearer secret"}, 200),
        (ELSEWHERE, "secret", {"authorization": "Bearer guess"}, 403),
        (ELSEWHERE, None, {"authorization": "Bearer None"}, 403),
    ],
)
def test_this_machine_or_the_token_may_scrape(
    config: ApiConfig,
    clock: MovableClock,
    address: str,
    token: str | None,
    headers: dict[str, str],
    status: int,
) -> None:
    app = create_app(replace(config, metrics_token=token), clock=clock)
    with TestClient(app, client=(address, 1)) as client:
        answer = client.get("/metrics", headers=headers)
        assert answer.status_code == status
        assert ("leasebot_database_up" in answer.text) == (status == 200)


def test_figures_are_those_of_the_rows(
    scraper: TestClient, rows: Rows, database: Database, clock: MovableClock
) -> None:
    account = rows.account("roomies")
    conversation = rows.conversation(account, outcome="human_required", hours=3)
    for outcome in ("succeeded", "succeeded", "failed", "running"):
        rows.visit(account, "roomies", outcome, hours=30)
    rows.conn.execute(
        text("""UPDATE "PlatformRuns" SET outcome = 'failed', latency_ms = 1500 WHERE outcome = 'running'""")
    )
    for delay_s in (4, 10, 100, 5000):
        rows.landed(account, "roomies", delay_s)
    rows.landed(account, "roomies", 40 * 3600)  # before the first visit
    rows.audit(
        "ai_reply_decision", platform="roomies", details={"outcome": "escalate", "provider": "heuristic"}
    )
    rows.audit("dagster_run_failed")
    for state in ("queued", "unknown", "sent", "dead_letter"):
        rows.dispatch(conversation, account, state)
    rows.reached(account, ingest_hours=1, send_hours=None)
    rows.conn.execute(
        text(
            """UPDATE "AccountRuntime" SET circuit_state = 'open', stopped_at = now(), stop_code = 'CAPTCHA'"""
        )
    )
    rollups.advance(database.engine, clock())
    seen = scrape(scraper)
    here = {"platform": "roomies"}
    visits = "leasebot_platform_visits_total"
    assert value(seen, visits, action="ingest", outcome="failed", **here) == 2
    assert value(seen, visits, action="ingest", outcome="succeeded", **here) == 2
    assert value(seen, "leasebot_platform_visit_duration_seconds_sum", outcome="failed", **here) == 1.5
    buckets = {
        bound: value(seen, "leasebot_ingest_latency_seconds_bucket", le=bound, **here)
        for bound in ("5.0", "10.0", "120.0", "+Inf")
    }
    assert buckets == {"5.0": 1, "10.0": 2, "120.0": 3, "+Inf": 4}
    assert value(seen, "leasebot_ingest_latency_seconds_sum", **here) == 5114
    assert value(seen, "leasebot_decisions_total", outcome="escalate", provider="heuristic", **here) == 1
    assert value(seen, "leasebot_run_failures_total", platform="unknown") == 1
    states = {
        state: value(seen, "leasebot_dispatches", state=state, platform="spareroom")
        for state in ("queued", "unknown", "dead_letter", "draft")
    }
    assert states == {"queued": 1, "unknown": 1, "dead_letter": 1, "draft": 0}
    assert value(seen, "leasebot_queue_depth", queue="human_required", **here) == 1
    since = value(seen, "leasebot_queue_oldest_timestamp_seconds", queue="human_required", **here)
    assert since == rows.at(3).timestamp()
    assert value(seen, "leasebot_circuits", state="open", **here) == 1
    assert value(seen, "leasebot_accounts_stopped", **here) == 1
    assert value(seen, "leasebot_digest_rows_behind", log="audit") == 0


def test_counters_never_shrink(
    scraper: TestClient, rows: Rows, database: Database, clock: MovableClock
) -> None:
    account = rows.account("roomies")
    rows.visit(account, "roomies", "succeeded")
    rows.landed(account, "roomies", 4)
    rows.audit("ai_reply_decision", platform="roomies", details={"outcome": "send"})

    def counters() -> dict[str, float]:
        return {
            f"{one.name} {sorted(one.labels.items())}": one.value
            for family in scrape(scraper).values()
            if family.type in ("counter", "histogram", "summary") and "http" not in family.name
            for one in family.samples
            if one.name.startswith("leasebot_")
        }

    rollups.advance(database.engine, clock())
    before = counters()
    assert (
        before[
            "leasebot_platform_visits_total [('action', 'ingest'), ('outcome', 'succeeded'), ('platform', 'roomies')]"
        ]
        == 1
    )
    for table in ("PlatformRuns", "InboundEvents", "AuditLogs"):
        rows.conn.execute(text(f'DELETE FROM "{table}"'))
    clock.forward(timedelta(days=30))
    rollups.advance(database.engine, clock())
    assert counters() == before


def test_labels_hold_no_ids_and_every_metric_explains_itself(scraper: TestClient, rows: Rows) -> None:
    conversation = rows.conversation(rows.account("roomies"))
    scraper.get(f"/api/inbox/{conversation}")
    scraper.get(f"/nowhere/{conversation}")
    scraper.request("BREW", "/nowhere")
    seen = scrape(scraper)
    count = "leasebot_http_request_duration_seconds_count"
    assert value(seen, count, method="GET", route="/api/inbox/{id}", status="401") == 1
    assert value(seen, count, method="GET", route="unmatched", status="404") == 1
    assert value(seen, count, method="other", route="unmatched", status="404") == 1
    for family in seen.values():
        assert family.documentation, family.name
        assert not [one for one in family.samples for label in one.labels.values() if _ID.search(label)]
        assert not re.search(r"_(ms|milliseconds|minutes|hours)(_|$)", family.name)


def test_a_database_that_is_away_is_a_figure_too(clock: MovableClock) -> None:
    config = ApiConfig(database_url="postgresql://nobody@127.0.0.1:1/none", auth_secret="x" * 32)
    with TestClient(create_app(config, clock=clock), client=(HERE, 1)) as client:
        assert value(scrape(client), "leasebot_database_up") == 0


def test_the_dashboard_asks_only_for_what_is_exported(
    scraper: TestClient, rows: Rows, database: Database, clock: MovableClock
) -> None:
    account = rows.account("roomies")
    rows.reached(account, ingest_hours=1, send_hours=1)
    rows.conn.execute(text('UPDATE "AccountRuntime" SET last_polled_at = now()'))
    rows.conversation(account, outcome="human_required")
    rows.visit(account, "roomies", "failed")
    rows.audit("ai_reply_decision")
    rows.conn.execute(
        text("""INSERT INTO "AlertIncidents" (key, type, platform, platform_account_id, action, event, opened_at, last_seen_at)
                VALUES ('k', 'rpa_circuit_opened', 'roomies', :account, 'ingest', '{}', now(), now())"""),
        {"account": account},
    )
    rollups.advance(database.engine, clock())
    scraper.get("/health")
    exported = {one.name for family in scrape(scraper).values() for one in family.samples}
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    asked = set(re.findall(r"\b(?:leasebot|process)_\w+", " ".join(queries)))
    assert len(queries) > 20
    assert asked - exported == set()


def test_what_is_behind_is_told_and_does_not_make_the_api_unready(
    client: TestClient, rows: Rows, clock: MovableClock
) -> None:
    read, stopped = rows.account("spareroom"), rows.account("roomies")
    rows.account("renthop")
    rows.reached(read, ingest_hours=1, send_hours=None)
    rows.reached(stopped, ingest_hours=1, send_hours=None)
    polled = text('UPDATE "AccountRuntime" SET last_polled_at = :at WHERE platform_account_id = :account')
    for account in (read, stopped):
        rows.conn.execute(polled, {"at": rows.at(0.02), "account": account})
    rows.conn.execute(
        text("""UPDATE "AccountRuntime" SET stopped_at = now(), stop_code = 'CAPTCHA_REQUIRED'
                 WHERE platform_account_id = :account"""),
        {"account": stopped},
    )
    rows.landed(read, "spareroom", 5, hours=2)
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    body = answer.json()
    assert body["dependencies"]["queue"] == {
        "ok": False,
        "detail": "1 wait, the oldest for 2 h (inbound, spareroom)",
    }
    assert body["platforms"] == {
        "spareroom": {"ok": True, "detail": "polled 72 s ago"},
        "roomies": {"ok": False, "detail": "1 of 1 accounts stopped (CAPTCHA_REQUIRED), polled 72 s ago"},
        "leasebreak": {"ok": True, "detail": "no active account"},
        "renthop": {"ok": False, "detail": "never polled"},
        "furnishedfinder": {"ok": True, "detail": "no active account"},
    }
    rows.conn.execute(text('UPDATE "InboundEvents" SET ingested_at = now()'))
    rows.conn.execute(text('UPDATE "AccountRuntime" SET stopped_at = NULL'))
    rows.conn.execute(text("""UPDATE "PlatformAccounts" SET is_active = false WHERE platform = 'renthop'"""))
    assert client.get("/ready").json()["status"] == "ready"
    clock.forward(timedelta(minutes=10))
    assert client.get("/ready").json()["platforms"]["spareroom"] == {
        "ok": False,
        "detail": "polled 11 min ago",
    }
