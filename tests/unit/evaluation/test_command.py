"""``leasebot evaluate`` as its users call it: exit codes and one JSON object."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leasebot_pipeline.cli import app
from leasebot_pipeline.evaluation.part import Part


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["evaluate", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "labelled.jsonl"
    rows = [
        {
            "id": "tour",
            "body": "Hi, could I see the apartment on Friday?",
            "intent": "tour_request",
            "auto_ok": True,
        },
        {"id": "sue", "body": "My lawyer will sue you.", "auto_ok": False, "hold_reason": "legal"},
        {"body": "anything at all"},
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return str(path)


def test_labelled_messages_are_judged_and_reported(file: str) -> None:
    code, out, _ = run(file, "--json")
    report = json.loads(out)
    assert code == 0
    assert report["n"] == 3
    assert report["dangerous"]["of"] == report["slow"]["of"] == 1
    assert report["dangerous"]["count"] == 0
    assert [case["id"] for case in report["cases"]] == ["tour", "sue", "line-3"]
    assert run(file, "--json") == (code, out, "")


def test_a_person_reads_tables(file: str) -> None:
    code, out, _ = run(file)
    assert code == 0
    assert "dangerous  0 of 1" in out
    assert "tour_request" in out


def test_a_broken_limit_is_exit_code_1(file: str) -> None:
    assert run(file, "--max-dangerous", "0", "--never", "legal")[0] == 0
    code, out, err = run(file, "--never", "payment", "--json")
    assert code == 1
    assert "dangerous of payment is unknown" in err
    assert json.loads(out)["gate"]["ok"] is False


def test_bad_input_is_exit_code_2(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"body": "x", "intent": "chat"}\n')
    code, _, err = run(str(bad))
    assert code == 2
    assert "line 1: intent" in err
    assert run(str(tmp_path / "absent.jsonl"))[0] == 2
    assert run()[0] == 2
    assert run(str(bad), "--part", "tuning")[0] == 2


@pytest.mark.parametrize("part", [Part.SECOND_FRESH, Part.THIRD_FRESH])
def test_a_part_of_our_own_set_keeps_the_gate(part: Part) -> None:
    code, out, _ = run("--part", part.value, "--gate", "--json")
    assert (code, json.loads(out)["gate"]) == (0, {"ok": True, "broken": []})


def test_every_part_can_be_named(file: str) -> None:
    for part in Part:
        code, _, errors = run(file, "--part", part.value)
        assert (code, "either a FILE" in errors) == (2, True), part
