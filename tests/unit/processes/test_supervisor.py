"""The supervisor with small real processes: order, restarts, stopping, and failing with a reason."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from leasebot_pipeline.processes.service import ChildProcess, Part, Step
from leasebot_pipeline.processes.stack_file import started_ticks
from leasebot_pipeline.processes.supervisor import Observer, PartState, Progress, StackFailed, Supervisor

_DEADLINE_S = 20.0


class Stage:
    """A place for parts made of one-line Python programs that share a diary file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.diary = folder / "diary"
        self.said: list[str] = []
        self.states: list[tuple[str, PartState]] = []

    def child(self, name: str, program: str) -> ChildProcess:
        ready = self.folder / f"{name}.ready"
        ready.unlink(missing_ok=True)
        prelude = f"""
            import os, signal, sys, time
            from pathlib import Path
            def note(text):
                with open({str(self.diary)!r}, "a") as diary: diary.write(text + "\\n")
            def ready(): Path({str(ready)!r}).write_text(str(os.getpid()))
            def serve():
                def end(*_):
                    note("{name} stops"); sys.exit(0)
                signal.signal(signal.SIGTERM, end)
                note("{name} starts"); ready()
                while True: time.sleep(0.02)
        """
        source = textwrap.dedent(prelude) + textwrap.dedent(program)
        return ChildProcess(
            (sys.executable, "-S", "-c", source),
            environment=dict(os.environ),
            log=self.folder / f"{name}.log",
            probe=ready.exists,
        )

    def observer(self) -> Observer:
        def changed(progress: Sequence[Progress]) -> None:
            self.states = [(entry.part.name, entry.state) for entry in progress]

        return Observer(say=self.said.append, changed=changed)

    def noted(self) -> list[str]:
        return self.diary.read_text().splitlines() if self.diary.exists() else []


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def _run(supervisor: Supervisor, script: Callable[[], bool]) -> None:
    """Run until ``script`` returns True (asked on every turn once the stack is up), then stop."""
    deadline = time.monotonic() + _DEADLINE_S
    up = False

    def mark_up() -> None:
        nonlocal up
        up = True

    def stop_asked() -> bool:
        assert time.monotonic() < deadline, "the supervisor did not get there in time"
        return up and script()

    try:
        supervisor.run(stop_asked=stop_asked, on_ready=mark_up)
    finally:
        supervisor.stop(lambda: False)


def _await_end(pid: int) -> None:
    """Wait until a process that is nobody's child here has ended; say what it does where it has not."""
    deadline = time.monotonic() + _DEADLINE_S
    while started_ticks(pid) is not None:
        if time.monotonic() > deadline:
            pytest.fail(f"process {pid} still runs:\n{Path(f'/proc/{pid}/status').read_text()}")
        time.sleep(0.01)


def test_starts_in_order_of_needs_and_stops_by_rank(stage: Stage) -> None:
    parts = [
        Part(
            "database", "Database", stage.child("database", "serve()"), stop_rank=0, stop_grace_s=_DEADLINE_S
        ),
        Part(
            "migrate",
            "Migrations",
            stage.child("migrate", "note('migrated')"),
            needs=("database",),
            once=True,
        ),
        Part("api", "API", stage.child("api", "serve()"), needs=("migrate",), stop_grace_s=_DEADLINE_S),
    ]
    supervisor = Supervisor(parts, stage.observer())
    _run(supervisor, lambda: True)
    assert stage.noted() == ["database starts", "migrated", "api starts", "api stops", "database stops"]
    assert all(part.service.poll() is not None for part in parts)


def test_a_part_that_dies_is_started_again_and_said_so(stage: Stage) -> None:
    child = stage.child("api", "serve()")
    first: list[int] = []

    def script() -> bool:
        if not first:
            assert child.pid is not None
            first.append(child.pid)
            (stage.folder / "api.ready").unlink()
            os.kill(first[0], signal.SIGKILL)
        return ("api", PartState.READY) in stage.states and child.pid not in (None, first[0])

    supervisor = Supervisor([Part("api", "API", child)], stage.observer())
    _run(supervisor, script)
    assert any("api ended (signal 9); starting it again in 1 s" in line for line in stage.said)
    assert supervisor.progress[0].restarts == 1


def test_a_part_goes_on_while_the_one_it_needs_starts_again(stage: Stage) -> None:
    server = stage.child("server", "serve()")
    daemon = stage.child("daemon", "serve()")
    parts = [
        Part("server", "Server", server, stop_rank=1),
        Part("daemon", "Daemon", daemon, needs=("server",), stop_grace_s=_DEADLINE_S),
    ]
    killed: list[int] = []

    def script() -> bool:
        if not killed:
            assert server.pid is not None
            killed.append(server.pid)
            (stage.folder / "server.ready").unlink()
            os.kill(server.pid, signal.SIGKILL)
        return stage.noted().count("server starts") == 2

    _run(Supervisor(parts, stage.observer()), script)
    assert stage.noted()[:3] == ["server starts", "daemon starts", "server starts"]


