"""``python -m leasebot_pipeline.sandbox``: the five sites until Ctrl-C."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from leasebot_pipeline.sandbox.journal import JournalError
from leasebot_pipeline.sandbox.scripts import ScriptError
from leasebot_pipeline.sandbox.server import DEFAULT_PORT, SandboxError, serve


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m leasebot_pipeline.sandbox",
        description="Five rental platforms, played on this machine.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (default 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="control API; the sites follow (default 4100)"
    )
    parser.add_argument("--state-dir", type=Path, required=True, help="journal and session secret live here")
    parser.add_argument(
        "--time-scale", type=_positive, default=1.0, help="multiplies leads' delays; 0.1 is ten times faster"
    )
    parser.add_argument("--seed", type=int, default=7, help="deals leads out to platforms and adverts")
    parser.add_argument("--inquiries", help='"demo", or a file of scripts or dialogues; none: nobody writes')
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s sandbox %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        serve(
            host=given.host,
            port=given.port,
            state_dir=given.state_dir,
            time_scale=given.time_scale,
            seed=given.seed,
            inquiries=given.inquiries,
        )
    except (SandboxError, ScriptError, JournalError, OSError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    return 0


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError("must be above 0 and at most 1000")
    return value


if __name__ == "__main__":
    sys.exit(main())
