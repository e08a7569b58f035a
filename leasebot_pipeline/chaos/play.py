"""A play: rounds of leads over the five sites, ticks of five seconds, faults by the seed, a verdict.

A tick hands every platform's cycle to the crew, as the daemon does, while faults strike; then the clock of
all processes is set forward to the next tick. A round ends when nothing is left to do. What was decided by
chance is the same for the same seed; which process wins a race is not.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from leasebot_pipeline.chaos import faults as plan
from leasebot_pipeline.chaos import ground, leads, verdict
from leasebot_pipeline.chaos.clock import PlayClock
from leasebot_pipeline.chaos.crew import HOSTS, Crew, Ended, Worker, kill_browser
from leasebot_pipeline.chaos.faults import CrashDeck, Fault
from leasebot_pipeline.chaos.ground import Database, Receiver
from leasebot_pipeline.chaos.tasks import BrowserPlace, CommitFault, Place, Report, Task, TaskKind
from leasebot_pipeline.chaos.verdict import Silence
from leasebot_pipeline.domain.kill_switches import KillScope, KillTarget
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.processes.demo_report import lost_inbound, percentile
from leasebot_pipeline.sandbox.faults import Fault as SiteFault
from leasebot_pipeline.sandbox.faults import Page
from leasebot_pipeline.sandbox.testing import SandboxServer
from leasebot_pipeline.stages import accounts
from leasebot_pipeline.storage import accounts_runtime, demo_figures, invariants, kill_switches
from leasebot_pipeline.storage.crash_points import CRASH_POINTS
from leasebot_pipeline.storage.outbox_operations import Actor

TICK_S: Final = 5.0
LONGEST_STEP_S: Final = 60.0
AWAY_S: Final = 60.0
_PERSON: Final = Actor("admin", "play")
_TICK_DEADLINE_S: Final = 180.0
_MOST_TICKS: Final = 600


@dataclass(frozen=True, slots=True)
class PlayOptions:
    """What is played. ``messages`` is how many the leads write at least; ``fault_rate`` is faults per tick."""

    messages: int = 20_000
    seed: int = 1
    workers: int = 3
    round_messages: int = 800
    fault_rate: float = 4.0
    browser: Path | None = None
    """A browser's executable for a last round in real Chromium; None leaves that out."""
    browser_leads: int = 15
    folder: Path | None = None
    """Where its data goes; None is a temporary directory."""


class PlayFailed(RuntimeError):
    """The play itself broke down; what it was to show was not shown."""


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
        stage = stack.enter_context(Stage(folder, options, say))
        return stage.play()


def holds(report: dict[str, Any]) -> bool:
    """True when nothing is doubled, lost or open and every invariant holds."""
    broken = sum(one["violations"] for one in report["invariants"])
    return not (report["doubled"] or report["lost"] or report["unknownOpen"] or broken)


