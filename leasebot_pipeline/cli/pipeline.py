"""``leasebot check``, ``worker`` and ``account``: invariants, one cycle without a daemon, stopped accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, refused, tell
from leasebot_pipeline.domain.platforms import Platform

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from leasebot_pipeline.settings import Settings

DatabaseOption = Annotated[
    str | None,
    typer.Option("--database-url", help="Default: DATABASE_URL, else the database of the stack that runs."),
]


def register(app: typer.Typer) -> None:
    app.command("check")(check)
    app.command("worker")(worker)
    accounts = typer.Typer(
        help="Platform accounts: their state, and letting a stopped one go on.", no_args_is_help=True
    )
    accounts.command("list")(account_list)
    accounts.command("resume")(account_resume)
    app.add_typer(accounts, name="account")


def check(database_url: DatabaseOption = None, as_json: JsonFlag = False) -> None:
    """Check everything that must always hold. Exit code 1 when something does not."""
    with refused():
        from leasebot_pipeline.storage import invariants

        engine = engine_for(database_url)
        with engine.connect() as conn:
            results = invariants.check(conn)
        engine.dispose()
    broken = [result for result in results if not result.holds]
    lines = [f"{'ok  ' if result.holds else 'FAIL'} {result.name}: {result.sentence}" for result in results]
    lines += [f"     {result.name}: {line}" for result in broken for line in result.sample]
    values = {
        "ok": not broken,
        "invariants": [
            {"name": r.name, "sentence": r.sentence, "violations": r.violations, "sample": list(r.sample)}
            for r in results
        ],
    }
    emit(values, "\n".join(lines), as_json=as_json)
    if broken:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def worker(
    once: Annotated[
        bool, typer.Option("--once", help="One full cycle over all platforms, then exit.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Run one full cycle (poll, ingest, link, decide, dispatch) in this process and exit.

    The same assets and checks as the daemon runs, recorded in the same Dagster instance when DAGSTER_HOME is set.
    WORKER_RUN_ONCE=1 means --once. Exit code 1 when a run failed. Without either, `leasebot up` is what you want.
    """
    with refused():
        from leasebot_pipeline.processes.worker import run_cycle
        from leasebot_pipeline.settings import load_settings

        settings = load_settings()
        if not (once or settings.worker.run_once):
            tell("error: say --once or set WORKER_RUN_ONCE=1; sensors poll continuously under `leasebot up`")
            raise typer.Exit(ExitCode.USAGE)
        report = run_cycle(settings, tell)
    text = "\n".join(
        f"{name}: {platform['seen']}; {platform['result']}" for name, platform in report["platforms"].items()
    )
    emit(report, text, as_json=as_json)
    if report["failed"]:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def account_list(database_url: DatabaseOption = None, as_json: JsonFlag = False) -> None:
    """Every account with its state: active, stopped and why, circuit, last success."""
    with refused():
        from leasebot_pipeline.storage import accounts_runtime

        engine = engine_for(database_url)
        with engine.connect() as conn:
            rows = [row for platform in Platform for row in accounts_runtime.accounts(conn, platform)]
        engine.dispose()
    values = [
        {
            "platform": row.platform.value,
            "account": row.state.name,
            "isActive": row.state.is_active,
            "stopCode": row.state.stop_code,
            "stopReason": row.state.stop_reason,
            "circuit": row.state.circuit.state.value,
            "lastPolledAt": row.last_polled_at,
        }
        for row in rows
    ]
    lines = [
        f"{item['platform']:<16} {item['account']:<26} {'active' if item['isActive'] else 'inactive':<9} "
        + (
            f"stopped: {item['stopCode']}: {item['stopReason']}"
            if item["stopCode"]
            else f"circuit {item['circuit']}"
        )
        for item in values
    ]
    emit({"accounts": values}, "\n".join(lines), as_json=as_json)


def account_resume(
    platform: Annotated[Platform, typer.Argument(help="The platform whose stopped accounts may go on.")],
    database_url: DatabaseOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Let the stopped accounts of a platform be visited again, after a person renewed the session."""
    with refused():
        from leasebot_pipeline.stages.accounts import resume

        engine = engine_for(database_url)
        resumed = resume(engine, platform, actor="cli")
        engine.dispose()
    emit(
        {"resumed": [str(account) for account in resumed]},
        f"{len(resumed)} account(s) resumed" if resumed else "no account of that platform was stopped",
        as_json=as_json,
    )


def engine_for(given: str | None) -> Engine:
    """The engine a command works with; says what is missing and exits when there is no database."""
    from leasebot_pipeline.settings import load_settings
    from leasebot_pipeline.storage.engine import create_engine

    settings = load_settings()
    url = given or (settings.database.url.get_secret_value() if settings.database.url else None)
    url = url or _running_stack(settings)
    if url is None:
        tell("error: no database: set DATABASE_URL, give --database-url, or start `leasebot up`")
        raise typer.Exit(ExitCode.UNAVAILABLE)
    return create_engine(url, application_name="leasebot cli")


def _running_stack(settings: Settings) -> str | None:
    from leasebot_pipeline.processes import stack_file
    from leasebot_pipeline.processes.stack_plan import data_dir_of

    folders: list[Path] = [data_dir_of(settings, sandbox=kind, given=None) for kind in (False, True)]
    reports = [stack_file.running(folder) for folder in dict.fromkeys(folders)]
    return next((report.database_url for report in reports if report and report.database_url), None)
