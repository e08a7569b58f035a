"""The run queue's limits: the same on one machine and in the cluster, and no job is outside of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from assets.common import PLATFORM_TAG, PLATFORMS, SHARD_TAG, UPKEEP_TAGS
from leasebot_pipeline.definitions import build_definitions
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.settings import load_settings

ROOT = Path(__file__).parents[2]
_CLUSTER = ROOT / "deploy" / "kubernetes" / "base" / "dagster.yaml"


def instance(where: str) -> dict[str, Any]:
    if where == "cluster":
        found: dict[str, Any] = yaml.safe_load(
            yaml.safe_load(_CLUSTER.read_text(encoding="utf-8"))["data"]["dagster.yaml"]
        )
    else:
        found = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("where", ["machine", "cluster"])
def test_one_run_of_a_platform_and_two_of_upkeep_at_a_time(where: str) -> None:
    runs = instance(where)["concurrency"]["runs"]
    [(kind, upkeep)] = UPKEEP_TAGS.items()
    assert runs["tag_concurrency_limits"] == [
        {"key": PLATFORM_TAG, "limit": 1, "value": {"applyLimitPerUniqueValue": True}},
        {"key": SHARD_TAG, "limit": 1, "value": {"applyLimitPerUniqueValue": True}},
        {"key": kind, "value": upkeep, "limit": 2},
    ]
    assert runs["max_concurrent_runs"] >= len(Platform)


def test_every_job_is_of_a_platform_or_upkeep() -> None:
    """A run outside of both limits could take every place of the queue."""
    repository = build_definitions(load_settings({"LEASE_BOT_RPA_RUNTIME": "mock"})).get_repository_def()
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    of_platform = {job.name for job in jobs if job.partitions_def == PLATFORMS}
    upkeep = {job.name for job in jobs if UPKEEP_TAGS.items() <= job.run_tags.items()}
    assert of_platform | upkeep == {job.name for job in jobs}
    assert of_platform & upkeep == set()
    assert of_platform == {"inbox_pipeline", "outbox_dispatch", "follow_up"}
