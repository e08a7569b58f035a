"""Before a platform's replies leave: follow-ups that lost their reason are called off, late ones wait for morning."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from leasebot_pipeline.domain.follow_ups import StopReason, first_zone, outside_quiet_hours, quiet_from
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import follow_up_ends, follow_up_guard, follow_up_policies


def hold_back(
    pipeline: Pipeline, conn: Connection, platform: Platform, now: datetime, run_id: str | None
) -> int:
    """Call off or put off what may not go out now, in the caller's transaction; how many."""
    waiting = follow_up_guard.in_outbox(conn, platform, now)
    if not waiting:
        return 0
    stopped = [text for text in waiting if text.pending and text.reason is not None]
    follow_up_ends.call_off(
        conn,
        [text.id for text in stopped],
        [StopReason(text.reason or "") for text in stopped],
        now,
        run_id,
    )
    follow_up_guard.withdraw(conn, [text.dispatch_id for text in waiting if not text.pending], now)
    late = [text for text in waiting if text.reason is None]
    if late:
        by_account = follow_up_policies.policies(conn, platform, pipeline.policy.follow_ups)
        hours = []
        for text in late:
            quiet = by_account[text.platform_account_id].quiet_hours
            tz = first_zone(*text.zones, pipeline.policy.follow_up_zone)
            morning = outside_quiet_hours(now, quiet, tz)
            hours.append((text.dispatch_id, morning, quiet_from(morning, quiet, tz)))
        follow_up_guard.send_later(conn, hours, now)
    return len(waiting)
