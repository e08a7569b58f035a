"""The CI workflow, offline: its form, its required jobs, that their commands exist, and that evidence is kept.

actionlint is a program of its own and not among our dependencies; what it would find that matters here is asked for below.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
REQUIRED = ("checks", "tests", "gates")
STEP_KEYS = {
    "name",
    "id",
    "if",
    "uses",
    "run",
    "with",
    "env",
    "shell",
    "working-directory",
    "timeout-minutes",
}
JOB_KEYS = {
    "name",
    "needs",
    "if",
    "runs-on",
    "timeout-minutes",
    "steps",
    "env",
    "permissions",
    "strategy",
    "services",
}
CONTEXTS = ("github.", "matrix.", "env.", "secrets.", "runner.", "steps.", "needs.")


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    # YAML 1.1 reads the key "on" as true.
    loaded = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in loaded.items()}


def steps_of(workflow: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, step) for name, job in workflow["jobs"].items() for step in job["steps"]]


def test_it_has_the_form_github_asks_for(workflow: dict[str, Any]) -> None:
    assert set(workflow) <= {"name", "on", "permissions", "concurrency", "env", "jobs", "defaults"}
    assert set(workflow["on"]) <= {"push", "pull_request", "workflow_dispatch", "schedule"}
    for name, job in workflow["jobs"].items():
        assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name)
        assert set(job) <= JOB_KEYS
        assert re.fullmatch(r"ubuntu-\d\d\.04", job["runs-on"]), "a runner that does not change by itself"
        assert 0 < job["timeout-minutes"] <= 60
    for name, step in steps_of(workflow):
        assert set(step) <= STEP_KEYS, (name, step)
        assert ("uses" in step) is not ("run" in step), (name, step)
        assert "with" not in step or "uses" in step
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"])


def test_every_expression_names_a_known_context() -> None:
    found = re.findall(r"\$\{\{(.*?)\}\}", WORKFLOW.read_text(encoding="utf-8"))
    assert found
    for expression in found:
        without_texts = re.sub(r"'[^']*'", "", expression)
        words = [word for word in re.split(r"[\s|&=!()]+", without_texts) if word]
        assert all(word.startswith(CONTEXTS) for word in words), expression


def test_it_may_only_read_and_runs_on_what_is_merged(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["on"]["push"] == {"branches": ["main"]}
    assert "pull_request" in workflow["on"]
    assert "pull_request_target" not in workflow["on"]


def test_the_required_checks_are_jobs_and_branch_protection_is_told_their_names(
    workflow: dict[str, Any],
) -> None:
    assert tuple(workflow["jobs"]) == REQUIRED
    assert not any("name" in job or "if" in job or "needs" in job for job in workflow["jobs"].values()), (
        "a renamed or skipped job would count as passed, or as another check"
    )
    document = (ROOT / "docs" / "qa" / "critical-path-gates.md").read_text(encoding="utf-8")
    assert "`checks`, `tests` and `gates`" in document


def test_every_command_is_a_target_of_the_makefile(workflow: dict[str, Any]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = [(name, step["run"]) for name, step in steps_of(workflow) if "run" in step]
    for _, command in commands:
        found = re.fullmatch(r"make ([a-z-]+)", command)
        assert found, command
        assert found.group(1) in targets, command
    for name, wanted in (("checks", "make check"), ("tests", "make test"), ("gates", "make gates")):
        assert [command for job, command in commands if job == name] == ["make setup", wanted]


def test_the_gates_judge_the_candidate_itself_and_keep_their_evidence(workflow: dict[str, Any]) -> None:
    steps = workflow["jobs"]["gates"]["steps"]
    checkout, upload = steps[0], steps[-1]
    assert "github.event.pull_request.head.sha || github.sha" in checkout["with"]["ref"]
    assert upload["uses"].startswith("actions/upload-artifact@")
    assert upload["if"] == "always()", "evidence of a failed run is the one that is needed"
    assert upload["with"] == {
        "name": "release-critical-e2e-log",
        "path": "docs/qa/evidence/gates-*",
        "retention-days": 14,
        "if-no-files-found": "error",
    }


def test_it_runs_the_python_the_locks_were_made_for(workflow: dict[str, Any]) -> None:
    versions = {
        step["with"]["python-version"]
        for _, step in steps_of(workflow)
        if "python-version" in step.get("with", {})
    }
    assert versions == {"3.11"}
    assert "--python-version 3.11" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_it_does_everything_that_ci_run_does(workflow: dict[str, Any]) -> None:
    """`.ci/run` is for any machine; here its steps are jobs beside each other, so that each is a required check."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    steps = re.findall(r"^step (make \w+)", script, re.MULTILINE)
    assert steps == ["make setup", "make check", "make test"]
    ran = [
        step["run"] for job in ("checks", "tests") for step in workflow["jobs"][job]["steps"] if "run" in step
    ]
    assert list(dict.fromkeys(ran)) == steps
