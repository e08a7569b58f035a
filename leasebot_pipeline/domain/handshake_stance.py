"""How a clause stands to what it names: agrees, only names, asks, refuses, sets a condition, or is about something else. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from leasebot_pipeline.domain.handshake_times import Marked, Mention


class Stance(Enum):
    AGREES = auto()
    NAMES = auto()
    """Nothing but the name of a slot."""
    ASKS = auto()
    """Agrees with a question mark, a hedge or a preference: likely, not certain."""
    REFUSES = auto()
    WANTS_OTHERS = auto()
    """Asks for times that were not offered, without naming one."""
    ANY = auto()
    """Leaves the choice to us."""
    COURTESY = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause, what it names, and how it stands to it."""

    words: str
    mentions: tuple[Mention, ...]
    stance: Stance
    conditional: bool = False
    hedged: bool = False
    doubtful: bool = False
    any_will_do: bool = False
    stray: bool = False
    """A negation that is not about coming."""
    weak: bool = False
    """A word of agreement that as often says nothing ("great", "ok")."""
    plain_yes: bool = False
    asked: bool = False
    seeks: bool = False
    """Looks for times beyond the offer ("anything after three?")."""


_CORRECTION: Final = re.compile(
    r"\b(?:actually|i meant|i mean|scratch that|correction|on second thought|wait no|wait ,? ?no|sorry ,? ?(?:not|i meant|wrong)|never ?mind that|my bad|changed my mind)\b"
)
_SARCASM: Final = re.compile(
    r"\b(?:eyeroll|yes right|as if|are you (?:kidding|serious|joking|for real|insane)|you must be (?:kidding|joking)|kidding me|seriously"
    r"|very funny|hilarious|what a joke|in what world|in your dreams|dream on|fat chance|when pigs fly|hell freezes|good luck with that"
    r"|thanks for nothing|how convenient|oh (?:great|sure|wonderful|perfect|lovely|fantastic|joy|brilliant|goody|please)|sure jan|ungodly|crack of dawn"
    r"|nothing better to do|who (?:even |on earth |in their right mind )?(?:views?|tours?|looks|goes|does|gets|visits|shows)"
    r"|because (?:i|we|everyone|everybody|who|nobody|that is) (?:love|loves|always|totally|never|just love|just|does not|clearly|has|have nothing|enjoy|enjoys|wants|really|tours?|views?|visits?|wakes?|gets? up|is (?:awake|up))|quit my job|call(?:ing)? in sick"
    r"|totally (?:normal|reasonable|realistic)|like i have nothing|like that is (?:going|ever)|not like i have|a real treat|what could be better"
    r"|(?:perfect|great|wonderful|fantastic|lovely|brilliant) ,? ?(?:another|just what i|because|as always|middle of|right in the middle)|exactly when (?:everyone|i am|we are|i have|people)"
    r"|just what i (?:wanted|needed|always)|how (?:generous|thoughtful|kind) of you|right when (?:i|everyone)|what a (?:great|lovely|wonderful|perfect|brilliant|fantastic) (?:hour|time to|choice of)"
    r"|(?:i would|i will) (?:rather|sooner) (?:die|eat)|sleep is overrated|who needs (?:sleep|a job|work)|my boss will love|my boss would love|love (?:getting|waking) up)\b"
)
_LAUGHS: Final = re.compile(r"\b(?:lol|lmao|haha+|hah|rofl|ha|wow)\b")


def corrects(text: str) -> bool:
    """Whether a sentence takes back what was said before it."""
    return _CORRECTION.search(text) is not None


def is_sarcastic(text: str) -> bool:
    """Whether a sentence bears a mark of sarcasm: then nothing in the message is taken at its word."""
    return _SARCASM.search(text) is not None


_CALLS_OFF: Final = re.compile(
    r"\b(?:(?:please |must |to |will |let us |i am |i would like to |can you |could you |want to )?(?:cancel|cancelling|canceling)(?! (?:the |my |our )?(?:lease|rent|contract|policy|fee|application|account))"
    r"|call(?:ing)? (?:it|the (?:viewing|tour|showing|visit)) off|(?:i am|we are|i will|we will) not (?:be )?(?:coming|attending)|(?:i|we) (?:can|will) not (?:be )?(?:come|coming|attend)(?: any ?more| anymore)?"
    r"|no longer (?:coming|need the (?:viewing|tour|showing|visit)|able to (?:come|make it|attend)))\b"
)
_NOT_CALLED_OFF: Final = re.compile(
    r"\b(?:not|never|no|without|if|unless|was it|were you|did you|why|has it been) (?:\w+ ){0,2}cancel|\bcancel(?:l?ed|lation)\b"
)


