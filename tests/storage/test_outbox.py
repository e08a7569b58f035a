"""A reply moves through the outbox; a worker that lost its claim changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from leasebot_pipeline.domain.dispatching import (
    MAX_LOST_CLAIMS,
    TRANSITIONS,
    AfterFailure,
    DispatchState,
    after_failure,
)
from leasebot_pipeline.domain.failures import PlatformFailure, SendPhase
from leasebot_pipeline.domain.kill_switches import KillScope, KillTarget
from leasebot_pipeline.domain.platforms import Platform, SendMode
from leasebot_pipeline.domain.readings import DeliveryReceipt, SendBaseline
from leasebot_pipeline.release import stages
from leasebot_pipeline.storage import accounts_runtime, kill_switches, outbox, outbox_sweeps, policies
from leasebot_pipeline.storage.outbox import ClaimedDispatch
from leasebot_pipeline.storage.outbox_operations import Actor
from leasebot_pipeline.storage.outbox_receipts import mark_sent
from tests.storage import rows
from tests.storage.conftest import ACCOUNT, NOW

TTL = timedelta(seconds=60)
LATER = NOW + timedelta(seconds=61)
BASELINE = SendBaseline(outbound_count=0, same_text_count=0, last_external_message_id=None)
RECEIPT = DeliveryReceipt("p-1", "in_app", "sent", NOW)
OPERATOR = Actor("admin", "tests")
ALL = KillTarget(KillScope.GLOBAL)


@pytest.fixture
def conversation(conn: Connection) -> UUID:
    return rows.conversation(conn, external_thread_id="t1", newest_inbound_seq=10, handled_through_seq=10)


@pytest.fixture
def reply(conn: Connection, conversation: UUID) -> UUID:
    """A queued reply of one conversation."""
    return rows.dispatch(
        conn, conversation, purpose_key="decision:1", external_thread_id="t1", created_at=NOW
    )


def claim(conn: Connection, owner: str = "one", now: datetime = NOW, **values: Any) -> ClaimedDispatch:
    claimed = outbox.claim_due(conn, ACCOUNT, owner, None, now, TTL, **values)
    assert claimed is not None
    return claimed


def sender(conn: Connection, owner: str = "one", now: datetime = NOW) -> outbox.Sender:
    """The worker with the account's lease in its hands, taken over from whoever had it."""
    conn.execute(text('UPDATE "AccountRuntime" SET lease_owner = NULL'))
    fence = accounts_runtime.acquire_lease(conn, ACCOUNT, owner, now, TTL)
    assert fence is not None
    return outbox.Sender(owner, fence, SendMode.AUTO_SEND)


def intend(
    conn: Connection, claimed: ClaimedDispatch, owner: str = "one", now: datetime = NOW, **changes: Any
) -> str | None:
    who = replace(sender(conn, owner, now), **changes)
    return outbox.commit_intent(conn, claimed, who, BASELINE, now, TTL)


def state(conn: Connection, reply: UUID) -> str:
    return str(
        conn.execute(
            text('SELECT state FROM "OutboundDispatches" WHERE id = :id'), {"id": reply}
        ).scalar_one()
    )


def put(conn: Connection, reply: UUID, **values: object) -> None:
    assignments = ", ".join(f"{name} = :{name}" for name in values)
    statement = text(f'UPDATE "OutboundDispatches" SET {assignments} WHERE id = :id')
    conn.execute(statement, {**values, "id": reply})


def test_a_reply_is_claimed_once(conn: Connection, reply: UUID) -> None:
    """Behaviours 90 and 139."""
    assert claim(conn).id == reply
    assert outbox.claim_due(conn, ACCOUNT, "two", None, NOW, TTL) is None


def test_a_claim_names_its_worker_and_when_it_ends(conn: Connection, reply: UUID) -> None:
    """Behaviour 91 (differs: one reply just before its turn, not a batch: the rest stays with whoever is free)."""
    claim(conn, "one")
    row = conn.execute(
        text('SELECT claimed_by, claimed_at, lease_expires_at FROM "OutboundDispatches"')
    ).one()
    assert tuple(row) == ("one", NOW, NOW + TTL)


