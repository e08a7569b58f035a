"""What a lead wants, read from words: phrase rules with negation, question and scope handling.

A rule speaks about a clause. It is silent when a negator stands before its words in that clause, unless
the rule itself is about a negation. Every verdict carries the rule and the words as evidence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from leasebot_pipeline.domain.decisions import Evidence, Intent, WorkflowOutcome
from leasebot_pipeline.domain.texts import clauses, comparable

INTENTS_VERSION: Final = "2026.11.1"

_NEGATOR: Final = re.compile(
    r"\b(?:not|no longer|never|don't|dont|doesn't|didn't|isn't|wasn't|can't|cannot|couldn't|won't|wouldn't|haven't|without|unable to)\b(?! only)"
)


@dataclass(frozen=True, slots=True)
class PhraseRule:
    """Words that speak for a label; ``negatable`` rules fall silent behind a negator."""

    name: str
    label: str
    pattern: re.Pattern[str]
    negatable: bool = True


def _rules(label: str, *phrases: tuple[str, str], negatable: bool = True) -> tuple[PhraseRule, ...]:
    return tuple(
        PhraseRule(f"{label}.{name}", label, re.compile(rf"\b(?:{pattern})(?!\w)"), negatable)
        for name, pattern in phrases
    )


_WHEN: Final = r"(?:today|tomorrow|tonight|this|next|on|at|mon|tues?|wednes|thurs?|fri|satur|sun|weekend|morning|afternoon|evening|\d)"

OPT_OUT: Final = _rules(
    "opt_out",
    ("unsubscribe", r"unsubscribe(?: me)?|opt(?:ing)? out"),
    (
        "stop_messages",
        r"stop (?:messaging|texting|contacting|emailing|writing|sending|the messages|these messages|bothering)(?: me)?",
    ),
    ("do_not_contact", r"(?:do not|don't|dont|please don't) (?:contact|message|text|email|write)(?: me)?"),
    ("remove_me", r"(?:remove|take) me (?:from|off)|leave me alone"),
    negatable=False,
)
_BARE_STOP: Final = re.compile(r"^(?:please )?stop(?: (?:it|this|that|now|please))?$")

NOT_INTERESTED: Final = _rules(
    "not_interested",
    (
        "no_interest",
        r"(?:not|no longer|isn't|am not|i'm not) (?:really |that |very )?interested|lost interest|changed my mind",
    ),
    (
        "found_other",
        r"(?:found|signed|leased|rented|got|took|going with|went with|decided on) (?:for )?(?:a|an|another|something|other|somewhere)(?: \w+){0,2}? ?"
        r"(?:place|apartment|room|unit|else|one|lease)",
    ),
    (
        "withdraw",
        r"(?:no longer|not) (?:looking|need(?:ing)?|searching|moving)|don't need (?:it|the|a) ?(?:place|room|apartment|anymore)?|"
        r"(?:please )?(?:cancel|withdraw) my (?:application|inquiry|request)|i'?ll pass|going to pass|pass on (?:this|it)",
    ),
    negatable=False,
)
RESCHEDULE: Final = _rules(
    "wants_reschedule",
    ("reschedule", r"re-?schedul(?:e|ing)"),
    ("other_time", r"(?:another|a different|some other|other) (?:time|day|date|slot)s?"),
    (
        "move",
        r"(?:move|change|push|shift|postpone) (?:it|this|the|our|my)(?: \w+){0,2}? ?(?:showing|tour|visit|viewing|appointment|time|slot|to|back)?",
    ),
    (
        "cannot_make",
        r"(?:can't|cannot|can not|won't be able to|unable to|couldn't) (?:make|do|come|attend)(?: (?:it|that|the|any of those))?|none of (?:those|these|them)(?: \w+)? works?|"
        r"(?:those|these|that|it|none)(?: \w+)? (?:don't|doesn't|do not|does not|won't) work",
    ),
    negatable=False,
)
TOUR: Final = _rules(
    "tour_request",
    ("tour", r"tours?|touring|walk-?throughs?|viewings?|open house"),
    ("showing", r"showings?|show me|show (?:it|us) (?:to|around)?"),
    (
        "see_it",
        rf"(?:see|view|visit|check out|look at|take a look|have a look|come by|stop by|swing by|drop by|come see|come and see|come over)(?: \w+){{0,4}}? ?"
        rf"(?:it|place|apartment|apt|unit|room|studio|house|home|flat|person|{_WHEN})?",
    ),
    (
        "meet",
        r"schedule (?:a|an|some)|set up (?:a|an) (?:time|visit|appointment)|book (?:a|an)|make an appointment",
    ),
)
PRICING: Final = _rules(
    "pricing_question",
    (
        "price",
        r"prices?|pricing|costs?|how much|what(?:'s| is| are)(?: \w+){0,3}? (?:rent|fees?|deposit|utilities)",
    ),
    ("fees", r"fees?|(?:security )?deposits?|broker'?s?|application fee|move-?in cost"),
    (
        "rent",
        r"monthly rent|rent (?:per|a|each|for the) month|rent/mo(?:nth)?|the rent|rent is|rent\?|rent amount",
    ),
    (
        "included",
        r"(?:utilities|heat|water|electric(?:ity)?|wi-?fi|internet)(?: \w+){0,3}? (?:included|include|extra|separate)",
    ),
    ("money", r"\$ ?\d[\d,.]*"),
)
AVAILABILITY: Final = _rules(
    "availability_question",
    (
        "available",
        r"availab(?:le|ility|ilities)|still (?:open|there|free|up|listed|on the market|for rent)|vacant|taken|rented (?:out )?yet",
    ),
    (
        "when",
        r"when (?:can|could|would|is|are|may|do)(?: \w+){0,4}?|move[- ]?in(?: date| by| on)?|open slots?|time slots?|what (?:days|times|slots|dates)",
    ),
    (
        "interest",
        r"(?:very |really |definitely |still )?interested|looking (?:to rent|for|to move|at)|i(?:'d| would) (?:like|love)(?: \w+){0,3}? rent",
    ),
)
OTHER_TOPIC: Final = _rules(
    "other_topic",
    ("pets", r"pets?|dogs?|cats?|puppy|kitten"),
    ("parking", r"parking|garage|driveway"),
    (
        "lease_terms",
        r"lease (?:term|length)s?|short[- ]term|sublet|month[- ]to[- ]month|co-?sign\w*|guarantors?",
    ),
    (
        "screening",
        r"credit (?:score|check)|background check|income requirements?|pay stubs?|application (?:process|form)|how (?:do|can) i apply|requirements?|qualif\w+",
    ),
    (
        "features",
        r"laundry|washer|dryer|dishwasher|air condition\w*|a/?c\b|furnished|balcony|elevator|floor plan|square f(?:ee|oo)t(?:age)?|gym|pool|wi-?fi",
    ),
    (
        "neighbourhood",
        r"neighbou?rhood|safe(?:ty)?|noisy?|noise|subway|train|bus(?: stop)?|commute|schools?|roommates?|flatmates?",
    ),
    ("photos", r"photos?|pictures?|pics?|videos?|video tour"),
)
FOLLOW_UP: Final = _rules(
    "follow_up",
    (
        "nudge",
        r"follow(?:ing)?[- ]?up|any (?:update|news|word)s?|checking in|just checking|what's the status|status\?|heard back|hear from you|did you (?:get|see|receive) my|"
        r"still waiting|bump(?:ing)?|hello\?|are you there",
    ),
)
AMBIGUOUS: Final = _rules(
    "ambiguous",
    (
        "unsure",
        r"not (?:quite |really )?sure|i'm unsure|confus(?:ed|ing)|what do you mean|unclear|can you explain|don't understand|didn't understand|maybe later|might be|i guess|whatever",
    ),
    negatable=False,
)
CONFIRM: Final = _rules(
    "showing_confirmed",
    (
        "confirm",
        r"confirm(?:ed|ing)?|book (?:it|that|me|us)|lock (?:it|that) in|see you (?:then|there|at|on|tomorrow)|(?:i'll|i will|we'll|we will) be there|(?:i'll|we'll|let's) take",
    ),
    (
        "works",
        r"(?:that|it|this|which|time|one|slot)?(?: \w+)? ?works?(?: (?:for|great|well|perfectly|fine))?(?: (?:me|us))?|(?:sounds|looks) (?:good|great|perfect|fine)",
    ),
)
YES: Final = re.compile(
    r"^(?:yes|yep|yeah|yup|sure|ok|okay|perfect|great|absolutely|definitely|of course|will do)(?:[ ,!.]+(?:please|thanks?|thank you|confirm(?:ed)?|that works|works(?: for me)?|sounds good|i'?ll be there|see you(?: then)?|perfect|great|do(?: it)?))*$"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything the rules found in a burst of messages."""

    labels: dict[str, Evidence]
    text: str

    def has(self, label: str) -> bool:
        return label in self.labels


