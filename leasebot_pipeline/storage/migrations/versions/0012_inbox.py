"""The inbox list's indexes: its order as one comparison, an agent's own, small ones by status, search."""

from pathlib import Path

from leasebot_pipeline.storage.migrate import run_script

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
