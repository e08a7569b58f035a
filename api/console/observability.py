"""Observability: how much came in and went out, how fast, what came of it, what went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from api.console import charts, times
from api.console.access import Administrator
from api.console.inbox_words import reason_text
from api.console.lists import known
from api.console.render import page
from api.console.routes import page_router
from api.console.wording import words
from api.routes import observability as figures
from api.services import ServicesDep
from leasebot_pipeline.storage.observability import volumes

router = page_router()
PATH: Final = "/admin/observability"
WINDOWS: Final = (("1", "1 hour"), ("24", "24 hours"), ("168", "7 days"))
_ERRORS: Final = "10"


@router.get(PATH)
async def observability(request: Request, _viewer: Administrator, services: ServicesDep) -> Response:
    hours = known(request.query_params.get("hours"), [key for key, _ in WINDOWS]) or "24"
    now = services.clock()
    async with services.at_one_moment() as reading:
        found = await figures.observability(reading, window_hours=hours, audit_limit="1", error_limit=_ERRORS)
        steps = await reading.database.read(volumes.volumes, now, int(hours))
    clock = times.Clock(now, times.locale_of(request.headers.get("accept-language", "")))
    core, signals = found.core_metrics, found.signals
    failures: Counter[str] = Counter()
    for failure in signals.platform_failures:
        failures[failure.platform] += failure.count
    target_ms = services.config.ingest_p95_target_ms
    delays, target = charts.spans(
        (
            (words(one.platform), one.p50_ms, one.p95_ms, one.count, one.exceeded)
            for one in found.ingest_latency
        ),
        target_ms,
    )
    return page(
        request,
        "observability.html",
        hours=hours,
        windows=WINDOWS,
        span=f"in {dict(WINDOWS)[hours]}",
        found=found,
        core=core,
        signals=signals,
        volumes=charts.volumes(steps, _name(clock, hours), _label(clock, hours)),
        step={"1": "10 minutes", "24": "hour", "168": "6 hours"}[hours],
        height=charts.HEIGHT,
        delays=delays,
        target=target,
        target_text=charts.duration(target_ms),
        outcomes=charts.bars(
            [
                ("Reply written", core.ai_replies_created),
                ("Handed to a person", core.ai_escalations),
                # What is handed over is skipped as well.
                ("Nothing to answer", max(0, core.ai_replies_skipped - core.ai_escalations)),
                ("Failed", core.ai_reply_errors),
            ]
        ),
        replies=charts.bars(
            [
                ("Sent", core.outbound_sent),
                ("Draft", core.outbound_draft),
                ("Held by a guardrail", core.outbound_hold),
            ]
        ),
        bookings=charts.bars([(words(one.status), one.count) for one in signals.bookings_by_status]),
        reasons=charts.bars(
            [(reason_text(one.reason_code), one.count) for one in signals.escalation_reasons[:12]]
        ),
        failures=charts.bars([(words(name), count) for name, count in failures.most_common()]),
        oldest=charts.duration((signals.human_required_queue.oldest_waiting_seconds or 0) * 1000),
    )


def _name(clock: times.Clock, hours: str) -> Callable[[datetime], str]:
    return lambda at: f"{clock.day(at)}, {clock.time(at)}" if hours != "1" else clock.time(at)


def _label(clock: times.Clock, hours: str) -> Callable[[datetime], str]:
    return lambda at: clock.plain_day(at.date()).partition(",")[0] if hours == "168" else clock.time(at)
