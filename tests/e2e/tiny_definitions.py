"""A code location of two jobs: one tells whose child its run is, one runs until its file appears.

A sensor asks for them, another one is held while it is evaluated if a file says so.

No postponed annotations: Dagster reads those of the context as they stand.
"""

import os
import time
from pathlib import Path

import dagster as dg


@dg.op
def tell_parent(context: dg.OpExecutionContext) -> None:
    command = Path(f"/proc/{os.getppid()}/cmdline").read_text().replace("\0", " ")
    (Path(os.environ["TINY_FOLDER"]) / f"parent-{context.run.run_id}").write_text(command)


@dg.op
def wait_for_file() -> None:
    folder = Path(os.environ["TINY_FOLDER"])
    (folder / "waiting").write_text(str(os.getpid()))
    while not (folder / "go").exists():
        time.sleep(0.02)
    (folder / "went").write_text("")


@dg.job(executor_def=dg.in_process_executor)
def quick() -> None:
    tell_parent()


@dg.job(executor_def=dg.in_process_executor)
def patient() -> None:
    wait_for_file()


@dg.sensor(jobs=[quick, patient], minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def asked(context: dg.SensorEvaluationContext) -> list[dg.RunRequest]:
    """One run for each file `ask-<job>-<n>`."""
    files = sorted(Path(os.environ["TINY_FOLDER"]).glob("ask-*"))
    return [dg.RunRequest(run_key=file.name, job_name=file.name.split("-")[1]) for file in files]


@dg.sensor(job=quick, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def held(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Once there is a file `hold`, waits for `release` and asks for a run."""
    folder = Path(os.environ["TINY_FOLDER"])
    if not (folder / "hold").exists():
        return dg.SkipReason("nothing holds it")
    (folder / "evaluating").touch()
    while not (folder / "release").exists():
        time.sleep(0.02)
    return dg.RunRequest(run_key="held")


defs = dg.Definitions(jobs=[quick, patient], sensors=[asked, held])
