"""``leasebot up``, ``status`` and ``down``: the whole pipeline on one machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, refused, tell

if TYPE_CHECKING:
    from leasebot_pipeline.processes.stack_file import StackReport

_DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Directory of this stack's data. Default: LEASE_BOT_DATA_DIR, and `sandbox` below it for --sandbox.",
        file_okay=False,
    ),
]


def register(app: typer.Typer) -> None:
    app.command("up")(up)
    app.command("status")(status)
    app.command("down")(down)


def up(
    sandbox: Annotated[
        bool,
        typer.Option(
            "--sandbox", help="Run five local rental sites and work on them instead of the real ones."
        ),
    ] = False,
    api: Annotated[bool, typer.Option("--api/--no-api", help="Run the API.")] = True,
    webserver: Annotated[bool, typer.Option("--webserver/--no-webserver", help="Run the Dagster UI.")] = True,
    inquiries: Annotated[
        str,
        typer.Option(help="Leads that write by themselves in the sandbox: demo, none, or a file of them."),
    ] = "demo",
    data_dir: _DataDir = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the log lines of every process.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output once all is ready.")
    ] = False,
) -> None:
    """Start the whole pipeline, keep it running, stop it on Ctrl-C.

    Starts a database unless DATABASE_URL is set, the code server, the daemon, the Dagster UI and the API;
    waits until each is ready and prints their addresses. What dies is started again. Ctrl-C lets a reply
    that is being sent finish; a second Ctrl-C kills.
    """
    with refused():
        from leasebot_pipeline.processes.stack import run_stack, table
        from leasebot_pipeline.processes.stack_plan import StackChoice

        def ready(report: StackReport) -> None:
            text = f"\nleasebot is up.\n{table(report)}"
            emit(
                report.model_dump(by_alias=True, mode="json"),
                text + "\n  Ctrl-C stops it.\n",
                as_json=as_json,
            )

        run_stack(
            StackChoice(
                sandbox=sandbox, api=api, webserver=webserver, data_dir=data_dir, inquiries=inquiries
            ),
            say=tell,
            on_ready=ready,
            log_line=(lambda name, line: tell(f"{name:>12} | {line}")) if verbose else None,
        )


def status(
    sandbox: Annotated[bool, typer.Option("--sandbox", help="The sandbox stack.")] = False,
    data_dir: _DataDir = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the stack that runs. Exit code 3 when none runs or a part of it is not ready."""
    with refused():
        from leasebot_pipeline.processes.stack import table
        from leasebot_pipeline.processes.stack_file import running

        report = next((found for found in map(running, _folders(sandbox, data_dir)) if found), None)
    if report is None:
        emit({"running": False}, "no stack runs", as_json=as_json)
        raise typer.Exit(ExitCode.UNAVAILABLE)
    parts = "\n".join(
        f"  {part.name:<16} {part.state:<12} pid {part.pid or '-':<8} restarts {part.restarts}"
        for part in report.parts
    )
    text = f"stack of process {report.pid} on {report.data_dir}\n{parts}\n{table(report)}"
    values = {"running": True, "ready": report.ready, **report.model_dump(by_alias=True, mode="json")}
    emit(values, text, as_json=as_json)
    if not report.ready:
        raise typer.Exit(ExitCode.UNAVAILABLE)


def down(
    sandbox: Annotated[bool, typer.Option("--sandbox", help="The sandbox stack.")] = False,
    data_dir: _DataDir = None,
    now: Annotated[bool, typer.Option("--now", help="Kill what does not stop at once.")] = False,
    patience: Annotated[float, typer.Option(help="Seconds to wait.")] = 120.0,
    as_json: JsonFlag = False,
) -> None:
    """Stop the stack that runs; a reply that is being sent is finished first."""
    with refused():
        from leasebot_pipeline.processes.stack import stop_stack

        stopped = [
            str(folder)
            for folder in _folders(sandbox, data_dir)
            if stop_stack(folder, patience_s=patience, now=now)
        ]
    emit({"stopped": stopped}, "stopped" if stopped else "no stack runs", as_json=as_json)


def _folders(sandbox: bool, data_dir: Path | None) -> list[Path]:
    """Data directories to look at: the one named, else the real one and the sandbox's."""
    from leasebot_pipeline.processes.stack_plan import data_dir_of
    from leasebot_pipeline.settings import load_settings

    settings = load_settings()
    kinds = (True,) if sandbox else (False, True)
    folders = [data_dir_of(settings, sandbox=kind, given=data_dir) for kind in kinds]
    return list(dict.fromkeys(folders))
