"""When the house is kept: the nightly cleaning, the look at the invariants, the day's decisions made again."""

from typing import Final

import dagster as dg

from assets.jobs import INVARIANT_CHECK
from assets.replay import DECISION_REPLAY
from assets.retention import MAINTENANCE

MAINTENANCE_SCHEDULE: Final = dg.ScheduleDefinition(
    name="maintenance_schedule",
    job=MAINTENANCE,
    cron_schedule="17 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night.",
)
INVARIANTS_SCHEDULE: Final = dg.ScheduleDefinition(
    name="invariants_schedule",
    job=INVARIANT_CHECK,
    cron_schedule="5 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour; idle platforms cost no other runs.",
)
REPLAY_SCHEDULE: Final = dg.build_schedule_from_partitioned_job(
    DECISION_REPLAY,
    name="decision_replay_schedule",
    hour_of_day=4,
    minute_of_hour=11,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night, the day before.",
)
