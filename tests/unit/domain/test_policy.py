"""Send mode is the strictest of stage, account and global default; test gates name who may be answered."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.domain.policy import LeadGate, PlatformPolicy

AUTO, DRAFT = SendMode.AUTO_SEND, SendMode.DRAFT_ONLY


@pytest.mark.parametrize(
    ("stage", "in_cohort", "override", "default", "effective"),
    [
        (ReleaseStage.FULL, False, AUTO, AUTO, AUTO),
        (ReleaseStage.FULL, False, None, AUTO, AUTO),
        (ReleaseStage.FULL, False, None, DRAFT, DRAFT),
        (ReleaseStage.FULL, False, AUTO, DRAFT, DRAFT),
        (ReleaseStage.FULL, False, DRAFT, AUTO, DRAFT),
        (ReleaseStage.CANARY, True, AUTO, AUTO, AUTO),
        (ReleaseStage.CANARY, False, AUTO, AUTO, DRAFT),
        (ReleaseStage.SHADOW, True, AUTO, AUTO, DRAFT),
    ],
)
def test_effective_send_mode(
    stage: ReleaseStage, in_cohort: bool, override: SendMode | None, default: SendMode, effective: SendMode
) -> None:
    assert PlatformPolicy(True, override, default, stage, in_cohort).effective_send_mode is effective


def test_the_lead_gate_is_off_without_a_list() -> None:
    assert LeadGate().refusal(Platform.ROOMIES, "Anyone", None) is None
    assert (
        LeadGate(allow_names=(" ",), max_message_age=timedelta(minutes=1)).refusal(Platform.ROOMIES, "A", 9e9)
        is None
    )


def test_listed_leads_pass_by_whole_name_and_fresh_message() -> None:
    """Behaviour 140."""
    gate = LeadGate(("Sam  Lee",), {Platform.RENTHOP: ("Ann",)}, timedelta(minutes=60))
    assert gate.refusal(Platform.ROOMIES, " sam lee ", 10) is None
    assert gate.refusal(Platform.ROOMIES, "Sam", 10) == "test_allowlist_blocked"
    assert gate.refusal(Platform.ROOMIES, None, 10) == "test_allowlist_blocked"
    assert gate.refusal(Platform.ROOMIES, "Sam Lee", 3601) == "test_allowlist_message_too_old"
    assert gate.refusal(Platform.ROOMIES, "Sam Lee", None) == "test_allowlist_message_too_old"
    assert gate.refusal(Platform.RENTHOP, "Sam Lee", 10) == "test_allowlist_blocked"
    assert gate.refusal(Platform.RENTHOP, "ann", 10) is None
    assert gate.as_details(Platform.RENTHOP, "ann")["env"] == "WORKER_AUTOREPLY_ALLOW_LEAD_NAMES_BY_PLATFORM"
