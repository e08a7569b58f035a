"""``leasebot session``: log in by hand, check that accounts get in, free a profile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, refused, tell
from leasebot_pipeline.domain.platforms import Platform

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from leasebot_pipeline.settings import Settings

_group = typer.Typer(
    help="Sessions of platform accounts: log in by hand, check that accounts get in, free a profile.",
    no_args_is_help=True,
)

_Account = Annotated[
    str | None, typer.Option("--account", help="External id of the account, where a platform has several.")
]
_Profile = Annotated[
    Path | None,
    typer.Option(
        "--profile", help="Profile directory. Default: the account's, else .playwright/profiles/PLATFORM."
    ),
]
_BaseUrl = Annotated[
    str | None,
    typer.Option("--base-url", help="Other address of the platform, such as a site of the sandbox."),
]
_Database = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        help="Default: DATABASE_URL, else the database of the stack that runs, else the environment's five accounts.",
    ),
]


def register(app: typer.Typer) -> None:
    app.add_typer(_group, name="session")


@_group.command()
def capture(
    platform: Annotated[Platform, typer.Argument(help="The platform to log in to.")],
    account: _Account = None,
    profile: _Profile = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the session to this file, whatever the account refers to."),
    ] = None,
    base_url: _BaseUrl = None,
    timeout: Annotated[float, typer.Option("--timeout", min=5, help="Seconds to wait for the login.")] = 600,
    headless: Annotated[
        bool,
        typer.Option(
            "--headless", help="Without a window: for a profile that is logged in already, and for tests."
        ),
    ] = False,
    database_url: _Database = None,
    as_json: JsonFlag = False,
) -> None:
    """Open a browser, wait until you have logged in and the inbox is seen, and keep the session.

    leasebot types nothing and answers no captcha: that is yours. The session goes where the account looks for
    it, its profile or its session file; a stopped account then goes on by itself at the next tick. Exit code 1
    when no login was seen in time or it did not last, 3 without a browser or a screen.
    """
    with _refused():
        from leasebot_pipeline.platforms.session_target import target_of
        from leasebot_pipeline.processes import sessions
        from leasebot_pipeline.settings import load_settings

        settings = load_settings()
        with _engine(settings, database_url) as engine:
            accounts = sessions.accounts_of(settings, engine, [platform])
        meant = sessions.chosen_account(accounts, account)
        options = sessions.options_of(settings, platform, base_url=base_url, headless=headless)
        target = target_of(meant, options, profile=profile, out=out)
        used = target.path == target_of(meant, options, profile=profile).path
        report = sessions.capture(options, meant, target, timeout, tell)
    lines = [f"{report.kind} captured: {report.path}"]
    if report.set_variable:
        lines.append(f"next: set {report.set_variable}={report.path} and restart leasebot")
    elif not used:
        lines.append("next: put the file where the account's session refers to; nothing uses it here")
    elif report.holds:
        lines.append("a stopped account goes on with it at its next look")
    if not report.holds:
        lines.append(
            "the login was gone when the browser was opened again; capture a session file instead (--out), "
            "and refer to it with sessionRef"
        )
    values = {
        "platform": report.platform,
        "account": report.account,
        "kind": report.kind,
        "path": report.path,
        "profile": report.profile,
        "threads": report.threads,
        "setVariable": report.set_variable,
        "expiresAt": report.expires_at,
        "holds": report.holds,
    }
    emit(values, "\n".join(lines), as_json=as_json)
    if not report.holds:
        raise typer.Exit(ExitCode.CHECK_FAILED)


@_group.command()
def check(
    platforms: Annotated[
        list[Platform] | None, typer.Argument(help="Platforms to look at. Default: all five.")
    ] = None,
    base_url: _BaseUrl = None,
    database_url: _Database = None,
    as_json: JsonFlag = False,
) -> None:
    """Open each account's inbox once and say whether it gets in.

    With a database the account's lease is held meanwhile and the visit is recorded; an account that does not
    get in is stopped, as by any other visit. Exit code 1 when an active account does not get in.
    """
    with _refused():
        from leasebot_pipeline.platforms.registry import BrowserConnectors
        from leasebot_pipeline.processes import sessions
        from leasebot_pipeline.storage.accounts_runtime import AccountRow
        from leasebot_pipeline.wiring import utc_now

        asked = platforms or list(Platform)
        if base_url is not None and len(asked) != 1:
            raise sessions.SessionRefused("--base-url is of one platform: name it")
        settings = _settings(database_url)
        options = sessions.options_of(settings, asked[0], base_url=base_url, headless=True)
        options = replace(options, inbox_page_limit=1)
        checks = []
        connectors = BrowserConnectors(options, utc_now)
        try:
            with _engine(settings, database_url) as engine:
                for account in sessions.accounts_of(settings, engine, asked):
                    if isinstance(account, AccountRow):
                        assert engine is not None
                        pipeline = sessions.pipeline_over(settings, engine, connectors)
                        checks.append(sessions.check_in_database(pipeline, options, account))
                    else:
                        checks.append(sessions.check_alone(connectors, options, account))
        finally:
            connectors.close()
    emit(
        {"ok": all(c.state != "failed" for c in checks), "sessions": [c.as_json() for c in checks]},
        "\n".join(c.line for c in checks),
        as_json=as_json,
    )
    if any(c.state == "failed" for c in checks):
        raise typer.Exit(ExitCode.CHECK_FAILED)


@_group.command()
def unlock(
    platform: Annotated[Platform, typer.Argument(help="The platform whose profile is locked.")],
    account: _Account = None,
    profile: _Profile = None,
    host_gone: Annotated[
        str | None,
        typer.Option(
            "--host-gone", help="Name of a host that no longer exists (an old container) and left its lock."
        ),
    ] = None,
    database_url: _Database = None,
    as_json: JsonFlag = False,
) -> None:
    """Remove the lock a browser left in a profile when it died. Exit code 1 while its browser lives."""
    with _refused():
        from leasebot_pipeline.platforms.profile_lock import unlock as remove_lock
        from leasebot_pipeline.processes import sessions
        from leasebot_pipeline.settings import load_settings

        settings = load_settings()
        with _engine(settings, database_url) as engine:
            accounts = sessions.accounts_of(settings, engine, [platform])
        directory = sessions.profile_of(settings, sessions.chosen_account(accounts, account), profile)
        unlocked = remove_lock(directory, host_gone=host_gone)
    removed = ", ".join(unlocked.removed)
    emit(
        {"profile": str(directory), "removed": list(unlocked.removed), "holder": unlocked.holder},
        f"{directory}: removed {removed}" if removed else f"{directory}: not locked",
        as_json=as_json,
    )


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    """As :func:`refused`, and failures of a platform: 3 without a browser or screen, 1 for what a site said."""
    from leasebot_pipeline.domain.failures import PlatformFailure
    from leasebot_pipeline.platforms.overrides import OverrideError
    from leasebot_pipeline.processes.sessions import NoScreen, SessionRefused

    with refused():
        try:
            yield
        except (SessionRefused, OverrideError) as error:
            tell(f"error: {error}")
            code = ExitCode.UNAVAILABLE if isinstance(error, NoScreen) else ExitCode.USAGE
            raise typer.Exit(code) from None
        except PlatformFailure as failure:
            tell(f"error: {failure}")
            missing = failure.code == "RPA_RUNTIME_UNAVAILABLE"
            raise typer.Exit(ExitCode.UNAVAILABLE if missing else ExitCode.CHECK_FAILED) from None


def _settings(database_url: str | None) -> Settings:
    """The environment's; where the accounts are those of a sandbox that runs, with its sites and their logins."""
    from leasebot_pipeline.processes.stack_plan import settings_of_running_sandbox
    from leasebot_pipeline.settings import load_settings

    settings = load_settings()
    if database_url is not None or settings.database.url is not None:
        return settings
    return settings_of_running_sandbox(settings) or settings


@contextlib.contextmanager
def _engine(settings: Settings, given: str | None) -> Iterator[Engine | None]:
    """An engine on the accounts' database; None when none is known. Raises SessionRefused for a given one that is away."""
    from leasebot_pipeline.cli.database import known_database_url
    from leasebot_pipeline.processes.sessions import SessionRefused, reachable
    from leasebot_pipeline.storage.engine import create_engine

    url = given or known_database_url(settings)
    if url is None:
        yield None
        return
    engine = create_engine(url, application_name="leasebot cli")
    try:
        if reachable(engine):
            yield engine
        elif given is not None:
            raise SessionRefused("the database of --database-url does not answer")
        else:
            tell("note: the database does not answer; going by the environment's accounts")
            yield None
    finally:
        engine.dispose()
