"""What leads tell of themselves: statements that need no answer, though no rule knows their words. Pure.

A statement is a harmless story when it is about its writer (or whoever comes along), wishes, plans and denies
nothing, and what no rule accounts for are ordinary words only: none that weighs (``rules/weights.toml``).
Who somebody is takes no part in it: a word of faith, origin or family reads like any other.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from leasebot_pipeline.domain.intents_phrases import Hit
from leasebot_pipeline.domain.intents_rulebook import Rulebook
from leasebot_pipeline.domain.intents_text import Sentence

_FEWEST_WORDS: Final = 3
_MOST_WORDS: Final = 20
"""Of a fragment without a verb; longer ones tell of more than one thing."""
WRITER: Final = frozenset({"i", "we", "my", "our"})
_OTHERS: Final = frozenset(
    [
        "you",
        "your",
        "yours",
        "yourself",
        "yourselves",
        "u",
        "ya",
        "they",
        "them",
        "their",
        "theirs",
        "themselves",
        "he",
        "she",
        "him",
        "her",
        "his",
        "hers",
        "somebody",
        "someone",
        "anybody",
        "anyone",
        "everybody",
        "everyone",
        "nobody",
        "people",
        "who",
        "whom",
        "whose",
        "whoever",
        "this",
        "these",
        "those",
        "it",
        "its",
        "there",
    ]
)
"""Who or what a statement is about when it is not only about its writer."""
_COMPANY: Final = frozenset({"he", "she", "they", "his", "her", "their"})
_WISHES: Final = frozenset(
    [
        "want",
        "wants",
        "wanted",
        "need",
        "needs",
        "needed",
        "wish",
        "wishes",
        "hope",
        "hopes",
        "hoping",
        "plan",
        "plans",
        "planning",
        "will",
        "would",
        "shall",
        "should",
        "must",
        "could",
        "may",
        "might",
        "gonna",
        "wanna",
        "going",
        "let",
        "please",
        "not",
        "no",
        "never",
        "none",
        "nor",
        "neither",
        "without",
        "hardly",
    ]
)
"""Words of a wish, a plan or a refusal: what somebody wants of us is no story."""
_FINITE: Final = frozenset(["is", "are", "was", "were", "has", "have", "had", "does", "do", "did", "can"])
_INTRODUCED: Final = re.compile(
    r" (?:he|she|they) (?:(?:is|are|was|were)(?: also| both| now)?"
    r" (?:a|an|from|in|at|originally|retired|studying|working|teaching|finishing|moving|starting)"
    r"|works?|studies|study|teach(?:es)?|starts?|plays?|graduated|grew up) "
)
"""How somebody who comes along is introduced: "she is a pastry chef", "he works downtown"."""
_WORK: Final = re.compile(
    r" (?:(?:i|we) (?:also |both |just |currently |mostly |usually )?"
    r"(?:(?:am|are) (?:currently |now |also )?(?:a|an|the|in|training|studying|working|doing|finishing|writing|starting)"
    r"|work|worked|teach|taught|study|studied|train|trained|intern|volunteer|run|manage|do|process|answer|restore|repair"
    r"|write|handle|start|started|clerk|code|nurse|cook|bake|drive|tend)"
    r"|my (?:job|work|shift|thesis|degree|course|training|internship|office|research|wife|husband|partner|mom|mum|dad"
    r"|brother|sister) (?:is|are|works|teaches|studies|starts)"
    r"|working|studying|teaching|training|employed|retired|(?:as )?an?"
    r"|(?:i|we) (?:spend|am spending) (?:my|our|the|all|most) (?:days?|nights?|weeks?|evenings?|of my days) [a-z]+ing) "
)
"""How a clause begins that says what somebody does for a living."""
_TASK: Final = re.compile(
    r" (?:(?:i|we) (?:also |both |just |currently |mostly |usually |still )?|my team |our team )?"
    r"(?:audits?|binds?|reviews?|edits?|researche?s?|sorts?|inspects?|handles?|operates?|patrols?|dispatche?s?|delivers?"
    r"|stocks?|scans?|types?|translates?|interprets?|investigates?|tests?|counts?|practi[cs]es?|represents?|drafts?"
    r"|proofreads?|moderates?|monitors?|installs?|welds?|packs?|prosecutes?|defends?|counsels?|treats?|transports?|clerks?"
    r"|(?:am|are) (?:chasing|hunting|sorting|auditing|answering|processing|fixing|testing|scanning|typing|stuck|on|at)"
    r"|take [a-z ]{0,30}(?:photos|pictures|calls|orders|minutes|notes)|do|process|answer|run|write|teach|work|works|worked|am|are) "
)
_AT_WORK: Final = re.compile(
    r" (?:for (?:a living|work)|all (?:day|night|week|morning)|from home|at work|most (?:days|nights)|every (?:day|night)"
    r"|(?:until|till|by) (?:\d|noon|@|mon|tue|wed|thu|fri|sat|sun)|across (?:the|from)|downtown|uptown"
    r"|(?:at|for|in|with) (?:a|an|the|our|my|your)(?: [a-z]+){0,3} (?:bank|union|office|hospital|clinic|store|firm|company"
    r"|agency|lab|studio|plants?|station|department|court|courthouse|school|college|university|library|museum|warehouse"
    r"|pharmacy|center|desk|hotline|magazine|newspaper|paper|startup|insurer|app|counter|deli|airport|authority|fund|city"
    r"|county|state))(?= )"
)
"""A task of a job and where or when it is done: only both together say that somebody tells of their work."""
AMOUNT: Final = re.compile(r"(?!19\d\d|20[0-4]\d)\d{3,5}")
"""A number that is no time, day or year: of a few words, it is the one that matters."""


class Span(NamedTuple):
    """Where a hit accounts for words of its sentence."""

    start: int
    end: int
    is_wish: bool
    """A wish an answer can be given to: a word of guardrails in it can only stand in a gap."""
    named: Collection[str]
    """The words that stand in phrases of its rule."""


def accounts_for(span: Span, position: int, word: str, heavy: Collection[str]) -> bool:
    """Whether a hit accounts for the word at ``position``: a free place of a phrase takes none that weighs."""
    return span.start <= position < span.end and (word not in heavy or word in span.named)


def heavy_words(sentence: Sentence, rules: Rulebook) -> Collection[str]:
    """The words that weigh in this sentence: where somebody tells what they work as, a trade does not."""
    heavy = rules.heavy
    if not heavy.isdisjoint(sentence.words) and is_about_work(sentence):
        return heavy - rules.words.trade
    return heavy


def is_story(
    sentence: Sentence,
    hits: Sequence[Hit],
    spans: Sequence[Span],
    heavy: Collection[str],
    rules: Rulebook,
) -> bool:
    """Whether the sentence is a harmless story."""
    if sentence.is_question or sentence.words[0] in rules.orders or not _is_about_writer(sentence):
        return False
    if any(hit.rule.kind in ("guardrail", "topic") for hit in hits):
        return False
    words = rules.words
    trade = words.trade if is_about_work(sentence) else frozenset[str]()
    position = 1
    for word in sentence.words:
        if word not in trade and not any(accounts_for(span, position, word, heavy) for span in spans):
            if word in words.weighty or word in rules.sensitive:
                return False
            ordinary = word in words.plain or word in words.english or word in sentence.names
            if not ordinary and word[0].isalpha():
                return False
        position += len(word) + 1
    return True


def without_trades(sentence: Sentence, hits: tuple[Hit, ...], rules: Rulebook) -> tuple[Hit, ...]:
    """The hits without those that only name what somebody does for a living ("I work in fraud prevention")."""
    if not any(hit.rule.kind in ("guardrail", "topic") for hit in hits) or not is_about_work(sentence):
        return hits
    trade, plain = rules.words.trade, rules.words.plain
    return tuple(
        hit
        for hit in hits
        if hit.rule.kind not in ("guardrail", "topic")
        or trade.isdisjoint(words := hit.words.split())
        or not all(word in trade or word in plain for word in words)
    )


def is_about_work(sentence: Sentence) -> bool:
    """Whether a clause says what somebody works as, and nothing of anybody else, of a wish or of a "not"."""
    if sentence.is_question:
        return False
    text = sentence.text
    if _WORK.match(text) is None and (_TASK.match(text) is None or _AT_WORK.search(text) is None):
        return False
    return _OTHERS.isdisjoint(sentence.words) and _WISHES.isdisjoint(sentence.words)


_WILL_BE: Final = re.compile(r" (?:so |but |and )?(?:i|we) (?:will|would) (?:also |still |probably )?be ")


def _is_about_writer(sentence: Sentence) -> bool:
    said = sentence.words
    if len(said) < _FEWEST_WORDS:
        return False
    wishes = _WISHES.intersection(said)
    if wishes and not (wishes <= {"will", "would"} and _WILL_BE.match(sentence.text)):
        return False
    others = _OTHERS.intersection(said)
    if others:
        return others <= _COMPANY and _INTRODUCED.match(sentence.text) is not None
    if any(map(AMOUNT.fullmatch, said)):
        return False
    if not WRITER.isdisjoint(said):
        return True
    return _FINITE.isdisjoint(said) and len(said) <= _MOST_WORDS
