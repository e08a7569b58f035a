"""``leasebot release`` and ``leasebot gate``: how far a release may act, and whether it may go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from leasebot_pipeline.cli.database import DatabaseUrl, database
from leasebot_pipeline.cli.output import ExitCode, JsonFlag, as_text, emit, refused, tell
from leasebot_pipeline.domain.platforms import ReleaseStage

if TYPE_CHECKING:
    from leasebot_pipeline.release.stages import StageChange

_Actor = Annotated[str, typer.Option("--actor", help="Who acts; kept in the audit log.")]
_Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit log.")]


def register(app: typer.Typer) -> None:
    release = typer.Typer(
        help="Shadow drafts only, canary sends for a cohort of accounts, full for all.", no_args_is_help=True
    )
    release.command("status")(status)
    release.command("start")(start)
    release.command("promote")(promote)
    release.command("rollback")(rollback)
    release.command("kill")(kill)
    release.command("evidence")(evidence)
    app.add_typer(release, name="release")
    app.command("gate")(gate)


def status(
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="At most so many past stages.")] = 10,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """The stage in force, the ones before it, and what is stopped by a kill switch."""
    with refused():
        from leasebot_pipeline.release.views import stage_json, stage_line
        from leasebot_pipeline.storage import kill_switches, release_gate, release_stages

        with database(database_url) as engine, engine.connect() as conn:
            current = release_stages.current(conn)
            past = release_stages.history(conn, limit)
            cohort = sorted(release_gate.cohort_accounts(conn, current.cohort)) if current else []
            stopped = [switch.target for switch in kill_switches.engaged(conn)]
    lines = [stage_line(one) for one in past] or ["no release was started: nothing is sent"]
    lines += [f"sending is stopped: {target}" for target in stopped]
    values = {
        "current": stage_json(current),
        "cohortAccounts": cohort,
        "history": [stage_json(one) for one in past],
        "killSwitches": stopped,
    }
    emit(values, "\n".join(lines), as_json=as_json)


def start(
    reason: _Reason,
    commit: Annotated[
        str | None, typer.Option("--commit", help="What is released, as `git rev-parse HEAD` says.")
    ] = None,
    actor: _Actor = "cli",
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Begin a release in shadow. Every reply becomes a draft, in every process, at once."""
    with refused():
        from leasebot_pipeline.release import stages
        from leasebot_pipeline.storage.outbox_operations import Actor

        with database(database_url) as engine, engine.begin() as conn:
            change = stages.start(
                conn, Actor("admin", actor), datetime.now(UTC), commit=commit, reason=reason
            )
    _report(change, as_json)


