"""What operators do to replies: possible or refused, audited, and never a second click."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, text

from leasebot_pipeline.domain.dispatching import OPERATOR_RULES, DispatchState, OperatorAction
from leasebot_pipeline.domain.kill_switches import KillScope, KillTarget
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage import kill_switches, outbox, outbox_operations
from leasebot_pipeline.storage.outbox_operations import Actor, OperatorResult
from tests.storage import rows
from tests.storage.conftest import ACCOUNT, NOW

OPERATOR = Actor("admin", "grace")


@pytest.fixture
def conversation(conn: Connection) -> UUID:
    return rows.conversation(conn, newest_inbound_seq=10, handled_through_seq=10)


def operate(conn: Connection, action: OperatorAction, *ids: UUID, **values: Any) -> list[OperatorResult]:
    return outbox_operations.operate(
        conn, action, ids, **{"actor": OPERATOR, "reason": "tested", "now": NOW, **values}
    )


@pytest.mark.parametrize("action", OperatorAction)
def test_each_action_fits_its_states_and_is_refused_for_the_others(
    conn: Connection, conversation: UUID, action: OperatorAction
) -> None:
    replies = {
        state: rows.dispatch(conn, conversation, state=state.value, receipt={"externalMessageId": "p"})
        for state in DispatchState
    }
    results = operate(conn, action, *replies.values(), uuid4())
    rule = OPERATOR_RULES[action]
    for state, result in zip(DispatchState, results, strict=False):
        fits = state in rule.sources
        assert (result.before, result.refused) == (state, None if fits else "invalid_transition")
        assert result.after is (rule.target if fits else state)
    assert results[-1].refused == "not_found"
    audited = conn.execute(
        text("""SELECT action, actor_id, details ->> 'previousState', platform FROM "AuditLogs" """)
    ).all()
    name = outbox_operations.AUDITED[action]
    assert {tuple(row) for row in audited} == {
        (name, "grace", state.value, "spareroom") for state in rule.sources
    }


def test_a_retried_reply_starts_anew(conn: Connection, conversation: UUID) -> None:
    """G-04: only an operator brings a dead letter back, with all its attempts."""
    reply = rows.dispatch(
        conn, conversation, state="dead_letter", attempts=5, absences=1, error_code="PAGE_TIMEOUT"
    )
    operate(conn, OperatorAction.RETRY, reply)
    claimed = outbox.claim_due(conn, ACCOUNT, "one", None, NOW, timedelta(seconds=10))
    assert claimed is not None
    assert (claimed.id, claimed.attempts, claimed.absences) == (reply, 1, 0)


def test_a_person_says_that_it_is_out(conn: Connection, conversation: UUID) -> None:
    reply = rows.dispatch(conn, conversation, state="unknown", body="Hello Ana")
    operate(conn, OperatorAction.MARK_SENT, reply, external_message_id="p-7")
    row = conn.execute(
        text(
            """SELECT d.state, d.receipt ->> 'markedBy', m.external_message_id, m.metadata ->> 'reviewStatus', m.body
                 FROM "OutboundDispatches" d JOIN "Messages" m ON m.id = d.message_id"""
        )
    ).one()
    assert tuple(row) == ("sent", "grace", "p-7", "sent", "Hello Ana")


def test_a_worker_that_still_holds_the_reply_changes_nothing_any_more(
    conn: Connection, conversation: UUID
) -> None:
    reply = rows.dispatch(conn, conversation, state="unknown", next_attempt_at=NOW, created_at=NOW)
    reading = outbox.claim_unknown(conn, ACCOUNT, "one", NOW, timedelta(seconds=10))
    assert reading is not None
    operate(conn, OperatorAction.DISCARD, reply)
    from leasebot_pipeline.domain.readings import DeliveryReceipt
    from leasebot_pipeline.storage.outbox_receipts import mark_sent

    assert not mark_sent(conn, reading, DeliveryReceipt("p", "in_app", "reconciled", NOW), NOW)


def test_held_replies_are_where_people_look(conn: Connection, conversation: UUID) -> None:
    reply = rows.dispatch(conn, conversation, created_at=NOW)
    operate(conn, OperatorAction.HOLD, reply)
    shown = conn.execute(text("""SELECT body, metadata ->> 'reviewStatus' FROM "Messages" """)).one()
    assert tuple(shown) == ("Hello Ana", "hold")
    operate(conn, OperatorAction.DISCARD, reply)
    assert conn.execute(text("""SELECT metadata ->> 'discarded' FROM "Messages" """)).scalar_one() == "true"


def test_the_list_narrows_and_counts(conn: Connection, conversation: UUID) -> None:
    dead = rows.dispatch(conn, conversation, state="dead_letter", error_code="PAGE_NOT_FOUND")
    rows.dispatch(conn, conversation, state="dead_letter", error_code="PAGE_TIMEOUT")
    rows.dispatch(conn, conversation, state="sent", receipt={"x": 1})
    found = outbox_operations.list_replies(
        conn, states=[DispatchState.DEAD_LETTER], platform=Platform.SPAREROOM, code="PAGE_NOT_FOUND"
    )
    assert [one.id for one in found] == [dead]
    assert outbox_operations.list_replies(conn, platform=Platform.ROOMIES) == []
    assert outbox_operations.open_counts(conn) == {DispatchState.DEAD_LETTER: 2}


def test_a_switch_is_engaged_once_and_audited_both_ways(conn: Connection, conversation: UUID) -> None:
    rows.dispatch(conn, conversation)
    target = KillTarget(KillScope.ACCOUNT, account_id=ACCOUNT)
    assert kill_switches.engage(conn, target, reason="odd replies", actor=OPERATOR, now=NOW)
    assert not kill_switches.engage(conn, target, reason="again", actor=OPERATOR, now=NOW)
    (switch,) = kill_switches.engaged(conn)
    assert (switch.platform, switch.reason, switch.actor_id) == (Platform.SPAREROOM, "odd replies", "grace")
    assert kill_switches.stopped_replies(conn) == 1
    assert kill_switches.lift(conn, target, actor=OPERATOR, now=NOW + timedelta(minutes=3))
    assert not kill_switches.lift(conn, target, actor=OPERATOR, now=NOW)
    audited = conn.execute(
        text("""SELECT action, details ->> 'target', platform FROM "AuditLogs" ORDER BY id""")
    ).all()
    assert [tuple(row) for row in audited] == [
        ("kill_switch_engaged", target.key, "spareroom"),
        ("kill_switch_lifted", target.key, "spareroom"),
    ]
    with pytest.raises(LookupError):
        kill_switches.engage(
            conn, KillTarget(KillScope.ACCOUNT, account_id=uuid4()), reason="x", actor=OPERATOR, now=NOW
        )
