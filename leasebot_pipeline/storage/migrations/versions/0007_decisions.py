"""What replay needs, model usage and budget."""

from pathlib import Path

from leasebot_pipeline.storage.migrate import run_script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
