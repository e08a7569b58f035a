"""Dispatch over a real database and inboxes in memory: what is clicked, what is not, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
import structlog
from sqlalchemy import event, text

from leasebot_pipeline.chaos.connections import CommitFaults
from leasebot_pipeline.domain.alerts import AlertEvent
from leasebot_pipeline.domain.failures import PlatformFailure, SendPhase
from leasebot_pipeline.domain.identity import normalise_text
from leasebot_pipeline.domain.kill_switches import KillScope, KillTarget
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import (
    DeliveryReceipt,
    Direction,
    SendBaseline,
    SendRequest,
    ThreadReading,
)
from leasebot_pipeline.platforms.mock import MockConnector, MockConnectors
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.stages import accounts, dispatch, poll, visits
from leasebot_pipeline.stages.dispatch import DispatchResult
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import (
    accounts_runtime,
    crash_points,
    invariants,
    kill_switches,
    outbox_sweeps,
)
from leasebot_pipeline.storage.crash_points import VARIABLE, CrashPointReached
from leasebot_pipeline.storage.outbox_operations import Actor
from tests.stages.conftest import ACCOUNT, PLATFORM, Office, OfficeMaker

TOUR = "Hi, can I come for a tour this week?"
ALL = KillTarget(KillScope.GLOBAL)
OPERATOR = Actor("admin", "tests")


class Site(MockConnector):
    """A platform whose send does what a test says: before the click, and in place of its answer."""

    def __init__(self, connector: MockConnector) -> None:
        super().__init__(connector.platform, connector._clock)
        self.sends = 0
        self.before_intent: Callable[[], None] = lambda: None
        self.on_its_way: Callable[[], None] = lambda: None
        """What happens between the last look and the click."""
        self.swallow = 0
        """How many clicks lead to nothing, unproven."""
        self.lose_answer = 0
        """How many clicks arrive without that we see it."""
        self.fail: list[Exception] = []

    def send(
        self,
        account: AccountRef,
        request: SendRequest,
        *,
        before_click: Callable[[SendBaseline], None],
        deadline_s: float,
    ) -> DeliveryReceipt:
        self.sends += 1
        if self.fail:
            raise self.fail.pop(0)

        def intend(baseline: SendBaseline) -> None:
            self.before_intent()
            before_click(baseline)
            self.on_its_way()
            if self.swallow:
                self.swallow -= 1
                raise unconfirmed()

        receipt = super().send(account, request, before_click=intend, deadline_s=deadline_s)
        if self.lose_answer:
            self.lose_answer -= 1
            raise unconfirmed()
        return receipt


def unconfirmed() -> PlatformFailure:
    return PlatformFailure("OUTBOUND_DELIVERY_UNCONFIRMED", "no echo", phase=SendPhase.AFTER_CLICK)


class Sites(MockConnectors):
    def __init__(self, site: Site) -> None:
        super().__init__(site._clock)
        self._connectors[site.platform] = site


@dataclass
class Told:
    """Everything people were alerted of."""

    events: list[AlertEvent] = field(default_factory=list)

    def notify(self, event: AlertEvent) -> None:
        self.events.append(event)

    def flush(self) -> int:
        return 0


@dataclass
class Desk:
    """A leasing office with one platform under a test's control."""

    office: Office
    site: Site
    told: Told

    def ask(self, thread: str = "t1", body: str = TOUR) -> None:
        """A lead writes on the platform."""
        self.site.inbox(ACCOUNT).write(
            thread, body, self.office.clock, lead_name="Ana Lead", listing_external_id="L1"
        )

    def take_in(self) -> None:
        poll.poll(self.office.pipeline, PLATFORM, "test")
        self.office.take_in()

    def answer(self, *threads: str) -> None:
        """Leads write and their replies are queued."""
        for thread in threads or ("t1",):
            self.ask(thread)
        self.take_in()
        self.office.decide()

    def dispatch(self) -> DispatchResult:
        return dispatch.dispatch(self.office.pipeline, PLATFORM, "run-1")

    def received(self, thread: str = "t1") -> list[str]:
        messages = self.site.inbox(ACCOUNT).threads[thread].messages
        return [normalise_text(m.body) for m in messages if m.direction is Direction.OUTBOUND]

    def states(self) -> list[str]:
        found = self.office.rows('SELECT state FROM "OutboundDispatches" ORDER BY created_at, state')
        return [str(state) for (state,) in found]

    def audited(self, action: str) -> int:
        (row,) = self.office.rows('SELECT count(*) FROM "AuditLogs" WHERE action = :action', action=action)
        return int(str(row[0]))

    def kill(self, target: KillTarget = ALL) -> None:
        with self.office.pipeline.engine.begin() as conn:
            kill_switches.engage(conn, target, reason="test", actor=OPERATOR, now=self.office.clock())

    def lift(self, target: KillTarget = ALL) -> None:
        with self.office.pipeline.engine.begin() as conn:
            kill_switches.lift(conn, target, actor=OPERATOR, now=self.office.clock())

    def broken(self) -> list[str]:
        with self.office.pipeline.engine.connect() as conn:
            return [one.name for one in invariants.check(conn, self.office.clock()) if not one.holds]


