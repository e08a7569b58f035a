"""Shared rate limits and remembered answers of the API."""

from pathlib import Path

from leasebot_pipeline.storage.migrate import run_script

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
