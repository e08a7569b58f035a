"""Variables of the processes leasebot starts on one machine, and of tools beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SecretStr

from leasebot_pipeline.settings import rules
from leasebot_pipeline.settings.variable import DataDirField, Group, env


def _below(name: str) -> Any:
    def default(data: Mapping[str, Any]) -> Path:
        return Path(data["data_dir"]) / name

    return Field(default_factory=default)


class StackSettings(Group):
    """The processes `leasebot up` starts."""

    title: ClassVar[str] = "Local stack"

    data_dir: DataDirField = Path("var")
    log_dir: Annotated[
        Path,
        rules.PATH,
        env("LEASE_BOT_LOG_DIR", about="Logs of the processes.", described="<LEASE_BOT_DATA_DIR>/logs"),
    ] = _below("logs")
    force_kill_ms: Annotated[
        int,
        rules.MILLISECONDS_OR_0,
        env(
            "LEASE_BOT_STACK_FORCE_KILL_MS", about="Time a process gets to end by itself before it is killed."
        ),
    ] = 5_000
    crash_point: Annotated[
        str | None,
        rules.TEXT,
        env(
            "LEASE_BOT_CRASH_POINT",
            about="For tests of crash safety: where the process kills itself. Refused in production.",
        ),
    ] = None


class DagsterSettings(Group):
    """Dagster's processes."""

    title: ClassVar[str] = "Dagster"

    data_dir: DataDirField = Path("var")
    host: Annotated[
        str,
        rules.HOST,
        env("LEASE_BOT_DAGSTER_HOST", about="Address of the Dagster UI. It asks for no login."),
    ] = "127.0.0.1"
    port: Annotated[int, rules.PORT, env("LEASE_BOT_DAGSTER_PORT", about="Port of the Dagster UI.")] = 3000
    url: Annotated[
        str | None,
        rules.HTTP_URL,
        env(
            "LEASE_BOT_DAGSTER_URL",
            about="Where administrators' browsers reach the Dagster UI: the console links runs to it. Not set in "
            "production: runs are shown without a link.",
            described="outside of production http://localhost:<LEASE_BOT_DAGSTER_PORT>",
            example="https://dagster.example.com",
        ),
    ] = None
    code_server_port: Annotated[
        int,
        rules.PORT,
        env(
            "LEASE_BOT_DAGSTER_CODE_SERVER_PORT",
            about="Port of the code server, which runs sensors and runs.",
        ),
    ] = 4000
    run_launch: Annotated[
        Literal["forkserver", "stock"],
        rules.choice(forkserver="forkserver", stock="stock"),
        env(
            "LEASE_BOT_DAGSTER_RUN_LAUNCH",
            about="`forkserver` starts runs from a process that has everything imported; `stock` is Dagster's own way.",
        ),
    ] = "forkserver"
    home: Annotated[
        Path,
        rules.PATH,
        env(
            "LEASE_BOT_DAGSTER_HOME",
            about="Directory of Dagster's files.",
            described="<LEASE_BOT_DATA_DIR>/dagster_home",
        ),
    ] = _below("dagster_home")
    database_url: Annotated[
        SecretStr | None,
        rules.POSTGRES_URL,
        env(
            "LEASE_BOT_DAGSTER_DATABASE_URL",
            about="Database of Dagster's own tables.",
            described="derived from DATABASE_URL",
            example="postgresql://postgres:replace-with-password@localhost:5432/lease_bot_dagster",
        ),
    ] = None


class SandboxSettings(Group):
    """The five platforms, played on this machine."""

    title: ClassVar[str] = "Sandbox"

    host: Annotated[
        str, rules.HOST, env("LEASE_BOT_SANDBOX_HOST", about="Address the sandbox listens on.")
    ] = "127.0.0.1"
    port: Annotated[
        int,
        rules.whole(1, 65529),
        env(
            "LEASE_BOT_SANDBOX_PORT",
            about="Its control port; the five sites and Gemini's stand-in follow it.",
        ),
    ] = 4100
    time_scale: Annotated[
        float,
        rules.decimal(1_000),
        env(
            "LEASE_BOT_SANDBOX_TIME_SCALE",
            about="Multiplies every pause of the scripted leads; 0.1 = ten times faster.",
        ),
    ] = 1.0


class OtherToolsSettings(Group):
    """Names that stand in existing env files and belong to other programs."""

    title: ClassVar[str] = "Other tools"
    intro: ClassVar[str] = (
        "Read by Docker Compose and by the runbook's commands; checked, without effect in leasebot."
    )

    postgres_db: Annotated[
        str, rules.NAME, env("POSTGRES_DB", about="Database name of the Compose file.", elsewhere=True)
    ] = "lease_bot"
    postgres_user: Annotated[
        str, rules.NAME, env("POSTGRES_USER", about="User of the Compose database.", elsewhere=True)
    ] = "postgres"
    postgres_password: Annotated[
        SecretStr,
        rules.SECRET,
        env(
            "POSTGRES_PASSWORD",
            about="Password of the Compose database.",
            example="replace-with-password",
            elsewhere=True,
        ),
    ] = SecretStr("postgres")
    postgres_port: Annotated[
        int, rules.PORT, env("POSTGRES_PORT", about="Port of the Compose database.", elsewhere=True)
    ] = 5432
    adminer_port: Annotated[
        int, rules.PORT, env("ADMINER_PORT", about="Port of Adminer in the Compose file.", elsewhere=True)
    ] = 8080
    observability_cookie: Annotated[
        SecretStr | None,
        rules.SECRET,
        env(
            "ADMIN_OBSERVABILITY_COOKIE",
            about="Administrator's session cookie in the runbook's curl command.",
            example="replace-with-session-cookie",
            elsewhere=True,
        ),
    ] = None
