"""What reading skips or does in a faster way leaves nothing out."""

from __future__ import annotations

import pytest

from leasebot_pipeline.domain import guardrails, intents_text
from leasebot_pipeline.domain.intents_rulebook import RULES
from leasebot_pipeline.evaluation.parts import Part, read_part

TEXTS = [body for part in (Part.TUNING, Part.OPENED) for case in read_part(part) for body in case.body]


def test_ascii_texts_fall_into_the_same_words() -> None:
    ascii_texts = [text for text in TEXTS if text.isascii()]
    assert len(ascii_texts) > 800
    for text in [*ascii_texts, "$1,500 at 5:30, 1st or 12/24 & #3; it's o'clock", "$\x1c5"]:
        assert intents_text._ASCII_WORD.findall(text) == intents_text._WORD.findall(text)


@pytest.mark.parametrize("word", [*intents_text._NUMBER_SPEAK_MEANS, "2bed", "5min", "12mo"])
def test_numbers_written_into_words_are_seen(word: str) -> None:
    assert intents_text._GLUED.search(f"so {word}?")


@pytest.mark.parametrize("word", ["and", "but", "so", "or", "then", "also", "plus", "because"])
def test_words_that_join_clauses_are_seen(word: str) -> None:
    assert intents_text._JOINS.search(f" i like it {word} i take it ")
    assert not intents_text._JOINS.search(f" i like {word}s ")


@pytest.mark.parametrize(
    "text",
    ["i g n o r e", "x. i*g.n-o", "say i  g n now"],
)
def test_single_letters_are_seen_wherever_they_begin(text: str) -> None:
    assert guardrails._SPACED.search(text)


@pytest.mark.parametrize("text", ["69 67 6e 6f ", "it says 69 67 6E 6f 72", "x69 67 6e 6f "])
def test_pairs_of_hexadecimal_figures_are_seen_wherever_they_begin(text: str) -> None:
    assert guardrails._HEX.search(text)


@pytest.mark.parametrize("text", ["69 67 6e 6f", "be an ad to ", "6 67 6e 6f "])
def test_fewer_than_four_pairs_are_none(text: str) -> None:
    assert not guardrails._HEX.search(text)


def test_a_phrase_with_one_necessary_word_is_tried_without_others() -> None:
    said = RULES.reader.read(["unsubscribe"]).sentences[0]
    assert "unsubscribe" in [hit.rule.code for hit in RULES.index.find(said)]