@pytest.fixture
def desk(make_office: OfficeMaker) -> Desk:
    office = make_office()
    site = Site(MockConnector(PLATFORM, office.clock))
    told = Told()
    office.pipeline = replace(office.pipeline, connectors=Sites(site), alerts=told)
    return Desk(office, site, told)


def test_a_queued_reply_is_clicked_once_and_proven(desk: Desk) -> None:
    """Behaviours 79 and 94: one reply, its receipt, and the audit rows of its send."""
    desk.answer()
    assert desk.dispatch().sent == 1
    assert desk.dispatch() == DispatchResult()
    assert len(desk.received()) == desk.site.sends == 1
    assert desk.audited("ai_reply_send_attempted") == desk.audited("ai_reply_created") == 1
    assert desk.broken() == []


def test_a_second_look_at_the_same_message_sends_nothing(desk: Desk) -> None:
    """Behaviour 89."""
    desk.answer()
    desk.dispatch()
    desk.take_in()
    desk.office.decide()
    assert desk.dispatch().claimed == 0
    assert len(desk.received()) == 1


def test_a_busy_account_is_left_to_whoever_has_it(desk: Desk) -> None:
    """Behaviour 90: two workers at once, one dispatch."""
    desk.answer()
    with desk.office.pipeline.engine.begin() as conn:
        now = desk.office.clock()
        assert accounts_runtime.acquire_lease(conn, ACCOUNT, "other-host/1/x", now, timedelta(seconds=10))
    assert "busy" in str(desk.dispatch().left)
    desk.office.pass_by(seconds=11)  # the other host's worker gives no sign of life any more
    assert desk.dispatch().sent == 1


SILENT = {
    "shadow": """UPDATE "ReleaseStages" SET stage = 'shadow'""",
    "inactive": """UPDATE "PlatformAccounts" SET is_active = false""",
    "draft_only": """UPDATE "PlatformAccounts" SET send_mode = 'draft_only'""",
}


@pytest.mark.parametrize("case", SILENT)
def test_where_nothing_may_be_sent_nothing_reaches_the_page(desk: Desk, case: str) -> None:
    """Behaviours 95 and 97, for replies that were queued before: the connector is not even asked."""
    desk.answer()
    desk.office.run(SILENT[case])
    result = desk.dispatch()
    assert (result.claimed, result.held, desk.site.sends) == (0, 1, 0)
    assert desk.states() == ["held" if case == "inactive" else "draft"]
    assert desk.audited("platform_dispatch_demoted") == 1


@pytest.mark.parametrize("case", SILENT)
@pytest.mark.parametrize("moment", ["before_intent", "before_click"])
def test_a_switch_to_silence_stops_the_click_at_the_last_moment(desk: Desk, case: str, moment: str) -> None:
    desk.answer()
    hook = _once(lambda: desk.office.run(SILENT[case]))
    if moment == "before_intent":
        desk.site.before_intent = hook
        desk.dispatch()
    else:
        with crossing("dispatch.before_click", hook):
            desk.dispatch()
    assert desk.received() == []
    assert desk.states() == ["held" if case == "inactive" else "draft"]
    assert desk.broken() == []