ALL_RULES: Final = (
    OPT_OUT
    + NOT_INTERESTED
    + RESCHEDULE
    + TOUR
    + PRICING
    + AVAILABILITY
    + OTHER_TOPIC
    + FOLLOW_UP
    + AMBIGUOUS
    + CONFIRM
)


def read(text: str) -> Reading:
    """Which rules speak about the text; the first words that speak for a label are its evidence."""
    folded = comparable(text)
    found: dict[str, Evidence] = {}
    parts = clauses(_keep_question_marks(folded))
    for clause in parts:
        if _BARE_STOP.match(clause):
            found.setdefault("opt_out", Evidence("opt_out.stop", clause))
        if YES.match(clause):
            found.setdefault("yes", Evidence("confirm.yes", clause))
        for rule in ALL_RULES:
            match = rule.pattern.search(clause)
            if match is None or (rule.negatable and _NEGATOR.search(clause[: match.start()])):
                continue
            found.setdefault(rule.label, Evidence(rule.name, match.group(0).strip()))
    return Reading(found, folded)


def _keep_question_marks(text: str) -> str:
    """``rent?`` stays visible to rules although clauses end at question marks."""
    return re.sub(r"(\w)\?", r"\1? .", text).replace("? .", "?\n")


def main_intent(reading: Reading) -> tuple[Intent, bool]:
    """The main intent and whether the message asks for more than we can answer.

    A wish to see the place outranks a question about it; a question nobody prepared an answer for
    (pets, parking, terms) next to it still needs a person.
    """
    if reading.has("opt_out"):
        return Intent.UNSUBSCRIBE, False
    more = reading.has("other_topic") or (reading.has("pricing_question") and reading.has("tour_request"))
    if reading.has("tour_request"):
        return Intent.TOUR_REQUEST, more
    if reading.has("pricing_question"):
        return Intent.PRICING_QUESTION, reading.has("other_topic")
    if reading.has("availability_question"):
        return Intent.AVAILABILITY_QUESTION, reading.has("other_topic")
    return Intent.UNKNOWN, reading.has("other_topic")


def workflow_outcome(reading: Reading, *, offer_open: bool) -> tuple[WorkflowOutcome, float]:
    """The outcome the words speak for, with the rules' confidence in it."""
    if reading.has("opt_out") or reading.has("not_interested"):
        return WorkflowOutcome.NOT_INTERESTED, 0.9
    if reading.has("wants_reschedule"):
        return WorkflowOutcome.WANTS_RESCHEDULE, 0.85
    confirmed = reading.has("showing_confirmed") or reading.has("yes")
    if confirmed and offer_open:
        return WorkflowOutcome.SHOWING_CONFIRMED, 0.85
    return WorkflowOutcome.GENERAL_QUESTION, 0.65
