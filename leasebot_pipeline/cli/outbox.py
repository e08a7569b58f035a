"""``leasebot outbox``, ``kill`` and ``resume``: replies in an operator's hands, and the switch that stops all sending."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final
from uuid import UUID

import typer

from leasebot_pipeline.cli.database import DatabaseUrl, database
from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, refused, tell
from leasebot_pipeline.domain.dispatching import DispatchState, OperatorAction
from leasebot_pipeline.domain.kill_switches import KillTarget, parse_target
from leasebot_pipeline.domain.platforms import Platform

if TYPE_CHECKING:
    from leasebot_pipeline.storage.outbox_operations import OperatorResult, OutboxItem

_Ids = Annotated[
    list[str], typer.Argument(metavar="REPLY...", help="Ids as `leasebot outbox list` shows them.")
]
_Reason = Annotated[str | None, typer.Option("--reason", help="Why; kept in the audit log.")]
_Actor = Annotated[str, typer.Option("--actor", help="Who acts; kept in the audit log.")]
_State = Annotated[
    list[str] | None, typer.Option("--state", help="Only these states, e.g. dead_letter; may be repeated.")
]

_ALIKE: Final = {
    OperatorAction.RETRY: "Queue given-up or held replies again, with all their attempts. One whose thread moved on is "
    "cancelled instead.",
    OperatorAction.DISCARD: "Close replies that were given up, held, drafted or are in doubt: nothing more happens to them.",
    OperatorAction.CANCEL: "Take replies that wait to be sent out of the queue for good.",
    OperatorAction.HOLD: "Take replies out of the queue until somebody retries or discards them.",
}


def register(app: typer.Typer) -> None:
    outbox = typer.Typer(
        help="Replies on their way: look, retry, discard, cancel, hold, or say that one was sent.",
        no_args_is_help=True,
    )
    outbox.command("list")(outbox_list)
    for action, about in _ALIKE.items():
        outbox.command(action.value, help=about)(_command(action))
    outbox.command("mark-sent")(outbox_mark_sent)
    app.add_typer(outbox, name="outbox")
    app.command("kill")(kill)
    app.command("resume")(resume)


def outbox_list(
    state: _State = None,
    platform: Annotated[Platform | None, typer.Option("--platform", help="Only of this platform.")] = None,
    code: Annotated[str | None, typer.Option("--code", help="Only with this error code.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=5000, help="At most so many.")] = 100,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Open replies, last touched first: what they wait for, and what went wrong."""
    with refused():
        from leasebot_pipeline.storage import kill_switches, outbox_operations

        states = _states(state, outbox_operations.OPEN_STATES)
        with database(database_url) as engine, engine.connect() as conn:
            items = outbox_operations.list_replies(
                conn, states=states, platform=platform, code=code, limit=limit
            )
            counts = outbox_operations.open_counts(conn)
            switches = kill_switches.engaged(conn)
    lines = [f"sending is stopped: {switch.target}: {switch.reason}" for switch in switches]
    lines += [_line(item) for item in items] or ["no open reply"]
    values = {
        "counts": {one.value: count for one, count in sorted(counts.items())},
        "killSwitches": [switch.target for switch in switches],
        "replies": [_described(item) for item in items],
    }
    emit(values, "\n".join(lines), as_json=as_json)


def _command(action: OperatorAction) -> Callable[..., None]:
    """The command that does ``action`` to replies; all but mark-sent take the same."""

    def operate_on(
        replies: _Ids,
        reason: _Reason = None,
        actor: _Actor = "cli",
        database_url: DatabaseUrl = None,
        as_json: JsonFlag = False,
    ) -> None:
        _operate(action, replies, reason, actor, database_url, as_json)

    return operate_on


