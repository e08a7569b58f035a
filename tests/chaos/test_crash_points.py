"""An exception at every crash point, before what it stands at is committed or after: one reply each all the same.

``test_play.py`` has the same with kill -9 and with processes that freeze.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from leasebot_pipeline.chaos import people
from leasebot_pipeline.domain.model_metering import BatchReport, DailyLimits, Spend
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.sandbox.faults import Fault, Page
from leasebot_pipeline.stages import accounts, availability, sync_listings
from leasebot_pipeline.stages.alerts import sweep
from leasebot_pipeline.storage import privacy, rollups
from leasebot_pipeline.storage.crash_points import CRASH_POINTS
from leasebot_pipeline.storage.model_usage import DatabaseMeter
from tests.chaos.house import House

BY_HAND = {
    "availability": lambda house, _: availability.extend_horizon(house.pipeline, None),
    "listings": lambda house, platform: sync_listings.sync_listings(house.pipeline, platform, None),
    "account": lambda house, platform: accounts.resume(house.pipeline.engine, platform, actor="tests"),
    "rollups": lambda house, _: rollups.advance(house.pipeline.engine, house.pipeline.clock()),
    "alert.sweep": lambda house, _: sweep(house.pipeline.engine, house.pipeline.alerts, house.pipeline.clock),
}
"""What passes a point that no cycle of a platform passes."""
OF_THEIR_OWN = ("reply.", "privacy.", "model.", "retention.")
"""Points of people's own words, of erasing and of a model's bill: they have tests of their own below; retention's are
with its stage."""
IN_A_CYCLE = [point for point in CRASH_POINTS if not point.startswith(OF_THEIR_OWN)]


def platform_of(point: str) -> Platform:
    """Each platform has its share of the points."""
    return tuple(Platform)[list(CRASH_POINTS).index(point) % len(Platform)]


def prepared(house: House, point: str, platform: Platform) -> Callable[[], object]:
    """Let the site do what leads to the point; what passes it."""
    fault = house.sandbox.fault
    if point.endswith("_thread_failure"):
        fault(platform, Fault.SERVER_ERROR, pages=[Page.THREAD], count=1)
    elif point.startswith("reconcile.") or point.endswith("_failure"):
        fault(platform, Fault.SERVER_ERROR, pages=[Page.REPLY], count=1)
    elif point.endswith("_cap"):
        house.lead(platform)
        house.settle(platform)
        house.cap(platform, 1)  # the day's only reply was that one
    elif point.startswith("alert.") and not point.endswith("_sweep"):
        fault(platform, Fault.CHALLENGE, pages=[Page.INBOX], count=1)
    room = (
        "alert.sweep" if point.startswith("alert.") and point.endswith("_sweep") else point.partition(".")[0]
    )
    by_hand = BY_HAND.get(room)
    if by_hand is None:
        return lambda: house.cycle(platform)
    return lambda: by_hand(house, platform)


@pytest.mark.parametrize("point", IN_A_CYCLE)
def test_an_exception_there_loses_and_doubles_nothing(house: House, point: str) -> None:
    """Behaviours 87, 90 and 139; G-01, G-02: what was done is kept, what was not is done, the click is one."""
    platform = platform_of(point)
    act = prepared(house, point, platform)
    lead = house.lead(platform)
    house.crash(point, act)
    if point.endswith("_cap"):
        house.cap(platform, None)
    house.settle(platform)
    assert len(lead.received) == 1
    found = house.judged()
    assert (found.doubled, found.lost, found.unknown_open, house.open_work()) == (0, 0, 0, 0)
    assert house.broken_invariants() == []
    house.sandbox.archive([lead])


def test_a_persons_reply_that_was_not_committed_never_goes_out(house: House) -> None:
    """``reply.before_commit``: nothing is queued; written again, it goes out once."""
    platform = Platform.SPAREROOM
    lead = house.lead(platform)
    house.settle(platform)

    def write() -> None:
        with house.pipeline.engine.begin() as conn:
            people.write(conn, house.conversation(lead), "Come on Friday at three.", house.pipeline.clock())

    assert house.crash("reply.before_commit", write) == 1
    house.settle(platform)
    assert len(lead.received) == 1
    write()
    house.settle(platform)
    assert [message.body for message in lead.received[1:]] == ["Come on Friday at three."]
    assert house.broken_invariants() == []
    house.sandbox.archive([lead])


def test_a_leads_data_are_removed_as_a_whole_or_not_at_all(house: House) -> None:
    """``privacy.before_commit``."""
    lead = house.lead(Platform.ROOMIES)
    house.settle(Platform.ROOMIES)
    kept = house.rows('SELECT body, metadata FROM "Messages" ORDER BY seq')

    def erase() -> None:
        with house.pipeline.engine.begin() as conn:
            found = privacy.conversations_of_lead(conn, house.conversation(lead))
            privacy.erase(conn, found, house.pipeline.clock())

    assert house.crash("privacy.before_commit", erase) == 1
    assert house.rows('SELECT body, metadata FROM "Messages" ORDER BY seq') == kept
    assert house.broken_invariants() == []
    house.sandbox.archive([lead])


@pytest.mark.parametrize(
    ("point", "reserved", "questions"),
    [
        ("model.before_admission", 0, 0),  # nothing was asked, nothing is charged
        ("model.after_admission", 100, 0),  # the share stays taken: a model is never asked beyond its budget
        ("model.before_settlement", 100, 0),  # asked, and still charged as the most it could have been
        ("model.after_settlement", 0, 1),
    ],
)
def test_a_models_bill_is_never_too_low(house: House, point: str, reserved: int, questions: int) -> None:
    house.run('DELETE FROM "ModelUsage"')
    meter = DatabaseMeter(house.pipeline.engine, "a-model", DailyLimits(tokens=1000), house.pipeline.clock)

    def ask() -> None:
        admission = meter.admit([Spend(100, 5)])
        meter.settle(admission, BatchReport(questions=1, spent=Spend(40, 2), answered=True))

    assert house.crash(point, ask) == 1
    row = house.rows(
        'SELECT COALESCE(sum(reserved_tokens), 0), COALESCE(sum(questions), 0) FROM "ModelUsage"'
    )
    assert row == [(reserved, questions)]


def test_every_point_has_its_turn_here() -> None:
    elsewhere = set(CRASH_POINTS) - set(IN_A_CYCLE)
    assert elsewhere == {
        "reply.before_commit",
        "privacy.before_commit",
        "model.before_admission",
        "model.after_admission",
        "model.before_settlement",
        "model.after_settlement",
        "retention.before_archive",  # these four: tests/stages/test_retention.py
        "retention.after_archive",
        "retention.before_erasure",
        "retention.after_erasure",
    }
