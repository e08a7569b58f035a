"""Scripts of leads: what is accepted, what is refused and how it is said, what an answer sets off."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from leasebot_pipeline.domain.handshake import read_answer
from leasebot_pipeline.domain.slots import label
from leasebot_pipeline.sandbox import portfolio, scripts
from leasebot_pipeline.sandbox.reactions import offered_slots, react
from leasebot_pipeline.sandbox.scripts import ScriptError
from tests.sandbox.conftest import OFFER
from tests.unit.domain.handshake_cases import CALENDAR, WRITTEN


def test_the_shipped_inquiries_are_many_varied_labelled_and_about_known_listings() -> None:
    shipped = scripts.builtin()
    assert len(shipped) >= 150
    assert len({script.id for script in shipped}) == len(shipped)
    openings = Counter("\n".join(line.text for line in script.messages) for script in shipped)
    assert openings.most_common(1)[0][1] == 1
    assert all(script.expect is not None for script in shipped)
    assert {script.listing for script in shipped} <= portfolio.unit_keys() | {"any", "none", "unknown"}
    first = [script.id.split("-")[0] for script in shipped[:20]]
    assert len(set(first)) >= 10, "a short demo must already be varied"


def test_a_script_that_cannot_be_used_is_refused_with_its_line_and_field(tmp_path: Path) -> None:
    good = {"id": "a", "name": "Ann", "messages": ["Hi"]}
    lines = [
        good,
        {**good, "id": "b", "messages": []},
        {**good, "id": "c", "platform": "craigslist"},
        {**good, "id": "d", "reactions": [{"do": "shout"}]},
        good,
        {"dialogue_id": 3, "turns": [{"role": "agent", "text": "Hello?"}]},
    ]
    path = tmp_path / "leads.jsonl"
    path.write_text("\n".join([*map(json.dumps, lines), "{"]), encoding="utf-8")
    loaded = scripts.load_file(path)
    assert [script.id for script in loaded.scripts] == ["a"]
    assert len(loaded.refused) == 6
    for number, words in (
        (2, "messages"),
        (3, "platform"),
        (4, "reactions.0.do"),
        (5, "twice"),
        (6, "nothing"),
        (7, "JSON"),
    ):
        assert any(f"line {number}:" in reason and words in reason for reason in loaded.refused)


def test_a_file_without_any_usable_line_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "leads.jsonl"
    path.write_text('{"id": "x"}\n', encoding="utf-8")
    with pytest.raises(ScriptError, match=r"leads\.jsonl line 1: name"):
        scripts.load_file(path)


def test_a_dialogue_says_its_next_turn_after_each_answer() -> None:
    turns = [
        {"role": "lead", "text": "Hello"},
        {"role": "lead", "text": "I want to see a flat"},
        {"role": "agent", "text": "Which?"},
        {"role": "lead", "text": "The one in Astoria"},
        {"role": "agent", "text": "Fine"},
        {"role": "lead", "text": "Thanks"},
    ]
    script = scripts.from_dialogue({"dialogue_id": 9, "turns": turns}, "test", 1)
    assert [line.text for line in script.messages] == ["Hello", "I want to see a flat"]
    used: Counter[int] = Counter()
    said = []
    for _ in range(3):
        chosen = react(script.reactions, used, "anything")
        if chosen is None:
            break
        used[chosen.rule] += 1
        said.append(chosen.texts)
    assert said == [("The one in Astoria",), ("Thanks",)]


def test_people_s_real_dialogues_load_when_they_are_at_hand() -> None:
    path = os.environ.get("LEASEBOT_TEST_DIALOGUES")
    if not path:
        pytest.skip("LEASEBOT_TEST_DIALOGUES names no file of dialogues")
    loaded = scripts.load_file(Path(path))
    assert len(loaded.scripts) > 10 * len(loaded.refused)
    assert all("the lead says nothing" in reason for reason in loaded.refused)


@pytest.mark.parametrize(
    ("answer", "times"),
    [
        (OFFER, ["9:30 AM", "12:30 PM"]),
        ("* Friday, November 27 at 6:00 pm\n1. Sat, Nov 28, 6:30 PM - 7 PM", ["6:00 pm", "6:30 PM"]),
        ("Please bring:\n- an ID\n- two pay stubs", []),
        ("We are open Fri, Nov 27 9:30 AM.", []),
        ("", []),
    ],
)
def test_slots_are_read_from_bullet_lines_only(answer: str, times: list[str]) -> None:
    assert [slot.time for slot in offered_slots(answer)] == times


def test_a_pick_beyond_the_list_takes_the_last_slot_and_fills_its_words() -> None:
    rule = scripts.Reaction(when="offered", do="pick", pick=4, say=("Option {n}, the {ordinal}: {slot}",))
    chosen = react([rule], {}, OFFER)
    assert chosen is not None
    assert chosen.texts == ("Option 2, the second: Sat, Nov 28 12:30 PM - 1:00 PM EST (Marco Klein)",)


def test_rules_fire_in_order_and_as_often_as_they_may() -> None:
    rules = [
        scripts.Reaction(when="offered", do="decline"),
        scripts.Reaction(when="offered", do="pick"),
        scripts.Reaction(when="confirmed", do="thank"),
    ]
    assert react(rules, {}, OFFER).rule == 0  # type: ignore[union-attr]
    assert react(rules, {0: 1}, OFFER).rule == 1  # type: ignore[union-attr]
    assert react(rules, {0: 1, 1: 1}, OFFER) is None
    assert react(rules, {}, "You are booked, see you on Friday!").rule == 2  # type: ignore[union-attr]
    assert react(rules, {}, "We will get back to you.") is None


@pytest.mark.parametrize(
    ("answer", "when"),
    [
        (OFFER, "offered"),
        (
            'We can hold this:\n- Sat, Nov 28 12:30 PM - 1:00 PM EST\nPlease reply with the word "confirm".',
            "held",
        ),
        ("You are confirmed:\n- Sat, Nov 28 12:30 PM - 1:00 PM EST\nSee you then!", "confirmed"),
        ("You are booked, see you on Friday!", "confirmed"),
        ("Your visit is cancelled:\n- Sat, Nov 28 12:30 PM - 1:00 PM EST", "cancelled"),
        ("We will get back to you.", "no_slots"),
    ],
)
def test_a_lead_tells_an_offer_from_a_hold_and_a_confirmation(answer: str, when: str) -> None:
    rules = [
        scripts.Reaction(when=kind, do="ask", say=(kind,))
        for kind in ("held", "confirmed", "cancelled", "offered", "no_slots")
    ]
    chosen = react(rules, {}, answer)
    assert chosen is not None
    assert chosen.texts == (when,)


def test_what_scripted_leads_pick_is_read_as_that_slot() -> None:
    """The words of every shipped "pick" name the slot the script means, to our own reader."""
    unread = []
    for script in scripts.builtin():
        for rule in script.reactions:
            if rule.do != "pick" or not any("{" in text for text in rule.texts):
                continue
            chosen = react([rule], {}, "Times:\n" + "\n".join(f"- {label(slot)}" for slot in CALENDAR))
            if chosen is None:
                continue
            answer = read_answer(chosen.texts, CALENDAR, WRITTEN)
            if answer.index != rule.pick:
                unread.append((script.id, chosen.texts, answer.kind.value, answer.index))
    assert unread == []
