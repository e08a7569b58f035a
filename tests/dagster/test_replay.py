"""The day's decisions made again, as Dagster shows it."""

from __future__ import annotations

import dagster as dg

from assets.replay import decision_replays
from tests.dagster.conftest import Office
from tests.dagster.test_runs import check_results, metadata, work


def test_a_days_decisions_replay_identically_and_a_changed_one_fails_the_check(office: Office) -> None:
    office.lead_writes("t1", "Hi, can I come for a tour this week?")
    office.lead_writes("t2", "My attorney will be in touch.")
    assert work(office).success

    def replayed() -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [decision_replays],
            instance=office.instance,
            partition_key=f"{office.clock():%Y-%m-%d}",
            resources={"pipeline": office.pipeline},
        )

    result = replayed()
    shown = metadata(result, "decision_replays")
    assert (shown["decisions"], shown["identical"], shown["identical_share"]) == (2, 2, 1.0)
    assert check_results(result)["replay_identical"].passed
    office.run("""UPDATE "Decisions" SET outcome = 'skip', reply_body = NULL WHERE outcome = 'send'""")
    result = replayed()
    assert not check_results(result)["replay_identical"].passed
    assert metadata(result, "decision_replays")["dangerous"] == 1
