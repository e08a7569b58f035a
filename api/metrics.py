"""What `/metrics` exports: figures of the database, asked for at each scrape, and this process's own requests.

Names follow Prometheus: base units, ``_total`` on counters, and no label that holds an id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Histogram, Metric, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    SummaryMetricFamily,
)

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage.figures import Figures, PlatformStand
from leasebot_pipeline.storage.rollups import audit_facts, inbound_digest, tallies

_PLATFORMS: Final = tuple(platform.value for platform in Platform)
_QUEUES: Final = ("inbound", "decide", "dispatch", "human_required")
_OPEN_STATES: Final = (
    "draft",
    "held",
    "queued",
    "claimed",
    "sending",
    "unknown",
    "retry_scheduled",
    "dead_letter",
)
_FAST_TO_SLOW: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
UNMATCHED: Final = "unmatched"


class RequestMetrics:
    """Durations of this process's requests, and of the process itself. One per application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._durations = Histogram(
            "leasebot_http_request_duration_seconds",
            "Time until a request of the API was answered, by the route's template and the answer's status.",
            ["method", "route", "status"],
            buckets=_FAST_TO_SLOW,
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)

    def seen(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note an answered request; ``route`` is a template such as ``/api/inbox/{id}``."""
        self._durations.labels(method, route, str(status)).observe(seconds)


class Scrape:
    """One scrape, as prometheus_client writes it out. ``figures`` is None when the database gave no answer."""

    def __init__(self, requests: RequestMetrics, figures: Figures | None) -> None:
        self._requests = requests
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("leasebot_database_up", "1 when the database answered this scrape, else 0.")
        up.add_metric([], 0 if self._figures is None else 1)
        yield up
        if self._figures is not None:
            yield from families(self._figures)
        yield from self._requests.registry.collect()


def families(figures: Figures) -> Iterator[Metric]:
    """The database's figures. What can be enumerated is always there, with 0 where there is nothing."""
    yield from _visits(figures)
    yield _latency(figures)
    yield from _decisions_and_audit(figures)
    yield from _replies_and_queues(figures)
    yield from _platforms(figures.platforms)
    yield from _upkeep(figures)


def _of(figures: Figures, kind: str) -> dict[tuple[str, str, str], int]:
    return {(one.k1, one.k2, one.k3): one.total for one in figures.totals if one.kind == kind}


def _visits(figures: Figures) -> Iterator[Metric]:
    labels = ["platform", "action", "outcome"]
    total = CounterMetricFamily(
        "leasebot_platform_visits", "Visits to a platform that ended, by what for and how.", labels=labels
    )
    duration = SummaryMetricFamily(
        "leasebot_platform_visit_duration_seconds", "Duration of visits to a platform.", labels=labels
    )
    milliseconds = _of(figures, tallies.VISIT_MS)
    for key, count in _of(figures, tallies.VISIT).items():
        total.add_metric(key, count)
        duration.add_metric(key, count, milliseconds.get(key, 0) / 1000)
    yield total
    yield duration


def _latency(figures: Figures) -> Metric:
    latency = HistogramMetricFamily(
        "leasebot_ingest_latency_seconds",
        "From a message's time on its platform to our landing it, where the platform shows a time of day.",
        labels=["platform"],
    )
    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (platform, bound, _), count in _of(figures, inbound_digest.BUCKET).items():
        counts[platform][bound] = count
    milliseconds = _of(figures, inbound_digest.SUM_MS)
    for platform in _PLATFORMS:
        found, so_far, buckets = counts[platform], 0, []
        for bound in (*map(str, inbound_digest.BOUNDS_S), "+Inf"):
            so_far += found.get(bound, 0)
            buckets.append((bound if bound == "+Inf" else f"{bound}.0", so_far))
        latency.add_metric([platform], buckets, milliseconds.get((platform, "", ""), 0) / 1000)
    return latency


def _decisions_and_audit(figures: Figures) -> Iterator[Metric]:
    decisions = CounterMetricFamily(
        "leasebot_decisions", "Decisions, by their outcome.", labels=["platform", "outcome", "provider"]
    )
    for key, count in _of(figures, audit_facts.TOTAL_DECISION).items():
        decisions.add_metric(key, count)
    yield decisions
    actions = _of(figures, audit_facts.TOTAL_ACTION)
    events = CounterMetricFamily(
        "leasebot_audit_events", "Audit rows, by action.", labels=["action", "platform"]
    )
    for (action, platform, _), count in actions.items():
        events.add_metric([action, platform], count)
    yield events
    for name, about, action in (
        (
            "leasebot_quarantined_events",
            "Landed messages that failed validation and were put aside.",
            "ingest_event_quarantined",
        ),
        (
            "leasebot_run_failures",
            "Dagster runs that failed, a failed blocking check among the causes.",
            "dagster_run_failed",
        ),
    ):
        counter = CounterMetricFamily(name, about, labels=["platform"])
        for platform in (*_PLATFORMS, "unknown"):
            counter.add_metric([platform], actions.get((action, platform, ""), 0))
        yield counter


def _replies_and_queues(figures: Figures) -> Iterator[Metric]:
    replies = GaugeMetricFamily(
        "leasebot_dispatches",
        "Replies that are neither sent nor cancelled, by state.",
        labels=["platform", "state"],
    )
    found = {(one.platform, one.state): one.total for one in figures.replies}
    for platform in _PLATFORMS:
        for state in _OPEN_STATES:
            replies.add_metric([platform, state], found.get((platform, state), 0))
    yield replies
    depth = GaugeMetricFamily(
        "leasebot_queue_depth",
        "What waits: landed messages (inbound), conversations (decide), due replies (dispatch), people's (human_required).",
        labels=["queue", "platform"],
    )
    oldest = GaugeMetricFamily(
        "leasebot_queue_oldest_timestamp_seconds",
        "Since when the oldest in the queue waits; missing when nothing does.",
        labels=["queue", "platform"],
    )
    waiting = {(one.queue, one.platform): one for one in figures.depths}
    for queue in _QUEUES:
        for platform in _PLATFORMS:
            one = waiting.get((queue, platform))
            depth.add_metric([queue, platform], one.waiting if one else 0)
            if one and one.oldest:
                oldest.add_metric([queue, platform], one.oldest.timestamp())
    yield depth
    yield oldest


def _platforms(platforms: Sequence[PlatformStand]) -> Iterator[Metric]:
    yield _gauge(
        "leasebot_accounts",
        "Accounts, and how many of them are switched on.",
        ["platform", "active"],
        [
            row
            for one in platforms
            for row in (
                ((one.platform, "true"), one.active),
                ((one.platform, "false"), one.accounts - one.active),
            )
        ],
    )
    yield _gauge(
        "leasebot_accounts_stopped",
        "Accounts that stopped until a person resumes them.",
        ["platform"],
        [((one.platform,), one.stopped) for one in platforms],
    )
    yield _gauge(
        "leasebot_circuits",
        "Accounts whose circuit breaker is not closed, by its state.",
        ["platform", "state"],
        [
            row
            for one in platforms
            for row in (
                ((one.platform, "open"), one.circuit_open),
                ((one.platform, "half_open"), one.circuit_half_open),
            )
        ],
    )
    for name, about, moments in (
        (
            "leasebot_last_poll_timestamp_seconds",
            "When a platform's inbox was last looked at.",
            [(one.platform, one.last_polled_at) for one in platforms],
        ),
        (
            "leasebot_last_successful_ingest_timestamp_seconds",
            "When a platform's inbox was last read.",
            [(one.platform, one.last_ingest_at) for one in platforms],
        ),
        (
            "leasebot_last_successful_send_timestamp_seconds",
            "When a reply was last sent and proven.",
            [(one.platform, one.last_send_at) for one in platforms],
        ),
    ):
        yield _gauge(name, about, ["platform"], _moments(moments))


def _moments(
    moments: Iterable[tuple[str, datetime | None]],
) -> list[tuple[tuple[str, ...], float]]:
    return [((platform,), at.timestamp()) for platform, at in moments if at is not None]


def _upkeep(figures: Figures) -> Iterator[Metric]:
    engaged = dict(figures.kill_switches)
    yield _gauge(
        "leasebot_kill_switches_engaged",
        "Kill switches that stop sends now, by what they stop.",
        ["scope"],
        [((scope,), engaged.get(scope, 0)) for scope in ("global", "platform", "account")],
    )
    yield _gauge(
        "leasebot_incidents_open",
        "Incidents people are told of that are not over.",
        ["type", "platform"],
        [((kind, platform), count) for kind, platform, count in figures.incidents],
    )
    yield _gauge(
        "leasebot_digest_rows_behind",
        "Rows of a log the counters of this page do not hold yet.",
        ["log"],
        [((one.log,), one.behind) for one in figures.digests],
    )
    yield _gauge(
        "leasebot_digest_last_timestamp_seconds",
        "When a log's new rows were last counted.",
        ["log"],
        [((one.log,), one.digested_at.timestamp()) for one in figures.digests],
    )


def _gauge(
    name: str, about: str, labels: list[str], samples: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    gauge = GaugeMetricFamily(name, about, labels=labels)
    for key, value in samples:
        gauge.add_metric(key, value)
    return gauge
