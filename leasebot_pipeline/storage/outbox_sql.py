"""What several statements over the outbox share: pieces of SQL over our own constants, and how moved rows look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from leasebot_pipeline.domain.dispatching import DispatchState


def killed(alias: str, account: str = "platform_account_id") -> str:
    """A switch is engaged over the row's account (its column ``account``), its platform or everything."""
    return f"""EXISTS (SELECT 1 FROM "KillSwitches" k
                 WHERE k.lifted_at IS NULL
                   AND k.target IN ('global', 'platform:' || {alias}.platform, 'account:' || {alias}.{account}::text))"""


def overtaken(alias: str, conversation: str) -> str:
    """The thread has a newer message than the reply answers.

    A person's own words go out all the same; follow-ups and reminders answer nothing and have a guard of their own.
    """
    return f"""({alias}.purpose IN ('decision', 'approved_draft')
                AND GREATEST({conversation}.newest_inbound_seq, {conversation}.handled_through_seq) > {alias}.based_on_seq)"""


# An account that may be visited now: active, not stopped, its breaker not open.
VISITABLE_ACCOUNT: Final = """a.is_active AND r.stop_code IS NULL
                 AND (r.circuit_open_until IS NULL OR r.circuit_open_until <= :now)"""


def in_doubt(alias: str) -> str:
    """Another reply of the conversation is under way or unproven: nothing else is said there meanwhile."""
    return f"""EXISTS (SELECT 1 FROM "OutboundDispatches" o
                 WHERE o.conversation_id = {alias}.conversation_id AND o.state IN ('claimed', 'sending', 'unknown'))"""


# A reply of conversation ``c`` is on its way or being read back, which takes moments: the conversation is
# decided when it is known what the lead has got. One that only a person can settle keeps nobody waiting.
BEING_SETTLED: Final = """EXISTS (SELECT 1 FROM "OutboundDispatches" o
                 WHERE o.conversation_id = c.id
                   AND (o.state IN ('claimed', 'sending') OR (o.state = 'unknown' AND o.next_attempt_at IS NOT NULL)))"""


def due(alias: str) -> str:
    """A run has something to do for the row (of account runtime ``r``): send it, take its claim back, or settle it."""
    return f"""(({alias}.state IN ('queued', 'retry_scheduled') AND COALESCE({alias}.next_attempt_at, :now) <= :now
                  AND ({alias}.purpose = 'manual_reply' OR COALESCE(r.send_cap_until, :now) <= :now)
                  AND COALESCE(CAST(r.action_circuits #>> '{{send,openUntil}}' AS timestamptz), :now) <= :now
                  AND NOT {killed(alias)} AND NOT {in_doubt(alias)})
             OR ({alias}.state IN ('claimed', 'sending') AND {alias}.lease_expires_at <= :now)
             OR ({alias}.state = 'unknown' AND {alias}.next_attempt_at <= :now
                  AND COALESCE(CAST(r.action_circuits #>> '{{reconcile,openUntil}}' AS timestamptz), :now) <= :now))"""


MOVED: Final = """d.id, d.state, d.purpose, d.purpose_key, d.error_code, d.attempts, d.conversation_id, d.platform,
    d.platform_account_id, d.message_id,
    (SELECT x.inbound_message_id FROM "Decisions" x WHERE x.id = d.decision_id) AS inbound_message_id,
    (SELECT c.assigned_agent_id FROM "Conversations" c WHERE c.id = d.conversation_id) AS assigned_agent_id"""


@dataclass(frozen=True, slots=True)
class Moved:
    """A reply that changed its state, with what its audit row names."""

    id: UUID
    state: DispatchState
    purpose: str
    purpose_key: str
    error_code: str | None
    attempts: int
    conversation_id: UUID
    platform: str
    platform_account_id: UUID
    message_id: UUID | None
    inbound_message_id: UUID | None
    assigned_agent_id: UUID | None


def moved(row: Row[Any]) -> Moved:
    """A row of MOVED columns."""
    values = dict(row._mapping)
    return Moved(**{**values, "state": DispatchState(values["state"])})
