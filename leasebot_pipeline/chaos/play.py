"""A play: rounds of leads over the five sites, faults by the seed, a verdict.

In a round leads write while faults strike, beat by beat; then all is left alone until nothing is open. What is
decided by chance is the same for the same seed; which process wins a race is not.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from leasebot_pipeline.chaos import faults as plan
from leasebot_pipeline.chaos import ground, leads, verdict
from leasebot_pipeline.chaos.beats import Beats
from leasebot_pipeline.chaos.faults import CrashDeck, Fault
from leasebot_pipeline.chaos.recovery import Recovery
from leasebot_pipeline.chaos.scene import PlayFailed, Scene
from leasebot_pipeline.chaos.strikes import Strikes
from leasebot_pipeline.chaos.tasks import Task
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.processes.demo_report import lost_inbound, percentile
from leasebot_pipeline.sandbox.world import Lead
from leasebot_pipeline.storage import accounts_runtime, demo_figures, invariants
from leasebot_pipeline.storage.crash_points import CRASH_POINTS

ALL: Final = tuple(Platform)
_LONGEST_STEP_S: Final = 60.0
_ROUND_S: Final = 60.0
"""In how many seconds the leads of a round begin to write, where there are many of them."""
_MOST_SPACING_S: Final = 2.0
_LEAST_BEATS: Final = (5, 15)
"""How many beats of a round (of a few messages, of many) have faults at least, however slow the machine is."""
_LEAST_MESSAGES: Final = 15
"""How many messages a round has at least."""
_MOST_QUIET_BEATS: Final = 400
_CATCHING_UP: Final = 4
"""What was not reached by chance is tried on purpose for a quarter of the beats that were played at most, two a beat: where
more is left than that, the play was too short to be about each of them."""


@dataclass(frozen=True, slots=True)
class PlayOptions:
    """What is played. ``messages`` is how many the leads write at least; ``fault_rate`` is faults per beat."""

    messages: int = 20_000
    seed: int = 1
    workers: int = 4
    round_messages: int = 1000
    fault_rate: float = 4.0
    browser: Path | None = None
    """A browser's executable for a last round in real Chromium; None leaves that out."""
    browser_messages: int = 20
    folder: Path | None = None
    """Where its data goes; None is a temporary directory."""


def run(options: PlayOptions, say: Callable[[str], None]) -> dict[str, Any]:
    """Play, judge, and return the report. Raises PlayFailed."""
    with ExitStack() as stack:
        folder = options.folder or Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="leasebot-chaos-", ignore_cleanup_errors=True)
            )
        )
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        scene = stack.enter_context(Scene(folder, options.seed, options.workers))
        return Play(scene, options, say).whole()


def holds(report: dict[str, Any]) -> bool:
    """True when nothing is doubled, lost or open and every invariant holds."""
    broken = sum(one["violations"] for one in report["invariants"])
    return not (report["doubled"] or report["lost"] or report["unknownOpen"] or broken)


