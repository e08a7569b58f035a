"""``leasebot calendar``: an agent's calendar feed, and why a time is not offered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from leasebot_pipeline.cli.database import DatabaseUrl, open_engine
from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, refused, tell

_Agent = Annotated[UUID, typer.Argument(help="Id of the agent.")]


def register(app: typer.Typer) -> None:
    calendar = typer.Typer(
        help="Calendars: feeds agents subscribe to, and why a time is not offered.", no_args_is_help=True
    )
    calendar.command("feed")(feed)
    calendar.command("revoke")(revoke)
    calendar.command("why")(why)
    app.add_typer(calendar, name="calendar")


def feed(agent: _Agent, database_url: DatabaseUrl = None, as_json: JsonFlag = False) -> None:
    """Give an agent a new secret feed address, ending the one before. It is shown only now."""
    with refused():
        from leasebot_pipeline.settings import load_settings
        from leasebot_pipeline.storage import calendar_feeds
        from leasebot_pipeline.storage.availability_audit import CalendarActor

        engine = open_engine(database_url)
        with engine.begin() as conn:
            made = calendar_feeds.create_feed(conn, agent, CalendarActor("system", "cli"), datetime.now(UTC))
        engine.dispose()
        if made is None:
            tell("error: there is no such agent")
            raise typer.Exit(ExitCode.USAGE)
        url = f"{load_settings().api.base_url.rstrip('/')}{made.path()}"
    emit({"feedId": str(made.id), "url": url, "rotated": made.rotated}, url, as_json=as_json)


def revoke(agent: _Agent, database_url: DatabaseUrl = None, as_json: JsonFlag = False) -> None:
    """End an agent's calendar feed: its address answers 404 from now on."""
    with refused():
        from leasebot_pipeline.storage import calendar_feeds
        from leasebot_pipeline.storage.availability_audit import CalendarActor

        engine = open_engine(database_url)
        with engine.begin() as conn:
            done = calendar_feeds.revoke_feed(conn, agent, CalendarActor("system", "cli"), datetime.now(UTC))
        engine.dispose()
    emit({"revoked": done}, "revoked" if done else "the agent has no live feed", as_json=as_json)


def why(
    unit: Annotated[UUID, typer.Argument(help="Id of the unit.")],
    agent: _Agent,
    instant: Annotated[str, typer.Argument(help="ISO 8601 with an offset, e.g. 2026-11-24T15:00-05:00.")],
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Say why a visit of that unit with that agent at that instant is not offered: every reason, in order.

    Exit code 1 when something stands against it.
    """
    with refused():
        from leasebot_pipeline.settings import load_settings
        from leasebot_pipeline.storage import slot_reasons
        from leasebot_pipeline.wiring import pipeline_policy

        moment = _instant(instant)
        policy = pipeline_policy(load_settings())
        engine = open_engine(database_url)
        with engine.connect() as conn:
            found = slot_reasons.explain(
                conn, unit, agent, moment, policy.slots, datetime.now(UTC), policy.slot_horizon
            )
        engine.dispose()
    lines = [f"{reason.obstacle.value}: {reason.detail}" for reason in found]
    values = {
        "free": not found,
        "reasons": [{"code": reason.obstacle.value, "detail": reason.detail} for reason in found],
    }
    emit(values, "\n".join(lines) or "nothing stands against it: the time is free", as_json=as_json)
    if found:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _instant(given: str) -> datetime:
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        tell("error: INSTANT must be ISO 8601 with an offset, such as 2026-11-24T15:00-05:00")
        raise typer.Exit(ExitCode.USAGE)
    return moment.astimezone(UTC)
