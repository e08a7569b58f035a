"""Variables of what is taken away after a time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from leasebot_pipeline.settings import rules
from leasebot_pipeline.settings.variable import DataDirField, Group, env

_LONGEST_DAYS = 3_650


def _days_or_never(shortest: int) -> rules.Rule:
    number = rules.whole(0, _LONGEST_DAYS)

    def parse(text: str) -> object:
        value = number.parse(text)
        if value != 0 and isinstance(value, int) and value < shortest:
            raise ValueError(f"must be 0 (never) or at least {shortest}")
        return value

    return rules.Rule(parse, f"whole number from {shortest} to {_LONGEST_DAYS}, or 0 for never")


class RetentionSettings(Group):
    """How long things are kept."""

    title: ClassVar[str] = "Retention"
    intro: ClassVar[str] = (
        "Once a night the asset `retention` takes away what is older; docs/runbooks/data-retention.md says what that is."
    )

    runs_days: Annotated[
        int,
        rules.whole(1, _LONGEST_DAYS),
        env("RETENTION_RUNS_DAYS", about="Days after which finished Dagster runs are deleted."),
    ] = 14
    audit_days: Annotated[
        int,
        _days_or_never(30),
        env(
            "RETENTION_AUDIT_DAYS",
            about="Days after which audit rows of machines are written to a file and deleted; what people did stays.",
        ),
    ] = 365
    configured_archive_dir: Annotated[
        Path | None,
        rules.PATH,
        env(
            "RETENTION_AUDIT_DIR",
            about="Directory of those files; it must outlive the process.",
            described="`archive` below LEASE_BOT_DATA_DIR",
        ),
    ] = None
    personal_days: Annotated[
        int,
        _days_or_never(30),
        env(
            "RETENTION_PERSONAL_DATA_DAYS",
            about="Days after a lead's last message from which names, contacts and texts are erased for good. 0: only "
            "on request.",
        ),
    ] = 0
    data_dir: DataDirField = Path("var")

    @property
    def archive_dir(self) -> Path:
        """RETENTION_AUDIT_DIR, or a directory below the data directory."""
        return self.configured_archive_dir or self.data_dir / "archive"
