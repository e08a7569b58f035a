"""Parts that decisions share: forgotten when no decision that may still be replayed uses them."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, text

from leasebot_pipeline.storage import decision_records, housekeeping
from tests.storage import rows
from tests.storage.conftest import NOW

KEPT = timedelta(days=30)


def part(conn: Connection, digest: str, age: timedelta) -> None:
    decision_records.store_parts(conn, {digest: b"x"})
    conn.execute(
        text('UPDATE "DecisionParts" SET created_at = :at WHERE digest = :digest'),
        {"at": NOW - age, "digest": digest},
    )


def decided(conn: Connection, age: timedelta, *, free: str, book: str) -> None:
    conversation = rows.conversation(conn)
    message = rows.message(conn, conversation)
    rows.decision(conn, conversation, message, decided_at=NOW - age, record={"free": free, "book": book})


def left(conn: Connection) -> set[str]:
    return set(conn.execute(text('SELECT digest FROM "DecisionParts"')).scalars())


def test_parts_of_old_decisions_are_forgotten_and_of_newer_ones_kept(conn: Connection) -> None:
    for digest in ("old-free", "old-book", "shared-free", "shared-book", "unused"):
        part(conn, digest, timedelta(days=90))
    part(conn, "new", timedelta(days=1))
    decided(conn, timedelta(days=60), free="old-free", book="old-book")
    decided(conn, timedelta(days=60), free="shared-free", book="shared-book")
    decided(conn, timedelta(days=3), free="shared-free", book="shared-book")

    assert housekeeping.clean_up(conn, NOW, KEPT)["decision_parts"] == 3
    assert left(conn) == {"shared-free", "shared-book", "new"}


def test_without_a_limit_nothing_is_forgotten(conn: Connection) -> None:
    part(conn, "old", timedelta(days=9999))
    assert housekeeping.clean_up(conn, NOW, None)["decision_parts"] == 0
    assert left(conn) == {"old"}


def test_a_part_that_is_used_again_counts_as_new(conn: Connection) -> None:
    part(conn, "old", timedelta(days=9999))
    decision_records.store_parts(conn, {"old": b"x"})
    assert decision_records.purge_parts(conn, NOW - KEPT) == 0
    assert left(conn) == {"old"}
