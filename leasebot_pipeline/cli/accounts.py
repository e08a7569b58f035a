"""``leasebot account``: what stops an account, letting it go on, closing its breakers, its share of a day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from leasebot_pipeline.cli.database import DatabaseUrl, database
from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, refused, tell
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.stops import next_step

if TYPE_CHECKING:
    from leasebot_pipeline.storage.accounts_runtime import AccountRow
    from leasebot_pipeline.storage.connector_state import AccountStatus

_Accounts = Annotated[
    str, typer.Argument(metavar="ACCOUNT", help="A platform (all its accounts) or the id of one account.")
]


def register(app: typer.Typer) -> None:
    accounts = typer.Typer(
        help="Platform accounts: their state, letting a stopped one go on, breakers, daily caps.",
        no_args_is_help=True,
    )
    accounts.command("list")(account_list)
    accounts.command("resume")(account_resume)
    accounts.command("reset")(account_reset)
    accounts.command("limits")(account_limits)
    app.add_typer(accounts, name="account")


def account_list(database_url: DatabaseUrl = None, as_json: JsonFlag = False) -> None:
    """Every account with its state: active, stopped and why, breakers, lease, caps, incidents people were told of."""
    with refused():
        from leasebot_pipeline.storage import accounts_runtime, connector_state, incidents, kill_switches

        with database(database_url) as engine, engine.connect() as conn:
            rows = [row for platform in Platform for row in accounts_runtime.accounts(conn, platform)]
            seen = {status.id: status for status in connector_state.statuses(conn)}
            open_incidents = incidents.list_incidents(conn)
            switches = kill_switches.engaged(conn)
    now = datetime.now(UTC)
    values = [
        {
            **_described(row, now),
            **_last_seen(seen[row.state.id]),
            "sendingStopped": [
                switch.target
                for switch in switches
                if switch.target in ("global", f"platform:{row.platform}", f"account:{row.state.id}")
            ],
            "incidents": [
                {"type": one["type"], "reason": one["reason"], "since": one["opened_at"], "told": one["told"]}
                for one in open_incidents
                if one["platform_account_id"] == row.state.id
            ],
        }
        for row in rows
    ]
    emit(
        {"accounts": values}, "\n".join(_lines(row, seen[row.state.id], now) for row in rows), as_json=as_json
    )


def _described(row: AccountRow, now: datetime) -> dict[str, object]:
    state = row.state
    return {
        "id": state.id,
        "platform": row.platform.value,
        "account": state.name,
        "isActive": state.is_active,
        "stopCode": state.stop_code,
        "stopReason": state.stop_reason,
        "circuit": state.circuit.shown(now).value,
        "circuitCode": state.circuit.code,
        "actionCircuits": {
            action: {
                "state": circuit.shown(now).value,
                "failures": circuit.failures,
                "openUntil": circuit.open_until,
                "code": circuit.code,
            }
            for action, circuit in state.action_circuits.items()
        },
        "leaseOwner": state.lease_owner,
        "leaseExpiresAt": state.lease_expires_at,
        "dailySendCap": row.daily_send_cap,
        "timezone": row.timezone,
        "sendCapUntil": row.send_cap_until,
        "lastPolledAt": row.last_polled_at,
    }


def _last_seen(status: AccountStatus) -> dict[str, object]:
    return {
        "accountExternalId": status.external_id,
        "stoppedAt": status.stopped_at,
        "nextStep": next_step(status.stop_code, status.platform) if status.stop_code else None,
        "circuitOpenUntil": status.circuit_open_until,
        "lastSuccessIngestAt": status.last_success_ingest_at,
        "lastSuccessSendAt": status.last_success_send_at,
        "lastRows": status.last_rows,
        "inboxCutOff": status.inbox_cut,
    }


def _shown(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"


def _lines(row: AccountRow, status: AccountStatus, now: datetime) -> str:
    """One line, and for a stopped account since when, why and what to do."""
    seen = f"inbox read {_shown(status.last_success_ingest_at)}, reply sent {_shown(status.last_success_send_at)}"
    lines = [f"{_line(row, now)}; {seen}"]
    if status.stop_code:
        lines.append(
            f"  since {_shown(status.stopped_at)}: {status.stop_code}: {status.stop_reason or 'no detail'}"
        )
        lines.append(f"  next: {next_step(status.stop_code, status.platform)}")
    return "\n".join(lines)


def _line(row: AccountRow, now: datetime) -> str:
    state = row.state
    told = "stopped" if state.stop_code else _breakers(row, now)
    if row.send_cap_until is not None and row.send_cap_until > now:
        told += f"; today's replies are sent, next at {row.send_cap_until:%Y-%m-%d %H:%M} UTC"
    return f"{row.platform:<16} {state.name:<26} {'active' if state.is_active else 'inactive':<9} {told}"


def _breakers(row: AccountRow, now: datetime) -> str:
    parts = [f"circuit {row.state.circuit.shown(now)}"]
    parts += [
        f"{action} {circuit.shown(now)}" + (f" ({circuit.code})" if circuit.code else "")
        for action, circuit in sorted(row.state.action_circuits.items())
    ]
    return ", ".join(parts)


def account_resume(
    platform: Annotated[Platform, typer.Argument(help="The platform whose stopped accounts may go on.")],
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Let the stopped accounts of a platform be visited again, after a person renewed the session."""
    with refused():
        from leasebot_pipeline.stages.accounts import resume

        with database(database_url) as engine:
            resumed = resume(engine, platform, actor="cli")
    emit(
        {"resumed": [str(account) for account in resumed]},
        f"{len(resumed)} account(s) resumed" if resumed else "no account of that platform was stopped",
        as_json=as_json,
    )