def test_a_claim_that_ran_out_before_the_intent_is_due_again(conn: Connection, reply: UUID) -> None:
    """Behaviour 139, G-07: an expired claim is taken over, and the old worker's fence is stale."""
    stale = claim(conn)
    (taken,) = outbox.expire_claims(conn, Platform.SPAREROOM, LATER)
    assert (taken.id, taken.state) == (reply, DispatchState.QUEUED)
    fresh = claim(conn, "two", LATER)
    assert fresh.attempts == 1, "a death is no attempt"
    assert intend(conn, stale, "one", LATER) == "CLAIM_LOST"
    assert intend(conn, fresh, "two", LATER) is None
    assert state(conn, reply) == "sending"


def test_a_claim_that_ran_out_after_the_intent_is_unknown_and_never_simply_due(
    conn: Connection, reply: UUID
) -> None:
    """G-01, G-02."""
    claimed = claim(conn)
    intend(conn, claimed)
    (taken,) = outbox.expire_claims(conn, Platform.SPAREROOM, LATER)
    assert taken.state is DispatchState.UNKNOWN
    assert outbox.claim_due(conn, ACCOUNT, "two", None, LATER, TTL) is None
    in_doubt = outbox.claim_unknown(conn, ACCOUNT, "two", LATER, TTL)
    assert in_doubt is not None
    assert (in_doubt.id, in_doubt.baseline) == (reply, BASELINE)
    assert in_doubt.in_doubt_for is not None
    assert timedelta(0) <= in_doubt.in_doubt_for < TTL, "counted by the database from the moment it became so"
    assert not mark_sent(conn, claimed, RECEIPT, LATER), "the old worker's fence is stale"
    assert mark_sent(conn, in_doubt, RECEIPT, LATER)


def test_a_reply_over_which_worker_after_worker_dies_is_given_up(conn: Connection, reply: UUID) -> None:
    """G-05: a poisonous reply leaves the queue."""
    now = NOW
    for _ in range(MAX_LOST_CLAIMS):
        claim(conn, now=now)
        now += timedelta(minutes=10)
        outbox.expire_claims(conn, Platform.SPAREROOM, now)
        now += timedelta(minutes=10)
    assert state(conn, reply) == "dead_letter"


def test_a_sign_of_life_keeps_a_claim_but_never_beyond_its_deadline(conn: Connection, reply: UUID) -> None:
    claimed = claim(conn, attempt=timedelta(seconds=90))
    assert outbox.renew_claim(conn, claimed, NOW + timedelta(seconds=50), TTL)
    assert outbox.expire_claims(conn, Platform.SPAREROOM, NOW + timedelta(seconds=89)) == []
    assert outbox.renew_claim(conn, claimed, NOW + timedelta(seconds=89), TTL)
    assert len(outbox.expire_claims(conn, Platform.SPAREROOM, NOW + timedelta(seconds=90))) == 1
    assert not outbox.renew_claim(conn, claimed, NOW + timedelta(seconds=91), TTL)


def test_an_account_taken_over_meanwhile_is_not_clicked_on(conn: Connection, reply: UUID) -> None:
    """G-36: the account's lease counts, too, and its fence tells two owners of the same name apart."""
    claimed = claim(conn)
    old = sender(conn)
    sender(conn)
    assert outbox.commit_intent(conn, claimed, old, BASELINE, NOW, TTL) == "CLAIM_LOST"


def test_a_receipt_writes_the_outbound_message_once_also_when_a_poll_saw_it_first(
    conn: Connection, conversation: UUID, reply: UUID
) -> None:
    """Behaviour 94."""
    claimed = claim(conn)
    intend(conn, claimed)
    rows.message(conn, conversation, "outbound", external_message_id="p-1", body="Hello Ana")
    assert mark_sent(conn, claimed, RECEIPT, NOW)
    found = conn.execute(
        text("""SELECT metadata ->> 'reviewStatus', metadata ->> 'dispatchKey' FROM "Messages" """)
    ).all()
    assert [tuple(row) for row in found] == [("sent", "decision:1")]
    assert not mark_sent(conn, claimed, RECEIPT, NOW), "a receipt is stored once"


