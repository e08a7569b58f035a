"""What waits for a person costs what waits, not the inbox; so do the marks of a page and its count."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from leasebot_pipeline.storage.conversation_notes import marks
from leasebot_pipeline.storage.inbox import InboxFilter, list_inbox
from leasebot_pipeline.storage.inbox_count import count_inbox
from leasebot_pipeline.storage.waiting_for_people import by_kind, count_waiting, waiting_for_people
from tests.api.test_inbox_plans import DANA, PAGE, full, inbox_database
from tests.plans import explained, rows_read, scans, statements_of
from tests.storage.conftest import NOW

__all__ = ["full", "inbox_database"]

HELD = 40


def reads(conn: Connection, work: Callable[[], object]) -> tuple[dict[str, int], str]:
    """Rows read per table by the one statement of ``work``, and how."""
    [(statement, parameters)] = statements_of(conn, work)
    plan = explained(conn, statement, parameters)
    tables = ("Conversations", "Messages")
    return {table: rows_read(plan, table) for table in tables}, str([scans(plan, table) for table in tables])


@pytest.mark.parametrize(("agent", "waiting"), [(None, HELD), (DANA, 10)], ids=["all", "an agent's own"])
@pytest.mark.parametrize("asked", [False, True], ids=["held", "and asked for"])
def test_what_waits_is_found_by_what_is_to_review(
    full: Connection, agent: UUID | None, waiting: int, asked: bool
) -> None:
    """Found by the messages to review, and the conversations for which the bot asked for a person: those same forty."""
    with full.begin_nested() as undone:
        if asked:
            full.execute(
                text("""UPDATE "Conversations" SET workflow_state = 'outcome', workflow_outcome = 'human_required'
                         WHERE external_thread_id::int % 200 = 0""")
            )
            full.execute(text('ANALYZE "Conversations"'))
        found = waiting_for_people(full, NOW, PAGE, agent_id=agent)
        kinds = by_kind(full, NOW, PAGE, agent_id=agent)
        assert len(found.items) == len(kinds["person"].rows) == min(waiting, PAGE)
        assert found.total == kinds["person"].total == waiting
        for work in (
            lambda: waiting_for_people(full, NOW, PAGE, agent_id=agent),
            lambda: by_kind(full, NOW, PAGE, agent_id=agent),
            lambda: count_waiting(full, NOW, agent),
        ):
            read, how = reads(full, work)
            assert read["Conversations"] <= 3 * HELD, how
            assert read["Messages"] <= 8 * HELD + 5 * PAGE, how
        undone.rollback()


def test_those_answered_long_ago_cost_a_look_each(full: Connection) -> None:
    """They stay `human_required` until the lead writes again: their threads are not read."""
    with full.begin_nested() as undone:
        full.execute(
            text("""UPDATE "Conversations" SET workflow_state = 'outcome', workflow_outcome = 'human_required',
                           newest_inbound_seq = (SELECT max(seq) FROM "Messages" m WHERE m.conversation_id = "Conversations".id
                                                    AND direction = 'inbound') WHERE external_thread_id::int % 8 = 1""")
        )
        full.execute(text("""UPDATE "Conversations" SET workflow_outcome_at = NULL"""))
        full.execute(text('ANALYZE "Conversations"'))
        assert count_waiting(full, NOW) == HELD
        read, how = reads(full, lambda: count_waiting(full, NOW))
        assert read["Messages"] <= 1000 + 8 * HELD, how
        undone.rollback()


def test_marks_read_their_page(full: Connection) -> None:
    ids = [row.id for row in list_inbox(full, InboxFilter(), PAGE)]
    read, how = reads(full, lambda: marks(full, ids, "u1", NOW))
    assert read["Conversations"] <= PAGE, how


@pytest.mark.parametrize(
    ("wanted", "table", "most"),
    [(InboxFilter(), "Conversations", 1000), (InboxFilter(status="hold"), "Messages", HELD)],
)
def test_a_count_ends_at_its_bound(full: Connection, wanted: InboxFilter, table: str, most: int) -> None:
    assert count_inbox(full, wanted, 1000) == (HELD if wanted.status else 1000)
    read, how = reads(full, lambda: count_inbox(full, wanted, 1000))
    assert read[table] <= most, how