def outbox_mark_sent(
    replies: _Ids,
    message_id: Annotated[
        str | None,
        typer.Option("--message-id", help="What the platform calls the message, when it is known."),
    ] = None,
    reason: _Reason = None,
    actor: _Actor = "cli",
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Say that a person saw the reply in its thread, or sent it by hand."""
    if message_id is not None and len(replies) != 1:
        tell("error: --message-id belongs to one reply")
        raise typer.Exit(ExitCode.USAGE)
    _operate(OperatorAction.MARK_SENT, replies, reason, actor, database_url, as_json, message_id)


def kill(
    target: Annotated[
        str | None,
        typer.Argument(help="all, a platform, or the id of an account; without it, what is stopped now."),
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", help="Why; shown wherever it stops something.")
    ] = "by an operator",
    actor: _Actor = "cli",
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Stop every send that is not clicked yet, in all processes, at once. Reading goes on; replies wait."""
    with refused():
        from leasebot_pipeline.storage import kill_switches
        from leasebot_pipeline.storage.outbox_operations import Actor

        chosen = None if target is None else _target(target)
        with database(database_url) as engine:
            done = False
            with engine.begin() as conn:
                if chosen is not None:
                    try:
                        done = kill_switches.engage(
                            conn, chosen, reason=reason, actor=Actor("admin", actor), now=datetime.now(UTC)
                        )
                    except LookupError as error:
                        tell(f"error: {error}")
                        raise typer.Exit(ExitCode.USAGE) from None
                engaged = kill_switches.engaged(conn)
                waiting = kill_switches.stopped_replies(conn)
    values = {
        "engaged": done,
        "killSwitches": [
            {"target": one.target, "reason": one.reason, "actor": one.actor_id, "since": one.engaged_at}
            for one in engaged
        ],
        "repliesWaiting": waiting,
    }
    lines = [
        f"{one.target}: stopped since {one.engaged_at:%Y-%m-%d %H:%M} UTC: {one.reason}" for one in engaged
    ]
    lines.append(f"{waiting} replies wait" if engaged else "nothing is stopped")
    emit(values, "\n".join(lines), as_json=as_json)


def resume(
    target: Annotated[
        str, typer.Argument(help="all, a platform, or the id of an account: as it was stopped.")
    ],
    actor: _Actor = "cli",
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Lift a kill switch: what waited behind it goes out, unless its thread moved on or it waited for too long."""
    with refused():
        from leasebot_pipeline.storage import kill_switches
        from leasebot_pipeline.storage.outbox_operations import Actor

        chosen = _target(target)
        with database(database_url) as engine, engine.begin() as conn:
            lifted = kill_switches.lift(conn, chosen, actor=Actor("admin", actor), now=datetime.now(UTC))
            left = [switch.target for switch in kill_switches.engaged(conn)]
    said = f"{chosen.key} goes on" if lifted else f"{chosen.key} was not stopped"
    emit(
        {"lifted": lifted, "killSwitches": left},
        "\n".join([said, *(f"still stopped: {one}" for one in left)]),
        as_json=as_json,
    )


def _operate(
    action: OperatorAction,
    replies: Sequence[str],
    reason: str | None,
    actor: str,
    database_url: str | None,
    as_json: bool,
    message_id: str | None = None,
) -> None:
    ids = [_id(text) for text in replies]
    with refused():
        from leasebot_pipeline.storage.outbox_operations import Actor, operate

        with database(database_url) as engine, engine.begin() as conn:
            results = operate(
                conn,
                action,
                ids,
                actor=Actor("admin", actor),
                reason=reason,
                now=datetime.now(UTC),
                external_message_id=message_id,
            )
    values = {
        "action": action.value,
        "done": [str(one.id) for one in results if one.refused is None and one.kept is None],
        "kept": [{"id": str(one.id), "reason": one.kept} for one in results if one.kept is not None],
        "refused": [
            {"id": str(one.id), "state": one.before.value if one.before else None, "reason": one.refused}
            for one in results
            if one.refused is not None
        ],
    }
    emit(values, "\n".join(_result(one) for one in results), as_json=as_json)
    if values["refused"]:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _result(result: OperatorResult) -> str:
    if result.refused == "not_found":
        return f"{result.id}: there is no such reply"
    if result.refused is not None:
        return f"{result.id}: not possible, it is {result.before}"
    if result.kept is not None:
        return f"{result.id}: stays {result.after}, the release is in shadow and nothing is sent"
    return f"{result.id}: {result.before} -> {result.after}"


def _line(item: OutboxItem) -> str:
    trouble = f"  {item.error_code}: {item.last_error}" if item.error_code else ""
    due = f"  next {item.next_attempt_at:%H:%M:%S}" if item.next_attempt_at else ""
    return (
        f"{item.id}  {item.state:<15} {item.platform:<16} {item.purpose:<14}"
        f" try {item.attempts}/{item.max_attempts}{due}{trouble}"
    )


def _described(item: OutboxItem) -> dict[str, object]:
    return {
        "id": item.id,
        "state": item.state.value,
        "purpose": item.purpose,
        "platform": item.platform,
        "platformAccountId": item.platform_account_id,
        "account": item.account_name,
        "conversationId": item.conversation_id,
        "externalThreadId": item.external_thread_id,
        "leadName": item.lead_name,
        "body": item.body,
        "attempts": item.attempts,
        "maxAttempts": item.max_attempts,
        "nextAttemptAt": item.next_attempt_at,
        "sendingAt": item.sending_at,
        "errorClass": item.error_class,
        "errorCode": item.error_code,
        "lastError": item.last_error,
        "createdAt": item.created_at,
        "updatedAt": item.updated_at,
    }


def _states(asked: list[str] | None, known: Sequence[DispatchState]) -> Sequence[DispatchState]:
    if not asked:
        return known
    wrong = [name for name in asked if name not in known]
    if wrong:
        tell(f"error: --state must be one of {', '.join(known)}")
        raise typer.Exit(ExitCode.USAGE)
    return [state for state in known if state in asked]


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        tell("error: a reply is named by its id, as `leasebot outbox list` shows it")
        raise typer.Exit(ExitCode.USAGE) from None


def _target(text: str) -> KillTarget:
    target = parse_target(text)
    if target is None:
        tell(f"error: say all, a platform ({', '.join(Platform)}), or the id of an account")
        raise typer.Exit(ExitCode.USAGE)
    return target