def promote(
    reason: _Reason,
    percentage: Annotated[
        float | None,
        typer.Option(
            "--percentage", min=0, max=100, help="Canary: this share of the accounts, always the same ones."
        ),
    ] = None,
    account: Annotated[
        list[str] | None, typer.Option("--account", help="Canary: an account's id; may be repeated.")
    ] = None,
    override: Annotated[
        bool, typer.Option("--override", help="Go on although the gate does not pass; is marked for good.")
    ] = False,
    actor: _Actor = "cli",
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """One stage on, if the gate passes: shadow to canary, canary to full. A cohort in canary widens the canary."""
    cohort = _cohort(percentage, account or [])
    with refused():
        from leasebot_pipeline.release import stages
        from leasebot_pipeline.storage.outbox_operations import Actor

        with database(database_url) as engine, engine.begin() as conn:
            change = stages.promote(
                conn,
                Actor("admin", actor),
                datetime.now(UTC),
                reason=reason,
                cohort=cohort,
                override=override,
            )
    _report(change, as_json)


def rollback(
    reason: _Reason,
    to: Annotated[ReleaseStage, typer.Option("--to", help="The stage to go back to.")] = ReleaseStage.SHADOW,
    actor: _Actor = "cli",
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Back at once, without asking the gate."""
    with refused():
        from leasebot_pipeline.release import stages
        from leasebot_pipeline.storage.outbox_operations import Actor

        with database(database_url) as engine, engine.begin() as conn:
            change = stages.rollback(conn, Actor("admin", actor), datetime.now(UTC), reason=reason, to=to)
    _report(change, as_json)


def kill(
    reason: _Reason, actor: _Actor = "cli", database_url: DatabaseUrl = None, as_json: JsonFlag = False
) -> None:
    """Stop every send in every stage, at once; `leasebot resume all` lets them go on. The stage stays."""
    with refused():
        from leasebot_pipeline.release import stages
        from leasebot_pipeline.storage.outbox_operations import Actor

        with database(database_url) as engine, engine.begin() as conn:
            done = stages.kill(conn, Actor("admin", actor), datetime.now(UTC), reason=reason)
    emit({"engaged": done}, "all sends are stopped" + ("" if done else " already"), as_json=as_json)


def evidence(
    file: Annotated[Path, typer.Argument(help="The metadata file a gates run wrote.", dir_okay=False)],
    actor: _Actor = "cli",
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Hand the results of the release gates to the database, where the gate looks for them."""
    from leasebot_pipeline.release.evidence import EvidenceInvalid, keep, read

    try:
        found = read(file)
    except EvidenceInvalid as error:
        tell(f"error: {error}")
        raise typer.Exit(ExitCode.USAGE) from None
    with refused():
        from leasebot_pipeline.storage.outbox_operations import Actor

        with database(database_url) as engine, engine.begin() as conn:
            keep(conn, found, Actor("admin", actor), datetime.now(UTC))
    lines = [f"{name}: {'passed' if passed else 'FAILED'}" for name, passed in found.gates.items()]
    emit({"commit": found.commit, "gates": dict(found.gates)}, "\n".join(lines), as_json=as_json)


def gate(
    baseline: Annotated[
        bool, typer.Option("--baseline", help="In shadow: keep what it looks like now as the baseline.")
    ] = False,
    actor: _Actor = "cli",
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Judge the release by the runbook's rules and keep the check. Exit code 0 only when every rule is kept."""
    with refused():
        from leasebot_pipeline.domain.release_gate import Verdict
        from leasebot_pipeline.release import gate as gates
        from leasebot_pipeline.release.views import check_text
        from leasebot_pipeline.storage.outbox_operations import Actor

        who, now = Actor("admin", actor), datetime.now(UTC)
        try:
            with database(database_url) as engine, engine.begin() as conn:
                if baseline:
                    gates.take_baseline(conn, who, now)
                done = gates.check(conn, who, now)
        except (gates.NoStage, ValueError) as error:
            tell(f"error: {error}")
            raise typer.Exit(ExitCode.USAGE) from None
    emit(done.as_json(), check_text(done), as_json=as_json)
    if done.result.verdict is not Verdict.PASS:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _cohort(percentage: float | None, accounts: list[str]) -> Mapping[str, Any] | None:
    cohort: dict[str, Any] = {}
    if percentage is not None:
        cohort["percentage"] = percentage
    if accounts:
        try:
            cohort["accounts"] = [str(UUID(one)) for one in accounts]
        except ValueError:
            tell("error: --account takes the id of an account, as `leasebot account list` shows it")
            raise typer.Exit(ExitCode.USAGE) from None
    return cohort or None


def _report(change: StageChange, as_json: bool) -> None:
    from leasebot_pipeline.release.views import check_text, stage_json, stage_line

    values = {
        "before": stage_json(change.before),
        "after": stage_json(change.after),
        "gate": change.check.as_json() if change.check else None,
        "refused": change.refused,
        "message": change.message,
    }
    lines = [check_text(change.check)] if change.check else []
    if change.refused:
        lines.append(f"refused: {change.message}")
    elif change.after:
        lines.append(stage_line(change.after))
    emit(json.loads(json.dumps(values, default=as_text)), "\n".join(lines), as_json=as_json)
    if change.refused:
        raise typer.Exit(ExitCode.CHECK_FAILED)
