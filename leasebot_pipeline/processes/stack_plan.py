"""Everything `leasebot up` decides before it starts anything: directories, ports, variables."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from leasebot_pipeline.processes import dagster_home, stack_file
from leasebot_pipeline.processes.browser_lookup import BrowserError, find_browser
from leasebot_pipeline.processes.code_server import DEFINITIONS
from leasebot_pipeline.processes.ports import choose_port
from leasebot_pipeline.processes.sandbox_environment import SITE_COUNT, sandbox_variables
from leasebot_pipeline.sandbox import GEMINI_KEY, LOGIN_PASSWORD, LOGIN_USER
from leasebot_pipeline.settings import Settings, load_settings

_GEMINI_KEY: Final = "GOOGLE_GENERATIVE_AI_API_KEY"
_DATABASE_PORT: Final = 54320
DATABASE_NAME: Final = "leasebot"
_CODE_SERVER_HOST: Final = "127.0.0.1"
_ROOT_DATABASES: Final = Path("/var/lib/leasebot")


class StackRefused(RuntimeError):
    """The stack must not be started like this; the message says why."""


@dataclass(frozen=True, slots=True)
class StackChoice:
    """What a person asked for on the command line."""

    sandbox: bool = False
    api: bool = True
    webserver: bool = True
    data_dir: Path | None = None
    inquiries: str = "demo"
    """Leads that write by themselves in the sandbox: ``demo``, ``none`` or a file."""
    definitions: str = DEFINITIONS
    """Module of the Dagster definitions to serve; tests name a small one."""


@dataclass(frozen=True, slots=True)
class Ports:
    code_server: int
    webserver: int
    api: int
    sandbox: int
    database: int


@dataclass(frozen=True, slots=True)
class StackPlan:
    """A stack that may be started. ``settings`` are those its children will see, after ``variables``.

    ``embedded`` is the directory of the embedded database server, None when DATABASE_URL was given.
    """

    choice: StackChoice
    settings: Settings
    variables: Mapping[str, str]
    data_dir: Path
    log_dir: Path
    ports: Ports
    database_url: str
    embedded: Path | None
    browser: Path | None
    notes: tuple[str, ...]


def data_dir_of(settings: Settings, *, sandbox: bool, given: Path | None) -> Path:
    """The directory of the stack: play data never shares one with real data."""
    if given is not None:
        return given.resolve()
    return (settings.data_dir / "sandbox" if sandbox else settings.data_dir).resolve()


def settings_for(choice: StackChoice, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings a stack is planned from. With the sandbox, Gemini's stand-in has a key of its own: none need be
    set, and one that is set is not used. Raises SettingsError."""
    if not choice.sandbox:
        return load_settings(environ)
    if environ is not None:
        return load_settings({**environ, _GEMINI_KEY: GEMINI_KEY})
    os.environ[_GEMINI_KEY] = GEMINI_KEY  # as all the sandbox's variables are, once it is planned
    return load_settings()


def stack_data_dir(choice: StackChoice, environ: Mapping[str, str] | None = None) -> Path:
    """The data directory that ``choice`` means, for the settings it may be started with.

    Raises SettingsError, StackRefused.
    """
    settings = settings_for(choice, environ)
    if choice.sandbox and settings.is_production:
        raise StackRefused("the sandbox is refused in production (LEASE_BOT_ENV=production)")
    return data_dir_of(settings, sandbox=choice.sandbox, given=choice.data_dir)


def settings_of_running_sandbox(settings: Settings) -> Settings | None:
    """The settings a running sandbox stack gave its parts, as far as its sites go: no environment holds their logins.

    None when none runs on the data directory that ``settings`` name.
    """
    report = stack_file.running(data_dir_of(settings, sandbox=True, given=None))
    if report is None or not report.sandbox or report.sandbox_url is None:
        return None
    at = urlsplit(report.sandbox_url)
    assert at.hostname is not None
    assert at.port is not None
    return load_settings(overrides=_of_the_sites(settings, at.hostname, at.port))


def _of_the_sites(given: Settings, host: str, control_port: int) -> dict[str, str]:
    known = ("LEASE_BOT_DEV_ADMIN_PASSWORD", "PLATFORM_DEFAULT_SEND_MODE", "API_HOST")
    return sandbox_variables(
        {name: given.credential(name) or "" for name in known},
        host=host,
        control_port=control_port,
        login=LOGIN_USER,
        password=LOGIN_PASSWORD,
    )


