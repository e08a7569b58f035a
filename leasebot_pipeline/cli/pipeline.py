"""``leasebot check`` and ``worker``: invariants, one cycle without a daemon."""

from __future__ import annotations

from typing import Annotated

import typer

from leasebot_pipeline.cli.database import DatabaseUrl, database
from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, refused, tell


def register(app: typer.Typer) -> None:
    app.command("check")(check)
    app.command("worker")(worker)


def check(database_url: DatabaseUrl = None, as_json: JsonFlag = False) -> None:
    """Check everything that must always hold. Exit code 1 when something does not."""
    with refused():
        from leasebot_pipeline.storage import invariants

        with database(database_url) as engine, engine.connect() as conn:
            results = invariants.check(conn)
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
