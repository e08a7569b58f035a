"""The outbox: the statements that move a reply through an attempt, from claim to click and what follows.

Each move names the state it leaves and, once claimed, the fence it was claimed with: a worker whose
lease was taken over changes nothing. Claims are taken one by one, just before the browser types.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.cohort import in_canary
from leasebot_pipeline.domain.dispatching import (
    MAX_LOST_CLAIMS,
    AfterFailure,
    ClickFacts,
    DispatchState,
    refusal_to_click,
)
from leasebot_pipeline.domain.failures import PlatformFailure, SendPhase
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode
from leasebot_pipeline.domain.policy import PlatformPolicy
from leasebot_pipeline.domain.readings import SendBaseline
from leasebot_pipeline.storage import follow_up_guard
from leasebot_pipeline.storage.outbox_sql import MOVED, Moved, in_doubt, killed, moved, overtaken


@dataclass(frozen=True, slots=True)
class ClaimedDispatch:
    """A reply in a worker's hands. ``sending_at`` and ``baseline`` are those of an earlier attempt.

    ``in_doubt_for``: how long it has been ``unknown``, by the database's clock; None when it is not.
    """

    id: UUID
    fence: int
    attempts: int
    max_attempts: int
    lost_claims: int
    absences: int
    purpose: str
    purpose_key: str
    decision_id: UUID | None
    inbound_message_id: UUID | None
    conversation_id: UUID
    platform_account_id: UUID
    external_thread_id: str
    assigned_agent_id: UUID | None
    body: str
    sending_at: datetime | None
    baseline: SendBaseline | None
    in_doubt_for: timedelta | None


@dataclass(frozen=True, slots=True)
class Sender:
    """Who may click: the worker, the fence of the account's lease it holds, and the global send mode."""

    owner: str
    account_fence: int
    default_send_mode: SendMode


# A claim that ran out before the intent was committed has touched nothing: due again, soon at first, and
# given up when worker after worker dies over it. One that ran out after it may have clicked: unknown.
_EXPIRE = text(f"""
    UPDATE "OutboundDispatches" d
       SET state = CASE WHEN d.state = 'sending' THEN 'unknown'
                        WHEN d.lost_claims + 1 >= :most THEN 'dead_letter' ELSE 'queued' END,
           attempts = d.attempts - CASE d.state WHEN 'claimed' THEN 1 ELSE 0 END,
           lost_claims = d.lost_claims + 1,
           next_attempt_at = CASE WHEN d.state = 'claimed' AND d.lost_claims + 1 >= :most THEN NULL
                                  WHEN d.state = 'sending' THEN CAST(:now AS timestamptz)
                                  ELSE CAST(:now AS timestamptz)
                                       + interval '5 seconds' * (power(2, LEAST(d.lost_claims, 6)) - 1) END,
           claimed_by = NULL, claimed_at = NULL, lease_expires_at = NULL, attempt_deadline_at = NULL,
           error_code = CASE d.state WHEN 'claimed' THEN 'CLAIM_LOST' ELSE 'OUTBOUND_DELIVERY_UNCONFIRMED' END,
           error_class = CASE d.state WHEN 'claimed' THEN 'transient' ELSE 'needs_person' END,
           last_error = CASE d.state WHEN 'claimed' THEN 'the sender ended or was stuck before the click'
                                     ELSE 'the sender ended or was stuck between intent and receipt' END,
           updated_at = :now
     WHERE d.platform = :platform AND d.state IN ('claimed', 'sending') AND d.lease_expires_at <= :now
    RETURNING {MOVED}
""")


def expire_claims(conn: Connection, platform: Platform, now: datetime) -> list[Moved]:
    """Take back claims whose lease ran out: queued again, unknown, or (after many deaths) a dead letter."""
    parameters = {"platform": platform.value, "now": now, "most": MAX_LOST_CLAIMS}
    return [moved(row) for row in conn.execute(_EXPIRE, parameters)]


_COLUMNS = """
    d.id, d.fence, d.attempts, d.max_attempts, d.lost_claims, d.absences, d.purpose, d.purpose_key, d.decision_id,
    d.conversation_id, d.platform_account_id, d.external_thread_id, d.body, d.sending_at, d.baseline,
    clock_timestamp() - d.in_doubt_since AS in_doubt_for,
    (SELECT inbound_message_id FROM "Decisions" x WHERE x.id = d.decision_id) AS inbound_message_id,
    (SELECT assigned_agent_id FROM "Conversations" c WHERE c.id = d.conversation_id) AS assigned_agent_id
"""