def test_a_drafted_row_is_kept_and_its_landed_twin_goes(
    conn: Connection, conversation: UUID, reply: UUID
) -> None:
    draft = rows.message(
        conn, conversation, "outbound", external_message_id="decision:1", metadata={"reviewStatus": "draft"}
    )
    put(conn, reply, message_id=draft)
    rows.message(conn, conversation, "outbound", external_message_id="p-1")
    claimed = claim(conn)
    intend(conn, claimed)
    assert mark_sent(conn, claimed, RECEIPT, NOW)
    found = conn.execute(
        text("""SELECT id, external_message_id, metadata ->> 'reviewStatus' FROM "Messages" """)
    ).all()
    assert [tuple(row) for row in found] == [(draft, "p-1", "sent")]


def test_a_transient_failure_is_due_again_later_and_a_stopped_account_costs_nothing(
    conn: Connection, reply: UUID
) -> None:
    claimed = claim(conn)
    failure = PlatformFailure("SESSION_EXPIRED", "log in again")
    outcome = after_failure(failure, attempts=claimed.attempts, max_attempts=5, now=NOW, fraction=0)
    assert outbox.mark_failed(conn, claimed, outcome, failure, NOW)
    assert outbox.claim_due(conn, ACCOUNT, "one", None, NOW, TTL) is None
    again = claim(conn, now=NOW + timedelta(minutes=2))
    assert again.attempts == 1


def test_after_the_click_a_failure_waits_for_the_thread_to_be_read(conn: Connection, reply: UUID) -> None:
    """G-06; behaviour 106: claim, intent and failure run against a real database, with every type of theirs."""
    claimed = claim(conn)
    intend(conn, claimed)
    failure = PlatformFailure("OUTBOUND_DELIVERY_UNCONFIRMED", "no echo", phase=SendPhase.AFTER_CLICK)
    outcome = after_failure(failure, attempts=1, max_attempts=5, now=NOW, fraction=0)
    assert outbox.mark_failed(conn, claimed, outcome, failure, NOW, recheck_at=NOW + timedelta(seconds=20))
    assert state(conn, reply) == "unknown"
    assert outbox.claim_due(conn, ACCOUNT, "one", None, LATER, TTL) is None
    assert outbox.claim_unknown(conn, ACCOUNT, "one", NOW, TTL) is None
    assert outbox.claim_unknown(conn, ACCOUNT, "one", LATER, TTL) is not None


def test_an_intent_that_was_called_off_leaves_no_trace_of_a_click(conn: Connection, reply: UUID) -> None:
    claimed = claim(conn)
    intend(conn, claimed)
    failure = PlatformFailure("SENDING_STOPPED", "a kill switch is engaged")
    outcome = after_failure(failure, attempts=1, max_attempts=5, now=NOW, fraction=0)
    assert outbox.mark_failed(conn, claimed, outcome, failure, NOW)
    row = conn.execute(text('SELECT state, attempts, sending_at, baseline FROM "OutboundDispatches"')).one()
    assert tuple(row) == ("queued", 0, None, None)


FORBIDDEN = {
    "inactive account": ("""UPDATE "PlatformAccounts" SET is_active = false""", "ACCOUNT_INACTIVE"),
    "draft_only account": (
        """UPDATE "PlatformAccounts" SET send_mode = 'draft_only'""",
        "REPLY_NOT_ALLOWED",
    ),
    "shadow": ("""UPDATE "ReleaseStages" SET stage = 'shadow'""", "REPLY_NOT_ALLOWED"),
    "no stage": ("""DELETE FROM "ReleaseStages" """, "REPLY_NOT_ALLOWED"),
    "outside the cohort": (
        """UPDATE "ReleaseStages" SET stage = 'canary', cohort = '{"percentage": 0}'""",
        "REPLY_NOT_ALLOWED",
    ),
}


