"""A worker process: the real stages, cycle by cycle, as it is told."""

from __future__ import annotations

import logging
import random
import signal
import socket
import traceback
from dataclasses import asdict
from datetime import timedelta
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Final

import structlog
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError

from leasebot_pipeline.chaos import people
from leasebot_pipeline.chaos.clock import PlayClock
from leasebot_pipeline.chaos.connections import CommitFaults
from leasebot_pipeline.chaos.connector import HttpConnectors, SiteLogin
from leasebot_pipeline.chaos.tasks import Place, Report, Task
from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.domain.alerts import AlertPolicy
from leasebot_pipeline.domain.dispatching import DispatchState, OperatorAction
from leasebot_pipeline.domain.follow_ups import FollowUpPolicy
from leasebot_pipeline.domain.model_metering import BatchReport, DailyLimits, Spend
from leasebot_pipeline.domain.platforms import Platform, SendMode
from leasebot_pipeline.platforms.options import PlatformOptions, RuntimeOptions
from leasebot_pipeline.platforms.protocol import Connectors
from leasebot_pipeline.sandbox import LOGIN_PASSWORD, LOGIN_USER
from leasebot_pipeline.stages import (
    accounts,
    availability,
    book,
    decide,
    dispatch,
    follow_up,
    ingest,
    link,
    poll,
    retention,
    sync_listings,
)
from leasebot_pipeline.stages.alerts import Alerter, Webhook, sweep
from leasebot_pipeline.stages.pipeline import Pipeline, PipelinePolicy
from leasebot_pipeline.stages.retention import RetentionPolicy
from leasebot_pipeline.storage import (
    accounts_runtime,
    crash_points,
    outbox_operations,
    rollups,
)
from leasebot_pipeline.storage.crash_points import CrashPointReached
from leasebot_pipeline.storage.engine import create_engine
from leasebot_pipeline.storage.model_usage import DatabaseMeter

_AUDIT_KEPT: Final = timedelta(minutes=20)
_PERSON: Final = outbox_operations.Actor("admin", "play")


def policy() -> PipelinePolicy:
    """The limits of a play: those of production, but for waits that only a page's owner would miss."""
    return PipelinePolicy(
        default_send_mode=SendMode.AUTO_SEND,
        dispatch_deadline_s=8.0,
        poll_deadline_s=8.0,
        threads_per_poll=25,
        follow_ups=FollowUpPolicy(
            follow_up_1_after=timedelta(minutes=20),
            follow_up_2_after=timedelta(minutes=20),
            no_reply_after=timedelta(minutes=20),
            quiet_hours=None,
        ),
    )


def build(place: Place, clock: PlayClock) -> Pipeline:
    """The pipeline of a worker of a play."""
    engine = create_engine(place.database_url, application_name="leasebot chaos", pool_size=2)
    alerts = Alerter(
        engine,
        clock,
        AlertPolicy(enabled=True, provider="webhook"),
        {"webhook": Webhook(SecretStr(place.webhook_url))},
        timeout_s=1.0,
    )
    chance = random.Random(place.seed)
    return Pipeline(
        engine=engine,
        clock=clock,
        connectors=_connectors(place, clock),
        provider=HeuristicProvider(),
        policy=policy(),
        alerts=alerts,
        sleep=lambda _seconds: None,
        fraction=chance.random,
    )


def _connectors(place: Place, clock: PlayClock) -> Connectors:
    if place.browser is None:
        return HttpConnectors(place.base_urls, SiteLogin(LOGIN_USER, LOGIN_PASSWORD), clock)
    from leasebot_pipeline.platforms.registry import build_connectors

    environ = {f"{platform.env_prefix}_USERNAME": LOGIN_USER for platform in Platform}
    environ |= {f"{platform.env_prefix}_PASSWORD": LOGIN_PASSWORD for platform in Platform}
    options = RuntimeOptions(
        data_dir=Path(place.browser.data_dir),
        environ=environ,
        runtime="playwright",
        project_root=Path(place.browser.data_dir),
        platforms={platform: PlatformOptions(base_url=url) for platform, url in place.base_urls.items()},
        browser_path=Path(place.browser.executable),
    )
    return build_connectors(options, clock, production=False)


def cycle(pipeline: Pipeline, platform: Platform, run_id: str) -> tuple[bool, dict[str, int]]:
    """One look at a platform and a run over what waits; whether its account was free, and what was done."""
    polled = poll.poll(pipeline, platform, "chaos")
    counts = {"landed": polled.landed}
    busy = any("busy" in (account.message or "") for account in polled.accounts if not account.visited)
    batch = ingest.load(pipeline, platform)
    if batch.rows:
        counts["ingested"] = ingest.ingest(pipeline, batch, {}, run_id).ingested
    link.link(pipeline, platform, run_id)
    plan = decide.plan(pipeline, platform, run_id)
    if plan.planned:
        counts["decided"] = decide.apply(pipeline, plan, {}, run_id).decided
    book.settle(pipeline, platform)
    steps = follow_up.plan_steps(pipeline, platform, run_id)
    due = follow_up.due(pipeline, platform)
    if due.steps:
        follow_up.apply(pipeline, due, {}, run_id)
    counts["planned"] = steps.planned
    done = dispatch.dispatch(pipeline, platform, run_id)
    counts |= {name: value for name, value in asdict(done).items() if isinstance(value, int) and value}
    busy = busy or "busy" in (done.left or "")
    return not busy, counts


