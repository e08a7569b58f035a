"""What a lead's answer to an offer of slots says: which slot, none of them, another time, or nothing clear. Pure.

A slot is picked only when the lead's own words fit exactly one, in a clause that agrees or says nothing else.
Negation takes slots away, and never picks the one that is left; conditions, sarcasm and contradictions pick
nothing. A question or a rough time that fits one slot is a pick that is not ``firm``: it is held, and the lead
is asked to confirm it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final

from leasebot_pipeline.domain.decisions import Evidence
from leasebot_pipeline.domain.handshake_stance import (
    NO_NAME,
    Clause,
    Stance,
    after_correction,
    calls_off,
    clauses,
    corrects,
    is_of_the_others,
    is_sarcastic,
    only_doubts,
    refuses_all,
    settle,
    stance_rules,
    wants_others,
)
from leasebot_pipeline.domain.handshake_times import (
    Mention,
    OfferedSlot,
    Reader,
    Wish,
    offered_slot,
    time_rules,
)
from leasebot_pipeline.domain.handshake_words import own_lines, sentences
from leasebot_pipeline.domain.slots import Slot


class AnswerKind(StrEnum):
    PICKS = "picks"
    """Names exactly one of the offered slots."""
    CONFIRMS = "confirms"
    """Agrees to the only open slot, or to the one that is held for the lead."""
    AGREES = "agrees"
    """Agrees, or leaves the choice to us, without saying which of several slots."""
    DECLINES = "declines"
    """None of the offered slots suits; other times may."""
    PROPOSES = "proposes"
    """A time of the lead's own that was not offered, or one in another time zone."""
    AMBIGUOUS = "ambiguous"
    """Speaks of the offer, and fits several slots or none for certain."""
    NONE = "none"
    """Says nothing about the offer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a lead answered. ``index`` is 1-based into the offer, set for PICKS and CONFIRMS only."""

    kind: AnswerKind
    index: int | None = None
    firm: bool = False
    """The lead's word, without question, hedge or condition: it may be booked on it."""
    fitting: tuple[int, ...] = ()
    """For AGREES and AMBIGUOUS the slots it may mean, 1-based; for DECLINES those that were not refused."""
    wish: Wish = field(default_factory=Wish)
    """What was said of another time."""
    evidence: tuple[Evidence, ...] = ()

    @property
    def answers_offer(self) -> bool:
        return self.kind is not AnswerKind.NONE

    @property
    def is_pick(self) -> bool:
        return self.index is not None


NO_ANSWER: Final = Answer(AnswerKind.NONE)

READER_VERSION: Final = "reader-" + sha256(repr([*stance_rules(), *time_rules()]).encode()).hexdigest()[:12]
"""Changes whenever a phrase of the reader changes, so that a stored decision names the reader it was made by."""


def read_answer(
    messages: Sequence[str],
    offer: Sequence[Slot],
    now: datetime | None,
    *,
    held: int | None = None,
    gone: Sequence[int] = (),
    ours: Sequence[str] = (),
    zone_name: str | None = None,
    any_day: bool = False,
) -> Answer:
    """Read a burst of messages against an open offer.

    ``now`` is when the lead wrote ("tomorrow" counts from there; None when unknown); ``held`` the position of the slot the lead was
    asked to confirm; ``gone`` positions that can be named but not agreed to; ``ours`` texts of ours that a lead may quote; ``zone_name`` the zone when nothing is offered;
    ``any_day`` lets relative days fit every slot while ``now`` is unknown.
    """
    return _read(
        tuple(messages), tuple(offer), now, held, frozenset(gone), tuple(ours), zone_name, any_day=any_day
    )


