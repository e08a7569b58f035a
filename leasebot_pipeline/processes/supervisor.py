"""Start the parts of a stack in order, keep them running, stop them in reverse.

One thread, one loop: each turn looks at every part and takes the step that is due. Parts that don't need
each other start side by side. A part that dies while the stack comes up fails the whole start; one that
dies later is started again after a growing pause, for as long as the stack lives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from leasebot_pipeline.processes import logs
from leasebot_pipeline.processes.restarts import count_deaths, delay_before_restart
from leasebot_pipeline.processes.service import Part, StartFailed

_TURN_S: Final = 0.05
_QUIET_TURN_S: Final = 0.2
_HOUSEKEEPING_S: Final = 5.0


class PartState(StrEnum):
    WAITING = "waiting"  # something it needs is not ready
    STARTING = "starting"
    READY = "ready"
    DONE = "done"  # a step that ended well
    BACKING_OFF = "backing_off"  # died; starts again at next_start
    STOPPED = "stopped"


@dataclass(slots=True)
class Progress:
    """A part as the supervisor sees it now. Times are of the monotonic clock, in seconds."""

    part: Part
    state: PartState = PartState.WAITING
    since: float = 0.0
    next_start: float = 0.0
    deaths: int = 0
    restarts: int = 0

    @property
    def serves(self) -> bool:
        return self.state in (PartState.READY, PartState.DONE)


class StackFailed(RuntimeError):
    """The stack did not come up; the message names the part and shows the end of its log."""


@dataclass(frozen=True, slots=True)
class Observer:
    """What the supervisor tells: lines for people, changes for the state file, new log lines."""

    say: Callable[[str], None]
    changed: Callable[[Sequence[Progress]], None]
    log_line: Callable[[str, str], None] | None = None


class Supervisor:
    """Runs ``parts`` (listed so that each follows what it needs) until told to stop."""

    def __init__(
        self, parts: Sequence[Part], observer: Observer, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.progress = [Progress(part) for part in parts]
        self._by_name = {entry.part.name: entry for entry in self.progress}
        self._observer = observer
        self._clock = clock
        self._began = clock()
        self._came_up = False
        self._followers: dict[str, logs.Follower] = {}
        self._housekeeping_at = 0.0
        for part in parts:
            unknown = set(part.needs) - self._by_name.keys()
            if unknown:
                raise ValueError(f"{part.name} needs unknown parts: {sorted(unknown)}")

    @property
    def all_ready(self) -> bool:
        return all(entry.serves for entry in self.progress)

    def run(self, *, stop_asked: Callable[[], bool], on_ready: Callable[[], None]) -> None:
        """Bring everything up, call ``on_ready`` once, then watch until ``stop_asked``.

        Does not stop the parts: call :meth:`stop` in any case. Raises StackFailed when a part does not
        come up.
        """
        for entry in self.progress:
            path = entry.part.service.log
            if path is not None and self._observer.log_line is not None:
                self._followers[entry.part.name] = logs.Follower(path)
        while not stop_asked():
            for entry in self.progress:
                self._turn(entry)
                if stop_asked():
                    return
            if self.all_ready and not self._came_up:
                self._came_up = True
                on_ready()
            self._show_logs()
            self._keep_house()
            time.sleep(_QUIET_TURN_S if self._came_up else _TURN_S)

    def stop(self, hurry: Callable[[], bool]) -> None:
        """Stop what runs, highest rank first; what outstays its grace, or ``hurry``, is killed."""
        running = [entry for entry in self.progress if entry.part.service.poll() is None]
        for rank in sorted({entry.part.stop_rank for entry in running}, reverse=True):
            group = [entry for entry in running if entry.part.stop_rank == rank]
            for entry in group:
                entry.part.service.request_stop()
            self._await_end(group, hurry)
        self._observer.changed(self.progress)

    def _await_end(self, group: Sequence[Progress], hurry: Callable[[], bool]) -> None:
        asked = self._clock()
        pending = list(group)
        told = False
        while pending:
            for entry in list(pending):
                over = self._clock() - asked > entry.part.stop_grace_s
                if entry.part.service.poll() is None and not over and not hurry():
                    continue
                if entry.part.service.poll() is None:
                    self._say(f"{entry.part.name} did not stop in time: killed")
                entry.part.service.kill()  # also what it left behind
                self._enter(entry, PartState.STOPPED)
                pending.remove(entry)
            if pending and not told and self._clock() - asked > 1.5:
                told = True
                names = ", ".join(entry.part.name for entry in pending)
                longest = max(entry.part.stop_grace_s for entry in pending)
                self._say(f"waiting for {names} to finish (at most {longest:.0f} s; Ctrl-C again to kill)")
            self._show_logs()
            if pending:
                time.sleep(_TURN_S)

    def _turn(self, entry: Progress) -> None:
        now = self._clock()
        waits = entry.state is PartState.WAITING and self._has_what_it_needs(entry)
        if waits or (entry.state is PartState.BACKING_OFF and now >= entry.next_start):
            self._start(entry)
        if entry.state is PartState.STARTING:
            self._await_ready(entry, self._clock())
        elif entry.state is PartState.READY and (code := entry.part.service.poll()) is not None:
            self._died(entry, f"ended ({_meaning(code)})", served_s=now - entry.since)

    def _has_what_it_needs(self, entry: Progress) -> bool:
        return all(self._by_name[name].serves for name in entry.part.needs)

    def _start(self, entry: Progress) -> None:
        self._enter(entry, PartState.STARTING)
        try:
            entry.part.service.start()
        except StartFailed as error:
            self._died(entry, str(error), served_s=0.0)

    def _await_ready(self, entry: Progress, now: float) -> None:
        part = entry.part
        code = part.service.poll()
        if part.once:
            if code == 0:
                took = now - entry.since
                self._enter(entry, PartState.DONE)
                self._say(f"{part.title}: done in {took:.1f} s")
                return
        elif code is None and part.service.ready():
            self._serve(entry, now)
            return
        if code is not None:
            self._died(entry, f"ended while starting ({_meaning(code)})", served_s=0.0)
        elif now - entry.since > part.start_deadline_s:
            part.service.kill()
            self._died(entry, f"was not ready within {part.start_deadline_s:.0f} s", served_s=0.0)

    def _serve(self, entry: Progress, now: float) -> None:
        took = now - entry.since
        self._enter(entry, PartState.READY)
        where = f"  {entry.part.address}" if entry.part.address else ""
        again = " again" if entry.restarts else ""
        self._say(f"{entry.part.title}: ready{again} in {took:.1f} s{where}")

    def _died(self, entry: Progress, what: str, served_s: float) -> None:
        part = entry.part
        end = "\n".join(f"    {line}" for line in logs.tail(part.service.log)) if part.service.log else ""
        if not self._came_up:
            shown = f"\n  last lines of {part.service.log}:\n{end}" if end else ""
            raise StackFailed(f"{part.title} ({part.name}) {what}{shown}")
        entry.deaths = count_deaths(entry.deaths, served_s)
        self._start_later(entry, delay_before_restart(entry.deaths))
        where = f"; see {part.service.log}" if part.service.log else ""
        self._say(
            f"{part.name} {what}; starting it again in {delay_before_restart(entry.deaths):.0f} s{where}"
        )

    def _start_later(self, entry: Progress, delay: float) -> None:
        entry.next_start = self._clock() + delay
        entry.restarts += 1
        self._enter(entry, PartState.BACKING_OFF)

    def _enter(self, entry: Progress, state: PartState) -> None:
        entry.state = state
        entry.since = self._clock()
        self._observer.changed(self.progress)

    def _say(self, line: str) -> None:
        self._observer.say(f"[{self._clock() - self._began:5.1f} s] {line}")

    def _show_logs(self) -> None:
        if self._observer.log_line is None:
            return
        for name, follower in self._followers.items():
            for line in follower.lines():
                self._observer.log_line(name, line)

    def _keep_house(self) -> None:
        now = self._clock()
        if now < self._housekeeping_at:
            return
        self._housekeeping_at = now + _HOUSEKEEPING_S
        for entry in self.progress:
            if entry.part.service.log is not None:
                logs.cap(entry.part.service.log)


def _meaning(code: int) -> str:
    if code < 0:
        return f"signal {-code}"
    return f"exit code {code}"
