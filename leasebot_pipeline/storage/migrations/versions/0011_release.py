"""What is released, the gate's checks and the evidence of the release gates."""

from pathlib import Path

from leasebot_pipeline.storage.migrate import run_script

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
