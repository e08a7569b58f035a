"""How leads write when they answer an offer: their own words, in one spelling, cut into clauses. Pure.

What they quote of ours is taken out first: our own list of times must never read like the lead's choice.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

MAX_CHARS: Final = 4000

_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufe0f]")
_SKIN: Final = re.compile("[\U0001f3fb-\U0001f3ff]")
_EMOJI: Final = (
    (re.compile("[\U0001f44d\U0001f44c\u2705\u2714\U0001f4af\U0001f197]"), " yes "),
    (re.compile("[\U0001f44e\u274c\U0001f645]"), " no "),
    (re.compile("[\U0001f644\U0001f612]"), " eyeroll "),
    (re.compile("[\U0001f914\U0001f937]"), " maybe "),
)
_QUOTES: Final = str.maketrans(
    {"\u2019": "'", "\u2018": "'", "\u02bc": "'", "`": "'", "\u00b4": "'", "\u201c": '"', "\u201d": '"'}
    | {"\u2013": "-", "\u2014": " - ", "\u2212": "-", "\u00a0": " ", "\u202f": " "}
)
_HEADER: Final = re.compile(  # begins with one of _MARKS_BEGIN
    r"^\s*(?:on .{4,200} wrote:|le .{4,200} crit\s*:|-{2,}\s*(?:original|forwarded) message\s*-{2,}|_{10,}|from: .+)\s*$",
    re.I,
)
_HEADER_BEGINS: Final = re.compile(r"^\s*on .{4,150}$", re.I)
_SIGNATURE: Final = re.compile(  # begins with one of _MARKS_BEGIN
    r"^\s*(?:--|__)\s*$|^\s*(?:sent from (?:my|an?|the) .{2,40}|get outlook for .{2,20}|sent via .{2,30})\s*$",
    re.I,
)
_SIGN_OFF: Final = re.compile(
    r"^\s*(?:best|best wishes|all the best|(?:best |kind |warm )?regards|cheers|sincerely|yours(?: truly)?|thanks|thank you"
    r"|many thanks)\s*[,.!]?\s*$",
    re.I,
)
_MARKS_BEGIN: Final = frozenset("oOlL-_fFsSgG\u017f>")
"""First letters of lines that are headers, signatures or quotes; the long s equals an s where case does not matter."""
_BULLET: Final = re.compile(r"^\s*(?:>+\s*)?(?:[-*\u2022]\s+)?")


def own_lines(message: str, ours: Sequence[str] = ()) -> list[str]:
    """The lines a lead wrote now: without quoted mail (above or below), a signature, or lines of ours.

    A single line of ours that stands alone is kept: copying or quoting one offered time is how some leads choose.
    """
    known = frozenset().union(*map(_plain_lines, ours)) if ours else frozenset()
    kept: list[str] = []
    copied: list[str] = []
    quoted: list[str] = []
    lines = message[:MAX_CHARS].splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        if line.lstrip()[:1] not in _MARKS_BEGIN:
            (copied if known and _plain(line) in known else kept).append(line)
            number += 1
            continue
        following = lines[number + 1] if number + 1 < len(lines) else ""
        split_header = _HEADER_BEGINS.match(line) and following.rstrip().casefold().endswith("wrote:")
        if _HEADER.match(line) or split_header:
            number += 2 if split_header else 1
            rest = lines[number:]
            if any(part.lstrip().startswith(">") for part in rest):
                continue
            break
        if _SIGNATURE.match(line):
            break
        if line.lstrip().startswith(">"):
            quoted.append(line.lstrip("> \t"))
            number += 1
            continue
        (copied if known and _plain(line) in known else kept).append(line)
        number += 1
    while kept and not kept[-1].strip():
        kept.pop()
    for at, line in enumerate(kept):
        if at and _SIGN_OFF.match(line) and len(kept) - at <= 5:
            kept = [*kept[:at], line] if line.strip().casefold().startswith("thank") else kept[:at]
            break
    if len(quoted) == 1 and any(map(str.isdigit, quoted[0])):  # a time that was offered, not our other words
        copied += quoted
    if len(copied) == 1:
        kept.append(copied[0])
    return kept


@lru_cache(maxsize=1024)  # texts of ours, most of them the same template
def _plain_lines(text: str) -> frozenset[str]:
    return frozenset(plain for line in text.splitlines() if len(plain := _plain(line)) > 3)


def _plain(line: str) -> str:
    return " ".join(_BULLET.sub("", line).split()).casefold()


_CONTRACTIONS: Final = {
    "cant": "can not", "can't": "can not", "cannot": "can not", "wont": "will not", "won't": "will not",
    "dont": "do not", "doesnt": "does not", "didnt": "did not", "isnt": "is not", "arent": "are not",
    "wasnt": "was not", "couldnt": "could not", "wouldnt": "would not", "shouldnt": "should not",
    "havent": "have not", "hasnt": "has not", "shan't": "shall not", "im": "i am", "ive": "i have", "id": "i would",
    "ill": "i will", "its": "it is", "thats": "that is", "whats": "what is", "hows": "how is", "lets": "let us",
    "let's": "let us", "wanna": "want to", "gonna": "going to", "gotta": "have to", "lemme": "let me", "gimme": "give me", "giv": "give", "gimmie": "give me",
    "u": "you", "ur": "your", "r": "are", "pls": "please", "plz": "please", "plse": "please", "thx": "thanks",
    "tx": "thanks", "ty": "thanks", "tysm": "thanks", "thanx": "thanks", "thnx": "thanks", "ok": "ok", "okay": "ok", "okey": "ok",
    "k": "ok", "kk": "ok", "okie": "ok", "yea": "yes", "yeah": "yes", "yep": "yes", "yup": "yes", "ya": "yes", "yess": "yes",
    "yas": "yes", "ye": "yes", "yeh": "yes", "aye": "yes", "yessir": "yes", "nope": "no", "nah": "no", "naw": "no",
    "tmrw": "tomorrow", "tmr": "tomorrow", "tmw": "tomorrow", "tmrrw": "tomorrow", "tomo": "tomorrow",
    "2moro": "tomorrow", "2morrow": "tomorrow", "2mrw": "tomorrow", "tomoro": "tomorrow", "2day": "today",
    "2nite": "tonight", "tonite": "tonight", "wknd": "weekend", "aft": "afternoon", "arvo": "afternoon", "avail": "available",
    "mon": "monday", "tue": "tuesday", "tues": "tuesday", "wed": "wednesday", "weds": "wednesday", "wensday": "wednesday", "wendsday": "wednesday", "wensdays": "wednesdays", "thu": "thursday",
    "thur": "thursday", "thurs": "thursday", "fri": "friday", "sat": "saturday", "sun": "sunday",
    "mins": "minutes", "hrs": "hours", "appt": "appointment", "apt": "apartment", "resched": "reschedule",
    "def": "definitely", "defo": "definitely", "prob": "probably", "probs": "probably", "cuz": "because", "cos": "because", "coz": "because", "wld": "would", "bc": "because",
    "asap": "soonest", "b4": "before", "btwn": "between", "w": "with", "gr8": "great", "l8r": "later",
}  # fmt: skip
_ENDINGS: Final = (
    ("n't", " not"),
    ("'re", " are"),
    ("'ve", " have"),
    ("'ll", " will"),
    ("'d", " would"),
    ("'m", " am"),
)

_TYPOS: Final = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "tomorrow",
    "second",
    "third",
    "confirm",
    "confirmed",
    "morning",
    "afternoon",
    "evening",
    "earliest",
    "latest",
    "perfect",
    "option",
    "tonight",
    "weekend",
    "reschedule",
)
_TYPOS_BY_LETTER: Final = {
    letter: tuple(word for word in _TYPOS if word[0] == letter) for letter in {word[0] for word in _TYPOS}
}
_REAL_WORDS: Final = frozenset(
    [
        "seconds",
        "thirds",
        "conform",
        "confirms",
        "confirming",
        "mornings",
        "evenings",
        "options",
        "tired",
        "thirst",
        "reckon",
        "adoption",
        "evening",
        "perfectly",
        "friday's",
        "fridays",
        "sundays",
        "mondays",
        "tuesdays",
        "wednesdays",
        "thursdays",
        "saturdays",
        "sunny",
        "sundry",
        "unday",
        "weekends",
        "weekend",
        "weekday",
        "warning",
        "mourning",
        "caption",
        "afternoons",
        "rescheduled",
        "reschedules",
        "prefect",
        "beckon",
        "monkey",
        "money",
        "today",
        "someday",
        "holiday",
        "friendly",
        "thursdays",
        "through",
        "midday",
        "payday",
        "birthday",
        "everyday",
        "workday",
        "fortnight",
        "nonday",
        "moving",
        "meeting",
        "event",
        "even",
        "leasing",
    ]
)


_REPEATED: Final = re.compile(r"([^\W\d_])\1{2,}")


@lru_cache(maxsize=8192)
def spelling(word: str) -> str:
    """One word in the spelling the rules use; slips of the keyboard in the words that matter are mended."""
    if word == ":":
        return "-"
    word = _REPEATED.sub(r"\1", word)
    if word in _CONTRACTIONS:
        return _CONTRACTIONS[word]
    for ending, written in _ENDINGS:
        if word.endswith(ending) and len(word) > len(ending):
            return spelling(word[: -len(ending)]) + written
    if word.endswith("'s"):
        stem = spelling(word[:-2])
        return stem + (" is" if stem in {"it", "that", "what", "how", "there", "here", "let"} else "")
    if len(word) >= 5 and word.isalpha() and word not in _REAL_WORDS and word not in _TYPOS:
        for right in _TYPOS_BY_LETTER.get(word[0], ()):
            if abs(len(right) - len(word)) <= 1 and _one_slip(word, right):
                return right
    return word


def _one_slip(word: str, right: str) -> bool:
    """Whether one letter too many, too few, wrong, or two swapped lie between them."""
    if len(word) == len(right):
        wrong = [at for at in range(len(word)) if word[at] != right[at]]
        if len(wrong) == 1:
            return True
        return (
            len(wrong) == 2
            and wrong[1] == wrong[0] + 1
            and word[wrong[0]] == right[wrong[1]]
            and word[wrong[1]] == right[wrong[0]]
        )
    longer, shorter = (word, right) if len(word) > len(right) else (right, word)
    return any(longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer)))


_LINK: Final = re.compile(r"https?://\S+|www\.\S+")
_OCLOCK: Final = re.compile(r"\bo\s?'?\s?clock\b")
_SARCASM_MARK: Final = re.compile(r"(?<=\s)/s\b")
_GLUED: Final = re.compile(r"(\d)(oclock|ish|am|pm)\b")
_H_FOR_HOUR: Final = re.compile(r"(?<=\d)\s?h(?=\s|$)")
_FOUR_FOR_FOR: Final = re.compile(r"\b4 (?=(?:me|us|my|sure)\b)")
_MERIDIEM: Final = re.compile(r"\b([ap])\s?\.\s?m\b\.?|\b([ap])\s?m\b|(?<=\d)\s?([ap])\b", re.I)
"""A full stop belongs to "p.m.", and ends the sentence after "pm"."""
_TOKEN: Final = re.compile(
    r"\d+(?:[:./-]\d+)*(?:st|nd|rd|th)?|[^\W\d_]+(?:'[^\W\d_]+)*|#|\?+|!+|[.;:,()]|-+|\n|\*\w+"
)


def spell(text: str) -> str:
    """Lower-case words between single blanks, punctuation as words of its own."""
    if text.isascii():
        text = text.replace("`", "'").casefold()
    else:
        text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", _SKIN.sub("", text)).translate(_QUOTES))
        for pattern, word in _EMOJI:
            text = pattern.sub(word, text)
        text = text.casefold()
    if "http" in text or "www." in text:
        text = _LINK.sub(" link ", text)
    if "clock" in text:
        text = _OCLOCK.sub(" oclock ", text)
    if "/s" in text:
        text = _SARCASM_MARK.sub(" eyeroll ", text)
    text = _MERIDIEM.sub(lambda m: f" {(m[1] or m[2] or m[3]).lower()}m ", text)
    if any(map(str.isdigit, text)):
        text = _GLUED.sub(r"\1 \2", text)
        text = _H_FOR_HOUR.sub(" oclock ", text)
        text = _FOUR_FOR_FOR.sub("for ", text)
    words = [spelling(written) for written in _TOKEN.findall(text)]
    return " ".join(" ".join(words).split())


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence as it was spelt, without its end mark."""

    text: str
    asked: bool


_ENDS: Final = re.compile(r"(?: |^)(\?+|!+|[.;]|\n)(?= |$)")


def sentences(lines: Iterable[str]) -> list[Said]:
    """The sentences of a message."""
    found: list[Said] = []
    for line in lines:
        for text, end in _pieces(line):
            if text:
                found.append(Said(text, end.startswith("?")))
            elif end.startswith("?") and found:
                found[-1] = Said(found[-1].text, True)
    return found


@lru_cache(maxsize=8192)  # leads write the same lines again and again
def _pieces(line: str) -> tuple[tuple[str, str], ...]:
    """The pieces of a line, spelt, each with the mark that ends it."""
    pieces = _ENDS.split(f" {spell(_BULLET.sub('', line))} ")
    return tuple(
        [(piece.strip(" ,-"), end) for piece, end in zip(pieces[::2], [*pieces[1::2], ""], strict=True)]
    )
