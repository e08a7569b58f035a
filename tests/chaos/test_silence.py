"""In shadow, on inactive accounts and in ``draft_only`` nothing can be clicked: by construction and in the end."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from leasebot_pipeline.chaos import ground
from leasebot_pipeline.domain.kill_switches import KillScope, KillTarget
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.stages import dispatch
from leasebot_pipeline.storage import kill_switches
from leasebot_pipeline.storage.outbox_operations import Actor
from tests.chaos.house import House

SILENT = {"shadow": Platform.SPAREROOM, "inactive": Platform.RENTHOP, "draft_only": Platform.ROOMIES}
EVERYTHING = KillTarget(KillScope.GLOBAL)
PERSON = Actor("admin", "tests")


def silence(house: House, why: str, platform: Platform) -> None:
    now = house.pipeline.clock()
    match why:
        case "shadow":
            ground.set_stage(house.pipeline.engine, ReleaseStage.SHADOW, now)
        case "inactive":
            ground.set_account(house.pipeline.engine, platform, active=False)
        case _:
            ground.set_account(house.pipeline.engine, platform, send_mode=SendMode.DRAFT_ONLY)


@pytest.mark.parametrize("why", SILENT)
def test_no_lead_receives_anything_there(house: House, why: str) -> None:
    """Behaviours 95 and 97, with replies that were queued before, claimed before, and asked for after."""
    platform, engine = SILENT[why], house.pipeline.engine
    with engine.begin() as conn:
        kill_switches.engage(conn, EVERYTHING, reason="test", actor=PERSON, now=house.pipeline.clock())
    queued = house.lead(platform)
    house.cycle(platform)
    with engine.begin() as conn:
        kill_switches.lift(conn, EVERYTHING, actor=PERSON, now=house.pipeline.clock())
    claimed = house.lead(platform)
    house.crash("dispatch.after_claim", lambda: house.cycle(platform))
    silence(house, why, platform)
    later = house.lead(platform)
    sent = {lead.number: len(lead.received) for lead in (queued, claimed, later)}
    for _ in range(4):
        house.cycle(platform)
        house.time.pass_by(31.0)
    assert {lead.number: len(lead.received) for lead in (queued, claimed, later)} == sent
    ground.set_stage(engine, ReleaseStage.FULL, house.pipeline.clock())
    ground.set_account(engine, None)
    house.settle(platform)
    assert house.broken_invariants() == []
    assert house.judged().lost == 0, "what had waited is left to people"


def test_whatever_clicks_is_handed_over_in_one_place_that_knows_stage_and_account() -> None:
    """The stage gets no function that clicks in shadow or for an inactive account."""
    source = ast.parse(Path(str(dispatch.__file__)).read_text(encoding="utf-8"))
    taking = [
        function.name
        for function in ast.walk(source)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and node.attr == "send"
    ]
    assert taking == ["_sender"]