def _work(pipeline: Pipeline, place: Place, task: Task) -> tuple[bool, dict[str, int]]:
    """Do the task; whether no other worker had the account, and what was done."""
    match task.kind:
        case "cycle":
            assert task.platform is not None
            return cycle(pipeline, task.platform, f"chaos-{random.getrandbits(48):x}")
        case "listings":
            assert task.platform is not None
            sync_listings.sync_listings(pipeline, task.platform, None)
        case "calendars":
            availability.extend_horizon(pipeline, None)
        case "resume":
            assert task.platform is not None
            accounts.resume(pipeline.engine, task.platform, actor="play")
        case "cap":
            assert task.platform is not None
            with pipeline.engine.connect() as conn:
                rows = accounts_runtime.accounts(conn, task.platform)
            limits = accounts.Limits(cap=task.value, set_cap=True)
            accounts.limit(pipeline.engine, rows, limits, actor="play")
        case "retry":
            _retry_dead_letters(pipeline)
        case "tallies":
            rollups.advance(pipeline.engine, pipeline.clock(), timedelta(seconds=2))
        case "bill":
            _ask_a_model(pipeline)
        case "reply":
            assert task.platform is not None
            _person_writes(pipeline, task.platform)
        case "retention":
            assert task.platform is not None
            _what_is_kept_for_a_time(pipeline, Path(place.archive_dir), task.platform)
        case "alerts":
            sweep(pipeline.engine, pipeline.alerts, pipeline.clock)
        case "stop":
            raise SystemExit(0)
    return True, {}


def _retry_dead_letters(pipeline: Pipeline) -> None:
    """What a person does who read the alert: let every reply that was given up try once more."""
    with pipeline.engine.begin() as conn:
        given_up = outbox_operations.list_replies(conn, states=(DispatchState.DEAD_LETTER,), limit=500)
        outbox_operations.operate(
            conn,
            OperatorAction.RETRY,
            [reply.id for reply in given_up],
            actor=_PERSON,
            reason="tried again",
            now=pipeline.clock(),
        )


def _ask_a_model(pipeline: Pipeline) -> None:
    """What a batch of questions to a model does to its bill."""
    meter = DatabaseMeter(pipeline.engine, "play", DailyLimits(), pipeline.clock)
    admission = meter.admit([Spend(100, 5)])
    meter.settle(admission, BatchReport(questions=1, spent=Spend(40, 2), answered=True))


def _what_is_kept_for_a_time(pipeline: Pipeline, archive: Path, platform: Platform) -> None:
    """A night's work: audit rows older than minutes go to a file, a lead of long ago is erased. No lead of the play is
    silent for so long: the verdict needs their words."""
    with pipeline.engine.begin() as conn:
        people.forgotten_lead(conn, platform, pipeline.clock())
    kept = RetentionPolicy(archive, audit=_AUDIT_KEPT, personal=people.SILENT_FOR / 2)
    retention.archive_audit(pipeline.engine, kept, pipeline.clock)
    retention.erase_silent_leads(pipeline.engine, kept, pipeline.clock)


def _person_writes(pipeline: Pipeline, platform: Platform) -> None:
    with pipeline.engine.begin() as conn:
        conversation = people.newest_conversation(conn, platform)
        if conversation is not None:
            people.write(
                conn, conversation, "Thank you for writing, we will get back to you.", pipeline.clock()
            )


def serve(pipe: Pipe, place: Place) -> None:
    """Take tasks from the pipe until it closes. The process may be killed at any instant."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the play's business
    # Its workers' names and its judgement of whose process lives must agree.
    socket.gethostname = lambda: place.host
    logging.disable(logging.CRITICAL)  # what is told of hundreds of faults helps nobody
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    clock = PlayClock(Path(place.clock_file))
    pipeline = build(place, clock)
    faults = CommitFaults(pipeline.engine)
    while True:
        try:
            task: Task = pipe.recv()
        except (EOFError, OSError):
            return
        point, nth = None, ""
        if task.armed:
            point, _, rest = task.armed.partition(":")
            nth = rest.partition(":")[2]
        crash_points.arm(task.armed)
        faults.arm(task.commit_fault, task.commit_nth)
        clock.skew = timedelta(seconds=task.skew_s)
        began_at = clock()
        error, surprise = None, None
        free, counts = False, dict[str, int]()
        try:
            free, counts = _work(pipeline, place, task)
        except (CrashPointReached, SQLAlchemyError) as failure:
            error = type(failure).__name__
        except Exception:
            error = surprise = traceback.format_exc()
        passed = point is not None and crash_points.times_passed(point) >= int(nth or 1)
        crash_points.arm(None)
        pipe.send(Report(task.kind, task.platform, began_at, clock(), passed, free, error, counts, surprise))
