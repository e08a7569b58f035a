"""Weekly rules, day overrides, calendar feeds."""

from pathlib import Path

from leasebot_pipeline.storage.migrate import run_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script(Path(__file__).with_suffix(".sql"))
