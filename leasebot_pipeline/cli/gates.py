"""``leasebot gates``: run the release gates of this checkout and write their evidence."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, tell
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
    from leasebot_pipeline.release import gates as suites
    from leasebot_pipeline.release.commit import commit_of, is_dirty

    unknown = [name for name in only or () if name not in suites.SUITES]
    if unknown:
        tell(f"error: --only: {unknown[0]} is none of {', '.join(suites.SUITES)}")
        raise typer.Exit(ExitCode.USAGE)
    here = Path.cwd()
    commit = commit_of(here)
    if commit is None:
        tell("error: the commit is not known: run it in a checkout")
        raise typer.Exit(ExitCode.USAGE)
    environ = os.environ
    server, repository, run = (
        environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")
    )
    file, document = suites.run(
        evidence,
        lambda: datetime.now(UTC),
        commit=f"{commit}-dirty" if is_dirty(here, evidence) else commit,
        run_id=run or "local",
        ref=environ.get("GITHUB_REF", "local"),
        url=f"{server}/{repository}/actions/runs/{run}" if server and repository and run else None,
        only=frozenset(only or ()),
    )
    lines = [f"{one['status'].upper():<5} {one['name']} ({one['seconds']} s)" for one in document["checks"]]
    lines.append(f"{document['result'].upper()}: {file}")
    emit({**document, "evidence": str(file)}, "\n".join(lines), as_json=as_json)
    if document["result"] != "pass":
        raise typer.Exit(ExitCode.CHECK_FAILED)
