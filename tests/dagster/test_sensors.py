"""The sensors, evaluated as Dagster does: what they ask for, what they say, what they report."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, TickData, TickStatus
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from assets.common import PLATFORM_TAG
from assets.inventory import listings_asset
from assets.jobs import INBOX_PIPELINE, LISTING_SYNC
from assets.platforms import inbox_key
from assets.retention import purge_runs, purge_ticks
from leasebot_pipeline.definitions import (
    build_definitions,
    due_dispatches,
    record_run_failure,
    requested_listings,
)
from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.settings import load_settings
from leasebot_pipeline.storage import rollups, sync_requests
from sensors.failures import failure_of
from sensors.inbox import inbox_sensor
from sensors.listings import listing_requests, listings_at_start
from sensors.outbox import outbox_sensor
from tests.dagster.conftest import NOON, PLATFORM, Office

ROOT = Path(__file__).parents[2]
INTERVAL = timedelta(seconds=15)
TAGS = {PLATFORM_TAG: PLATFORM.value}


def tick(office: Office, sensor: dg.SensorDefinition, cursor: str | None = None) -> dg.SensorResult:
    context = dg.build_sensor_context(
        instance=office.instance, cursor=cursor, resources={"pipeline": office.pipeline}
    )
    result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result


@pytest.fixture
def inbox() -> dg.SensorDefinition:
    return inbox_sensor(PLATFORM, INTERVAL, enabled=True)


def reason(result: dg.SensorResult) -> str:
    assert result.skip_reason is not None
    return str(result.skip_reason.skip_message)


def test_a_new_message_asks_for_one_run_of_its_platform(office: Office, inbox: dg.SensorDefinition) -> None:
    office.lead_writes("t1", "Hi, can I come for a tour?")
    office.lead_writes("t2", "Is it free?")
    requests = tick(office, inbox).run_requests
    assert requests is not None
    assert [(request.partition_key, request.tags[PLATFORM_TAG]) for request in requests] == [
        ("roomies", "roomies")
    ]
    assert office.rows('SELECT count(*) FROM "InboundEvents"') == [(2,)]


def test_a_quiet_inbox_is_skipped_with_what_was_seen(office: Office, inbox: dg.SensorDefinition) -> None:
    result = tick(office, inbox)
    assert not result.run_requests
    assert "inbox read in" in reason(result)
    assert "0 threads, none changed" in reason(result)


def test_an_expired_session_is_told_and_the_next_tick_leaves_the_account_alone(
    office: Office, inbox: dg.SensorDefinition
) -> None:
    office.inbox().failures.append(PlatformFailure("SESSION_EXPIRED", "the login page was shown"))
    assert "SESSION_EXPIRED" in reason(tick(office, inbox))
    later = tick(office, inbox)
    assert "stopped since" in reason(later)
    assert "renewed" in reason(later)
    assert not office.inbox().failures


def test_work_that_is_left_asks_for_a_run_though_nothing_is_new(
    office: Office, inbox: dg.SensorDefinition
) -> None:
    office.lead_writes("t1", "Hi, can I come for a tour?")
    tick(office, inbox)
    office.clock.advance(seconds=15)
    assert tick(office, inbox).run_requests


def test_no_second_run_is_asked_for_while_one_is_starting(office: Office, inbox: dg.SensorDefinition) -> None:
    office.lead_writes("t1", "Hi, can I come for a tour?")
    office.instance.add_run(
        dg.DagsterRun(
            job_name=INBOX_PIPELINE.name, run_id=RUN_ID, status=dg.DagsterRunStatus.STARTING, tags=TAGS
        )
    )
    result = tick(office, inbox)
    assert not result.run_requests
    assert f"left to run {RUN_ID[:8]}" in reason(result)
    assert office.rows('SELECT count(*) FROM "InboundEvents"') == [(1,)]


def test_a_run_of_another_platform_is_in_nobodys_way(office: Office, inbox: dg.SensorDefinition) -> None:
    office.lead_writes("t1", "Hi, can I come for a tour?")
    tags = {PLATFORM_TAG: Platform.RENTHOP.value}
    run = dg.DagsterRun(
        job_name=INBOX_PIPELINE.name, run_id=RUN_ID, status=dg.DagsterRunStatus.STARTED, tags=tags
    )
    office.instance.add_run(run)
    assert tick(office, inbox).run_requests


def test_polls_report_what_the_inbox_showed_and_stay_silent_without_news(
    office: Office, inbox: dg.SensorDefinition
) -> None:
    office.lead_writes("t1", "Hi, can I come for a tour?")
    first = tick(office, inbox)
    assert len(first.asset_events) == 1
    observation = first.asset_events[0]
    assert observation.asset_key == inbox_key(PLATFORM)
    shown = {name: value.value for name, value in observation.metadata.items()}
    assert (shown["rows_seen"], shown["threads_changed"], shown["messages_landed"]) == (1, 1, 1)
    office.clock.advance(seconds=15)
    second = tick(office, inbox, first.cursor)
    assert not second.asset_events
    office.inbox().failures.append(PlatformFailure("PAGE_TIMEOUT", "the inbox was not there after 20 s"))
    office.clock.advance(seconds=15)
    third = tick(office, inbox, second.cursor)
    assert third.asset_events[0].metadata["failure"].value == "PAGE_TIMEOUT"


def test_due_replies_ask_for_a_run_of_their_platform_alone(office: Office) -> None:
    outbox = outbox_sensor(due_dispatches)
    assert reason(tick(office, outbox)) == "no reply is due"
    queue_reply(office)
    requests = tick(office, outbox).run_requests
    assert requests is not None
    assert [request.partition_key for request in requests] == ["roomies"]
    run = dg.DagsterRun(
        job_name=INBOX_PIPELINE.name, run_id=RUN_ID, status=dg.DagsterRunStatus.STARTED, tags=TAGS
    )
    office.instance.add_run(run)
    assert "left to run" in reason(tick(office, outbox))


def test_listings_are_read_once_after_each_start(office: Office) -> None:
    sensor = listings_at_start(enabled=True)
    first = tick(office, sensor)
    assert first.run_requests
    assert not tick(office, sensor, first.cursor).run_requests
    assert tick(office, sensor, "an earlier start").run_requests


def test_listings_somebody_asked_for_are_read_in_one_run(office: Office) -> None:
    sensor = listing_requests(requested_listings)
    assert reason(tick(office, sensor)) == "nobody asked for listings"
    with office.pipeline.engine.begin() as conn:
        sync_requests.ask_listings(conn, [PLATFORM.value], None, office.pipeline.clock())
    [request] = tick(office, sensor).run_requests or []
    result = dg.materialize(
        [listings_asset([])],
        instance=office.instance,
        resources={"pipeline": office.pipeline},
        run_config=request.run_config,
    )
    assert result.asset_materializations_for_node("listings")[0].metadata["fetched"].value == 3
    assert reason(tick(office, sensor)) == "nobody asked for listings"


def test_a_request_waits_for_the_sync_under_way(office: Office) -> None:
    with office.pipeline.engine.begin() as conn:
        sync_requests.ask_listings(conn, [PLATFORM.value], None, office.pipeline.clock())
    started = dg.DagsterRunStatus.STARTED
    office.instance.add_run(dg.DagsterRun(job_name=LISTING_SYNC.name, run_id=RUN_ID, status=started))
    assert "under way" in reason(tick(office, listing_requests(requested_listings)))


def test_a_failed_run_becomes_an_audit_row_with_its_cause(office: Office) -> None:
    @dg.op
    def explode() -> None:
        raise ValueError("the page has no end\nand here a lead is quoted")

    @dg.job(tags=TAGS)
    def exploding() -> None:
        explode()

    result = exploding.execute_in_process(instance=office.instance, raise_on_error=False)
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failures",
        dagster_instance=office.instance,
        dagster_run=result.dagster_run,
        dagster_event=result.get_run_failure_event(),
    ).for_run_failure()
    record_run_failure(office.pipeline, failure_of(context))
    rows = office.rows(
        "SELECT platform, run_id, entity_id, details FROM \"AuditLogs\" WHERE action = 'dagster_run_failed'"
    )
    assert [row[:3] for row in rows] == [("roomies", result.run_id, result.run_id)]
    details = json.dumps(rows[0][3])
    assert '"step": "explode"' in details
    assert "the page has no end" in details
    assert "a lead is quoted" not in details


def test_a_run_stopped_by_a_check_names_the_check(office: Office) -> None:
    spec = dg.AssetCheckSpec("too_few", asset="things", blocking=True)

    @dg.asset(check_specs=[spec])
    def things() -> dg.MaterializeResult:  # type: ignore[type-arg]
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=False)])

    result = dg.materialize([things], instance=office.instance, raise_on_error=False)
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failures",
        dagster_instance=office.instance,
        dagster_run=result.dagster_run,
        dagster_event=result.get_run_failure_event(),
    ).for_run_failure()
    assert "things: too_few" in failure_of(context).error


def test_old_finished_runs_go_and_the_others_stay(office: Office) -> None:
    finished = [
        dg.job(name="done")(lambda: None).execute_in_process(instance=office.instance).run_id for _ in "ab"
    ]
    waiting = dg.DagsterRun(job_name="waits", run_id=RUN_ID, status=dg.DagsterRunStatus.STARTING)
    office.instance.add_run(waiting)
    soon = datetime.now(UTC) + timedelta(hours=1)
    assert purge_runs(office.instance, datetime.now(UTC) - timedelta(days=14)) == 0
    assert purge_runs(office.instance, soon) == len(finished)
    assert [run.run_id for run in office.instance.get_runs()] == [RUN_ID]


def test_loading_the_definitions_opens_nothing_and_sensors_share_one_pipeline(office: Office) -> None:
    url = office.pipeline.engine.url.render_as_string(hide_password=False)
    settings = load_settings({"LEASE_BOT_RPA_RUNTIME": "mock", "DATABASE_URL": url})
    definitions = build_definitions(settings)
    assert definitions.resources is not None
    repository = definitions.get_repository_def()
    before = office.rows(CONNECTIONS)
    pipelines = []
    for said in ("none changed", "next look"):
        context = dg.build_sensor_context(instance=office.instance, resources=definitions.resources)
        with context:
            result = repository.get_sensor_def("inbox_roomies").evaluate_tick(context)
            pipelines.append(context.resources.pipeline)
        assert said in str(result.skip_message)
    assert before == [(0,)]
    assert pipelines[0] is pipelines[1]
    assert office.rows(CONNECTIONS) == [(1,)]


def test_a_run_gets_a_pipeline_of_its_own_and_leaves_nothing_open(office: Office) -> None:
    url = office.pipeline.engine.url.render_as_string(hide_password=False)
    definitions = build_definitions(load_settings({"LEASE_BOT_RPA_RUNTIME": "mock", "DATABASE_URL": url}))
    result = definitions.resolve_job_def("inbox_pipeline").execute_in_process(
        instance=office.instance, partition_key=PLATFORM.value
    )
    assert result.success
    like = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'leasebot %' AND datname = current_database()"
    assert office.rows(like) == [(0,)]


CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'leasebot sensors' AND datname = current_database()"
RUN_ID = "0a1b2c3d-0000-4000-8000-000000000000"


def queue_reply(office: Office) -> None:
    """A reply that is due: what a retry or a person's own answer looks like."""
    office.run(
        """
        WITH c AS (
          INSERT INTO "Conversations" (platform_account_id, external_thread_id)
          SELECT id, 't1' FROM "PlatformAccounts" WHERE platform = 'roomies' RETURNING id, platform_account_id)
        INSERT INTO "OutboundDispatches" (purpose, purpose_key, conversation_id, platform_account_id, platform,
               external_thread_id, body, state)
        SELECT 'manual_reply', 'manual:1', id, platform_account_id, 'roomies', 't1', 'Hello Ana', 'queued' FROM c
        """
    )


