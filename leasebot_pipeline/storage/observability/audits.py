"""Counts and slices over `"AuditLogs"`, messages and bookings: the documented numbers.

Whole slices come from the tallies, rows beyond the digest's mark and the partial slice at the window's beginning are
read live. A log that was never digested is read live altogether: slower, the same figures.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, TextClause, text

from leasebot_pipeline.domain.redaction import redact_details
from leasebot_pipeline.storage.audit_actions import (
    BOOKING_CONFLICT_ACTIONS,
    ERROR_ACTIONS,
    REVIEW_ACTIONS,
    listed,
)
from leasebot_pipeline.storage.observability.values import (
    AgentCount,
    AuditItem,
    ConversationCount,
    CoreMetrics,
    FailureCount,
    IngestLinkage,
    PlatformCount,
    ReasonCount,
    StatusCount,
    StrategyCount,
    TransitionCount,
)
from leasebot_pipeline.storage.rollups import audit_facts as facts
from leasebot_pipeline.storage.rollups import marks, tallies
from leasebot_pipeline.storage.rollups.slices import first_whole_slice

_NEARLY: Final = timedelta(hours=2)
_NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """From ``since`` on. Rows up to ``through_id`` are in the tallies of the slices from ``whole`` on.

    Without tallies that reach so far back, ``through_id`` is 0 and ``slices`` lies after every slice.
    """

    since: datetime
    whole: datetime
    slices: datetime
    through_id: int
    rolling_from: datetime | None = None
    """Counts of the most active conversations hold the slices from here on."""

    def values(self) -> dict[str, object]:
        return {"since": self.since, "whole": self.whole, "slices": self.slices, "through": self.through_id}


def window(conn: Connection, since: datetime, log: str = marks.AUDIT) -> Window:
    """How much of the window a log's tallies hold."""
    mark = marks.find(conn, log)
    if mark is None or mark.floor_at > since:
        return Window(since, since, _NEVER, 0)
    whole = first_whole_slice(since)
    return Window(since, whole, whole, mark.through_id, mark.rolling_from)


# Beyond the mark, and the partial slice before the whole ones. Two short index walks: by id, by time.
_LIVE_IDS: Final = "l.id > :through AND l.created_at >= :since"
_LIVE_HEAD: Final = "l.created_at >= :since AND l.created_at < :whole AND l.id <= :through"


def _live(select: str) -> str:
    """The live rows of a SELECT over `"AuditLogs"`."""
    return f"""
        {select} FROM "AuditLogs" l WHERE {_LIVE_IDS}
        UNION ALL
        {select} FROM "AuditLogs" l WHERE {_LIVE_HEAD}"""