@pytest.mark.parametrize("moment", ["claim", "before_intent", "before_click"])
def test_a_kill_switch_stops_the_reply_and_lifting_it_lets_it_go(desk: Desk, moment: str) -> None:
    """However far it got: nothing is clicked, nothing is lost, and no attempt is counted."""
    desk.answer()
    hook = _once(desk.kill)
    if moment == "claim":
        desk.kill()
        desk.dispatch()
    elif moment == "before_intent":
        desk.site.before_intent = hook
        assert desk.dispatch().withdrawn == 1
    else:
        with crossing("dispatch.before_click", hook):
            assert desk.dispatch().withdrawn == 1
    assert desk.received() == []
    assert desk.states() == ["queued"]
    assert desk.office.rows('SELECT attempts, sending_at FROM "OutboundDispatches"') == [(0, None)]
    assert desk.office.rows("SELECT count(*) FROM \"PlatformRuns\" WHERE outcome = 'failed'") == [(0,)]
    desk.lift()
    assert desk.dispatch().sent == 1
    assert len(desk.received()) == 1
    assert desk.broken() == []
    assert desk.audited("kill_switch_engaged") == desk.audited("kill_switch_lifted") == 1


def test_a_newer_message_cancels_the_waiting_reply_and_is_answered_instead(desk: Desk) -> None:
    """G-08: the lead gets one answer, to the newest state of the thread."""
    desk.answer()
    desk.ask(body="And is parking included?")
    desk.take_in()
    result = desk.dispatch()
    assert (result.superseded, result.sent) == (1, 0)
    desk.office.decide()
    desk.dispatch()
    assert desk.states()[0] == "cancelled"
    assert len(desk.received()) <= 1
    assert desk.audited("platform_dispatch_superseded") == 1
    assert desk.broken() == []


@pytest.mark.parametrize("moment", ["before_intent", "before_click"])
def test_a_message_that_comes_while_we_type_stops_the_click(desk: Desk, moment: str) -> None:
    desk.answer()

    def lead_writes() -> None:
        desk.office.lead_writes("t1", "Wait, one more question")
        desk.office.take_in()

    hook = _once(lead_writes)
    if moment == "before_intent":
        desk.site.before_intent = hook
        desk.dispatch()
    else:
        with crossing("dispatch.before_click", hook):
            desk.dispatch()
    assert desk.received() == []
    assert desk.states() == ["cancelled"]
    assert desk.office.decide().decided == 1, "the conversation is decided again"


def test_a_conversation_whose_reply_is_in_doubt_is_decided_when_it_is_settled(desk: Desk) -> None:
    desk.answer()
    desk.site.lose_answer = 1
    desk.dispatch()
    desk.ask(body="Hello? Can I come on Friday?")
    desk.take_in()
    assert desk.office.decide().decided == 0
    desk.office.pass_by(seconds=21)
    assert desk.dispatch().sent == 1
    assert desk.office.decide().decided == 1


def test_a_click_whose_answer_is_lost_is_settled_by_reading(desk: Desk) -> None:
    desk.answer()
    desk.site.lose_answer = 1
    assert desk.dispatch().unknown == 1
    desk.office.pass_by(seconds=21)
    result = desk.dispatch()
    assert (result.reconciled, result.sent, desk.site.sends) == (1, 1, 1)
    assert len(desk.received()) == 1
    assert desk.broken() == []


def test_a_click_under_way_is_not_judged_absent_by_a_worker_whose_clock_is_ahead(desk: Desk) -> None:
    """For its clock the other's claim has run out, and long since: only the database's clock says how long."""
    desk.answer()
    seen: list[str] = []

    def meanwhile() -> None:
        dispatch.dispatch(ahead_of(desk, seconds=25), PLATFORM, "run-2")
        seen.extend(desk.states())

    desk.site.on_its_way = _once(meanwhile)
    with suppress(PlatformFailure):  # the account was taken over
        desk.dispatch()
    assert seen == ["unknown"]
    for _ in range(3):
        desk.office.pass_by(seconds=31)
        desk.dispatch()
    assert (desk.site.sends, len(desk.received()), desk.states()) == (1, 1, ["sent"])
    assert desk.broken() == []


def test_a_reply_that_shows_late_is_not_judged_absent_by_a_worker_whose_clock_is_ahead(desk: Desk) -> None:
    desk.answer()
    desk.site.swallow = 1
    assert desk.dispatch().unknown == 1
    assert dispatch.dispatch(ahead_of(desk, seconds=25), PLATFORM, "run-2").reconciled == 1
    assert desk.states() == ["unknown"], "one second after it became so, nothing is proven"


def ahead_of(desk: Desk, seconds: float) -> Pipeline:
    """A worker of another host whose clock is ahead of the desk's."""

    def clock() -> datetime:
        return desk.office.clock() + timedelta(seconds=seconds)

    return replace(desk.office.pipeline, worker="other-host/1/x", clock=clock)


