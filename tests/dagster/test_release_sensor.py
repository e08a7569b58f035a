"""The watch over a canary as Dagster sees it."""

from __future__ import annotations

import dagster as dg
import pytest

from leasebot_pipeline.definitions import build_definitions, watch_release
from leasebot_pipeline.domain.platforms import SendMode
from leasebot_pipeline.settings import load_settings
from leasebot_pipeline.storage import policies
from tests.dagster.conftest import PLATFORM, Office


def sensor(**environment: str) -> dg.SensorDefinition:
    return build_definitions(load_settings(environment)).resolve_sensor_def("release_gate")


def tick(office: Office) -> str:
    context = dg.build_sensor_context(instance=office.instance, resources={"pipeline": office.pipeline})
    result = sensor()(context)
    assert isinstance(result, dg.SkipReason)
    return str(result.skip_message)


@pytest.mark.parametrize(("value", "running"), [("", False), ("0", False), ("1", True)])
def test_it_is_off_unless_asked_for(value: str, running: bool) -> None:
    found = sensor(**({"RELEASE_AUTO_ROLLBACK": value} if value else {}))
    assert (found.default_status is dg.DefaultSensorStatus.RUNNING) is running


def test_a_canary_with_a_rollback_condition_goes_back(office: Office) -> None:
    assert tick(office) == "no canary to watch"
    office.run("""UPDATE "ReleaseStages" SET stage = 'canary', cohort = '{"percentage": 100}'""")
    assert tick(office) == "the gate says hold"
    office.run(
        """INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, details, created_at)
           VALUES ('system', 'worker', 'w', 'worker_start_refused', '{"code": "MOCK_RUNTIME_FORBIDDEN"}', :now)""",
        now=office.clock(),
    )
    assert "MOCK_RUNTIME_FORBIDDEN" in tick(office)
    with office.pipeline.engine.connect() as conn:
        found = policies.account_policies(conn, PLATFORM, SendMode.AUTO_SEND)
    assert {policy.effective_send_mode for policy in found.values()} == {SendMode.DRAFT_ONLY}
    [row] = office.rows("SELECT actor_id, details FROM \"AuditLogs\" WHERE action = 'release_rolled_back'")
    assert row[0] == "sensor:release_gate"
    assert "runtime" in str(row[1])
    assert watch_release(office.pipeline) is None