def calls_off(text: str) -> bool:
    """Whether a sentence cancels a visit."""
    return _CALLS_OFF.search(text) is not None and _NOT_CALLED_OFF.search(text) is None


def wants_others(text: str) -> bool:
    """Whether a sentence asks for times beyond those offered or arranged."""
    return (
        _OTHERS.search(text) is not None
        or re.search(r"\b(?:instead|how about|what about)\b", text) is not None
    )


_POLITE_IF: Final = re.compile(
    r"\b(?:(?:please )?(?:do )?let (?:me|us) know if|if (?:that|it|this|they|those)(?: one)?(?: is| are| still| would be| works| work| suits| will| does| would)*(?: still| all)*"
    r"(?: ok| okay| available| open| free| possible| fine| good| alright| right| cool| work| suit)?(?: with| for)?(?: you| everyone| him| her| them| the agent)?(?: guys| all| too)?(?= |$)"
    r"|if possible|if (?:at all )?possible|if still (?:available|open|free)|if available|if you (?:have|need|got) (?:any|anything|more|other)[a-z ]*|if (?:there are|there is) (?:any|anything)[a-z ]*"
    r"|if anything changes|if plans change|if something changes|if i am (?:running )?late|if you do not mind|if you would not mind|if you can|if you could|if you please|if i may|if i could|if i can|if that suits|if need be|if needed|if so)\b"
)
_HARMLESS: Final = re.compile(
    r"\b(?:no problem(?: at all)?|no probs?|no worries|can not wait|could not be better|can not complain|why not|not a problem|not an issue|no issues?|no rush|not (?:too )?bad|no need|not only"
    r"|no doubt|do not mind|would not mind|no hurry|no questions?|do not worry|never mind|no later than|nothing else|not at all|do not hesitate|can not thank you enough|no other questions?"
    r"|do not be late|will not be late|would not miss it|will not miss it|do not forget)\b"
)
_CONDITION: Final = re.compile(
    r"\b(?:if|unless|provided|providing|as long as|so long as|assuming|supposing|depends|depending|only when|on condition|subject to|in case|contingent)\b"
)
_POSTPONES: Final = re.compile(
    r"\b(?:(?:do|please do) not (?:book|confirm|schedule|reserve|lock|put|commit|save|hold)|not yet|can not (?:confirm|commit|book|decide|say)|while i (?:decide|think|check)|(?:need|have|got|want|going|gonna|just|will|should|let me|must|would have|would need)(?: to)?(?: just| quickly| first| double)? (?:check|ask|confirm with|talk|see if|see whether|think|look at|speak|verify|consult|discuss|double)"
    r"|let me (?:just |quickly |first )?(?:check|see|ask|think|look|get back|confirm with|find out|double)|(?:will|would|i can) (?:let you know|get back|confirm (?:later|tomorrow|tonight|soon|by|as soon|once|when|after))|get back to you|checking (?:with|my)"
    r"|pencil|tentative|tentatively|on standby|not (?:yet )?confirmed|wait for me|waiting (?:on|to hear|for)|before i (?:commit|decide|confirm|book)|as soon as i know|once i (?:know|hear|check|confirm)|until i (?:know|hear|check|confirm)|still deciding|undecided|have not decided)\b"
)
_DOUBT: Final = re.compile(
    r"\b(?:maybe|perhaps|might|possibly|could (?:work|possibly|maybe|potentially|be)|potentially|leaning|not (?:quite |really |entirely |totally |100 |completely )?(?:sure|certain|convinced|positive)|unsure|may (?:work|be able|be)|tentative)\b"
)
_HEDGE: Final = re.compile(
    r"\b(?:maybe|perhaps|might|possibly|probably|i think|i guess|i believe|i suppose|hopefully|should (?:work|be|probably|do|suit)|could (?:work|possibly|maybe|potentially|be)|likely|potentially|leaning|not (?:quite |really |entirely |totally |100 |completely )?(?:sure|certain|convinced|positive)|unsure|most likely|may (?:work|be able|be)|try to|trying to|ideally|tentative)\b"
)
_NEGATION: Final = re.compile(
    r"\b(?:not|no|never|none|neither|nor|without|except|excluding|besides|unavailable|busy|impossible|unable|anything but|any time but|skip|avoid|conflicts?|tied up|out of town|away|out of the country|at work|in class"
    r"|(?:in|have) (?:a |an )?(?:meeting|class|shift|exam|interview|flight|appointment)|working|bad for|bad time|too (?:early|late|soon|far)|hate|worst|fully booked|am booked|are booked|rather skip|pass on|cancel|drop|scrap|apart from|other than|hard for|tough|difficult|problem|problematic|awkward|rules? out|out of the question)\b"
)
_GENERAL_NO: Final = re.compile(
    r"^(?:(?:lol|haha|um|uh|oh|well|hmm|er|actually) )*(?:no|sorry no|unfortunately(?: no| not)?|no sorry|sadly no|afraid not|i am afraid not|not really|no thanks|no thank you|negative|not any|no good|not good|no can do|nothing)(?: (?:thanks|thank you|sorry|unfortunately|sir|maam|good))*$"
    r"|\b(?:none|neither|nothing)(?: of)?\b.*\b(?:work|works|these|those|them|suit|suits|times?|slots?|options?|good|fit|fits|for me|possible|convenient|dates?|days?|that)\b|^none$|^neither$"
    r"|\b(?:can|could|will|would|do|does|did|is|are) not (?:be able to )?(?:really |actually |quite |all )?(?:do|make|work|works|suit|fit|attend|come|manage|meet|be there|go|happen|swing|any|either|good|possible|ideal|convenient|get there|free|available|able)\b"
    r"|\bnot (?:possible|available|free|able|good for|going to work|gonna work|convenient|ideal|suitable|any of|working)\b|\bunable to\b|\bneither\b|\bany of (?:those|these|them)\b.*\bnot\b|\bnot\b.*\b(?:any|either|those|these|them)\b"
    r"|\b(?:all|those|these|they)(?: [a-z]+){0,3} (?:bad|too early|too late|terrible|unavailable|impossible)\b|\b(?:too early|too late)\b|\b(?:i am|we are) (?:busy|away|out of town|working|unavailable|tied up|booked)\b|^(?:that|this|it) (?:is|will|would|does|time)(?: [a-z]+)? not\b|\bno longer (?:works?|possible|suits?|able|free|available|make)\b"
)
_OTHERS: Final = re.compile(
    r"\b(?:(?:any|some|have(?! to\b)|got|is there|are there|do you have|anything|something|other|different|another|more|alternative|else|new|few more)(?: [a-z]+){0,3} (?:times?|slots?|days?|dates?|options?|openings?|availability|appointments?|windows?)(?: [a-z]+)?|another (?:time|day|date|slot|option|one)|different (?:time|day|date|slot|one)"
    r"|(?:anything|something|any ?time|any times?|times?|slots?|a bit|bit|little|one|some|earlier|later|minutes|hour) (?:later|earlier|else|sooner|different|after that|before that)|(?:later|earlier|sooner) (?:time|slot|in the|on|date|day|than|one)|reschedule|rescheduling|postpone|rain ?check|other (?:times|slots|days|dates|options|availability)|more (?:times|options|slots|availability)"
    r"|(?:move|push|shift|change|switch) (?:it|this|that|the|my|our)|when else|what else)\b"
)
_ANY: Final = re.compile(
    r"\b(?:either|any|all|both|each|whichever|whatever|anytime|any time|all of them|every)(?: [a-z@0-9]+){0,4} (?:works?|is fine|are fine|fine|ok|good|great|suits?|is good|are good|would work|will work|will do|would do|do|perfect|you (?:want|like|prefer|choose|pick)|is ok|are ok|is great|are great|possible)\b"
    r"|^(?:either|any|anytime|whenever|whichever|whatever|both|all)(?: (?:one|of them|of those|of these|time|is fine|please|slot|day|ok|thanks|@\d+))*$|\bwhichever (?:is|one is|time is|slot is)\b|\byou (?:choose|pick|decide)\b|\byour (?:choice|pick|call)\b|\bup to you\b|\bdoes not matter\b|\bdo not care\b|\bno preference\b|\bsurprise me\b|\bi am (?:flexible|easy|open)\b|\bwhenever (?:works|suits|is|you)\b|\bwhatever (?:works|suits|is|you)\b|\bwhat(?:ever)? is (?:best|easiest|easier) for you\b|\bboth work|\ball (?:of )?(?:those|these|them) work"
)
_STRONG_YES: Final = re.compile(
    r"\b(?:confirm|confirmed|confirming|i confirm|book (?:it|that|me|us|this)|book|lock (?:it|that|me)(?: in)?|see you (?:then|there|soon)|see ya(?: then| there)?|c you then|cu then|(?:i|we) will be there|will be there|(?:it|that|this|time|slot|one|which)(?: time| slot| one| day| date)?(?: definitely| totally| also| perfectly| just| absolutely| will| would| all| should)? ?(?:works?|suits?|fits?|does it)"
    r"|works?(?: great| perfectly| well| fine| perfect| just fine)? (?:for|with) (?:me|us|my)|works(?: great| perfectly| well| fine| perfect)?$|i accept|accepted|count (?:me|us) in|i am in|we are in|it is a (?:date|deal|plan)|let us do (?:it|that|this)|let us go (?:with|for) (?:it|that|this)|(?:i will|we will|i would like to|happy to) take (?:it|that|this|the slot|the time|the one)|take it|(?:i|we) (?:can|will) (?:make|do) (?:it|that|this)(?: work)?|can do$|i can be there|schedule (?:it|that|me)|reserve (?:it|that|me)|put (?:me|us) down|hold (?:it|that)|please hold|sign me up|go ahead|looking forward to (?:it|seeing|meeting|the (?:viewing|tour|showing|visit))|agreed|all set|i am free(?: then)?|am available(?: then)?|i will come|we will come|i will take)\b"
)
_PLAIN_YES: Final = re.compile(
    r"^(?:oh |ah |um |well |hi |hey |hello )*(?:yes|sure|absolutely|definitely|certainly|of course|affirmative|deal|done|agreed|fine by me|fine with me|good with me|good for me|good by me|ok with me|ok by me|ok for me|gladly|yes please|please do|will do|sounds (?:good|great|perfect|fine|awesome|wonderful|ideal|lovely|excellent|amazing|like a plan|nice|ok|fab|fantastic|cool)|(?:that|this|it)(?: time| one| slot)?(?: is| would be| will be| looks| sounds| all)?(?: totally| absolutely| just| really| very| completely| so)? (?:fine|good|great|perfect|ok|ideal|awesome|wonderful|excellent|lovely|amazing|nice|cool|convenient)|y|si|oui|100)\b"
)
_WEAK_YES: Final = re.compile(
    r"^(?:that is |all |very |just |so )*(?:ok|great|cool|nice|awesome|good|lovely|fine|alright|all right|perfect|perfectly|excellent|wonderful|amazing|fantastic|brilliant|super|sweet|right|fab|gotcha|got it|noted|understood|roger|bet|word|works)(?: (?:good|great|then|with me|for me|by me|cool|ok|fine|indeed|perfect|sounds good))*$"
)
_COURTESY_WORDS: Final = frozenset(
    [
        "thanks",
        "thank",
        "you",
        "so",
        "much",
        "very",
        "many",
        "a",
        "lot",
        "for",
        "your",
        "the",
        "that",
        "this",
        "quick",
        "fast",
        "reply",
        "response",
        "message",
        "help",
        "time",
        "info",
        "information",
        "getting",
        "back",
        "to",
        "me",
        "us",
        "hi",
        "hello",
        "hey",
        "dear",
        "good",
        "morning",
        "afternoon",
        "evening",
        "there",
        "again",
        "best",
        "regards",
        "cheers",
        "have",
        "nice",
        "great",
        "lovely",
        "wonderful",
        "day",
        "one",
        "weekend",
        "night",
        "sorry",
        "apologies",
        "appreciate",
        "appreciated",
        "it",
        "really",
        "kindly",
        "please",
        "bye",
        "take",
        "care",
        "talk",
        "soon",
        "speak",
        "looking",
        "forward",
        "sir",
        "madam",
        "mate",
        "guys",
        "team",
        "all",
        "xx",
        "xo",
        "awesome",
        "super",
        "offering",
        "options",
        "offer",
        "times",
        "of",
        "sending",
        "providing",
        "letting",
        "know",
        "and",
        "i",
        "understand",
        "be",
        "well",
        "too",
        "link",
        "for",
        "then",
    ]
)
_FILLERS: Final = frozenset(
    [
        "the",
        "a",
        "an",
        "please",
        "at",
        "on",
        "for",
        "i",
        "we",
        "would",
        "like",
        "let",
        "us",
        "do",
        "go",
        "with",
        "thanks",
        "thank",
        "you",
        "hi",
        "hello",
        "hey",
        "can",
        "my",
        "choice",
        "is",
        "it",
        "and",
        "that",
        "ok",
        "yes",
        "great",
        "good",
        "perfect",
        "works",
        "work",
        "me",
        "number",
        "of",
        "in",
        "will",
        "take",
        "this",
        "one",
        "option",
        "slot",
        "time",
        "then",
        "so",
        "just",
        "sure",
        "definitely",
        "also",
        "im",
        "am",
        "are",
        "be",
        "there",
        "to",
        "our",
        "your",
        "us",
        "sounds",
        "fine",
        "if",
        "possible",
        "awesome",
        "nice",
        "cool",
        "book",
        "confirm",
        "want",
        "prefer",
        "prefers",
        "preferred",
        "choose",
        "pick",
        "best",
        "better",
        "actually",
        "oh",
        "hmm",
        "um",
        "well",
        "maybe",
        "lol",
        "haha",
        "right",
        "alright",
        "all",
        "about",
        "say",
        "how",
        "what",
        "appointment",
        "viewing",
        "tour",
        "showing",
        "visit",
        "day",
        "date",
        "schedule",
        "reserve",
        "see",
        "ya",
        "works.",
        "exactly",
        "sharp",
        "as",
        "from",
        "-",
        "(",
        ")",
        "#",
        "&",
        "@",
        "up",
        "too",
        "super",
        "local",
        "ideal",
        "ideally",
        "works",
        "absolutely",
        "by",
        "love",
        "lovely",
        "happy",
        "excited",
        "still",
        "up",
        "meant",
        "mean",
        "make",
        "making",
        "no",
        "harmless",
        "polite",
        "lol",
        "haha",
        "only",
        "set",
        "or",
        "half",
    ]
)
_QUESTION_WORDS: Final = frozenset(
    [
        "is",
        "are",
        "would",
        "could",
        "can",
        "does",
        "do",
        "will",
        "may",
        "might",
        "how",
        "about",
        "what",
        "any",
        "chance",
        "possible",
        "available",
        "open",
        "free",
        "ok",
        "fine",
        "good",
        "work",
        "works",
        "suit",
        "suits",
        "be",
        "at",
        "all",
        "still",
        "me",
        "you",
        "us",
        "we",
        "i",
        "it",
        "that",
        "this",
        "the",
        "on",
        "for",
        "to",
        "there",
        "or",
        "maybe",
        "perhaps",
        "instead",
        "think",
        "so",
        "have",
        "got",
        "slot",
        "time",
        "one",
        "come",
        "see",
        "visit",
        "view",
        "viewing",
        "showing",
        "appointment",
        "place",
        "apartment",
        "room",
        "unit",
        "tour",
        "by",
        "meet",
        "schedule",
        "book",
        "make",
        "push",
        "move",
        "change",
        "switch",
        "let",
        "know",
        "if",
        "please",
        "hi",
        "hello",
        "hey",
        "sorry",
        "then",
        "too",
        "either",
        "better",
        "best",
        "wondering",
        "was",
        "were",
        "just",
        "also",
        "convenient",
        "someone",
        "around",
        "agent",
        "like",
        "love",
        "prefer",
        "ideal",
        "does",
        "your",
        "calendar",
        "a",
        "an",
        "and",
        "of",
        "in",
        "with",
        "my",
        "schedule",
        "want",
        "need",
        "able",
        "shoot",
        "try",
        "aim",
    ]
)
_ASK_CUE: Final = re.compile(
    r"\b(?:how about|what about|would|is|are|could|can|does|do you|any chance|possible|available|may|will|may be|let me know if|polite)\b"
)
_REQUEST: Final = re.compile(
    r"\b(?:can|could|may|would it be possible|would you|please)(?: it be possible)?(?: i| we| you| for)?(?: please| just| kindly| maybe)? (?:do|have|get|take|book|reserve|come|schedule|put|grab|go|confirm|lock|pick|choose|secure|save|sign|set|see it|see the|view|visit|tour|hold|arrange|keep)\b"
)
_AGREES_NAMED: Final = re.compile(
    r"(?<!i )(?<!we )\b(?:works?|suits?|fits)\b|\b(?:is|are|would be|looks|sounds|will be|s)(?: also| totally| absolutely| definitely| just| really| very| all| so| probably| more than)* (?:fine|good|great|perfect|ok|best|ideal|awesome|excellent|wonderful|lovely|amazing|nice|convenient|cool|it|preferred|preferable|my choice|the one|brilliant|fantastic|alright)\b"
    r"|@\d+(?: for me| please| then)? (?:it is|does|works?|suits?|fine|good|great|perfect|ok|please|for me|ideal|sounds|would do|will do)\b|\b(?:i|we) (?:can|could|will|would|am able to|are able to|shall)(?: definitely| easily| totally| probably| certainly| also| only| just| really)? (?:do|make|be there|come|attend|take|manage|see|go|swing|stop|drop|pop|meet|be available|visit|view|tour|pick|choose|like|love|prefer)\b"
    r"|\b(?:let us|let me|i will|i would|we will|we would|want|like|prefer|choose|chose|pick|picked|go with|going with|take|book|reserve|schedule|sign me up|put me|put us|count me|see you|be there|lock|confirm|confirmed|confirming|opt|select|selected|vote|down for|in for|there at|meet|happy with|good with|fine with|ok with|good for|up for|works|grab|yes|sure|definitely|absolutely|perfect|great|ok)\b"
    r"|\bmy (?:choice|pick|preference|vote) (?:is|would be)\b|\b(?:free|available|open|good|around)(?: on| at| for)?(?: the)? @|@\d+(?: i am| we are| i will be) (?:free|available|open|good|around)"
)
_AVAILABLE: Final = re.compile(r"\b(?:free|available|open|around|off|home|in town|in the area)\b")
_COMPARES: Final = re.compile(r"\b(?:better|best|prefer|preferred|preferably|rather|ideally)\b")
_NOT_ABOUT_COMING: Final = re.compile(
    r"\b(?:lease|rent|deposit|pet|pets|dog|dogs|cat|cats|parking|laundry|smoke|smoking|work until|works until|moved|move in|moving|yesterday|last week|last month|ago|saw|called|call me|text me|written|wrote|sent|born|since|people|months?|years?|bedrooms?|school|roommates?|roommate|salary|income|budget|job|leave work|off work|get off|finish work|until|i work|we work|i am working|my shift|class|kids|wife works|husband works)\b"
)