def plan(choice: StackChoice, environ: Mapping[str, str] | None = None) -> StackPlan:
    """Decide. ``environ`` None means the process environment over ``.env``.

    Makes DAGSTER_HOME, and with ``environ`` None puts the variables into the process environment, which the
    children inherit; starts nothing. Raises SettingsError, StackRefused, PortTaken, BrowserError,
    DagsterHomeError.
    """
    data_dir = stack_data_dir(choice, environ)
    given = settings_for(choice, environ)
    variables: dict[str, str] = {"LEASE_BOT_DATA_DIR": str(data_dir)}
    notes: list[str] = list(given.warnings)
    ports = _ports(given, choice, notes)
    variables |= {
        "API_PORT": str(ports.api),
        "LEASE_BOT_DAGSTER_PORT": str(ports.webserver),
        dagster_home.CODE_SERVER_PORT: str(ports.code_server),
        "LEASE_BOT_SANDBOX_PORT": str(ports.sandbox),
    }
    if choice.sandbox:
        variables |= _of_the_sites(given, given.sandbox.host, ports.sandbox)
    if not any(given.credential(name) for name in ("INVITE_BASE_URL", "WEB_BASE_URL")):
        # The console is served by this stack's API; an invitation must lead to it.
        variables["INVITE_BASE_URL"] = f"http://127.0.0.1:{ports.api}"
    if not any(given.credential(name) for name in ("API_BASE_URL", "BETTER_AUTH_URL")):
        # And a calendar's secret address to the same host: what a person copies is of one place.
        variables["API_BASE_URL"] = f"http://127.0.0.1:{ports.api}"
    embedded: Path | None = None
    if given.database.url is not None:
        database_url = given.database.url.get_secret_value()
    else:
        embedded = embedded_dir(data_dir, notes)
        database_url = f"postgresql://postgres@127.0.0.1:{ports.database}/{DATABASE_NAME}"
        variables["DATABASE_URL"] = database_url
    browser = _browser(given, choice)
    if browser is not None:
        variables["LEASE_BOT_RPA_BROWSER_PATH"] = str(browser)
    settings = _with(environ, variables)
    dagster_database = settings.dagster.database_url
    variables |= dagster_home.instance_environment(
        home=dagster_home.prepare_home(settings.dagster.home),
        database_url=database_url,
        dagster_database_url=dagster_database.get_secret_value() if dagster_database else None,
        host=_CODE_SERVER_HOST,
        port=ports.code_server,
    )
    return StackPlan(
        choice=choice,
        settings=settings,
        variables=variables,
        data_dir=data_dir,
        log_dir=settings.stack.log_dir.resolve(),
        ports=ports,
        database_url=database_url,
        embedded=embedded,
        browser=browser,
        notes=tuple(notes),
    )


def _ports(given: Settings, choice: StackChoice, notes: list[str]) -> Ports:
    taken: set[int] = set()

    def pick(what: str, host: str, wanted: int, variable: str, explicit: bool, size: int = 1) -> int:
        found = choose_port(
            host, wanted, variable=variable, explicit=explicit, size=size, reserved=frozenset(taken)
        )
        taken.update(range(found.port, found.port + size))
        if found.moved_from is not None:
            notes.append(f"port {found.moved_from} is taken: {what} uses {found.port} ({variable} decides)")
        return found.port

    # What a person fixed is placed first, so that no default sits on it.
    wishes = {
        "code_server": (
            "the code server",
            _CODE_SERVER_HOST,
            given.dagster.code_server_port,
            dagster_home.CODE_SERVER_PORT,
            "code_server_port" in given.dagster.model_fields_set,
            1,
        ),
        "webserver": (
            "the Dagster UI",
            given.dagster.host,
            given.dagster.port,
            "LEASE_BOT_DAGSTER_PORT",
            choice.webserver and "port" in given.dagster.model_fields_set,
            1,
        ),
        "api": (
            "the API",
            given.api.host,
            given.api.port,
            "API_PORT",
            choice.api and "port" in given.api.model_fields_set,
            1,
        ),
        "sandbox": (
            "the sandbox",
            given.sandbox.host,
            given.sandbox.port,
            "LEASE_BOT_SANDBOX_PORT",
            choice.sandbox and "port" in given.sandbox.model_fields_set,
            2 + SITE_COUNT,
        ),
        "database": ("the database", "127.0.0.1", _DATABASE_PORT, "DATABASE_URL", False, 1),
    }
    unused = {"sandbox"} if not choice.sandbox else set()
    if not choice.api:
        unused.add("api")
    if not choice.webserver:
        unused.add("webserver")
    order = sorted((name for name in wishes if name not in unused), key=lambda name: not wishes[name][4])
    chosen = {name: pick(*wishes[name]) for name in order}
    return Ports(**{name: chosen.get(name, wish[2]) for name, wish in wishes.items()})


def embedded_dir(data_dir: Path, notes: list[str]) -> Path:
    """Where the embedded server's files go.

    PostgreSQL refuses to run as root and drops to another user, who must be able to get there; a checkout
    below a closed home (0700, as root's is) can't hold them.
    """
    if os.geteuid() != 0:
        return data_dir / "database"
    folder = data_dir
    while not folder.exists():
        folder = folder.parent
    if all(step.stat().st_mode & 0o001 for step in (folder, *folder.parents)):
        return data_dir / "database"
    elsewhere = _ROOT_DATABASES / hashlib.sha256(str(data_dir).encode()).hexdigest()[:12]
    notes.append(
        f"the database is kept in {elsewhere}: other users, PostgreSQL's too, can't enter {data_dir}"
    )
    return elsewhere


def _browser(given: Settings, choice: StackChoice) -> Path | None:
    if not choice.sandbox and given.rpa.runtime != "playwright":
        return None
    found = find_browser(given.data_dir, given.rpa.browser_path)
    if found is None:
        raise BrowserError("no browser was found: `leasebot browser install` finds or installs one")
    return Path(shutil.which(str(found)) or found).absolute()


def _with(environ: Mapping[str, str] | None, variables: Mapping[str, str]) -> Settings:
    """The settings the children will see; they read ``.env`` under the process environment as we do."""
    if environ is not None:
        return load_settings({**environ, **variables})
    os.environ.update(variables)
    return load_settings()