# A decision asks for the same answer several times: to judge, to plan, to tell why.
@lru_cache(maxsize=1024)
def _read(
    messages: tuple[str, ...],
    offer: tuple[Slot, ...],
    now: datetime | None,
    held: int | None,
    gone: frozenset[int],
    ours: tuple[str, ...],
    zone_name: str | None,
    *,
    any_day: bool,
) -> Answer:
    offered = [offered_slot(position, slot) for position, slot in enumerate(offer, start=1)]
    reader = Reader(offered, now, zone_name, any_day=any_day)
    found: list[Clause] = []
    sarcastic = False
    for message in messages:
        said = sentences(own_lines(message, ours))
        for sentence in said:
            marked = reader.mark(sentence.text, asked=sentence.asked)
            later = after_correction(sentence.text)
            if later and (corrected := reader.mark(later, asked=sentence.asked)).mentions:
                marked = corrected
            heard = clauses(marked)
            if corrects(sentence.text):
                found.clear()
                last = max((at for at, c in enumerate(heard) if c.mentions), default=0)
                heard = [
                    c
                    for at, c in enumerate(heard)
                    if at >= last or c.mentions or c.stance is not Stance.REFUSES
                ]
            sarcastic = sarcastic or is_sarcastic(sentence.text)
            found.extend(heard)
    return _judge(settle(found), offered, held, gone, sarcastic=sarcastic)


def cancels(messages: Sequence[str]) -> bool:
    """Whether a lead who has a showing ahead calls it off, without asking for another time."""
    said = [sentence for message in messages for sentence in sentences(own_lines(message))]
    return any(calls_off(s.text) and not s.asked for s in said) and not any(
        wants_others(s.text) for s in said
    )


@dataclass(slots=True)
class _Heard:
    """What all clauses together say."""

    offer: Sequence[OfferedSlot]
    named: list[frozenset[int]] = field(default_factory=list)
    firm: bool = True
    excluded: set[int] = field(default_factory=set)
    words: list[str] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)
    agrees: bool = False
    refuses: bool = False
    any_will_do: bool = False
    conditional: bool = False
    spoke: bool = False
    other: frozenset[int] | None = None
    """"The other one", "the other Thursday slot": of these, whatever is left."""
    refuses_all: bool = False
    vague: list[Wish] = field(default_factory=list)
    """Wishes of clauses that name no more than a part of the day or a rough time."""
    others_wanted: bool = False
    doubtful: bool = False
    """"Maybe Tuesday": nobody's word."""
    murky: bool = False
    """A slot is named in talk of something else."""
    stray: bool = False
    """A negation that is about something else: what is agreed to elsewhere is not certain."""

    @property
    def all(self) -> frozenset[int]:
        return frozenset(slot.position for slot in self.offer)

    def named_slots(self) -> frozenset[int]:
        """Slots that all naming clauses fit; when they contradict each other, every one that any fits."""
        together = self.named[0]
        for fits in self.named[1:]:
            together = together & fits if together & fits else together | fits
        return together - frozenset(self.excluded)


def _judge(
    found: Sequence[Clause],
    offer: Sequence[OfferedSlot],
    held: int | None,
    gone: frozenset[int],
    *,
    sarcastic: bool,
) -> Answer:
    heard = _Heard(offer)
    for clause in found:
        _hear(clause, heard)
    evidence = tuple(Evidence("handshake", words) for words in dict.fromkeys(heard.words))

    def answer(
        kind: AnswerKind, index: int | None = None, fitting: Sequence[int] = (), *, firm: bool = False
    ) -> Answer:
        return Answer(
            kind, index, firm, tuple(sorted(frozenset(fitting) - gone)), _merged(heard.wishes), evidence
        )

    if not heard.spoke or not offer:
        if heard.wishes and not offer:
            return answer(AnswerKind.PROPOSES)
        return NO_ANSWER
    if sarcastic or heard.conditional:
        return answer(AnswerKind.AMBIGUOUS)
    if heard.named or heard.other is not None:
        return _named(heard, answer)
    if heard.doubtful:
        return answer(AnswerKind.AMBIGUOUS)
    if heard.wishes:
        return answer(AnswerKind.PROPOSES)
    if heard.refuses or heard.others_wanted:
        if heard.agrees and not heard.others_wanted:
            return answer(AnswerKind.AMBIGUOUS)
        return answer(AnswerKind.DECLINES)
    left = heard.all - heard.excluded - gone
    if heard.murky:
        return answer(AnswerKind.AMBIGUOUS)
    if heard.agrees or heard.any_will_do:
        if held is not None and held in left and not (heard.any_will_do and len(left) > 1):
            return answer(AnswerKind.CONFIRMS, held, firm=heard.firm and not heard.stray)
        if len(left) == 1 and not heard.excluded:
            return answer(AnswerKind.CONFIRMS, next(iter(left)), firm=heard.firm and not heard.stray)
        return answer(AnswerKind.AGREES, fitting=tuple(left)) if left else answer(AnswerKind.DECLINES)
    if heard.excluded:
        return answer(AnswerKind.DECLINES, fitting=tuple(left))
    return answer(AnswerKind.AMBIGUOUS)