# One reply of a conversation at a time: while one is in doubt, nothing else is said there.
_CLAIM = text(f"""
    UPDATE "OutboundDispatches" d
       SET state = 'claimed', attempts = d.attempts + 1, fence = d.fence + 1, claimed_by = :owner, claimed_at = :now,
           lease_expires_at = :expires, attempt_deadline_at = :deadline, run_id = :run_id, updated_at = :now
     WHERE d.id = (SELECT q.id FROM "OutboundDispatches" q
                     JOIN "Conversations" c ON c.id = q.conversation_id
                    WHERE q.platform_account_id = :account AND q.state IN ('queued', 'retry_scheduled')
                      AND COALESCE(q.next_attempt_at, :now) <= :now
                      AND (NOT :personal_only OR q.purpose = 'manual_reply')
                      AND NOT {killed("q")}
                      AND NOT COALESCE({overtaken("q", "c")}, false)
                      AND NOT {in_doubt("q")}
                    ORDER BY q.created_at, q.id LIMIT 1 FOR UPDATE OF q SKIP LOCKED)
    RETURNING {_COLUMNS}
""")

_CLAIM_UNKNOWN = text(f"""
    UPDATE "OutboundDispatches" d
       SET fence = d.fence + 1, claimed_by = :owner, claimed_at = :now, next_attempt_at = :expires, updated_at = :now
     WHERE d.id = (SELECT id FROM "OutboundDispatches"
                    WHERE platform_account_id = :account AND state = 'unknown' AND next_attempt_at <= :now
                    ORDER BY updated_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING {_COLUMNS}
""")


def claim_due(
    conn: Connection,
    account: UUID,
    owner: str,
    run_id: str | None,
    now: datetime,
    ttl: timedelta,
    *,
    attempt: timedelta | None = None,
    personal_only: bool = False,
) -> ClaimedDispatch | None:
    """Take the account's oldest due reply, or None.

    ``ttl`` is how long the claim lives without a sign of life, ``attempt`` how long it may take at most
    with them. ``personal_only`` leaves all but people's own words: the account's share of the day is sent.
    """
    parameters = {
        "account": account,
        "owner": owner,
        "run_id": run_id,
        "now": now,
        "expires": now + ttl,
        "deadline": now + (attempt or ttl),
        "personal_only": personal_only,
    }
    return _claimed(conn, _CLAIM, parameters)


def claim_unknown(
    conn: Connection, account: UUID, owner: str, now: datetime, ttl: timedelta
) -> ClaimedDispatch | None:
    """Take the account's next unproven reply for reconciliation, or None. It comes again after ``ttl``."""
    return _claimed(
        conn, _CLAIM_UNKNOWN, {"account": account, "owner": owner, "now": now, "expires": now + ttl}
    )


def _claimed(conn: Connection, statement: Any, parameters: dict[str, object]) -> ClaimedDispatch | None:
    row = conn.execute(statement, parameters).mappings().one_or_none()
    if row is None:
        return None
    values = dict(row)
    values["baseline"] = SendBaseline(**values["baseline"]) if values["baseline"] else None
    return ClaimedDispatch(**values)


_RENEW = text("""
    UPDATE "OutboundDispatches" SET lease_expires_at = LEAST(:expires, attempt_deadline_at)
     WHERE id = :id AND fence = :fence AND state IN ('claimed', 'sending')
""")


def renew_claim(conn: Connection, claim: ClaimedDispatch, now: datetime, ttl: timedelta) -> bool:
    """A sign of life: extend the claim, never beyond the attempt's deadline. False when it is not ours."""
    return conn.execute(_RENEW, {"id": claim.id, "fence": claim.fence, "expires": now + ttl}).rowcount == 1


# The conversation first, as decisions lock it: nobody can add a message or decide between this look and
# the committed intent, and the two never wait for each other crosswise.
_LOCK_CONVERSATION = text('SELECT 1 FROM "Conversations" WHERE id = :conversation FOR SHARE')
_FACTS = f"""
    SELECT d.state, d.purpose,
           d.fence = :fence AND d.claimed_by = :owner AND d.lease_expires_at > :now
             AND r.lease_owner = :owner AND r.lease_fence = :account_fence AND r.lease_expires_at > :now AS ours,
           {killed("d")} AS killed, NOT ({follow_up_guard.STANDS}) AS groundless, COALESCE({overtaken("d", "c")}, false) AS superseded,
           c.taken_over_at IS NOT NULL AND d.purpose = 'decision' AS taken_over,
           a.id AS account_id, a.is_active, a.send_mode, COALESCE(s.stage, 'shadow') AS stage,
           COALESCE(s.cohort, '{{}}'::jsonb) AS cohort
      FROM "OutboundDispatches" d
      JOIN "PlatformAccounts" a ON a.id = d.platform_account_id
      JOIN "Conversations" c ON c.id = d.conversation_id
      LEFT JOIN "AccountRuntime" r ON r.platform_account_id = d.platform_account_id
      LEFT JOIN "ReleaseStages" s ON s.ended_at IS NULL
     WHERE d.id = :id
"""
_LOCKED_FACTS = text(f"{_FACTS} FOR UPDATE OF d")
_PLAIN_FACTS = text(_FACTS)

_INTENT = text("""
    UPDATE "OutboundDispatches"
       SET state = 'sending', sending_at = :now, baseline = CAST(:baseline AS jsonb),
           lease_expires_at = LEAST(:expires, attempt_deadline_at), updated_at = :now
     WHERE id = :id AND state = 'claimed' AND fence = :fence
""")


