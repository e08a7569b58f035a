"""Where the ``leasebot`` command begins as a process."""

from __future__ import annotations

import sys

from leasebot_pipeline.cli import app


def main() -> None:
    """Run the command. What stages log goes to standard error: standard output holds results only."""
    import structlog

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    app()


if __name__ == "__main__":
    main()
