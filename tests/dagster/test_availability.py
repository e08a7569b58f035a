"""Calendars through Dagster: the asset and its checks, and when it is asked for."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from assets.availability import availability_horizon
from leasebot_pipeline.definitions import weekly_rules
from sensors.availability import AVAILABILITY_SCHEDULE, availability_sensor
from tests.dagster.conftest import Office


def run(office: Office) -> tuple[dict[str, object], dict[str, dg.AssetCheckEvaluation]]:
    result = dg.materialize(
        [availability_horizon], instance=office.instance, resources={"pipeline": office.pipeline}
    )
    assert result.success
    (event,) = result.get_asset_materialization_events()
    metadata = {name: value.value for name, value in event.materialization.metadata.items()}
    return metadata, {check.check_name: check for check in result.get_asset_check_evaluations()}


def test_calendars_are_written_out_to_the_horizon_and_told_about(office: Office) -> None:
    first, checks = run(office)
    end = office.clock() + office.pipeline.policy.availability_horizon
    assert first["rules"] == 3 * 7 + 9
    assert first["horizon_end"] == end.timestamp()
    assert first["occurrences_removed"] == 0
    assert isinstance(first["occurrences_created"], int)
    assert first["occurrences_created"] > 100
    assert all(check.passed for check in checks.values()), checks
    (last,) = office.rows('SELECT max(starts_at) FROM "AvailabilitySlots"')[0]
    assert end - timedelta(days=1) < last < end  # type: ignore[operator]
    again, _ = run(office)
    assert (again["occurrences_created"], again["occurrences_removed"]) == (0, 0)
    audits = office.rows(
        """SELECT run_id IS NOT NULL FROM "AuditLogs" WHERE action = 'availability_horizon_extended'"""
    )
    assert audits == [(True,)], "a run that changes nothing leaves no row"


def test_what_a_person_has_to_look_at_is_a_warning_by_name(office: Office) -> None:
    office.run("""UPDATE "AvailabilityRules" SET valid_until = '2026-12-01' WHERE agent_id IS NOT NULL""")
    office.run("""DELETE FROM "UnitAgentAssignments" """)
    office.run(
        """UPDATE "AvailabilityRules" SET timezone = 'Mars/Olympus'
            WHERE id = (SELECT id FROM "AvailabilityRules" WHERE unit_id IS NOT NULL ORDER BY id LIMIT 1)"""
    )
    _, checks = run(office)
    assert {name: check.passed for name, check in checks.items()} == {
        "occurrences_written": True,
        "rules_usable": False,
        "calendars_go_on": False,
        "open_units_have_agents": False,
    }
    assert all(check.severity is dg.AssetCheckSeverity.WARN for check in checks.values())
    assert "Cedar Court 1" in str(checks["open_units_have_agents"].description)
    assert "Mars/Olympus" in str(checks["rules_usable"].description)


def test_a_changed_rule_asks_for_one_run(office: Office) -> None:
    sensor = availability_sensor(weekly_rules)

    def tick(cursor: str | None) -> dg.SensorResult:
        context = dg.build_sensor_context(
            instance=office.instance, cursor=cursor, resources={"pipeline": office.pipeline}
        )
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        return result

    first = tick(None)
    assert len(first.run_requests or ()) == 1
    assert not tick(first.cursor).run_requests
    office.run(
        """UPDATE "AvailabilityRules" SET end_time = '20:00', updated_at = now() WHERE day_of_week = 1"""
    )
    assert len(tick(first.cursor).run_requests or ()) == 1


def test_the_horizon_moves_on_every_night() -> None:
    assert AVAILABILITY_SCHEDULE.cron_schedule == "41 2 * * *"
    assert AVAILABILITY_SCHEDULE.default_status is dg.DefaultScheduleStatus.RUNNING