def _named(heard: _Heard, answer: Callable[..., Answer]) -> Answer:
    if heard.other is not None:
        left = heard.other - heard.excluded - frozenset().union(*heard.named)
        certain = not heard.doubtful and not heard.wishes and not heard.others_wanted
        if len(left) == 1 and certain and (heard.excluded & heard.other or len(heard.all) == 1):
            return answer(AnswerKind.PICKS, next(iter(left)), firm=heard.firm)
        return answer(AnswerKind.AMBIGUOUS, fitting=tuple(left))
    fitting = heard.named_slots()
    if heard.wishes and fitting:
        # One clause fits the offer and another names a time that was never offered: which one holds?
        return answer(AnswerKind.AMBIGUOUS, fitting=tuple(fitting))
    if heard.doubtful:
        return answer(AnswerKind.AMBIGUOUS, fitting=tuple(fitting))
    if (heard.refuses_all or heard.others_wanted) and len(heard.vague) == len(heard.named):
        heard.wishes.extend(
            heard.vague
        )  # "none of those, evenings are better": not the evening that was offered
        return answer(AnswerKind.PROPOSES)
    if heard.others_wanted:
        return answer(AnswerKind.AMBIGUOUS, fitting=tuple(fitting))
    if len(fitting) == 1:
        firm = heard.firm and not heard.stray and not heard.refuses
        return answer(AnswerKind.PICKS, next(iter(fitting)), firm=firm)
    if not fitting:
        return answer(AnswerKind.AMBIGUOUS)
    if heard.any_will_do:
        return answer(AnswerKind.AGREES, fitting=tuple(fitting))
    return answer(AnswerKind.AMBIGUOUS, fitting=tuple(fitting))


def _hear(clause: Clause, heard: _Heard) -> None:
    stance = clause.stance
    if clause.conditional:
        heard.conditional = True
        heard.spoke = heard.spoke or bool(clause.mentions) or stance is not Stance.OTHER
        heard.words.append(clause.words)
        return
    naming = [m for m in clause.mentions if m.kind not in NO_NAME]
    if not naming:
        _hear_nameless(clause, heard)
        return
    if stance is Stance.OTHER:
        heard.murky = heard.murky or bool(heard.offer and _fitting(clause.mentions, heard))
        return
    heard.spoke = True
    heard.words.append(clause.words)
    if any(m.kind == "other" for m in naming):
        naming = [m for m in naming if m.kind != "other"]
        if stance is not Stance.REFUSES:
            heard.other = _fitting(naming, heard) if naming else heard.all
            heard.firm = heard.firm and stance in (Stance.AGREES, Stance.NAMES)
            heard.doubtful = heard.doubtful or clause.doubtful
            return
        if not naming:
            return
    if not heard.offer:
        if stance is not Stance.REFUSES:
            heard.wishes.append(_wish(clause.mentions))
        return
    fits = _fitting(clause.mentions, heard)
    if clause.alternatives and not any(m.unfit for m in clause.mentions):
        # "Thursday at 3 or Saturday": what either side fits, never only what both together do.
        each = [_fitting(side, heard) for side in clause.alternatives]
        fits = frozenset().union(*each)
        heard.firm = heard.firm and (all(each) or stance is Stance.REFUSES)
    if clause.seeks and any(m.fuzzy for m in clause.mentions):
        fits = frozenset()  # "anything after three?" asks for more than what was offered
    if stance is Stance.REFUSES:
        heard.excluded |= fits
        return
    if clause.shifted and len(fits) == 1:
        fits = frozenset()  # "Friday, a bit later": not the time that was offered
    if not fits:
        heard.wishes.append(_wish(clause.mentions))
        return
    heard.named.append(fits)
    if all(m.kind == "part" or m.fuzzy for m in naming):
        heard.vague.append(_wish(clause.mentions))
    heard.doubtful = heard.doubtful or clause.doubtful
    heard.any_will_do = heard.any_will_do or clause.any_will_do
    if stance is Stance.ASKS or any(m.fuzzy for m in clause.mentions):
        heard.firm = False


