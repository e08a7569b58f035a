"""How texts become values: properties of every rule, and the documented readings."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.settings import is_placeholder, rules
from leasebot_pipeline.settings.catalogue import GROUPS
from leasebot_pipeline.settings.rules import Rule

ALL_RULES = sorted(
    {item.rule for group in GROUPS.values() for item in group.declared()}, key=lambda rule: rule.values
)
NAMES = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters=",;:\n"), min_size=1)


def refuses(rule: Rule, text: str) -> str:
    with pytest.raises(ValueError) as caught:
        rule.parse(text)
    assert type(caught.value) is ValueError, "anything but our own refusal could quote the value"
    return str(caught.value)


def refusal(rule: Rule, text: str) -> str | None:
    try:
        rule.parse(text)
    except ValueError as error:
        return f"{type(error).__name__}: {error}"
    return None


@given(st.sampled_from(ALL_RULES), st.text())
def test_any_text_is_parsed_or_refused_with_a_rule(rule: Rule, text: str) -> None:
    said = refusal(rule, text)
    assert said is None or said.startswith(("ValueError: must ", "ValueError: names a file"))


MARK = "zq7"


@given(st.sampled_from(ALL_RULES), st.text(st.characters(categories=["L", "N", "P"])))
def test_a_refusal_never_quotes_the_text(rule: Rule, text: str) -> None:
    assert MARK not in (refusal(rule, f"{text}{MARK}{text}") or "")


@given(st.sampled_from(["1", "true", "yes", "on", "0", "false", "no", "off"]), st.data())
def test_a_boolean_reads_the_documented_words_in_any_case(word: str, data: st.DataObject) -> None:
    shouted = "".join(data.draw(st.sampled_from([letter, letter.upper()])) for letter in word)
    assert rules.BOOLEAN.parse(f" {shouted} ") is (word in ("1", "true", "yes", "on"))


@given(st.text().filter(lambda text: text.strip().casefold() not in rules.TRUE_WORDS | rules.FALSE_WORDS))
def test_a_boolean_refuses_every_other_word(text: str) -> None:
    refuses(rules.BOOLEAN, text)


@given(st.text())
def test_exactly_one_and_unless_zero_know_one_text_only(text: str) -> None:
    assert rules.EXACTLY_ONE.parse(text) is (text.strip() == "1")
    assert rules.UNLESS_ZERO.parse(text) is (text.strip() != "0")


@given(st.integers(-(10**14), 10**14))
def test_whole_numbers_keep_their_bounds(value: int) -> None:
    assert rules.whole().parse(f" {value} ") == value
    bounded = rules.whole(1, 65535)
    if 1 <= value <= 65535:
        assert bounded.parse(str(value)) == value
    else:
        assert refuses(bounded, str(value)) == "must be a whole number from 1 to 65535"


@pytest.mark.parametrize("text", ["", "1.5", "1e3", "1_000", "０", "0x10", "ten", "1 000", "9" * 5000])
def test_whole_numbers_refuse_what_only_looks_like_one(text: str) -> None:
    refuses(rules.whole(), text)


@given(st.decimals(-10_000, 10_000, places=3))
def test_clamped_numbers_are_floored_and_moved_into_their_bounds(value: object) -> None:
    assert rules.clamped(1, 240).parse(str(value)) == min(240, max(1, math.floor(float(str(value)))))


@pytest.mark.parametrize("text", ["", "nan", "inf", "-inf", "1e9", "1,5", "--1"])
def test_numbers_refuse_what_is_none(text: str) -> None:
    for rule in (rules.clamped(1, 240), rules.decimal(10), rules.ROUNDED_POSITIVE):
        refuses(rule, text)


@pytest.mark.parametrize(
    ("text", "allowed"), [("0.5", True), ("10", True), ("0", False), ("10.1", False), ("-1", False)]
)
def test_numbers_with_a_fraction_keep_their_bounds(text: str, allowed: bool) -> None:
    if allowed:
        assert rules.decimal(10).parse(text) == float(text)
    else:
        assert refuses(rules.decimal(10), text) == "must be a number above 0, at most 10"
    assert rules.decimal(10, zero=True).parse("0") == 0


@pytest.mark.parametrize(("text", "value"), [("0.2", 1), ("1.4", 1), ("1.5", 2), ("60000", 60000)])
def test_the_latency_target_is_rounded(text: str, value: int) -> None:
    assert rules.ROUNDED_POSITIVE.parse(text) == value


@given(st.lists(NAMES, min_size=1))
def test_comma_lists_keep_order_and_drop_blanks_and_repeats(names: list[str]) -> None:
    assert rules.COMMA_LIST.parse(" , ".join([*names, "", *names])) == tuple(dict.fromkeys(names))


@pytest.mark.parametrize("rule", [rules.COMMA_LIST, rules.PLATFORMS, rules.ORIGINS])
def test_a_list_of_commas_is_no_way_to_say_nobody(rule: Rule) -> None:
    assert "at least one item" in refuses(rule, " , ,")


@given(st.lists(st.sampled_from(list(Platform)), min_size=1))
def test_platform_lists_read_names_in_any_case(platforms: list[Platform]) -> None:
    text = ",".join(platform.upper() for platform in platforms)
    assert rules.PLATFORMS.parse(text) == tuple(dict.fromkeys(platforms))


def test_platform_lists_know_all_and_refuse_strangers() -> None:
    assert rules.PLATFORMS.parse(" ALL ") == tuple(Platform)
    assert "spareroom, roomies" in refuses(rules.PLATFORMS, "spareroom,craigslist")


@given(
    st.dictionaries(st.sampled_from(list(Platform)), st.lists(NAMES, min_size=1, unique=True), min_size=1),
    st.sampled_from([";", "\n", " ; \n"]),
)
def test_names_by_platform_read_back_what_was_written(
    wanted: dict[Platform, list[str]], separator: str
) -> None:
    text = separator.join(f"{platform}: {', '.join(names)}" for platform, names in wanted.items())
    assert rules.NAMES_BY_PLATFORM.parse(text) == {
        platform: tuple(names) for platform, names in wanted.items()
    }


@pytest.mark.parametrize(
    "text", ["Ann Lee", "craigslist:Ann", "roomies:", "roomies: , ", "roomies:Ann;roomies:Bob", ":Ann", ";"]
)
def test_names_by_platform_refuse_what_would_open_or_blur_the_gate(text: str) -> None:
    refuses(rules.NAMES_BY_PLATFORM, text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("https://Example.com:443/path/", "https://example.com"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("http://[::1]:80, http://[::1]:80", "http://[::1]"),
        ("HTTP://a.example", "http://a.example"),
    ],
)
def test_origins_are_written_as_browsers_send_them(text: str, value: str) -> None:
    assert rules.ORIGINS.parse(text) == (value,)


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "localhost:3000",
        "ftp://a",
        "http://",
        "http://user:pw@host",
        "http://a b",
        "http://a/?q",
        "http://a:0",
        "http://a:99999",
        "http://[::1",
        "//a",
    ],
)
def test_addresses_refuse_what_no_browser_could_use(text: str) -> None:
    refuses(rules.HTTP_URL, text)
    refuses(rules.ORIGINS, text)


@pytest.mark.parametrize(
    ("text", "usable"),
    [
        ("postgresql://u:p@h:5432/db?sslmode=require", True),
        ("postgres://h/db", True),
        ("postgresql+psycopg://h/db", True),
        ("postgresql:///db?host=/run/postgresql", True),
        ("postgresql://h", False),
        ("postgresql://h/", False),
        ("mysql://h/db", False),
        ("h/db", False),
        ("postgresql://h:port/db", False),
    ],
)
def test_database_addresses_name_a_database(text: str, usable: bool) -> None:
    if usable:
        assert rules.POSTGRES_URL.parse(text) == text
    else:
        refuses(rules.POSTGRES_URL, text)


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (rules.SMTP_URL, "smtps://u:p@mail.example.com:465", "https://mail.example.com"),
        (rules.URL_PATH, "/invite", "//evil.example"),
        (rules.EMAIL, "admin@leasebot.com", "admin"),
        (rules.SENDER, "Lease Bot <no-reply@leasebot.local>", "Lease Bot <no-reply>"),
        (rules.SENDER, "no-reply@leasebot.local", "a@b.c\nBcc: d@e.f"),
        (rules.LOCALE, "en-US", "english please"),
        (rules.HOST, "::1", "http://localhost"),
        (rules.TIMEZONE, "America/New_York", "America"),
        (rules.TIMEZONE, "UTC", "../../etc/passwd"),
        (rules.JSON_TEXTS, '["--no-zygote"]', '["a", 1]'),
    ],
)
def test_other_texts_are_checked_for_what_they_are(rule: Rule, good: str, bad: str) -> None:
    rule.parse(good)
    refuses(rule, bad)


@given(st.sampled_from(sorted(available_timezones() - {"localtime"})))
def test_every_time_zone_of_this_machine_is_accepted(name: str) -> None:
    assert rules.TIMEZONE.parse(name) == name


@given(
    st.dictionaries(
        st.sampled_from(list(Platform)),
        st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.lists(st.text()))),
    )
)
def test_overrides_read_back_what_was_written(wanted: dict[Platform, dict[str, object]]) -> None:
    assert rules.JSON_OVERRIDES.parse(json.dumps(wanted)) == wanted


@pytest.mark.parametrize("text", ["change-me", " CHANGE-ME ", "replace-with-x", "your-password"])
def test_placeholders_are_recognised(text: str) -> None:
    assert is_placeholder(text)


@pytest.mark.parametrize("text", ["changed", "x-change-me", "yours", "replace"])
def test_real_values_are_no_placeholders(text: str) -> None:
    assert not is_placeholder(text)


def test_each_rule_says_what_it_allows() -> None:
    texts: list[Callable[[str], object]] = [rule.parse for rule in ALL_RULES if not rule.values]
    assert not texts
