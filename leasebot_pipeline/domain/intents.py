"""What a burst of messages says: intents, acts, open questions, a slot pick, each with its evidence. Pure.

A message is only as well understood as its least understood part. So besides what the rules find, the
reading says what they do not account for: questions nobody recognised, statements about us, and words that
stand in no rule and in no list of words that ask for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from leasebot_pipeline.domain.decisions import Evidence, Intent
from leasebot_pipeline.domain.intents_phrases import Hit
from leasebot_pipeline.domain.intents_rulebook import RULES, RULES_VERSION, Rulebook
from leasebot_pipeline.domain.intents_slots import Pick, names_a_slot, pick
from leasebot_pipeline.domain.intents_text import Reading, Sentence, language
from leasebot_pipeline.domain.slots import Slot

__all__ = ["RULES_VERSION", "Understanding", "understand"]

_PRECEDENCE: Final = (
    Intent.UNSUBSCRIBE,
    Intent.TOUR_REQUEST,
    Intent.PRICING_QUESTION,
    Intent.AVAILABILITY_QUESTION,
)
_NO_PICK: Final = Pick(None, "", False)
_SMALL_TALK_WORDS: Final = 7
"""A question this short with a courtesy in it ("how are you?") asks for nothing."""
_REMARK_WORDS: Final = 4
_NAMES_ITSELF: Final = re.compile(
    r"^ (?:(?:this|it|that) is |i am |my name is |name is )?([^ ,?]+(?: [^ ,?]+){0,3}?)(?: (?:here|speaking|again|writing))? $"
)
_TIME_QUESTION_WORDS: Final = 8
"""A question this short that names a time ("Thursday?") proposes it, beside a wish to see the place."""
_EXPLAINS: Final = frozenset({"intent", "act", "remark"})
_DEALT_WITH: Final = frozenset({"follow_up", "reschedule", "confirm", "decline", "ambiguous"})


@dataclass(frozen=True, slots=True)
class Understanding:
    """What the rules found."""

    intents: tuple[Intent, ...]
    """By precedence, main one first; empty when none was found."""
    weak: bool
    """The only intent found is a general interest."""
    acts: frozenset[str]
    """Codes of acts: decline, reschedule, follow_up, confirm, ambiguous, courtesy."""
    topics: tuple[str, ...]
    """Rule names of subjects asked about that no template answers."""
    open_questions: int
    """Questions no rule recognised."""
    remarks: int
    """Statements of some length that no rule recognised."""
    only_courtesy: bool
    language: str | None
    pick: Pick
    evidence: tuple[Evidence, ...]
    unread: tuple[str, ...] = ()
    """Words, and whole statements about us, that no rule accounts for."""
    hits: tuple[Hit, ...] = ()
    """Every phrase found, guardrails included."""


def understand(reading: Reading, offer: Sequence[Slot], rules: Rulebook = RULES) -> Understanding:
    """Apply all rules. ``offer`` are the slots a pick may refer to."""
    found: dict[Intent, bool] = {}
    acts: set[str] = set()
    topics: list[str] = []
    everything: list[Hit] = []
    unread: list[str] = []
    agreed: list[tuple[Sentence, bool]] = []
    open_questions = slot_questions = remarks = 0
    only_courtesy = bool(reading.sentences)
    for sentence in reading.sentences:
        hits = rules.index.find(sentence)
        everything.extend(hits)
        codes = {hit.rule.code for hit in hits if hit.rule.kind in ("act", "remark")}
        acts |= codes
        for hit in hits:
            if hit.rule.kind == "intent":
                intent = Intent(hit.rule.code)
                found[intent] = found.get(intent, True) and hit.rule.weak
            elif hit.rule.kind == "topic" and not _part_of_a_name(hit, sentence):
                topics.append(hit.rule.name)
        agreed.append((sentence, "confirm" in codes and not codes & {"decline", "reschedule", "ambiguous"}))
        left_over = _left_over(sentence, hits, rules)
        unread.extend(left_over)
        explained = any(_explains(hit, answering=bool(offer)) for hit in hits)
        if not explained and (left_over or not (sentence.is_question or _needs_no_rule(sentence, offer))):
            unread.append(sentence.text.strip())
        only_courtesy = (
            only_courtesy
            and codes <= {"courtesy", "confirm", "praise"}
            and "courtesy" in codes
            and not _says_more(hits)
        )
        length = len(sentence.words)
        if sentence.is_question and not _answers(hits, codes, length):
            if names_a_slot(sentence) and (offer or length <= _TIME_QUESTION_WORDS):
                slot_questions += 1
            else:
                open_questions += 1
        elif sentence.words[0] in rules.orders and not explained:
            open_questions += 1
        elif not codes and not _says_more(hits) and length > _REMARK_WORDS:
            remarks += 1
    picked = pick(agreed, offer) if offer else _NO_PICK
    if not (offer and picked.named_something) and found.get(Intent.TOUR_REQUEST) is not False:
        open_questions += slot_questions
    strong = {intent for intent, weak in found.items() if not weak}
    intents = tuple(i for i in _PRECEDENCE if i in (strong or found))
    return Understanding(
        intents=intents,
        weak=bool(found) and not strong,
        acts=frozenset(acts),
        topics=tuple(dict.fromkeys(topics)),
        open_questions=open_questions,
        remarks=remarks,
        only_courtesy=only_courtesy,
        language=language(reading, rules.words),
        pick=picked,
        evidence=_shortest(
            [Evidence(hit.rule.name, hit.words) for hit in everything if hit.rule.kind != "guardrail"]
        ),
        unread=tuple(dict.fromkeys(unread)),
        hits=tuple(everything),
    )


def _left_over(sentence: Sentence, hits: Sequence[Hit], rules: Rulebook) -> list[str]:
    """The words of a sentence that no hit covers and that are neither plain words, names nor numbers."""
    spans = [
        (hit.start, hit.end, hit.rule.kind == "intent")
        for hit in hits
        if hit.rule.covers and _explains(hit, answering=True)
    ]
    left: list[str] = []
    position = 1
    for word in sentence.words:
        if (
            word not in rules.words.plain
            and word[0].isalpha()
            and len(word) > 1
            and word not in sentence.names
        ):
            # In a wish for a tour such a word can only stand in a gap, so the wish does not account for it.
            sensitive = word in rules.sensitive
            if not any(start <= position < end and not (wish and sensitive) for start, end, wish in spans):
                left.append(word)
        position += len(word) + 1
    return [] if left and _says_a_name(sentence, left, rules) else left


def _says_a_name(sentence: Sentence, left: Sequence[str], rules: Rulebook) -> bool:
    """What leads are called, said or written under the message: words nobody knows, and nothing else."""
    found = _NAMES_ITSELF.match(sentence.text)
    if found is None or sentence.is_question or not rules.known.isdisjoint(left):
        return False
    return all(word in left or word in sentence.names for word in found.group(1).split())


def _explains(hit: Hit, *, answering: bool) -> bool:
    """Whether a hit says what its sentence is for. Who a lead is says nothing of that, and agreement only
    does where there is something to agree to."""
    if hit.rule.kind not in _EXPLAINS or hit.rule.code == "protected":
        return False
    return hit.rule.code != "confirm" or answering


def _needs_no_rule(sentence: Sentence, offer: Sequence[Slot]) -> bool:
    """A few plain words, or the name of an offered time."""
    said = sum(word not in sentence.names for word in sentence.words)
    return said < _REMARK_WORDS or (bool(offer) and names_a_slot(sentence))


def _part_of_a_name(hit: Hit, sentence: Sentence) -> bool:
    """ "Garden" in "Garden Row": a name of several words is no subject."""
    if hit.words not in sentence.names:
        return False
    before, after = sentence.text[: hit.start].split()[-1:], sentence.text[hit.end :].split()[:1]
    return not sentence.names.isdisjoint([*before, *after])


def _says_more(hits: Sequence[Hit]) -> bool:
    return any(hit.rule.kind in ("intent", "topic") for hit in hits)


def _answers(hits: Sequence[Hit], codes: set[str], length: int) -> bool:
    """Whether a question is one that some rule recognised, so that it is dealt with elsewhere."""
    if _says_more(hits) or codes & _DEALT_WITH:
        return True
    return "courtesy" in codes and length <= _SMALL_TALK_WORDS


def _shortest(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Each rule's distinct words once, in order, at most three per rule: enough to judge by."""
    kept: dict[str, dict[str, None]] = {}
    for item in evidence:
        words = kept.setdefault(item.rule, {})
        if len(words) < 3:
            words[item.words] = None
    return tuple(Evidence(rule, words) for rule, all_words in kept.items() for words in all_words)