_COUNTS = text(f"""
    WITH rows AS MATERIALIZED ({_live(facts.COUNTED)})
    SELECT kind, k1, k2, k3, sum(total) AS total
      FROM (SELECT kind, k1, k2, k3, total FROM "Tallies" WHERE kind = ANY(:kinds) AND slice >= :slices
            UNION ALL
            SELECT kind, k1, k2, k3, count(*) FROM ({facts.additive("rows")}) live GROUP BY kind, k1, k2, k3) counted
     GROUP BY kind, k1, k2, k3
    HAVING sum(total) <> 0
""")
_BY_CONVERSATION = text(f"""
    WITH rows AS MATERIALIZED ({_live(facts.COUNTED)})
    SELECT conversation, sum(total) AS total
      FROM (SELECT conversation, total FROM "ConversationTallies" WHERE slice >= :slices
            UNION ALL
            SELECT conversation, 1 FROM rows WHERE conversation IS NOT NULL) counted
     GROUP BY conversation
     ORDER BY total DESC, conversation
     LIMIT :limit
""")
# The counts that roll are right for all but the conversations with live rows and those of the slices that differ: these
# few are corrected, and the others are taken from the index in their order until the page is full.
_BY_ACTIVE_CONVERSATION = text(f"""
    WITH rows AS MATERIALIZED ({_live(facts.COUNTED)}),
         differ AS MATERIALIZED (
           SELECT conversation, sum(total) AS total
             FROM (SELECT conversation, 1 AS total FROM rows WHERE conversation IS NOT NULL
                   UNION ALL
                   SELECT conversation, -total FROM "ConversationTallies"
                    WHERE slice >= :rolling_from AND slice < :slices
                   UNION ALL
                   SELECT conversation, total FROM "ConversationTallies"
                    WHERE slice >= :slices AND slice < :rolling_from) every
            GROUP BY conversation)
    SELECT conversation, total
      FROM (SELECT d.conversation, d.total + COALESCE(a.total, 0) AS total
              FROM differ d LEFT JOIN "ActiveConversations" a USING (conversation)
            UNION ALL
            (SELECT a.conversation, a.total FROM "ActiveConversations" a
              WHERE NOT EXISTS (SELECT 1 FROM differ d WHERE d.conversation = a.conversation)
              ORDER BY a.total DESC, a.conversation
              LIMIT :limit)) every
     WHERE total > 0
     ORDER BY total DESC, conversation
     LIMIT :limit
""")
# A message whose platform shows no time counts at the moment we stored it. `"Messages"` tell of themselves in the
# transaction that changes them, so their tallies need no mark; only the partial slice is read.
_MESSAGES = text(f"""
    SELECT direction, review, sum(total) AS total, sum(pending) AS pending
      FROM (SELECT k1 AS direction, k2 AS review, total, 0 AS pending FROM "Tallies"
             WHERE kind = '{tallies.MESSAGE}' AND slice >= :whole
            UNION ALL
            SELECT direction, {tallies.REVIEW}, 1, 0 FROM "Messages"
             WHERE {tallies.COUNTED_AT} >= :since AND {tallies.COUNTED_AT} < :whole
            UNION ALL
            SELECT k1, k2, 0, total FROM "Tallies"
             WHERE kind = '{tallies.MESSAGE}' AND k1 = 'outbound' AND k2 IN ('draft', 'hold')) counted
     GROUP BY direction, review
""")
# Entity by entity, by the log's own index.
_OF_ENTITY: Final = """
    FROM entities e CROSS JOIN LATERAL (
         SELECT * FROM "AuditLogs" a
          WHERE a.entity_type = e.entity_type AND a.entity_id = e.entity_id AND a.created_at >= :since
         OFFSET 0) l
"""
_PICK: Final = "SELECT DISTINCT ON (entity_type, entity_id) entity_type, entity_id, reason FROM"
_PICKED: Final = f"ORDER BY entity_type, entity_id, {facts.BELIEVED}"
_TOLD: Final = facts.told(f'FROM "AuditLogs" l WHERE {facts.ESCALATED} AND {_LIVE_IDS}')
_TOLD_HEAD: Final = facts.told(f'FROM "AuditLogs" l WHERE {facts.ESCALATED} AND {_LIVE_HEAD}')
_TOLD_OF_ENTITY: Final = facts.told(f"{_OF_ENTITY} WHERE {facts.ESCALATED}")
# Each escalation once. Those with live rows are looked at one by one: what the tallies counted them for is taken
# back, and they count for what all their rows of the window say. So are those told in several slices.
_ESCALATIONS = text(f"""
    WITH entities AS MATERIALIZED (
           SELECT DISTINCT entity_type, entity_id FROM ({_TOLD} UNION ALL {_TOLD_HEAD}) live),
         told AS MATERIALIZED ({_TOLD_OF_ENTITY}),
         spread AS MATERIALIZED (SELECT * FROM "SpreadEscalations" WHERE slice >= :slices),
         counted AS (
           {_PICK} told t
            WHERE audit_id <= :through AND created_at >= :slices
              AND NOT EXISTS (SELECT 1 FROM "SpreadEscalations" s
                               WHERE s.entity_type = t.entity_type AND s.entity_id = t.entity_id)
            {_PICKED})
    SELECT reason, sum(total) AS total
      FROM (SELECT k1 AS reason, total FROM "Tallies" WHERE kind = '{facts.ESCALATION}' AND slice >= :slices
            UNION ALL SELECT reason, -1 FROM counted
            UNION ALL (SELECT reason, 1 FROM ({_PICK} told {_PICKED}) picked)
            UNION ALL (SELECT reason, 1 FROM ({_PICK} spread s
                         WHERE NOT EXISTS (SELECT 1 FROM entities e
                                            WHERE e.entity_type = s.entity_type AND e.entity_id = s.entity_id)
                        {_PICKED}) picked)) every
     GROUP BY reason
    HAVING sum(total) <> 0
     ORDER BY total DESC, reason
""")
_ATTEMPTS: Final = facts.linked(f'FROM "AuditLogs" l WHERE {facts.LINKED} AND {_LIVE_IDS}')
_ATTEMPTS_HEAD: Final = facts.linked(f'FROM "AuditLogs" l WHERE {facts.LINKED} AND {_LIVE_HEAD}')
_ATTEMPTS_OF_ENTITY: Final = facts.linked(f"{_OF_ENTITY} WHERE {facts.LINKED}")
_NEWEST: Final = f"ORDER BY entity_type, entity_id, {facts.NEWEST}"
# A conversation is tried again when a listing appears: only its newest attempt says how it stands.
_LINKAGE = text(f"""
    WITH entities AS MATERIALIZED (
           SELECT DISTINCT entity_type, entity_id FROM ({_ATTEMPTS} UNION ALL {_ATTEMPTS_HEAD}) live),
         tried AS MATERIALIZED ({_ATTEMPTS_OF_ENTITY})
    SELECT resolved, strategy, sum(total) AS total
      FROM (SELECT k1 AS resolved, k2 AS strategy, total FROM "Tallies"
             WHERE kind = '{facts.LINKAGE}' AND slice >= :slices
            UNION ALL
            (SELECT resolved, strategy, -1 FROM (
               SELECT DISTINCT ON (entity_type, entity_id) resolved, strategy, slice FROM tried
                WHERE audit_id <= :through {_NEWEST}) counted WHERE slice >= :slices)
            UNION ALL
            (SELECT resolved, strategy, 1 FROM (
               SELECT DISTINCT ON (entity_type, entity_id) resolved, strategy FROM tried {_NEWEST}) newest)) every
     GROUP BY resolved, strategy
    HAVING sum(total) <> 0
     ORDER BY total DESC, strategy
""")
_BOOKINGS = text("""
    SELECT s.status, a.platform, count(*) AS total
      FROM "ShowingAppointments" s JOIN "PlatformAccounts" a ON a.id = s.platform_account_id
     WHERE s.created_at >= :since
     GROUP BY s.status, a.platform
""")
# The names as the index has them: it holds errors only, so rare errors cost no walk over everything else.
_ERRORS = text(f"""
    SELECT id, actor_type, actor_id, entity_type, entity_id, action, details, created_at
      FROM "AuditLogs"
     WHERE action IN ({listed(ERROR_ACTIONS)})
     ORDER BY created_at DESC, id DESC
     LIMIT :limit
""")
_AUDIT = text("""
    SELECT id, actor_type, actor_id, entity_type, entity_id, action, details, created_at
      FROM "AuditLogs"
     ORDER BY created_at DESC, id DESC
     LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class AuditCounts:
    """The window's audit rows, counted every way at once."""

    by_kind: Mapping[str, Mapping[tuple[str, str, str], int]]

    def actions(self) -> Counter[str]:
        return Counter({key[0]: total for key, total in self._of(facts.ACTION)})

    def platform_failures(self) -> tuple[FailureCount, ...]:
        """Failures by platform, stage and action."""
        return tuple(
            FailureCount(key[0], key[1], key[2], total) for key, total in _ranked(self._of(facts.FAILURE))
        )

    def by_platform(self, limit: int) -> tuple[PlatformCount, ...]:
        """Critical actions by platform."""
        return tuple(PlatformCount(key[0], total) for key, total in _ranked(self._of(facts.PLATFORM))[:limit])

    def by_agent(self, limit: int) -> tuple[AgentCount, ...]:
        """Critical actions by who acted or was acted for."""
        return tuple(
            AgentCount(key[0], key[1], total) for key, total in _ranked(self._of(facts.AGENT))[:limit]
        )

    def transitions(self) -> tuple[TransitionCount, ...]:
        """State changes of conversations; equal states mean a change within one (outcome or showing)."""
        return tuple(
            TransitionCount(key[0], key[1], total) for key, total in _ranked(self._of(facts.TRANSITION))
        )

    def _of(self, kind: str) -> Sequence[tuple[tuple[str, str, str], int]]:
        return list(self.by_kind.get(kind, {}).items())


def _ranked(counts: Sequence[tuple[tuple[str, ...], int]]) -> list[tuple[tuple[str, ...], int]]:
    return sorted(counts, key=lambda item: (-item[1], item[0]))


def audit_counts(conn: Connection, window: Window) -> AuditCounts:
    """Everything about audit rows that is a plain count."""
    by_kind: defaultdict[str, dict[tuple[str, str, str], int]] = defaultdict(dict)
    for row in conn.execute(_COUNTS, window.values() | {"kinds": list(facts.ADDITIVE)}):
        by_kind[row.kind][row.k1, row.k2, row.k3] = int(row.total)
    return AuditCounts(by_kind)


def core_metrics(conn: Connection, since: datetime, counts: AuditCounts) -> CoreMetrics:
    """The eighteen counters."""
    rows = conn.execute(_MESSAGES, {"since": since, "whole": first_whole_slice(since)}).all()
    by_action = counts.actions()

    def messages(direction: str, *reviews: str) -> int:
        return sum(
            int(row.total)
            for row in rows
            if row.direction == direction and (not reviews or row.review in reviews)
        )

    def audits(*actions: str) -> int:
        return sum(by_action[action] for action in actions)

    return CoreMetrics(
        inbound_messages=messages("inbound"),
        outbound_messages=messages("outbound"),
        outbound_sent=messages("outbound", "sent"),
        outbound_draft=messages("outbound", "draft"),
        outbound_hold=messages("outbound", "hold"),
        outbound_pending_review=sum(int(row.pending) for row in rows),
        ai_decisions=audits("ai_reply_decision"),
        ai_replies_created=audits("ai_reply_created"),
        ai_replies_skipped=audits("ai_reply_skipped"),
        ai_escalations=audits("ai_reply_escalated"),
        ai_reply_errors=audits("ai_reply_error"),
        platform_dispatch_errors=audits("platform_dispatch_error"),
        platform_dispatch_dlq=audits("platform_dispatch_dlq"),
        booking_created=audits("showing_booking_created"),
        booking_replayed=audits("showing_booking_replayed"),
        booking_conflicts=audits(*BOOKING_CONFLICT_ACTIONS),
        admin_review_decisions=audits(*REVIEW_ACTIONS),
        audit_events=by_action.total(),
    )


def escalation_reasons(conn: Connection, window: Window) -> tuple[ReasonCount, ...]:
    """Why decisions were handed to a person; each decision once; most frequent first."""
    rows = conn.execute(_ESCALATIONS, window.values())
    return tuple(ReasonCount(row.reason, int(row.total)) for row in rows)


def bookings(conn: Connection, since: datetime) -> tuple[tuple[StatusCount, ...], tuple[PlatformCount, ...]]:
    """Appointments created in the window, by status and by platform; count descending, then name."""
    by_status: Counter[str] = Counter()
    by_platform: Counter[str] = Counter()
    for row in conn.execute(_BOOKINGS, {"since": since}):
        by_status[row.status] += row.total
        by_platform[row.platform] += row.total
    return (
        tuple(StatusCount(key[0], count) for key, count in _ranked(_keyed(by_status))),
        tuple(PlatformCount(key[0], count) for key, count in _ranked(_keyed(by_platform))),
    )


def _keyed(counts: Counter[str]) -> list[tuple[tuple[str, ...], int]]:
    return [((name,), count) for name, count in counts.items()]


def audit_by_conversation(conn: Connection, window: Window, limit: int) -> tuple[ConversationCount, ...]:
    """Critical actions by conversation: from the counts that roll where the window is about theirs, else added up."""
    rolling = window.rolling_from
    if rolling is not None and abs(window.slices - rolling) <= _NEARLY:
        values = window.values() | {"limit": limit, "rolling_from": rolling}
        rows = conn.execute(_BY_ACTIVE_CONVERSATION, values)
    else:
        rows = conn.execute(_BY_CONVERSATION, window.values() | {"limit": limit})
    return tuple(ConversationCount(row.conversation, int(row.total)) for row in rows)


def ingest_linkage(conn: Connection, window: Window) -> IngestLinkage:
    """Conversations tried in the window, each by its newest attempt."""
    by_strategy: Counter[str] = Counter()
    by_result: Counter[str] = Counter()
    for row in conn.execute(_LINKAGE, window.values()):
        by_strategy[row.strategy] += int(row.total)
        by_result[row.resolved] += int(row.total)
    tried = by_result.total()
    return IngestLinkage(
        resolved=by_result["true"],
        unresolved=by_result["false"],
        by_strategy=tuple(StrategyCount(name, count) for name, count in by_strategy.most_common()),
        coverage=round(by_result["true"] / tried, 4) if tried else None,
    )


def recent_errors(conn: Connection, limit: int) -> tuple[AuditItem, ...]:
    """The newest errors of all time."""
    return _items(conn, _ERRORS, {"limit": limit})


def recent_audit(conn: Connection, limit: int) -> tuple[AuditItem, ...]:
    """The newest audit rows of all time."""
    return _items(conn, _AUDIT, {"limit": limit})


def _items(conn: Connection, statement: TextClause, parameters: dict[str, object]) -> tuple[AuditItem, ...]:
    return tuple(
        AuditItem(
            id=str(row.id),
            actor_type=row.actor_type,
            actor_id=row.actor_id,
            entity_type=row.entity_type,
            entity_id=row.entity_id,
            action=row.action,
            details=_shown(row.details),
            created_at=row.created_at,
        )
        for row in conn.execute(statement, parameters)
    )


def _shown(details: object) -> dict[str, object]:
    """Details as shown: rows taken over from the earlier system were written without redaction."""
    shown = redact_details(details)
    return shown if isinstance(shown, dict) else {"value": shown}