def clauses(marked: Marked) -> list[Clause]:
    """The clauses of a sentence with their stances, in order."""
    text = _prepare(marked)
    pieces = [piece.strip() for piece in _CUT.split(text) if piece is not None]
    found: list[Clause] = []
    after_but = False
    for piece in pieces:
        if piece in ("but", "however", "although", "though", "only"):
            after_but = piece != "only"
            continue
        if not piece or piece in (",", "-", "(", ")", ";", "and", "so", "because", "since", "then"):
            continue
        for part in _split_answer_word(piece):
            found.append(_clause(part, marked, after_but=after_but))
            after_but = False
    return _weigh(found)


_CUT: Final = re.compile(
    r"(?:^| )(,|;|-+|\(|\)|but|however|although|though|because|since|so)(?= |$)"
    r"|(?:^| )(and)(?= (?:i|we|not|it|that|will|can|no|please|my|see|is|do|what|how)\b)"
)
_ANSWER_WORD: Final = re.compile(
    r"^(?P<word>(?:no|yes|ok|sure|great|perfect|awesome|cool|hi|hello|hey|sorry|thanks|thank you|sounds good|sounds great|absolutely|definitely|alright|fine|good)) (?=(?:@|the @|i |we |let|that |it |can |could |but |not |how |what |is |are |would |see |please |thanks|yes |ok |to @|on @|for @|tour|my |sure))(?P<rest>.+)$"
)


