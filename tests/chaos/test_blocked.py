"""One platform blocked: the other four go on as if it were not there."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from leasebot_pipeline.chaos.connector import HttpConnector
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import InboxReading
from tests.chaos.house import House

BLOCKED = Platform.RENTHOP
OTHERS = {platform for platform in Platform if platform is not BLOCKED}
PATIENCE_S = 60


class Gate:
    """A site that does not answer until the test lets it."""

    def __init__(self, connector: HttpConnector) -> None:
        self._connector, self._read = connector, connector.read_inbox
        self.reached, self.open = threading.Event(), threading.Event()
        connector.read_inbox = self.read_inbox  # type: ignore[method-assign]

    def read_inbox(self, *arguments: Any, **named: Any) -> InboxReading:
        self.reached.set()
        assert self.open.wait(PATIENCE_S)
        return self._read(*arguments, **named)


@pytest.mark.timeout(120)
def test_four_platforms_answer_while_the_fifth_hangs(house: House) -> None:
    """G-71: nothing of theirs waits for it, in the database or elsewhere; let go, it catches up."""
    leads = [house.lead(platform) for platform in Platform]
    connector = house.pipeline.connectors.for_platform(BLOCKED)
    assert isinstance(connector, HttpConnector)
    gate = Gate(connector)
    hanging = threading.Thread(target=house.cycle, args=(BLOCKED,))
    hanging.start()
    try:
        assert gate.reached.wait(PATIENCE_S)
        for platform in OTHERS:
            house.cycle(platform)
        assert {lead.platform for lead in leads if lead.received} == OTHERS
        assert hanging.is_alive(), "the blocked platform still hangs"
    finally:
        gate.open.set()
        hanging.join(PATIENCE_S)
    assert {lead.platform for lead in leads if lead.received} == set(Platform)
    assert house.broken_invariants() == []
