"""What one audit row counts for. The digest and the snapshot's live part count by the very same SQL."""

from __future__ import annotations

from typing import Final

from leasebot_pipeline.storage.audit_actions import (
    CRITICAL_ACTIONS,
    ESCALATION_ACTIONS,
    FAILURE_ACTIONS,
    LINKAGE_ACTIONS,
    TRANSITION_ACTIONS,
    listed,
)
from leasebot_pipeline.storage.rollups.slices import slice_sql

ACTION: Final = "audit_action"
FAILURE: Final = "audit_failure"
PLATFORM: Final = "audit_platform"
AGENT: Final = "audit_agent"
TRANSITION: Final = "audit_transition"
ESCALATION: Final = "audit_escalation"
LINKAGE: Final = "audit_linkage"
ADDITIVE: Final = (ACTION, FAILURE, PLATFORM, AGENT, TRANSITION)
KINDS: Final = (*ADDITIVE, ESCALATION, LINKAGE)
TOTAL_ACTION: Final = "total_action"
TOTAL_DECISION: Final = "total_decision"

_CRITICAL: Final = f"action IN ({listed(CRITICAL_ACTIONS)})"
_FAILURE: Final = f"action IN ({listed(FAILURE_ACTIONS)})"
_TRANSITION: Final = f"action IN ({listed(TRANSITION_ACTIONS)})"

# A person acts for himself; automation acts on behalf of the conversation's agent. A recovery (a trigger) always
# leaves an outcome for lead and writes no states into its details.
COUNTED: Final = f"""
    SELECT {slice_sql("created_at")} AS slice, action, actor_type,
           COALESCE(platform, details ->> 'platform', 'unknown') AS platform,
           CASE WHEN {_FAILURE} THEN COALESCE(details ->> 'stage', 'unknown') END AS stage,
           COALESCE(CASE WHEN actor_type IN ('worker', 'system') THEN agent_id END, actor_id, agent_id, 'unknown') AS agent,
           CASE WHEN {_CRITICAL} THEN
             COALESCE(conversation_id::text, details ->> 'conversationId', details #>> '{{conversation,id}}',
                      CASE WHEN entity_type = 'conversation' THEN entity_id END, 'unknown') END AS conversation,
           CASE action WHEN 'workflow_no_reply_recovered' THEN 'outcome'
                WHEN 'workflow_state_transitioned' THEN COALESCE(details #>> '{{previous,workflowState}}', 'unknown') END AS before,
           CASE action WHEN 'workflow_no_reply_recovered' THEN 'lead'
                WHEN 'workflow_state_transitioned' THEN COALESCE(details #>> '{{next,workflowState}}', 'unknown') END AS after,
           CASE action WHEN 'ai_reply_decision' THEN COALESCE(details ->> 'outcome', 'unknown') END AS outcome,
           CASE action WHEN 'ai_reply_decision' THEN COALESCE(details ->> 'provider', 'unknown') END AS provider
"""
"""The columns of a row that are counted; a FROM over `"AuditLogs"` follows."""


def additive(rows: str) -> str:
    """SELECT of (slice, kind, k1, k2, k3), a row per count of each row of ``rows`` (of COUNTED)."""
    return f"""
        SELECT slice, '{ACTION}' AS kind, action AS k1, '' AS k2, '' AS k3 FROM {rows}
        UNION ALL SELECT slice, '{FAILURE}', platform, stage, action FROM {rows} WHERE {_FAILURE}
        UNION ALL SELECT slice, '{PLATFORM}', platform, '', '' FROM {rows} WHERE {_CRITICAL}
        UNION ALL SELECT slice, '{AGENT}', agent, actor_type, '' FROM {rows} WHERE {_CRITICAL}
        UNION ALL SELECT slice, '{TRANSITION}', before, after, '' FROM {rows} WHERE {_TRANSITION}"""


def of_all_time(rows: str) -> str:
    """SELECT of (slice, kind, k1, k2, k3) for counters that never shrink."""
    return f"""
        SELECT CAST('-infinity' AS timestamptz) AS slice, '{TOTAL_ACTION}' AS kind, action AS k1, platform AS k2, '' AS k3 FROM {rows}
        UNION ALL SELECT '-infinity', '{TOTAL_DECISION}', platform, outcome, provider FROM {rows} WHERE action = 'ai_reply_decision'"""


# Up to three rows tell of one decision (decided, escalated, skipped): one row per message is kept,
# the decision's own where it exists (fault G-34: the earlier system counted each of them).
_REASON: Final = "COALESCE(details ->> 'escalationReasonCode', details #>> '{decision,reason}')"
_ORDER: Final = listed(ESCALATION_ACTIONS)
ESCALATED: Final = f"l.action IN ({_ORDER})"


def told(source: str) -> str:
    """SELECT of the rows of ``source`` (a FROM with `"AuditLogs"` as l, and its WHERE) that tell of an escalation."""
    return f"""
        SELECT entity_type, entity_id, {slice_sql("created_at")} AS slice,
               array_position(ARRAY[{_ORDER}], action) AS rank, created_at, audit_id, COALESCE(reason, 'unknown') AS reason
          FROM (SELECT l.entity_type, l.entity_id, l.action, l.created_at, l.id AS audit_id,
                       l.details ->> 'outcome' AS outcome, {_REASON} AS reason {source}) escalated
         WHERE reason LIKE 'escalate\\_%' OR outcome = 'escalate'"""


BELIEVED: Final = "rank, created_at DESC, audit_id DESC"
"""Which of several rows about one escalation says its reason."""


def linked(source: str) -> str:
    """SELECT of the attempts to link among the rows of ``source``, as ``told`` takes it."""
    return f"""
        SELECT l.entity_type, l.entity_id, {slice_sql("l.created_at")} AS slice, l.created_at, l.id AS audit_id,
               (l.action = '{LINKAGE_ACTIONS[0]}')::text AS resolved,
               COALESCE(l.details #>> '{{linkage,strategy}}', 'unknown') AS strategy {source}"""


LINKED: Final = f"l.action IN ({listed(LINKAGE_ACTIONS)})"
NEWEST: Final = "created_at DESC, audit_id DESC"