def commit_intent(
    conn: Connection,
    claim: ClaimedDispatch,
    sender: Sender,
    baseline: SendBaseline,
    now: datetime,
    ttl: timedelta,
) -> str | None:
    """Claimed -> sending, just before the click; a code why not, and then nothing is written.

    CLAIM_LOST: claim or account lease are no longer ours. SENDING_STOPPED: a kill switch is engaged.
    ACCOUNT_INACTIVE: the account was switched off. REPLY_NOT_ALLOWED: send mode or release stage forbid it.
    REPLY_SUPERSEDED: the thread moved on. REPLY_TAKEN_OVER: a person answers instead. REPLY_GROUNDLESS: what a follow-up or reminder was planned on no longer
    holds.
    REPLY_ALREADY_SHOWN: an earlier attempt's reply stands in the thread after all.
    """
    conn.execute(_LOCK_CONVERSATION, {"conversation": claim.conversation_id})
    shown = baseline.last_external_message_id
    refusal = _refusal(conn, _LOCKED_FACTS, claim, sender, now, DispatchState.CLAIMED, last_shown=shown)
    if refusal is None and claim.baseline and baseline.same_text_count > claim.baseline.same_text_count:
        refusal = "REPLY_ALREADY_SHOWN"
    if refusal is not None:
        return refusal
    conn.execute(
        _INTENT,
        {
            "id": claim.id,
            "fence": claim.fence,
            "baseline": json.dumps(asdict(baseline)),
            "now": now,
            "expires": now + ttl,
        },
    )
    return None


def last_look(conn: Connection, claim: ClaimedDispatch, sender: Sender, now: datetime) -> str | None:
    """The very last look before the click, the intent being committed; a code why not to click."""
    return _refusal(conn, _PLAIN_FACTS, claim, sender, now, DispatchState.SENDING)


def _refusal(
    conn: Connection,
    statement: Any,
    claim: ClaimedDispatch,
    sender: Sender,
    now: datetime,
    state: DispatchState,
    *,
    last_shown: str | None = None,
) -> str | None:
    row = conn.execute(
        statement,
        {
            "id": claim.id,
            "fence": claim.fence,
            "owner": sender.owner,
            "account_fence": sender.account_fence,
            "last_shown": last_shown,
            "now": now,
        },
    ).one_or_none()
    if row is None:
        return "CLAIM_LOST"
    policy = PlatformPolicy(
        is_active=row.is_active,
        send_mode_override=SendMode(row.send_mode) if row.send_mode else None,
        global_default=sender.default_send_mode,
        release_stage=ReleaseStage(row.stage),
        in_cohort=in_canary(row.account_id, row.cohort),
    )
    return refusal_to_click(
        ClickFacts(
            ours=bool(row.ours) and row.state == state.value,
            killed=row.killed,
            active=row.is_active,
            allowed=policy.may_send(row.purpose),
            superseded=row.superseded,
            groundless=row.groundless,
            taken_over=row.taken_over,
        )
    )


# Nothing was clicked this time: the intent, if it was committed, is taken back, and what is known of an
# earlier attempt stays.
_FAILED = text("""
    UPDATE "OutboundDispatches"
       SET state = :state, next_attempt_at = :next_attempt_at,
           claimed_by = NULL, lease_expires_at = NULL, attempt_deadline_at = NULL,
           sending_at = CASE WHEN :clicked THEN sending_at ELSE CAST(:sending_at AS timestamptz) END,
           baseline = CASE WHEN :clicked THEN baseline ELSE CAST(:baseline AS jsonb) END,
           attempts = attempts - CASE WHEN :counts THEN 0 ELSE 1 END, absences = absences + :absences,
           error_class = :error_class, error_code = :error_code, last_error = :last_error, updated_at = :now
     WHERE id = :id AND fence = :fence AND state IN ('claimed', 'sending', 'unknown')
""")


def mark_failed(
    conn: Connection,
    claim: ClaimedDispatch,
    outcome: AfterFailure,
    failure: PlatformFailure,
    now: datetime,
    recheck_at: datetime | None = None,
    *,
    absent: bool = False,
) -> bool:
    """Leave a failed attempt where the rules say; False when the fence is stale.

    ``recheck_at``: when an unproven reply is looked for in its thread; None leaves it to a person.
    ``absent``: the thread was read and proves that the reply did not arrive.
    """
    result = conn.execute(
        _FAILED,
        {
            "id": claim.id,
            "fence": claim.fence,
            "state": outcome.state.value,
            "next_attempt_at": outcome.next_attempt_at or recheck_at,
            "clicked": failure.phase is SendPhase.AFTER_CLICK,
            "sending_at": claim.sending_at,
            "baseline": json.dumps(asdict(claim.baseline)) if claim.baseline else None,
            "counts": outcome.counts_as_attempt,
            "absences": int(absent),
            "error_class": failure.failure_class.value,
            "error_code": outcome.code or failure.code,
            "last_error": failure.detail[:500],
            "now": now,
        },
    )
    return result.rowcount == 1
