"""What a burst of messages says: intents, acts, open questions, a slot pick, each with its evidence. Pure.

A message is only as well understood as its least understood part. So besides what the rules find, the
reading says what they do not account for: questions nobody recognised, statements about us, and words that
stand in no rule and in no list of words that ask for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from leasebot_pipeline.domain.decisions import Evidence, Intent
from leasebot_pipeline.domain.intents_phrases import Hit
from leasebot_pipeline.domain.intents_rulebook import RULES, RULES_VERSION, Rulebook
from leasebot_pipeline.domain.intents_slots import names_a_slot, proposes_a_time
from leasebot_pipeline.domain.intents_stories import (
    AMOUNT,
    WRITER,
    Span,
    accounts_for,
    heavy_words,
    is_story,
    without_trades,
)
from leasebot_pipeline.domain.intents_text import Reading, Sentence, frequent_words, language

__all__ = ["RULES_VERSION", "Understanding", "order_left_unread", "understand"]

_PRECEDENCE: Final = (
    Intent.UNSUBSCRIBE,
    Intent.TOUR_REQUEST,
    Intent.PRICING_QUESTION,
    Intent.AVAILABILITY_QUESTION,
)
_SMALL_TALK_WORDS: Final = 7
"""A question this short with a courtesy in it ("how are you?") asks for nothing."""
_REMARK_WORDS: Final = 4
_NAMES_ITSELF: Final = re.compile(
    r"^ (?:(?:this|it|that) is |i am |my name is |name is )?([^ ,?]+(?: [^ ,?]+){0,3}?)(?: (?:here|speaking|again|writing))? $"
)
_TIME_QUESTION_WORDS: Final = 8
"""A question this short that names a time ("Thursday?") proposes it, beside a wish to see the place."""
_APPOINTMENTS: Final = frozenset({"viewing", "tour", "appointment", "showing", "slot", "booking", "visit"})
_THIN_WORDS: Final = 5
_SETTLES: Final = frozenset({"follow_up", "decline", "reschedule", "confirm"})
_EXPLAINS: Final = frozenset({"intent", "act", "remark"})
_COURTEOUS: Final = frozenset({"courtesy", "confirm", "praise"})
_DEALT_WITH: Final = frozenset({"follow_up", "reschedule", "confirm", "decline", "ambiguous"})


class Understanding(NamedTuple):
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
    evidence: tuple[Evidence, ...]
    unread: tuple[str, ...] = ()
    """Words, and whole statements about us, that no rule accounts for."""
    hits: tuple[Hit, ...] = ()
    """Every phrase found, guardrails included."""


def understand(
    reading: Reading, *, offered: bool = False, answers_offer: bool = False, rules: Rulebook = RULES
) -> Understanding:
    """Apply all rules. ``offered`` says that slots are on offer, ``answers_offer`` that the message was read
    as an answer to them (``domain.handshake``): a question that names a time is then dealt with there."""
    said = [_one(sentence, offered, rules) for sentence in reading.sentences]
    evidence: list[Evidence] = []
    unread: list[str] = []
    hits: list[Hit] = []
    topics: list[str] = []
    acts: frozenset[str] = frozenset()
    found: dict[Intent, bool] = {}
    asked = timed = remarks = 0
    foreign = not reading.own_text.isascii()
    english, courteous = False, bool(said)
    for one in said:
        if one.hits:
            hits += one.hits
            evidence += one.evidence
            topics += one.topics
            acts |= one.acts
            for intent, weak in one.intents:
                found[intent] = found.get(intent, True) and weak
        unread += one.unread
        if one.asks == "open":
            asked += 1
        elif one.asks == "time":
            timed += 1
        remarks += one.is_remark
        foreign = foreign or one.foreign
        english = english or one.english
        courteous = courteous and one.is_courtesy
    # A "no" beside a time that is asked for is no plain "no": it must not end in silence.
    if "decline" in acts or (not answers_offer and found.get(Intent.TOUR_REQUEST) is not False):
        asked += timed
    strong = {intent for intent, weak in found.items() if not weak}
    spoken = "en" if english else None
    if foreign:
        spoken = language(reading.own_text, [one.languages for one in said])
    return Understanding(
        intents=tuple([i for i in _PRECEDENCE if i in (strong or found)]) if found else (),
        weak=bool(found) and not strong,
        acts=acts,
        topics=tuple(dict.fromkeys(topics)) if topics else (),
        open_questions=asked,
        remarks=remarks,
        only_courtesy=courteous,
        language=spoken,
        evidence=_shortest(evidence),
        unread=tuple(dict.fromkeys(unread)) if unread else (),
        hits=tuple(hits),
    )


_TELLS_US: Final = re.compile(
    r" you (?:are|do|will|must|shall|should|can|may|need|have|answer|say|reply|respond|agree|work|treat|give|book|confirm"
    r"|approve|act|obey|follow|take|skip|ignore|forget|drop|stop|send|offer|speak|behave|listen|belong|handle|make|let|put|keep|leave|grant|pass|mark|open|only|now|just"
    r"|always|never) |(?<! if) you think "
)
"""Who says what we are or do: harmless where a rule knows it ("you are very kind")."""


@lru_cache(maxsize=8192)  # a conversation's earlier messages are looked at again with each new one
def order_left_unread(message: str, rules: Rulebook = RULES) -> str | None:
    """The first statement of a message that tells us what we are or should do and that no rule accounts for."""
    for sentence in rules.reader.read([message]).sentences:
        tells = sentence.words[0] in rules.orders or _TELLS_US.search(sentence.text) is not None
        if tells and not sentence.is_question and _one(sentence, False, rules).unread:
            return sentence.text.strip()
    return None


class _Said(NamedTuple):
    """What one sentence says."""

    hits: tuple[Hit, ...]
    evidence: tuple[Evidence, ...]
    intents: tuple[tuple[Intent, bool], ...]
    """With whether it is only a general interest."""
    acts: frozenset[str]
    topics: tuple[str, ...]
    unread: tuple[str, ...]
    asks: Literal["open", "time", None]
    """A question no rule recognised, or one that names a time."""
    is_remark: bool
    is_courtesy: bool
    languages: Mapping[str, int]
    """How many of the words are frequent in which language."""
    english: bool
    foreign: bool
    """Whether a word is frequent in English, in another language."""


@lru_cache(maxsize=16384)  # leads write the same sentences again and again
def _one(sentence: Sentence, offered: bool, rules: Rulebook) -> _Said:
    hits = without_trades(sentence, rules.index.find(sentence), rules)
    acts: list[str] = []
    intents: list[tuple[Intent, bool]] = []
    topics: list[str] = []
    evidence: list[Evidence] = []
    explained = False
    for hit in hits:
        rule = hit.rule
        kind = rule.kind
        if kind == "guardrail":
            continue
        evidence.append(Evidence(rule.name, hit.words))
        if kind == "intent":
            intents.append((Intent(rule.code), rule.weak))
        elif kind == "topic":
            if not _part_of_a_name(hit, sentence):
                topics.append(rule.name)
        else:
            acts.append(rule.code)
        explained = explained or _explains(hit, answering=offered)
    codes = frozenset(acts)
    explained = explained and (offered or not _is_thin(sentence, hits))
    unread: list[str] = []
    strange = _strange(sentence, rules)
    if strange or not explained:
        spans = _accounted(hits, rules)
        heavy = heavy_words(sentence, rules)
        story = is_story(sentence, hits, spans, heavy, rules)
        explained = explained or story
        unread = _left_over(sentence, strange, spans, heavy, rules, story=story)
    if not explained and (
        unread or not (sentence.is_question or _needs_no_rule(sentence, rules, offered=offered))
    ):
        unread.append(sentence.text.strip())
    if sentence.names:
        unread += _of_somebody(sentence, rules)
    length = len(sentence.words)
    languages = frequent_words(set(sentence.words).difference(sentence.names), rules.words)
    asks: Literal["open", "time", None] = None
    is_remark = False
    if sentence.is_question and not _answers(hits, codes, length):
        short = offered or length <= _TIME_QUESTION_WORDS
        named = short and (names_a_slot(sentence) or proposes_a_time(sentence))
        asks = "time" if named else "open"
    elif sentence.words[0] in rules.orders and not explained:
        asks = "open"
    elif not codes and not _says_more(hits) and length > _REMARK_WORDS:
        is_remark = True
    return _Said(
        hits=hits,
        evidence=tuple(evidence),
        intents=tuple(intents),
        acts=codes,
        topics=tuple(topics),
        unread=tuple(unread),
        asks=asks,
        is_remark=is_remark,
        is_courtesy=codes <= _COURTEOUS and "courtesy" in codes and not _says_more(hits),
        languages=languages,
        english="en" in languages,
        foreign=len(languages) > ("en" in languages) or not sentence.text.isascii(),
    )


def _accounted(hits: Sequence[Hit], rules: Rulebook) -> list[Span]:
    return [
        Span(
            hit.start,
            hit.end,
            hit.rule.kind == "intent" and hit.rule.code != Intent.PRICING_QUESTION,
            rules.named[hit.rule.name],
        )
        for hit in hits
        if hit.rule.covers and _explains(hit, answering=True)
    ]


def _strange(sentence: Sentence, rules: Rulebook) -> set[str]:
    """The words of a sentence that are neither plain words, names nor numbers."""
    strange = set(sentence.words).difference(rules.words.plain)
    if sentence.names:
        # A capital makes no name of a word the guardrails know: "yes, Pretend you are ..."
        strange -= sentence.names - rules.sensitive
    return {word for word in strange if len(word) > 1 and word[0].isalpha()}


def _left_over(
    sentence: Sentence,
    strange: set[str],
    spans: Sequence[Span],
    heavy: Collection[str],
    rules: Rulebook,
    *,
    story: bool,
) -> list[str]:
    """Those of the strange words that no hit covers."""
    if story or not strange:
        return []  # a story has been looked at word by word
    left: list[str] = []
    position = 1
    for word in sentence.words:
        if word in strange:
            # In a wish such a word stands in a gap, unless the wish is named by it: a gap accounts for none.
            sensitive = word in rules.sensitive
            if not any(
                accounts_for(span, position, word, heavy)
                and not (span.is_wish and sensitive and word not in span.named)
                for span in spans
            ):
                left.append(word)
        position += len(word) + 1
    return [] if left and _says_a_name(sentence, left, rules) else left


def _of_somebody(sentence: Sentence, rules: Rulebook) -> list[str]:
    """Appointments under a name nobody knows ("is Anna's viewing before mine"): somebody else's."""
    if _APPOINTMENTS.isdisjoint(sentence.words):
        return []
    return [
        f"{name} {word}"
        for name, word in pairwise(sentence.words)
        if word in _APPOINTMENTS and name in sentence.names and name not in rules.known
    ]


