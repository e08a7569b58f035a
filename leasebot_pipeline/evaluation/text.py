"""The figures as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from leasebot_pipeline.evaluation.intervals import Share
from leasebot_pipeline.evaluation.metrics import Classes, Figures
from leasebot_pipeline.evaluation.running import JudgedCase, Mistake

_ORDER: Final = list(Mistake)


def as_text(
    judged: Sequence[JudgedCase], figures: Figures, *, worst: int = 20, show_text: bool = False
) -> str:
    """Tables of all figures and the worst cases; the lead's text only when asked for."""
    lines = [
        f"cases      {figures.n}",
        f"dangerous  {_share(figures.dangerous)}  answered although a person must",
        f"lost       {_share(figures.lost)}  neither answered nor shown to a person",
        f"slow       {_share(figures.slow)}  held although it may be answered",
        f"slots      picked {figures.slots.picked}, right {figures.slots.right}, to be picked {figures.slots.expected}",
        f"intents    {_share(figures.intents)}  exactly the labelled set found",
    ]
    if figures.pairs.of:
        unlike = f": {', '.join(figures.unlike_pairs)}" if figures.unlike_pairs else ""
        lines.append(f"pairs      {figures.pairs.of}, decided unlike {figures.pairs.count}{unlike}")
    if figures.dangerous_by_reason:
        lines += ["", f"{'must be held because':<28}{'n':>6}{'dangerous':>11}"]
        lines += [
            f"{reason:<28}{share.of:>6}{share.count:>11}"
            for reason, share in figures.dangerous_by_reason.items()
        ]
    for title, classes in (
        ("intent", figures.intent),
        ("outcome", figures.outcome),
        ("follow-up", figures.follow_up),
    ):
        if classes.right.of:
            lines += ["", *_classes(title, classes)]
    if figures.by_tag:
        lines += ["", f"{'tag':<22}{'n':>5}{'dangerous':>13}{'slow':>12}{'intent right':>14}"]
        lines += [
            f"{tag:<22}{tagged.n:>5}{_of(tagged.dangerous):>13}{_of(tagged.slow):>12}{_percent(tagged.intent.rate):>14}"
            for tag, tagged in figures.by_tag.items()
        ]
    wrong = worst_cases(judged)
    if wrong:
        lines += ["", f"worst cases ({min(worst, len(wrong))} of {len(wrong)})"]
        for item in wrong[:worst]:
            lines += _case(item, show_text=show_text)
    return "\n".join(lines)


def worst_cases(judged: Sequence[JudgedCase]) -> list[JudgedCase]:
    """Cases decided wrongly, most harmful first: the surest dangerous answers, then wrong slots, lost, slow."""

    def rank(item: JudgedCase) -> tuple[int, float, str]:
        if item.mistake is Mistake.DANGEROUS:
            place = 0
        elif _wrong_slot(item):
            place = 1
        else:
            place = 1 + _ORDER.index(item.mistake or Mistake.SLOW)
        return place, -item.verdict.confidence, item.case.id

    return sorted((item for item in judged if item.mistake or _wrong_slot(item)), key=rank)


def _wrong_slot(item: JudgedCase) -> bool:
    return item.case.expects_slot and item.picked is not None and not item.picked_right


def _case(item: JudgedCase, *, show_text: bool) -> list[str]:
    kind = item.mistake.value if item.mistake else "wrong slot"
    evidence = "; ".join(f"{found.rule}: {found.words}" for found in item.verdict.evidence[:4])
    label = f" (label: {item.case.reason})" if item.case.auto_ok is False else ""
    lines = [
        f"  {kind:<10} {item.case.id}: {item.outcome.outcome}, {', '.join(item.outcome.reasons)}{label}",
        f"             {item.verdict.intent.value}, {item.verdict.workflow_outcome.value}, "
        f"confidence {item.verdict.confidence:.2f}; {evidence or 'no evidence'}",
    ]
    if show_text:
        lines.append(f"             > {' / '.join(item.case.body)[:300]}")
    return lines


def _classes(title: str, classes: Classes) -> list[str]:
    macro = "-" if classes.macro_f1 is None else f"{classes.macro_f1:.3f}"
    lines = [
        f"{title}: right {_share(classes.right)}, macro-F1 {macro}",
        f"  {'class':<24}{'labelled':>9}{'precision':>11}{'recall':>9}{'F1':>8}",
    ]
    lines += [
        f"  {name:<24}{figures.labelled:>9}{_percent(figures.precision):>11}{_percent(figures.recall):>9}{figures.f1:>8.3f}"
        for name, figures in classes.per_class.items()
    ]
    confused = [(pair, count) for pair, count in classes.confusion.items() if pair[0] != pair[1]]
    if confused:
        lines.append("  confused (label -> decided):")
        lines += [
            f"    {label} -> {decided}: {count}"
            for (label, decided), count in sorted(confused, key=lambda entry: -entry[1])
        ]
    return lines


def _share(share: Share) -> str:
    if share.bounds is None:
        return "no case says"
    low, high = share.bounds
    return f"{share.count} of {share.of}, {_percent(share.rate)} (95 %: {_percent(low)} to {_percent(high)})"


def _of(share: Share) -> str:
    return f"{share.count} of {share.of}" if share.of else "-"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value * 100:.1f} %"
