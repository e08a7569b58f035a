"""A platform with several accounts: shards read inboxes and send side by side, and nothing is done twice or by nobody."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import dagster as dg
import pytest

from assets.common import PLATFORM_TAG, SHARD_TAG
from assets.dispatch import outbound_dispatches
from assets.ingest import inbound_messages
from assets.jobs import INBOX_PIPELINE, OUTBOX_DISPATCH
from leasebot_pipeline.definitions import build_definitions, due_dispatches
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.shards import WHOLE, Shard, shards
from leasebot_pipeline.settings import load_settings
from leasebot_pipeline.stages import dispatch
from sensors.inbox import inbox_sensor
from sensors.outbox import outbox_sensor
from tests.dagster.conftest import PLATFORM, Office, account_of
from tests.dagster.test_sensors import INTERVAL, RUN_ID, tick

PARTS = shards(3)
ACCOUNTS = (account_of(PLATFORM), *(UUID(int=number) for number in range(1, 7)))
"""Seven on one platform; no shard is empty."""


@pytest.fixture
def team(office: Office) -> Office:
    for number, account in enumerate(ACCOUNTS[1:], 1):
        office.run(
            """INSERT INTO "PlatformAccounts" (id, platform, account_name, account_external_id, send_mode)
               VALUES (:id, 'roomies', :name, :name, 'auto_send')""",
            id=account,
            name=f"Roomies {number}",
        )
    for account in ACCOUNTS:
        inbox = office.connectors.for_platform(PLATFORM).inbox(account)
        inbox.write(f"of {account}", "Is it free?", office.clock, lead_name="Ana Lead")
    return office


def held() -> list[set[UUID]]:
    return [{account for account in ACCOUNTS if shard.holds(account)} for shard in PARTS]


def accounts(office: Office, query: str) -> set[UUID]:
    return {UUID(str(row[0])) for row in office.rows(query)}


def test_each_shard_reads_its_own_inboxes_and_asks_for_the_platforms_run(team: Office) -> None:
    landed: set[UUID] = set()
    for shard, own in zip(PARTS, held(), strict=True):
        sensor = inbox_sensor(PLATFORM, INTERVAL, enabled=True, shard=shard)
        assert sensor.name == f"inbox_roomies_{shard.label}"
        requests = tick(team, sensor).run_requests or []
        assert [(one.partition_key, one.tags.get(PLATFORM_TAG)) for one in requests] == [
            ("roomies", "roomies")
        ]
        landed |= own
        assert accounts(team, 'SELECT platform_account_id FROM "InboundEvents"') == landed
    assert landed == set(ACCOUNTS)


def test_each_shard_sends_in_a_run_of_its_own_beside_the_platforms(team: Office) -> None:
    for shard in PARTS:
        tick(team, inbox_sensor(PLATFORM, INTERVAL, enabled=True, shard=shard))
    resources = {"pipeline": team.pipeline}
    dg.materialize(
        [inbound_messages], instance=team.instance, partition_key=PLATFORM.value, resources=resources
    )
    team.run(
        """INSERT INTO "OutboundDispatches" (purpose, purpose_key, conversation_id, platform_account_id, platform,
                  external_thread_id, body, state)
           SELECT 'manual_reply', 'manual:' || id, id, platform_account_id, 'roomies', external_thread_id, 'Hello Ana',
                  'queued' FROM "Conversations" """
    )
    team.instance.add_run(
        dg.DagsterRun(
            job_name=INBOX_PIPELINE.name,
            run_id=RUN_ID,
            status=dg.DagsterRunStatus.STARTED,
            tags={PLATFORM_TAG: PLATFORM.value},
        )
    )
    sensor = outbox_sensor(due_dispatches, PARTS)
    requests = tick(team, sensor).run_requests or []
    assert [one.tags for one in requests] == [{SHARD_TAG: f"roomies/{shard.label}"} for shard in PARTS]

    sent: set[UUID] = set()
    for request, own in zip(requests, held(), strict=True):
        done = dg.materialize(
            [outbound_dispatches],
            instance=team.instance,
            partition_key=request.partition_key,
            resources=resources,
            tags=dict(request.tags),
        )
        assert done.success
        sent |= own
        query = """SELECT platform_account_id FROM "OutboundDispatches" WHERE state = 'sent'"""
        assert accounts(team, query) == sent
    assert sent == set(ACCOUNTS)
    assert not tick(team, sensor).run_requests


def test_shards_and_the_whole_platform_at_once_send_everything_once(team: Office) -> None:
    for shard in PARTS:
        tick(team, inbox_sensor(PLATFORM, INTERVAL, enabled=True, shard=shard))
    dg.materialize(
        [inbound_messages],
        instance=team.instance,
        partition_key=PLATFORM.value,
        resources={"pipeline": team.pipeline},
    )
    team.run(
        """INSERT INTO "OutboundDispatches" (purpose, purpose_key, conversation_id, platform_account_id, platform,
                  external_thread_id, body, state)
           SELECT 'manual_reply', 'manual:' || n || id, id, platform_account_id, 'roomies', external_thread_id,
                  'Hello Ana, number ' || n, 'queued' FROM "Conversations", generate_series(1, 6) n"""
    )
    together = Barrier(len(PARTS) + 1)

    def work(shard: Shard) -> int:
        together.wait(30)
        return dispatch.dispatch(team.pipeline, PLATFORM, f"run-{shard.label}", shard).sent

    with ThreadPoolExecutor(len(PARTS) + 1) as pool:
        sent = list(pool.map(work, (*PARTS, WHOLE)))
    while left := dispatch.dispatch(team.pipeline, PLATFORM, "the rest").sent:
        sent.append(left)
    assert sum(sent) == 6 * len(ACCOUNTS)
    texts = [
        message.body
        for account in ACCOUNTS
        for message in team.connectors.for_platform(PLATFORM).inbox(account).threads[f"of {account}"].messages
    ]
    assert sorted(texts) == sorted(
        ["Is it free?", *(f"Hello Ana, number {n}" for n in range(1, 7))] * len(ACCOUNTS)
    )


def test_a_shard_at_work_is_not_started_again_and_keeps_no_other_waiting(team: Office) -> None:
    team.run(
        """WITH c AS (INSERT INTO "Conversations" (platform_account_id, external_thread_id)
                      SELECT id, 't' FROM "PlatformAccounts" WHERE platform = 'roomies' RETURNING id, platform_account_id)
           INSERT INTO "OutboundDispatches" (purpose, purpose_key, conversation_id, platform_account_id, platform,
                  external_thread_id, body, state)
           SELECT 'manual_reply', 'manual:' || id, id, platform_account_id, 'roomies', 't', 'Hello', 'queued' FROM c"""
    )
    tags = {SHARD_TAG: f"roomies/{PARTS[1].label}"}
    team.instance.add_run(
        dg.DagsterRun(
            job_name=OUTBOX_DISPATCH.name, run_id=RUN_ID, status=dg.DagsterRunStatus.STARTED, tags=tags
        )
    )
    requests = tick(team, outbox_sensor(due_dispatches, PARTS)).run_requests or []
    assert [one.tags[SHARD_TAG] for one in requests] == ["roomies/1of3", "roomies/3of3"]


def test_the_setting_makes_a_sensor_of_each_shard() -> None:
    settings = load_settings({"LEASE_BOT_RPA_RUNTIME": "mock", "WORKER_ACCOUNT_SHARDS": "2"})
    names = {sensor.name for sensor in build_definitions(settings).get_repository_def().sensor_defs}
    assert {name for name in names if name.startswith("inbox_")} == {
        f"inbox_{platform.value}_{number}of2" for platform in Platform for number in (1, 2)
    }
