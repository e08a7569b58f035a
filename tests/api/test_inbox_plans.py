"""The inbox list costs a page, not the inbox: what it reads of 8,000 conversations."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from leasebot_pipeline.storage import today
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
            """INSERT INTO "Conversations" (platform_account_id, external_thread_id, assigned_agent_id, last_message_at)
               SELECT :account, g::text, CASE WHEN g % 160 = 0 THEN CAST(:dana AS uuid) END, now() - g * interval '1 minute'
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


@pytest.mark.parametrize(
    ("wanted", "conversations", "messages"),
    [
        (InboxFilter(), 2 * PAGE, 5 * PAGE * MESSAGES),
        (InboxFilter(status="new"), PAGE, PAGE),
        (InboxFilter(agent_id=DANA), 50 + 2 * PAGE, 5 * PAGE * MESSAGES),
    ],
    ids=["first page", "nothing new", "an agent's own"],
)
def test_a_page_reads_a_page(
    full: Connection, wanted: InboxFilter, conversations: int, messages: int
) -> None:
    found = list_inbox(full, wanted, PAGE)
    assert len(found) == (0 if wanted.status == "new" else PAGE)
    [(statement, parameters)] = statements_of(full, lambda: list_inbox(full, wanted, PAGE))
    plan = explained(full, statement, parameters)
    read = {table: rows_read(plan, table) for table in ("Conversations", "Messages")}
    assert read["Conversations"] <= conversations, scans(plan, "Conversations")
    assert read["Messages"] <= messages, scans(plan, "Messages")


@pytest.mark.parametrize(("agent", "waiting"), [(None, 40), (DANA, 10)], ids=["all", "an agent's own"])
def test_today_reads_what_waits(full: Connection, agent: UUID | None, waiting: int) -> None:
    person, drafts = today.waiting(full, agent, PAGE)
    assert (person.total, len(person.rows), drafts.total) == (waiting, min(waiting, PAGE), 0)
    [(statement, parameters)] = statements_of(full, lambda: today.waiting(full, agent, PAGE))
    plan = explained(full, statement, parameters)
    read = {table: rows_read(plan, table) for table in ("Conversations", "Messages")}
    # Each of the forty is looked at a few times: to be found, dated and shown.
    assert read["Conversations"] <= 5 * 40 + 60, scans(plan, "Conversations")
    assert read["Messages"] <= 12 * 40, scans(plan, "Messages")
