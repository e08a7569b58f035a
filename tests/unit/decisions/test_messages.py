"""The rules on the messages they were written with: what must be held is held, most of the rest is answered.

These are no measure of quality (the rules have seen them; ``leasebot evaluate --part scored`` is), they
only keep what was reached.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

from leasebot_pipeline.decisions.heuristic import HeuristicProvider
from leasebot_pipeline.evaluation.cases import read_cases
from leasebot_pipeline.evaluation.metrics import measure
from leasebot_pipeline.evaluation.running import Mistake, judge
from tests.unit.domain.decision_values import FRIDAY_6PM, OFFER, asked, composed

DATA = Path(__file__).parent / "data"
PROVIDER = HeuristicProvider()


def rows(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


def outcomes(texts: list[str], **context: object) -> list[str]:
    questions = [asked(text, **context) for text in texts]
    verdicts = PROVIDER.decide(questions)
    return [
        composed(question, verdict).outcome for question, verdict in zip(questions, verdicts, strict=True)
    ]


def test_messages() -> None:
    """Behaviours 67, 82, 83 and 96; faults G-21, G-59 and G-60."""
    judged = judge(read_cases(DATA / "messages.jsonl"), PROVIDER)
    report = measure(judged)
    assert len(judged) > 600
    wrong = [item.case.body for item in judged if item.mistake in (Mistake.DANGEROUS, Mistake.LOST)]
    assert wrong == []
    assert report.slow.rate is not None
    assert report.slow.rate < 0.1
    assert report.intent.macro_f1 is not None
    assert report.intent.macro_f1 > 0.9


FIRST = ("Can I tour the apartment on Friday? {}", "{} When could I come and see it?", "Is it available? {}")


@pytest.mark.parametrize("frame", FIRST)
def test_a_hazard_beside_a_request_is_held(frame: str) -> None:
    texts = [frame.format(row["text"]) for row in rows("hazards.jsonl")]
    held = outcomes(texts)
    assert [text for text, outcome in zip(texts, held, strict=True) if outcome != "escalate"] == []


@pytest.mark.parametrize(
    ("frame", "context"),
    [
        ("Friday at 6 works. {}", {"open_offer": OFFER}),
        ("yes, {}", {"open_offer": (FRIDAY_6PM,)}),
        ("Any update? {}", {"has_recent_outbound": True}),
        ("Thanks! {}", {"has_recent_outbound": True}),
    ],
)
def test_a_hazard_in_an_answer_is_not_passed_over(frame: str, context: dict[str, object]) -> None:
    texts = [frame.format(row["text"]) for row in rows("hazards.jsonl")]
    found = outcomes(texts, **context)
    assert [text for text, outcome in zip(texts, found, strict=True) if outcome in ("send", "skip")] == []


def test_what_leads_say_of_themselves_is_mostly_read() -> None:
    texts = [f"Hi! {row['text']} Could I come see the apartment this week?" for row in rows("harmless.jsonl")]
    assert outcomes(texts).count("send") >= 0.85 * len(texts)


PEOPLE = (
    "a nurse", "a Muslim nurse", "an atheist", "a single mother", "a father of two", "a 70 year old retiree", "a wheelchair user",
    "a deaf artist", "an immigrant from Honduras", "a refugee", "a Black man", "a trans man", "a lesbian", "a disabled veteran",
    "a Section 8 voucher holder", "a foster parent", "a pregnant woman", "a practicing Buddhist", "a DACA recipient", "a stay at home dad",
)  # fmt: skip
INCOMES = (
    "my salary", "a housing voucher", "Section 8", "SSI", "disability benefits", "unemployment benefits", "child support",
    "a pension", "a trust fund", "freelance work", "veterans benefits", "public assistance", "student loans",
)  # fmt: skip
FAMILY = (
    "my husband", "my two kids", "my baby", "my brother", "my elderly mother", "my disabled son", "my same-sex partner",
    "my grandparents", "a friend", "my teenage daughter",
)  # fmt: skip
NAMES = (
    "Emily", "Lakisha", "Nguyen Thi Hoa", "José Ramírez", "李娜", "Fatima Al-Zahra", "D'Angelo", "shlomo", "oluwaseun", "Jamal Washington",
)  # fmt: skip
HABITS = (
    "work",
    "go to church",
    "go to the mosque",
    "observe Shabbat",
    "have dialysis",
    "see my kids",
    "have class",
)
SWAPS = (
    (("Hi, I'm {}. Is it still available?", "My wife is {} and we'd like to view it.", "As {} I like quiet. Can I tour?"), PEOPLE),
    (("My income comes from {}. Can I see it on Friday?", "I receive {}. Is it available?", "I have {}. When can I see it?"), INCOMES),
    (("It would be me and {}. Can we see it Friday?", "{} and I will live there. Could we tour?"), FAMILY),
    (("My name is {} and I'd like a tour.", "Hello, this is {}. Can I see it?", "Is it available? Thanks, {}"), NAMES),
    (("I {} on Fridays so Saturday is better. Can I tour then?",), HABITS),
)  # fmt: skip


@pytest.mark.parametrize(
    ("frame", "fillings"),
    [(frame, fillings) for frames, fillings in SWAPS for frame in frames],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_who_a_lead_is_changes_nothing(frame: str, fillings: tuple[str, ...]) -> None:
    questions = [asked(frame.format(filling)) for filling in fillings]
    results = {
        filling: composed(question, verdict)
        for filling, question, verdict in zip(fillings, questions, PROVIDER.decide(questions), strict=True)
    }
    assert {filling: result.outcome for filling, result in results.items()} == dict.fromkeys(fillings, "send")
    assert len({result.slots_offered for result in results.values()}) == 1


def test_an_opt_out_beside_a_wish_is_neither_answered_nor_passed_over() -> None:
    for wish, stop in product(
        ("Is it available?", "Can I tour on Friday?"), ("Please stop texting me.", "Take me off the list.")
    ):
        result = composed(*(lambda q: (q, PROVIDER.decide([q])[0]))(asked(f"{stop} {wish}")))
        assert (result.outcome, result.human_action_required) == ("escalate", True)
        assert "escalate_unsubscribe_requested" in result.reasons
