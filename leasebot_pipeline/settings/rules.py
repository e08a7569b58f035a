"""How the text of a variable becomes a value, and what is said when it can't.

Every message states the rule and never the text: whoever reads the error may not be allowed to read the value.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.settings.secret_file import MIN_SECRET_LENGTH

TRUE_WORDS: Final = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS: Final = frozenset({"0", "false", "no", "off"})

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,15}")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,15}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})")
_LOCALE: Final = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_EMAIL: Final = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+\.[^@\s<>,;]+")
_SENDER: Final = re.compile(r"[^<>]*<([^<>]+)>")
_BLANK_OR_CONTROL: Final = re.compile(r"[\s\x00-\x1f\x7f]")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_POSTGRES_SCHEMES: Final = ("postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2")


@dataclass(frozen=True, slots=True)
class Rule:
    """Parser of one variable, put into ``Annotated``.

    ``parse`` takes the text and raises ValueError with the rule it broke. ``values`` says in the documents what
    is allowed. With ``credential`` a placeholder such as ``change-me`` counts as not set.
    """

    parse: Callable[[str], object]
    values: str = ""
    credential: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._apply, handler(source))

    def _apply(self, value: object) -> object:
        return self.parse(value) if isinstance(value, str) else value


def is_placeholder(value: str) -> bool:
    """True for the texts an example file puts where a credential belongs."""
    plain = value.strip().casefold()
    return plain == "change-me" or plain.startswith(("replace-with-", "your-"))


def _boolean(text: str) -> bool:
    word = text.strip().casefold()
    if word in TRUE_WORDS or word in FALSE_WORDS:
        return word in TRUE_WORDS
    raise ValueError("must be one of 1, true, yes, on, 0, false, no, off")


BOOLEAN: Final = Rule(_boolean, "1/true/yes/on or 0/false/no/off")
EXACTLY_ONE: Final = Rule(lambda text: text.strip() == "1", "only `1` turns it on")
UNLESS_ZERO: Final = Rule(lambda text: text.strip() != "0", "only `0` turns it off")


MONTH_MS: Final = 30 * 24 * 3_600_000
"""Longest span anything here is given; more is a slip, and would overflow where it is added to an instant."""


def _range(minimum: int | None, maximum: int | None) -> str:
    if minimum is not None and maximum is not None:
        return f" from {minimum} to {maximum}"
    return f" of at least {minimum}" if minimum is not None else ""


def whole(minimum: int | None = None, maximum: int | None = None) -> Rule:
    """A whole number within bounds."""
    wanted = f"whole number{_range(minimum, maximum)}"

    def parse(text: str) -> int:
        plain = text.strip()
        if _WHOLE.fullmatch(plain):
            value = int(plain)
            if (minimum is None or value >= minimum) and (maximum is None or value <= maximum):
                return value
        raise ValueError(f"must be a {wanted}")

    return Rule(parse, wanted)


def _decimal(text: str) -> float | None:
    plain = text.strip()
    return float(plain) if _NUMBER.fullmatch(plain) else None


def clamped(minimum: int, maximum: int) -> Rule:
    """A number, floored and then moved into the bounds rather than refused."""

    def parse(text: str) -> int:
        value = _decimal(text)
        if value is None:
            raise ValueError("must be a number")
        return min(maximum, max(minimum, math.floor(value)))

    return Rule(parse, f"number; moved into the bounds {minimum} to {maximum}")


def decimal(maximum: int, *, zero: bool = False) -> Rule:
    """A number above 0 (or 0 itself, with ``zero``), possibly with a fraction."""
    wanted = f"number{_range(0, maximum)}" if zero else f"number above 0, at most {maximum}"

    def parse(text: str) -> float:
        value = _decimal(text)
        if value is None or not 0 <= value <= maximum or (value == 0 and not zero):
            raise ValueError(f"must be a {wanted}")
        return value

    return Rule(parse, wanted)


def _rounded_positive(text: str) -> int:
    value = _decimal(text)
    if value is None or not 0 < value <= MONTH_MS:
        raise ValueError(f"must be a number above 0, at most {MONTH_MS}")
    return max(1, math.floor(value + 0.5))


ROUNDED_POSITIVE: Final = Rule(_rounded_positive, f"number above 0, at most {MONTH_MS}; rounded")
PORT: Final = whole(1, 65535)
MILLISECONDS: Final = whole(1, MONTH_MS)
MILLISECONDS_OR_0: Final = whole(0, MONTH_MS)


def choice(**meanings: str) -> Rule:
    """One of some words, whatever their case; each is given with the value it stands for."""
    words = ", ".join(meanings)

    def parse(text: str) -> str:
        value = meanings.get(text.strip().casefold())
        if value is None:
            raise ValueError(f"must be one of {words}")
        return value

    return Rule(parse, words)


def _text(text: str) -> str:
    plain = text.strip()
    if "\x00" in plain:
        raise ValueError("must not hold a NUL character")
    return plain


TEXT: Final = Rule(_text, "text")
SECRET: Final = Rule(lambda text: text, "text", credential=True)
LOGIN: Final = Rule(_text, "text", credential=True)


def _secret_list(text: str) -> str:
    """The items, joined again: a secret stays one hidden text. Short ones would let anybody sign a cookie."""
    items = _items(text)
    if any(len(item) < MIN_SECRET_LENGTH for item in items):
        raise ValueError(f"must list secrets of at least {MIN_SECRET_LENGTH} characters")
    return ",".join(items)


SECRET_LIST: Final = Rule(_secret_list, "comma list of secrets", credential=True)


def _single_word(what: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        plain = text.strip()
        if not plain or _BLANK_OR_CONTROL.search(plain):
            raise ValueError(f"must be {what}, without blanks")
        return plain

    return parse


NAME: Final = Rule(_single_word("a name"), "name without blanks")


def _host(text: str) -> str:
    plain = text.strip()
    if not plain or "/" in plain or "@" in plain or _BLANK_OR_CONTROL.search(plain):
        raise ValueError("must be a host name or an address, without scheme or path")
    return plain


HOST: Final = Rule(_host, "host name or address")


def _path(text: str) -> Path:
    plain = _text(text)
    try:
        return Path(plain).expanduser()
    except RuntimeError:
        raise ValueError("must not name the home of an unknown user") from None


PATH: Final = Rule(_path, "path")
PROFILE_PATH: Final = Rule(_path, "directory", credential=True)


def _file_text(text: str) -> tuple[Path, str]:
    path = _path(text)
    try:
        if not path.is_file():
            raise ValueError("must name a file that exists")
        return path, path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"must name a file that can be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError("must name a file of UTF-8 text") from None


TEXT_FILE: Final = Rule(lambda text: _file_text(text)[0], "file of UTF-8 text")


def _items(text: str) -> tuple[str, ...]:
    """The items without blanks and repeats; at least one, for a list of commas only would mean "nobody"."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found:
        raise ValueError("must name at least one item")
    return found


