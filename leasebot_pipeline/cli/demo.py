"""``leasebot demo``: leads played over all five sites until idle, and a verdict."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, refused, tell


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    leads: Annotated[
        Path | None,
        typer.Option(
            help="File of dialogues or lead scripts (JSON lines); default: inquiries of our own.", exists=True
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=5000, help="How many leads write.")] = 60,
    spacing: Annotated[float, typer.Option(min=0, help="Seconds between two leads.")] = 3.0,
    time_scale: Annotated[
        float, typer.Option(min=0.001, max=10, help="How long leads think, relative to their scripts.")
    ] = 0.2,
    timeout: Annotated[
        float, typer.Option(help="Seconds after which the demo is judged as it stands.")
    ] = 1200.0,
    data_dir: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Where its data goes; default: a new folder below var/demo."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Play leads over the five local sites until idle, then judge: nothing doubled, nothing lost, no check
    failed, every invariant holds.

    Runs a stack of its own, with a database of its own, in real Chromium and real Dagster. Exit code 1 when the
    verdict is bad.
    """
    with refused():
        from leasebot_pipeline.processes.demo import DemoOptions, run_demo
        from leasebot_pipeline.processes.demo_report import holds
        from leasebot_pipeline.processes.stack_plan import StackChoice, settings_for

        settings = settings_for(StackChoice(sandbox=True))
        folder = data_dir or settings.data_dir / "demo" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
        options = DemoOptions(folder.resolve(), leads, limit, spacing, time_scale, timeout)
        report = run_demo(options, tell)
    emit(report, _text(report), as_json=as_json)
    if not holds(report):
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _text(report: dict[str, object]) -> str:
    platforms = report["platforms"]
    assert isinstance(platforms, dict)
    columns = list(next(iter(platforms.values())))
    lines = [f"{'':<16}" + "".join(f"{name:>12}" for name in columns)]
    lines += [
        f"{platform:<16}" + "".join(f"{counts[name]:>12}" for name in columns)
        for platform, counts in platforms.items()
    ]
    lines.append("")
    lines += [
        f"{name}: {report[name]}"
        for name in ("leads", "answered", "duplicates", "lost", "latencySeconds", "dagsterRuns", "checks")
    ]
    invariants = report["invariants"]
    assert isinstance(invariants, list)
    broken = [item for item in invariants if item["violations"]]
    lines.append(f"invariants: {len(invariants)} checked, {len(broken)} broken")
    lines += [f"  {item['name']}: {item['violations']}" for item in broken]
    return "\n".join(lines)
