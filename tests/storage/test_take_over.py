"""A database of the earlier system is taken over: nothing lost, and only what is recent waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage import bootstrap, invariants, migrate
from tests.conftest import Database

EARLIER = (Path(__file__).parent / "earlier_system.sql").read_text(encoding="utf-8")
_COLUMNS = text("""
    SELECT table_name, array_agg(quote_ident(column_name) ORDER BY column_name) AS names FROM information_schema.columns
     WHERE table_schema = 'public' GROUP BY table_name
""")


@pytest.fixture
def earlier(empty_database: Database) -> Database:
    """The earlier system's database, with rows in every table."""
    with psycopg.connect(empty_database.url) as conn:
        conn.execute(EARLIER)
    return empty_database


def columns(conn: Connection) -> dict[str, list[str]]:
    return {row.table_name: row.names for row in conn.execute(_COLUMNS)}


def rows(conn: Connection, of: dict[str, list[str]]) -> dict[str, list[Any]]:
    return {
        table: sorted(map(repr, conn.execute(text(f'SELECT {", ".join(names)} FROM "{table}"'))))
        for table, names in of.items()
    }


def test_every_row_of_every_table_is_kept(earlier: Database) -> None:
    with earlier.engine.connect() as conn:
        earlier_columns = columns(conn)
        before = rows(conn, earlier_columns)
    assert len(before) == 19
    assert all(before.values()), "the earlier database has a row in every table"
    migrate.upgrade(earlier.url)
    with earlier.engine.connect() as conn:
        assert rows(conn, earlier_columns) == before


def test_the_earlier_systems_bookkeeping_is_kept(earlier: Database) -> None:
    migrate.upgrade(earlier.url)
    with earlier.engine.connect() as conn:
        assert conn.execute(text("SELECT count(*) FROM schema_migrations")).scalar_one() == 10
        assert migrate.current(conn) == migrate.head()


def test_only_recent_unprocessed_inquiries_wait(earlier: Database) -> None:
    migrate.upgrade(earlier.url)
    waiting = 'SELECT external_thread_id FROM "Conversations" WHERE newest_inbound_seq > handled_through_seq'
    with earlier.engine.connect() as conn:
        assert list(conn.scalars(text(waiting))) == ["waits"]


def test_messages_keep_their_order_and_new_ones_come_after(earlier: Database) -> None:
    migrate.upgrade(earlier.url)
    with earlier.engine.begin() as conn:
        conversation = "61111111-1111-1111-1111-111111111101"
        conn.execute(
            text("""INSERT INTO "Messages" (conversation_id, sender_type, direction, body)
                    VALUES (:c, 'lead', 'inbound', 'Now')"""),
            {"c": conversation},
        )
        ordered = conn.scalars(
            text('SELECT body FROM "Messages" WHERE conversation_id = :c ORDER BY seq'), {"c": conversation}
        )
        assert list(ordered) == ["Hello", "Anyone?", "Now"]


def test_audit_rows_get_the_dimensions_that_can_be_told(earlier: Database) -> None:
    migrate.upgrade(earlier.url)
    query = 'SELECT action, platform, right(conversation_id::text, 2) FROM "AuditLogs" ORDER BY id'
    with earlier.engine.connect() as conn:
        assert [tuple(row) for row in conn.execute(text(query))] == [
            ("ai_reply_decision", "spareroom", "02"),
            ("workflow_state_transitioned", "roomies", "04"),
            ("platform_policy_updated", "roomies", None),
            ("showing_booking_created", "spareroom", None),
            ("seed_applied", None, None),
        ]


def test_its_triggers_are_replaced_and_its_rows_satisfy_the_invariants(earlier: Database) -> None:
    migrate.upgrade(earlier.url)
    with earlier.engine.begin() as conn:
        assert [result for result in invariants.check(conn) if not result.holds] == []
        with pytest.raises(Exception, match="invalid showing_state transition from no_show to NULL"):
            conn.execute(
                text(
                    """UPDATE "Conversations" SET showing_state = NULL WHERE external_thread_id = 'processed'"""
                )
            )


def test_a_row_that_broke_a_rule_before_stays_until_it_is_written(earlier: Database) -> None:
    """A state without its follow-up stage (G-17) is kept, and can be moved on; it can't be made again."""
    migrate.upgrade(earlier.url)
    move = """UPDATE "Conversations" SET workflow_state = :state WHERE external_thread_id = :thread"""
    with earlier.engine.begin() as conn:
        conn.execute(text(move), {"state": "outcome", "thread": "hole"})
    with earlier.engine.begin() as conn, pytest.raises(Exception, match="stage_consistency_chk"):
        conn.execute(text(move), {"state": "follow_up_1", "thread": "empty"})


def test_an_admins_switch_off_survives_the_start_after_it(earlier: Database) -> None:
    """G-46: accounts that exist keep activity, name and credentials."""
    migrate.upgrade(earlier.url)
    choice = bootstrap.AccountChoice({"sessionRef": "env:Y"}, True, "session")
    with earlier.engine.begin() as conn:
        result = bootstrap.ensure_required_accounts(conn, dict.fromkeys(Platform, choice))
        kept = conn.execute(
            text(
                """SELECT is_active, account_name, credentials FROM "PlatformAccounts"
                    WHERE account_external_id = 'sr_001'"""
            )
        ).one()
    assert tuple(kept) == (False, "Our SpareRoom", {"sessionRef": "env:X"})
    assert len(result.created) == 4


@pytest.mark.parametrize(
    ("undo", "missing"),
    [
        (
            'ALTER TABLE "Conversations" DROP COLUMN external_inbox_sort_rank',
            '"Conversations".external_inbox_sort_rank int4',
        ),
        ('DROP TABLE "UserInvitations" CASCADE', None),
        (
            """ALTER TABLE "ShowingAppointments" DROP CONSTRAINT showing_appointments_no_double_booked_agent,
               ADD CONSTRAINT showing_appointments_no_double_booked_agent EXCLUDE USING gist
                 (agent_id WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&)""",
            "showing_appointments_no_double_booked_agent EXCLUDE",
        ),
    ],
    ids=["column", "table", "constraint"],
)
def test_a_half_finished_table_is_refused_a_missing_one_created(
    earlier: Database, undo: str, missing: str | None
) -> None:
    with earlier.engine.begin() as conn:
        conn.execute(text(undo))
    if missing is None:
        assert migrate.upgrade(earlier.url) == migrate.head()
        return
    with pytest.raises(migrate.MigrationError) as refused:
        migrate.upgrade(earlier.url)
    assert missing in str(refused.value)
    with earlier.engine.connect() as conn:
        assert migrate.current(conn) is None
