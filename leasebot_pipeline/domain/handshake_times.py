"""What a sentence names: days, times, parts of a day, positions, agents; and which slots each fits. Pure.

A name may have several readings ("2" is two o'clock or the second slot). A slot fits when any of them does, so
that a doubtful name fits several slots and nobody guesses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from leasebot_pipeline.domain.handshake_time_rules import (
    MONTHS,
    NUMBERS,
    ONE,
    ORDINALS,
    PARTS,
    RULES,
    WEEKDAYS,
    ZONES,
    digits,
    whole,
)
from leasebot_pipeline.domain.slots import Slot, zone

Kind = Literal["day", "date", "time", "part", "position", "bare", "agent", "rank", "other", "zone", "aside"]


class OfferedSlot(NamedTuple):
    """A slot of the offer as its reader sees it: by the clock of its zone, in minutes after midnight."""

    position: int
    slot: Slot
    day: date
    minute: int
    end_minute: int


@lru_cache(maxsize=4096)  # a unit's times are offered to many leads
def offered_slot(position: int, slot: Slot) -> OfferedSlot:
    local = slot.starts_at.astimezone(zone(slot.timezone))
    minute = local.hour * 60 + local.minute
    length = int((slot.ends_at - slot.starts_at).total_seconds() // 60)
    return OfferedSlot(position, slot, local.date(), minute, minute + length)


Test = Callable[[OfferedSlot], bool]


class Wish(NamedTuple):
    """What a lead's own proposal asks for, as far as it was said; in the zone of the offer."""

    days: frozenset[date] = frozenset()
    weekdays: frozenset[int] = frozenset()
    minutes: frozenset[int] = frozenset()
    """Wanted starts, in minutes after midnight."""
    window: tuple[int, int] | None = None
    """Wanted part of the day: from, before."""
    converted: bool = False
    """The times were given in another zone."""

    @property
    def anything(self) -> bool:
        return bool(self.days or self.weekdays or self.minutes or self.window)

    def distance(self, slot: Slot) -> tuple[int, int, datetime]:
        """How far a slot lies from the wish: days, then minutes, then the earlier one."""
        local = slot.starts_at.astimezone(zone(slot.timezone))
        minute = local.hour * 60 + local.minute
        days = 0
        if self.days:
            days = min(abs((local.date() - wanted).days) for wanted in self.days)
        elif self.weekdays:
            ahead = min((local.weekday() - wanted) % 7 for wanted in self.weekdays)
            days = min(ahead, 7 - ahead)
        minutes = 0
        if self.minutes:
            minutes = min(abs(minute - wanted) for wanted in self.minutes)
        elif self.window:
            low, high = self.window
            minutes = max(low - minute, minute - high + 1, 0)
        return days, minutes, slot.starts_at

    def met_by(self, slot: Slot) -> bool:
        return self.anything and self.distance(slot)[:2] == (0, 0)


class Mention(NamedTuple):
    """One name of a slot. ``fuzzy``: only a range or a rough time, so that a fit is a match, not a choice."""

    kind: Kind
    words: str
    test: Test
    fuzzy: bool = False
    unfit: bool = False
    """It fits nothing by its own nature, e.g. a time in another zone."""
    wish: Wish = Wish()


class Marked(NamedTuple):
    """A sentence with every mention replaced by ``@<number>``."""

    text: str
    asked: bool
    mentions: tuple[Mention, ...]


def minutes_of(hour: int, minute: int, meridiem: str | None) -> frozenset[int]:
    """Possible minutes after midnight of a clock time; without am or pm both halves of the day."""
    if minute > 59 or hour > 24:
        return frozenset()
    if meridiem:
        if not 1 <= hour <= 12:
            return frozenset({hour * 60 + minute}) if hour < 24 else frozenset()
        return frozenset({(hour % 12 + (12 if meridiem == "pm" else 0)) * 60 + minute})
    if hour == 0 or hour > 12:
        return frozenset({hour % 24 * 60 + minute})
    return frozenset({hour % 12 * 60 + minute, (hour % 12 + 12) * 60 + minute})