def test_a_click_that_led_to_nothing_is_tried_once_more_and_then_a_person_is_asked(desk: Desk) -> None:
    desk.answer()
    desk.site.swallow = 5
    for _ in range(8):
        desk.dispatch()
        desk.office.pass_by(seconds=31)
    assert desk.site.sends == 2
    assert desk.states() == ["dead_letter"]
    assert [(one.type, one.reason) for one in desk.told.events] == [
        ("reply_dead_letter", "OUTBOUND_NOT_IN_THREAD")
    ]
    assert desk.audited("ai_reply_dispatch_escalated") == 1


def test_a_reply_that_shows_late_is_not_clicked_again(desk: Desk) -> None:
    """It was provably absent when read, and stands in the thread when the next try opens it."""
    desk.answer()
    desk.site.swallow = 1
    desk.dispatch()
    desk.office.pass_by(seconds=21)
    body = str(desk.office.rows('SELECT body FROM "OutboundDispatches"')[0][0])

    def shows_late() -> None:
        desk.site.inbox(ACCOUNT).write("t1", body, desk.office.clock, direction=Direction.OUTBOUND)

    original = desk.site.send

    def send(*arguments: object, **named: object) -> DeliveryReceipt:
        _shown()
        return original(*arguments, **named)  # type: ignore[arg-type]

    _shown = _once(shows_late)
    desk.site.send = send  # type: ignore[method-assign]
    desk.dispatch()
    desk.office.pass_by(seconds=31)
    desk.dispatch()
    assert desk.received() == [normalise_text(body)]
    assert desk.states() == ["sent"]


def test_a_permanent_failure_costs_one_attempt_and_one_alert(desk: Desk) -> None:
    """Behaviour 93, G-04: given up is given up; ten replies of one cause are one incident."""
    desk.answer("t1", "t2")
    desk.site.fail = [PlatformFailure("PAGE_NOT_FOUND", "the thread was deleted")] * 2
    result = desk.dispatch()
    assert (result.claimed, result.dead_lettered) == (2, 2)
    desk.office.pass_by(hours=1)
    assert desk.dispatch().claimed == 0
    assert desk.office.rows("""SELECT occurrences FROM "AlertIncidents" WHERE closed_at IS NULL""") == [(2,)]
    assert desk.audited("platform_dispatch_dlq") == desk.audited("ai_reply_dispatch_escalated") == 2


def test_a_transient_failure_retries_with_growing_pauses_and_ends(desk: Desk) -> None:
    """Behaviours 88, 93 and 104, G-73: time-outs are retried, capped, and told."""
    desk.answer()
    pauses = []
    for _ in range(5):
        desk.site.fail = [PlatformFailure("PAGE_TIMEOUT", "no answer")]
        desk.dispatch()
        (row,) = desk.office.rows('SELECT next_attempt_at, state FROM "OutboundDispatches"')
        if row[1] == "retry_scheduled":
            pauses.append(row[0] - desk.office.clock.now)  # type: ignore[operator]
        desk.office.pass_by(minutes=11)
    assert pauses == sorted(pauses)
    assert len(set(pauses)) == 4
    assert desk.states() == ["dead_letter"]
    (error,) = desk.office.rows(
        """SELECT details -> 'retry' ->> 'retryExhausted' FROM "AuditLogs" WHERE action = 'platform_dispatch_dlq'"""
    )
    assert error == ("true",)


def test_a_challenge_stops_the_account_after_one_look(desk: Desk) -> None:
    """Behaviour 103 (differs: no second look), G-39."""
    desk.answer("t1", "t2")
    desk.site.fail = [PlatformFailure("BOT_CHALLENGE", "are you human?")]
    desk.dispatch()
    desk.office.pass_by(minutes=5)
    assert "BOT_CHALLENGE" in str(desk.dispatch().left)
    assert desk.site.sends == 1
    assert desk.office.rows('SELECT DISTINCT attempts FROM "OutboundDispatches"') == [(0,)]
    accounts.resume(desk.office.pipeline.engine, PLATFORM, actor="tests")
    assert desk.dispatch().sent == 2


