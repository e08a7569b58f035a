"""The ``leasebot`` command. Each module registers one group of commands; imports are kept inside commands,
so that ``leasebot --help`` answers at once.

Exit codes: 0 done; 1 a check failed; 2 wrong usage or configuration; 3 something needed is not available.
"""

from __future__ import annotations

import typer

from leasebot_pipeline.cli import (
    accounts,
    backup,
    browser,
    calendars,
    chaos,
    demo,
    drill,
    evaluate,
    follow_ups,
    gates,
    outbox,
    pipeline,
    preflight,
    release,
    replay,
    retention,
    services,
    session,
    stack,
)

app = typer.Typer(
    name="leasebot",
    help=(
        "Reads the inboxes of five rental platforms with a real browser, answers exactly once, and accounts for "
        "every step.\n\n"
        "Exit codes: 0 done, 1 a check failed, 2 wrong usage or configuration, 3 something needed is not available."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
stack.register(app)
services.register(app)
browser.register(app)
demo.register(app)
chaos.register(app)
pipeline.register(app)
follow_ups.register(app)
calendars.register(app)
accounts.register(app)
outbox.register(app)
session.register(app)
evaluate.register(app)
replay.register(app)
release.register(app)
preflight.register(app)
drill.register(app)
gates.register(app)
backup.register(app)
retention.register(app)
