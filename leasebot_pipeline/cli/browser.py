"""``leasebot browser``: the browser that reads the inboxes."""

from __future__ import annotations

from typing import Annotated

import typer

from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, refused, tell

_group = typer.Typer(help="Find or install the browser that reads the inboxes.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(_group, name="browser")


@_group.command()
def install(
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Say nothing unless something is installed.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Use a browser that is there and runs, else install one (without root too)."""
    with refused():
        from leasebot_pipeline.processes.browser_install import ensure_browser
        from leasebot_pipeline.settings import load_settings

        settings = load_settings()
        found = ensure_browser(settings.data_dir, settings.rpa.browser_path, say=tell)
    if quiet and not found.installed and not as_json:
        return
    verb = "installed" if found.installed else "found"
    emit(
        {"path": str(found.path), "source": found.source, "installed": found.installed},
        f"browser {verb}: {found.path} ({found.source})",
        as_json=as_json,
    )


@_group.command()
def path(as_json: JsonFlag = False) -> None:
    """Print the executable that will be used. Exit code 3 when there is none."""
    with refused():
        from leasebot_pipeline.processes.browser_lookup import candidates
        from leasebot_pipeline.settings import load_settings

        settings = load_settings()
        found = next(candidates(settings.data_dir, settings.rpa.browser_path), None)
    if found is None:
        tell("error: no browser was found: `leasebot browser install` finds or installs one")
        raise typer.Exit(ExitCode.UNAVAILABLE)
    emit({"path": str(found.path), "source": found.source}, str(found.path), as_json=as_json)