def night(office: Office, data_dir: Path) -> tuple[dict[str, object], str | None]:
    """Run the nightly job; what its asset says, and what its check found wrong."""
    settings = load_settings({"LEASE_BOT_RPA_RUNTIME": "mock", "LEASE_BOT_DATA_DIR": str(data_dir)})
    result = (
        build_definitions(settings)
        .resolve_job_def("maintenance")
        .execute_in_process(
            instance=office.instance, resources={"pipeline": office.pipeline}, raise_on_error=False
        )
    )
    [made] = result.asset_materializations_for_node("retention")
    [check] = result.get_asset_check_evaluations()
    assert check.passed is result.success
    return {name: value.value for name, value in made.metadata.items()}, check.description


def test_a_part_of_the_night_that_fails_is_told_and_keeps_no_other(office: Office, tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("a file where the directory should be")
    office.run('INSERT INTO "RateLimits" VALUES (:key, 1, :ends)', key="old", ends=NOON - timedelta(days=30))
    office.run(
        """INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, created_at)
           VALUES ('system', 'message', 'm', 'ai_reply_created', :old)""",
        old=NOON - timedelta(days=400),
    )
    rollups.advance(office.pipeline.engine, office.clock())
    done, wrong = night(office, tmp_path)
    assert wrong == "audit: FileExistsError"
    assert (done["expired/rate_limits"], done["personal_data/strays"], "audit/archived" in done) == (
        1,
        0,
        False,
    )


def test_ticks_of_what_was_switched_off_are_forgotten_too() -> None:
    location = InProcessCodeLocationOrigin(LoadableTargetOrigin(python_file="gone.py"))
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "gone"), "gone")
    kept = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))["retention"]
    with dg.instance_for_test(overrides={"retention": kept}) as instance:
        state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.STOPPED)
        instance.add_instigator_state(state)
        for days, status in ((40, TickStatus.SUCCESS), (3, TickStatus.SKIPPED), (3, TickStatus.SUCCESS)):
            instance.create_tick(
                TickData(
                    state.instigator_origin_id,
                    "gone",
                    InstigatorType.SENSOR,
                    status,
                    (datetime.now(UTC) - timedelta(days=days)).timestamp(),
                    run_ids=[],
                    selector_id=state.selector_id,
                )
            )
        assert purge_ticks(instance) == 1
        left = instance.get_ticks(state.instigator_origin_id, state.selector_id)
        assert [tick.status for tick in left] == [TickStatus.SUCCESS]


