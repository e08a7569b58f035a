"""What a burst of messages says: intents, acts, open questions, a slot pick, each with its evidence. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from leasebot_pipeline.domain.decisions import Evidence, Intent
from leasebot_pipeline.domain.guardrails import INJECTION_RULE, TEXT_RULES
from leasebot_pipeline.domain.guardrails_rules import GUARDRAIL_RULES
from leasebot_pipeline.domain.intents_acts import ACT_RULES
from leasebot_pipeline.domain.intents_phrases import Hit, PhraseIndex
from leasebot_pipeline.domain.intents_rules import INTENT_RULES
from leasebot_pipeline.domain.intents_slots import Pick, names_a_slot, pick
from leasebot_pipeline.domain.intents_text import Reading, Sentence, language
from leasebot_pipeline.domain.intents_topics import TOPIC_RULES
from leasebot_pipeline.domain.slots import Slot

_RULES: Final = (*INTENT_RULES, *ACT_RULES, *TOPIC_RULES)
_INDEX: Final = PhraseIndex(_RULES)
_INTENT_NAMES: Final = frozenset(rule.name for rule in INTENT_RULES)
_TOPIC_NAMES: Final = frozenset(rule.name for rule in TOPIC_RULES)

RULES_VERSION: Final = (
    "rules-"
    + sha256(
        repr(
            [*_RULES, *GUARDRAIL_RULES, *((r.name, r.pattern.pattern) for r in (INJECTION_RULE, *TEXT_RULES))]
        ).encode()
    ).hexdigest()[:12]
)
"""Changes whenever a phrase of any rule changes, so that a stored decision names the rules it was made by."""

_PRECEDENCE: Final = (
    Intent.UNSUBSCRIBE,
    Intent.TOUR_REQUEST,
    Intent.PRICING_QUESTION,
    Intent.AVAILABILITY_QUESTION,
)
_SMALL_TALK_WORDS: Final = 7
"""A question this short with a courtesy in it ("how are you?") asks for nothing."""
_REMARK_WORDS: Final = 4


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


def understand(reading: Reading, offer: Sequence[Slot]) -> Understanding:
    """Apply all rules. ``offer`` are the slots a pick may refer to."""
    found: dict[Intent, bool] = {}
    acts: set[str] = set()
    topics: list[str] = []
    evidence: list[Evidence] = []
    agreed: list[tuple[Sentence, bool]] = []
    open_questions = slot_questions = remarks = 0
    only_courtesy = bool(reading.sentences)
    for sentence in reading.sentences:
        hits = _INDEX.find(sentence)
        evidence.extend(Evidence(hit.rule.name, hit.words) for hit in hits)
        codes = {hit.rule.code for hit in hits if hit.rule.name not in _INTENT_NAMES | _TOPIC_NAMES}
        acts |= codes
        for hit in hits:
            if hit.rule.name in _INTENT_NAMES:
                intent = Intent(hit.rule.code)
                found[intent] = found.get(intent, True) and hit.rule.weak
            elif hit.rule.name in _TOPIC_NAMES:
                topics.append(hit.rule.name)
        agreed.append((sentence, "confirm" in codes and not codes & {"decline", "reschedule", "ambiguous"}))
        only_courtesy = only_courtesy and codes == {"courtesy"} and not _says_more(hits)
        length = len(sentence.words)
        if sentence.is_question and not _answers(hits, codes, length):
            if names_a_slot(sentence):
                slot_questions += 1
            else:
                open_questions += 1
        elif not hits and length > _REMARK_WORDS:
            remarks += 1
    picked = pick(agreed, offer)
    if not (offer and picked.named_something):
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
        language=language(reading),
        pick=picked,
        evidence=_shortest(evidence),
    )


def _says_more(hits: Sequence[Hit]) -> bool:
    return any(hit.rule.name in _INTENT_NAMES | _TOPIC_NAMES for hit in hits)


def _answers(hits: Sequence[Hit], codes: set[str], length: int) -> bool:
    """Whether a question is one that some rule recognised, so that it is dealt with elsewhere."""
    if _says_more(hits) or codes & {"follow_up", "reschedule", "confirm", "decline", "ambiguous"}:
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