def _split_answer_word(piece: str) -> list[str]:
    """ "No I meant four" is two clauses; "no problem" and "no @0" are one."""
    match = _ANSWER_WORD.match(piece)
    if match is None or (match["word"] == "no" and match["rest"].startswith("@")):
        return [piece]
    if match["word"] == "no" and match["rest"].startswith("can do"):
        return [piece]
    if match["word"] == "no" and not match["rest"].startswith(
        ("i ", "we ", "let", "how ", "what ", "can ", "could ", "sorry")
    ):
        return [piece]
    return [match["word"], *_split_answer_word(match["rest"])]


def _prepare(marked: Marked) -> str:
    text = f" {marked.text} "
    kinds = [mention.kind for mention in marked.mentions]

    def joined(match: re.Match[str]) -> str:
        first, second = int(match[1]), int(match[3])
        return f"@{first} @{second}" if kinds[first] != kinds[second] else match[0]

    for _ in range(3):
        text = re.sub(r"@(\d+) ([,(-]|and|in|on|at|for|of|from)+ (?=@)@(\d+)", joined, text)
        text = re.sub(r"@(\d+) ([(])+ @(\d+)", joined, text)
    text = re.sub(r"(@\d+) \)", r"\1", text)
    text = re.sub(
        r" (?:any ?thing|any ?time|any ?day|any|everything|all|every ?day) (?:but|except)(?: for)? ",
        " not ",
        text,
    )
    text = _POLITE_IF.sub(" polite ", text)
    text = _HARMLESS.sub(" harmless ", text)
    text = re.sub(
        r" (?:over|rather than|instead of|than|as opposed to|not|and not|except|except for)( (?:the|on|for|at))* (?=@\d)",
        " , not ",
        text,
    )
    text = re.sub(
        r"(, not (?:(?:the|on|for|at) )*(?:@\d+ )+(?:one )?)(?=(?:can|could|i|we|let|how|what|would|may) )",
        r"\1, ",
        text,
    )
    return " ".join(text.split())


