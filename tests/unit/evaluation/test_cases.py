"""Labelled files are read once: generously where nothing is lost, with line and field where something is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leasebot_pipeline.domain.decisions import Intent, WorkflowOutcome
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import Direction
from leasebot_pipeline.evaluation.cases import CasesInvalid, LabelledCase, parse_cases, read_cases
from leasebot_pipeline.evaluation.inputs import decision_input
from leasebot_pipeline.evaluation.slot_labels import parse_slot_label

FRIDAY = "Fri, Feb 13 6:00 PM - 7:00 PM EST (Dana)"
SATURDAY = "Sat, Feb 14 11:00 AM - 11:30 AM EST (Dana)"


def one(**fields: Any) -> LabelledCase:
    (case,) = parse_cases(json.dumps({"body": "hello", **fields}))
    return case


def test_a_body_alone_is_a_case_without_any_label() -> None:
    case = one()
    assert (case.id, case.body, case.platform) == ("line-1", ("hello",), Platform.SPAREROOM)
    assert (case.intent, case.auto_ok, case.hold_reason, case.follow_up) == (None, None, None, None)
    assert not case.expects_slot


def test_nulls_are_fields_left_out_but_a_null_slot_says_that_none_is_right() -> None:
    case = one(
        prior=None,
        lead_name=None,
        platform=None,
        offered_slots=None,
        intent=None,
        tags=None,
        selected_slot=None,
    )
    assert case.prior is None
    assert case.offered_slots == ()
    assert case.expects_slot
    assert case.expected_slot is None


def test_unknown_fields_blank_lines_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_text(
        '\ufeff{"body": "a", "annotator": "me", "prior": [{"direction": "lead", "body": "x", "at": 1}]}\n\n{"body": "b"}\n'
    )
    first, second = read_cases(file)
    assert first.prior is not None
    assert first.prior[0].direction is Direction.INBOUND
    assert (first.id, second.id) == ("line-1", "line-3")


def test_line_separators_inside_a_text_do_not_end_the_line() -> None:
    (case,) = parse_cases('{"body": "one\u2028two\x85three"}')
    assert case.body == ("one\u2028two\x85three",)


@pytest.mark.parametrize("given", [2, "2", SATURDAY, "Sat, Feb 14 11:00 AM - 11:30 AM EST"])
def test_a_selected_slot_is_an_index_or_a_label(given: object) -> None:
    case = one(offered_slots=[FRIDAY, SATURDAY], selected_slot=given)
    assert case.expected_slot is not None
    assert case.expected_slot.starts_at == parse_slot_label(SATURDAY).starts_at


def test_a_held_slot_is_an_open_offer_of_one() -> None:
    case = one(pending_slot=SATURDAY, offered_slots=[FRIDAY, SATURDAY], selected_slot=SATURDAY)
    assert case.open_offer == (parse_slot_label(SATURDAY),)
    assert one(pending_slot=SATURDAY, selected_slot=1).expected_slot == parse_slot_label(SATURDAY)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{oops", "line 1: not JSON"),
        ("[1]", "line 1: must be a JSON object"),
        ("{}", "line 1: body: Field required"),
        ('{"body": 7}', "line 1: body"),
        ('{"body": []}', "line 1: body"),
        ('{"body": "x", "intent": "greeting"}', "line 1: intent: Input should be 'tour_request'"),
        ('{"body": "x", "workflow_outcome": "done"}', "line 1: workflow_outcome"),
        ('{"body": "x", "auto_ok": "perhaps"}', "line 1: auto_ok"),
        ('{"body": "x", "platform": "myspace"}', "line 1: platform"),
        ('{"body": "x", "prior": [{"direction": "sideways", "body": "y"}]}', "line 1: prior.0.direction"),
        ('{"body": "x", "offered_slots": ["soon"]}', "line 1: offered_slots.0: Value error, must look like 'Fri, Feb 13"),
        ('{"body": "x", "pending_slot": "later"}', "line 1: pending_slot"),
        (f'{{"body": "x", "selected_slot": 2, "offered_slots": ["{FRIDAY}"]}}', "line 1: selected_slot: must be 1 to 1"),
        ('{"body": "x", "selected_slot": true}', "line 1: selected_slot"),
        ('{"id": "a", "body": "x"}\n{"id": "a", "body": "y"}', "line 2: id: 'a' is already the id of line 1"),
        ("", "holds no case"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named_with_its_field_and_rule(line: str, fault: str) -> None:
    with pytest.raises(CasesInvalid) as raised:
        parse_cases(line, "some.jsonl")
    assert f"some.jsonl: {fault}" in str(raised.value)


def test_all_bad_lines_are_told_at_once_up_to_a_limit() -> None:
    with pytest.raises(CasesInvalid) as raised:
        parse_cases("\n".join(["{}"] * 30))
    assert len(raised.value.faults) == 30
    assert "and 10 more" in str(raised.value)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    binary = tmp_path / "cases.bin"
    binary.write_bytes(b"\xff\xfe\x00\x81")
    for path in (binary, tmp_path / "absent.jsonl"):
        with pytest.raises(CasesInvalid, match="cannot be read"):
            read_cases(path)


def test_the_question_holds_what_the_pipeline_would_know() -> None:
    case = one(
        body=["Hi", "Saturday please"],
        prior=[{"direction": "inbound", "body": "tour?"}, {"direction": "outbound", "body": "which?"}],
        offered_slots=[FRIDAY, SATURDAY],
        lead_name="Ann",
        platform="Rent Hop",
        showing=SATURDAY,
        last_intent="tour_request",
    )
    question = decision_input(case)
    assert question.new_messages == ("Hi", "Saturday please")
    assert question.history == ((Direction.INBOUND, "tour?"), (Direction.OUTBOUND, "which?"))
    assert question.open_offer == case.offered_slots
    assert question.slots[:2] == case.offered_slots
    assert len(question.slots) > len(question.open_offer)
    assert question.has_recent_outbound
    assert (question.lead_name, question.platform, question.showing_state, question.last_intent) == (
        "Ann",
        Platform.RENTHOP,
        "confirmed",
        "tour_request",
    )


def test_slots_are_free_even_when_a_case_names_none() -> None:
    question = decision_input(one())
    assert question.open_offer == ()
    assert len({slot.starts_at for slot in question.slots}) == len(question.slots) >= 4
    assert not question.has_recent_outbound


def test_an_offer_without_a_history_was_made_by_somebody() -> None:
    assert decision_input(one(offered_slots=[FRIDAY])).has_recent_outbound
    assert not decision_input(one(offered_slots=[FRIDAY], prior=[])).has_recent_outbound


@pytest.mark.parametrize(
    ("labels", "right"),
    [
        ({"intent": Intent.UNSUBSCRIBE}, True),
        ({"workflow_outcome": WorkflowOutcome.NOT_INTERESTED}, True),
        ({"hold_reason": "nothing_to_answer"}, True),
        ({"hold_reason": ["legal", "opt_out"]}, False),
        ({"intent": Intent.TOUR_REQUEST, "auto_ok": True}, False),
    ],
)
def test_where_silence_is_right(labels: dict[str, Any], right: bool) -> None:
    assert one(**labels).silence_is_right is right