def account_reset(account: _Accounts, database_url: DatabaseUrl = None, as_json: JsonFlag = False) -> None:
    """Close the breakers of accounts at once, after what failed was mended. A stopped account stays stopped."""
    with refused():
        from leasebot_pipeline.stages.accounts import find, reset

        with database(database_url) as engine:
            found = _known(find(engine, account), account)
            done = reset(engine, found, actor="cli")
    emit(
        {"reset": [str(one) for one in done]},
        f"breakers of {len(done)} account(s) closed" if done else "no breaker was open",
        as_json=as_json,
    )


def account_limits(
    account: _Accounts,
    daily_cap: Annotated[
        str | None,
        typer.Option(
            "--daily-cap", help="Replies a day it sends by itself; 0 = no cap, default = the general one."
        ),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option("--timezone", help="Zone of its day, e.g. Europe/London; default = the general one."),
    ] = None,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Set an account's own daily cap or the zone of its day. What waited for the next day may go out at once."""
    cap = _cap(daily_cap)
    zone = _zone(timezone)
    if daily_cap is None and timezone is None:
        tell("error: give --daily-cap or --timezone")
        raise typer.Exit(ExitCode.USAGE)
    with refused():
        from leasebot_pipeline.stages.accounts import Limits, find, limit

        with database(database_url) as engine:
            found = _known(find(engine, account), account)
            limits = Limits(
                cap=cap, timezone=zone, set_cap=daily_cap is not None, set_timezone=timezone is not None
            )
            limit(engine, found, limits, actor="cli")
    emit({"limited": [str(row.state.id) for row in found]}, f"{len(found)} account(s) set", as_json=as_json)


def _known(found: list[AccountRow], asked: str) -> list[AccountRow]:
    if not found:
        tell(f"error: {asked} is neither a platform nor the id of an account")
        raise typer.Exit(ExitCode.USAGE)
    return found


def _cap(text: str | None) -> int | None:
    if text is None or text == "default":
        return None
    if not text.isdigit() or len(text) > 6:
        tell("error: --daily-cap must be a whole number from 0 to 999999, or default")
        raise typer.Exit(ExitCode.USAGE)
    return int(text)


def _zone(text: str | None) -> str | None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    if text is None or text == "default":
        return None
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        tell("error: --timezone must be an IANA time zone such as America/New_York, or default")
        raise typer.Exit(ExitCode.USAGE) from None
    return text
