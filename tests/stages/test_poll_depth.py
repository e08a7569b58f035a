"""How deep an inbox is read, over real pages: no thread is passed over because those above it are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from leasebot_pipeline.chaos.connector import HttpConnectors, SiteLogin
from leasebot_pipeline.domain.watermark import DEEP_LOOK_EVERY
from leasebot_pipeline.sandbox import LOGIN_PASSWORD, LOGIN_USER
from leasebot_pipeline.sandbox.faults import Fault, Page
from leasebot_pipeline.sandbox.testing import SandboxServer
from leasebot_pipeline.stages.poll import AccountPoll, poll
from tests.stages.conftest import PLATFORM, Office, OfficeMaker


@dataclass
class Inbox:
    """A site with leads, and the office that reads it."""

    sandbox: SandboxServer
    office: Office

    def leads_write(self, count: int) -> None:
        for n in range(count):
            self.sandbox.add_lead(PLATFORM, f"Hi, is the room free? ({n})", name=f"Ana {n}")

    def look(self, **later: float) -> AccountPoll:
        self.office.clock.advance(**(later or {"seconds": 5}))
        return poll(self.office.pipeline, PLATFORM, "test").accounts[0]

    def landed(self) -> int:
        ((count,),) = self.office.rows('SELECT count(DISTINCT external_thread_id) FROM "InboundEvents"')
        return int(str(count))


@pytest.fixture
def inbox(make_office: OfficeMaker) -> Iterator[Inbox]:
    office = make_office(threads_per_poll=12)
    with SandboxServer(clock=office.clock) as sandbox:
        connectors = HttpConnectors(sandbox.base_urls, SiteLogin(LOGIN_USER, LOGIN_PASSWORD), office.clock)
        office.pipeline = replace(office.pipeline, connectors=connectors)
        yield Inbox(sandbox, office)
        connectors.close()


def test_threads_left_for_the_next_look_are_read_though_what_stands_above_them_is_known(inbox: Inbox) -> None:
    """G-50: three pages of new threads, twelve read a look: the third page's stand below a known first page."""
    inbox.leads_write(30)
    for _ in range(3):
        inbox.look()
    assert inbox.landed() == 30
    assert inbox.look().changed == 0


def test_a_thread_page_that_failed_is_read_again_though_it_sank_below_what_is_known(inbox: Inbox) -> None:
    inbox.leads_write(12)
    inbox.sandbox.fault(PLATFORM, Fault.HALF_PAGE, pages=[Page.THREAD], count=2)
    inbox.look()
    assert inbox.landed() == 10
    inbox.leads_write(12)
    inbox.look()
    inbox.look()
    assert inbox.landed() == 24


def test_threads_a_short_list_hid_are_found_by_a_deep_look(inbox: Inbox) -> None:
    """A site whose list ended early once: nothing on the page tells, so the inbox is read to its end now and then."""
    inbox.leads_write(15)
    inbox.sandbox.fault(PLATFORM, Fault.SHORT_LIST, count=1)
    inbox.look()
    assert inbox.landed() < 15
    inbox.look(seconds=DEEP_LOOK_EVERY.total_seconds() + 1)
    inbox.look()
    assert inbox.landed() == 15