@pytest.mark.parametrize("case", FORBIDDEN)
def test_nothing_is_clicked_where_nothing_may_be_sent(conn: Connection, reply: UUID, case: str) -> None:
    """The intent is refused, so the connector never gets to the click; and after the intent, the last look."""
    change, code = FORBIDDEN[case]
    claimed = claim(conn)
    who = sender(conn)
    with conn.begin_nested() as undone:
        conn.execute(text(change))
        assert outbox.commit_intent(conn, claimed, who, BASELINE, NOW, TTL) == code
        assert state(conn, reply) == "claimed"
        undone.rollback()
    assert outbox.commit_intent(conn, claimed, who, BASELINE, NOW, TTL) is None
    conn.execute(text(change))
    assert outbox.last_look(conn, claimed, who, NOW) == code


@pytest.mark.parametrize(
    ("case", "purpose", "forbidden"),
    [
        *((case, "manual_reply", case in ("inactive account", "shadow", "no stage")) for case in FORBIDDEN),
        *((case, "decision", case != "outside the cohort") for case in FORBIDDEN),
    ],
)
def test_the_database_refuses_an_intent_whoever_writes_it(
    conn: Connection, reply: UUID, case: str, purpose: str, forbidden: bool
) -> None:
    """The last line: a worker of whatever make cannot write an intent where nothing may be sent."""
    claim(conn)
    put(conn, reply, purpose=purpose)
    conn.execute(text(FORBIDDEN[case][0]))
    intent = text(
        """UPDATE "OutboundDispatches" SET state = 'sending', sending_at = now(), baseline = '{}'"""
    )
    if not forbidden:
        conn.execute(intent)
        return
    with pytest.raises(Exception, match="nothing may be sent"), conn.begin_nested():
        conn.execute(intent)


def test_the_global_default_counts_before_the_click_too(conn: Connection, reply: UUID) -> None:
    claimed = claim(conn)
    assert intend(conn, claimed, default_send_mode=SendMode.DRAFT_ONLY) == "REPLY_NOT_ALLOWED"


@pytest.mark.parametrize(
    "target",
    [
        ALL,
        KillTarget(KillScope.PLATFORM, Platform.SPAREROOM),
        KillTarget(KillScope.ACCOUNT, account_id=ACCOUNT),
    ],
    ids=lambda target: target.scope.value,
)
def test_a_kill_switch_stops_a_reply_wherever_it_stands(
    conn: Connection, reply: UUID, target: KillTarget
) -> None:
    """Before the intent, between intent and click, and at the claim; lifted, the reply goes on."""
    claimed = claim(conn)
    who = sender(conn)
    assert outbox.commit_intent(conn, claimed, who, BASELINE, NOW, TTL) is None
    assert kill_switches.engage(conn, target, reason="test", actor=OPERATOR, now=NOW)
    assert outbox.last_look(conn, claimed, who, NOW) == "SENDING_STOPPED"
    failure = PlatformFailure("SENDING_STOPPED", "x")
    outcome = after_failure(failure, attempts=1, max_attempts=5, now=NOW, fraction=0)
    outbox.mark_failed(conn, claimed, outcome, failure, NOW)
    assert outbox.claim_due(conn, ACCOUNT, "one", None, NOW, TTL) is None
    assert outbox_sweeps.accounts_with_due(conn, Platform.SPAREROOM, NOW) == set(), "no run is asked for"
    assert kill_switches.lift(conn, target, actor=OPERATOR, now=NOW)
    assert claim(conn).attempts == 1


def test_a_kill_switch_stops_nothing_else(conn: Connection, reply: UUID) -> None:
    kill_switches.engage(
        conn, KillTarget(KillScope.PLATFORM, Platform.ROOMIES), reason="x", actor=OPERATOR, now=NOW
    )
    assert intend(conn, claim(conn)) is None


def test_a_newer_message_of_the_lead_stops_the_reply_at_each_step(
    conn: Connection, conversation: UUID, reply: UUID
) -> None:
    """G-08: the newest state of the thread is answered, once."""
    newer = text('UPDATE "Conversations" SET newest_inbound_seq = 11')
    with conn.begin_nested() as undone:
        conn.execute(newer)
        assert outbox.claim_due(conn, ACCOUNT, "one", None, NOW, TTL) is None
        (cancelled,) = outbox_sweeps.collapse_superseded(conn, Platform.SPAREROOM, NOW)
        assert (cancelled.state, cancelled.error_code) == (DispatchState.CANCELLED, "superseded")
        undone.rollback()
    claimed = claim(conn)
    who = sender(conn)
    with conn.begin_nested() as undone:
        conn.execute(newer)
        assert outbox.commit_intent(conn, claimed, who, BASELINE, NOW, TTL) == "REPLY_SUPERSEDED"
        undone.rollback()
    assert outbox.commit_intent(conn, claimed, who, BASELINE, NOW, TTL) is None
    conn.execute(newer)
    assert outbox.last_look(conn, claimed, who, NOW) == "REPLY_SUPERSEDED"


