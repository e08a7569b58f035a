"""The inbox list costs a page, not the inbox: what it reads of 8,000 conversations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from leasebot_pipeline.storage.inbox import InboxFilter, list_inbox
from tests.conftest import Database
from tests.plans import explained, rows_read, scans, statements_of

MANY = 8_000
PAGE = 20
DANA = UUID("11111111-1111-4111-8111-111111111111")
MESSAGES = 2  # of each conversation


@pytest.fixture(scope="module")
def inbox_database(database_server: object, template_database: str) -> Iterator[Database]:
    from tests.conftest import _fresh

    yield from _fresh(database_server, template_database)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def full(inbox_database: Database) -> Iterator[Connection]:
    """Each with an inbound and a sent message; forty with something held, fifty of them Dana's."""
    with inbox_database.engine.begin() as conn:
        account = conn.execute(
            text("""INSERT INTO "PlatformAccounts" (platform, account_name, account_external_id)
                    VALUES ('spareroom', 'Account', 'plans') RETURNING id""")
        ).scalar_one()
        values = {"account": account, "dana": DANA, "many": MANY}
        for statement in (
            """INSERT INTO "Agents" (id, platform_account_id, full_name) VALUES (:dana, :account, 'Dana')""",
            """INSERT INTO "Conversations" (platform_account_id, external_thread_id, lead_name, assigned_agent_id,
                                            last_message_at)
               SELECT :account, g::text, 'Lead no. ' || g, CASE WHEN g % 160 = 0 THEN CAST(:dana AS uuid) END, now() - g * interval '1 minute'
                 FROM generate_series(1, :many) g""",
            """INSERT INTO "Messages" (conversation_id, sender_type, direction, body, metadata)
               SELECT c.id, 'lead', j.direction, 'text', CASE j.direction WHEN 'inbound' THEN '{"aiProcessedAt": "x"}'
                        ELSE '{"reviewStatus": "sent"}' END::jsonb
                 FROM "Conversations" c, (VALUES ('inbound'), ('outbound')) j(direction)""",
            """INSERT INTO "Messages" (conversation_id, sender_type, direction, body, metadata)
               SELECT id, 'agent', 'outbound', 'text', '{"reviewStatus": "hold"}'
                 FROM "Conversations" WHERE external_thread_id::int % 200 = 0""",
        ):
            sql = text(statement)
            conn.execute(sql, {name: values[name] for name in sql.compile().params})
        for table in ("Conversations", "Messages"):
            conn.execute(text(f'ANALYZE "{table}"'))
        yield conn


def cost(conn: Connection, wanted: InboxFilter, after: Sequence[object] | None = None) -> dict[str, Any]:
    """Rows that all statements of a page read, by table, and how."""
    told: dict[str, Any] = {"Conversations": 0, "Messages": 0, "how": []}
    for statement, parameters in statements_of(conn, lambda: list_inbox(conn, wanted, PAGE, after)):
        plan = explained(conn, statement, parameters)
        for table in ("Conversations", "Messages"):
            told[table] += rows_read(plan, table)
            told["how"] += scans(plan, table)
    return told


@pytest.mark.parametrize(
    ("wanted", "deep", "conversations", "messages"),
    [
        (InboxFilter(), False, 2 * PAGE, 5 * PAGE * MESSAGES),
        (InboxFilter(), True, 2 * PAGE, 5 * PAGE * MESSAGES),
        (InboxFilter(status="hold"), False, 100, 100 + 5 * PAGE * MESSAGES),
        (InboxFilter(status="new"), False, PAGE, PAGE),
        (InboxFilter(agent_id=DANA), False, 50 + 2 * PAGE, 5 * PAGE * MESSAGES),
        (InboxFilter(assigned_to=DANA), False, 50 + 2 * PAGE, 5 * PAGE * MESSAGES),
        (InboxFilter(for_person=True), False, 100, 100 + 5 * PAGE * MESSAGES),
    ],
    ids=[
        "first page",
        "deep page",
        "hold",
        "nothing new",
        "an agent's own",
        "assigned to an agent",
        "for a person",
    ],
)
def test_a_page_reads_a_page(
    full: Connection, wanted: InboxFilter, deep: bool, conversations: int, messages: int
) -> None:
    after = None
    if deep:
        row = full.execute(
            text("""SELECT last_message_at, id FROM "Conversations" WHERE external_thread_id = '7000' """)
        ).one()
        after = (row.last_message_at.isoformat(), 2_147_483_647, row.id)
    found = list_inbox(full, wanted, PAGE, after)
    assert len(found) == (0 if wanted.status == "new" else PAGE)
    read = cost(full, wanted, after)
    assert read["Conversations"] <= conversations, read
    assert read["Messages"] <= messages, read


def test_a_page_among_equals_begins_at_its_row(full: Connection) -> None:
    """Thousands of conversations whose newest message came at the same moment: none is read to be passed over."""
    full.execute(
        text('UPDATE "Conversations" SET last_message_at = now() WHERE external_thread_id::int > 2000')
    )
    full.execute(text('ANALYZE "Conversations"'))
    ids = full.scalars(
        text('SELECT id FROM "Conversations" WHERE last_message_at = now() ORDER BY id DESC')
    ).all()
    now = full.execute(text("SELECT now()")).scalar_one()
    after = (now.isoformat(), 2_147_483_647, ids[4_999])
    assert [row.id for row in list_inbox(full, InboxFilter(), PAGE, after)] == ids[5_000 : 5_000 + PAGE]
    read = cost(full, InboxFilter(), after)
    assert read["Conversations"] <= 2 * PAGE, read


@pytest.mark.parametrize(("name", "found"), [("7777", 1), ("zzz", 0)])
def test_a_search_for_few_reads_few(full: Connection, name: str, found: int) -> None:
    full.execute(text("SELECT gin_clean_pending_list('idx_conversations_search')"))  # as vacuum does
    wanted = InboxFilter(search=name)
    assert len(list_inbox(full, wanted, PAGE)) == found
    read = cost(full, wanted)
    assert read["Conversations"] <= PAGE, read
