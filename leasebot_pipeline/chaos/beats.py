"""A beat of the daemon: every platform's cycle handed to the crew, while faults strike; then time goes by."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from leasebot_pipeline.chaos.crew import Ended, Worker
from leasebot_pipeline.chaos.faults import CrashDeck, Fault
from leasebot_pipeline.chaos.recovery import Interruption, Recovery
from leasebot_pipeline.chaos.scene import PlayFailed, Scene
from leasebot_pipeline.chaos.strikes import Strikes
from leasebot_pipeline.chaos.tasks import Report, Task
from leasebot_pipeline.domain.platforms import Platform

BEAT_S: Final = 5.0
"""Seconds of the play between two beats, as the daemon's sensors tick at best."""
_DEADLINE_S: Final = 240.0
_ALERTS_EVERY: Final = 6


@dataclass(slots=True)
class Beats:
    """Hands tasks out and books what their ends say about crash points and recovery."""

    scene: Scene
    chance: random.Random
    deck: CrashDeck
    recovery: Recovery
    strikes: Strikes
    say: Callable[[str], None]
    count: int = 0
    _frozen: dict[int, tuple[Worker, int]] = field(default_factory=dict, init=False)
    """Workers by number, with the beat in which they are woken."""
    _given: dict[int, float] = field(default_factory=dict, init=False)
    _again: dict[Platform, float] = field(default_factory=dict, init=False)
    """When an interrupted platform's own sensor ticks next: it does not wait for the beat of the others to end."""

    def beat(
        self, faults: Sequence[Fault], platforms: Sequence[Platform], chores: Sequence[Task] = ()
    ) -> list[Report | None]:
        """One beat; a report for each task, None for those whose worker died. Raises PlayFailed."""
        self.count += 1
        self.strikes.next_tick()
        for worker, until in list(self._frozen.values()):
            if until <= self.count:
                self._wake(worker)
        began, played = time.monotonic(), self.scene.time.played_s
        tasks = [Task("cycle", platform) for platform in platforms]
        self.chance.shuffle(tasks)
        instants: list[tuple[float, Fault]] = []
        for fault in faults:
            self.strikes.struck[fault.name] += 1
            may_stall = len(self._frozen) < len(self.scene.crew.workers) - 1
            if not self.strikes.prepare(fault, tasks, may_stall=may_stall):
                instants.append((began + fault.delay_s, fault))
        if self.count % _ALERTS_EVERY == 0:
            tasks.append(Task("alerts"))
        instants.sort(key=lambda one: one[0])
        reports = self._carry_out(deque([*tasks, *chores]), instants)
        self.scene.until_sites_are_quiet()
        rest = BEAT_S - (self.scene.time.played_s - played)
        if rest > 0:
            self.scene.time.pass_by(rest)
        return reports

    def wake_all(self) -> None:
        """Let every frozen worker go on."""
        for worker, _ in list(self._frozen.values()):
            self._wake(worker)

    def _carry_out(self, tasks: deque[Task], instants: list[tuple[float, Fault]]) -> list[Report | None]:
        crew = self.scene.crew
        reports: list[Report | None] = []
        deadline = time.monotonic() + _DEADLINE_S
        self._again.clear()
        while True:
            tasks.extendleft(self._ticking_again())
            for worker in crew.workers:
                if tasks and worker.idle:
                    self._give(worker, tasks)
            running = [worker for worker in crew.workers if not worker.idle and not worker.frozen]
            if not running and not tasks:
                for _, fault in instants:
                    self.strikes.strike(fault)
                return reports
            if not running:
                self.wake_all()
            while instants and instants[0][0] <= time.monotonic():
                self.strikes.strike(instants.pop(0)[1])
            soon = bool(instants or self._again) or any(worker.may_freeze for worker in crew.workers)
            reports += [self._note(ended) for ended in crew.ended(0.02 if soon else 0.5)]
            for worker in crew.notice_frozen():
                self._froze(worker)
            if time.monotonic() > deadline:
                raise PlayFailed(f"a beat did not end: {[worker.task for worker in crew.workers]}")

    def _ticking_again(self) -> list[Task]:
        now = self.scene.time.played_s
        due = [platform for platform, at in self._again.items() if at <= now]
        for platform in due:
            del self._again[platform]
        return [Task("cycle", platform) for platform in due]

    def _interrupted(self, platform: Platform, by: Interruption) -> None:
        now = self.scene.time.played_s
        self.recovery.interrupted(platform, now, by)
        self._again[platform] = now + BEAT_S

    def _give(self, worker: Worker, tasks: deque[Task]) -> None:
        """The first task this worker may do."""
        for _ in range(len(tasks)):
            task = tasks.popleft()
            if task.host is None or task.host == worker.host:
                self._given[worker.number] = self.scene.time.played_s
                self.scene.crew.give(worker, task)
                return
            tasks.append(task)

    def _froze(self, worker: Worker) -> None:
        task = worker.task
        assert task is not None
        assert task.armed is not None
        point, way, *_ = task.armed.split(":")
        self.deck.reached[point, way] += 1
        worker.task = replace(task, armed=None)  # what becomes of it now says nothing of the point any more
        self._frozen[worker.number] = (worker, self.count + self.chance.randint(1, 9))
        if task.platform is not None:
            self._interrupted(task.platform, "frozen")

    def _wake(self, worker: Worker) -> None:
        self._frozen.pop(worker.number, None)
        self.scene.crew.wake(worker)

    def _note(self, ended: Ended) -> Report | None:
        worker, task, report = ended.worker, ended.task, ended.report
        if report is None and not worker.killed and ":kill" not in (task.armed or ""):
            raise PlayFailed(f"a worker ended by itself over {task} (exit {worker.process.exitcode})")
        if report is not None and report.surprise is not None:
            self.say(f"an error that no fault explains, over {task}:\n{report.surprise}")
        if task.armed is not None:
            self._book(task.armed, report, killed_anywhere=worker.killed)
        if task.platform is not None and task.kind == "cycle":
            if report is None or report.error is not None:
                self._interrupted(task.platform, "killed" if report is None else "failed")
            elif report.free:
                self.recovery.went_on(task.platform, self._given[worker.number])
            elif (
                task.platform in self.recovery.since
            ):  # a lease that has not run out: the next tick looks again
                self._again[task.platform] = self.scene.time.played_s + BEAT_S
        return report

    def _book(self, armed: str, report: Report | None, *, killed_anywhere: bool) -> None:
        point, way, *_ = armed.split(":")
        died = report is None and way == "kill" and not killed_anywhere
        if died or (way == "raise" and report is not None and report.passed):
            self.deck.reached[point, way] += 1
        else:
            self.deck.missed(point, way)
