"""``leasebot follow-ups``: what each account does about silent leads, and changing it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leasebot_pipeline.cli.database import DatabaseUrl, database
from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, refused, tell
from leasebot_pipeline.domain.platforms import Platform

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from leasebot_pipeline.domain.follow_ups import FollowUpPolicy


def register(app: typer.Typer) -> None:
    commands = typer.Typer(
        help="Follow-ups and reminders: what each account does, and changing it.", no_args_is_help=True
    )
    commands.command("list")(list_policies)
    commands.command("set")(set_policy)
    app.add_typer(commands, name="follow-ups")


def list_policies(database_url: DatabaseUrl = None, as_json: JsonFlag = False) -> None:
    """The policy in force for each account, and how many steps wait."""
    with refused(), database(database_url) as engine:
        rows = _in_force(engine)
    emit({"accounts": rows}, "\n".join(_line(row) for row in rows), as_json=as_json)


def set_policy(
    platform: Annotated[Platform, typer.Argument(help="The platform whose accounts are changed.")],
    on: Annotated[
        bool | None, typer.Option("--on/--off", help="Whether silent leads are followed up.")
    ] = None,
    first_after: Annotated[
        int | None, typer.Option(help="Minutes from our reply to the first follow-up.")
    ] = None,
    second_after: Annotated[int | None, typer.Option(help="Minutes from the first to the second.")] = None,
    no_reply_after: Annotated[int | None, typer.Option(help="Minutes from the last one to no_reply.")] = None,
    maximum: Annotated[int | None, typer.Option(help="Most follow-ups of one silence: 0, 1 or 2.")] = None,
    quiet_hours: Annotated[str | None, typer.Option(help="Local times, HH:MM-HH:MM, or off.")] = None,
    reminders: Annotated[
        bool | None, typer.Option("--reminders/--no-reminders", help="Whether showings are reminded of.")
    ] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Take the settings' defaults again.")] = False,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Change the policy of a platform's accounts; what is not named stays as it is. Every change is audited."""
    given = {
        "enabled": on,
        "follow_up_1_after_minutes": first_after,
        "follow_up_2_after_minutes": second_after,
        "no_reply_after_minutes": no_reply_after,
        "maximum": maximum,
        "quiet_hours": quiet_hours,
        "reminders": reminders,
    }
    named = {name: value for name, value in given.items() if value is not None}
    if bool(named) == defaults:
        tell("error: name what is to change, or --defaults")
        raise typer.Exit(ExitCode.USAGE)
    with refused():
        from leasebot_pipeline.domain.follow_ups import PolicyChange
        from leasebot_pipeline.storage import follow_up_policies

        with database(database_url) as engine:
            with engine.begin() as conn:
                for account, before in follow_up_policies.changes_by_account(conn, platform).items():
                    change = PolicyChange() if defaults else PolicyChange(**{**asdict(before), **named})
                    done = follow_up_policies.set_policy(
                        conn, account, change, _defaults(), actor_type="user", actor="cli"
                    )
                    if done.refused is not None:
                        tell(f"error: {done.refused}")
                        raise typer.Exit(ExitCode.USAGE)
            rows = [row for row in _in_force(engine) if row["platform"] == platform.value]
    emit({"accounts": rows}, "\n".join(_line(row) for row in rows), as_json=as_json)


def _defaults() -> FollowUpPolicy:
    from leasebot_pipeline.settings import load_settings

    return load_settings().follow_ups.policy


def _in_force(engine: Engine) -> list[dict[str, Any]]:
    from leasebot_pipeline.storage import accounts_runtime, follow_up_policies, follow_ups

    defaults = _defaults()
    with engine.connect() as conn:
        waiting = follow_ups.pending_by_account(conn)
        return [
            {
                "platform": platform.value,
                "account": row.state.name,
                "pendingSteps": waiting.get(row.state.id, 0),
                **policies[row.state.id].as_details(),
            }
            for platform in Platform
            for policies in [follow_up_policies.policies(conn, platform, defaults)]
            for row in accounts_runtime.accounts(conn, platform)
        ]


def _line(row: dict[str, Any]) -> str:
    delays = " / ".join(
        f"{row[name]:g} min"
        for name in ("followUp1AfterMinutes", "followUp2AfterMinutes", "noReplyAfterMinutes")
    )
    state = f"on, at most {row['maximum']}" if row["enabled"] else "off"
    reminders = "reminders on" if row["reminders"] else "reminders off"
    return (
        f"{row['platform']:<16} {row['account']:<26} {state:<14} {delays:<30} quiet {row['quietHours']:<12} "
        f"{reminders:<14} {row['pendingSteps']} steps wait"
    )
