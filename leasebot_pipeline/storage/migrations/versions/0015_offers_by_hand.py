"""Offers of people: of a reply they wrote, beside those of decisions."""

from pathlib import Path

from leasebot_pipeline.storage.migrate import run_script

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
