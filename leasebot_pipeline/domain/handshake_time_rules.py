"""How leads name days, times and places in a list: patterns, and which method of the reader each belongs to. Data only."""

from __future__ import annotations

import re
from typing import Final

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
            "september sept sep", "october oct", "november nov", "december dec",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
ORDINALS: Final = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6}
NUMBERS: Final = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12,
}  # fmt: skip
PARTS: Final = {
    "morning": (0, 12 * 60),
    "mornings": (0, 12 * 60),
    "am": (0, 12 * 60),
    "afternoon": (12 * 60, 17 * 60),
    "afternoons": (12 * 60, 17 * 60),
    "evening": (17 * 60, 24 * 60),
    "evenings": (17 * 60, 24 * 60),
    "night": (17 * 60, 24 * 60),
    "lunchtime": (11 * 60 + 30, 14 * 60),
    "pm": (12 * 60, 24 * 60),
}
ZONES: Final = {
    name: zone_name
    for zone_name, names in (
        ("America/New_York", "est edt et eastern nyc"),
        ("America/Chicago", "cst cdt ct central"),
        ("America/Denver", "mst mdt mt mountain"),
        ("America/Los_Angeles", "pst pdt pt pacific"),
        ("America/Anchorage", "akst akdt alaska"),
        ("Pacific/Honolulu", "hst hawaii"),
        ("UTC", "utc gmt zulu"),
        ("Europe/London", "bst uk london"),
        ("Europe/Paris", "cet cest paris berlin"),
        ("Asia/Kolkata", "ist india"),
    )
    for name in names.split()
}


_MON: Final = "|".join(MONTHS)
_DAY: Final = "|".join(WEEKDAYS)
_NUM: Final = "|".join(NUMBERS)
_ORD: Final = "|".join(ORDINALS)
ONE: Final = r"(?: (?:one|option|slot|time|choice|window|opening|appointment|date|suggestion))"
_OF_THEM: Final = (
    r"(?: (?:out )?of (?:(?:the|your|all) )?(?:those|these|them|two|three|four|five|six|[2-6]|options|times|slots|dates"
    r"|ones|appointments|suggestions|choices|list)(?: (?:two|three|four|five|six|[2-6]|options|times|slots|dates|ones))?)"
)
_ON_THE_LIST: Final = (
    r"(?: (?:available|offered|listed|(?:on|in|from) (?:the|your|that) list"
    r"|you (?:listed|offered|suggested|gave|sent|proposed|mentioned)))"
)
_CLOCK: Final = r"(?P<{0}h>[01]?\d|2[0-4])(?:[:.](?P<{0}m>[0-5]\d))?(?: (?P<{0}ap>am|pm)| (?P<{0}oc>oclock))?"
_PACKED: Final = r"(?P<packed>[01]?\d[0-5]\d|2[0-3][0-5]\d)"


def _clock(name: str) -> str:
    return _CLOCK.format(name)


def whole(pattern: str) -> re.Pattern[str]:
    """The pattern, not within a longer word, number, date or time."""
    return re.compile(rf"(?<![\w@:/.]){pattern}(?![\w:/]|\.\d)")


