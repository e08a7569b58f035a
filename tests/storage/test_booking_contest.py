"""64 bookers against one agent's day, 10,000 attempts: nobody overlaps, everybody is answered."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations, count
from threading import Lock
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from leasebot_pipeline.domain.showings import LIVE_SHOWING_STATES, ShowingState
from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.domain.slots_search import candidates
from leasebot_pipeline.storage import booking, invariants, waiting
from leasebot_pipeline.storage.booking import (
    BookingRequest,
    BookingResult,
    HoldConfirmation,
    HoldRelease,
    Reschedule,
    StatusChange,
)
from leasebot_pipeline.storage.engine import create_engine
from tests.conftest import Database
from tests.storage.conftest import ACCOUNT, NOW
from tests.storage.office import Office

BOOKERS, ATTEMPTS, BATCH = 64, 10_000, 24
ZONE = ZoneInfo("America/New_York")
DAYS = (date(2027, 3, 14), date(2027, 11, 7))
"""Both days on which the clocks change: 23 and 25 hours long."""
QUARTER, HALF = timedelta(minutes=15), timedelta(minutes=30)
POLICY = SlotPolicy(buffer_before=timedelta(minutes=10), buffer_after=timedelta(minutes=5), capacity=2)
_keys = count(1)


def bounds(day: date) -> tuple[datetime, datetime]:
    begin = datetime.combine(day, time(), ZONE).astimezone(UTC)
    return begin, datetime.combine(day + timedelta(days=1), time(), ZONE).astimezone(UTC)


@dataclass
class Contest:
    """What all bookers share: the day, the units, who has what. Only the list of bookings is ever changed."""

    agent: UUID
    units: list[UUID]
    leads: list[tuple[UUID, UUID]]
    starts: list[datetime]
    booked: list[UUID] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)


class Booker:
    """One client with its own connection, its own leads and its own luck; now and then it meddles with others."""

    def __init__(self, contest: Contest, seed: int) -> None:
        self.contest, self.rng = contest, random.Random(seed)
        self.leads = contest.leads[seed::BOOKERS]
        self.booked: list[UUID] = []

    def remember(self, results: list[BookingResult]) -> None:
        booked = [r.appointment.id for r in results if r.outcome == "booked" and r.appointment]
        self.booked += booked
        with self.contest.lock:
            self.contest.booked += booked

    def some(self, n: int) -> list[UUID]:
        with self.contest.lock:
            theirs = self.contest.booked if self.rng.random() < 0.1 else self.booked
            return [self.rng.choice(theirs) for _ in range(n)] if theirs else []

    def turn(self, conn: Connection) -> list[BookingResult]:
        """One transaction: a batch of one kind of request."""
        kinds: list[Callable[[Connection, int], list[BookingResult]]] = [
            self.book,
            self.book,
            self.hold,
            self.confirm,
            self.move,
            self.change,
        ]
        results = self.rng.choice(kinds)(conn, self.rng.randint(1, BATCH))
        if self.rng.random() < 0.1:
            releases = [HoldRelease(appointment_id=one) for one in self.some(3)]
            booking.release_holds(conn, releases, NOW)
        return results

    def wish(self, hold_until: datetime | None) -> BookingRequest:
        start = self.rng.choice(self.contest.starts)
        lead: UUID | None
        lead, unit = None, self.rng.choice(self.contest.units)
        if self.rng.random() < 0.3:
            lead, unit = self.rng.choice(self.leads)
        return BookingRequest(
            f"key-{next(_keys):08}",
            ACCOUNT,
            unit,
            self.contest.agent,
            start,
            start + HALF,
            str(ZONE),
            conversation_id=lead,
            hold_until=hold_until,
        )

    def book(self, conn: Connection, n: int) -> list[BookingResult]:
        return booking.book(conn, [self.wish(None) for _ in range(n)], POLICY, NOW)

    def hold(self, conn: Connection, n: int) -> list[BookingResult]:
        until = NOW + timedelta(minutes=10)
        return booking.hold(conn, [self.wish(until) for _ in range(n)], POLICY, NOW)

    def confirm(self, conn: Connection, n: int) -> list[BookingResult]:
        wanted = [HoldConfirmation(appointment_id=one) for one in self.some(n)]
        return booking.confirm_holds(conn, wanted, POLICY, NOW)

    def move(self, conn: Connection, n: int) -> list[BookingResult]:
        moves = []
        for one in self.some(n):
            start = self.rng.choice(self.contest.starts)
            moves.append(Reschedule(f"move-{next(_keys):08}", start, start + HALF, appointment_id=one))
        return booking.reschedule(conn, moves, POLICY, NOW)

    def change(self, conn: Connection, n: int) -> list[BookingResult]:
        statuses = [ShowingState.CANCELLED] * 3 + [ShowingState.RESCHEDULE_REQUESTED, ShowingState.NO_SHOW]
        wanted = [StatusChange(self.rng.choice(statuses), appointment_id=one) for one in self.some(n)]
        return booking.change_status(conn, wanted, NOW)


def prepare(conn: Connection) -> Contest:
    office = Office(conn, POLICY)
    agent = office.agent(available=False, timezone=str(ZONE))
    units = [office.unit(agent, opens=False) for _ in range(3)]
    for day in DAYS:
        office.is_there(agent, *bounds(day))
        for unit in units:
            office.opens(unit, *bounds(day))
    starts = []
    for day in DAYS:
        begin, end = bounds(day)
        starts += [begin + n * QUARTER for n in range(int((end - begin) / QUARTER) - 1)]
    leads = [(office.lead(unit), unit) for unit in units for _ in range(150)]
    return Contest(agent, units, leads, starts)


@pytest.mark.timeout(300)
def test_nobody_overlaps_and_everybody_is_answered(database: Database, conn: Connection) -> None:
    contest = prepare(conn)
    conn.commit()
    # A loaded machine may let a booker wait long for its turn; it is answered all the same.
    engine = create_engine(
        database.url,
        application_name="contest",
        pool_size=BOOKERS,
        statement_timeout=timedelta(minutes=4),
    )
    left, answers = ATTEMPTS, Counter[str]()
    guard = Lock()

    def run(seed: int) -> None:
        nonlocal left
        booker = Booker(contest, seed)
        while True:
            with guard:
                if left <= 0:
                    return
            with engine.begin() as mine:
                results = booker.turn(mine)
            booker.remember(results)
            for result in results:
                assert result.stands or (result.reason and result.field and result.rule), result
            with guard:
                left -= len(results)
                answers.update(r.reason.value if r.reason else r.outcome for r in results)

    try:
        with ThreadPoolExecutor(BOOKERS) as pool:
            for done in [pool.submit(run, seed) for seed in range(BOOKERS)]:
                done.result()
    finally:
        engine.dispose()

    assert answers.total() >= ATTEMPTS
    assert {"booked", "agent_busy", "slot_full", "already_booked", "invalid_transition"} <= set(answers)
    with database.engine.begin() as after:
        assert_no_overlaps(after)
        assert [r.name for r in invariants.check(after, NOW) if not r.holds] == []
        assert_alternatives(after, contest)


def assert_no_overlaps(conn: Connection) -> None:
    """Told without the constraint's own words: every pair of live showings, by hand."""
    rows = conn.execute(
        text(
            """SELECT id, conversation_id, unit_id, starts_at, ends_at, status, hold_expires_at
                 FROM "ShowingAppointments" """
        )
    ).all()
    live = [row for row in rows if ShowingState(row.status) in LIVE_SHOWING_STATES]
    assert len(live) > 40, "the days are well filled"
    gap = POLICY.buffer_before + POLICY.buffer_after
    overlaps = [
        (a, b)
        for a, b in combinations(live, 2)
        if a.unit_id != b.unit_id and a.starts_at < b.ends_at + gap and b.starts_at < a.ends_at + gap
    ]
    assert overlaps == []
    for row in live:
        together = [o for o in live if o.unit_id == row.unit_id and o.starts_at <= row.starts_at < o.ends_at]
        # Whoever holds another time beside the showing they have will come once, whichever it is.
        shown = {o.conversation_id for o in together if o.hold_expires_at is None}
        visitors = [o for o in together if not (o.hold_expires_at and o.conversation_id in shown - {None})]
        assert len(visitors) <= POLICY.capacity, together


def assert_alternatives(conn: Connection, contest: Contest) -> None:
    """Whoever was refused can be offered what the slot search finds, and that can be booked."""
    for unit in contest.units:
        calendars = waiting.load_calendars(conn, [unit], NOW, timedelta(days=400))
        for slot in candidates(calendars.for_unit(unit), POLICY, NOW, 3):
            assert slot.agent_id is not None
            wish = BookingRequest(
                f"key-{next(_keys):08}", ACCOUNT, unit, slot.agent_id, slot.starts_at, slot.ends_at, str(ZONE)
            )
            assert booking.book(conn, [wish], POLICY, NOW)[0].outcome == "booked"
