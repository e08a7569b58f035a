"""The recorded pages are the sandbox's: recording them again gives the same."""

from __future__ import annotations

from pathlib import Path

from leasebot_pipeline.platforms.options import RuntimeOptions
from tests.pages.record import RECORDED, record


def test_recording_again_changes_nothing(options: RuntimeOptions, tmp_path: Path) -> None:
    record(tmp_path, options)
    names = {path.relative_to(RECORDED) for path in RECORDED.rglob("*.html")}
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*.html")} == names
    changed = [n for n in names if (tmp_path / n).read_text() != (RECORDED / n).read_text()]
    assert not changed, "run `python -m tests.pages.record` and look at what it changed"
