"""Logs stay bounded while their writer goes on, and can be followed across that."""

from __future__ import annotations

from pathlib import Path

from leasebot_pipeline.processes import logs


def test_a_long_log_moves_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"old line\n" * 20)
        assert logs.cap(path, limit=100)
        writer.write(b"new line\n")
    assert path.read_bytes() == b"new line\n"
    assert (tmp_path / "api.log.1").read_bytes() == b"old line\n" * 20
    assert not logs.cap(path, limit=100)


def test_follower_shows_only_complete_new_lines(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    path.write_bytes(b"before\n")
    follower = logs.Follower(path)
    with path.open("ab", buffering=0) as writer:
        writer.write(b"one\ntw")
        assert follower.lines() == ["one"]
        writer.write(b"o\n")
        assert follower.lines() == ["two"]
        path.write_bytes(b"")
        follower.lines()
        writer.write(b"after the cut\n")
        assert follower.lines() == ["after the cut"]


def test_tail_of_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert logs.tail(tmp_path / "none.log") == []
