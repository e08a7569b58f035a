"""The inbox list's filters against what it shows: two ways to the same conversations."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import Connection

from leasebot_pipeline.storage import inbox_list
from leasebot_pipeline.storage.inbox_list import InboxFilter, InboxRow, list_inbox
from tests.storage import rows
from tests.storage.conftest import ACCOUNT, NOW

STATUSES = ("new", "draft", "hold", "sent")
MANY = 120


@pytest.fixture
def inbox(conn: Connection) -> list[InboxRow]:
    """Conversations with up to five messages of every kind, many of them at the same moment."""
    random = Random(5)
    for number in range(MANY):
        conversation = rows.conversation(
            conn,
            platform_account_id=ACCOUNT,
            external_thread_id=str(number),
            last_message_at=NOW - timedelta(minutes=random.randrange(4)),
            external_inbox_sort_rank=random.choice((None, 1, 2)),
            **random.choice(({}, {"workflow_state": "outcome", "workflow_outcome": "human_required"})),
        )
        for _ in range(random.randrange(6)):
            metadata: dict[str, object] = {}
            if random.random() < 0.8:
                metadata["reviewStatus"] = random.choice((*STATUSES, "hold", "odd"))
            if random.random() < 0.3:
                metadata["aiProcessedAt"] = "x"
            if random.random() < 0.2:
                metadata["discarded"] = True
            rows.message(conn, conversation, random.choice(("inbound", "outbound")), metadata=metadata)
    every = list_inbox(conn, InboxFilter(), MANY)
    assert len(every) == MANY
    assert {row.message_status for row in every} == set(STATUSES)
    return every


def walked(conn: Connection, wanted: InboxFilter, page: int) -> list[UUID]:
    """All conversations, page by page."""
    found: list[UUID] = []
    after: tuple[object, ...] | None = None
    while True:
        rows_of_page = list_inbox(conn, wanted, page, after)
        found += [row.id for row in rows_of_page]
        if len(rows_of_page) < page:
            return found
        last = rows_of_page[-1]
        rank = inbox_list.UNRANKED if last.inbox_sort_rank is None else last.inbox_sort_rank
        after = (last.at.isoformat(), rank, last.id)


@pytest.mark.parametrize("few", [0, 20_000], ids=["looked for along the inbox", "sorted"])
def test_a_list_by_status_has_those_of_the_status(
    conn: Connection, inbox: list[InboxRow], few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_list, "FEW", few)
    for status in STATUSES:
        expected = [row.id for row in inbox if row.message_status == status]
        assert walked(conn, InboxFilter(status=status), 7) == expected, status
        asked = [
            row.id
            for row in inbox
            if row.message_status == status
            and (row.draft_count or row.hold_count or row.workflow_outcome == "human_required")
        ]
        assert walked(conn, InboxFilter(status=status, for_person=True), 7) == asked, status
    waits = [
        row.id
        for row in inbox
        if row.draft_count or row.hold_count or row.workflow_outcome == "human_required"
    ]
    assert walked(conn, InboxFilter(for_person=True), 7) == waits


def test_pages_are_the_list(conn: Connection, inbox: list[InboxRow]) -> None:
    """Equal moments and ranks included: nothing twice, nothing left out."""
    assert walked(conn, InboxFilter(), 7) == [row.id for row in inbox]
