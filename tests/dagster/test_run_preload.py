"""What the fork server of the runs does before it forks: in a process of its own, as it is there."""

from __future__ import annotations

import os
import subprocess
import sys

_CHECK = """
import gc, os, threading
from leasebot_pipeline.processes import run_preload
from leasebot_pipeline import definitions

cold = not definitions._kept
del os.environ["API_PORT"]
run_preload.warm()
assert definitions.defs() is definitions._kept[0]
files = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
sockets = [file for file in files if os.path.exists(file) and os.readlink(file).startswith("socket:")]
print(cold, gc.get_freeze_count() > 100_000, threading.active_count(), len(sockets))
"""


def test_it_builds_what_runs_share_and_starts_and_opens_nothing() -> None:
    """Faulty settings leave runs cold and the process alive; the code server is who complains of them."""
    kept = {name: text for name, text in os.environ.items() if name in {"PATH", "HOME", "PYTHONPATH"}}
    done = subprocess.run(
        [sys.executable, "-c", _CHECK],
        env=kept | {"API_PORT": "many"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "True", "1", "0"]
    assert "runs start cold: SettingsError" in done.stderr
