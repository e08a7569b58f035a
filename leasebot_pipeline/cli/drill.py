"""``leasebot drill``: rehearse a roll-out or a rollback and write the evidence."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from leasebot_pipeline.cli.database import DatabaseUrl, url_despite_faults
from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit
from leasebot_pipeline.cli.preflight import EVIDENCE

_Operator = Annotated[str | None, typer.Option(help="Who runs it; the login name unless given.")]
_Environment = Annotated[str, typer.Option(help="Where it runs, e.g. staging.")]
_Owner = Annotated[str | None, typer.Option(help="Who follows up when it fails; the operator unless given.")]
_Commit = Annotated[str | None, typer.Option(help="The candidate; the checkout's commit unless given.")]
_Kubectl = Annotated[str, typer.Option(help="The kubectl to run.")]
_Namespace = Annotated[str, typer.Option(help="Namespace of the deployments.")]
_Folder = Annotated[Path, typer.Option("--evidence", help="Where the evidence is written.")]


def register(app: typer.Typer) -> None:
    drill = typer.Typer(
        help="Rehearse a release without impact and keep the evidence. Exit code 0 only for a drill that passed, "
        "1 when a step failed, 3 when one could not be made.",
        no_args_is_help=True,
    )
    drill.command("rollout")(rollout)
    drill.command("rollback")(rollback)
    app.add_typer(drill, name="drill")


def rollout(
    operator: _Operator = None,
    environment: _Environment = "not named",
    owner: _Owner = None,
    commit: _Commit = None,
    kubectl: _Kubectl = "kubectl",
    namespace: _Namespace = "lease-bot",
    evidence: _Folder = EVIDENCE,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Roll-out status of both deployments, an authenticated snapshot, and the gate; nothing is changed."""
    _drill(
        "rollout", operator, environment, owner, commit, kubectl, namespace, evidence, database_url, as_json
    )


def rollback(
    operator: _Operator = None,
    environment: _Environment = "not named",
    owner: _Owner = None,
    commit: _Commit = None,
    to_revision: Annotated[
        int | None,
        typer.Option("--to-revision", min=1, help="The revision; the one before the newest unless given."),
    ] = None,
    execute: Annotated[
        bool, typer.Option("--execute", help="Really go back. Without it undo is a dry run on the server.")
    ] = False,
    kubectl: _Kubectl = "kubectl",
    namespace: _Namespace = "lease-bot",
    evidence: _Folder = EVIDENCE,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Revisions, undo to one of them, status, snapshot; a dry run unless --execute."""
    _drill(
        *(
            "rollback",
            operator,
            environment,
            owner,
            commit,
            kubectl,
            namespace,
            evidence,
            database_url,
            as_json,
        ),
        to_revision=to_revision,
        execute=execute,
    )


def _drill(
    kind: str,
    operator: str | None,
    environment: str,
    owner: str | None,
    commit: str | None,
    kubectl: str,
    namespace: str,
    folder: Path,
    database_url: str | None,
    as_json: bool,
    *,
    to_revision: int | None = None,
    execute: bool = False,
) -> None:
    from leasebot_pipeline.release import drill
    from leasebot_pipeline.release.commit import commit_of
    from leasebot_pipeline.settings.loading import given_environment

    environ = given_environment()
    who = operator or getpass.getuser()
    means = drill.Means(
        clock=lambda: datetime.now(UTC),
        kubectl=kubectl,
        snapshot=_snapshot(environ),
        gate=_gate(url_despite_faults(database_url)),
        options=("--namespace", namespace),
    )
    done = drill.rehearse(
        drill.Kind(kind),
        means,
        operator=who,
        environment=environment,
        commit=commit or commit_of(Path.cwd()) or "unknown",
        owner=owner or who,
        execute=execute,
        to_revision=to_revision,
    )
    file = drill.write(done, folder)
    lines = [f"{step.status.upper():<8} {step.title}" for step in done.steps]
    lines.append(f"{done.status.upper()}: {file}")
    emit({**done.as_json(), "evidence": str(file)}, "\n".join(lines), as_json=as_json)
    if done.status is drill.StepStatus.FAIL:
        raise typer.Exit(ExitCode.CHECK_FAILED)
    if done.status is drill.StepStatus.NOT_RUN:
        raise typer.Exit(ExitCode.UNAVAILABLE)


def _snapshot(environ: Mapping[str, str]) -> Callable[[int], Mapping[str, Any] | None]:
    """The snapshot as an administrator gets it over the API; the cookie is sent and never shown."""

    def take(window_hours: int) -> Mapping[str, Any] | None:
        import httpx2

        base = environ.get("API_BASE_URL", "").strip().rstrip("/")
        cookie = environ.get("ADMIN_OBSERVABILITY_COOKIE", "").strip()
        if not base.startswith(("http://", "https://")) or not cookie:
            return None
        try:
            answer = httpx2.get(
                f"{base}/api/admin/observability",
                params={"windowHours": window_hours, "auditLimit": 1, "errorLimit": 1, "signalLimit": 5},
                headers={"cookie": cookie},
                timeout=20,
            )
            found = answer.json() if answer.status_code == 200 else None
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):
            return None
        return found if isinstance(found, dict) else None

    return take


def _gate(url: str) -> Callable[[], str | None]:
    """The gate's look as text, without keeping it."""

    def look() -> str | None:
        from sqlalchemy.exc import SQLAlchemyError

        from leasebot_pipeline.release import gate
        from leasebot_pipeline.release.views import check_text
        from leasebot_pipeline.storage.engine import DatabaseUrlError, create_engine
        from leasebot_pipeline.storage.outbox_operations import Actor

        if not url:
            return None
        try:
            engine = create_engine(url, application_name="leasebot drill", pool_size=1)
        except DatabaseUrlError:
            return None
        try:
            with engine.connect() as conn, conn.begin() as transaction:
                try:
                    return check_text(gate.check(conn, Actor("system", "drill"), datetime.now(UTC)))
                finally:
                    transaction.rollback()
        except (SQLAlchemyError, gate.NoStage):
            return None
        finally:
            engine.dispose()

    return look