COMMA_LIST: Final = Rule(_items, "comma list")


def _platform(word: str) -> Platform:
    try:
        return Platform(word.strip().casefold())
    except ValueError:
        raise ValueError(f"must name platforms only ({', '.join(Platform)})") from None


def _platforms(text: str) -> tuple[Platform, ...]:
    if text.strip().casefold() == "all":
        return tuple(Platform)
    return tuple(dict.fromkeys(_platform(item) for item in _items(text)))


PLATFORMS: Final = Rule(_platforms, "comma list of platforms, or `all`")


def _names_by_platform(text: str) -> Mapping[Platform, tuple[str, ...]]:
    found: dict[Platform, tuple[str, ...]] = {}
    for entry in re.split(r"[;\n]", text):
        if not entry.strip():
            continue
        word, colon, names = entry.partition(":")
        if not colon:
            raise ValueError("must have the form <platform>:<name>,<name>;<platform>:<name>")
        platform = _platform(word)
        if platform in found:
            raise ValueError(f"must name each platform once ({platform} comes twice)")
        # An empty list would switch the gate off for that platform, which nobody means to do this way.
        if not names.replace(",", "").strip():
            raise ValueError(f"must give {platform} at least one name")
        found[platform] = _items(names)
    if not found:
        raise ValueError("must name at least one platform")
    return found


NAMES_BY_PLATFORM: Final = Rule(
    _names_by_platform, "`<platform>:<name>,<name>;<platform>:<name>` (`;` or newline)"
)


def _split(text: str, rule: str) -> SplitResult:
    plain = text.strip()
    try:
        parts = urlsplit(plain)
        usable = parts.port != 0 and not _BLANK_OR_CONTROL.search(plain)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(rule)
    return parts