# Number words where they are a time of day.
_WORDED: Final = (
    (re.compile(r"\bhalf past (\w+)"), ":30"),
    (re.compile(rf"\bhalf ({_NUM})\b"), ":30"),
    (re.compile(r"\bquarter past (\w+)"), ":15"),
    (re.compile(r"\bquarter (?:to|of|til|till) (\w+)"), "-:45"),
)
_WORDED_HOUR: Final = re.compile(
    rf"\b({_NUM})(?= (?:am|pm|oclock|ish|thirty|fifteen|forty five|in the (?:morning|afternoon|evening)|sharp))"
    rf"|(?:^|(?<=, )|(?<=yes )|(?<=ok ))({_NUM})(?= on (?:{_DAY}|the)\b)"
)
_WORDED_AT: Final = re.compile(
    rf"\b(at|around|about|by|after|before|until|till|from|between) ({_NUM})(?! (?:of|option|slot))\b"
)
_WORDED_DAY: Final = re.compile(
    rf"\b({_DAY}|tomorrow|today) ({_NUM.removeprefix('one|')})\b(?! (?:of|option|slot))"
)
_UNITS: Final = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth",
    "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth",
)  # fmt: skip
_WORDED_DATES: Final = {
    **{word: number for number, word in enumerate(_UNITS, start=1)},
    **{f"twenty {word}": 20 + number for number, word in enumerate(_UNITS[:9], start=1)},
    "thirtieth": 30,
    "thirty first": 31,
}
_NO_DATE: Final = r"(?! (?:floor|street|avenue|st|ave|thought|bedroom|bathroom|time|grade|year|week|month|half|of (?!@|(?:{months})\b))|{one})"
_WORDED_DATE: Final = re.compile(
    rf"\b(?:(?P<tens>twenty|thirty) (?:- )?)?(?P<unit>{'|'.join(sorted(_UNITS, key=len, reverse=True))}|thirtieth)\b"
    + _NO_DATE.format(months=_MON, one=ONE)
)
_WORDED_DATE_SIGN: Final = re.compile("th |th$|first|second|third|ieth")
_BEFORE_A_DATE: Final = re.compile(rf"(?:\b(?:{_DAY}|{_MON})(?: the)?|\bon the) $")
_A_NUMBER: Final = re.compile(_NUM)
_SPACED_MINUTES: Final = re.compile(r"\b(\d{1,2}) (30|15|45|00)(?= (?:am|pm)\b)")
_WORDED_MINUTES: Final = ((" thirty", ":30"), (" fifteen", ":15"), (" forty five", ":45"))


def _dated(match: re.Match[str]) -> str:
    """An ordinal in words as a date, where it is one: "the tenth", "the twenty-first", "Friday the second"."""
    number = _WORDED_DATES.get(" ".join(filter(None, (match["tens"], match["unit"]))))
    if number is None:
        return match[0]
    if number <= len(ORDINALS):  # as a rule the place in the list
        after = match.string[match.end() :]
        month = re.match(rf" of (?:{_MON})\b", after)
        if not month and not _BEFORE_A_DATE.search(match.string[: match.start()]):
            return match[0]
    return f"{number}th"


def digits(text: str) -> str:
    """Number words of times and dates as figures."""
    if _WORDED_DATE_SIGN.search(text):
        text = _WORDED_DATE.sub(_dated, text)
    for pattern, ending in _WORDED if "half" in text or "quarter" in text else ():

        def write(match: re.Match[str], ending: str = ending) -> str:
            word = match[1]
            hour = NUMBERS.get(word, int(word) if word.isdigit() and 1 <= int(word) <= 12 else None)
            if hour is None:
                return match[0]
            if ending.startswith("-"):
                return f"{hour - 1 or 12}{ending[1:]}"
            return f"{hour}{ending}"

        text = pattern.sub(write, text)
    if _A_NUMBER.search(text):
        text = _WORDED_HOUR.sub(lambda m: str(NUMBERS[m[1] or m[2]]), text)
        text = _WORDED_AT.sub(lambda m: f"{m[1]} {NUMBERS[m[2]]}", text)
        text = _WORDED_DAY.sub(lambda m: f"{m[1]} at {NUMBERS[m[2]]}", text)
    for words, figures in _WORDED_MINUTES:
        if words in text:
            text = re.sub(rf"\b(\d{{1,2}}){words}\b", rf"\1{figures}", text)
    return _SPACED_MINUTES.sub(r"\1:\2", text) if "m" in text else text