def _is_thin(sentence: Sentence, hits: Sequence[Hit]) -> bool:
    """Whether a statement that is not about its writer is understood in less than half of its words: a
    fragment of it ("... in May", "... a reply") does not say what the rest is for."""
    words = sentence.words
    if sentence.is_question or len(words) < _THIN_WORDS or not WRITER.isdisjoint(words):
        return False
    if any(hit.rule.kind in ("intent", "topic") or hit.rule.code in _SETTLES for hit in hits):
        return False
    spans = [(hit.start, hit.end) for hit in hits if _explains(hit, answering=True)]
    position, read = 1, 0
    for word in words:
        read += word in sentence.names or any(start <= position < end for start, end in spans)
        position += len(word) + 1
    return 2 * read < len(words)


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


def _needs_no_rule(sentence: Sentence, rules: Rulebook, *, offered: bool) -> bool:
    """A few plain words, or the name of an offered time."""
    if not offered and any(map(AMOUNT.fullmatch, sentence.words)):
        return False
    if len(sentence.words) < _REMARK_WORDS:
        return True
    said = sum(word not in sentence.names or word in rules.words.plain for word in sentence.words)
    return said < _REMARK_WORDS or (offered and names_a_slot(sentence))


def _part_of_a_name(hit: Hit, sentence: Sentence) -> bool:
    """ "Garden" in "Garden Row": a name of several words is no subject."""
    if hit.words not in sentence.names:
        return False
    before, after = sentence.text[: hit.start].split()[-1:], sentence.text[hit.end :].split()[:1]
    return not sentence.names.isdisjoint([*before, *after])


def _says_more(hits: Sequence[Hit]) -> bool:
    return any(hit.rule.kind in ("intent", "topic") for hit in hits)


def _answers(hits: Sequence[Hit], codes: frozenset[str], length: int) -> bool:
    """Whether a question is one that some rule recognised, so that it is dealt with elsewhere."""
    if _says_more(hits) or codes & _DEALT_WITH:
        return True
    return "courtesy" in codes and length <= _SMALL_TALK_WORDS


def _shortest(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Each rule's distinct words once, in order, at most three per rule: enough to judge by."""
    if len(evidence) < 2 or len({item.rule for item in evidence}) == len(evidence):
        return tuple(evidence)
    kept: dict[str, dict[str, Evidence]] = {}
    for item in evidence:
        words = kept.setdefault(item.rule, {})
        if len(words) < 3:
            words.setdefault(item.words, item)
    return tuple([item for words in kept.values() for item in words.values()])
