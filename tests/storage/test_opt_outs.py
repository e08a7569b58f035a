"""An opt-out is kept, for every thread of the same lead on that platform; only a person lifts it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.platforms import REQUIRED_ACCOUNTS, Platform
from leasebot_pipeline.storage import opt_outs
from leasebot_pipeline.storage.tables.scheduling import follow_ups
from tests.storage import rows
from tests.storage.conftest import NOW

RENTHOP = next(account.id for account in REQUIRED_ACCOUNTS if account.platform is Platform.RENTHOP)


def opted_out(conn: Connection) -> set[str]:
    query = 'SELECT external_thread_id FROM "Conversations" WHERE opted_out_at IS NOT NULL'
    return set(conn.execute(text(query)).scalars())


def test_every_thread_of_the_lead_on_the_platform_is_closed(conn: Connection) -> None:
    here = rows.conversation(conn, external_thread_id="said", lead_external_id="lead-7")
    rows.conversation(conn, external_thread_id="theirs too", lead_external_id="lead-7")
    rows.conversation(conn, external_thread_id="somebody else's", lead_external_id="lead-8")
    rows.conversation(conn, external_thread_id="unknown lead")
    elsewhere = {"platform_account_id": RENTHOP, "lead_external_id": "lead-7"}
    rows.conversation(conn, external_thread_id="same id, other platform", **elsewhere)
    message = rows.message(conn, here)
    assert len(opt_outs.record(conn, {here: message}, NOW)) == 2
    assert opted_out(conn) == {"said", "theirs too"}
    assert opt_outs.record(conn, {here: message}, NOW + timedelta(days=1)) == []


def test_what_waits_for_the_lead_is_withdrawn_and_a_person_s_reply_is_not(conn: Connection) -> None:
    here = rows.conversation(conn)
    queued = rows.dispatch(conn, here)
    manual = rows.dispatch(conn, here, purpose="manual_reply")
    clicked = rows.dispatch(conn, here, state="sending", purpose="follow_up")
    rows.add(conn, follow_ups, conversation_id=here, stage="follow_up_1", due_at=NOW)
    opt_outs.record(conn, {here: None}, NOW)
    states = dict(conn.execute(text('SELECT id, state FROM "OutboundDispatches"')).tuples().all())
    assert states == {queued: "cancelled", manual: "queued", clicked: "sending"}
    assert rows.value(conn, 'SELECT reason FROM "FollowUps"') == "lead_opted_out"


def test_a_new_thread_of_the_lead_is_closed_from_the_start(conn: Connection) -> None:
    first = rows.conversation(conn, external_thread_id="said", lead_external_id="lead-7")
    opt_outs.record(conn, {first: None}, NOW)
    later = rows.conversation(conn, external_thread_id="new", lead_external_id="lead-7")
    other = rows.conversation(conn, external_thread_id="other", lead_external_id="lead-8")
    assert opt_outs.inherit(conn, [later, other]) == 1
    assert opted_out(conn) == {"said", "new"}


def test_a_person_lifts_it_with_an_audit_row(conn: Connection) -> None:
    here = rows.conversation(conn)
    assert not opt_outs.lift(conn, here, NOW, actor_type="admin", actor="u1")
    opt_outs.record(conn, {here: None}, NOW)
    assert opt_outs.lift(conn, here, NOW, actor_type="admin", actor="u1")
    assert opted_out(conn) == set()
    assert (
        rows.value(conn, """SELECT actor_id FROM "AuditLogs" WHERE action = 'lead_opt_out_lifted'""") == "u1"
    )