@dataclass(slots=True)
class Recovery:
    """Since when a platform's work is interrupted, and how long it took until it went on."""

    since: dict[Platform, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def interrupted(self, platform: Platform, at: float) -> None:
        """A process died over the platform's work."""
        self.since.setdefault(platform, at)

    def database_is_back(self, at: float) -> None:
        """What was interrupted could not go on before."""
        self.since = dict.fromkeys(self.since, at)

    def went_on(self, platform: Platform, began: float) -> None:
        """A cycle of the platform that began then had the account and ran through, whatever it found."""
        since = self.since.get(platform)
        if since is not None and began >= since:
            self.seconds.append(began - since)
            del self.since[platform]


class Stage:
    """Everything a play needs, as a context manager."""

    def __init__(self, folder: Path, options: PlayOptions, say: Callable[[str], None]) -> None:
        self.folder, self.options, self.say = folder, options, say
        self.chance = random.Random(options.seed)
        self.clock = PlayClock(folder / "clock")
        self.deck = CrashDeck(random.Random(options.seed + 1))
        self.recovery = Recovery()
        self.struck: Counter[str] = Counter()
        self.silences: list[Silence] = []
        self.ticks = 0
        self.surprises = 0
        self._stack = ExitStack()
        self._waking: dict[int, tuple[Worker, int]] = {}
        self._ending: list[tuple[int, Callable[[], None]]] = []
        self._leads = 0
        self._given: dict[int, float] = {}
        self._leapt_s = 0.0
        self._begun = self.clock()

    def __enter__(self) -> Stage:
        enter = self._stack.enter_context
        try:
            self.database = enter(Database(self.folder / "database", self.clock()))
            self.sandbox = enter(
                SandboxServer(self.folder / "sites", time_scale=1.0, seed=self.options.seed, clock=self.clock)
            )
            self.receiver = enter(Receiver())
            self.crew = enter(Crew(self._place(), self.options.workers))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *ending: object) -> None:
        self._stack.close()

    def _place(self, browser: BrowserPlace | None = None) -> Place:
        return Place(
            database_url=self.database.url,
            base_urls=dict(self.sandbox.base_urls),
            clock_file=str(self.folder / "clock"),
            host="",
            webhook_url=self.receiver.url,
            seed=self.options.seed,
            browser=browser,
        )

    # ---- the whole

    def play(self) -> dict[str, Any]:
        """All rounds, then the report."""
        begun = time.monotonic()
        number = 0
        while (written := self.journal().messages) < self.options.messages:
            number += 1
            wanted = min(self.options.round_messages, self.options.messages - written)
            self.round(wanted)
            self.tell(number, begun)
        if self.options.browser is not None:
            self.browser_round(self.options.browser)
            self.tell(number + 1, begun)
        return self.report()

    def tell(self, number: int, begun: float) -> None:
        """Progress for people."""
        with self.database.engine.connect() as conn:
            found = verdict.judge(conn, self.journal(), self.silences)
        self.say(
            f"round {number}: {found.messages} messages, {found.received} replies received, {sum(self.struck.values())} "
            f"faults, doubled {found.doubled}, lost {found.lost}, unknown {found.unknown_open}; "
            f"{len(self.deck.reached)} of the crash points' ways reached; {time.monotonic() - begun:.0f} s"
        )

    def journal(self) -> verdict.Journal:
        return verdict.read_journal(self.folder / "sites" / "journal.jsonl")

    def report(self) -> dict[str, Any]:
        """The play's JSON object."""
        with self.database.engine.connect() as conn:
            found = verdict.judge(conn, self.journal(), self.silences)
            held = invariants.check(conn, self.clock())
        for broken in held:
            for line in broken.sample:
                self.say(f"{broken.name}: {line}")
        points: dict[str, dict[str, int]] = {point: {} for point in CRASH_POINTS}
        for (point, way), times in sorted(self.deck.reached.items()):
            points[point][way] = times
        return {
            "seed": self.options.seed,
            "messages": found.messages,
            "faults": dict(sorted(self.struck.items())),
            "crashPoints": points,
            "doubled": found.doubled,
            "lost": found.lost,
            "unknownOpen": found.unknown_open,
            "recoverySeconds": {"p95": percentile(self.recovery.seconds, 0.95)},
            "invariants": [
                *({"name": one.name, "violations": one.violations} for one in held),
                {"name": "nothing_clicked_in_silence", "violations": found.clicked_in_silence},
            ],
        }

    # ---- a round

    def round(self, messages: int, platforms: tuple[Platform, ...] = tuple(Platform)) -> None:
        """Leads write, faults strike, then all is left alone until nothing is open."""
        scripts = leads.deal(self.chance, messages, self._leads, platforms)
        self._leads += len(scripts)
        added = self.sandbox.add_leads(scripts, spacing=60.0 / len(scripts))
        quiet = 0
        while quiet < 3:
            self.tick(plan.choose(self.chance, platforms, self.options.fault_rate), platforms)
            busy = any(lead.scheduled or not lead.messages for lead in added)
            quiet = 0 if busy else quiet + 1
        self.drain(platforms)
        self.sandbox.archive(added)

    def drain(self, platforms: Sequence[Platform]) -> None:
        """No more faults; people do what they were asked to; until nothing is open."""
        self.end_faults()
        for n in range(_MOST_TICKS):
            chores = [Task("retry"), Task("alerts")] if n % 8 == 0 else []
            chores += [Task("resume", platform) for platform in self._stopped(platforms)]
            reports = self.tick([], platforms, chores)
            done = all(report is not None and report.error is None for report in reports)
            if done and self._settled():
                return
            moved = any(report is not None and any(report.counts.values()) for report in reports)
            if done and not moved:
                self._step_to_next()
        raise PlayFailed(f"after {_MOST_TICKS} quiet ticks something is still open: {self._open()}")

    def _stopped(self, platforms: Sequence[Platform]) -> list[Platform]:
        with self.database.engine.connect() as conn:
            rows = [row for platform in platforms for row in accounts_runtime.accounts(conn, platform)]
        return [row.platform for row in rows if row.state.stop_code is not None]

    def _settled(self) -> bool:
        """Whether no lead will write any more by itself and nothing is left to do for any."""
        if self.sandbox.next_due() is not None:
            return False
        with self.database.engine.connect() as conn:
            return demo_figures.open_work(conn) == 0 and ground.stored(conn) >= self.sandbox.written

    def _open(self) -> str:
        with self.database.engine.connect() as conn:
            work = demo_figures.open_work(conn)
            stored = demo_figures.stored_inbound(conn)
        missing = lost_inbound(self.journal().leads, stored)
        waiting = sum(lead.status in ("writing", "waiting") for lead in self.sandbox.leads())
        return f"{work} items of work, {missing} messages not stored, {waiting} leads not done"

    def _step_to_next(self) -> None:
        """Nothing is due now: set the clock to when something is."""
        now = self.clock()
        due = [
            at
            for at in (ground.next_due(self.database.engine, now), self.sandbox.next_due())
            if at is not None
        ]
        wait = (min(due) - now).total_seconds() if due else 0.0
        if wait > 0 and not self.recovery.since:
            self._advance(min(wait + 0.01, LONGEST_STEP_S))

    # ---- a tick

    def tick(
        self, struck: Sequence[Fault], platforms: Sequence[Platform], chores: Sequence[Task] = ()
    ) -> list[Report | None]:
        """One beat of the daemon: every platform's cycle, while the faults strike."""
        self.ticks += 1
        self._let_end()
        began, played = time.monotonic(), self.played_s
        tasks = [Task("cycle", platform) for platform in platforms]
        self.chance.shuffle(tasks)
        instants: list[tuple[float, Fault]] = []
        for fault in struck:
            self.struck[fault.name] += 1
            if not self._prepare(fault, tasks):
                instants.append((began + fault.delay_s, fault))
        if self.ticks % 6 == 0:
            tasks.append(Task("alerts"))
        tasks += chores
        reports = self._carry_out(deque(tasks), sorted(instants, key=lambda one: one[0]))
        self._until_sites_are_quiet()
        rest = TICK_S - (self.played_s - played)
        if rest > 0:
            self._advance(rest)
        return reports

    def _carry_out(self, tasks: deque[Task], instants: list[tuple[float, Fault]]) -> list[Report | None]:
        reports: list[Report | None] = []
        deadline = time.monotonic() + _TICK_DEADLINE_S
        while True:
            for worker in self.crew.workers:
                if tasks and worker.idle:
                    self._give(worker, tasks)
            running = [w for w in self.crew.workers if not w.idle and not w.frozen]
            if not running and not tasks:
                for _, fault in instants:
                    self._strike(fault)
                return reports
            if not running:
                self._wake_all()
            while instants and instants[0][0] <= time.monotonic():
                self._strike(instants.pop(0)[1])
            for ended in self.crew.ended(0.02 if instants or self._stalling() else 0.5):
                reports.append(self._note(ended))  # noqa: PERF401 - booked as they come
            for worker in self.crew.notice_frozen():
                self._froze(worker)
            if time.monotonic() > deadline:
                raise PlayFailed(f"a tick did not end: {[w.task for w in self.crew.workers]}")

    def _give(self, worker: Worker, tasks: deque[Task]) -> None:
        for _ in range(len(tasks)):
            task = tasks.popleft()
            # The second deployment takes what the first one has too, or else nothing armed for the first.
            if task.host is None or task.host == worker.host:
                self._given[worker.number] = self.played_s
                self.crew.give(worker, task)
                return
            tasks.append(task)

    def _stalling(self) -> bool:
        return any(
            w.task is not None and w.task.armed and ":stall" in w.task.armed for w in self.crew.workers
        )

    def _froze(self, worker: Worker) -> None:
        assert worker.task is not None
        assert worker.task.armed is not None
        point, way, *_ = worker.task.armed.split(":")
        self.deck.reached[point, way] += 1
        self._waking[worker.number] = (worker, self.ticks + self.chance.randint(1, 9))
        if worker.task.platform is not None:
            self.recovery.interrupted(worker.task.platform, self.played_s)

    def _note(self, ended: Ended) -> Report | None:
        """Book what a task's end says about crash points and recovery."""
        task, report = ended.task, ended.report
        if report is None and not ended.worker.killed and ":kill" not in (task.armed or ""):
            raise PlayFailed(f"a worker ended by itself over {task} (exit {ended.worker.process.exitcode})")
        if report is not None and report.surprise is not None:
            self.surprises += 1
            self.say(f"an error that no fault explains, over {task}:\n{report.surprise}")
        self._waking.pop(ended.worker.number, None)
        if task.armed is not None:
            point, way, *_ = task.armed.split(":")
            if (report is None and way == "kill" and not ended.worker.killed) or (
                way == "raise" and report is not None and report.passed
            ):
                self.deck.reached[point, way] += 1
            elif report is not None and not report.passed:
                self.deck.missed(point, way)
        if task.platform is not None and task.kind == "cycle":
            if report is None or report.error is not None:
                self.recovery.interrupted(task.platform, self.played_s)
            elif report.free:
                self.recovery.went_on(task.platform, self._given[ended.worker.number])
        return report

    # ---- faults

    def _prepare(self, fault: Fault, tasks: list[Task]) -> bool:
        """Faults that begin with the tick; False for one that strikes at its instant."""
        platform = fault.platform
        assert platform is not None
        match fault.kind:
            case "crash":
                self._arm(fault, tasks)
            case "commit_unsent" | "commit_unanswered":
                how: CommitFault = "unsent" if fault.kind == "commit_unsent" else "unanswered"
                self._change(tasks, platform, commit_fault=how, commit_nth=fault.nth * 3)
            case "clock_skew":
                self._change(tasks, platform, skew_s=fault.seconds / 50 - 2.4)
            case "twice":
                tasks += [Task("cycle", platform) for platform in Platform]
            case "second_deployment":
                tasks += [Task("cycle", platform, host=HOSTS[1]) for platform in Platform]
            case "site":
                self._site_fault(fault)
            case "kill_switch":
                self._kill_switch(platform, fault)
            case "shadow" | "inactive" | "draft_only":
                self._silence(fault)
            case "daily_cap":
                tasks.insert(0, Task("cap", platform, value=1))
                self._later(fault.ticks, lambda: self._uncap(platform))
            case "receiver_down":
                self.receiver.down = True
                self._later(fault.ticks, self._receiver_up)
            case _:
                return False
        return True

    def _strike(self, fault: Fault) -> None:
        match fault.kind:
            case "kill":
                busy = [w for w in self.crew.workers if not w.idle and not w.frozen]
                if busy:
                    self.crew.kill(self.chance.choice(busy))
            case "browser_killed":
                for worker in self.crew.workers:
                    kill_browser(worker.pid)
            case "connections_cut":
                self.database.cut_connections()
            case "database_restart" | "database_crash":
                self.database.stop(crash=fault.kind == "database_crash")
                self._database_back()
            case "database_away":
                self.database.stop()
                self._advance(AWAY_S)
                time.sleep(0.2)
                self._database_back()
            case "clock_forward":
                self._leap(fault.seconds)
            case "clock_back":
                self._leap(-fault.seconds / 4)
            case kind:
                raise PlayFailed(f"nobody knows how to strike with {kind}")

    def _database_back(self) -> None:
        self.database.start()
        self.recovery.database_is_back(self.played_s)

    def _arm(self, fault: Fault, tasks: list[Task]) -> None:
        """Arm the next crash point of the deck on a task that can pass it, and provoke it to."""
        may_stall = len(self._waking) < self.options.workers - 1
        point, way = self.deck.deal(stall=may_stall)
        platform = fault.platform
        assert platform is not None
        nth = 1 if point.startswith(_RARE) else fault.nth
        armed = f"{point}:{way}:{nth}"
        room = point.partition(".")[0]
        other: dict[str, TaskKind] = {
            "availability": "calendars",
            "listings": "listings",
            "account": "resume",
        }
        if room in other:
            tasks.append(Task(other[room], platform, armed=f"{point}:{way}"))
            return
        if point in ("alert.before_sweep", "alert.after_sweep"):
            tasks.append(Task("alerts", armed=f"{point}:{way}"))
            return
        if room == "alert":
            self.sandbox.fault(platform, SiteFault.CHALLENGE, pages=[Page.INBOX], count=1)
        elif point.endswith("_thread_failure"):
            self.sandbox.fault(platform, SiteFault.SERVER_ERROR, pages=[Page.THREAD], count=1)
        elif point.endswith(("_failure", "_verdict", "_reading")) or room == "reconcile":
            self.sandbox.fault(platform, SiteFault.SERVER_ERROR, pages=[Page.REPLY], count=2)
        elif point.endswith("_cap"):
            tasks.insert(0, Task("cap", platform, value=1))
            self._later(4, lambda: self._uncap(platform))
        self._change(tasks, platform, armed=armed)

    def _site_fault(self, fault: Fault) -> None:
        platform, what = fault.platform, fault.what
        assert platform is not None
        assert what is not None
        reading = [Page.INBOX, Page.THREAD]
        match what:
            case "refused_reply":
                self.sandbox.fault(platform, SiteFault.SERVER_ERROR, pages=[Page.REPLY], count=fault.ticks)
            case "late_reply":
                self.sandbox.fault(platform, SiteFault.SLOW_PAGE, pages=[Page.REPLY], count=1, seconds=2.4)
            case "deaf_thread":  # clicked, the answer lost, and the thread can't be read either
                self.sandbox.fault(platform, SiteFault.LOST_RESPONSE, count=1)
                self.sandbox.fault(platform, SiteFault.RATE_LIMITED, pages=[Page.THREAD], count=fault.ticks)
            case "slow_page":
                self.sandbox.fault(platform, SiteFault.SLOW_PAGE, pages=reading, count=1, seconds=2.4)
            case "lost_response":
                self.sandbox.fault(platform, SiteFault.LOST_RESPONSE, count=fault.nth)
            case "expired_session" | "challenge" | "captcha":
                self.sandbox.fault(platform, what, count=1)
                self._later(fault.ticks + 2, lambda: self._resume(platform))
            case "duplicated_rows" | "reordered_rows" | "short_list":
                self.sandbox.fault(platform, what, count=fault.ticks * 2)
            case "half_page" | "changed_markup":
                self.sandbox.fault(platform, what, pages=reading, count=fault.ticks)
            case _:
                self.sandbox.fault(platform, what, count=fault.ticks)

    def _kill_switch(self, platform: Platform, fault: Fault) -> None:
        target = KillTarget(KillScope.GLOBAL) if fault.nth > 10 else KillTarget(KillScope.PLATFORM, platform)
        with self.database.engine.begin() as conn:
            kill_switches.engage(conn, target, reason="a play", actor=_PERSON, now=self.clock())

        def lift() -> None:
            with self.database.engine.begin() as conn:
                kill_switches.lift(conn, target, actor=_PERSON, now=self.clock())

        self._later(fault.ticks, lift)

    def _silence(self, fault: Fault) -> None:
        """From now on nothing may be clicked there, whatever was queued before."""
        engine, began = self.database.engine, self.clock()
        platform = None if fault.kind == "shadow" else fault.platform
        match fault.kind:
            case "shadow":
                ground.set_stage(engine, ReleaseStage.SHADOW, began)
            case "inactive":
                ground.set_account(engine, platform, active=False)
            case _:
                ground.set_account(engine, platform, send_mode=SendMode.DRAFT_ONLY)

        def end() -> None:
            self.silences.append(Silence(platform, fault.kind, began, self.clock()))
            if fault.kind == "shadow":
                ground.set_stage(engine, ReleaseStage.FULL, self.clock())
            else:
                ground.set_account(engine, platform)

        self._later(fault.ticks, end)

    def _change(self, tasks: list[Task], platform: Platform, **changed: Any) -> None:
        for position, task in enumerate(tasks):
            if task.kind == "cycle" and task.platform is platform and task.armed is None:
                tasks[position] = replace(task, **changed)
                return
        if "armed" in changed:
            point, way, *_ = changed["armed"].split(":")
            self.deck.missed(point, way)

    def _resume(self, platform: Platform) -> None:
        accounts.resume(self.database.engine, platform, actor="play")

    def _uncap(self, platform: Platform) -> None:
        with self.database.engine.connect() as conn:
            rows = accounts_runtime.accounts(conn, platform)
        accounts.limit(self.database.engine, rows, accounts.Limits(set_cap=True), actor="play")

    def _receiver_up(self) -> None:
        self.receiver.down = False

    # ---- what lasts

    def _later(self, ticks: int, end: Callable[[], None]) -> None:
        self._ending.append((self.ticks + ticks, end))

    def _let_end(self) -> None:
        """End what has lasted long enough, between two ticks."""
        due = [one for one in self._ending if one[0] <= self.ticks]
        self._ending = [one for one in self._ending if one[0] > self.ticks]
        for _, end in due:
            end()
        for worker, at in list(self._waking.values()):
            if at <= self.ticks:
                self.crew.wake(worker)
                del self._waking[worker.number]

    def _wake_all(self) -> None:
        for worker, _ in self._waking.values():
            self.crew.wake(worker)
        self._waking.clear()

    def end_faults(self) -> None:
        """Everything that lasts ends now."""
        self.sandbox.clear_faults()
        endings, self._ending = self._ending, []
        for _, end in endings:
            end()
        self._wake_all()

    # ---- time

    @property
    def played_s(self) -> float:
        """Seconds of the play, without those that a leap of the clock only pretended."""
        return (self.clock() - self._begun).total_seconds() - self._leapt_s

    def _leap(self, seconds: float) -> None:
        """A clock that was set, by a person or by its network."""
        self._leapt_s += seconds
        self._advance(seconds)

    def _advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.sandbox.wake()

    def _until_sites_are_quiet(self) -> None:
        """A request of a worker that died may still be on its way: time must not leap over it."""
        deadline = time.monotonic() + 30
        calm = 0
        while calm < 2:
            calm = calm + 1 if self.sandbox.requests_under_way == 0 else 0
            time.sleep(0.005)
            if time.monotonic() > deadline:
                raise PlayFailed("a site does not finish its requests")

    # ---- the sample in a real browser

    def browser_round(self, executable: Path) -> None:
        """A few leads in real Chromium, which is killed under way, as are its workers."""
        place = self._place(BrowserPlace(str(executable), str(self.folder / "browser")))
        plain = self.crew
        with Crew(place, 2) as self.crew:
            scripts = leads.deal(self.chance, self.options.browser_leads, self._leads, tuple(Platform))
            self._leads += len(scripts)
            added = self.sandbox.add_leads(scripts, spacing=0.5)
            deck = [
                Fault("browser_killed", Platform.SPAREROOM, delay_s=2.0),
                Fault("kill", Platform.SPAREROOM, delay_s=1.5),
                Fault("site", Platform.LEASEBREAK, "lost_response"),
                Fault("browser_killed", Platform.SPAREROOM, delay_s=3.0),
                Fault("crash", Platform.ROOMIES),
            ]
            for fault in deck:
                self.tick([fault], tuple(Platform))
            self.drain(tuple(Platform))
            self.sandbox.archive(added)
        self.crew = plain


_RARE: Final = (
    "alert.", "reconcile.", "dispatch.before_cap", "dispatch.after_cap", "dispatch.before_failure",
    "dispatch.after_failure", "poll.before_thread_failure", "poll.after_thread_failure", "availability.", "listings.",
    "book.", "follow_up.", "link.", "ingest.", "decide.", "dispatch.before_sweep", "dispatch.after_sweep", "lease.before_expiry",
    "lease.after_expiry", "poll.before_inbox", "poll.after_inbox",
)  # fmt: skip
"""Points a cycle passes at most once or twice."""