class Reader:
    """Finds the mentions of sentences, for one offer at one moment."""

    def __init__(
        self,
        offer: Sequence[OfferedSlot],
        now: datetime | None,
        zone_name: str | None = None,
        *,
        any_day: bool = False,
    ) -> None:
        self._offer = offer
        name = offer[0].slot.timezone if offer else (zone_name or "UTC")
        self.zone: ZoneInfo = zone(name) or ZoneInfo("UTC")
        # Without a clock "tomorrow" means nothing, but a date's year is still plain from the offer.
        self._clockless = now is None
        self._any_day = any_day
        known = now or min((slot.slot.starts_at for slot in offer), default=_EPOCH)
        self._now = known.astimezone(self.zone)
        self._today = self._now.date()
        self._agents = _agent_words(tuple([slot.slot.agent_name for slot in offer]))
        self._mentions: list[Mention] = []

    def mark(self, text: str, *, asked: bool) -> Marked:
        """The sentence with its mentions taken out."""
        text, rules = _worth_trying(text)
        self._mentions = []
        if any(map(text.__contains__, self._agents)):
            rules = ((_agent_pattern(tuple(self._agents)), "_agent"), *rules)
        for pattern, name in rules:
            if pattern.search(text) is None:
                continue
            make: _Maker = getattr(self, name)

            def put(match: re.Match[str], make: _Maker = make) -> str:
                mention = make(match)
                if mention is None:
                    return match[0]
                made = (mention,) if isinstance(mention, Mention) else mention
                self._mentions.extend(made)
                first = len(self._mentions) - len(made)
                kept = match.groupdict().get("keep")
                marks = " ".join(f"@{first + offset}" for offset in range(len(made)))
                return f"{kept} {marks}" if kept else marks

            text = pattern.sub(put, text)
        return Marked(" ".join(text.split()), asked, tuple(self._mentions))

    def _overmorrow(self, match: re.Match[str]) -> Mention:
        return self._dates(match[0], {self._today + timedelta(days=2)}, relative=True)

    def _on_today(self, match: re.Match[str]) -> Mention:
        return self._dates(match[0], {self._today}, relative=True)

    def _on_tomorrow(self, match: re.Match[str]) -> Mention:
        return self._dates(match[0], {self._today + timedelta(days=1)}, relative=True)

    def _workdays(self, match: re.Match[str]) -> Mention:
        return self._weekdays(match[0], range(5))

    def _aside(self, match: re.Match[str]) -> Mention:
        """A time of the lead's day that is no time for a visit: "I get off at 5", "my class isn't until 3"."""
        return Mention("aside", match[0], lambda _s: True)

    def _midnight(self, match: re.Match[str]) -> Mention:
        return self._times(match[0], frozenset({0}))

    def _after_work(self, match: re.Match[str]) -> Mention:
        return self._window(match[0], (17 * 60, 24 * 60), fuzzy=True)

    def _end_of_day(self, match: re.Match[str]) -> Mention:
        return self._window(match[0], (16 * 60, 24 * 60), fuzzy=True)

    def _own_zone(self, match: re.Match[str]) -> Mention:
        return Mention("zone", match[0], lambda _s: True, fuzzy=True)

    def _dates(self, words: str, days: set[date], *, relative: bool = False) -> Mention:
        wanted = frozenset(days)
        unfit = relative and self._clockless
        if unfit and self._any_day:
            return Mention("date", words, lambda _s: True)
        wish = Wish() if unfit else Wish(days=wanted)
        return Mention("date", words, lambda s: s.day in wanted, unfit=unfit, wish=wish)

    def _weekdays(self, words: str, days: Iterable[int]) -> Mention:
        wanted = frozenset(days)
        return Mention("day", words, lambda s: s.day.weekday() in wanted, wish=Wish(weekdays=wanted))

    def _times(self, words: str, minutes: frozenset[int], *, fuzzy: bool = False) -> Mention:
        return Mention("time", words, lambda s: s.minute in minutes, fuzzy=fuzzy, wish=Wish(minutes=minutes))

    def _window(self, words: str, window: tuple[int, int], *, fuzzy: bool = False) -> Mention:
        low, high = window
        return Mention("part", words, lambda s: low <= s.minute < high, fuzzy=fuzzy, wish=Wish(window=window))

    def _date(self, year: str | None, month: int, day: int) -> date | None:
        """The nearest such date that is not long past."""
        if year:
            full = int(year) + (2000 if int(year) < 100 else 0)
            return _safe_date(full, month, day)
        this = _safe_date(self._today.year, month, day)
        if this is not None and this < self._today - timedelta(days=60):
            return _safe_date(self._today.year + 1, month, day)
        return this

    def _iso_date(self, match: re.Match[str]) -> Mention | None:
        found = _safe_date(int(match["y"]), int(match["mo"]), int(match["d"]))
        return self._dates(match[0], {found}) if found else None

    def _slashed(self, match: re.Match[str]) -> Mention | None:
        first, second = int(match["mo"]), int(match["d"])
        american = self._date(match["y"], first, second)
        european = self._date(match["y"], second, first)
        offered = {s.day for s in self._offer}
        if american is None or (european in offered and american not in offered):
            american = european
        return self._dates(match[0], {american}) if american else None

    def _month_day(self, match: re.Match[str]) -> Mention | None:
        found = self._date(match["y"], MONTHS[match["mon"]], int(match["d"]))
        return self._dates(match[0], {found}) if found else None

    def _tonight(self, match: re.Match[str]) -> tuple[Mention, Mention]:
        return self._dates(match[0], {self._today}, relative=True), self._window(match[0], PARTS["evening"])

    def _weekday(self, match: re.Match[str]) -> Mention:
        return self._weekdays(match[0], {WEEKDAYS.index(match["day"])})

    def _next_weekday(self, match: re.Match[str]) -> Mention:
        day = WEEKDAYS.index(match["day"])
        monday = self._today - timedelta(days=self._today.weekday())
        nearest = self._today + timedelta(days=(day - self._today.weekday()) % 7 or 7)
        if match["next"]:
            # "Next Tuesday" is the one of the coming week, or, for some, simply the nearest: only where both agree
            # is it a choice.
            coming = monday + timedelta(days=7 + day)
            if coming == nearest or match["next"] == "following":
                return self._dates(match[0], {coming}, relative=True)
            both = frozenset({coming, nearest})
            return Mention(
                "day", match[0], lambda s: s.day in both, fuzzy=True, wish=Wish(days=frozenset({coming}))
            )
        days = {nearest, self._today} if self._today.weekday() == day else {nearest}
        return self._dates(match[0], days, relative=True)

    def _week_on(self, match: re.Match[str]) -> Mention:
        day = WEEKDAYS.index(match["day"])
        nearest = self._today + timedelta(days=(day - self._today.weekday()) % 7 or 7)
        return self._dates(match[0], {nearest + timedelta(days=7)}, relative=True)

    def _weekend(self, match: re.Match[str]) -> Mention:
        if match[0].startswith("next"):
            monday = self._today - timedelta(days=self._today.weekday())
            weekend = {monday + timedelta(days=12), monday + timedelta(days=13)}
            return self._dates(match[0], weekend, relative=True)
        return self._weekdays(match[0], {5, 6})

    def _next_week(self, match: re.Match[str]) -> Mention:
        monday = self._today - timedelta(days=self._today.weekday())
        return self._dates(match[0], {monday + timedelta(days=7 + n) for n in range(7)}, relative=True)

    def _this_week(self, match: re.Match[str]) -> Mention:
        monday = self._today - timedelta(days=self._today.weekday())
        return self._dates(match[0], {monday + timedelta(days=n) for n in range(7)}, relative=True)

    def _first_thing(self, match: re.Match[str]) -> Mention | None:
        if _NO_MORNING.search(match.string[: match.start()]):
            return None  # "ten minutes early", "I can leave early"
        morning = PARTS["morning"]
        return Mention(
            "part",
            match[0],
            lambda s: morning[0] <= s.minute < morning[1],
            fuzzy=True,
            wish=Wish(window=(0, 10 * 60)),
        )

    def _range(self, match: re.Match[str]) -> Mention | None:
        word = match.groupdict().get("word")
        begin, end = _ends(match)
        return self._span(match[0], begin, end, loose=word == "between")

    def _dashed(self, match: re.Match[str]) -> Mention | None:
        sides = [part.replace(".", ":").partition(":") for part in (match["a"], match["b"])]
        (h1, _, m1), (h2, _, m2) = sides
        end = minutes_of(int(h2), int(m2 or 0), match["ap"])
        begin = _before(minutes_of(int(h1), int(m1 or 0), None), end, match["ap"])
        return self._span(match[0], begin, end, loose=False)

    def _span(self, words: str, begin: frozenset[int], end: frozenset[int], *, loose: bool) -> Mention | None:
        if not begin or not end:
            return None
        spans = [(a, b) for a in begin for b in end if 0 < b - a <= 8 * 60]
        exact = {a for a, b in spans if any(s.minute == a and s.end_minute == b for s in self._offer)}
        if exact and not loose:
            return self._times(words, frozenset(exact))
        if not spans:
            return None
        shortest = min(b - a for a, b in spans)
        kept = [(a, b) for a, b in spans if b - a == shortest]
        return Mention(
            "time",
            words,
            lambda s: any(a <= s.minute and s.end_minute <= b for a, b in kept),
            fuzzy=True,
            wish=Wish(minutes=frozenset(a for a, _ in kept if a >= 7 * 60) or frozenset(a for a, _ in kept)),
        )

    def _bounded(self, match: re.Match[str]) -> Mention | None:
        word = match["word"]
        tail = match[0].rsplit(" or ", 1)[-1] if " or " in match[0] else ""
        minutes = minutes_of(int(match["ah"]), int(match["am"] or 0), match["aap"])
        likely = _likely(minutes)
        if not minutes:
            return None
        later = word in (
            "after",
            "past",
            "from",
            "any time after",
            "anytime after",
            "starting",
            "later than",
            "not before",
        )
        if later or word.startswith("onward") or tail in ("later", "after"):
            low = min(likely) + (word == "later than")
            return Mention(
                "time", match[0], lambda s: s.minute >= low, fuzzy=True, wish=Wish(window=(low, 24 * 60))
            )
        if word in ("before", "by", "until", "till", "earlier than", "no later than") or tail == "earlier":
            high = min(likely) + (word == "by")  # who comes "by four" comes at four
            return Mention(
                "time", match[0], lambda s: s.minute < high, fuzzy=True, wish=Wish(window=(0, high))
            )
        return Mention(
            "time",
            match[0],
            lambda s: any(abs(s.minute - m) <= 30 for m in minutes),
            fuzzy=True,
            wish=Wish(minutes=likely),
        )

    def _noon(self, match: re.Match[str]) -> Mention:
        if match["noon"] in ("noon", "midday"):
            return self._times(match[0], frozenset({12 * 60}))
        return self._window(match[0], PARTS["lunchtime"])

    def _clock_time(self, match: re.Match[str]) -> Mention | None:
        hour = int(match["h"])
        minutes = minutes_of(hour, int(match["m"] or 0), match["ap"] or None)
        return self._times(match[0], minutes) if minutes and hour <= 24 else None

    def _packed(self, match: re.Match[str]) -> Mention | None:
        packed = match["packed"]
        minutes = minutes_of(int(packed[:-2]), int(packed[-2:]), match["ap"] or None)
        return self._times(match[0], minutes) if minutes else None

    def _hour_after_time(self, match: re.Match[str]) -> Mention | None:
        if self._mentions[int(match["keep"][1:].split()[0])].kind != "time":
            return None
        minutes = minutes_of(int(match["h"]), 0, None)
        return self._times(match["h"], minutes) if minutes else None

    def _hour_after_day(self, match: re.Match[str]) -> Mention | None:
        if self._mentions[int(match["keep"][1:])].kind not in ("day", "date"):
            return None
        minutes = minutes_of(int(match["h"]), 0, None)
        return self._times(match["h"], minutes) if minutes else None

    def _position(self, match: re.Match[str]) -> Mention:
        word = match["n"]
        wanted = NUMBERS.get(word) or int(word)
        return Mention("position", match[0], lambda s: s.position == wanted)

    def _penultimate(self, match: re.Match[str]) -> Mention:
        wanted = len(self._offer) - 1
        return Mention("position", match[0], lambda s: s.position == wanted)

    def _letter(self, match: re.Match[str]) -> Mention:
        wanted = ord(match["letter"]) - ord("a") + 1
        return Mention("position", match[0], lambda s: s.position == wanted)

    def _ordinal(self, match: re.Match[str]) -> Mention | None:
        rest = match.string[match.end() :].strip()
        plain = match[0].replace("the ", "").strip() == match["ord"]
        if _OWN.search(match.string[: match.start()]):
            return None  # "my first choice", "a second"
        if match[0].endswith("choice") and "@" in match.string:
            return None  # "Saturday first choice, Thursday second choice"
        if plain and match["ord"] == "second" and rest.startswith("thought"):
            return None
        if plain and rest and not _ENDS_CHOICE.match(rest):
            return None
        wanted = ORDINALS[match["ord"]]
        return Mention("position", match[0], lambda s: s.position == wanted)

    def _day_or_position(self, match: re.Match[str]) -> Mention:
        wanted = int(match["n"])
        wish = Wish(days=frozenset(d for d in [self._coming(wanted)] if d))
        return Mention("date", match[0], lambda s: wanted in (s.position, s.day.day), wish=wish)

    def _coming(self, day: int) -> date | None:
        for ahead in range(62):
            candidate = self._today + timedelta(days=ahead)
            if candidate.day == day:
                return candidate
        return None

    def _rank(self, match: re.Match[str]) -> Mention | None:
        if _ANY_ONE.search(match.string[: match.start()]):
            return None  # "a later one": not one of the list
        named = re.match(r" @(\d+)", match.string[match.end() :])
        if match[0] == "last" and named and self._mentions[int(named[1])].kind == "day":
            return None  # "last Friday" is past
        return Mention("rank", match["rank"], lambda _s: True)

    def _other(self, match: re.Match[str]) -> Mention:
        return Mention("other", match[0], lambda _s: True)

    def _part(self, match: re.Match[str]) -> Mention | None:
        if match.string[: match.start()].rstrip().endswith("good"):
            return None  # a greeting
        return self._window(match[0], PARTS[match["part"]])

    def _zone(self, match: re.Match[str]) -> Mention | None:
        name = match[0].split()[0]
        if name in (
            "central",
            "mountain",
            "pacific",
            "eastern",
            "london",
            "paris",
            "berlin",
            "alaska",
            "hawaii",
            "india",
            "uk",
            "nyc",
        ):
            before = match.string[: match.start()].rstrip()
            if not (match[0].endswith("time") or re.search(r"(?:@\d+|\d)$", before)):
                return None
        other = ZoneInfo(ZONES[name])
        at = self._offer[0].slot.starts_at if self._offer else self._now
        same = at.astimezone(other).utcoffset() == at.astimezone(self.zone).utcoffset()
        if same or name in _COLLOQUIAL.get(self.zone.key, ()):
            return Mention("zone", match[0], lambda _s: True)
        shift = (at.astimezone(self.zone).utcoffset() or timedelta()) - (
            at.astimezone(other).utcoffset() or timedelta()
        )
        return Mention(
            "zone",
            match[0],
            lambda _s: False,
            unfit=True,
            wish=Wish(minutes=frozenset({int(shift.total_seconds() // 60)})),
        )

    def _agent(self, match: re.Match[str]) -> Mention:
        wanted = self._agents[next(filter(None, match.groups()))]
        return Mention("agent", match[0], lambda s: s.position in wanted)

    def _bare(self, match: re.Match[str]) -> Mention | None:
        number = int(match["n"])
        return self._bare_number(match[0], number)

    def _bare_word(self, match: re.Match[str]) -> Mention | None:
        return self._bare_number(match[0], NUMBERS[match["n"]])

    def _bare_number(self, words: str, number: int) -> Mention | None:
        if number > 31 or number == 0:
            return None
        minutes = minutes_of(number, 0, None) if number <= 24 else frozenset()
        likely = Wish(minutes=_likely(minutes)) if number <= 12 else Wish()
        return Mention(
            "bare",
            words,
            lambda s: number in (s.position, s.day.day) or s.minute in minutes,
            wish=likely,
        )


_OF_FIGURES: Final = frozenset(
    {
        "_iso_date",
        "_slashed",
        "_month_day",
        "_range",
        "_dashed",
        "_bounded",
        "_clock_time",
        "_packed",
        "_bare",
        "_aside",
    }
    | {"_hour_after_day", "_hour_after_time", "_day_or_position"}
)
"""Rules that find nothing in a sentence without a figure."""
_SIGNS: Final[dict[str, tuple[str, ...]]] = {
    "_overmorrow": ("after tomorrow",),
    "_first_thing": ("first thing", "early"),
    "_on_today": ("today", "this "),
    "_tonight": ("tonight",),
    "_on_tomorrow": ("tomorrow",),
    "_next_weekday": ("day",),
    "_week_on": ("day",),
    "_weekday": ("day",),
    "_weekend": ("weekend",),
    "_workdays": ("weekday",),
    "_next_week": ("next week",),
    "_this_week": ("this week",),
    "_noon": ("noon", "midday", "lunch"),
    "_midnight": ("midnight",),
    "_letter": ("option ", "slot ", "choice "),
    "_ordinal": tuple(ORDINALS),
    "_rank": (
        *("last", "final", "bottom", "latest", "earliest", "soonest", "top", "middle", "later", "earlier"),
        *("former", "latter", "sooner", "first"),
    ),
    "_penultimate": ("last", "penultimate"),
    "_other": ("other",),
    "_part": ("morning", "afternoon", "evening", "night", "lunchtime"),
    "_after_work": ("after", "outside"),
    "_end_of_day": ("end of",),
    "_own_zone": ("my ", "here in "),
    "_bare_word": tuple(NUMBERS),
}
"""Of what must stand in a sentence for a rule to find anything, one: looked for before its pattern is tried."""
_ANY_SIGN: Final = re.compile(
    "|".join(map(re.escape, sorted({*ZONES, *(word for words in _SIGNS.values() for word in words)})))
)
"""Without figures and without all of these, a sentence names nothing."""


@lru_cache(maxsize=8192)  # leads write the same sentences again and again
def _worth_trying(text: str) -> tuple[str, Sequence[tuple[re.Pattern[str], str]]]:
    """The sentence with figures for number words, and the rules that may find something in it."""
    text = digits(text)
    figures = any(map(str.isdigit, text))
    if not figures and not _ANY_SIGN.search(text):
        return text, ()
    return text, [
        (pattern, name)
        for pattern, name in RULES
        if (figures or name not in _OF_FIGURES)
        and (name not in _SIGNS or any(map(text.__contains__, _SIGNS[name])))
    ]


_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
_Maker = Callable[[re.Match[str]], "Mention | tuple[Mention, ...] | None"]
_ENDS_CHOICE: Final = re.compile(
    r"(?:,|-|@|of the @|one|option|slot|please|pls|works?|is|would|will|sounds|suits|thanks|thank|then|looks|if|and|for|on|that|you|do|good|great|fine|not|or|\(|$)"
)
_ANY_ONE: Final = re.compile(r"\b(?:an?|any|some|something|slightly|bit) $")
_NO_MORNING: Final = re.compile(r"\b(?:minutes?|mins?|bit|little|be|leave|finish|quite|too|so|few) $")
_OWN: Final = re.compile(r"\b(?:my|our|a|his|her) $")
_COLLOQUIAL: Final = {
    "America/New_York": ("est", "edt", "et", "eastern", "nyc"),
    "America/Chicago": ("cst", "cdt", "ct", "central"),
    "America/Denver": ("mst", "mdt", "mt", "mountain"),
    "America/Phoenix": ("mst", "mdt", "mt", "mountain"),
    "America/Los_Angeles": ("pst", "pdt", "pt", "pacific"),
    "Europe/London": ("bst", "gmt", "uk", "london"),
}
"""Names people give the time of their own region all year, whether or not daylight saving is on."""


def _likely(minutes: frozenset[int]) -> frozenset[int]:
    """Of both halves of the day the one somebody would view a room in."""
    daytime = frozenset(m for m in minutes if 8 * 60 <= m < 20 * 60)
    return daytime or minutes


def _before(begin: frozenset[int], end: frozenset[int], meridiem: str | None) -> frozenset[int]:
    """The begin of a range, in the half of the day its end is in where that is possible."""
    if not meridiem:
        return begin
    near = frozenset(a for a in begin for b in end if 0 < b - a <= 6 * 60)
    return near or begin


def _ends(match: re.Match[str]) -> tuple[frozenset[int], frozenset[int]]:
    end = minutes_of(int(match["bh"]), int(match["bm"] or 0), match["bap"])
    begin = minutes_of(int(match["ah"]), int(match["am"] or 0), match["aap"])
    if not match["aap"]:
        begin = _before(begin, end, match["bap"])
    return begin, end


def _safe_date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


@lru_cache(maxsize=256)  # a pattern of each team, not of each message
def _agent_pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join(map(re.escape, words))
    return whole(
        rf"(?:(?:with|by|meet) ({names})|({names})(?= (?:{'|'.join(WEEKDAYS)}){ONE})|(?<=^)({names})(?= on )"
        rf"|({names})(?: is)?{ONE}|(?<=\( )({names}))"
    )


@lru_cache(maxsize=256)
def _agent_words(agents: tuple[str | None, ...]) -> Mapping[str, frozenset[int]]:
    """First and full names of the offered agents, with the positions of their slots."""
    found: dict[str, set[int]] = {}
    for position, agent in enumerate(agents, start=1):
        name = " ".join((agent or "").casefold().split())
        if name:
            for word in {name, name.split()[0]}:
                if len(word) > 2:
                    found.setdefault(word, set()).add(position)
    return {word: frozenset(found[word]) for word in sorted(found, key=len, reverse=True)}


def time_rules() -> list[str]:
    """All patterns of this module with what they make, for the reader's version."""
    return [f"{name}={pattern.pattern}" for pattern, name in RULES]
