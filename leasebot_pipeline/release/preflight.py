"""Preflight: every check of the runbook's list by name, all of them run, each with what to do about it.

The environment is judged from its texts, not from the typed settings, so that a broken one still gets every other
check. Values are never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from leasebot_pipeline.domain.platforms import REQUIRED_PLATFORMS, SendMode
from leasebot_pipeline.domain.release_gate import REQUIRED_GATES
from leasebot_pipeline.domain.stops import next_step
from leasebot_pipeline.release import evidence
from leasebot_pipeline.storage import (
    connector_state,
    migrate,
    platform_accounts,
    release_gate,
    release_linkage,
    release_stages,
)
from leasebot_pipeline.storage.platform_accounts import Account

API_VARIABLES: Final = (
    "API_HOST",
    "API_PORT",
    "API_LOG_LEVEL",
    "API_BASE_URL",
    "DATABASE_URL",
    "BETTER_AUTH_SECRET",
    "BETTER_AUTH_URL",
    "BETTER_AUTH_TRUSTED_ORIGINS",
    "WEB_BASE_URL",
)
WORKER_VARIABLES: Final = (
    "DATABASE_URL",
    "WORKER_POLL_INTERVAL_MS",
    "WORKER_QUEUE_BATCH_SIZE",
    "WORKER_TASK",
    "WORKER_RUN_ONCE",
    "LEASE_BOT_RPA_RUNTIME",
    "AI_DECISION_PROVIDER",
)
GEMINI_VARIABLES: Final = ("AI_GEMINI_MODEL", "GOOGLE_GENERATIVE_AI_API_KEY")
ROLES: Final = ("api", "worker")
SESSION_AGE: Final = timedelta(hours=24)


class Status(StrEnum):
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found. ``fix`` says what to do; only where it did not pass."""

    status: Status
    reason: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class CheckResult:
    name: str
    status: Status
    reason: str
    fix: str | None


@dataclass(frozen=True, slots=True)
class Report:
    checks: tuple[CheckResult, ...]

    @property
    def ok(self) -> bool:
        """A skipped check is no fault, and no pass: it is said."""
        return not any(check.status is Status.FAIL for check in self.checks)

    def as_json(self) -> dict[str, object]:
        return {
            "ok": self.ok,
            "checks": [
                {"name": one.name, "status": one.status.value, "reason": one.reason, "fix": one.fix}
                for one in self.checks
            ],
        }


@dataclass(frozen=True, slots=True)
class DagsterHealth:
    """What Dagster's own tables say: the daemon's last sign of life, and sensors by how their last tick ended."""

    heartbeat: datetime | None
    failing: Sequence[str] = ()
    """Sensors and schedules whose last tick failed."""
    silent: bool = False
    """No sensor ticked lately."""


@dataclass(frozen=True)
class Preflight:
    """What the checks look at. ``problem_of`` resolves an account's credentials: None, or what is wrong."""

    environ: Mapping[str, str] = field(repr=False)
    now: datetime
    is_placeholder: Callable[[str], bool]
    faults: Sequence[str]
    """Faults of the environment in words, without values."""
    unknown: Mapping[str, str | None]
    """Variables that are set, look like ours and are none, each with the known name most like it."""
    intent: str | None
    """The provider this roll-out is meant to use."""
    roles: Collection[str]
    production: bool
    commit: str | None
    evidence_dir: Path
    engine: Engine | None
    problem_of: Callable[[Account], str | None]
    dagster: Callable[[], DagsterHealth | None]

    def given(self, name: str) -> bool:
        text = self.environ.get(name, "")
        return bool(text.strip()) and not self.is_placeholder(text)


Check = Callable[[Preflight], Outcome]
_DATABASE_FIX: Final = "set DATABASE_URL to a reachable PostgreSQL server"


def run(given: Preflight, only: Collection[str] = ()) -> Report:
    """Run the named checks, or all. A check that breaks is a failed one."""
    return Report(
        tuple(_run(name, check, given) for name, check in CHECKS.items() if not only or name in only)
    )


def _run(name: str, check: Check, given: Preflight) -> CheckResult:
    try:
        found = check(given)
    except SQLAlchemyError as error:
        # The text of a driver's error may hold the address; its kind says enough.
        found = _fail(f"the database did not answer ({type(error).__name__})", _DATABASE_FIX)
    return CheckResult(name, found.status, found.reason, found.fix)


def _ok(reason: str) -> Outcome:
    return Outcome(Status.PASS, reason)


def _fail(reason: str, fix: str) -> Outcome:
    return Outcome(Status.FAIL, reason, fix)


def _skip(reason: str, fix: str | None = None) -> Outcome:
    return Outcome(Status.SKIP, reason, fix)


