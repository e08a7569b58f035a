"""The processes one by one, as a container platform runs them, and the migrations."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, refused, tell

if TYPE_CHECKING:
    from leasebot_pipeline.settings import Settings

_CodeServerHost = Annotated[
    str,
    typer.Option("--code-server-host", envvar="DAGSTER_CODE_SERVER_HOST", help="Where the code server is."),
]


def register(app: typer.Typer) -> None:
    app.command("migrate")(migrate)
    app.command("code-server")(code_server)
    app.command("daemon")(daemon)
    app.command("webserver")(webserver)
    app.command("api")(api)
    app.command("sandbox")(sandbox)


def migrate(
    dagster: Annotated[
        bool, typer.Option("--dagster/--no-dagster", help="Prepare Dagster's own database too.")
    ] = True,
    as_json: JsonFlag = False,
) -> None:
    """Bring the database of DATABASE_URL to this version, with the rows that must exist.

    Creates the database when it is missing, takes over one of the earlier system, and can be repeated at any time.
    """
    with refused():
        from leasebot_pipeline.processes import dagster_home
        from leasebot_pipeline.processes.accounts import account_choices
        from leasebot_pipeline.processes.database import prepare_database

        settings = _settings()
        choices = account_choices(settings, sandbox=False) if settings.bootstrap.platform_accounts else None
        done = prepare_database(
            _database_url(settings), choices=choices, sandbox=False, now=datetime.now(UTC)
        )
        if dagster:
            _enter_dagster(settings, "127.0.0.1")
            dagster_home.prepare_storage()
    accounts = done.accounts.as_details() if done.accounts is not None else None
    made = "created, " if done.created else ""
    emit(
        {
            "databaseCreated": done.created,
            "revision": done.revision,
            "accounts": accounts,
            "dagster": dagster,
        },
        f"database {made}at revision {done.revision}" + ("; Dagster's tables are ready" if dagster else ""),
        as_json=as_json,
    )


def code_server(
    host: Annotated[str, typer.Option(help="Address to listen on; it asks for no login.")] = "127.0.0.1",
) -> None:
    """Run the code server: sensors, runs and the browser. SIGTERM lets running work finish."""
    with refused():
        from leasebot_pipeline.processes import code_server as server

        settings = _worker_settings()
        _enter_dagster(settings, host)
        command = server.command(host, settings.dagster.code_server_port, settings.dagster.run_launch)
    _become(command)


def daemon(code_server_host: _CodeServerHost = "127.0.0.1") -> None:
    """Run Dagster's daemon: ticks, schedules, the run queue. Closes orphaned runs first."""
    with refused():
        _enter_dagster(_settings(), code_server_host)
    _become((sys.executable, "-m", "leasebot_pipeline.processes.daemon"))


def webserver(code_server_host: _CodeServerHost = "127.0.0.1") -> None:
    """Run the Dagster UI. It asks for no login: keep it on loopback or behind one."""
    with refused():
        from leasebot_pipeline.processes import dagster_home

        settings = _settings()
        _enter_dagster(settings, code_server_host)
        workspace = str(dagster_home.configuration_file(dagster_home.WORKSPACE_FILE))
    address = ("--host", settings.dagster.host, "--port", str(settings.dagster.port))
    _become((sys.executable, "-m", "dagster_webserver", *address, "--workspace", workspace))


def api() -> None:
    """Run the API."""
    with refused():
        _settings()
    _become((sys.executable, "-m", "api"))


def sandbox(
    inquiries: Annotated[str, typer.Option(help="Leads that write by themselves: demo or none.")] = "demo",
) -> None:
    """Run the five local rental sites alone. Refused in production."""
    with refused():
        from leasebot_pipeline.processes.stack_plan import StackRefused

        settings = _settings()
        if settings.is_production:
            raise StackRefused("the sandbox is refused in production (LEASE_BOT_ENV=production)")
    _become(
        (
            *(sys.executable, "-m", "leasebot_pipeline.sandbox"),
            *("--host", settings.sandbox.host, "--port", str(settings.sandbox.port)),
            *("--state-dir", str(settings.data_dir / "sandbox" / "sites")),
            *("--time-scale", str(settings.sandbox.time_scale)),
            *(() if inquiries == "none" else ("--inquiries", inquiries)),
        )
    )


def _settings() -> Settings:
    from leasebot_pipeline.settings import load_settings

    settings = load_settings()
    for warning in settings.warnings:
        tell(f"note: {warning}")
    return settings


def _worker_settings() -> Settings:
    """Settings of the process that visits platforms; a forbidden runtime is told to the release gate too."""
    from leasebot_pipeline.settings import SettingsError
    from leasebot_pipeline.settings.loading import given_environment

    try:
        return _settings()
    except SettingsError as error:
        from leasebot_pipeline.release.startup import record_refused_start

        record_refused_start(given_environment().get("DATABASE_URL", ""), "lease-bot-worker", str(error))
        raise


def _database_url(settings: Settings) -> str:
    if settings.database.url is None:
        tell("error: DATABASE_URL is not set (`leasebot up` starts a database of its own and migrates it)")
        raise typer.Exit(ExitCode.USAGE)
    return settings.database.url.get_secret_value()


def _enter_dagster(settings: Settings, code_server_host: str) -> None:
    """Set what Dagster's files read, unless a deployment has set it already."""
    from leasebot_pipeline.processes import dagster_home

    given = settings.dagster.database_url
    home = os.environ.get("DAGSTER_HOME") or str(dagster_home.prepare_home(settings.dagster.home))
    variables = dagster_home.instance_environment(
        home=Path(home),
        database_url=_database_url(settings),
        dagster_database_url=given.get_secret_value() if given else None,
        host=code_server_host,
        port=settings.dagster.code_server_port,
    )
    for name, text in variables.items():
        os.environ.setdefault(name, text)


def _become(command: tuple[str, ...]) -> NoReturn:
    """Replace this process: signals reach the service itself, and no parent is left to keep alive."""
    from leasebot_pipeline.processes.service import hear_stops

    sys.stdout.flush()
    hear_stops()
    os.execv(command[0], command)  # noqa: S606
