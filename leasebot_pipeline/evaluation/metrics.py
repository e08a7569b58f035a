"""What the judged cases come to: each figure counts the cases that carry its label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from leasebot_pipeline.evaluation.intervals import Share
from leasebot_pipeline.evaluation.running import JudgedCase, Mistake, Settled

Pairs = Sequence[tuple[str, str]]
"""Of each case: what the label says, what was decided."""


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How well one class is found."""

    found: int
    """Decided as this class and labelled so."""
    decided: int
    labelled: int

    @property
    def precision(self) -> float | None:
        return self.found / self.decided if self.decided else None

    @property
    def recall(self) -> float | None:
        return self.found / self.labelled if self.labelled else None

    @property
    def f1(self) -> float:
        return 2 * self.found / (self.decided + self.labelled) if self.decided + self.labelled else 0.0


@dataclass(frozen=True, slots=True)
class Classes:
    """A choice among classes, compared with its labels."""

    right: Share
    per_class: dict[str, ClassFigures]
    confusion: dict[tuple[str, str], int]
    """Cases by (label, decision)."""

    @property
    def macro_f1(self) -> float | None:
        """Mean F1 of the classes that are labelled at all."""
        scores = [figures.f1 for figures in self.per_class.values() if figures.labelled]
        return sum(scores) / len(scores) if scores else None


@dataclass(frozen=True, slots=True)
class SlotFigures:
    """Choices of a slot, among the cases that say which one is right, or that none is."""

    picked: int
    right: int
    expected: int
    """Cases in which a slot should be picked."""

    @property
    def precision(self) -> float | None:
        return self.right / self.picked if self.picked else None


@dataclass(frozen=True, slots=True)
class TagFigures:
    n: int
    dangerous: Share
    slow: Share
    intent: Share


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of one evaluation."""

    n: int
    dangerous: Share
    dangerous_by_reason: dict[str, Share]
    lost: Share
    slow: Share
    intent: Classes
    intents: Share
    """Cases in which exactly the labelled intents were found, in any order."""
    outcome: Classes
    follow_up: Classes
    slots: SlotFigures
    by_tag: dict[str, TagFigures]
    pairs: Share
    """Pairs that were NOT decided alike."""
    unlike_pairs: tuple[str, ...]


def measure(judged: Sequence[JudgedCase]) -> Figures:
    """Count everything once."""
    must_hold = [item for item in judged if item.case.auto_ok is False]
    labelled_auto = [item for item in judged if item.case.auto_ok is not None]
    groups = _by(judged, lambda item: (item.case.pair,) if item.case.pair else ())
    unlike = tuple(
        sorted(pair for pair, items in groups.items() if len({_decision(item) for item in items}) > 1)
    )
    outcomes = [
        (item.case.workflow_outcome.value, item.verdict.workflow_outcome.value)
        for item in judged
        if item.case.workflow_outcome is not None
    ]
    nudges = [
        (str(item.case.follow_up).lower(), str(item.verdict.follow_up).lower())
        for item in judged
        if item.case.follow_up is not None
    ]
    several = [item for item in judged if item.case.intents is not None]
    return Figures(
        n=len(judged),
        dangerous=_share(must_hold, Mistake.DANGEROUS),
        dangerous_by_reason={
            reason: _share(items, Mistake.DANGEROUS)
            for reason, items in sorted(_by(must_hold, lambda item: (item.case.reason,)).items())
        },
        lost=_share(labelled_auto, Mistake.LOST),
        slow=_slow(judged),
        intent=_classes(_intents(judged)),
        intents=Share(
            sum(set(item.case.intents or ()) == set(item.verdict.intents) for item in several), len(several)
        ),
        outcome=_classes(outcomes),
        follow_up=_classes(nudges),
        slots=_slots(judged),
        by_tag={
            tag: TagFigures(
                len(items),
                _share([item for item in items if item.case.auto_ok is False], Mistake.DANGEROUS),
                _slow(items),
                _classes(_intents(items)).right,
            )
            for tag, items in sorted(_by(judged, lambda item: item.case.tags).items())
        },
        pairs=Share(len(unlike), len(groups)),
        unlike_pairs=unlike,
    )


def _decision(item: JudgedCase) -> Hashable:
    """What must be equal in a pair: all that is done, but not the name in the greeting or a reason's wording."""
    verdict, outcome = item.verdict, item.outcome
    return (
        outcome.outcome,
        outcome.human_action_required,
        outcome.slots_offered,
        outcome.template_id,
        verdict.workflow_outcome,
        item.picked,
    )


def _by(
    judged: Iterable[JudgedCase], keys: Callable[[JudgedCase], Iterable[str]]
) -> dict[str, list[JudgedCase]]:
    groups: dict[str, list[JudgedCase]] = {}
    for item in judged:
        for key in keys(item):
            groups.setdefault(key, []).append(item)
    return groups


def _share(judged: Sequence[JudgedCase], mistake: Mistake) -> Share:
    return Share(sum(item.mistake is mistake for item in judged), len(judged))


def _slow(judged: Sequence[JudgedCase]) -> Share:
    """May be answered, and neither was nor rightly needed no answer."""
    may = [item for item in judged if item.case.auto_ok]
    return Share(
        sum(item.mistake is not None and item.settled is not Settled.ANSWERED for item in may), len(may)
    )


def _intents(judged: Iterable[JudgedCase]) -> list[tuple[str, str]]:
    return [(item.case.intent.value, item.intent.value) for item in judged if item.case.intent is not None]


def _classes(pairs: Pairs) -> Classes:
    confusion = Counter(pairs)
    labelled, decided = Counter(label for label, _ in pairs), Counter(choice for _, choice in pairs)
    names = sorted(labelled | decided)
    return Classes(
        right=Share(sum(label == choice for label, choice in pairs), len(pairs)),
        per_class={
            name: ClassFigures(confusion[name, name], decided[name], labelled[name]) for name in names
        },
        confusion=dict(sorted(confusion.items())),
    )


def _slots(judged: Sequence[JudgedCase]) -> SlotFigures:
    known = [item for item in judged if item.case.expects_slot]
    return SlotFigures(
        picked=sum(item.picked is not None for item in known),
        right=sum(item.picked_right for item in known),
        expected=sum(item.case.expected_slot is not None for item in known),
    )
