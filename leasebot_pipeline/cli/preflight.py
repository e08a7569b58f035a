"""``leasebot preflight``: is everything there that a release needs?"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leasebot_pipeline.cli.database import DatabaseUrl, url_despite_faults
from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from leasebot_pipeline.release.preflight import DagsterHealth, Report
    from leasebot_pipeline.storage.platform_accounts import Account

EVIDENCE = Path("docs/qa/evidence")


class _Provider(StrEnum):
    HEURISTIC = "heuristic"
    GEMINI = "gemini"


class _Role(StrEnum):
    API = "api"
    WORKER = "worker"


def register(app: typer.Typer) -> None:
    app.command("preflight")(preflight)


def preflight(
    provider: Annotated[
        _Provider | None, typer.Option(help="What AI_DECISION_PROVIDER is meant to be in this roll-out.")
    ] = None,
    role: Annotated[
        list[_Role] | None, typer.Option(help="Whose variables are looked at; both unless given.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only this check; may be repeated.")
    ] = None,
    commit: Annotated[
        str | None, typer.Option("--commit", help="The candidate; the checkout's commit unless given.")
    ] = None,
    evidence: Annotated[Path, typer.Option("--evidence", help="Folder of the gates' evidence.")] = EVIDENCE,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Run every check before a release and say what to do about each that fails. Exit code 1 when one does."""
    from leasebot_pipeline.release import preflight as checks
    from leasebot_pipeline.release.commit import commit_of
    from leasebot_pipeline.settings import SettingsError, is_placeholder, load_settings
    from leasebot_pipeline.settings.loading import given_environment, unknown_names
    from leasebot_pipeline.storage.engine import DatabaseUrlError, create_engine

    unknown = [name for name in only or () if name not in checks.CHECKS]
    if unknown:
        tell(f"error: --only: {unknown[0]} is none of {', '.join(checks.CHECKS)}")
        raise typer.Exit(ExitCode.USAGE)
    environ = given_environment()
    now = datetime.now(UTC)
    try:
        load_settings()
        faults: tuple[str, ...] = ()
    except SettingsError as error:
        faults = tuple(map(str, error.faults))
    url = url_despite_faults(database_url)
    try:
        engine = create_engine(url, application_name="leasebot preflight", pool_size=1) if url else None
    except DatabaseUrlError:
        engine = None
    production = (environ.get("LEASE_BOT_ENV") or environ.get("NODE_ENV") or "").strip() == "production"
    try:
        report = checks.run(
            checks.Preflight(
                environ=environ,
                now=now,
                is_placeholder=is_placeholder,
                faults=faults,
                unknown={one.name: one.nearest for one in unknown_names(environ)},
                intent=provider.value if provider else None,
                roles=[one.value for one in role] if role else checks.ROLES,
                production=production,
                commit=commit or commit_of(Path.cwd()),
                evidence_dir=evidence,
                engine=engine,
                problem_of=_problem_of(environ),
                dagster=lambda: _dagster(environ, url, now),
            ),
            frozenset(only or ()),
        )
    finally:
        if engine is not None:
            engine.dispose()
    emit(report.as_json(), _text(report), as_json=as_json)
    if not report.ok:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _text(report: Report) -> str:
    lines = []
    for one in report.checks:
        lines.append(f"{one.status.upper():<5} {one.name}: {one.reason}")
        if one.fix:
            lines.append(f"      fix: {one.fix}")
    failed = sum(1 for one in report.checks if one.status == "fail")
    lines.append("ready" if report.ok else f"not ready: {failed} checks failed")
    return "\n".join(lines)


def _problem_of(environ: Mapping[str, str]) -> Callable[[Account], str | None]:
    from leasebot_pipeline.domain.failures import PlatformFailure
    from leasebot_pipeline.domain.platforms import Platform
    from leasebot_pipeline.platforms.credentials import resolve
    from leasebot_pipeline.platforms.options import RuntimeOptions
    from leasebot_pipeline.platforms.protocol import AccountRef

    options = RuntimeOptions(data_dir=Path(environ.get("LEASE_BOT_DATA_DIR") or "var"), environ=environ)

    def problem(account: Account) -> str | None:
        ref = AccountRef(
            account.id, Platform(account.platform), account.account_external_id, account.credentials
        )
        try:
            resolve(ref, options)
        except PlatformFailure as failure:
            return str(failure)
        return None

    return problem


def _dagster(environ: Mapping[str, str], url: str, now: datetime) -> DagsterHealth | None:
    from leasebot_pipeline.processes import dagster_health
    from leasebot_pipeline.processes.dagster_home import dagster_storage_url, libpq_url
    from leasebot_pipeline.release.preflight import DagsterHealth
    from leasebot_pipeline.storage.engine import DatabaseUrlError

    if not url:
        return None
    try:
        address = libpq_url(dagster_storage_url(url, environ.get("LEASE_BOT_DAGSTER_DATABASE_URL")))
    except DatabaseUrlError:
        return None
    found = dagster_health.read(address, now)
    return None if found is None else DagsterHealth(found.heartbeat, found.failing, found.silent)
