"""Our own adverts become units and listings; the account's other visits come first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import ListingRow, ListingsReading
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.stages.sync_listings import sync_listings
from leasebot_pipeline.storage import accounts_runtime
from tests.stages.conftest import ACCOUNT, PLATFORM, Office, OfficeMaker


class Adverts:
    """A platform whose adverts a test decides; the connector protocol is the seam."""

    platform = PLATFORM

    def __init__(self) -> None:
        self.rows: tuple[ListingRow, ...] = ()
        self.complete = True

    def list_listings(self, account: AccountRef, *, deadline_s: float) -> ListingsReading:
        return ListingsReading(self.rows, pages_read=1, complete=self.complete)

    def for_platform(self, platform: Platform) -> Adverts:
        return self

    def release(self, account: AccountRef) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def adverts() -> Adverts:
    return Adverts()


@pytest.fixture
def office(make_office: OfficeMaker, adverts: Adverts) -> Office:
    return make_office(adverts)


def listing(external_id: str, title: str, price: str = "$1,200 /month", **fields: str) -> ListingRow:
    return ListingRow(external_id, "active", title=title, location="Astoria", price_text=price, **fields)  # type: ignore[arg-type]


STATUS = """SELECT listing_external_id, status, rent_cents FROM "Listings" WHERE listing_external_id LIKE 'N%' ORDER BY 1"""


def test_new_adverts_become_units_and_a_second_run_changes_nothing(office: Office, adverts: Adverts) -> None:
    """Behaviour 143."""
    adverts.rows = (listing("N1", "Sunny room"), listing("N2", "Loft", property_name="Mill", unit_number="7"))
    (account,) = sync_listings(office.pipeline, PLATFORM, "run").accounts
    assert (account.fetched, account.inserted, account.error) == (2, 2, None)
    units = office.rows('SELECT count(*) FROM "Units"')
    office.clock.advance(minutes=5)
    (account,) = sync_listings(office.pipeline, PLATFORM, "run").accounts
    assert (account.inserted, account.updated) == (0, 2)
    assert office.rows('SELECT count(*) FROM "Units"') == units
    assert office.rows(STATUS) == [("N1", "active", 120000), ("N2", "active", 120000)]


def test_an_advert_that_vanished_is_inactive_only_when_all_pages_were_read(
    office: Office, adverts: Adverts
) -> None:
    adverts.rows = (listing("N1", "Sunny room"), listing("N2", "Loft"))
    sync_listings(office.pipeline, PLATFORM, "run")
    adverts.rows = (listing("N1", "Sunny room", price="ask"),)
    adverts.complete = False
    office.clock.advance(minutes=5)
    sync_listings(office.pipeline, PLATFORM, "run")
    assert office.rows(STATUS) == [("N1", "active", 120000), ("N2", "active", 120000)]
    adverts.complete = True
    office.clock.advance(minutes=5)
    sync_listings(office.pipeline, PLATFORM, "run")
    assert office.rows(STATUS) == [("N1", "active", 120000), ("N2", "inactive", 120000)]


def test_a_busy_account_is_waited_for_and_then_left_to_the_next_time(
    office: Office, adverts: Adverts
) -> None:
    with office.pipeline.engine.begin() as conn:
        accounts_runtime.acquire_lease(conn, ACCOUNT, "other/1/x", office.clock(), timedelta(seconds=60))
    (account,) = sync_listings(office.pipeline, PLATFORM, "run").accounts
    assert "busy" in (account.error or "")
    office.clock.advance(seconds=61)
    (account,) = sync_listings(office.pipeline, PLATFORM, "run").accounts
    assert account.error is None