def test_an_answer_written_on_the_platform_itself_stops_the_reply_as_well(
    conn: Connection, conversation: UUID, reply: UUID
) -> None:
    conn.execute(text('UPDATE "Conversations" SET handled_through_seq = 12'))
    assert len(outbox_sweeps.collapse_superseded(conn, Platform.SPAREROOM, NOW)) == 1


def test_a_persons_own_words_go_out_all_the_same(conn: Connection, conversation: UUID) -> None:
    rows.dispatch(conn, conversation, purpose="manual_reply", created_at=NOW)
    conn.execute(text('UPDATE "Conversations" SET newest_inbound_seq = 11'))
    assert outbox_sweeps.collapse_superseded(conn, Platform.SPAREROOM, NOW) == []
    assert intend(conn, claim(conn)) is None


def test_what_answers_nothing_is_not_overtaken(conn: Connection, conversation: UUID) -> None:
    """A reminder of a showing stands though the lead wrote since; follow-ups have a guard of their own."""
    rows.dispatch(conn, conversation, purpose="follow_up", created_at=NOW - timedelta(days=9))
    conn.execute(text('UPDATE "Conversations" SET newest_inbound_seq = 11'))
    assert outbox_sweeps.collapse_superseded(conn, Platform.SPAREROOM, NOW) == []
    assert outbox_sweeps.hold_too_old(conn, Platform.SPAREROOM, NOW - timedelta(days=2), NOW) == []


def test_a_reply_that_shows_after_all_is_not_clicked_again(conn: Connection, reply: UUID) -> None:
    """A page that showed an earlier attempt too late to prove it must not lead to a second click."""
    claimed = replace(claim(conn), baseline=BASELINE, sending_at=NOW)
    shown = replace(BASELINE, outbound_count=1, same_text_count=1)
    assert outbox.commit_intent(conn, claimed, sender(conn), shown, NOW, TTL) == "REPLY_ALREADY_SHOWN"


def test_while_a_reply_is_in_doubt_nothing_else_is_said_in_its_thread(
    conn: Connection, conversation: UUID, reply: UUID
) -> None:
    rows.dispatch(conn, conversation, state="unknown")
    assert outbox.claim_due(conn, ACCOUNT, "one", None, NOW, TTL) is None
    assert outbox_sweeps.accounts_with_due(conn, Platform.SPAREROOM, NOW) == set()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("""UPDATE "PlatformAccounts" SET send_mode = 'draft_only'""", "draft"),
        ("""UPDATE "PlatformAccounts" SET is_active = false""", "held"),
        ("""UPDATE "ReleaseStages" SET stage = 'shadow'""", "draft"),
        ("""UPDATE "ReleaseStages" SET stage = 'canary', cohort = '{"percentage": 0}'""", "draft"),
        ("""UPDATE "ReleaseStages" SET stage = 'canary', cohort = '{"percentage": 100}'""", "queued"),
        ("SELECT 1", "queued"),
    ],
)
def test_queued_replies_follow_a_policy_that_changed(
    conn: Connection, reply: UUID, change: str, expected: str
) -> None:
    conn.execute(text(change))
    current = policies.account_policies(conn, Platform.SPAREROOM, SendMode.AUTO_SEND)
    outbox_sweeps.demote_disallowed(conn, Platform.SPAREROOM, current, NOW)
    assert state(conn, reply) == expected
    shown = conn.execute(text("""SELECT metadata ->> 'reviewStatus' FROM "Messages" """)).scalars().all()
    assert shown == {"draft": ["draft"], "held": ["hold"], "queued": []}[expected], "people can see it"


