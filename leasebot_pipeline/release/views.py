"""Stages and checks as the command line and the API show them."""

from __future__ import annotations

from typing import Any

from leasebot_pipeline.domain.release_gate import Rule
from leasebot_pipeline.release.gate import Check
from leasebot_pipeline.storage.release_stages import StageRow


def stage_json(stage: StageRow | None) -> dict[str, Any] | None:
    if stage is None:
        return None
    return {
        "id": str(stage.id),
        "stage": stage.stage.value,
        "cohort": dict(stage.cohort),
        "commit": stage.commit,
        "hasBaseline": stage.baseline is not None,
        "overridden": stage.overridden,
        "gateVerdict": stage.gate_result["verdict"] if stage.gate_result else None,
        "actorType": stage.actor_type,
        "actorId": stage.actor_id,
        "reason": stage.reason,
        "startedAt": stage.started_at.isoformat(),
        "endedAt": stage.ended_at.isoformat() if stage.ended_at else None,
    }


def stage_line(stage: StageRow) -> str:
    cohort = ""
    if stage.cohort:
        cohort = " " + ", ".join(f"{name} {value}" for name, value in stage.cohort.items())
    marked = " (gate overridden)" if stage.overridden else ""
    who = stage.actor_id or stage.actor_type
    return (
        f"{stage.started_at:%Y-%m-%d %H:%M} UTC  {stage.stage}{cohort}  {stage.commit or 'no commit'}"
        f"{marked}  by {who}: {stage.reason}"
    )


def check_text(check: Check) -> str:
    lines = [
        f"{check.result.verdict.upper()}  {check.stage.stage}, {check.since:%H:%M} to {check.taken_at:%H:%M} UTC"
    ]
    lines += [_rule_line(rule) for rule in check.result.rules]
    return "\n".join(lines)


def _rule_line(rule: Rule) -> str:
    mark = "ok  " if rule.kept else "BACK" if rule.takes_back else "hold"
    return f"  {mark} {rule.name}: {rule.reason}"
