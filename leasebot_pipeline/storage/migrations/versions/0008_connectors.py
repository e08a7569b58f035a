"""What connectors remember of an account: its session, its pages, how far its inbox was read."""

from pathlib import Path

from leasebot_pipeline.storage.migrate import run_script

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
