"""Where chaos tests play: a house in the test's own process, or a scene with a server and workers of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from leasebot_pipeline.chaos import leads
from leasebot_pipeline.chaos.play import ALL, Play, PlayOptions
from leasebot_pipeline.chaos.scene import Scene
from leasebot_pipeline.chaos.verdict import Verdict, judge
from leasebot_pipeline.storage import invariants
from tests.chaos.house import House, opened
from tests.conftest import DatabaseServer, _fresh, scratch_folder

PlayMaker = Callable[..., Play]


@pytest.fixture(scope="module")
def house(
    database_server: DatabaseServer, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """A house for all tests of a module: each brings leads of its own and leaves nothing open."""
    with (
        contextmanager(_fresh)(database_server, template_database) as database,
        opened(database, tmp_path_factory.mktemp("house")) as found,
    ):
        yield found


@pytest.fixture(scope="module")
def make_play() -> Iterator[PlayMaker]:
    """A play on a scene that stands until the module's last test; keyword arguments are options."""
    with ExitStack() as stack:

        def make(**given: object) -> Play:
            folder = Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(
                        prefix="leasebot-chaos-", dir=scratch_folder(), ignore_cleanup_errors=True
                    )
                )
            )
            folder.chmod(0o755)
            options = PlayOptions(**{"seed": 11, **given})  # type: ignore[arg-type]
            return Play(stack.enter_context(Scene(folder, options.seed, options.workers)), options, print)

        yield make


def leads_write(play: Play, messages: int, spacing: float = 0.0) -> None:
    """Leads who write about that many messages appear."""
    first = len(play.scene.sandbox.leads())
    play.scene.sandbox.add_leads(leads.deal(play.chance, messages, first, ALL), spacing=spacing)


def assert_nothing_doubled_or_lost(play: Play) -> Verdict:
    """Both sides agree, nothing is open, every invariant holds."""
    found = judged(play)
    wrong = (found.doubled, found.lost, found.unknown_open, found.clicked_in_silence)
    assert wrong == (0, 0, 0, 0), found
    with play.scene.database.engine.connect() as conn:
        held = invariants.check(conn, play.scene.now())
    assert [f"{one.name}: {one.sample}" for one in held if not one.holds] == []
    return found


def judged(play: Play) -> Verdict:
    """What the leads really received against what we say we did."""
    with play.scene.database.engine.connect() as conn:
        return judge(conn, play.scene.journal(), play.strikes.silences)