def _hear_nameless(clause: Clause, heard: _Heard) -> None:
    if clause.doubtful and (clause.stance in (Stance.AGREES, Stance.ASKS) or only_doubts(clause.words)):
        heard.doubtful = True
        heard.spoke = heard.spoke or not clause.asked
    match clause.stance:
        case Stance.AGREES:
            heard.agrees = True
        case Stance.ASKS:
            heard.agrees = True
            heard.firm = False
        case Stance.REFUSES:
            if clause.stray:
                heard.stray = True
                return
            if heard.named and is_of_the_others(clause.words):
                return
            heard.refuses = True
            heard.doubtful = heard.doubtful or bool(heard.named)  # "Friday works. Oh, it doesn't."
            heard.refuses_all = heard.refuses_all or refuses_all(clause.words)
        case Stance.WANTS_OTHERS:
            heard.others_wanted = True
        case Stance.ANY:
            heard.any_will_do = True
        case _:
            if clause.hedged:
                heard.firm = False
            return
    heard.spoke = True
    heard.words.append(clause.words)


def _fitting(mentions: Sequence[Mention], heard: _Heard) -> frozenset[int]:
    """Slots that every kind of name fits; names of one kind are alternatives."""
    if any(m.unfit for m in mentions):
        return frozenset()
    fits = list(heard.offer)
    by_kind: dict[str, list[Mention]] = {}
    for mention in mentions:
        by_kind.setdefault(mention.kind, []).append(mention)
    ranks = by_kind.pop("rank", [])
    for alternatives in by_kind.values():
        fits = [slot for slot in fits if any(mention.test(slot) for mention in alternatives)]
    if ranks and "position" in by_kind:
        # "The first or the last": two choices, not one that is both.
        return frozenset(s.position for s in fits) | frozenset(
            s.position for rank in ranks for s in _ranked(rank.words, list(heard.offer))
        )
    for rank in ranks:
        fits = _ranked(rank.words, fits)
    early = [m for m in mentions if m.kind == "part" and m.words.startswith(("first thing", "early"))]
    if early and fits:
        fits = _ranked("earliest", fits)
    return frozenset(slot.position for slot in fits)


def _ranked(word: str, slots: list[OfferedSlot]) -> list[OfferedSlot]:
    ordered = sorted(slots, key=lambda slot: slot.slot.starts_at)
    if len(ordered) < 2:
        return ordered
    if word in ("earlier", "former", "sooner"):
        return ordered[:1] if len(ordered) == 2 else ordered[:-1]
    if word in ("later", "latter"):
        return ordered[1:]
    if word == "middle":
        return [ordered[len(ordered) // 2]] if len(ordered) % 2 else ordered[1:-1]
    if word in ("top",):
        return [min(slots, key=lambda slot: slot.position)]
    if word in ("last", "final", "bottom"):
        return [max(slots, key=lambda slot: slot.position)]
    return ordered[-1:] if word == "latest" else ordered[:1]


def _wish(mentions: Sequence[Mention]) -> Wish:
    """One wish out of the names of a clause; a foreign zone moves its times."""
    days: set[date] = set()
    weekdays: set[int] = set()
    minutes: set[int] = set()
    window = None
    shift = 0
    for mention in mentions:
        if mention.kind == "zone":
            shift = next(iter(mention.wish.minutes), 0)
            continue
        days |= mention.wish.days
        weekdays |= mention.wish.weekdays
        minutes |= mention.wish.minutes
        window = mention.wish.window or window
    daytime = {m for m in minutes if 8 * 60 <= m < 20 * 60} or minutes
    return Wish(
        frozenset(days),
        frozenset(weekdays),
        frozenset((m + shift) % (24 * 60) for m in daytime),
        window,
        converted=any(m.unfit for m in mentions if m.kind == "zone"),
    )


def _merged(wishes: Sequence[Wish]) -> Wish:
    merged = Wish()
    for wish in wishes:
        merged = Wish(
            merged.days | wish.days,
            merged.weekdays | wish.weekdays,
            merged.minutes | wish.minutes,
            wish.window or merged.window,
            merged.converted or wish.converted,
        )
    return merged