def _http_url(text: str) -> str:
    rule = "must be an http:// or https:// address without user, query or fragment"
    parts = _split(text, rule)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError(rule)
    if parts.query or parts.fragment:
        raise ValueError(rule)
    return parts.geturl().rstrip("/")


HTTP_URL: Final = Rule(_http_url, "http(s) URL")


def _webhook(text: str) -> str:
    parts = _split(text, "must be an http:// or https:// address")
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError("must be an http:// or https:// address")
    return parts.geturl()


WEBHOOK_URL: Final = Rule(_webhook, "http(s) URL", credential=True)


def _origin(text: str) -> str:
    parts = urlsplit(_http_url(text))
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    # A browser leaves the default port out of the Origin header.
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _origins(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_origin(item) for item in _items(text)))


ORIGINS: Final = Rule(_origins, "comma list of http(s) origins")


def _postgres_url(text: str) -> str:
    rule = "must be a postgresql:// address that ends in a database name"
    parts = _split(text, rule)
    if parts.scheme not in _POSTGRES_SCHEMES or len(parts.path) < 2 or "/" in parts.path[1:]:
        raise ValueError(rule)
    return text.strip()  # geturl() would write the socket form postgresql:///name wrongly


POSTGRES_URL: Final = Rule(_postgres_url, "PostgreSQL URL", credential=True)


def _smtp_url(text: str) -> str:
    parts = _split(text, "must be an smtp:// or smtps:// address")
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("must be an smtp:// or smtps:// address")
    return parts.geturl()


SMTP_URL: Final = Rule(_smtp_url, "smtp(s) URL", credential=True)


def _url_path(text: str) -> str:
    plain = text.strip()
    if not plain.startswith("/") or plain.startswith("//") or re.search(r"[\s?#]", plain):
        raise ValueError("must be a path that begins with one slash, without query or fragment")
    return plain


URL_PATH: Final = Rule(_url_path, "path that begins with `/`")


def _email(text: str) -> str:
    plain = text.strip().casefold()
    if not _EMAIL.fullmatch(plain):
        raise ValueError("must be one e-mail address")
    return plain


def _sender(text: str) -> str:
    plain = text.strip()
    named = _SENDER.fullmatch(plain)
    if "\n" in plain or "\r" in plain or not _EMAIL.fullmatch(named.group(1).strip() if named else plain):
        raise ValueError("must be an e-mail address, alone or as `Name <address>`")
    return plain


EMAIL: Final = Rule(_email, "e-mail address")
EMAILS: Final = Rule(
    lambda text: tuple(_email(item) for item in _items(text)), "comma list of e-mail addresses"
)
SENDER: Final = Rule(_sender, "e-mail address or `Name <address>`")


def _timezone(text: str) -> str:
    plain = text.strip()
    try:
        ZoneInfo(plain)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be an IANA time zone such as America/New_York") from None
    return plain


def _locale(text: str) -> str:
    plain = text.strip()
    if not _LOCALE.fullmatch(plain):
        raise ValueError("must be a locale such as en-US")
    return plain.replace("_", "-")


TIMEZONE: Final = Rule(_timezone, "IANA time zone")
LOCALE: Final = Rule(_locale, "locale such as `en-US`")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("must be JSON in which no key comes twice")
    return found


def _json(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise ValueError(f"must be valid JSON (fault in line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise ValueError("must be JSON of reasonable depth") from None


def _json_texts(text: str) -> tuple[str, ...]:
    value = _json(text)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError("must be a JSON array of strings")
    return tuple(value)


def _json_overrides(text: str) -> dict[Platform, dict[str, object]]:
    value = _json(text)
    if not isinstance(value, dict) or not all(isinstance(item, dict) for item in value.values()):
        raise ValueError("must be a JSON object of objects, keyed by platform")
    return {_platform(key): item for key, item in value.items()}


def _overrides_file(text: str) -> dict[Platform, dict[str, object]]:
    _, content = _file_text(text)
    try:
        return _json_overrides(content)
    except ValueError as error:
        raise ValueError(f"names a file whose content {error}") from None


JSON_TEXTS: Final = Rule(_json_texts, "JSON array of strings")
JSON_OVERRIDES: Final = Rule(_json_overrides, "JSON object keyed by platform")
OVERRIDES_FILE: Final = Rule(_overrides_file, "file with a JSON object keyed by platform")
