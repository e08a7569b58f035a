"""Outbox states, kill switch, caps, alerts."""

from pathlib import Path

from leasebot_pipeline.storage.migrate import run_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
