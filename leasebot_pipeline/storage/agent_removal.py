"""Remove an agent who leaves: a mark, never a DELETE, so that showings keep who held them (G-66).

What the agent still had to do goes to a person: conversations with a showing ahead or a follow-up of the agent's
become ``human_required``; the showings themselves stand, with their time, until somebody moves or cancels them.
Holds and open offers of the agent end. A conversation that was merely assigned loses its agent and gets its
unit's next one with the next linkage. A removed agent has no assignments, so nobody is offered the agent's time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.decisions import WorkflowOutcome
from leasebot_pipeline.domain.slot_offers import OfferState
from leasebot_pipeline.domain.workflow import WorkflowState
from leasebot_pipeline.domain.workflow_changes import WorkflowPatch
from leasebot_pipeline.storage import appointments, slot_offers, transitions
from leasebot_pipeline.storage.audit import AuditEntry, record
from leasebot_pipeline.storage.booking_checks import end_holds, lock
from leasebot_pipeline.storage.slot_offers import OfferChange
from leasebot_pipeline.storage.transitions import Actor, LockedConversation, TransitionRequest


@dataclass(frozen=True, slots=True)
class RemovalResult:
    """What became of one agent. ``showings`` are still to be held: somebody must take them over."""

    agent_id: UUID
    outcome: Literal["removed", "already_removed", "not_found"]
    showings: tuple[UUID, ...] = ()
    to_a_person: tuple[UUID, ...] = ()
    """Conversations that are a person's now."""


@dataclass(slots=True)
class _Duties:
    """What an agent still had to do."""

    showings: list[UUID] = field(default_factory=list)
    leads: dict[UUID, None] = field(default_factory=dict)


_DUTIES = text("""
    SELECT a.agent_id, a.conversation_id, a.id AS showing FROM "ShowingAppointments" a
     WHERE a.agent_id = ANY(:agents) AND a.status IN ('pending', 'confirmed', 'reschedule_requested')
       AND a.hold_expires_at IS NULL AND a.ends_at > :now
    UNION ALL
    SELECT c.follow_up_owner_agent_id, c.id, NULL FROM "Conversations" c
     WHERE c.follow_up_owner_agent_id = ANY(:agents) AND c.follow_up_stage IS NOT NULL
""")
_MARK = text("""
    UPDATE "Agents" SET removed_at = :now, user_id = NULL, updated_at = :now WHERE id = ANY(:agents) AND removed_at IS NULL
    RETURNING id
""")
_KNOWN = text("""
    SELECT g.id, g.platform_account_id, p.platform FROM "Agents" g JOIN "PlatformAccounts" p ON p.id = g.platform_account_id
     WHERE g.id = ANY(:agents)
""")
_UNASSIGN = text("""
    WITH units AS (DELETE FROM "UnitAgentAssignments" WHERE agent_id = ANY(:agents))
    UPDATE "Conversations" SET assigned_agent_id = NULL, updated_at = :now WHERE assigned_agent_id = ANY(:agents)
""")
_FOLLOW_UPS = text("""
    UPDATE "FollowUps" SET status = 'cancelled', updated_at = :now WHERE owner_agent_id = ANY(:agents) AND status = 'pending'
""")
_HOLDS = text("""
    SELECT id FROM "ShowingAppointments" WHERE agent_id = ANY(:agents) AND status = 'pending' AND hold_expires_at IS NOT NULL
""")
_OFFERS = text("""
    SELECT id FROM "SlotOffers" WHERE agent_id = ANY(:agents) AND state IN ('offered', 'held') AND expires_at > :now
""")


def remove_agents(
    conn: Connection, agents: Sequence[UUID], actor: Actor, now: datetime, run_id: str | None = None
) -> list[RemovalResult]:
    """Remove agents in the caller's transaction; one result per agent, in their order. Audited per agent."""
    if not agents:
        return []
    wanted = {"agents": list(set(agents)), "now": now}
    assigned = text('SELECT id FROM "Conversations" WHERE assigned_agent_id = ANY(:agents)')
    leads = list(conn.execute(assigned, {"agents": wanted["agents"]}).scalars())
    duties = _duties(conn, wanted)
    locked = lock(conn, [*leads, *(lead for one in duties.values() for lead in one.leads)], agents, ())
    duties = _duties(conn, wanted)  # under the agents' locks nothing new is booked
    known = {row.id: row for row in conn.execute(_KNOWN, {"agents": wanted["agents"]})}
    removed = set(conn.execute(_MARK, wanted).scalars())
    if not removed:
        return [_result(agent, known.keys(), removed, _Duties()) for agent in agents]
    mine = {"agents": list(removed), "now": now}
    holds = appointments.by_ids(conn, conn.execute(_HOLDS, {"agents": list(removed)}).scalars(), lock=True)
    end_holds(conn, list(holds.values()), "agent_removed", now, offer=OfferState.SUPERSEDED, actor=actor)
    offers = list(conn.execute(_OFFERS, mine).scalars())
    changes = [OfferChange(OfferState.SUPERSEDED, offer_id=one, actor=actor, run_id=run_id) for one in offers]
    slot_offers.change(conn, changes, now)
    conn.execute(_FOLLOW_UPS, mine)
    to_people = [
        _to_a_person(locked[lead], actor, run_id)
        for agent in removed
        for lead in duties.get(agent, _Duties()).leads
        if lead in locked
    ]
    transitions.apply(conn, to_people, locked, now)
    conn.execute(_UNASSIGN, mine)
    results = [_result(agent, known.keys(), removed, duties.get(agent, _Duties())) for agent in agents]
    record(
        conn,
        [
            AuditEntry(
                actor_type=actor.actor_type,
                actor_id=actor.actor_id,
                entity_type="agent",
                entity_id=str(result.agent_id),
                action="agent_removed",
                details={
                    "showings": [str(one) for one in result.showings],
                    "conversationsToPerson": [str(one) for one in result.to_a_person],
                },
                platform=known[result.agent_id].platform,
                platform_account_id=known[result.agent_id].platform_account_id,
                agent_id=str(result.agent_id),
                run_id=run_id,
            )
            for result in {r.agent_id: r for r in results if r.outcome == "removed"}.values()
        ],
    )
    return results


def _duties(conn: Connection, wanted: dict[str, object]) -> dict[UUID, _Duties]:
    found: dict[UUID, _Duties] = {}
    for row in conn.execute(_DUTIES, wanted):
        one = found.setdefault(row.agent_id, _Duties())
        if row.showing is not None:
            one.showings.append(row.showing)
        if row.conversation_id is not None:
            one.leads[row.conversation_id] = None
    return found


def _to_a_person(lead: LockedConversation, actor: Actor, run_id: str | None) -> TransitionRequest:
    """An outcome that was reached before is kept; only the follow-up ends."""
    ended = lead.columns.workflow_state is WorkflowState.OUTCOME
    outcome = lead.columns.workflow_outcome if ended else WorkflowOutcome.HUMAN_REQUIRED
    patch = WorkflowPatch(
        workflow_state=WorkflowState.OUTCOME, workflow_outcome=outcome, follow_up_stage=None
    )
    return TransitionRequest(
        lead.id, patch, source="agents", trigger="agent_removed", actor=actor, run_id=run_id
    )


def _result(agent: UUID, known: Collection[UUID], removed: set[UUID], duties: _Duties) -> RemovalResult:
    if agent in removed:
        return RemovalResult(agent, "removed", tuple(duties.showings), tuple(duties.leads))
    exists = agent in known
    return RemovalResult(agent, "already_removed" if exists else "not_found")
