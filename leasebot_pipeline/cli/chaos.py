"""``leasebot chaos``: the real stages against the local sites, while everything breaks, and a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, refused, tell


def register(app: typer.Typer) -> None:
    app.command("chaos")(chaos)


def chaos(
    messages: Annotated[
        int, typer.Option(min=1, max=200_000, help="How many messages leads write at least.")
    ] = 2000,
    seed: Annotated[int, typer.Option(help="Chooses leads and faults; the same seed chooses the same.")] = 1,
    workers: Annotated[
        int, typer.Option(min=2, max=8, help="Worker processes; the last one plays a second deployment.")
    ] = 4,
    faults: Annotated[
        float, typer.Option(min=0, max=10, help="Faults per tick of five seconds, on average.")
    ] = 4.0,
    browser: Annotated[
        bool, typer.Option(help="End with a sample in real Chromium, which is killed under way.")
    ] = True,
    data_dir: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Where its data goes and stays; default: a temporary folder."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Kill, cut, freeze and mislead the pipeline while leads write, then judge by what the leads really received.

    Runs a database, five local sites and workers of its own on an accelerated clock: every crash point (raise, kill -9,
    freeze), database restarts and absence, connections reset in commit, two workers at once, a second deployment, clock
    jumps, and what sites do to visitors. Exit code 1 unless nothing is doubled, lost or left open and every invariant holds.
    """
    with refused():
        from leasebot_pipeline.chaos.play import PlayOptions, holds, run
        from leasebot_pipeline.chaos.scene import PlayFailed
        from leasebot_pipeline.processes.browser_lookup import BrowserError, find_browser
        from leasebot_pipeline.settings import load_settings

        executable: Path | None = None
        if browser:
            settings = load_settings()
            found = find_browser(settings.data_dir, settings.rpa.browser_path)
            if found is None:
                raise BrowserError(
                    "no browser for the sample: run `leasebot browser install`, or say --no-browser"
                )
            executable = found
        options = PlayOptions(
            messages=messages,
            seed=seed,
            workers=workers,
            fault_rate=faults,
            browser=executable,
            folder=data_dir,
        )
        tell(f"chaos with seed {seed}, {messages} messages")
        try:
            report = run(options, tell)
        except PlayFailed as failure:
            tell(f"error: {failure}")
            raise typer.Exit(ExitCode.CHECK_FAILED) from None
    emit(report, _text(report), as_json=as_json)
    if not holds(report):
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _text(report: dict[str, Any]) -> str:
    lines = [
        f"{name}: {report[name]}"
        for name in ("seed", "messages", "doubled", "lost", "unknownOpen", "recoverySeconds")
    ]
    lines.append(f"faults: {sum(report['faults'].values())}")
    lines += [f"  {name}: {times}" for name, times in report["faults"].items()]
    missed = [point for point, ways in report["crashPoints"].items() if not {"raise", "kill"} <= ways.keys()]
    lines.append(
        f"crash points: {len(report['crashPoints'])}, not yet reached both ways: {', '.join(missed) or 'none'}"
    )
    broken = [one for one in report["invariants"] if one["violations"]]
    lines.append(f"invariants: {len(report['invariants'])} checked, {len(broken)} broken")
    lines += [f"  {one['name']}: {one['violations']}" for one in broken]
    return "\n".join(lines)
