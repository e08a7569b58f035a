"""How a clause stands to what it names: agrees, only names, asks, refuses, sets a condition, or is about something else. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from enum import Enum, auto
from functools import lru_cache
from typing import Final, NamedTuple

from leasebot_pipeline.domain import handshake_phrases as phrases
from leasebot_pipeline.domain.handshake_times import Kind, Marked, Mention


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


NO_NAME: Final[frozenset[Kind]] = frozenset({"zone", "aside"})
"""Mentions that name no slot by themselves."""


class Clause(NamedTuple):
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
    alternatives: tuple[tuple[Mention, ...], ...] = ()
    """What stands on either side of an "or" or "and", where both sides name something."""
    shifted: bool = False
    """Wants what it names, only later or earlier."""
    seeks: bool = False
    """Looks for times beyond the offer ("anything after three?")."""


def corrects(text: str) -> bool:
    """Whether a sentence takes back what was said before it."""
    return phrases.CORRECTION.search(text) is not None


def after_correction(text: str) -> str:
    """What a sentence says after it took back its beginning ("3pm, no wait, 6pm"); empty when it did not."""
    found = list(phrases.TAKES_BACK.finditer(text))
    return text[found[-1].end() :] if found else ""


def is_of_the_others(words: str) -> bool:
    """Whether a refusal is of what was not picked: "3pm works, I can't do the others"."""
    return phrases.THE_OTHERS.search(words) is not None


def refuses_all(words: str) -> bool:
    """Whether a refusal is of everything on offer."""
    return phrases.ALL_OF_THEM.search(words) is not None


def only_doubts(words: str) -> bool:
    """Whether a clause says no more than that it is not certain: "probably", "not a hundred percent sure yet"."""
    return all(
        word != "polite" and word in phrases.COURTESY_WORDS | phrases.FILLERS
        for word in phrases.DOUBT.sub("", words).split()
    )


def is_sarcastic(text: str) -> bool:
    """Whether a sentence bears a mark of sarcasm: then nothing in the message is taken at its word."""
    return phrases.SARCASM.search(text) is not None


def calls_off(text: str) -> bool:
    """Whether a sentence cancels a visit."""
    return phrases.CALLS_OFF.search(text) is not None and phrases.NOT_CALLED_OFF.search(text) is None


def wants_others(text: str) -> bool:
    """Whether a sentence asks for times beyond those offered or arranged."""
    return phrases.OTHERS.search(text) is not None or _ELSE.search(text) is not None


def clauses(marked: Marked) -> list[Clause]:
    """The clauses of a sentence with their stances, in order."""
    kinds = tuple([mention.kind for mention in marked.mentions])
    return [
        _with_names(clause, marked) if "@" in clause.words else clause
        for clause in _judged(marked.text, kinds, marked.asked)
    ]


def _with_names(clause: Clause, marked: Marked) -> Clause:
    """A clause of marks with what they stand for."""
    named = [marked.mentions[int(number)] for number in _MENTION.findall(clause.words)]
    shown = _MENTION.sub(lambda m: marked.mentions[int(m[1])].words, clause.words)
    sides = [
        tuple([m for n in _MENTION.findall(side) if (m := marked.mentions[int(n)]).kind not in NO_NAME])
        for side in _EITHER.split(clause.words)
    ]
    sides = [side for side in sides if side]
    return clause._replace(
        words=shown, mentions=tuple(named), alternatives=tuple(sides) if len(sides) > 1 else ()
    )


@lru_cache(maxsize=8192)  # with the names taken out, leads answer in the same words again and again
def _judged(text: str, kinds: tuple[Kind, ...], asked: bool) -> tuple[Clause, ...]:
    """The clauses with marks for names: no stance depends on more than the kinds of what is named."""
    pieces = [piece.strip() for piece in phrases.CUT.split(_prepare(text, kinds)) if piece is not None]
    found: list[Clause] = []
    after_but = False
    for piece in pieces:
        if piece in ("but", "however", "although", "though", "only"):
            after_but = piece != "only"
            continue
        if not piece or piece in (",", "-", "(", ")", ";", "and", "so", "because", "since", "then"):
            continue
        for part in _split_answer_word(piece):
            found.append(_clause(part, kinds, asked=asked, after_but=after_but))
            after_but = False
    return tuple(found)


def _split_answer_word(piece: str) -> list[str]:
    """ "No I meant four" is two clauses; "no problem" and "no @0" are one."""
    match = phrases.ANSWER_WORD.match(piece)
    if match is None or (match["word"] == "no" and match["rest"].startswith("@")):
        return [piece]
    if match["word"] == "no" and match["rest"].startswith("can do"):
        return [piece]
    if match["word"] == "no" and not match["rest"].startswith(
        ("i ", "we ", "let", "how ", "what ", "can ", "could ", "sorry")
    ):
        return [piece]
    return [match["word"], *_split_answer_word(match["rest"])]


_EITHER = re.compile(r" (?:or|and) ")
_LINKED = re.compile(r"@(\d+) ([,(-]|and|in|on|at|for|of|from)+ (?=@)@(\d+)")
_AS_ASIDE = re.compile(r" as (@\d+)")
_RUN = re.compile(r"(?:@\d+ )+$")
_STOPS = re.compile(r"[,(-]|and")
_BRACKETED = re.compile(r"@(\d+) ([(])+ @(\d+)")
_CLOSED = re.compile(r"(@\d+) \)")
_ANYTHING_BUT = re.compile(
    r" (?:any ?thing|any ?time|any ?day|any|everything|all|every ?day) (?:but|except)(?: for)? "
)
_NONE_BUT = re.compile(
    r" (?:none|nothing|neither|not any|no other)\b[^@,]*? (?:except|besides|apart from|other than|than|but)(?: for)?(?: (?:the|on|at|for))* (?=@)"
)
_NAMED_NO = re.compile(r" ((?:@\d+ )+)- no(?: ,| $)")
_NAMED_YES = re.compile(r" ((?:@\d+ )+)- yes(?: ,| $)")
_RATHER_THAN = re.compile(
    r" (?:(?<=\d )over|rather than|instead of|than|as opposed to|not|and not|except|except for)( (?:the|on|for|at))* (?=@\d)"
)
_NOT_THIS_BUT = re.compile(
    r"(, not (?:(?:the|on|for|at) )*(?:@\d+ )+(?:one )?)(?=(?:can|could|i|we|let|how|what|would|may) )"
)


def _run_before(match: re.Match[str], kinds: Sequence[Kind]) -> set[Kind]:
    """The kinds of the marks that stand right before a match."""
    run = _RUN.search(match.string[: match.start()])
    return {kinds[int(number)] for number in _MENTION.findall(run[0])} if run else set()


def _prepare(text: str, kinds: Sequence[Kind]) -> str:
    text = f" {text} "

    def joined(match: re.Match[str]) -> str:
        first, second = int(match[1]), int(match[3])
        pair = {kinds[first], kinds[second]}
        if "," in match[0] and kinds[second] in _run_before(match, kinds):
            return match[0]  # "not Tuesday at 3, Tuesday at 5": the second name begins
        if "aside" in pair or ("other" in pair and _STOPS.search(match[0])):
            return match[0]  # "not the 3pm, the other one": what is refused, and what is left
        return f"@{first} @{second}" if kinds[first] != kinds[second] else match[0]

    if kinds:
        for _ in range(3):
            text = _LINKED.sub(joined, text)
            text = _BRACKETED.sub(joined, text)
        text = _CLOSED.sub(r"\1", text)
        text = _AS_ASIDE.sub(lambda m: f" , {m[1]}" if kinds[int(m[1][1:])] == "aside" else m[0], text)
        text = _NONE_BUT.sub(" only ", text)
        text = _NAMED_NO.sub(r" not \1 ,", text)
        text = _NAMED_YES.sub(r" \1 yes ", text)
    if "but" in text or "except" in text:
        text = _ANYTHING_BUT.sub(" not ", text)
    if " with " in text and not phrases.AGREES_WITH.search(text):
        text = phrases.COMPANY.sub("", text)
    text = phrases.POLITE_IF.sub(" polite ", text)
    text = phrases.HARMLESS.sub(" harmless ", text)
    if kinds:
        text = _RATHER_THAN.sub(" , not ", text)
        text = _NOT_THIS_BUT.sub(r"\1, ", text)
    return " ".join(text.split())


def _clause(piece: str, kinds: Sequence[Kind], *, asked: bool, after_but: bool) -> Clause:
    named = {kinds[int(number)] for number in _MENTION.findall(piece)} if "@" in piece else set()
    bare = " ".join([word for word in piece.split() if not word.startswith("@")])
    hedged = phrases.HEDGE.search(bare) is not None or phrases.LAUGHS.search(bare) is not None
    doubtful = phrases.DOUBT.search(bare) is not None
    seeks = phrases.SEEKS.search(bare) is not None
    shifted = phrases.SHIFTED.search(bare) is not None
    clause = Clause(piece, (), Stance.OTHER, hedged=hedged, doubtful=doubtful, asked=asked, seeks=seeks)
    names = bool(named - NO_NAME)
    fallback = phrases.FALLBACK.search(bare) is not None and (names or len(bare.split()) <= 3)
    if fallback or phrases.CONDITION.search(bare) or phrases.POSTPONES.search(bare):
        agreed = _AGREES_TO_BOOK.search(bare) is not None or _BEGINS_AGREEING.match(bare) is not None
        return clause._replace(conditional=True, stance=Stance.AGREES if agreed else Stance.OTHER)
    stance, extra = _named_stance(piece, bare, named, clause) if names else _nameless_stance(bare, clause)
    conditional = False
    if after_but and not names:
        conditional = stance is Stance.OTHER and bool(
            asked or (phrases.ASK_START.match(bare) and not phrases.NEWS.search(bare))
        )
        hedged = hedged or not conditional
    return Clause(
        piece,
        (),
        stance,
        conditional=conditional,
        hedged=hedged,
        doubtful=doubtful,
        any_will_do="any_will_do" in extra,
        stray="stray" in extra,
        weak="weak" in extra,
        plain_yes="plain_yes" in extra,
        asked=asked,
        shifted=shifted,
        seeks=seeks,
    )


_MENTION = re.compile(r"@(\d+)")
_AGREES_TO_BOOK = re.compile(r"\b(?:confirm|book)\b")
_BEGINS_AGREEING = re.compile(r"(?:yes|ok|sure|great|perfect|fine|confirm|confirmed|works)\b")
_ELSE = re.compile(r"\b(?:instead|how about|what about)\b")
_BEGINS_ASKING = re.compile(
    r"(?:how about|what about|is|are|would|does|do you|any chance|let me know|polite)\b"
)
_ASKS_IN_THE_NEGATIVE = re.compile(r"\b(?:can|could|would|is|will) (?:i|we|you|it) not\b")
_NOT_SURE = re.compile(r"\bnot (?:\w+ )?(?:sure|certain|convinced|positive)\b|\bunsure\b")
_PROPOSES = re.compile(
    r"\b(?:how about|what about|instead|any chance|could you do|can you do|could we|can we|would you|bring|push|move it|make it)\b"
)
_WHETHER_IT_SUITS = re.compile(
    r"(?:is )?(?:that|it|this)? ?(?:still )?(?:ok|fine|good|available|open|possible|work)$"
)


def _named_stance(piece: str, bare: str, kinds: Set[Kind], clause: Clause) -> tuple[Stance, dict[str, bool]]:
    words = [word for word in bare.split() if word not in (",", "-", "polite", "harmless")]
    asks = clause.asked or _BEGINS_ASKING.match(piece) is not None
    if "aside" in kinds or phrases.SAID_BEFORE.search(bare) or phrases.RESTATES.match(bare):
        return Stance.OTHER, {}
    if clause.asked and phrases.ASKS_WHEN.match(piece):
        return Stance.OTHER, {}
    if phrases.ANOTHERS_WISH.match(bare) and not phrases.NEGATION.search(bare):
        return Stance.ASKS, {}
    if phrases.ANY.search(piece) and not phrases.NEGATION.search(bare):
        return Stance.AGREES, {"any_will_do": True}
    if phrases.NEGATION.search(bare) and not (asks and _ASKS_IN_THE_NEGATIVE.search(bare)):
        if clause.hedged and _NOT_SURE.search(bare):
            return Stance.OTHER, {}
        return Stance.REFUSES, {}
    if phrases.COUNTERFACTUAL.search(bare):
        return Stance.REFUSES, {}
    known = (
        phrases.FILLERS | phrases.QUESTION_WORDS if asks or phrases.ASK_CUE.search(bare) else phrases.FILLERS
    )
    strange = [word for word in words if word not in known and word not in phrases.COURTESY_WORDS]
    about_else = phrases.NOT_ABOUT_COMING.search(bare) is not None
    proposes = _PROPOSES.search(bare)
    if phrases.CONFIRM_SOMETHING.search(bare):
        return Stance.OTHER, {}
    if clause.doubtful and not about_else:
        return Stance.ASKS, {}  # nobody's word, but an answer
    if "bare" in kinds and phrases.COUNTS_PEOPLE.search(piece):
        return Stance.OTHER, {}
    if clause.seeks and not about_else:
        return Stance.ASKS, {}
    if not strange and not asks and not about_else and not phrases.ASK_START_NAMED.match(piece):
        tentative = clause.hedged or (
            bool(phrases.AVAILABLE.search(bare)) and not kinds & {"time", "position", "rank", "bare"}
        )
        bare_name = not (set(words) - phrases.JUST_NAMING)
        agrees = phrases.AGREES_NAMED.search(piece) is not None
        if tentative:
            return Stance.ASKS, {}
        return (Stance.NAMES if bare_name and not agrees else Stance.AGREES), {}
    if phrases.REQUEST.search(bare) and not about_else and not (proposes and "instead" in bare):
        return (Stance.ASKS if clause.hedged or len(strange) > 3 else Stance.AGREES), {}
    if asks or proposes or phrases.ASK_START_NAMED.match(piece):
        allowed = 2 if proposes or phrases.REQUEST.search(bare) else 0
        if len(strange) <= allowed and not about_else:
            return Stance.ASKS, {}
        return (Stance.ASKS, {}) if proposes else (Stance.OTHER, {})
    if phrases.AGREES_NAMED.search(piece) and not about_else:
        tentative = (
            clause.hedged
            or len(strange) > 4
            or (bool(phrases.AVAILABLE.search(bare)) and not kinds & {"time", "position", "rank", "bare"})
        )
        return (Stance.ASKS if tentative else Stance.AGREES), {}
    if len(strange) <= 1 and not about_else and clause.hedged:
        return Stance.ASKS, {}
    return Stance.OTHER, {}


def _nameless_stance(bare: str, clause: Clause) -> tuple[Stance, dict[str, bool]]:
    words = bare.split()
    if phrases.GENERAL_NO.search(bare):
        return Stance.REFUSES, {}
    if (
        phrases.ANY.search(bare)
        and not (clause.asked and phrases.ASK_ONLY.match(bare))
        and not phrases.NEGATION.search(
            bare.replace("does not matter", "").replace("do not care", "").replace("no preference", "")
        )
    ):
        return Stance.ANY, {}
    if phrases.ONLY_SHIFTS.match(bare):
        return Stance.WANTS_OTHERS, {}
    if phrases.OTHERS.search(bare) and not phrases.OWN_TIME.search(bare):
        return Stance.WANTS_OTHERS, {}
    if phrases.NEGATION.search(bare):
        return Stance.REFUSES, {"stray": True}
    if clause.asked or phrases.ASK_ONLY.match(bare):
        if _WHETHER_IT_SUITS.match(bare):
            return Stance.ASKS, {}
        if bare in ("confirm", "yes", "ok", "please confirm", "can you confirm", "polite"):
            return (Stance.ASKS if bare != "ok" else Stance.OTHER), {}
        return Stance.OTHER, {}
    if phrases.CONFIRM_SOMETHING.search(bare):
        return Stance.OTHER, {}
    if phrases.STRONG_YES.search(bare):
        return (Stance.ASKS if clause.hedged else Stance.AGREES), {}
    if phrases.PLAIN_YES.search(bare):
        return (Stance.ASKS if clause.hedged else Stance.AGREES), {"plain_yes": True}
    if phrases.WEAK_YES.match(bare):
        return Stance.AGREES, {"weak": True}
    if all(word in phrases.COURTESY_WORDS or word in ("harmless", "polite") for word in words):
        if words == ["harmless"]:
            return Stance.AGREES, {"weak": True}
        return Stance.COURTESY, {}
    return Stance.OTHER, {}


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
            settled.append(clause._replace(stance=Stance.OTHER))
        elif clause.plain_yes and talk and not named and clause.stance is Stance.AGREES:
            settled.append(clause._replace(stance=Stance.ASKS))
        else:
            settled.append(clause)
    return settled


def stance_rules() -> list[str]:
    """All phrases and word lists, for the reader's version."""
    named = {name: value for name, value in vars(phrases).items() if name.isupper()}
    return [
        f"{name}={value.pattern}" if isinstance(value, re.Pattern) else f"{name}={sorted(value)}"
        for name, value in sorted(named.items())
        if isinstance(value, re.Pattern | frozenset)
    ]