RULES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (whole(r"(?P<y>20\d\d)[-/.](?P<mo>\d{1,2})[-/.](?P<d>\d{1,2})"), "_iso_date"),
    (whole(r"(?P<mo>\d{1,2})/(?P<d>\d{1,2})(?:/(?P<y>\d{2,4}))?"), "_slashed"),
    (
        whole(rf"(?:the )?(?P<d>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<mon>{_MON})(?: (?P<y>20\d\d))?"),
        "_month_day",
    ),
    (
        whole(
            rf"(?P<mon>{_MON}) (?:the )?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?![:.]\d| (?:am|pm|oclock))(?: ,? ?(?P<y>20\d\d))?"
        ),
        "_month_day",
    ),
    (whole(r"(?:the )?day after tomorrow"), "_overmorrow"),
    (
        whole(r"(?:first thing|early)(?: in the)?(?: (?P<when>morning))?(?= @|$| tomorrow| on| \w+day)"),
        "_first_thing",
    ),
    (whole(r"today|this (?=morning|afternoon|evening)"), "_on_today"),
    (whole(r"tonight"), "_tonight"),
    (whole(r"tomorrow"), "_on_tomorrow"),
    (
        whole(rf"(?:(?P<next>next|following)|(?P<this>this|this coming|coming)) (?P<day>{_DAY})"),
        "_next_weekday",
    ),
    (whole(rf"(?:a week (?:from|on) )(?P<day>{_DAY})"), "_week_on"),
    (whole(rf"(?P<day>{_DAY}) (?:week|after next)"), "_week_on"),
    (whole(rf"(?P<day>{_DAY})(?P<plural>s)?"), "_weekday"),
    (whole(r"(?:(?:this|the|next) )?weekends?"), "_weekend"),
    (whole(r"weekdays?"), "_workdays"),
    (whole(r"next week"), "_next_week"),
    (whole(r"this week"), "_this_week"),
    (
        whole(
            r"(?:(?:i am|i will be|i get|we are|we get) (?:off|done|out|finished)(?: of| from| with)?(?: work| class| school)?"
            r"|(?:i|we) (?:finish|start|work|leave|teach)(?: work| class| school)?"
            r"|(?:my|our|his|her) (?:[a-z]+ |- ){1,4}?(?:ends?|starts?|finish|finishes|begins?|lands?|arrives?|gets in|gets out"
            r"|leaves?|departs?|is over|is not(?: over)?|does not (?:start|begin|end|finish)))"
            rf"(?: at| around| about| by| till| until| from| after| before){{1,2}} {_clock('a')}"
        ),
        "_aside",
    ),
    (whole(rf"(?P<word>between|from) {_clock('a')}(?: (?:and|to|-|until|till) ){_clock('b')}"), "_range"),
    (whole(rf"{_clock('a')} ?(?:-|to|until|till) ?{_clock('b')}"), "_range"),
    (whole(r"(?P<a>\d{1,2}(?:[:.]\d\d)?)-(?P<b>\d{1,2}(?:[:.]\d\d)?)(?: (?P<ap>am|pm))?"), "_dashed"),
    (
        whole(
            rf"(?P<word>after|past|from|any time after|anytime after|starting|later than|not before|before|by|until|till|earlier than|no later than|around|about|near|roughly|approx|approximately) {_clock('a')}(?: ish)?(?: onwards?| or (?:later|earlier|after|so))?"
        ),
        "_bounded",
    ),
    (whole(rf"{_clock('a')} (?P<word>ish|onwards?|or (?:later|after|so|earlier))"), "_bounded"),
    (whole(r"(?:at )?(?:12 )?(?P<noon>noon|midday|lunch ?time|lunch)"), "_noon"),
    (whole(r"(?:at )?midnight"), "_midnight"),
    (whole(r"(?:the )?(?P<h>[01]?\d|2[0-4])[:.](?P<m>[0-5]\d)(?: (?P<ap>am|pm))?"), "_clock_time"),
    (whole(r"(?:the )?(?P<h>\d{1,2})(?P<m>) (?P<ap>am|pm)"), "_clock_time"),
    (whole(r"(?:the )?(?P<packed>\d{3,4}) (?P<ap>am|pm)"), "_packed"),
    (whole(r"(?:the )?(?P<h>\d{1,2})(?P<m>) oclock(?P<ap>)"), "_clock_time"),
    (whole(r"at (?P<packed>\d{3,4})(?P<ap>)"), "_packed"),
    (whole(r"(?P<packed>\d{3,4})(?P<ap>)(?= (?:on )?@)"), "_packed"),
    (re.compile(r"(?P<keep>@\d+) (?P<packed>\d{3,4})(?P<ap>)(?![\w:/.])"), "_packed"),
    (whole(r"at (?P<h>\d{1,2})(?P<m>)(?P<ap>)"), "_clock_time"),
    (
        whole(
            rf"(?:option|number|slot|choice|no|nr|#|time) ?(?:no|number|#)? ?(?P<n>[1-9]|{_NUM})(?! (?:am|pm|oclock))"
        ),
        "_position",
    ),
    (whole(r"(?:option|slot|choice) (?P<letter>[a-f])"), "_letter"),
    (
        whole(
            rf"(?:the )?(?:(?:second|next|one) (?:to|from) (?:the )?last|second last|last but one|penultimate){ONE}?"
        ),
        "_penultimate",
    ),
    (
        whole(
            rf"(?:the )?(?:very )?(?P<ord>{_ORD})(?: (?:available|open|offered|listed))?{ONE}?{_OF_THEM}?{_ON_THE_LIST}?"
        ),
        "_ordinal",
    ),
    (
        whole(rf"(?:the )?(?P<n>\d{{1,2}})(?:st|nd|rd|th)(?:{ONE}{_OF_THEM}?|{_OF_THEM}){_ON_THE_LIST}?"),
        "_position",
    ),
    (
        whole(r"(?:the )?(?P<n>\d{1,2})(?:st|nd|rd|th)(?! (?:floor|street|st|avenue|ave|grade|year)\b)"),
        "_day_or_position",
    ),
    (
        whole(
            rf"(?:the )?(?:very )?(?P<rank>last|final|bottom|latest|earliest|soonest|top|middle|later|earlier|former|latter|sooner)(?:{ONE}{_OF_THEM}?{_ON_THE_LIST}?|{_OF_THEM}{_ON_THE_LIST}?|{_ON_THE_LIST})"
        ),
        "_rank",
    ),
    (
        whole(
            r"the (?P<rank>last|latest|earliest|soonest|later|earlier|former|latter|sooner)(?: (?:available|possible))?(?= @| of the @| on @|$| ,| please| works| is| would| will| thanks| sounds| that| you)"
        ),
        "_rank",
    ),
    (
        whole(
            r"(?P<rank>earliest|soonest|latest|first|last|former|latter)(?: (?:available|possible|you have))?(?= @|$| ,| please| works)"
        ),
        "_rank",
    ),
    (whole(rf"(?:the )?other{ONE}?(?= @|$| ,| is| works| would| please| then| instead| on)"), "_other"),
    (
        whole(r"(?:(?:in|during) )?(?:the |that )?(?P<part>mornings?|afternoons?|evenings?|night|lunchtime)"),
        "_part",
    ),
    (whole(r"(?:after|outside) (?:work|office hours|5 oclock)"), "_after_work"),
    (whole(r"end of (?:the )?day"), "_end_of_day"),
    (whole(rf"(?:{'|'.join(ZONES)})(?: (?:standard |daylight )?time)?"), "_zone"),
    (whole(r"my (?:local )?time|here in [a-z]+"), "_own_zone"),
    (re.compile(r"(?P<keep>@\d+ (?:or|and)) (?P<h>\d{1,2})(?= |$)"), "_hour_after_time"),
    (
        re.compile(r"(?P<keep>@\d+) (?P<h>\d{1,2})(?= |$)(?! (?:am|pm|oclock|people|minutes|of us))"),
        "_hour_after_day",
    ),
    (
        whole(
            r"(?:the )?(?P<n>\d{1,2})(?! (?:minutes|min|hours|people|of us|months|month|days|weeks|years|year|bed|bedroom|bedrooms|cats?|dogs?|kids|roommates|k|percent|blocks|miles|hour|day|week|dollars|adults|persons|other|cat|dog|more|friends))"
        ),
        "_bare",
    ),
    (whole(rf"(?<=^)(?P<n>{_NUM})(?=$| please| works| is| would| thanks| sounds| ,)"), "_bare_word"),
)
"""Pattern and the reader's method that makes the mention; longest names first."""
