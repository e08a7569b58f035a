"""People in charge of a conversation: taken over, put aside, noted on, seen."""

from pathlib import Path

from leasebot_pipeline.storage.migrate import run_script

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
