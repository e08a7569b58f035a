"""Everything that can go wrong, each at least once, over the real stages and the sites' HTTP, in worker processes."""

from __future__ import annotations

import random

import pytest

from leasebot_pipeline.chaos import faults, leads
from leasebot_pipeline.chaos.faults import KINDS, SITE_FAULTS, CrashDeck, Fault
from leasebot_pipeline.chaos.play import ALL, Play, holds
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage.crash_points import CRASH_POINTS
from tests.chaos.conftest import PlayMaker, assert_nothing_doubled_or_lost, judged, leads_write

ONCE = [
    *((kind, None) for kind in KINDS if kind not in ("site", "crash")),
    *(("site", what) for what in SITE_FAULTS),
]
CRASHES_A_BEAT = 2


@pytest.fixture(scope="module")
def played(make_play: PlayMaker) -> Play:
    """A play in which each kind of fault strikes, two a beat beside crashes at named points, while leads write."""
    play = make_play()
    waiting = list(ONCE)
    play.chance.shuffle(waiting)
    while waiting:
        if play.beats.count % 3 == 0:
            leads_write(play, 10)
        struck, waiting = waiting[:2], waiting[2:]
        lasting = [
            Fault(kind, platform, what, nth=2, delay_s=0.2, seconds=play.chance.uniform(5, 240), ticks=2)
            for (kind, what), platform in zip(struck, play.chance.sample(ALL, 2), strict=False)
        ]
        crashes = [Fault("crash", platform) for platform in play.chance.sample(ALL, CRASHES_A_BEAT)]
        play.beats.beat([*lasting, *crashes], ALL)
    play.drain()
    return play


@pytest.mark.timeout(400)
def test_nothing_is_doubled_or_lost_whatever_strikes(played: Play) -> None:
    """Two workers at once, a second deployment, resets in commit, restarts, a minute without the database, clocks,
    pages that lie; processes that raise, die and freeze: behaviours 89, 90 and 139, G-71."""
    assert_nothing_doubled_or_lost(played)
    assert set(played.strikes.struck) == {
        "crash",
        *(Fault(kind, Platform.ROOMIES, what).name for kind, what in ONCE),
    }
    assert {way for _, way in played.deck.reached} == {"raise", "kill", "stall"}


def test_what_died_was_taken_up_again(played: Play) -> None:
    assert played.recovery.seconds
    assert not played.recovery.since, "nothing stays interrupted"


def test_the_report_has_the_agreed_shape(played: Play) -> None:
    report = played.report()
    assert list(report) == [
        "seed",
        "messages",
        "faults",
        "crashPoints",
        "doubled",
        "lost",
        "unknownOpen",
        "recoverySeconds",
        "invariants",
    ]
    assert set(report["recoverySeconds"]) == {"p95", "killedAlone"}
    assert set(report["recoverySeconds"]["killedAlone"]) == {"times", "p95", "max"}
    assert all(set(one) == {"name", "violations"} for one in report["invariants"])
    assert holds(report)


# These tamper with the scene, so they come last: a verdict that could not be bad would say nothing.


def test_a_reply_that_arrives_twice_is_seen(played: Play) -> None:
    sandbox = played.scene.sandbox
    lead = next(lead for lead in sandbox.leads() if lead.received)
    before = judged(played).doubled
    sandbox.reply(lead.platform, lead.thread, lead.received[0].body)
    assert judged(played).doubled == before + 1


def test_a_message_that_is_not_stored_is_seen(played: Play) -> None:
    lead = next(lead for lead in played.scene.sandbox.leads() if not lead.scheduled)
    before = judged(played).lost
    played.scene.sandbox.lead_writes(lead, "Are you still there?")
    assert judged(played).lost == before + 1


def test_the_same_seed_chooses_the_same_leads_and_faults() -> None:
    def chosen(seed: int) -> tuple[object, object, object]:
        chance = random.Random(seed)
        deck = CrashDeck(random.Random(seed))
        return (
            leads.deal(chance, 50, 0, ALL),
            [faults.choose(chance, ALL, 4.0) for _ in range(50)],
            [deck.deal(stall=True) for _ in range(50)],
        )

    assert chosen(5) == chosen(5)
    assert chosen(5) != chosen(6)


def test_what_was_never_reached_is_on_top_when_the_deck_is_dealt_anew() -> None:
    deck = CrashDeck(random.Random(1))
    ways = CrashDeck.all_ways()
    for _ in ways:
        deck.deal(stall=True)
    never = {("retention.after_archive", "stall"), ("dispatch.after_click", "kill")}
    deck.reached.update(way for way in ways if way not in never)
    assert set(deck.unreached) == never
    assert {deck.deal(stall=True) for _ in never} == never


def test_every_point_can_be_dealt() -> None:
    assert {point for point, _ in CrashDeck.all_ways()} == set(CRASH_POINTS)


def test_the_deck_deals_every_crash_once_before_it_is_shuffled_anew() -> None:
    deck = CrashDeck(random.Random(1))
    dealt = [deck.deal(stall=True) for _ in CrashDeck.all_ways()]
    assert sorted(dealt) == sorted(CrashDeck.all_ways())
