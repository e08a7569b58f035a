"""The demo's verdict: what the leads saw held against what the pipeline says it did."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from leasebot_pipeline.domain.identity import normalise_text
from leasebot_pipeline.storage import demo_figures, invariants

_OVERLAPS: Final = ("no_overlapping_showings", "visitors_have_their_seats")


@dataclass(frozen=True, slots=True)
class LeadTranscript:
    """One lead's thread as the sandbox kept it."""

    platform: str
    external_thread_id: str
    written: tuple[tuple[str, datetime], ...]
    """What the lead wrote, with the instant it became visible."""
    received: tuple[str, ...]
    """Replies that arrived at the lead, in order."""


def build(
    conn: Connection, leads: Sequence[LeadTranscript], *, dagster_runs: int, checks: dict[str, int]
) -> dict[str, Any]:
    """The demo's JSON object. ``lost`` counts messages either side never got, ``duplicates`` replies too many."""
    inbound = demo_figures.stored_inbound(conn)
    clicked = demo_figures.clicked_replies(conn)
    results = invariants.check(conn)
    latencies = answer_latencies(leads, inbound)
    return {
        "platforms": demo_figures.platform_counts(conn),
        "leads": len(leads),
        "answered": sum(bool(lead.received) for lead in leads),
        "duplicates": duplicates(leads, clicked),
        "lost": lost_inbound(leads, inbound) + lost_outbound(leads, clicked),
        "followUps": demo_figures.follow_up_figures(conn),
        "latencySeconds": {"p50": percentile(latencies, 0.5), "p95": percentile(latencies, 0.95)},
        "showings": demo_figures.showing_counts(conn),
        "overlaps": sum(result.violations for result in results if result.name in _OVERLAPS),
        "dagsterRuns": dagster_runs,
        "checks": checks,
        "invariants": [{"name": result.name, "violations": result.violations} for result in results],
    }


def holds(report: dict[str, Any]) -> bool:
    """True when nothing was doubled or lost, no asset check failed (one that only warns may) and every invariant holds."""
    broken = sum(invariant["violations"] for invariant in report["invariants"])
    return not (report["duplicates"] or report["lost"] or report["checks"]["failed"] or broken)


def duplicates(leads: Iterable[LeadTranscript], clicked: Iterable[dict[str, Any]]) -> int:
    """Replies a lead received more often than the outbox has rows that may have been clicked."""
    allowed = Counter(_key(row["platform"], row["external_thread_id"], row["body"]) for row in clicked)
    received = Counter(
        _key(lead.platform, lead.external_thread_id, body) for lead in leads for body in lead.received
    )
    return sum((received - allowed).values())


def lost_inbound(leads: Iterable[LeadTranscript], inbound: Iterable[demo_figures.StoredInbound]) -> int:
    """Messages a lead wrote that are not stored."""
    stored = Counter(_key(row.platform, row.external_thread_id, row.body) for row in inbound)
    written = Counter(
        _key(lead.platform, lead.external_thread_id, body) for lead in leads for body, _ in lead.written
    )
    return sum((written - stored).values())


def lost_outbound(leads: Iterable[LeadTranscript], clicked: Iterable[dict[str, Any]]) -> int:
    """Replies marked sent that never arrived."""
    sent = Counter(
        _key(row["platform"], row["external_thread_id"], row["body"])
        for row in clicked
        if row["state"] == "sent"
    )
    received = Counter(
        _key(lead.platform, lead.external_thread_id, body) for lead in leads for body in lead.received
    )
    return sum((sent - received).values())


def answer_latencies(
    leads: Iterable[LeadTranscript], inbound: Iterable[demo_figures.StoredInbound]
) -> list[float]:
    """Seconds from a message becoming visible to its answer being sent or drafted, for answered ones."""
    visible: dict[tuple[str, str, str], list[datetime]] = {}
    for lead in leads:
        for body, at in lead.written:
            visible.setdefault(_key(lead.platform, lead.external_thread_id, body), []).append(at)
    latencies = []
    for row in inbound:
        instants = visible.get(_key(row.platform, row.external_thread_id, row.body))
        if instants and row.answered_at is not None:
            latencies.append((row.answered_at - instants.pop(0)).total_seconds())
    return latencies


def percentile(values: Sequence[float], share: float) -> float | None:
    """Nearest-rank percentile, to a hundredth; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 2)


def _key(platform: str, thread: str, body: str) -> tuple[str, str, str]:
    return platform, thread, normalise_text(body)