def _clause(piece: str, marked: Marked, *, after_but: bool) -> Clause:
    numbers = [int(number) for number in re.findall(r"@(\d+)", piece)]
    mentions = tuple(marked.mentions[number] for number in numbers)
    shown = re.sub(r"@(\d+)", lambda m: marked.mentions[int(m[1])].words, piece)
    bare = " ".join(word for word in piece.split() if not word.startswith("@"))
    clause = Clause(shown, mentions, Stance.OTHER, asked=marked.asked)
    clause = replace(clause, hedged=_HEDGE.search(bare) is not None or _LAUGHS.search(bare) is not None)
    clause = replace(clause, doubtful=_DOUBT.search(bare) is not None)
    clause = replace(clause, seeks=_SEEKS.search(bare) is not None)
    named = any(m.kind != "zone" for m in mentions)
    if _CONDITION.search(bare) or _POSTPONES.search(bare):
        agreed = (
            re.search(r"\b(?:confirm|book)\b", bare) is not None
            or re.match(r"(?:yes|ok|sure|great|perfect|fine|confirm|confirmed|works)\b", bare) is not None
        )
        return replace(clause, conditional=True, stance=Stance.AGREES if agreed else Stance.OTHER)
    stance, extra = (_named_stance if named else _nameless_stance)(piece, bare, clause)
    clause = replace(clause, stance=stance, **extra)
    if after_but and not named:
        if clause.stance is Stance.OTHER and (marked.asked or _ASK_START.match(bare)):
            return replace(clause, conditional=True)
        return replace(clause, hedged=True)
    return clause


