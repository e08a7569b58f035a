"""Since when a reply is in doubt, by the database's own clock."""

from pathlib import Path

from leasebot_pipeline.storage.migrate import run_script

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
