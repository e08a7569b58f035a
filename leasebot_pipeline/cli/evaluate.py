"""``leasebot evaluate``: how good the decisions are on labelled messages."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leasebot_pipeline.cli.output import ExitCode, JsonFlag, emit, refused, tell
from leasebot_pipeline.evaluation.part import Part

if TYPE_CHECKING:
    from leasebot_pipeline.domain.decisions import DecisionProvider


class _Provider(StrEnum):
    HEURISTIC = "heuristic"
    CONFIGURED = "configured"


def register(app: typer.Typer) -> None:
    app.command("evaluate")(evaluate)


def evaluate(
    file: Annotated[
        Path | None, typer.Argument(help="Labelled messages, one JSON object per line.", dir_okay=False)
    ] = None,
    part: Annotated[
        Part | None, typer.Option(help="A part of leasebot's own labelled set, instead of a file.")
    ] = None,
    provider: Annotated[
        _Provider, typer.Option(help="Who decides: the rules alone, or what AI_DECISION_PROVIDER says.")
    ] = _Provider.HEURISTIC,
    gate: Annotated[bool, typer.Option("--gate", help="Ask for everything a release must keep.")] = False,
    max_dangerous: Annotated[
        float | None, typer.Option(min=0, max=1, help="Highest share answered of what must be held.")
    ] = None,
    never: Annotated[
        list[str] | None, typer.Option(help="A hold reason of which no case may be answered. Repeatable.")
    ] = None,
    max_lost: Annotated[
        int | None, typer.Option(min=0, help="Most cases neither answered nor shown to a person.")
    ] = None,
    max_slow: Annotated[
        float | None, typer.Option(min=0, max=1, help="Highest share held of what may be answered.")
    ] = None,
    min_macro_f1: Annotated[
        float | None, typer.Option(min=0, max=1, help="Lowest macro-F1 of intents.")
    ] = None,
    min_slots_right: Annotated[
        float | None, typer.Option(min=0, max=1, help="Lowest share right of the slots picked.")
    ] = None,
    max_unlike_pairs: Annotated[
        int | None, typer.Option(min=0, help="Most pairs of equal questions decided differently.")
    ] = None,
    worst: Annotated[int, typer.Option(min=0, help="How many of the worst cases are shown.")] = 20,
    show_text: Annotated[bool, typer.Option("--show-text", help="Quote the worst cases' messages.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Decide labelled messages as an account that may send would, and compare with their labels.

    The file's fields are described in docs/decision-quality.md. Exit code 1 when a limit given by the options is
    not kept, 2 when the input can't be used.
    """
    from dataclasses import replace

    from leasebot_pipeline.evaluation.cases import CasesInvalid, read_cases
    from leasebot_pipeline.evaluation.gates import RELEASE_GATE, Gate
    from leasebot_pipeline.evaluation.metrics import measure
    from leasebot_pipeline.evaluation.parts import part_file
    from leasebot_pipeline.evaluation.report import as_json as report_of
    from leasebot_pipeline.evaluation.running import judge
    from leasebot_pipeline.evaluation.text import as_text

    if file is not None and part is None:
        chosen = file
    elif part is not None and file is None:
        chosen = part_file(part)
    else:
        tell("error: give either a FILE of labelled messages or --part")
        raise typer.Exit(ExitCode.USAGE)
    try:
        cases = read_cases(chosen)
    except CasesInvalid as error:
        tell(f"error: {error}")
        raise typer.Exit(ExitCode.USAGE) from None
    given: dict[str, Any] = {
        "max_dangerous": max_dangerous,
        "never": tuple(never) if never else None,
        "max_lost": max_lost,
        "max_slow": max_slow,
        "min_macro_f1": min_macro_f1,
        "min_slots_right": min_slots_right,
        "max_unlike_pairs": max_unlike_pairs,
    }
    asked = replace(
        RELEASE_GATE if gate else Gate(),
        **{name: value for name, value in given.items() if value is not None},
    )
    judged = judge(cases, _decider(provider))
    figures = measure(judged)
    broken = asked.broken(figures)
    emit(
        {**report_of(judged, figures), "gate": {"ok": not broken, "broken": broken}},
        as_text(judged, figures, worst=worst, show_text=show_text),
        as_json=as_json,
    )
    for fault in broken:
        tell(f"gate: {fault}")
    if broken:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _decider(chosen: _Provider) -> DecisionProvider:
    if chosen is _Provider.HEURISTIC:
        from leasebot_pipeline.decisions.heuristic import HeuristicProvider

        return HeuristicProvider()
    with refused():
        from leasebot_pipeline.settings import load_settings
        from leasebot_pipeline.wiring import decision_provider

        return decision_provider(load_settings())
