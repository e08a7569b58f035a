"""A part that keeps dying is started again ever more slowly; one that served well starts afresh."""

from __future__ import annotations

from leasebot_pipeline.processes.restarts import HEALTHY_AFTER_S, count_deaths, delay_before_restart


def test_pause_doubles_up_to_a_limit() -> None:
    assert [delay_before_restart(deaths) for deaths in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]


def test_a_long_healthy_time_forgives_earlier_deaths() -> None:
    assert count_deaths(4, served_s=HEALTHY_AFTER_S - 1) == 5
    assert count_deaths(4, served_s=HEALTHY_AFTER_S) == 1
