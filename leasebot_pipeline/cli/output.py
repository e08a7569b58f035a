"""What every command shares: exit codes, JSON on demand, errors a person can act on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import IntEnum
from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


class ExitCode(IntEnum):
    OK = 0
    CHECK_FAILED = 1
    USAGE = 2
    UNAVAILABLE = 3


def emit(values: Mapping[str, object], text: str, *, as_json: bool) -> None:
    """Print the result of a command on standard output."""
    typer.echo(json.dumps(values, default=as_text, indent=1) if as_json else text)


def as_text(value: object) -> str:
    """What JSON has no word for; instants as ``2026-03-04T15:00:00Z``, with whatever parts of a second they have."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


def tell(line: str) -> None:
    """Progress, on standard error: standard output holds results only."""
    typer.echo(line, err=True)


@contextlib.contextmanager
def refused() -> Iterator[None]:
    """Turn the errors a person can act on into a message and an exit code; others stay tracebacks.

    2: settings and everything refused because of how it was asked for. 3: a server, browser or process that
    is needed is not there.
    """
    try:
        yield
    except typer.Exit:
        raise
    except Exception as error:
        code = _refusal(error)
        if code is None:
            raise
        tell(f"error: {error}")
        raise typer.Exit(code) from None


def _refusal(error: Exception) -> ExitCode | None:
    """The exit code of an error a person can act on. Imports only here: they cost each command two seconds."""
    from leasebot_pipeline.processes.browser_lookup import BrowserError
    from leasebot_pipeline.processes.dagster_home import DagsterHomeError
    from leasebot_pipeline.processes.database import DatabaseUnusable
    from leasebot_pipeline.processes.demo import DemoFailed
    from leasebot_pipeline.processes.ports import PortTaken
    from leasebot_pipeline.processes.stack_file import StackBusy
    from leasebot_pipeline.processes.stack_plan import StackRefused
    from leasebot_pipeline.processes.supervisor import StackFailed
    from leasebot_pipeline.settings import SettingsError
    from leasebot_pipeline.storage.server import ServerError

    if isinstance(error, SettingsError | StackRefused | PortTaken):
        return ExitCode.USAGE
    unavailable = (
        BrowserError,
        DagsterHomeError,
        DatabaseUnusable,
        DemoFailed,
        ServerError,
        StackBusy,
        StackFailed,
        TimeoutError,
    )
    return ExitCode.UNAVAILABLE if isinstance(error, unavailable) else None
