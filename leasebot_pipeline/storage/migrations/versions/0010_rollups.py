"""Tallies that keep the observability snapshot and the metrics quick, and the indexes they need."""

from pathlib import Path

from leasebot_pipeline.storage.migrate import run_script

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