def _settings(given: Preflight) -> Outcome:
    strange = [
        f"{name} is no setting of leasebot" + (f"; did you mean {nearest}?" if nearest else "")
        for name, nearest in given.unknown.items()
    ]
    if given.faults:
        fix = "correct each variable; docs/configuration.md has the rules"
        return _fail("; ".join([*given.faults, *strange]), fix)
    return _ok("; ".join(["every variable that is set keeps its rule", *strange]))


def _variables(given: Preflight, role: str, names: Sequence[str]) -> Outcome:
    if role not in given.roles:
        return _skip(f"the role {role} was not asked for")
    meant = {nearest: name for name, nearest in given.unknown.items()}
    missing = [
        f"{name} (set is {meant[name]}: misspelt?)" if name in meant else name
        for name in names
        if not given.given(name)
    ]
    if missing:
        return _fail(
            f"missing or a placeholder: {', '.join(missing)}",
            "set them in the deploy target; secrets come from the secrets manager",
        )
    return _ok(f"all {len(names)} are set")


def _api_variables(given: Preflight) -> Outcome:
    return _variables(given, "api", API_VARIABLES)


def _worker_variables(given: Preflight) -> Outcome:
    gemini = _provider_name(given) == "gemini"
    return _variables(given, "worker", WORKER_VARIABLES + (GEMINI_VARIABLES if gemini else ()))


def _provider_name(given: Preflight) -> str:
    return given.environ.get("AI_DECISION_PROVIDER", "").strip().casefold() or "heuristic"


def _provider(given: Preflight) -> Outcome:
    provider = _provider_name(given)
    if given.intent is None:
        return _skip(
            f"it is {provider}; nobody said what it is meant to be", "say --provider heuristic or gemini"
        )
    if provider != given.intent:
        return _fail(
            f"AI_DECISION_PROVIDER is {provider}, the roll-out is meant for {given.intent}",
            f"set AI_DECISION_PROVIDER={given.intent}, or correct the roll-out's intent",
        )
    return _ok(f"{provider}, as intended")


def _runtime(given: Preflight) -> Outcome:
    runtime = given.environ.get("LEASE_BOT_RPA_RUNTIME", "").strip().casefold()
    if runtime == "playwright":
        return _ok("playwright")
    if given.production:
        return _fail(
            "MOCK_RUNTIME_FORBIDDEN: a production worker will not start",
            "set LEASE_BOT_RPA_RUNTIME=playwright for the worker",
        )
    return _fail(
        "the runtime is not playwright", "set LEASE_BOT_RPA_RUNTIME=playwright and LEASE_BOT_ENV=production"
    )


def _production(given: Preflight) -> Outcome:
    if given.production:
        return _ok("LEASE_BOT_ENV is production")
    return _fail(
        "LEASE_BOT_ENV is not production", "set LEASE_BOT_ENV=production: it guards runtime and secrets"
    )


def _reached(check: Callable[[Preflight, Connection], Outcome]) -> Check:
    def guarded(given: Preflight) -> Outcome:
        if given.engine is None:
            return _fail("there is no database to look at", _DATABASE_FIX)
        with given.engine.connect() as conn:
            return check(given, conn)

    return guarded


def _database(_given: Preflight, conn: Connection) -> Outcome:
    conn.exec_driver_sql("SELECT 1")
    return _ok("reachable")


def _schema(_given: Preflight, conn: Connection) -> Outcome:
    reached, head = migrate.current(conn), migrate.head()
    if reached != head:
        return _fail(
            f"the database is at {reached or 'no revision'}, this release needs {head}",
            "run `leasebot migrate` with this release",
        )
    return _ok(f"at head ({head})")


def _parity(_given: Preflight, conn: Connection) -> Outcome:
    missing = release_gate.missing_platforms(conn)
    if missing:
        return _fail(
            f"missingPlatforms: {', '.join(missing)}",
            "run `leasebot migrate`, which creates the five required accounts",
        )
    return _ok(f"all {len(REQUIRED_PLATFORMS)} platforms have an account")


def _credentials(given: Preflight, conn: Connection) -> Outcome:
    accounts = platform_accounts.list_accounts(conn, SendMode.DRAFT_ONLY)
    active = [one for one in accounts if one.policy.is_active]
    wrong = [problem for one in active if (problem := given.problem_of(one)) is not None]
    if wrong:
        return _fail(
            "; ".join(wrong),
            "set the variables the references name, or correct the references of the account",
        )
    if not active:
        return _fail("no account is active", "activate the accounts under Platforms, or set their sessions")
    return _ok(f"the references of {len(active)} active accounts resolve")