_SEEKS: Final = re.compile(
    r"\b(?:anything|something|any (?:times?|slots?|openings?|availability)|do you have|have you got)\b"
)
_ASK_START: Final = re.compile(
    r"^(?:can|could|is|are|do|does|would|will|what|how|when|where|may|who|which|i (?:have|need|want|would like|am wondering|was wondering)|only|please|you|my|must|it has to|the)\b"
)


def _named_stance(piece: str, bare: str, clause: Clause) -> tuple[Stance, dict[str, bool]]:
    words = [word for word in bare.split() if word not in (",", "-", "polite", "harmless")]
    kinds = {mention.kind for mention in clause.mentions}
    asks = clause.asked or bool(
        re.match(r"^(?:how about|what about|is|are|would|does|do you|any chance|let me know|polite)\b", piece)
    )
    if _ANY.search(piece) and not _NEGATION.search(bare):
        return Stance.AGREES, {"any_will_do": True}
    if _NEGATION.search(bare) and not (
        asks and re.search(r"\b(?:can|could|would|is|will) (?:i|we|you|it) not\b", bare)
    ):
        if clause.hedged and re.search(
            r"\bnot (?:\w+ )?(?:sure|certain|convinced|positive)\b|\bunsure\b", bare
        ):
            return Stance.OTHER, {}
        return Stance.REFUSES, {}
    known = _FILLERS | _QUESTION_WORDS if asks or _ASK_CUE.search(bare) else _FILLERS
    strange = [word for word in words if word not in known and word not in _COURTESY_WORDS]
    about_else = _NOT_ABOUT_COMING.search(bare) is not None
    proposes = re.search(
        r"\b(?:how about|what about|instead|any chance|could you do|can you do|could we|can we|would you)\b",
        bare,
    )
    if _CONFIRM_SOMETHING.search(bare):
        return Stance.OTHER, {}
    if "bare" in kinds and _COUNTS_PEOPLE.search(piece):
        return Stance.OTHER, {}
    if clause.seeks and not about_else:
        return Stance.ASKS, {}
    if not strange and not asks and not about_else and not _ASK_START_NAMED.match(piece):
        tentative = clause.hedged or (
            bool(_AVAILABLE.search(bare)) and not kinds & {"time", "position", "rank", "bare"}
        )
        bare_name = not (set(words) - _JUST_NAMING)
        agrees = _AGREES_NAMED.search(piece) is not None
        if tentative:
            return Stance.ASKS, {}
        return (Stance.NAMES if bare_name and not agrees else Stance.AGREES), {}
    if _REQUEST.search(bare) and not about_else and not (proposes and "instead" in bare):
        return (Stance.ASKS if clause.hedged or len(strange) > 3 else Stance.AGREES), {}
    if asks or proposes or _ASK_START_NAMED.match(piece):
        allowed = 2 if proposes or _REQUEST.search(bare) else 0
        if len(strange) <= allowed and not about_else:
            return Stance.ASKS, {}
        return (Stance.ASKS, {}) if proposes else (Stance.OTHER, {})
    if _AGREES_NAMED.search(piece) and not about_else:
        tentative = (
            clause.hedged
            or len(strange) > 4
            or (bool(_AVAILABLE.search(bare)) and not kinds & {"time", "position", "rank", "bare"})
        )
        return (Stance.ASKS if tentative else Stance.AGREES), {}
    if len(strange) <= 1 and not about_else and clause.hedged:
        return Stance.ASKS, {}
    return Stance.OTHER, {}


