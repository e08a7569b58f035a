"""The definitions against a reviewed picture of them, so that each change of the graph shows up in a diff.

``UPDATE_GOLDEN=1`` writes the picture anew; review the difference like code.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import dagster as dg
import pytest

from leasebot_pipeline.definitions import build_definitions, defs
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.settings import load_settings

GOLDEN = Path(__file__).parent / "golden" / "definitions.json"
# Sensors read the inboxes and listings of all platforms, at the default interval.
ENVIRONMENT = {
    "LEASE_BOT_SYNC_LISTINGS_ON_START": "1",
    "LEASE_BOT_SYNC_LISTINGS_PLATFORMS": ",".join(platform.value for platform in Platform),
}


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions(load_settings(ENVIRONMENT))


def picture(definitions: dg.Definitions) -> dict[str, object]:
    """What an operator sees of the definitions, as plain JSON."""
    repository = definitions.get_repository_def()
    graph = definitions.resolve_asset_graph()
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    return {
        "assets": {
            node.key.to_user_string(): {
                "group": node.group_name,
                "dependsOn": sorted(key.to_user_string() for key in node.parent_keys),
                "external": node.is_external,
                "kinds": sorted(node.kinds),
                "owners": list(node.owners),
                "tags": {name: value for name, value in node.tags.items() if not name.startswith("dagster/")},
                "partitions": _partitions(node.partitions_def),
                "description": node.description,
                "checks": {
                    key.name: {
                        "blocking": graph.get_check_spec(key).blocking,
                        "description": graph.get_check_spec(key).description,
                    }
                    for key in sorted(node.check_keys, key=lambda key: key.name)
                },
            }
            for node in sorted(graph.asset_nodes, key=lambda node: node.key.to_user_string())
        },
        "jobs": {
            job.name: {
                "executor": job.executor_def.name,
                "steps": sorted(node.name for node in job.graph.nodes),
                "tags": dict(job.run_tags),
                "description": job.description,
            }
            for job in sorted(jobs, key=lambda job: job.name)
        },
        "sensors": {
            sensor.name: {
                "jobs": sorted(target.job_name for target in sensor.targets),
                "status": sensor.default_status.value,
                "minimumIntervalSeconds": sensor.minimum_interval_seconds,
                "description": sensor.description,
            }
            for sensor in sorted(repository.sensor_defs, key=lambda sensor: sensor.name)
        },
        "schedules": {
            schedule.name: {
                "job": schedule.job_name,
                "cron": schedule.cron_schedule,
                "status": schedule.default_status.value,
                "description": schedule.description,
            }
            for schedule in sorted(repository.schedule_defs, key=lambda schedule: schedule.name)
        },
        "resources": sorted(definitions.resources or {}),
    }


def _partitions(partitions: dg.PartitionsDefinition | None) -> list[str]:
    if isinstance(partitions, dg.TimeWindowPartitionsDefinition):  # every day adds one
        return [f"{partitions.cron_schedule} from {partitions.start:%Y-%m-%d}"]
    return list(partitions.get_partition_keys()) if partitions else []


def test_the_definitions_are_as_reviewed(definitions: dg.Definitions) -> None:
    seen = picture(definitions)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(json.dumps(seen, indent=2) + "\n")
    assert seen == json.loads(GOLDEN.read_text())


def test_every_asset_and_check_explains_itself(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for node in graph.asset_nodes:
        assert node.description, node.key
        assert node.owners, node.key
        assert node.kinds, node.key
        assert node.group_name != "default", node.key
    for key in graph.asset_check_keys:
        assert graph.get_check_spec(key).description, key


def test_every_job_runs_in_one_process(definitions: dg.Definitions) -> None:
    for job in definitions.get_repository_def().get_all_jobs():
        assert job.executor_def.name == "in_process", job.name


def test_platforms_that_are_not_read_have_their_sensor_stopped() -> None:
    definitions = build_definitions(load_settings({"WORKER_INGEST_PLATFORMS": "roomies,renthop"}))
    status = {sensor.name: sensor.default_status for sensor in definitions.get_repository_def().sensor_defs}
    assert status["inbox_roomies"] is dg.DefaultSensorStatus.RUNNING
    assert status["inbox_spareroom"] is dg.DefaultSensorStatus.STOPPED


@pytest.mark.parametrize(
    ("environment", "status"),
    [
        ({}, "STOPPED"),
        ({"LEASE_BOT_SYNC_LISTINGS_ON_START": "1"}, "RUNNING"),
        ({"LEASE_BOT_SYNC_LISTINGS_ON_START": "1", "LEASE_BOT_SYNC_LISTINGS_INTERVAL_MS": "0"}, "STOPPED"),
    ],
)
def test_listing_sync_runs_only_where_it_is_switched_on(environment: dict[str, str], status: str) -> None:
    repository = build_definitions(load_settings(environment)).get_repository_def()
    assert repository.get_schedule_def("listing_sync_schedule").default_status.value == status


def test_the_code_location_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_POLL_INTERVAL_MS", "90000")
    loaded = defs()
    assert isinstance(loaded, dg.Definitions)
    sensor = loaded.get_repository_def().get_sensor_def("inbox_roomies")
    assert sensor.minimum_interval_seconds == 29