def test_a_reply_that_waited_for_days_goes_to_a_person(conn: Connection, reply: UUID) -> None:
    """G-12: what was stopped for long is not sent as if nothing had happened."""
    bound = NOW + timedelta(hours=1)
    (held,) = outbox_sweeps.hold_too_old(conn, Platform.SPAREROOM, bound, NOW)
    assert (held.id, held.state) == (reply, DispatchState.HELD)


def test_the_days_share_counts_what_may_have_gone_out_and_people_are_exempt(
    conn: Connection, conversation: UUID, reply: UUID
) -> None:
    intend(conn, claim(conn))
    assert accounts_runtime.clicks_since(conn, ACCOUNT, NOW) == 1
    assert accounts_runtime.clicks_since(conn, ACCOUNT, LATER) == 0
    other = rows.conversation(conn)
    rows.dispatch(conn, other, created_at=NOW)
    assert outbox.claim_due(conn, ACCOUNT, "one", None, NOW, TTL, personal_only=True) is None
    own = rows.dispatch(conn, other, purpose="manual_reply", created_at=NOW)
    assert claim(conn, personal_only=True).id == own


def test_unknown_left_to_a_person_is_not_taken_again(conn: Connection, reply: UUID) -> None:
    claimed = claim(conn)
    intend(conn, claimed)
    for_person = AfterFailure(DispatchState.UNKNOWN, None, counts_as_attempt=True)
    outbox.mark_failed(conn, claimed, for_person, PlatformFailure("PAGE_NOT_FOUND", "gone"), NOW)
    assert outbox.claim_unknown(conn, ACCOUNT, "one", NOW + timedelta(days=1), TTL) is None


def test_sent_without_a_receipt_is_refused_by_the_database(conn: Connection, reply: UUID) -> None:
    intend(conn, claim(conn))
    with pytest.raises(Exception, match="outbound_dispatches_receipt_chk"), conn.begin_nested():
        put(conn, reply, state="sent")
    assert state(conn, reply) == "sending"


def test_the_database_allows_exactly_the_transitions_of_the_rules(
    conn: Connection, conversation: UUID
) -> None:
    """Every pair of states, each way: the trigger is the transition table."""
    fitting = """fence = fence + 1, claimed_by = 'x', lease_expires_at = now(), sending_at = now(),
                 baseline = '{}', receipt = '{"externalMessageId": "p"}'"""
    wrong = []
    for before in DispatchState:
        for after in DispatchState:
            with conn.begin_nested() as undone:
                one = rows.dispatch(conn, conversation, state=before.value, receipt={"x": 1})
                move = text(f'UPDATE "OutboundDispatches" SET state = :s, {fitting} WHERE id = :id')
                said = ""
                try:
                    with conn.begin_nested():
                        conn.execute(move, {"s": after.value, "id": one})
                except DBAPIError as error:
                    said = str(error.orig)
                undone.rollback()
            allowed = before is after or after in TRANSITIONS[before]
            refusal = f"invalid dispatch state transition from {before} to {after}"
            if (said == "") != allowed or (said and refusal not in said):
                wrong.append((before, after, said))
    assert wrong == []


@pytest.mark.parametrize(
    ("assignments", "says"),
    [
        ("fence = fence - 1", "never falls"),
        ("state = 'claimed'", "needs an owner"),
        ("state = 'claimed', claimed_by = 'x', lease_expires_at = now()", "needs an owner"),
    ],
)
def test_fences_grow_and_claims_have_owners(
    conn: Connection, reply: UUID, assignments: str, says: str
) -> None:
    with pytest.raises(Exception, match=says), conn.begin_nested():
        conn.execute(text(f'UPDATE "OutboundDispatches" SET {assignments}'))


def test_a_rollback_stops_a_reply_that_is_about_to_be_clicked(conn: Connection, reply: UUID) -> None:
    """The stage is read from the database at each step, so a release taken back reaches every process."""
    claimed = claim(conn)
    who = sender(conn)
    assert outbox.commit_intent(conn, claimed, who, BASELINE, NOW, TTL) is None
    stages.rollback(conn, OPERATOR, NOW, reason="spike")
    assert outbox.last_look(conn, claimed, who, NOW) == "REPLY_NOT_ALLOWED"
