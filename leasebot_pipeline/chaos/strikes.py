"""How faults strike: on a task before it is handed out, on a site, on the database, on the clock; and how they end."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from leasebot_pipeline.chaos import ground
from leasebot_pipeline.chaos.crew import HOSTS, kill_browser
from leasebot_pipeline.chaos.faults import CrashDeck, Fault
from leasebot_pipeline.chaos.recovery import Recovery
from leasebot_pipeline.chaos.scene import PlayFailed, Scene
from leasebot_pipeline.chaos.tasks import CommitFault, Task, TaskKind
from leasebot_pipeline.chaos.verdict import Silence
from leasebot_pipeline.domain.kill_switches import KillScope, KillTarget
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.sandbox.faults import Fault as SiteFault
from leasebot_pipeline.sandbox.faults import Page
from leasebot_pipeline.stages import accounts
from leasebot_pipeline.storage import accounts_runtime, kill_switches
from leasebot_pipeline.storage.outbox_operations import Actor

AWAY_S: Final = 60.0
"""How long a database that is away is away."""
_SLOW_S: Final = 2.4  # longer than the connector waits for a page
_SKEW_S: Final = 3.0
"""No two clocks of a play differ by more."""
_PERSON: Final = Actor("admin", "play")
_CHORES: Final[dict[str, TaskKind]] = {
    "availability": "calendars",
    "listings": "listings",
    "account": "resume",
    "rollups": "tallies",
    "model": "bill",
    "reply": "reply",
    "retention": "retention",
    "privacy": "retention",
}
"""Rooms of crash points that no cycle of a platform passes."""
_PASSED_OFTEN: Final = (
    "lease.before_renewal", "lease.after_renewal", "lease.before_pacing", "lease.after_pacing", "visit.", "poll.before_landing",
    "poll.after_landing", "dispatch.before_claim", "dispatch.after_claim", "dispatch.before_intent", "dispatch.after_intent",
    "dispatch.before_click", "dispatch.after_click", "dispatch.before_receipt", "dispatch.after_receipt",
)  # fmt: skip
"""Points a cycle passes many times: which of them dies is chance."""


@dataclass(slots=True)
class Strikes:
    """Carries faults out, and ends those that last."""

    scene: Scene
    chance: random.Random
    deck: CrashDeck
    recovery: Recovery
    silences: list[Silence] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    _lasting: list[tuple[int, Callable[[], None]]] = field(default_factory=list, init=False)
    _tick: int = field(default=0, init=False)
    _ruled_at: datetime | None = field(default=None, init=False)
    """When a person last said what may be sent: no clock is set back behind that, for who could judge by it then?"""
    _latest: datetime | None = field(default=None, init=False)
    """The latest any clock has shown before it was set back."""
    _skewed_tick: int = field(default=-9, init=False)
    _rules_now: bool = field(default=False, init=False)
    _silent: bool = field(default=False, init=False)

    # ---- faults that begin with a tick

    def prepare(self, fault: Fault, tasks: list[Task], *, may_stall: bool) -> bool:
        """Let the fault begin with the tick; False for one that strikes at its instant."""
        platform = fault.platform
        match fault.kind:
            case "crash":
                self._arm(fault, tasks, may_stall=may_stall)
            case "commit_unsent" | "commit_unanswered":
                how: CommitFault = "unsent" if fault.kind == "commit_unsent" else "unanswered"
                self._change(tasks, platform, commit_fault=how, commit_nth=fault.nth * 3)
            case "clock_skew":
                if self._rules_now:  # which of two was in force would be a matter of whose clock is asked
                    return True
                self._skewed_tick = self._tick
                self._change(tasks, platform, skew_s=fault.seconds / 50 - 2.4)
            case "twice":
                tasks += [Task("cycle", each) for each in Platform]
            case "second_deployment":
                tasks += [Task("cycle", each, host=HOSTS[1]) for each in Platform]
            case "site":
                self._site(fault)
            case "kill_switch":
                self._kill_switch(fault)
            case "shadow" | "inactive" | "draft_only":
                self._silence(fault)
            case "daily_cap":
                self._cap(platform, tasks, fault.ticks)
            case "receiver_down":
                self.scene.receiver.down = True
                self._later(fault.ticks, self._receiver_up)
            case _:
                return False
        return True

    def _arm(self, fault: Fault, tasks: list[Task], *, may_stall: bool) -> None:
        """Arm the next crash point of the deck on a task that can pass it, and see that it does."""
        point, way = self.deck.deal(stall=may_stall)
        room, platform = point.partition(".")[0], _free(tasks, fault.platform)
        if room in _CHORES:
            tasks.append(Task(_CHORES[room], platform, armed=f"{point}:{way}"))
            return
        if point in ("alert.before_sweep", "alert.after_sweep"):
            tasks.append(Task("alerts", armed=f"{point}:{way}"))
            return
        sandbox = self.scene.sandbox
        if room == "alert":
            sandbox.fault(platform, SiteFault.CHALLENGE, pages=[Page.INBOX], count=1)
            self._later(2, lambda: self._resume(platform))
        elif point.endswith("_thread_failure"):
            sandbox.fault(platform, SiteFault.SERVER_ERROR, pages=[Page.THREAD], count=1)
        elif point.endswith(("_failure", "_verdict", "_reading")) or room == "reconcile":
            sandbox.fault(platform, SiteFault.SERVER_ERROR, pages=[Page.REPLY], count=2)
        elif point.endswith("_cap"):
            self._cap(platform, tasks, 4)
        nth = 1 + fault.nth // 3 if point.startswith(_PASSED_OFTEN) else 1
        if not self._change(tasks, platform, armed=f"{point}:{way}:{nth}"):
            self.deck.missed(point, way)

    @staticmethod
    def _change(tasks: list[Task], platform: Platform, **changed: Any) -> bool:
        """Change the platform's cycle; False when it is armed already."""
        for position, task in enumerate(tasks):
            if task.kind == "cycle" and task.platform is platform and task.armed is None:
                tasks[position] = replace(task, **changed)
                return True
        return False

    def _site(self, fault: Fault) -> None:
        platform, what, switch_on = fault.platform, fault.what, self.scene.sandbox.fault
        reading = [Page.INBOX, Page.THREAD]
        match what:
            case "refused_reply":
                switch_on(platform, SiteFault.SERVER_ERROR, pages=[Page.REPLY], count=fault.ticks)
            case "late_reply":
                switch_on(platform, SiteFault.SLOW_PAGE, pages=[Page.REPLY], count=1, seconds=_SLOW_S)
            case "deaf_thread":  # clicked, the answer lost, and the thread can't be read either
                switch_on(platform, SiteFault.LOST_RESPONSE, count=1)
                switch_on(platform, SiteFault.RATE_LIMITED, pages=[Page.THREAD], count=fault.ticks)
            case "slow_page":
                switch_on(platform, SiteFault.SLOW_PAGE, pages=reading, count=1, seconds=_SLOW_S)
            case "lost_response":
                switch_on(platform, SiteFault.LOST_RESPONSE, count=fault.nth)
            case "expired_session" | "challenge" | "captcha":
                switch_on(platform, what, count=1)
                self._later(fault.ticks + 2, lambda: self._resume(platform))
            case "duplicated_rows" | "reordered_rows" | "short_list":
                switch_on(platform, what, count=fault.ticks * 2)
            case "half_page" | "changed_markup":
                switch_on(platform, what, pages=reading, count=fault.ticks)
            case _:
                switch_on(platform, what or "", count=fault.ticks)

    def _kill_switch(self, fault: Fault) -> None:
        everything = fault.nth > 10
        target = (
            KillTarget(KillScope.GLOBAL) if everything else KillTarget(KillScope.PLATFORM, fault.platform)
        )
        engine = self.scene.database.engine

        def engage(at: datetime) -> None:
            with engine.begin() as conn:
                kill_switches.engage(conn, target, reason="a play", actor=_PERSON, now=at)

        def lift(at: datetime) -> None:
            with engine.begin() as conn:
                kill_switches.lift(conn, target, actor=_PERSON, now=at)

        self._rule(engage)
        self._later(fault.ticks, lambda: self._rule(lift))

    def _silence(self, fault: Fault) -> None:
        """From now on nothing may be clicked there, whatever was queued before. One silence at a time."""
        if self._silent:
            return
        self._silent = True
        engine = self.scene.database.engine
        platform = None if fault.kind == "shadow" else fault.platform
        begun: list[datetime] = []

        def begin(at: datetime) -> None:
            begun.append(at)
            match fault.kind:
                case "shadow":
                    ground.set_stage(engine, ReleaseStage.SHADOW, at)
                case "inactive":
                    ground.set_account(engine, platform, active=False)
                case _:
                    ground.set_account(engine, platform, send_mode=SendMode.DRAFT_ONLY)

        def end(at: datetime) -> None:
            self._silent = False
            self.silences.append(Silence(platform, fault.kind, begun[0], at))
            if fault.kind == "shadow":
                ground.set_stage(engine, ReleaseStage.FULL, at)
            else:
                ground.set_account(engine, platform)

        self._rule(begin)
        self._later(fault.ticks, lambda: self._rule(end))

    def _rule(self, change: Callable[[datetime], None]) -> None:
        """A person says what may be sent from now on, after all that was sent before by whichever clock."""
        ahead = _SKEW_S if self._tick - self._skewed_tick <= 1 else 0.0
        if self._latest is not None:
            ahead += max(0.0, (self._latest - self.scene.now()).total_seconds())
            self._latest = None
        if ahead:
            self.scene.time.leap(ahead)
        self._ruled_at, self._rules_now = self.scene.now(), True
        change(self._ruled_at)

    def _cap(self, platform: Platform, tasks: list[Task], ticks: int) -> None:
        tasks.insert(0, Task("cap", platform, value=1))
        self._later(ticks, lambda: self._uncap(platform))

    # ---- faults that strike in the middle of a tick

    def strike(self, fault: Fault) -> None:
        """Now."""
        scene = self.scene
        match fault.kind:
            case "kill":
                busy = [worker for worker in scene.crew.workers if not worker.idle and not worker.frozen]
                if busy:
                    scene.crew.kill(self.chance.choice(busy))
            case "browser_killed":
                for worker in scene.crew.workers:
                    kill_browser(worker.pid)
            case "connections_cut":
                scene.database.cut_connections()
            case "database_restart" | "database_crash":
                scene.database.stop(crash=fault.kind == "database_crash")
                self._database_back()
            case "database_away":
                scene.database.stop()
                scene.time.pass_by(AWAY_S)
                time.sleep(0.2)
                self._database_back()
            case "clock_forward":
                scene.time.leap(fault.seconds)
            case "clock_back":
                since = self._ruled_at or scene.time.begun
                most = (scene.now() - since).total_seconds() - _SKEW_S
                self._latest = max(self._latest or scene.now(), scene.now())
                scene.time.leap(-max(0.0, min(fault.seconds / 4, most)))
            case kind:
                raise PlayFailed(f"nobody knows how to strike with {kind}")

    def _database_back(self) -> None:
        self.scene.database.start()
        self.recovery.database_is_back(self.scene.time.played_s)

    # ---- ends

    def next_tick(self) -> None:
        """End what has lasted long enough."""
        self._tick += 1
        self._rules_now = False
        due = [end for tick, end in self._lasting if tick <= self._tick]
        self._lasting = [one for one in self._lasting if one[0] > self._tick]
        for end in due:
            end()

    def end_all(self) -> None:
        """Everything that lasts ends now."""
        self.scene.sandbox.clear_faults()
        lasting, self._lasting = self._lasting, []
        for _, end in lasting:
            end()

    def _later(self, ticks: int, end: Callable[[], None]) -> None:
        self._lasting.append((self._tick + ticks, end))

    def _resume(self, platform: Platform) -> None:
        accounts.resume(self.scene.database.engine, platform, actor="play")

    def _uncap(self, platform: Platform) -> None:
        engine = self.scene.database.engine
        with engine.connect() as conn:
            rows = accounts_runtime.accounts(conn, platform)
        accounts.limit(engine, rows, accounts.Limits(set_cap=True), actor="play")

    def _receiver_up(self) -> None:
        self.scene.receiver.down = False


def _free(tasks: list[Task], platform: Platform) -> Platform:
    """A platform whose cycle has nothing to die of yet: that one, if it can be."""
    free = [task.platform for task in tasks if task.kind == "cycle" and task.armed is None and task.platform]
    return platform if platform in free or not free else free[0]
