"""What a lead wrote, made readable for rules: quotes and signatures off, words in one spelling. Pure.

A sentence becomes `` is it still available ? ``: lower-case words between single blanks, contractions
written out, commas and the question mark as words of their own.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from leasebot_pipeline.domain.intents_words import Speller, Words

MAX_CHARS: Final = 8000
"""Longer messages are cut before reading; the rules note that in ``Reading.cut``."""


class Sentence(NamedTuple):
    """One sentence; ``text`` has a blank before and after every word."""

    text: str
    is_question: bool
    words: tuple[str, ...]
    names: frozenset[str] = frozenset()
    """Words written as names are: with a capital inside a sentence of small letters."""


class Reading(NamedTuple):
    """All sentences of a burst, oldest first."""

    sentences: tuple[Sentence, ...]
    has_letters: bool
    cut: bool
    own_text: str = ""
    """The text without quotes and signatures, characters normalised."""

    @property
    def words(self) -> list[str]:
        return [word for sentence in self.sentences for word in sentence.words]


_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]")
_APOSTROPHES: Final = str.maketrans(
    {"\u2019": "'", "\u2018": "'", "\u02bc": "'", "`": "'", "\u00b4": "'", "\u201c": '"', "\u201d": '"'}
)
_QUOTE_HEADER: Final = re.compile(
    r"^\s*(?:on (?=[^\n]*\d|mon|tue|wed|thu|fri|sat|sun)[^\n]{4,100} wrote:"
    r"|-{2,}\s*(?:original|forwarded) message\s*-{2,}|from: .+@.+|_{10,})\s*$",
    re.I,
)
_DEVICE_LINE: Final = re.compile(
    r"^\s*(?:sent from my .{2,40}|get outlook for .{2,20}|sent (?:via|from|with) .{2,30}app.{0,20}"
    r"|sent via .{2,30}|\*?sent from .{2,20}(?:mail|phone|mobile).{0,20})\s*$",
    re.I,
)
_SIGNATURE_RULE: Final = re.compile(r"^\s*(?:--|__)\s*$")
_RULE_BEGINS: Final = frozenset("-_")
_HEADER_BEGINS: Final = frozenset("oO-fF_")
_DEVICE_BEGINS: Final = frozenset("sSgG*\u017f")
"""First letters of such lines; the last one is a long s, which equals an s where case does not matter."""
_SIGN_OFF: Final = re.compile(
    r"^\s*(?:(?:all the |with |my )?best(?: (?:wishes|regards))?|(?:kind(?:est)?|warm(?:est)?|best) regards|regards|cheers"
    r"|sincerely(?: yours)?|respectfully|yours(?: truly)?|warmly|take care|many thanks|thanks(?: again| so much| a lot)?"
    r"|thank you(?: so much| very much)?|talk soon|xo+|love)\s*[,.!]*\s*$",
    re.I,
)
_SIGNATURE_LINES: Final = 6
_SIGNATURE_LINE: Final = re.compile(
    r"^\s*(?:[-~*\u2013\u2014]+\s*)?(?:(?:[^\W_a-z][\w.,'\u2019()/&-]*|at|of|and|the|in|for|law|de|la|del|van|von|[|,&]|[\w.+-]+@[\w.-]+|[+(]?[\d().-]+)(?:\s+|$)){0,7}\s*$"
)
_NAME_LINE: Final = re.compile(
    r"^\s*[-~\u2013\u2014]*\s*(?:[^\W\d_a-z][\w.'\u2019-]*)(?:\s+(?:[^\W\d_a-z][\w.'\u2019-]*|de|la|del|van|von|der|bin|al|el|da|dos|y)){0,4}\s*[.,!]?\s*$"
)
_MERIDIEM: Final = re.compile(r"([apAP](?<=[\d\s].))\.?\s?[mM]\b\.?(?=\W|$)")
_ABBREVIATIONS: Final = (
    "mr",
    "mrs",
    "ms",
    "dr",
    "st",
    "apt",
    "approx",
    "vs",
    "jr",
    "sr",
    "prof",
    "e.g",
    "i.e",
    "no",
)
_ABBREVIATION: Final = re.compile(rf"\b({'|'.join(map(re.escape, _ABBREVIATIONS))})\.(?=\s)", re.I)
_ABBREVIATION_ENDS: Final = tuple(f"{end}." for end in sorted({word[-2:] for word in _ABBREVIATIONS}))
_SPLIT: Final = re.compile(  # begins with a set of characters: nothing else is tried anywhere else
    r"([?!.\n;\u2026()\u2013\u2014-](?:(?<=\?)[?!.]*|(?<=!)!*|(?<=\.)(?=\s|$)|(?<=\n)\n*|(?<=[;\u2026])"
    r"|(?<=\s[-\u2013\u2014])[-\u2013\u2014]*(?=\s)|(?<=\s\()|(?<=\))(?=\W|$)))"
)
_PICTURES: Final = re.compile(r"(?:[\u2600-\u27bf\U0001f300-\U0001faff]\ufe0f?)++(?!\s*[?!.])")
"""Little pictures: most leads who write one end a sentence with it, where no stop does."""
_WORD: Final = re.compile(
    r"[^\W\d_]+(?:'[^\W\d_]+)*|\d{1,2}(?:st|nd|rd|th)\b|[$\u20ac\u00a3]\s?\d[\d,.]*|\d[\d,.:/]*\d|\d|[,#&]"
)
_ASCII_WORD: Final = re.compile(
    _WORD.pattern.replace(r"[^\W\d_]", "[A-Za-z]").replace(r"[\d", "[0-9").replace(r"\d", "[0-9]")
)
"""The same, and faster, for the texts most leads write."""

_ENDINGS: Final = (("n't", " not"), ("'re", " are"), ("'ve", " have"), ("'ll", " will"), ("'d", " would"))
_IS_WORDS: Final = frozenset(
    {"it", "that", "what", "where", "when", "who", "how", "there", "here", "he", "she", "this", "which"}
)
_ASKS: Final = frozenset(
    {"what", "where", "who", "whose", "how", "why", "is", "are", "do", "does", "did", "any", "when"}
)
_ASKS_BEFORE_A_SUBJECT: Final = frozenset(
    {"was", "were", "can", "could", "will", "would", "may", "should", "has", "have", "had", "am", "might"}
)
_SUBJECTS: Final = frozenset(
    {"i", "we", "you", "it", "he", "she", "they", "this", "that", "the", "there", "my", "your", "our"}
    | {"someone", "somebody", "anyone", "anybody", "a", "an", "any", "these", "those", "one", "u", "me"}
)
_REQUESTS: Final = {
    sign: tuple(f" {words} " for words in phrases.split("|"))
    for sign, phrases in {
        " wondering ": "i am wondering|i was wondering|we are wondering|we were wondering|am just wondering|was just wondering"
        "|wondering if|wondering whether|wondering what|wondering when|wondering how|wondering about|just wondering",
        " curious ": "curious if|curious about|curious whether|am curious",
        " know ": "let me know|to know|know if|know whether",
        " me ": "tell me|send me",
        " ask ": "to ask|ask if|ask whether",
        " confirm ": "confirm if|confirm whether|confirm that",
        " please ": "please send|please share|please advise|please tell",
        " question": "a question|one question|my question|some questions|quick question|quick questions|few questions"
        "|more questions|a questions",
        " you ": "can you|could you|would you|do you",
        " is ": "is it|is there|is this|what is",
        " are ": "are there",
        " how ": "how much",
        " if ": "see if|sure if",
        " whether ": "see whether|sure whether",
    }.items()
}
"""Words that make a sentence ask for something, question mark or not, under a sign of theirs."""
_REQUEST_SIGNS: Final = re.compile("|".join(map(re.escape, _REQUESTS)))
_TEXT_SPEAK: Final = re.compile(
    r" id(?= (?:like|love|prefer|be|rather|appreciate|want|really|also) )| ill(?= (?:take|go|do|pick|choose|come) )| 2(?= (?:see|peep|view|visit|come|tour|check|rent|move|look|schedule|book|know|get|stop) )"
    r"| 4(?= (?:me|us|rent|the|my|sure) )| c(?= (?:the|it|you|this|your) )| b(?= (?:able|available|there|ok|great|good|free|possible) )"
)
_TEXT_SPEAK_WORDS: Final = frozenset({"id", "ill", "2", "4", "c", "b"})
_TEXT_SPEAK_MEANS: Final = {
    " id": " i would",
    " ill": " i will",
    " 2": " to",
    " 4": " for",
    " c": " see",
    " b": " be",
}
_MIXED_NUMBER: Final = re.compile(
    r"(\d(?<![\w$].)\d*)(am|pm|br|bd|bed|bedroom|ba|k|min|mins|hrs|yr|yrs|mo)\b", re.I
)


_DIGIT_OR_SLASH: Final = re.compile(r"[\d/]")
_ASCII_DIGIT_OR_SLASH: Final = re.compile(r"[0-9/]")
_GLUED: Final = re.compile(r"[\d/](?:(?<=/)|[^\W\d_]|(?<=[^\W\d_].))")
"""A figure beside a letter, or a slash: without one, no number is written into a word."""
_NUMBER_SPEAK: Final = re.compile(
    r"\b(any1|some1|every1|no1|2day|2nite|2night|2morrow|2moro|2mrw|2mrrw|b4|gr8|l8r|l8|w8|m8|str8|w/o|w/)(?!\w)",
    re.I,
)
_NUMBER_SPEAK_MEANS: Final = {
    "any1": "anyone",
    "some1": "someone",
    "every1": "everyone",
    "no1": "no one",
    "2day": "today",
    "2nite": "tonight",
    "2night": "tonight",
    "2morrow": "tomorrow",
    "2moro": "tomorrow",
    "2mrw": "tomorrow",
    "2mrrw": "tomorrow",
    "b4": "before",
    "gr8": "great",
    "l8r": "later",
    "l8": "late",
    "w8": "wait",
    "m8": "mate",
    "str8": "straight",
    "w/o": "without ",
    "w/": "with ",
}


_CLAUSE: Final = re.compile(
    r" (?:, )?(?:and|but|so|or|then|also|plus)(?: also| then)?(?= (?:could|can|may|would|will|is|are|do|does|did|has|when|what|where|how|which|should)"
    r" (?:i|we|it|you|this|that|the|there|they|someone|anyone|your|my|much|long|many|is|are|do|does|can|could|would) )"
    r"| ,(?= (?:could|can|may|would|will|is|are|do|does|did|has|when|what|where|how|should)"
    r" (?:i|we|it|you|this|that|the|there|they|someone|anyone|your|my|much|long|many|is|are|do|does|can|could|would) )"
    r"| , (?:but|so|and|yet)(?= (?:i|we|my|our|you|your|it|this|that|the|there) )| (?:, )?(?:so|but)(?= please )"
    r"| ,(?= (?:could|can|may|would|will|is|are|do|does|did|has|have|was|were|any|who|why) [^ ,?]+ [^ ,?]+ )"
    r"| (?:, )?(?:and|but|so)(?= would (?:also |really |just |dearly |very much )?(?:love|like|appreciate|welcome|enjoy) )"
    r"|(?: ,(?: and| because| but| so)?| and| because| but| so)(?= (?:please|kindly) [^ ,?]+ |"
    r" (?:what|which|whose|how) [^ ,?]+ (?:is|are|do|does|did|can|could|will|would|has|have|was|were) )"
)
"""Where a sentence goes on with a question or a statement of its own: each is judged by itself. Every
alternative begins with a blank, here and in what ``_splice`` makes: only blanks are looked at then."""
_SOMEBODY: Final = r"(?:i|we|you|they|he|she|someone|somebody|nobody|everybody|everyone) [^ ,?]+"
_SOMETHING: Final = (
    r"(?:(?:it|this|that|there|these|those)|(?:my|your|our|the|their|his|her|a|an)(?: [^ ,?]+){1,3})"
    r" (?:am|are|is|was|were|will|would|has|have|had|can|could|did|does|do|must|should|might|says?|said|asks?|asked|told|tells)"
)
_STATEMENT: Final = rf"(?:{_SOMEBODY}|{_SOMETHING}) "
_RUN_ON: Final = (
    r" (?=(?:i|we|you|they|he|she|who|what|why|did|does|has) [^ ,?]+ )"
    r"(?:(?<= it )|(?<= them )|(?<=day )|(?<= tomorrow )|(?<= weekend ))"
)
_NOT_ORDERED: Final = frozenset({"show", "bring", "keep", "start", "hold"})
"""Orders that as often go on with what the writer wants to do: "come and show my wife"."""


def _splice(orders: Iterable[str]) -> re.Pattern[str]:
    """Where a clause goes on with somebody who does something, or with an order."""
    verbs = "|".join(sorted(set(orders) - _NOT_ORDERED))
    goes_on = (
        rf"(?:{_STATEMENT}|(?:{verbs}) (?:me|us|my|our|the|your|a|it|them|this|that|all|everything|what) )"
    )
    return re.compile(
        rf" (?:, )?(?:and|but|so|or|then|because|plus|also)(?= {goes_on})| ,(?= {goes_on})|{_RUN_ON}"
    )


_SUBORDINATE: Final = re.compile(
    r" (?:if|when|whenever|since|as|because|while|after|before|once|although|though|unless|until|even|where) "
)
"""How a clause begins that only prepares the one behind the comma."""
_ONLY_SOMEBODY: Final = re.compile(
    r"(?:^|^(?:| (?:hi|hello|hey|so|and|but|if|can|could|may|might|would|will|shall|should|is|are|when|where|how)))"
    r"(?: (?:my|our|the|his|her|a|both|me|us|him))(?: [^ ,?]+){0,3}$"
)
"""Of "my wife and I would ..." the part before "and": who acts, not what is said."""
_LONG_RUN: Final = re.compile(_RUN_ON)
_LEAD_IN: Final = re.compile(r"(?! (?:no|not|never|neither|sorry but) )( (?:[^ ,]+ ){1,3}),(?= )")
"""A few words before a comma ("Hi Dana, ...", "Yes, ..."): they do not speak for what follows."""
_MOST_LEAD_INS: Final = 3
_JOINS: Final = re.compile(r"[ ,](?:(?<=,)|(?:and|but|so|or|then|also|plus|because) )")


def normalise_characters(text: str) -> str:
    """Compatibility forms folded, invisible characters gone, one apostrophe."""
    if text.isascii():
        return text.replace("`", "'") if "`" in text else text
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_APOSTROPHES)


def strip_quotes_and_signature(text: str, known: Collection[str] = ()) -> str:
    """What the lead wrote now: without quoted mail, its header and the signature below.

    Only lines that can be nothing else are taken for a signature: ``known`` words are never a name.
    """
    if "\n" not in text:
        return text.strip() if not text.lstrip().startswith(">") else ""
    own: list[str] = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        first = line.lstrip()[:1]
        if first in _RULE_BEGINS and _SIGNATURE_RULE.match(line):
            break
        if first in _HEADER_BEGINS and _QUOTE_HEADER.match(line):
            if any(later.lstrip().startswith(">") for later in lines[number + 1 :]):
                continue
            break
        if first != ">" and not (first in _DEVICE_BEGINS and _DEVICE_LINE.match(line)):
            own.append(line)
    while own and not own[-1].strip():
        own.pop()
    for number in range(max(1, len(own) - _SIGNATURE_LINES), len(own)):
        if _SIGN_OFF.match(own[number]) and all(map(_SIGNATURE_LINE.match, own[number + 1 :])):
            return "\n".join(own[: number + 1]).strip()
    if len(own) > 1 and _NAME_LINE.match(own[-1]):
        words = [word.strip(".,!-~\u2013\u2014").casefold() for word in own[-1].split()]
        if not any(map(known.__contains__, words)):
            own.pop()
    return "\n".join(own).strip()


class Reader:
    """Reads by the word tables of one version of the rules."""

    def __init__(self, words: Words, speller: Speller) -> None:
        self._words = words
        self._speller = speller
        self._splice = _splice(words.classes["order"])
        self._as_written = frozenset(
            word
            for word in speller.known
            if word.isascii() and "'" not in word and word not in words.spelling
        )
        """Words that are spelt as the rules spell them: nearly all a lead writes."""
        self._written = lru_cache(maxsize=8192)(self._spell)
        self._piece_of = lru_cache(maxsize=16384)(self._piece)

    def read(self, messages: Iterable[str]) -> Reading:
        """The sentences of a burst of messages."""
        sentences: list[Sentence] = []
        own: list[str] = []
        cut = False
        for message in messages:
            cut = cut or len(message) > MAX_CHARS
            body = strip_quotes_and_signature(normalise_characters(message[:MAX_CHARS]), self._speller.known)
            own.append(body)
            sentences += self._sentences(body)
        has_letters = False
        for sentence in sentences:
            if any(map(str.isalpha, sentence.text)):
                has_letters = True
                break
        return Reading(tuple(sentences), has_letters, cut, "\n".join(own))

    def sentences(self, text: str) -> Sequence[Sentence]:
        """All sentences of a text, quotes and signatures included; ``text`` has its characters normalised."""
        return self._sentences(text)

    def _spell(self, word: str, is_name: bool) -> str:
        spelling = self._words.spelling
        if not word.isascii() and (bare := _without_accents(word)) in self._speller.known:
            word = bare
        if word in spelling:
            return spelling[word]
        if "'" in word:
            for ending, written in _ENDINGS:
                if word.endswith(ending) and len(word) > len(ending):
                    return word[: -len(ending)] + written
            if word.endswith("'s"):
                return word[:-2] + (" is" if word[:-2] in _IS_WORDS else "")
        if is_name:
            return word
        corrected = self._speller.correct(word)
        return spelling.get(corrected, corrected)

    def _sentences(self, body: str) -> list[Sentence]:
        if (_ASCII_DIGIT_OR_SLASH if body.isascii() else _DIGIT_OR_SLASH).search(body):
            body = _MERIDIEM.sub(r" \1m ", body)
            if _GLUED.search(body):
                body = _MIXED_NUMBER.sub(r"\1 \2", body)
                body = _NUMBER_SPEAK.sub(lambda found: _NUMBER_SPEAK_MEANS[found.group().lower()], body)
        if "." in body and any(map(body.casefold().__contains__, _ABBREVIATION_ENDS)):
            body = _ABBREVIATION.sub(r"\1", body)
        if not body.isascii():
            body = _PICTURES.sub(" ; ", body)
        pieces = [*_SPLIT.split(body), ""]  # each with the stop behind it
        sentences: list[Sentence] = []
        for number in range(0, len(pieces), 2):
            if pieces[number]:
                sentences += self._piece_of(pieces[number], pieces[number + 1])
        return sentences

    def _spliced(self, clause: str) -> list[str]:
        """A clause cut where somebody else, or the same one again, does something: what stands behind a wish
        is no part of it."""
        if _SUBORDINATE.match(clause):
            return [clause]
        parts, begin = [], 0
        for cut in self._splice.finditer(clause):
            if not _ONLY_SOMEBODY.search(clause, begin, cut.start()):
                parts.append(clause[begin : cut.start()])
                begin = cut.end()
        return [*parts, clause[begin:]]

    def _piece(self, piece: str, stop: str) -> tuple[Sentence, ...]:
        """The clauses between two full stops, each a sentence of its own."""
        tokens = (_ASCII_WORD if piece.isascii() else _WORD).findall(piece)
        lowered = [token.casefold() for token in tokens]
        names = _names(tokens, lowered)
        written, right = self._written, self._as_written
        spelt = [word if word in right else written(word, word in names) for word in lowered]
        text = f" {' '.join(spelt).strip(' ,')} "
        if not _TEXT_SPEAK_WORDS.isdisjoint(lowered):
            text = _TEXT_SPEAK.sub(lambda found: _TEXT_SPEAK_MEANS[found.group()], text)
        clauses = [text]
        if _JOINS.search(text) or _LONG_RUN.search(text):
            clauses = [
                piece
                for clause in _CLAUSE.split(text)
                for part in _without_lead_in(clause)
                for piece in self._spliced(part)
            ]
        sentences = []
        for number, clause in enumerate(clauses, start=1):
            bare = clause.strip(" ,")
            if not bare:
                continue
            asked = _asks(f" {bare} ", stop if number == len(clauses) else "")
            said = f" {bare} ? " if asked else f" {bare} "
            sentences.append(Sentence(said, asked, tuple(said.split()), names))
        return tuple(sentences)


def _without_lead_in(clause: str) -> list[str]:
    """The few words before each of the first commas, and the rest."""
    parts: list[str] = []
    while len(parts) < _MOST_LEAD_INS and (found := _LEAD_IN.match(clause)) is not None:
        parts.append(found.group(1))
        clause = clause[found.end() :]
    return [*parts, clause]


def _asks(text: str, stop: str) -> bool:
    if stop.startswith("?"):
        return True
    first, _, rest = text[1:].partition(" ")
    if first in _ASKS:
        return True
    if first in _ASKS_BEFORE_A_SUBJECT and rest.partition(" ")[0] in _SUBJECTS:
        return True
    return bool(_REQUEST_SIGNS.search(text)) and any(
        sign in text and any(map(text.__contains__, told)) for sign, told in _REQUESTS.items()
    )


_FEW_NAMES: Final = 5
_SPEAKER: Final = frozenset({"i'm", "i'd", "i'll", "i've", "im"})


def _names(tokens: Sequence[str], lowered: Sequence[str]) -> frozenset[str]:
    """Words with a capital that do not begin the sentence; none where every word has one, or all letters do."""
    found = [
        lowered[number]
        for number, token in enumerate(tokens)
        if token[0].isupper()
        and number
        and len(token) > 1
        and not token.isupper()
        and lowered[number] not in _SPEAKER
    ]
    if not found or (len(found) > _FEW_NAMES and len(found) > 0.6 * len(tokens)):
        return frozenset()
    return frozenset(found).union([name.removesuffix("'s") for name in found])


_CLEARLY_FOREIGN: Final = 2


def frequent_words(said: Iterable[str], words: Words) -> dict[str, int]:
    """How many of these words are frequent in each language, by ISO 639-1 code."""
    scores: dict[str, int] = {}
    languages_of = words.languages_of
    for word in said:
        for code in languages_of.get(word if word.isascii() else _without_accents(word), ()):
            scores[code] = scores.get(code, 0) + 1
    return scores


def language(own_text: str, by_sentence: Iterable[Mapping[str, int]]) -> str | None:
    """ISO 639-1 code of the language most frequent words belong to; None when they are too few to tell.

    A sentence clearly in another language counts for the whole text: nobody would answer it. ``und``
    stands for a script the rules cannot read.
    """
    if not own_text.isascii():
        letters = [char for char in own_text if char.isalpha()]
        if letters and sum(char.isascii() for char in letters) < 0.7 * len(letters):
            return "und"
    total: dict[str, int] = {}
    for scores in by_sentence:
        if not scores:
            continue
        best = _best(scores)
        if best != "en" and scores[best] >= _CLEARLY_FOREIGN and scores[best] > scores.get("en", 0) * 2:
            return best
        for code, count in scores.items():
            total[code] = total.get(code, 0) + count
    return _best(total) if total else None


def _best(scores: Mapping[str, int]) -> str:
    """The language with most frequent words; English wins a tie, then the first by code."""
    most = max(scores.values())
    return "en" if scores.get("en") == most else min([code for code in scores if scores[code] == most])


def _without_accents(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
