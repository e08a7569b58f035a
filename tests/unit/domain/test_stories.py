"""What leads tell of themselves: harmless stories are read, what weighs in one is left to a person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.domain.intents import understand
from leasebot_pipeline.domain.intents_rulebook import RULES
from leasebot_pipeline.domain.intents_words import Speller
from tests.unit.domain.decision_values import asked, composed

PROVIDER = HeuristicProvider()


def unread(text: str) -> tuple[str, ...]:
    return understand(RULES.reader.read([text])).unread


def outcome(text: str) -> str:
    question = asked(f"{text} Could I come and see the apartment on Friday?")
    return composed(question, PROVIDER.decide([question])[0]).outcome


@pytest.mark.parametrize(
    "told",
    [
        "I carve wooden spoons at the farmers market.",
        "Oboe player in a small orchestra, up with the sun.",
        "We swapped the suburbs for a tiny attic last winter.",
        "She is a sculptor from Ohio.",
        "I commute by ferry and fold paper cranes on the way.",
    ],
)
def test_a_story_in_ordinary_words_needs_no_answer(told: str) -> None:
    assert unread(told) == ()
    assert outcome(told) == "send"


@pytest.mark.parametrize(
    "told",
    [
        "I audit insurance fraud cases from home.",
        "I process deposit slips at the credit union downtown.",
        "I spend my nights deleting threats and insults.",
        "My team handles wire transfers all day.",
    ],
)
def test_a_task_of_a_job_weighs_nothing_whatever_its_words(told: str) -> None:
    assert unread(told) == ()
    assert outcome(told) == "send"


@pytest.mark.parametrize("told", ["I handle your deposit at the bank.", "I will audit you."])
def test_with_somebody_else_in_it_it_weighs(told: str) -> None:
    assert outcome(told) == "escalate"


@pytest.mark.parametrize(
    "told",
    [
        "I carve wooden pipes and smoke them in the bathroom.",
        "We would turn the attic into a tiny hostel.",
        "I keep finding a stalker outside the bakery.",
        "You let the radiator drip for a month.",
        "I grow tomatoes and something stronger in the closet.",
        "My brother never got his deposit back.",
    ],
)
def test_a_story_with_a_word_that_weighs_is_left_to_a_person(told: str) -> None:
    assert outcome(told) == "escalate"


@pytest.mark.parametrize(
    "told",
    [
        "I work in fraud prevention at a bank.",
        "I teach paralegal classes on Tuesdays.",
        "I study forensic evidence at the university.",
    ],
)
def test_a_trade_is_no_trouble(told: str) -> None:
    assert outcome(told) == "send"


@pytest.mark.parametrize(
    "told",
    [
        "I do not work for the fraud department, you do.",
        "You work in fraud.",
        "I was a victim of fraud here.",
    ],
)
def test_trouble_is_no_trade(told: str) -> None:
    assert outcome(told) == "escalate"


HARMLESS = (
    "carpenter",
    "violin",
    "harbour",
    "pottery",
    "marathon",
    "library",
    "orchard",
    "tennis",
    "novel",
    "ceramics",
)


@given(st.lists(st.sampled_from(HARMLESS), min_size=1, max_size=4), st.sampled_from(sorted(RULES.heavy)))
def test_no_heavy_word_hides_in_a_story(words: list[str], heavy: str) -> None:
    """Wherever it stands, a word that weighs keeps a statement from being a story."""
    text = f"I paint the {' and the '.join(words)} and {heavy}."
    said = understand(RULES.reader.read([text]))
    assert said.unread or said.topics or any(hit.rule.kind == "guardrail" for hit in said.hits)


def test_words_of_the_language_are_not_corrected_into_others() -> None:
    speller = Speller({"terrible", "track", "better", "scams"}, {"terribly", "truck", "bitter", "scam"})
    assert [speller.correct(word) for word in ("terribly", "truck", "bitter")] == [
        "terribly",
        "truck",
        "bitter",
    ]
    assert speller.correct("scam") == "scams", "another form of a word the rules know is read as that word"
    assert speller.correct("terible") == "terrible"


def test_the_lists_hold_what_they_say() -> None:
    assert len(RULES.words.english) > 50_000
    assert RULES.words.light.isdisjoint(RULES.sensitive)
    assert RULES.words.light.isdisjoint(RULES.words.weighty)