def test_the_night_deletes_what_has_run_out_and_says_how_much(office: Office, tmp_path: Path) -> None:
    old = office.clock.now - timedelta(days=30)
    for key, ends in (("old", old), ("new", office.clock.now)):
        office.run('INSERT INTO "RateLimits" VALUES (:key, 1, :ends)', key=key, ends=ends)
    office.run("INSERT INTO \"user\" (id, name, email) VALUES ('u', 'u', 'u@example.com')")
    office.run(
        """INSERT INTO "IdempotentRequests" (user_id, key, request_hash, status, answer, created_at)
           VALUES ('u', 'k', 'h', 200, '{}', :old)""",
        old=old,
    )
    office.run(
        """WITH c AS (INSERT INTO "Conversations" (platform_account_id, external_thread_id)
                      SELECT id, 't1' FROM "PlatformAccounts" WHERE platform = 'roomies' RETURNING id)
           INSERT INTO "Messages" (conversation_id, sender_type, direction, body, sent_at)
           SELECT id, 'lead', 'inbound', 'Hello', CAST(:now AS timestamptz) FROM c""",
        now=office.clock.now,
    )
    office.run("""DELETE FROM "Tallies" WHERE kind = 'message'""")  # as if loaded past the triggers
    office.run(
        """INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, created_at)
           VALUES ('system', 'message', 'm', 'ai_reply_created', :old)""",
        old=office.clock.now - timedelta(days=400),
    )
    rollups.advance(office.pipeline.engine, office.clock())
    done, wrong = night(office, tmp_path)
    assert wrong is None
    assert done == {
        "runs/deleted": 0,
        "runs/kept_days": 14,
        "ticks/purged_for": 0,
        "expired/decision_parts": 0,
        "expired/rate_limits": 1,
        "expired/remembered_answers": 1,
        "expired/mended_tallies": 1,
        "page_evidence/deleted_files": 0,
        "audit/archived": 1,
        "audit/files": done["audit/files"],
        "personal_data/conversations": 0,
        "personal_data/strays": 0,
    }
    assert (tmp_path / "archive" / str(done["audit/files"])).exists()
    assert office.rows("""SELECT k1, total FROM "Tallies" WHERE kind = 'message'""") == [("inbound", 1)]
    assert office.rows('SELECT key FROM "RateLimits"') == [("new",)]


def test_new_audit_rows_are_counted_each_minute_without_a_run(office: Office) -> None:
    definitions = build_definitions(load_settings({"LEASE_BOT_RPA_RUNTIME": "mock"}))
    repository = definitions.get_repository_def()
    office.run(
        """INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, created_at)
                  VALUES ('worker', 'message', 'm', 'ai_reply_created', :now)""",
        now=office.clock.now,
    )
    context = dg.build_sensor_context(
        instance=office.instance, resources={"pipeline": office.pipeline}, repository_def=repository
    )
    tick = repository.get_sensor_def("rollups").evaluate_tick(context)
    assert not tick.run_requests
    assert tick.skip_message
    assert "rows counted" in tick.skip_message
    assert office.rows(
        """SELECT total FROM "Tallies" WHERE kind = 'audit_action' AND k1 = 'ai_reply_created'"""
    ) == [(1,)]
