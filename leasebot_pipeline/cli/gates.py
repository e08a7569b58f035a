"""``leasebot gates``: run the release gates of this checkout and write their evidence."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, refused, tell
from leasebot_pipeline.cli.preflight import EVIDENCE


def register(app: typer.Typer) -> None:
    app.command("gates")(gates)


def gates(
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Only this suite; the others count as skipped.")
    ] = None,
    evidence: Annotated[
        Path, typer.Option("--evidence", help="Where logs and metadata are written.")
    ] = EVIDENCE,
    as_json: JsonFlag = False,
) -> None:
    """Run every suite that blocks a release. Exit code 0 only when all passed. Needs the development environment.

    A checkout with changes is named `<commit>-dirty`: its evidence counts for no commit.
    """
    from leasebot_pipeline.processes.browser_lookup import find_browser
    from leasebot_pipeline.release import gates as suites
    from leasebot_pipeline.release.commit import changes, commit_of
    from leasebot_pipeline.settings import load_settings

    unknown = [name for name in only or () if name not in suites.SUITES]
    if unknown:
        tell(f"error: --only: {unknown[0]} is none of {', '.join(suites.SUITES)}")
        raise typer.Exit(ExitCode.USAGE)
    here = Path.cwd()
    commit = commit_of(here)
    if commit is None:
        tell("error: the commit is not known: run it in a checkout (`git rev-parse HEAD` must name it)")
        raise typer.Exit(ExitCode.USAGE)
    with refused():
        settings = load_settings()
        browser = find_browser(settings.data_dir, settings.rpa.browser_path)
    if browser is None:  # tests that need one would be skipped, and a skipped test is no proof
        tell("error: no browser on this machine: `leasebot browser install`, or `make setup`")
        raise typer.Exit(ExitCode.UNAVAILABLE)
    changed = changes(here, evidence)
    if changed is None or changed:
        shown = ", ".join((changed or ["git status failed"])[:5])
        tell(f"note: this checkout differs from its commit, so the evidence will count for none: {shown}")
    environ = os.environ
    server, repository, run = (
        environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")
    )
    file, document = suites.run(
        evidence,
        lambda: datetime.now(UTC),
        commit=f"{commit}-dirty" if changed != [] else commit,
        run_id=run or "local",
        ref=environ.get("GITHUB_REF", "local"),
        url=f"{server}/{repository}/actions/runs/{run}" if server and repository and run else None,
        only=frozenset(only or ()),
        tell=tell,
    )
    counts = ", ".join(
        f"{sum(one['status'] == status for one in document['checks'])} {said}"
        for status, said in (("pass", "passed"), ("fail", "failed"), ("skip", "skipped"))
    )
    emit(
        {**document, "evidence": str(file)},
        f"{document['result'].upper()}: {counts}; {file}",
        as_json=as_json,
    )
    if document["result"] != "pass":
        raise typer.Exit(ExitCode.CHECK_FAILED)
