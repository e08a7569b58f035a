"""``leasebot replay``: decide a time range again, and show what would change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leasebot_pipeline.cli.database import DatabaseUrl, database
from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, refused, tell

if TYPE_CHECKING:
    from leasebot_pipeline.domain.intents_rulebook import Rulebook
    from leasebot_pipeline.stages.replay import Decider, ReplayReport


class _Provider(StrEnum):
    RECORDED = "recorded"
    HEURISTIC = "heuristic"
    GEMINI = "gemini"


def register(app: typer.Typer) -> None:
    app.command("replay")(replay)


def replay(
    since: Annotated[
        str | None,
        typer.Option(
            help="Start, an ISO day or instant (UTC unless it says). Default: a day before --until."
        ),
    ] = None,
    until: Annotated[str | None, typer.Option(help="End, not included. Default: now.")] = None,
    provider: Annotated[
        _Provider,
        typer.Option(
            help="Who decides: as recorded, the rules alone, or Gemini, which is asked anew and costs money."
        ),
    ] = _Provider.RECORDED,
    model: Annotated[
        str | None,
        typer.Option(help="Another model of Gemini than AI_GEMINI_MODEL; means --provider gemini."),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            help="Directory with other rule files; those that are missing are the shipped ones.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    cases: Annotated[int, typer.Option(min=0, help="How many of the changed decisions are listed.")] = 20,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Decide stored conversations again without touching anything, and compare with what was decided.

    As recorded, everything decided by the present versions must come out the same, to the last bit: exit code 1
    when it does not. Other providers, models and rules are a shadow comparison: what would change, the dangerous
    direction first.
    """
    from leasebot_pipeline.stages import replay as replaying

    end = _instant("--until", until) or datetime.now(UTC)
    start = _instant("--since", since) or end - timedelta(days=1)
    if start >= end:
        tell("error: --since must be before --until")
        raise typer.Exit(ExitCode.USAGE)
    if model is not None:
        provider = _Provider.GEMINI
    if rules is not None and provider is _Provider.GEMINI:
        tell("error: --rules goes with --provider recorded or heuristic")
        raise typer.Exit(ExitCode.USAGE)
    with refused():
        decider = _decider(provider, model, rules)
        try:
            with database(database_url) as engine:
                report = replaying.replay(engine, start, end, decider, cases_shown=cases)
        finally:
            if isinstance(decider, replaying.Asking) and hasattr(decider.provider, "close"):
                decider.provider.close()
    emit(report.as_json(), _text(report), as_json=as_json)
    if decider.exact and not report.faithful:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _decider(provider: _Provider, model: str | None, rules: Path | None) -> Decider:
    from leasebot_pipeline.domain.intents_rulebook import RULES
    from leasebot_pipeline.stages import replay as replaying

    if provider is _Provider.GEMINI:
        from leasebot_pipeline.settings import load_settings
        from leasebot_pipeline.wiring import gemini_provider

        try:
            asked = gemini_provider(load_settings(), model=model)
        except RuntimeError as error:
            tell(f"error: {error}")
            raise typer.Exit(ExitCode.USAGE) from None
        return replaying.Asking(asked, f"gemini {model or ''}".strip())
    book = _rules(rules) if rules is not None else RULES
    return replaying.RulesAlone(book) if provider is _Provider.HEURISTIC else replaying.Recorded(book)


def _rules(folder: Path) -> Rulebook:
    from leasebot_pipeline.domain.intents_files import DATA_FILES, shipped
    from leasebot_pipeline.domain.intents_rulebook import load_rulebook

    own = {name: (folder / name).read_bytes() for name in DATA_FILES if (folder / name).is_file()}
    if not own:
        tell(f"error: {folder} holds none of {', '.join(DATA_FILES)}")
        raise typer.Exit(ExitCode.USAGE)
    try:
        return load_rulebook({**shipped(), **own})
    except (KeyError, ValueError) as error:
        tell(f"error: {error}")
        raise typer.Exit(ExitCode.USAGE) from None


def _instant(option: str, given: str | None) -> datetime | None:
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        tell(
            f"error: {option} must be an ISO day or instant, such as 2026-02-09 or 2026-02-09T12:00:00+00:00"
        )
        raise typer.Exit(ExitCode.USAGE) from None
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _text(report: ReplayReport) -> str:
    share = f" ({report.identical / report.replayed:.1%})" if report.replayed else ""
    lines = [
        f"{report.since.isoformat()} to {report.until.isoformat()}, decided by: {report.decider}, {report.rules_version}",
        f"decisions {report.decisions}, replayed {report.replayed}, identical {report.identical}{share}",
        f"of the present versions {report.same_versions}, of them identical {report.same_versions_identical}",
        f"dangerous (held back, would go out alone): {report.dangerous}",
    ]
    if report.skipped:
        lines.append("skipped: " + ", ".join(f"{code} {n}" for code, n in sorted(report.skipped.items())))
    lines += [f"  {change.value}: {count}" for change, count in report.changed.items()]
    lines += [
        f"  {case.change.value:12} {case.decision_id} {case.platform}: {case.before['outcome']}/{case.before['reason']}"
        f" -> {case.after['outcome']}/{case.after['reason']} ({', '.join(case.columns)})"
        for case in report.cases
    ]
    if report.usage:
        lines.append("asked: " + ", ".join(f"{name} {count}" for name, count in report.usage.items()))
    return "\n".join(lines)
