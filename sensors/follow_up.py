"""When follow-ups run: only when a step is due or a silence is to be planned; a skip says when the next one is."""

# No postponed annotations here: Dagster reads them.
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import dagster as dg

from assets.common import PLATFORM_TAG
from assets.jobs import FOLLOW_UP
from leasebot_pipeline.domain.follow_ups import FollowUpWork
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.stages.pipeline import Pipeline
from sensors.choices import Run, RunSeen, Skip, tick_seconds, unless_busy
from sensors.runs import latest_runs


def choose_follow_up(work: FollowUpWork, runs: Sequence[RunSeen], job: str, now: datetime) -> Run | Skip:
    """For one platform. ``runs`` are its latest runs, newest first."""
    parts = (
        (work.due, "step is due", "steps are due"),
        (work.to_plan, "silence or showing to plan", "silences or showings to plan"),
    )
    said = ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in parts if count)
    if said:
        return unless_busy(said, runs, job, now)
    if work.next_due_at is not None:
        return Skip(f"the next step is due {work.next_due_at:%Y-%m-%d %H:%M} UTC")
    return Skip("nothing planned")


def follow_up_sensor(
    work: Callable[[Pipeline], Mapping[Platform, FollowUpWork]], look_every: timedelta
) -> dg.SensorDefinition:
    """One sensor for all platforms; ``work`` counts what is due."""

    @dg.sensor(
        name="follow_ups",
        job=FOLLOW_UP,
        minimum_interval_seconds=tick_seconds(look_every),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for a run of a platform when a follow-up, reminder or question to an agent is due.",
    )
    def evaluate(
        context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.SensorResult:
        requests: list[dg.RunRequest] = []
        skipped: list[str] = []
        now = pipeline.clock()
        for platform, waiting in work(pipeline).items():
            busy = bool(waiting.due or waiting.to_plan)
            runs = latest_runs(context.instance, platform) if busy else []
            choice = choose_follow_up(waiting, runs, FOLLOW_UP.name, now)
            if isinstance(choice, Run):
                context.log.info(f"{platform.value}: {choice.reason}")
                tags = {PLATFORM_TAG: platform.value}
                requests.append(dg.RunRequest(partition_key=platform.value, tags=tags))
            else:
                skipped.append(f"{platform.value}: {choice.reason}")
        if requests:
            return dg.SensorResult(run_requests=requests)
        return dg.SensorResult(skip_reason="; ".join(skipped))

    return evaluate
