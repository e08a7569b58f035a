"""Which browser is taken, and that only one that runs is believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from leasebot_pipeline.processes import browser_lookup
from leasebot_pipeline.processes.browser_debian import _private_apt
from leasebot_pipeline.processes.browser_install import ensure_browser
from leasebot_pipeline.processes.browser_lookup import BrowserError, candidates, find_browser, prove, remember

_RUNS = "#!/bin/sh\necho '<p id=\"proof\">leasebot</p>'\n"
_STUB = "#!/bin/sh\necho 'please install the snap' >&2\nexit 1\n"


def _program(path: Path, source: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def _no_playwright_builds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "none"))


def test_the_headless_shell_is_preferred_on_path(tmp_path: Path) -> None:
    _program(tmp_path / "bin/chromium", _RUNS)
    shell = _program(tmp_path / "bin/chromium-headless-shell", _RUNS)
    assert find_browser(tmp_path, search_path=str(tmp_path / "bin")) == shell


def test_what_was_proven_before_comes_first_unless_it_is_gone(tmp_path: Path) -> None:
    shell = _program(tmp_path / "bin/chromium-headless-shell", _RUNS)
    proven = _program(tmp_path / "opt/chrome", _RUNS)
    remember(tmp_path, proven)
    assert find_browser(tmp_path, search_path=str(tmp_path / "bin")) == proven
    proven.unlink()
    assert find_browser(tmp_path, search_path=str(tmp_path / "bin")) == shell


def test_a_configured_browser_is_the_only_candidate(tmp_path: Path) -> None:
    _program(tmp_path / "bin/chromium", _RUNS)
    mine = _program(tmp_path / "mine", _RUNS)
    assert [found.path for found in candidates(tmp_path, mine, str(tmp_path / "bin"))] == [mine]


def test_a_configured_path_that_is_no_program_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BrowserError, match="LEASE_BOT_RPA_BROWSER_PATH is not an executable file: /nowhere"):
        find_browser(tmp_path, Path("/nowhere"))


def test_no_browser_is_none(tmp_path: Path) -> None:
    assert find_browser(tmp_path, search_path=str(tmp_path / "bin")) is None


def test_playwrights_own_build_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "pw"))
    build = _program(tmp_path / "pw/chromium_headless_shell-1200/chrome-linux/headless_shell", _RUNS)
    assert find_browser(tmp_path, search_path=str(tmp_path / "bin")) == build


def test_a_stub_that_only_tells_how_to_install_one_is_passed_over(tmp_path: Path) -> None:
    _program(tmp_path / "bin/chromium", _STUB)
    chrome = _program(tmp_path / "bin/google-chrome", _RUNS)
    said: list[str] = []
    found = ensure_browser(tmp_path, say=said.append, search_path=str(tmp_path / "bin"))
    assert found.path == chrome
    assert not found.installed
    assert "please install the snap" in said[0]
    assert find_browser(tmp_path, search_path=str(tmp_path / "bin")) == chrome


def test_a_configured_browser_that_does_not_run_is_an_error_not_a_reason_to_take_another(
    tmp_path: Path,
) -> None:
    _program(tmp_path / "bin/chromium", _RUNS)
    stub = _program(tmp_path / "stub", _STUB)
    with pytest.raises(BrowserError, match=r"LEASE_BOT_RPA_BROWSER_PATH does not run.*exit code 1"):
        ensure_browser(tmp_path, stub, say=lambda _: None, search_path=str(tmp_path / "bin"))


def test_a_program_that_is_none_does_not_run(tmp_path: Path) -> None:
    fault = prove(_program(tmp_path / "junk", "\x00\x01"))
    assert fault is not None
    assert "could not be started" in fault


def test_the_browser_of_this_machine_runs(tmp_path: Path) -> None:
    monkeypatched = browser_lookup.find_browser(tmp_path)
    if monkeypatched is None:
        pytest.skip("no browser on this machine")
    assert prove(monkeypatched) is None


def test_private_apt_sees_what_is_installed_without_its_wishes(tmp_path: Path) -> None:
    """A half-installed package elsewhere on the system must not stop the installation."""
    status = tmp_path / "status"
    status.write_text(
        "Package: broken\nStatus: install ok installed\nDepends: missing,\n also-missing\nVersion: 1\n\n"
    )
    options = _private_apt(tmp_path / "work", status)
    assert (tmp_path / "work/status").read_text() == (
        "Package: broken\nStatus: install ok installed\nVersion: 1\n\n"
    )
    assert f"Dir::State::status={(tmp_path / 'work').resolve()}/status" in options