_COUNTS_PEOPLE: Final = re.compile(
    r"\b(?:we are|i am|there are|there is|there will be|it is|it is for|of|we have|i have|us|about|only|just|family of|party of|have|(?<!down )(?<!good )(?<!go )(?<!in )for) @\d"
)
_ASK_START_NAMED: Final = re.compile(
    r"^(?:is|are|would|does|do|how about|what about|any chance|will|was)\b(?! (?:be )?(?:there|like))"
)
_JUST_NAMING: Final = frozenset(
    [
        "the",
        "a",
        "on",
        "at",
        "for",
        "in",
        "of",
        "one",
        "option",
        "slot",
        "time",
        "please",
        "and",
        "or",
        "to",
        "then",
        "polite",
        "day",
        "date",
        "is",
        "it",
        "this",
        "about",
    ]
)


def _nameless_stance(piece: str, bare: str, clause: Clause) -> tuple[Stance, dict[str, bool]]:
    words = bare.split()
    if _GENERAL_NO.search(bare):
        return Stance.REFUSES, {}
    if (
        _ANY.search(bare)
        and not (clause.asked and _ASK_ONLY.match(bare))
        and not _NEGATION.search(
            bare.replace("does not matter", "").replace("do not care", "").replace("no preference", "")
        )
    ):
        return Stance.ANY, {}
    if _OTHERS.search(bare):
        return Stance.WANTS_OTHERS, {}
    if _NEGATION.search(bare):
        return Stance.REFUSES, {"stray": True}
    if clause.asked or _ASK_ONLY.match(bare):
        if re.match(
            r"^(?:is )?(?:that|it|this)? ?(?:still )?(?:ok|fine|good|available|open|possible|work)$", bare
        ):
            return Stance.ASKS, {}
        if bare in ("confirm", "yes", "ok", "please confirm", "can you confirm", "polite"):
            return (Stance.ASKS if bare != "ok" else Stance.OTHER), {}
        return Stance.OTHER, {}
    if _CONFIRM_SOMETHING.search(bare):
        return Stance.OTHER, {}
    if _STRONG_YES.search(bare):
        return (Stance.ASKS if clause.hedged else Stance.AGREES), {}
    if _PLAIN_YES.search(bare):
        return (Stance.ASKS if clause.hedged else Stance.AGREES), {"plain_yes": True}
    if _WEAK_YES.match(bare):
        return Stance.AGREES, {"weak": True}
    if all(word in _COURTESY_WORDS or word in ("harmless", "polite") for word in words):
        if words == ["harmless"]:
            return Stance.AGREES, {"weak": True}
        return Stance.COURTESY, {}
    return Stance.OTHER, {}


