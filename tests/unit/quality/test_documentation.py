"""Each check and each rule is explained in docs/data-quality.md, and nothing else is."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.quality import checks, decisions, dispatch, inbound, linkage, showings
from tests.unit.quality import test_suites as batches

DOCUMENT = Path(__file__).parents[3] / "docs" / "data-quality.md"
NAME = re.compile(r"`([a-z_]+)`")


def documented() -> tuple[set[str], set[str]]:
    """Names in the first column (checks) and in the second one (rules) of the tables of rules."""
    checks_named: set[str] = set()
    rules_named: set[str] = set()
    for line in DOCUMENT.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and NAME.search(cells[1]):
            checks_named.update(NAME.findall(cells[0]))
            rules_named.update(NAME.findall(cells[1]))
    return checks_named, rules_named


def test_every_check_and_rule_is_documented() -> None:
    found = [
        inbound.check_inbound(Platform.ROOMIES, [batches.event(1)], datetime(2026, 11, 24, tzinfo=UTC)),
        linkage.check_linkage(10, 10),
        decisions.check_decisions([batches.decision(1)]),
        decisions.check_share_held(10, 0),
        dispatch.check_dispatches([batches.reply(1)]),
        showings.check_showings([batches.showing(1)]),
    ]
    rules = {finding.rule for validation in found for finding in validation.findings}
    declared = {
        check.name
        for suite in (checks.INBOUND, checks.LINKAGE, checks.DECISIONS, checks.SHOWINGS, checks.DISPATCH)
        for check in suite
    }
    assert documented() == (declared, rules)