def test_a_part_that_cannot_start_fails_the_stack_with_the_end_of_its_log(stage: Stage) -> None:
    broken = stage.child("api", "print('DATABASE_URL: must be a URL', file=sys.stderr); sys.exit(2)")
    supervisor = Supervisor([Part("api", "API", broken)], stage.observer())
    with pytest.raises(
        StackFailed, match=r"(?s)API \(api\) ended while starting \(exit code 2\).*DATABASE_URL"
    ):
        _run(supervisor, lambda: True)


def test_a_missing_program_fails_the_stack_by_name(stage: Stage) -> None:
    service = ChildProcess(
        ("/nowhere/leasebot",), environment={}, log=stage.folder / "x.log", probe=lambda: True
    )
    with pytest.raises(StackFailed, match=r"/nowhere/leasebot: No such file"):
        _run(Supervisor([Part("x", "X", service)], stage.observer()), lambda: True)


def test_a_part_that_never_gets_ready_is_killed_and_fails_the_stack(stage: Stage) -> None:
    slow = stage.child("slow", "time.sleep(60)")
    supervisor = Supervisor([Part("slow", "Slow", slow, start_deadline_s=0.3)], stage.observer())
    with pytest.raises(StackFailed, match="was not ready within 0 s"):
        _run(supervisor, lambda: True)
    assert slow.poll() is not None


def test_what_ignores_the_signal_is_killed_after_its_grace_with_everything_it_started(stage: Stage) -> None:
    program = f"""
        import subprocess
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
        Path({str(stage.folder / "grandchild")!r}).write_text(str(child.pid))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        ready()
        time.sleep(60)
    """
    stubborn = stage.child("stubborn", program)
    supervisor = Supervisor([Part("stubborn", "Stubborn", stubborn, stop_grace_s=0.2)], stage.observer())
    _run(supervisor, lambda: True)
    assert any("stubborn did not stop in time" in line for line in stage.said)
    grandchild = int((stage.folder / "grandchild").read_text())
    _await_end(grandchild)


def test_a_step_runs_between_its_neighbours(stage: Stage) -> None:
    def note() -> None:
        with stage.diary.open("a") as diary:
            diary.write("step\n")

    step = Step(note)
    parts = [
        Part("database", "Database", stage.child("database", "serve()"), stop_rank=0),
        Part("step", "Step", step, needs=("database",), once=True),
        Part("api", "API", stage.child("api", "serve()"), needs=("step",)),
    ]
    _run(Supervisor(parts, stage.observer()), lambda: True)
    assert stage.noted()[:3] == ["database starts", "step", "api starts"]


_PARENT_PRELUDES = {
    "plain": "",
    "ignoring": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "blocking": "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})",
}


@pytest.mark.parametrize("prelude", _PARENT_PRELUDES.values(), ids=_PARENT_PRELUDES)
def test_children_end_when_the_supervisor_is_killed(stage: Stage, prelude: str) -> None:
    program = textwrap.dedent(f"""
        import os, signal, sys, time
        from pathlib import Path
        from leasebot_pipeline.processes.service import ChildProcess
        {prelude}
        child = ChildProcess((sys.executable, "-S", "-c", "import time; time.sleep(60)"),
                             environment=dict(os.environ), log=Path({str(stage.folder)!r}) / "c.log",
                             probe=lambda: True)
        child.start()
        print(child.pid, flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert started_ticks(child) is not None
        parent.kill()
    _await_end(child)


def test_a_child_hears_what_its_parent_ignores(stage: Stage) -> None:
    """As in the background of a shell, which ignores Ctrl-C: Dagster takes SIGTERM as it found that one."""
    program = "signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT)); ready(); time.sleep(60)"
    part = Part("mapped", "Mapped", stage.child("mapped", program), stop_grace_s=_DEADLINE_S)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _run(Supervisor([part], stage.observer()), lambda: True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not any("did not stop in time" in line for line in stage.said)


def test_a_process_that_becomes_a_service_hears_stops_too() -> None:
    service = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    program = textwrap.dedent(f"""
        import signal, sys
        from leasebot_pipeline.cli.services import _become
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _become((sys.executable, "-S", "-c", {service!r}))
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_a_part_with_an_unknown_need_is_refused(stage: Stage) -> None:
    with pytest.raises(ValueError, match=r"api needs unknown parts: \['database'\]"):
        Supervisor([Part("api", "API", stage.child("api", "serve()"), needs=("database",))], stage.observer())
