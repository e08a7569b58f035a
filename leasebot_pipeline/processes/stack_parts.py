"""The parts of the local stack, from the plan: commands, order, probes, addresses."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from leasebot_pipeline.processes import code_server, dagster_home, probes
from leasebot_pipeline.processes.service import ChildProcess, EmbeddedDatabase, Part, StartFailed, Step
from leasebot_pipeline.processes.stack_plan import StackPlan
from leasebot_pipeline.storage.server import EmbeddedServer

SEND_GRACE_S: Final = 90.0
"""What the code server gets to finish a reply that is being sent: a slow page, a retry, the read-back."""

_DATABASE_RANK, _SITES_RANK, _CODE_SERVER_RANK, _OUTER_RANK = range(4)


def environment(plan: StackPlan) -> dict[str, str]:
    """What every child gets. Bytecode is cached: without it each start compiles everything again."""
    inherited = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, **plan.variables, "PYTHONUNBUFFERED": "1"}


def parts(plan: StackPlan) -> list[Part]:
    """All parts, each after those it needs."""
    built = [_code_server(plan)]
    if plan.choice.sandbox:
        built.append(_sandbox(plan))
    if plan.embedded is not None:
        built.append(_embedded_database(plan, plan.embedded))
    built += [_tables(plan), _dagster_storage(plan)]
    if plan.choice.api:
        built.append(_api(plan))
    built.append(_daemon(plan))
    if plan.choice.webserver:
        built.append(_webserver(plan))
    return built


def api_url(plan: StackPlan) -> str | None:
    return f"http://{_shown(plan.settings.api.host)}:{plan.ports.api}" if plan.choice.api else None


def dagster_url(plan: StackPlan) -> str | None:
    if not plan.choice.webserver:
        return None
    return f"http://{_shown(plan.settings.dagster.host)}:{plan.ports.webserver}"


def sandbox_url(plan: StackPlan) -> str | None:
    return f"http://{plan.settings.sandbox.host}:{plan.ports.sandbox}" if plan.choice.sandbox else None


def _child(plan: StackPlan, name: str, command: tuple[str, ...], probe: Callable[[], bool]) -> ChildProcess:
    return ChildProcess(
        command, environment=environment(plan), log=plan.log_dir / f"{name}.log", probe=probe, cwd=Path.cwd()
    )


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)


def _grace(plan: StackPlan) -> float:
    return plan.settings.stack.force_kill_ms / 1000


def _embedded_database(plan: StackPlan, folder: Path) -> Part:
    server = EmbeddedServer(folder, port=plan.ports.database, binaries=plan.settings.database.pg_bin)
    return Part(
        "database",
        "Database",
        EmbeddedDatabase(server),
        stop_rank=_DATABASE_RANK,
        address=plan.database_url,
    )


def _tables(plan: StackPlan) -> Part:
    def run() -> None:
        # Two CPU seconds of imports: not before the first parts are on their way, and not for `status` and `down`.
        from leasebot_pipeline.processes.accounts import account_choices
        from leasebot_pipeline.processes.database import DatabaseUnusable, prepare_database

        wanted = plan.settings.bootstrap.platform_accounts
        choices = account_choices(plan.settings, sandbox=plan.choice.sandbox) if wanted else None
        try:
            prepare_database(
                plan.database_url, choices=choices, sandbox=plan.choice.sandbox, now=datetime.now(UTC)
            )
        except DatabaseUnusable as error:
            raise StartFailed(str(error)) from None

    needs = ("database",) if plan.embedded is not None else ()
    return Part("tables", "Tables and accounts", Step(run), needs=needs, once=True)


def _dagster_storage(plan: StackPlan) -> Part:
    return Part(
        "dagster-storage",
        "Dagster's tables",
        _child(plan, "dagster-storage", _module("leasebot_pipeline.processes.dagster_home"), probes.always),
        needs=("tables",),
        once=True,
        start_deadline_s=120.0,
    )


def _sandbox(plan: StackPlan) -> Part:
    host, port = plan.settings.sandbox.host, plan.ports.sandbox
    command = _module(
        "leasebot_pipeline.sandbox",
        *("--host", host, "--port", str(port)),
        *("--state-dir", str(plan.data_dir / "sites")),
        *("--time-scale", str(plan.settings.sandbox.time_scale)),
        *(() if plan.choice.inquiries == "none" else ("--inquiries", plan.choice.inquiries)),
    )
    return Part(
        "sandbox",
        "Sandbox (five rental sites)",
        _child(plan, "sandbox", command, probes.http_ok(host, port, "/health")),
        stop_rank=_SITES_RANK,
        stop_grace_s=_grace(plan),
        address=sandbox_url(plan),
        hint=f"sites on ports {port + 1} to {port + 5}, Gemini's stand-in on {port + 6}",
    )


def _code_server(plan: StackPlan) -> Part:
    host, port = plan.variables[dagster_home.CODE_SERVER_HOST], plan.ports.code_server
    launch = plan.settings.dagster.run_launch
    command = code_server.command(host, port, launch, plan.choice.definitions)
    return Part(
        "code-server",
        "Code server (sensors, runs, browser)",
        _child(plan, "code-server", command, probes.port_open(host, port)),
        stop_rank=_CODE_SERVER_RANK,
        start_deadline_s=120.0,
        stop_grace_s=max(_grace(plan), SEND_GRACE_S),
    )


def _daemon(plan: StackPlan) -> Part:
    storage = dagster_home.libpq_url(plan.variables["DAGSTER_PG_URL"])
    probe = probes.daemon_heartbeat(storage, lambda: datetime.now(UTC))
    needs = ("code-server", "dagster-storage", *(("sandbox",) if plan.choice.sandbox else ()))
    return Part(
        "daemon",
        "Daemon (ticks, queue)",
        _child(plan, "daemon", _module("leasebot_pipeline.processes.daemon"), probe),
        needs=needs,
        stop_rank=_OUTER_RANK,
        stop_grace_s=max(_grace(plan), 10.0),
    )


def _webserver(plan: StackPlan) -> Part:
    host, port = plan.settings.dagster.host, plan.ports.webserver
    workspace = str(dagster_home.configuration_file(dagster_home.WORKSPACE_FILE))
    command = _module("dagster_webserver", "--host", host, "--port", str(port), "--workspace", workspace)
    return Part(
        "webserver",
        "Dagster UI",
        _child(plan, "webserver", command, probes.http_ok(host, port, "/server_info")),
        needs=("code-server", "dagster-storage"),
        stop_rank=_OUTER_RANK,
        stop_grace_s=_grace(plan),
        address=dagster_url(plan),
    )


def _api(plan: StackPlan) -> Part:
    host, port = plan.settings.api.host, plan.ports.api
    bootstrap = plan.settings.bootstrap
    hint = None
    if bootstrap.dev_admin and bootstrap.dev_admin_password is not None:
        chosen = plan.variables.get("LEASE_BOT_DEV_ADMIN_PASSWORD")
        hint = f"sign in as {bootstrap.dev_admin_email}, password {chosen or 'from LEASE_BOT_DEV_ADMIN_PASSWORD'}"
    return Part(
        "api",
        "API",
        _child(plan, "api", _module("api"), probes.http_ok(host, port, "/health")),
        needs=("tables",),
        stop_rank=_OUTER_RANK,
        stop_grace_s=max(_grace(plan), 12.0),  # it finishes open requests for up to ten seconds
        address=api_url(plan),
        hint=hint,
    )


def _shown(host: str) -> str:
    return {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104