def test_an_outage_opens_the_breaker_for_the_account_and_its_end_closes_it(desk: Desk) -> None:
    """Behaviours 102 and 115: three failures, fail fast, one probe; opened and closed are told once (G-38)."""
    desk.answer("t1", "t2", "t3", "t4")
    for _ in range(3):
        desk.site.fail = [PlatformFailure("NETWORK_ERROR", "connection refused")]
        desk.dispatch()
    assert "CIRCUIT_OPEN" in str(desk.dispatch().left)
    assert desk.site.sends == 3
    desk.office.pass_by(seconds=31)
    desk.site.fail = [PlatformFailure("NETWORK_ERROR", "connection refused")]
    desk.dispatch()
    assert "CIRCUIT_OPEN" in str(desk.dispatch().left), "a failed probe opens it again"
    desk.office.pass_by(seconds=31)
    assert desk.dispatch().sent == 4
    assert desk.audited("platform_circuit_opened") == desk.audited("platform_circuit_closed") == 1
    assert [one.type for one in desk.told.events][:1] == ["rpa_circuit_opened"]


def test_a_changed_page_stops_its_action_and_leaves_the_others(desk: Desk) -> None:
    """G-37: sending waits, the inbox is read on; an operator's reset lets it go on at once."""
    desk.answer("t1", "t2", "t3", "t4")
    for _ in range(3):
        desk.site.fail = [PlatformFailure("OUTBOUND_COMPOSER_MISSING", "no field")]
        desk.dispatch()
    desk.dispatch()
    assert desk.site.sends == 3
    assert poll.poll(desk.office.pipeline, PLATFORM, "test").accounts[0].visited
    (row,) = accounts.find(desk.office.pipeline.engine, str(ACCOUNT))
    assert row.state.action_circuits["send"].code == "OUTBOUND_COMPOSER_MISSING"
    assert accounts.reset(desk.office.pipeline.engine, [row], actor="tests") == [ACCOUNT]
    assert desk.dispatch().sent == 1


