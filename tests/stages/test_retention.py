"""What is kept for a time only: it goes in time, not before, and never without a trace."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from leasebot_pipeline.platforms.evidence import EvidenceLimits
from leasebot_pipeline.stages import retention
from leasebot_pipeline.stages.retention import RetentionPolicy
from leasebot_pipeline.storage import invariants, rollups
from leasebot_pipeline.storage.crash_points import CrashPointReached, arm
from tests.stages.conftest import Office

YEAR = timedelta(days=365)


@pytest.fixture
def policy(tmp_path: Path) -> RetentionPolicy:
    return RetentionPolicy(tmp_path / "archive", audit=YEAR, personal=YEAR)


def audit(office: Office, action: str, days_ago: int, actor: str = "system", **details: str) -> None:
    office.run(
        """INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, details, created_at)
           VALUES (:actor, 'message', 'm', :action, CAST(:details AS jsonb), :at)""",
        actor=actor,
        action=action,
        details=json.dumps(details),
        at=office.clock() - timedelta(days=days_ago),
    )


def actions(office: Office) -> list[object]:
    return [row[0] for row in office.rows('SELECT action FROM "AuditLogs" ORDER BY id')]


def count(office: Office) -> None:
    rollups.advance(office.pipeline.engine, office.clock())


def archive(office: Office, policy: RetentionPolicy) -> retention.Archived:
    return retention.archive_audit(office.pipeline.engine, policy, office.clock)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]


def test_old_audit_rows_are_in_a_file_before_they_are_gone(office: Office, policy: RetentionPolicy) -> None:
    office.run('DELETE FROM "AuditLogs"')
    audit(office, "ai_reply_created", 400, leadName="Ana Lead", intent="tour_request")
    audit(office, "ai_reply_created", 370)
    audit(office, "ai_reply_created", 360)
    count(office)
    done = archive(office, policy)
    assert done.rows == 2
    [name] = done.files
    file = policy.archive_dir / name
    kept = lines(file)
    assert [row["action"] for row in kept] == ["ai_reply_created"] * 2
    assert kept[0]["details"] == {"intent": "tour_request"}, (
        "who the lead is must not outlive its erasure in a file"
    )
    assert file.stat().st_mode & 0o077 == 0
    assert actions(office) == ["ai_reply_created", "audit_archived"]
    [(details,)] = office.rows("""SELECT details FROM "AuditLogs" WHERE action = 'audit_archived'""")
    assert isinstance(details, dict)
    assert details["sha256"] == hashlib.sha256(gzip.decompress(file.read_bytes())).hexdigest()
    assert archive(office, policy) == retention.Archived(0, ())


def test_what_people_did_and_what_is_not_counted_yet_stays(office: Office, policy: RetentionPolicy) -> None:
    office.run('DELETE FROM "AuditLogs"')
    audit(office, "inbox_message_approved", 400, actor="admin")
    audit(office, "platform_dispatch_left_to_person", 400)
    count(office)
    audit(office, "ai_reply_created", 400)
    assert archive(office, policy).rows == 0
    count(office)
    assert archive(office, policy).rows == 1
    assert actions(office)[:2] == ["inbox_message_approved", "platform_dispatch_left_to_person"]


@contextmanager
def killed_at(point: str) -> Iterator[None]:
    arm(f"{point}:raise")
    try:
        with pytest.raises(CrashPointReached):
            yield
    finally:
        arm(None)


@pytest.mark.parametrize("point", ["retention.before_archive", "retention.after_archive"])
def test_killed_around_an_archive_nothing_is_lost(
    office: Office, policy: RetentionPolicy, point: str
) -> None:
    office.run('DELETE FROM "AuditLogs"')
    audit(office, "ai_reply_created", 400)
    count(office)
    with killed_at(point):
        archive(office, policy)
    kept = point == "retention.before_archive"
    assert ("ai_reply_created" in actions(office)) == kept
    assert archive(office, policy).rows == (1 if kept else 0)
    [file] = policy.archive_dir.iterdir()
    assert [row["action"] for row in lines(file)] == ["ai_reply_created"]


@pytest.mark.parametrize("point", ["retention.before_erasure", "retention.after_erasure"])
def test_killed_around_an_erasure_it_is_done_as_a_whole(
    office: Office, policy: RetentionPolicy, point: str
) -> None:
    office.lead_writes("old", "I am Ana, call me at 212 555 0100")
    office.work()
    office.clock.advance(days=366)
    with killed_at(point):
        retention.erase_silent_leads(office.pipeline.engine, policy, office.clock)
    kept = point == "retention.before_erasure"

    def erased() -> bool:
        [(name,)] = office.rows('SELECT lead_name FROM "Conversations"')
        bodies = str(office.rows('SELECT body FROM "Messages"'))
        assert (name is None) == ("212" not in bodies), "one without the other"
        return name is None

    assert erased() == (not kept)
    done = retention.erase_silent_leads(office.pipeline.engine, policy, office.clock)
    assert done["conversations"] == (1 if kept else 0)
    assert erased()


def test_a_directory_that_can_not_be_written_keeps_the_rows(office: Office, tmp_path: Path) -> None:
    office.run('DELETE FROM "AuditLogs"')
    audit(office, "ai_reply_created", 400)
    count(office)
    (tmp_path / "archive").write_text("a file where the directory should be")
    with pytest.raises(OSError, match="exists"):
        archive(office, RetentionPolicy(tmp_path / "archive", audit=YEAR))
    assert actions(office) == ["ai_reply_created"]


def test_silent_leads_are_erased_and_others_are_not(office: Office, policy: RetentionPolicy) -> None:
    office.lead_writes("old", "I am Ana, call me at 212 555 0100")
    office.lead_writes("busy", "May I come in a year?")
    office.work()
    office.lead_writes("never-ingested", "Somebody's words")
    office.run("""UPDATE "ShowingAppointments" SET ends_at = ends_at""")
    office.clock.advance(days=366)
    office.lead_writes("busy", "I am still here")
    office.take_in()
    found = retention.waiting(office.pipeline.engine, policy, office.clock())
    done = retention.erase_silent_leads(office.pipeline.engine, policy, office.clock)
    assert done["conversations"] == found.personal == 2
    names = dict(office.rows('SELECT external_thread_id, lead_name FROM "Conversations"'))  # type: ignore[arg-type]
    assert names == {"old": None, "never-ingested": None, "busy": "Ana Lead"}
    texts = str(office.rows('SELECT m.body FROM "Messages" m')) + str(
        office.rows('SELECT body, payload::text FROM "InboundEvents"')
    )
    assert "212" not in texts
    assert "Somebody" not in texts
    assert "still here" in texts
    erased = office.rows("""SELECT details ->> 'reason' FROM "AuditLogs" WHERE action = 'lead_data_erased'""")
    assert erased == [("retention",), ("retention",)]
    assert retention.waiting(office.pipeline.engine, policy, office.clock()).personal == 0


def test_landed_messages_without_a_conversation_are_erased_too(
    office: Office, policy: RetentionPolicy
) -> None:
    office.lead_writes("stray", "Nobody ever took this in")
    office.run("UPDATE \"InboundEvents\" SET quarantined_at = landed_at, quarantine_reason = 'odd'")
    office.clock.advance(days=366)
    done = retention.erase_silent_leads(office.pipeline.engine, policy, office.clock)
    assert done == {"conversations": 0, "strays": 1}
    assert office.rows('SELECT body, quarantine_reason FROM "InboundEvents"') == [("[erased]", "odd")]


def test_the_promises_hold_after_a_night(office: Office, policy: RetentionPolicy) -> None:
    """Invariants that ask the audit log must not miss what was archived."""
    office.lead_writes("t1", "Could I see it on Friday?")
    office.work()
    office.run(
        """INSERT INTO "OutboundDispatches" (purpose, purpose_key, conversation_id, platform_account_id, platform,
                  external_thread_id, body, state, sent_at, sending_at, receipt)
           SELECT 'manual_reply', 'manual:1', id, platform_account_id, 'spareroom', external_thread_id, 'Hello', 'sent',
                  :now, :now, '{"providerStatus": "sent"}' FROM "Conversations" WHERE true""",
        now=office.clock(),
    )
    office.run(
        """INSERT INTO "AuditLogs" (actor_type, entity_type, entity_id, action, conversation_id, platform, created_at)
           SELECT 'admin', 'message', 'm', 'inbox_manual_reply_enqueued', id, 'spareroom', :now FROM "Conversations" WHERE true""",
        now=office.clock(),
    )
    office.run('UPDATE "AuditLogs" SET created_at = :now', now=office.clock())
    count(office)
    before = broken(office)
    office.clock.advance(days=366)
    assert archive(office, policy).rows > 0
    assert "reply_has_author" not in before
    assert broken(office) <= before | {"waiting_conversation_decided", "silent_lead_not_forgotten"}


def broken(office: Office) -> set[str]:
    with office.pipeline.engine.connect() as conn:
        return {one.name for one in invariants.check(conn, office.clock()) if one.violations}


def test_evidence_of_pages_ends_also_when_no_page_fails_any_more(office: Office, tmp_path: Path) -> None:
    stale, fresh = (tmp_path / f"2026-{n}-roomies-ingest-a-attempt1.html" for n in (1, 2))
    for file, days in ((stale, 8), (fresh, 1)):
        file.write_text("x")
        at = (office.clock() - timedelta(days=days)).timestamp()
        os.utime(file, (at, at))
    policy = RetentionPolicy(tmp_path / "archive", evidence_dir=tmp_path, evidence=EvidenceLimits())
    assert retention.prune_evidence(policy, office.clock()) == 1
    assert (stale.exists(), fresh.exists()) == (False, True)


def test_nothing_is_taken_away_where_it_is_kept_for_ever(office: Office, tmp_path: Path) -> None:
    audit(office, "ai_reply_created", 4_000)
    count(office)
    policy = RetentionPolicy(tmp_path / "archive", audit=None, personal=None)
    assert archive(office, policy).rows == 0
    with office.pipeline.engine.connect() as conn:
        assert conn.execute(
            text("SELECT count(*) FROM \"AuditLogs\" WHERE action = 'ai_reply_created'")
        ).scalar_one()
    assert not policy.archive_dir.exists()