def _sessions(given: Preflight, conn: Connection) -> Outcome:
    active = [one for one in connector_state.statuses(conn) if one.is_active]
    if not active:
        return _skip("no account is active")
    wrong, fixes = [], []
    for one in active:
        if one.stop_code:
            wrong.append(f"{one.platform}/{one.name}: stopped, {one.stop_code}")
            fixes.append(next_step(one.stop_code, one.platform))
        elif one.last_success_ingest_at is None or given.now - one.last_success_ingest_at > SESSION_AGE:
            at = one.last_success_ingest_at
            wrong.append(
                f"{one.platform}/{one.name}: inbox last read {at:%Y-%m-%d %H:%M} UTC"
                if at
                else f"{one.platform}/{one.name}: inbox was never read"
            )
            fixes.append(f"leasebot session check {one.platform}")
    if wrong:
        return _fail("; ".join(wrong), "; ".join(dict.fromkeys(fixes)))
    return _ok(f"{len(active)} inboxes were read within {SESSION_AGE.total_seconds() / 3600:.0f} hours")


def _ci_evidence(given: Preflight) -> Outcome:
    if given.commit is None:
        return _fail("the commit is not known", "run it in the checkout, or say --commit")
    found = evidence.newest(given.evidence_dir, given.commit)
    if found is not None:
        return _ok(f"of {given.commit[:12]}, {found.finished_at:%Y-%m-%d %H:%M} UTC")
    if _handed_in(given):  # the target has no checkout, so no folder
        return _ok(f"of {given.commit[:12]}, handed in to the database")
    return _fail(
        f"no evidence of {given.commit[:12]}, neither in {given.evidence_dir} nor in the database",
        "run `make gates`, then `leasebot release evidence FILE`",
    )


def _handed_in(given: Preflight) -> Mapping[str, bool]:
    """What `leasebot release evidence` gave the database about the commit."""
    if given.engine is None or not given.commit:
        return {}
    with given.engine.connect() as conn:
        return release_gate.evidence(conn, given.commit)


def _gate_passed(name: str) -> Check:
    def check(given: Preflight) -> Outcome:
        found = evidence.newest(given.evidence_dir, given.commit) if given.commit else None
        passed: bool | None = found.gates.get(name) if found else None
        if passed is None:
            passed = _handed_in(given).get(name)
        if passed is None:
            return _fail(f"{name} was not run for this commit", "run `make gates`")
        if not passed:
            return _fail(f"{name} failed or was skipped", "read its log beside the evidence, mend, run again")
        return _ok("passed for this commit")

    return check


def _linkage(given: Preflight, conn: Connection) -> Outcome:
    sample = release_linkage.recent(conn, 20)
    if not sample:
        return _skip("no conversation was linked yet", "let shadow read an inbox first")
    poor = sum(1 for one in sample if not one.explains)
    unaudited = release_linkage.without_audit(conn, given.now - timedelta(hours=24))
    if poor or unaudited:
        return _fail(
            f"{poor} of the last {len(sample)} linkage audits lack their listing or what was tried; "
            f"{unaudited} conversations of the last day have none",
            "look at them: docs/runbooks/incident-triage.md, linkage",
        )
    return _ok(f"the last {len(sample)} audits say what was linked or tried")


def _daemon(given: Preflight) -> Outcome:
    health = given.dagster()
    if health is None or health.heartbeat is None:
        return _fail("Dagster's daemon never reported itself", "start lease-bot-daemon; read its log")
    age = given.now - health.heartbeat
    if age > timedelta(minutes=2):
        minutes = int(age.total_seconds() // 60)
        return _fail(
            f"the daemon's last sign of life is {minutes} minutes old",
            "restart lease-bot-daemon; read its log",
        )
    return _ok("the daemon is alive")


def _sensors(given: Preflight) -> Outcome:
    health = given.dagster()
    if health is None or health.silent:
        return _fail("no sensor ticked in the last five minutes", "start the daemon and the code server")
    if health.failing:
        return _fail(f"the last tick failed: {', '.join(health.failing)}", "open the sensor's tick in the UI")
    return _ok("the last tick of each sensor ended well")


def _stage(given: Preflight, conn: Connection) -> Outcome:
    current = release_stages.current(conn)
    if current is None:
        return _fail(
            "no release was started: nothing is sent", "leasebot release start --reason ... --commit ..."
        )
    if given.commit and current.commit and not given.commit.startswith(current.commit):
        return _fail(
            f"the stage is about {current.commit}, this is {given.commit[:12]}",
            "start a release for this commit: leasebot release start",
        )
    return _ok(f"{current.stage} since {current.started_at:%Y-%m-%d %H:%M} UTC")


CHECKS: Final[Mapping[str, Check]] = {
    "settings": _settings,
    "production": _production,
    "variables_api": _api_variables,
    "variables_worker": _worker_variables,
    "provider": _provider,
    "runtime": _runtime,
    "database": _reached(_database),
    "schema": _reached(_schema),
    "platform_parity": _reached(_parity),
    "credentials": _reached(_credentials),
    "sessions": _reached(_sessions),
    "ci_evidence": _ci_evidence,
    **{f"gate_{name}": _gate_passed(name) for name in REQUIRED_GATES},
    "linkage_audit": _reached(_linkage),
    "dagster_daemon": _daemon,
    "dagster_sensors": _sensors,
    "release_stage": _reached(_stage),
}
"""Every check by name, in the order of the report."""