def test_a_changed_thread_page_is_not_read_every_half_minute_for_a_reply_in_doubt(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G-37: the breaker of the action is obeyed when threads are read back, and no run is asked for meanwhile."""
    desk.answer("t1")
    desk.site.swallow = 1
    desk.dispatch()
    reads: list[str] = []

    def changed(_account: AccountRef, thread: str, *, deadline_s: float) -> ThreadReading:
        reads.append(thread)
        raise PlatformFailure("MARKUP_DRIFT", "no landmark")

    monkeypatch.setattr(desk.site, "read_thread", changed)
    for _ in range(10):
        desk.office.pass_by(seconds=31)
        desk.dispatch()
    assert len(reads) == 6, "three looks, then after 30 s, 60 s and 120 s"
    desk.office.pass_by(seconds=31)
    with desk.office.pipeline.engine.connect() as conn:
        assert outbox_sweeps.due_by_account(conn, desk.office.clock())[PLATFORM] == {}
    desk.office.pass_by(seconds=220)
    monkeypatch.undo()
    assert desk.dispatch().reconciled == 1, "read back: it is not there"
    desk.office.pass_by(seconds=31)
    desk.dispatch()
    assert list(desk.states()) == ["sent"]


def test_the_days_share_is_kept_and_the_next_day_goes_on(make_office: OfficeMaker) -> None:
    """Two replies a day: the third waits for midnight in the account's zone; it is told once."""
    office = make_office(daily_send_caps={PLATFORM: 2}, day_timezone="America/New_York")
    site, told = Site(MockConnector(PLATFORM, office.clock)), Told()
    office.pipeline = replace(office.pipeline, connectors=Sites(site), alerts=told)
    desk = Desk(office, site, told)
    desk.answer("t1", "t2", "t3")
    assert desk.dispatch().sent == 2
    office.clock.advance(hours=6)
    assert desk.dispatch().sent == 0
    assert [one.type for one in told.events] == ["send_cap_reached"]
    assert desk.audited("platform_send_cap_reached") == 1
    office.clock.advance(hours=7)  # noon in New York was the start: it is past midnight there now
    assert desk.dispatch().sent == 1


def test_a_share_that_is_lifted_while_replies_go_out_holds_nothing_up(desk: Desk) -> None:
    """Who lifts it while a run still counts by the old one need not wait for tomorrow."""

    def limit(cap: int | None) -> None:
        with desk.office.pipeline.engine.begin() as conn:
            accounts_runtime.set_limits(conn, ACCOUNT, now=desk.office.clock(), cap=cap, set_cap=True)

    limit(1)
    desk.answer("t1", "t2")
    desk.site.on_its_way = lambda: limit(None)
    assert desk.dispatch().sent == 1
    assert desk.audited("platform_send_cap_reached") == 0
    desk.office.pass_by(seconds=31)
    assert desk.dispatch().sent == 1


def test_an_error_of_our_own_on_one_reply_leaves_the_others_alone(desk: Desk) -> None:
    """Behaviour 87, G-05, G-50."""
    desk.answer("t1", "t2")
    desk.site.fail = [ValueError("a bug")]
    desk.dispatch()
    assert sorted(desk.states()) == ["queued", "retry_scheduled"]
    desk.office.pass_by(seconds=6)
    assert desk.dispatch().sent == 2


def test_two_actions_of_a_kind_keep_their_distance_whoever_begins_them(desk: Desk) -> None:
    """Behaviour 103, G-36: the distance is kept in the database, with the platform's numbers."""
    waited: list[float] = []
    pipeline = replace(desk.office.pipeline, sleep=waited.append, fraction=lambda: 0.5)
    for worker in ("host/1/a", "host/2/b"):
        with pipeline.engine.begin() as conn:
            (row,) = accounts_runtime.accounts(conn, PLATFORM)
        with visits.leased(replace(pipeline, worker=worker), row) as lease:
            assert lease is not None
            lease.pace("send")
    assert waited == [1.6]  # SpareRoom: 1400 ms and half of 400 ms


def test_a_stuck_worker_loses_the_account_though_it_lives(desk: Desk) -> None:
    """A sign of life is not progress: both have their own end."""
    pipeline, clock = desk.office.pipeline, desk.office.clock
    with pipeline.engine.begin() as conn:
        (row,) = accounts_runtime.accounts(conn, PLATFORM)
    with visits.leased(pipeline, row) as lease:
        assert lease is not None
        clock.advance(seconds=80)
        assert lease.beat()
        with visits.leased(replace(pipeline, worker="host/2/b"), row) as other:
            assert other is None
        clock.advance(seconds=11)  # past the 90 s without progress
        assert lease.beat()
        with visits.leased(replace(pipeline, worker="host/2/b"), row) as other:
            assert other is not None
            assert not lease.beat()
            with pytest.raises(PlatformFailure, match="ACCOUNT_BUSY"):
                lease.keep()


def test_a_worker_that_lost_the_account_leaves_the_rest_to_its_successor(desk: Desk) -> None:
    """G-36: a machine that stood still for a while is no error of the run, and nobody is told of one."""
    desk.answer("t1", "t2")
    desk.site.on_its_way = lambda: desk.office.run(
        """UPDATE "AccountRuntime" SET lease_owner = 'host/2/b', lease_fence = lease_fence + 1"""
    )
    done = desk.dispatch()
    assert (done.sent, desk.site.sends) == (1, 1)
    assert "taken over" in str(done.left)
    assert sorted(desk.states()) == ["queued", "sent"]


def test_a_lease_is_given_back_though_the_connection_broke(desk: Desk) -> None:
    """One more try on another connection: else the account would be idle until the lease runs out."""
    pipeline = desk.office.pipeline
    faults = CommitFaults(pipeline.engine)
    with pipeline.engine.begin() as conn:
        (row,) = accounts_runtime.accounts(conn, PLATFORM)
    with visits.leased(pipeline, row) as lease:
        assert lease is not None
        faults.arm("unsent")
    assert not faults.armed, "the commit that gives it back was cut"
    assert desk.office.rows(
        'SELECT lease_owner FROM "AccountRuntime" WHERE platform_account_id = :a', a=ACCOUNT
    ) == [(None,)]


SAFE_TO_PASS = (
    "dispatch.after_sweep",
    "dispatch.after_claim",
    "dispatch.before_click",
    "dispatch.after_click",
    "dispatch.after_receipt",
    "lease.after_acquire",
    "lease.after_renewal",
)
IN_DOUBT = ("reconcile.after_claim", "reconcile.after_reading", "reconcile.after_verdict")


@pytest.mark.parametrize("point", [*SAFE_TO_PASS, *IN_DOUBT, "dispatch.after_failure"])
def test_an_exception_at_each_point_loses_and_doubles_nothing(
    desk: Desk, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.answer()
    if point in IN_DOUBT:
        desk.site.lose_answer = 1
    if point == "dispatch.after_failure":
        desk.site.fail = [PlatformFailure("PAGE_TIMEOUT", "no answer")]
    monkeypatch.setenv(VARIABLE, f"{point}:raise")
    monkeypatch.setattr(crash_points, "_passed", type(crash_points._passed)())
    for _ in range(6):
        with suppress(CrashPointReached):
            desk.dispatch()
        desk.office.pass_by(seconds=31)
    assert crash_points._passed[point] >= 1, "the point was passed"
    assert len(desk.received()) == 1
    assert desk.states() == ["sent"]
    assert desk.broken() == []


def _once(what: Callable[[], None]) -> Callable[[], None]:
    left = [what]

    def run() -> None:
        if left:
            left.pop()()

    return run


@contextmanager
def crossing(point: str, what: Callable[[], None]) -> Iterator[None]:
    """Do something while a process passes a crash point."""
    from leasebot_pipeline.stages import dispatch_attempt

    original = dispatch_attempt.crash_point

    def passing(name: str) -> None:
        original(name)
        if name == point:
            what()

    dispatch_attempt.crash_point = passing
    try:
        yield
    finally:
        dispatch_attempt.crash_point = original


def test_a_platform_of_replies_costs_a_bounded_number_of_statements(desk: Desk) -> None:
    """What needs no browser is done set by set: twenty overtaken replies cost what one does."""
    counted: list[int] = []
    statements: list[str] = []

    def count(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(desk.office.pipeline.engine, "before_cursor_execute", count)
    for number in (1, 20):
        desk.answer(*(f"n{number}-{n}" for n in range(number)))
        desk.office.run('UPDATE "Conversations" SET newest_inbound_seq = newest_inbound_seq + 1')
        statements.clear()
        assert desk.dispatch().superseded == number
        counted.append(len(statements))
        desk.office.run('UPDATE "Conversations" SET handled_through_seq = newest_inbound_seq')
    event.remove(desk.office.pipeline.engine, "before_cursor_execute", count)
    assert counted[0] == counted[1]


def test_other_platforms_have_nothing_to_do_with_it(desk: Desk) -> None:
    desk.answer()
    desk.kill(KillTarget(KillScope.PLATFORM, Platform.ROOMIES))
    assert desk.dispatch().sent == 1
    with desk.office.pipeline.engine.connect() as conn:
        assert conn.execute(text('SELECT count(*) FROM "KillSwitches"')).scalar_one() == 1


def test_the_log_tells_of_retries_breakers_and_stops_by_their_old_names(desk: Desk) -> None:
    """Behaviours 115 and 116 (fail fast is told as the reason replies are left)."""
    desk.answer("t1", "t2", "t3", "t4")
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            desk.site.fail = [PlatformFailure("NETWORK_ERROR", "connection refused")]
            desk.dispatch()
        desk.office.pass_by(seconds=31)
        desk.site.fail = [PlatformFailure("CAPTCHA_REQUIRED", "are you human?")]
        desk.dispatch()
        accounts.resume(desk.office.pipeline.engine, PLATFORM, actor="tests")
        desk.dispatch()
    said = [line["event"] for line in lines if line["event"].startswith("rpa_")]
    assert said.count("rpa_retry_scheduled") == 4
    assert said.count("rpa_circuit_opened") == said.count("rpa_session_refresh_requested") == 1
    assert {line["accountId"] for line in lines if line["event"].startswith("rpa_")} == {str(ACCOUNT)}


def test_an_inbox_read_slower_than_its_target_is_told(desk: Desk) -> None:
    """Behaviour 117."""
    policy = replace(desk.office.pipeline.policy, ingest_p95_target_ms=10)
    desk.office.pipeline = replace(desk.office.pipeline, policy=policy)
    desk.ask()
    read = desk.site.read_inbox

    def slowly(*arguments: object, **named: object) -> object:
        desk.office.pass_by(seconds=0.02)
        return read(*arguments, **named)  # type: ignore[arg-type]

    desk.site.read_inbox = slowly  # type: ignore[assignment, method-assign]
    with structlog.testing.capture_logs() as lines:
        poll.poll(desk.office.pipeline, PLATFORM, "test")
    told = {line["event"]: line for line in lines}
    assert told["rpa_ingest_latency_measured"]["p95TargetMs"] == 10
    assert told["rpa_ingest_latency_measured"]["targetExceeded"]
    assert told["rpa_ingest_latency_target_exceeded"]["durationMs"] >= 20
