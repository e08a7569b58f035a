"""The earlier system's tables; an existing database of it passes through."""

from pathlib import Path

from leasebot_pipeline.storage.migrate import run_script_over_existing

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script_over_existing(Path(__file__).with_suffix(".sql"))