class Play:
    """The rounds of one play on a scene."""

    def __init__(self, scene: Scene, options: PlayOptions, say: Callable[[str], None]) -> None:
        self.scene, self.options, self.say = scene, options, say
        self.chance = random.Random(options.seed)
        self.deck = CrashDeck(random.Random(options.seed + 1))
        self.recovery = Recovery()
        self.strikes = Strikes(scene, self.chance, self.deck, self.recovery)
        self.beats = Beats(scene, self.chance, self.deck, self.recovery, self.strikes, say)
        self._leads = 0
        self._begun = time.monotonic()

    def whole(self) -> dict[str, Any]:
        """All rounds, then the report."""
        number = 0
        while (written := self.scene.sandbox.written) < self.options.messages:
            number += 1
            # Not everything that is dealt comes to be written; a last round of three leads takes as long as one of fifty.
            wanted = max(_LEAST_MESSAGES, int(1.2 * (self.options.messages - written)))
            self.round(min(self.options.round_messages, wanted))
            self.tell(f"round {number}")
        if 0 < len(self.deck.unreached) <= 2 * (self.beats.count // _CATCHING_UP):
            self.catch_up()
            self.tell("what was not reached by chance")
        if self.options.browser is not None:
            self.browser_round(self.options.browser)
            self.tell("in Chromium")
        return self.report()

    def round(self, messages: int, platforms: tuple[Platform, ...] = ALL) -> None:
        """Leads write and faults strike until the leads have nothing more to say, then peace until nothing is open."""
        scripts = leads.deal(self.chance, messages, self._leads, platforms)
        self._leads += len(scripts)
        spacing = min(_ROUND_S / len(scripts), _MOST_SPACING_S)
        added = self.scene.sandbox.add_leads(scripts, spacing=spacing)
        fewest, most = _LEAST_BEATS
        quiet, until = 0, self.beats.count + min(most, max(fewest, messages // 3))
        while quiet < 3 or self.beats.count < until:
            self.beats.beat(plan.choose(self.chance, platforms, self.options.fault_rate), platforms)
            busy = any(lead.scheduled or not lead.messages for lead in added)
            quiet = 0 if busy else quiet + 1
        self.drain(platforms)
        self.scene.sandbox.archive(added)

    def catch_up(self) -> None:
        """Leads write to two platforms, whose cycles die of nothing but what was never reached so far.

        What leads to a point on one beat (a failure, a doubt) has often led there some beats later: so the same two.
        """
        platforms = ALL[:2]
        added: list[Lead] = []
        until = self.beats.count + self.beats.count // _CATCHING_UP
        self.deck.deal_unreached()
        while self.deck.unreached and self.beats.count < until:
            scripts = leads.deal(self.chance, len(platforms), self._leads, platforms)
            self._leads += len(scripts)
            added += self.scene.sandbox.add_leads(scripts)
            self.beats.beat([Fault("crash", platform) for platform in platforms], ALL)
        self.drain()
        self.scene.sandbox.archive(added)

    def browser_round(self, executable: Path) -> None:
        """A few leads in real Chromium, which is killed under way, as are its workers."""
        plain = self.scene.crew
        with self.scene.browser_crew(executable) as self.scene.crew:
            scripts = leads.deal(self.chance, self.options.browser_messages, self._leads, ALL)
            self._leads += len(scripts)
            added = self.scene.sandbox.add_leads(scripts, spacing=0.5)
            for fault in (
                Fault("browser_killed", Platform.SPAREROOM, delay_s=4.0),
                Fault("kill", Platform.SPAREROOM, delay_s=3.0),
                Fault("site", Platform.LEASEBREAK, "lost_response"),
                Fault("browser_killed", Platform.SPAREROOM, delay_s=2.0),
                Fault("crash", Platform.ROOMIES),
            ):
                self.beats.beat([fault], ALL)
            self.drain(ALL)
            self.scene.sandbox.archive(added)
        self.scene.crew = plain

    def drain(self, platforms: Sequence[Platform] = ALL) -> None:
        """No more faults; people do what they were asked to; until nothing is open. Raises PlayFailed."""
        self.strikes.end_all()
        self.beats.wake_all()
        for n in range(_MOST_QUIET_BEATS):
            chores = [Task("retry"), Task("alerts")] if n % 8 == 0 else []
            chores += [Task("resume", platform) for platform in self._stopped(platforms)]
            reports = self.beats.beat([], platforms, chores)
            calm = all(report is not None and report.error is None for report in reports)
            if calm and self._settled():
                return
            moved = any(report is not None and any(report.counts.values()) for report in reports)
            if calm and not moved and not self.recovery.since:
                self._step_to_next()
        raise PlayFailed(f"after {_MOST_QUIET_BEATS} quiet beats something is still open: {self._open()}")

    def tell(self, what: str) -> None:
        """Progress for people."""
        with self.scene.database.engine.connect() as conn:
            found = verdict.judge(conn, self.scene.journal(), self.strikes.silences)
        self.say(
            f"{what}: {found.messages} messages, {found.received} replies received, "
            f"{sum(self.strikes.struck.values())} faults, {len(self.deck.reached)} of {self.deck.ways} crashes reached; "
            f"doubled {found.doubled}, lost {found.lost}, unknown {found.unknown_open}; "
            f"{time.monotonic() - self._begun:.0f} s"
        )

    def report(self) -> dict[str, Any]:
        """The play's JSON object."""
        with self.scene.database.engine.connect() as conn:
            found = verdict.judge(conn, self.scene.journal(), self.strikes.silences)
            held = invariants.check(conn, self.scene.now())
        for one in held:
            for line in one.sample:
                self.say(f"{one.name}: {line}")
        points: dict[str, dict[str, int]] = {point: {} for point in CRASH_POINTS}
        for (point, way), times in sorted(self.deck.reached.items()):
            points[point][way] = times
        return {
            "seed": self.options.seed,
            "messages": found.messages,
            "faults": dict(sorted(self.strikes.struck.items())),
            "crashPoints": points,
            "doubled": found.doubled,
            "lost": found.lost,
            "unknownOpen": found.unknown_open,
            "recoverySeconds": {
                "p95": percentile(self.recovery.seconds, 0.95),
                "killedAlone": {
                    "times": len(self.recovery.killed_alone),
                    "p95": percentile(self.recovery.killed_alone, 0.95),
                    "max": percentile(self.recovery.killed_alone, 1.0),
                },
            },
            "invariants": [
                *({"name": one.name, "violations": one.violations} for one in held),
                {"name": "nothing_clicked_in_silence", "violations": found.clicked_in_silence},
            ],
        }

    def _stopped(self, platforms: Sequence[Platform]) -> list[Platform]:
        with self.scene.database.engine.connect() as conn:
            rows = [row for platform in platforms for row in accounts_runtime.accounts(conn, platform)]
        return [row.platform for row in rows if row.state.stop_code is not None]

    def _settled(self) -> bool:
        """Whether no lead will do anything by itself and nothing is left to do for any."""
        sandbox = self.scene.sandbox
        if sandbox.next_due() is not None:
            return False
        with self.scene.database.engine.connect() as conn:
            return demo_figures.open_work(conn) == 0 and ground.stored(conn) >= sandbox.written

    def _step_to_next(self) -> None:
        """Nothing is due now: let time go by until something is."""
        now = self.scene.now()
        due = (ground.next_due(self.scene.database.engine, now), self.scene.sandbox.next_due())
        wait = min(((at - now).total_seconds() for at in due if at is not None), default=_LONGEST_STEP_S)
        if wait > 0:
            self.scene.time.pass_by(min(wait + 0.01, _LONGEST_STEP_S))

    def _open(self) -> str:
        with self.scene.database.engine.connect() as conn:
            work = demo_figures.open_work(conn)
            sample = demo_figures.open_sample(conn)
            stored = demo_figures.stored_inbound(conn)
        missing = lost_inbound(self.scene.journal().leads, stored)
        waiting = sum(lead.status in ("writing", "waiting") for lead in self.scene.sandbox.leads())
        counts = f"{work} items of work, {missing} messages not stored, {waiting} leads not done"
        return "\n  ".join([f"{counts}; it is {self.scene.now():%H:%M:%S}", *sample])