_ASK_ONLY: Final = re.compile(
    r"^(?:can|could|would|will|is|are|do|does|did|what|when|where|which|who|how|why|may|has|have|was|were|any)\b(?! be there| do$| do it)"
)
_CONFIRM_SOMETHING: Final = re.compile(
    r"\bconfirm(?:ed|ing)? (?:the |your |that |whether |what |which |where |how |when |who |its |their |me |us )(?!(?:appointment|slot|time|viewing|showing|tour|visit|booking|hold|date|one|spot|place)?(?: |$)(?:$|for|on|at|please|thanks|then|is|works))"
)


def _weigh(found: Sequence[Clause]) -> list[Clause]:
    """Whether an agreement stands depends on what stands beside it in the sentence."""
    return list(found)


def settle(found: Iterable[Clause]) -> list[Clause]:
    """The clauses of a whole burst: a weak "great" beside talk of something else agrees to nothing, a plain "yes"
    beside it is not certain."""
    found = list(found)
    talk = any(
        clause.stance is Stance.OTHER and (clause.mentions or len(clause.words.split()) > 1)
        for clause in found
    )
    named = any(
        clause.stance in (Stance.AGREES, Stance.NAMES, Stance.ASKS)
        and any(m.kind != "zone" for m in clause.mentions)
        for clause in found
    )
    strong = any(
        clause.stance is Stance.AGREES and not clause.weak and not clause.mentions for clause in found
    )
    settled: list[Clause] = []
    for clause in found:
        if clause.weak and talk and not strong and not named:
            settled.append(replace(clause, stance=Stance.OTHER))
        elif clause.plain_yes and talk and not named and clause.stance is Stance.AGREES:
            settled.append(replace(clause, stance=Stance.ASKS))
        else:
            settled.append(clause)
    return settled
