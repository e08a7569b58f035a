"""Kill switches: what stops every send that is not yet clicked, for all processes at once.

They are read where a reply is claimed, before its intent is committed and immediately before the click
(``storage/outbox.py``), and a trigger refuses the intent of a stopped reply whoever writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from leasebot_pipeline.domain.kill_switches import KillScope, KillTarget
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage import audit
from leasebot_pipeline.storage.outbox_operations import Actor
from leasebot_pipeline.storage.outbox_sql import killed


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """An engaged switch: what it stops, who engaged it when and why."""

    id: UUID
    target: str
    scope: KillScope
    platform: Platform | None
    platform_account_id: UUID | None
    reason: str
    actor_id: str | None
    engaged_at: datetime


_ENGAGED = text("""
    SELECT id, target, scope, platform, platform_account_id, reason, actor_id, engaged_at
      FROM "KillSwitches" WHERE lifted_at IS NULL ORDER BY engaged_at, target
""")


def engaged(conn: Connection) -> list[KillSwitch]:
    """The switches that stop something now."""
    return [
        KillSwitch(
            row.id,
            row.target,
            KillScope(row.scope),
            Platform(row.platform) if row.platform else None,
            row.platform_account_id,
            row.reason,
            row.actor_id,
            row.engaged_at,
        )
        for row in conn.execute(_ENGAGED)
    ]


@dataclass(frozen=True, slots=True)
class Stop:
    """An engaged switch as those see it whose replies wait behind it; ``by`` is a person's name, where one engaged it."""

    scope: KillScope
    platform: Platform | None
    account_name: str | None
    reason: str
    by: str | None
    since: datetime


_COVERS = """k.target IN ('global', 'platform:' || a.platform, 'account:' || a.id::text)"""
_STOPS = """
    SELECT k.scope, k.platform, n.account_name, k.reason, COALESCE(NULLIF(u.name, ''), u.email) AS by, k.engaged_at
      FROM "KillSwitches" k
      LEFT JOIN "PlatformAccounts" n ON n.id = k.platform_account_id
      LEFT JOIN "user" u ON u.id = k.actor_id
     WHERE k.lifted_at IS NULL {concerned}
     ORDER BY k.scope <> 'global', k.engaged_at, k.target
"""
_OF_ALL = text(_STOPS.format(concerned=""))
_OF_AGENT = text(
    _STOPS.format(
        concerned=f"""AND EXISTS (
         SELECT 1 FROM "Conversations" c JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
          WHERE c.assigned_agent_id = :agent AND c.status = 'open' AND {_COVERS})"""
    )
)
_OF_CONVERSATION = text(
    _STOPS.format(
        concerned=f"""AND EXISTS (
         SELECT 1 FROM "Conversations" c JOIN "PlatformAccounts" a ON a.id = c.platform_account_id
          WHERE c.id = :conversation AND {_COVERS})"""
    )
)


def stops(conn: Connection, agent_id: UUID | None) -> list[Stop]:
    """What is stopped now, the widest first; for an agent, what concerns the agent's open conversations."""
    if agent_id is None:
        return _stops(conn, _OF_ALL, {})
    return _stops(conn, _OF_AGENT, {"agent": agent_id})


def stop_over(conn: Connection, conversation_id: UUID) -> Stop | None:
    """The widest switch behind which the replies of a conversation wait."""
    return next(iter(_stops(conn, _OF_CONVERSATION, {"conversation": conversation_id})), None)


def _stops(conn: Connection, statement: TextClause, values: dict[str, object]) -> list[Stop]:
    return [
        Stop(
            KillScope(row.scope),
            Platform(row.platform) if row.platform else None,
            row.account_name,
            row.reason,
            row.by,
            row.engaged_at,
        )
        for row in conn.execute(statement, values)
    ]


_PLATFORM_OF = text('SELECT platform FROM "PlatformAccounts" WHERE id = :account')
_ENGAGE = text("""
    INSERT INTO "KillSwitches"
           (target, scope, platform, platform_account_id, reason, actor_type, actor_id, engaged_at)
    VALUES (:target, :scope, :platform, :account, :reason, :actor_type, :actor_id, :now)
    ON CONFLICT (target) WHERE lifted_at IS NULL DO NOTHING
    RETURNING id
""")


def engage(conn: Connection, target: KillTarget, *, reason: str, actor: Actor, now: datetime) -> bool:
    """Stop all sends of the target from this transaction's commit on; False when they were stopped already.

    Raises LookupError when the target is an account that does not exist.
    """
    platform = target.platform
    if target.scope is KillScope.ACCOUNT:
        known = conn.execute(_PLATFORM_OF, {"account": target.account_id}).scalar_one_or_none()
        if known is None:
            raise LookupError("there is no such account")
        platform = Platform(known)
    switch = conn.execute(
        _ENGAGE,
        {
            "target": target.key,
            "scope": target.scope.value,
            "platform": platform.value if platform else None,
            "account": target.account_id,
            "reason": reason,
            "actor_type": actor.type,
            "actor_id": actor.id,
            "now": now,
        },
    ).scalar_one_or_none()
    if switch is None:
        return False
    _record(conn, "kill_switch_engaged", switch, target, platform, {"reason": reason}, actor)
    return True


_LIFT = text("""
    UPDATE "KillSwitches" SET lifted_at = :now, lifted_by = :actor
     WHERE target = :target AND lifted_at IS NULL
    RETURNING id, platform, engaged_at
""")


def lift(conn: Connection, target: KillTarget, *, actor: Actor, now: datetime) -> bool:
    """Let sends of the target go on; False when no switch of exactly that target was engaged."""
    row = conn.execute(_LIFT, {"target": target.key, "actor": actor.id, "now": now}).one_or_none()
    if row is None:
        return False
    platform = Platform(row.platform) if row.platform else None
    details = {
        "engagedAt": row.engaged_at.isoformat(),
        "seconds": round((now - row.engaged_at).total_seconds()),
    }
    _record(conn, "kill_switch_lifted", row.id, target, platform, details, actor)
    return True


_STOPPED = text(f"""
    SELECT count(*) FROM "OutboundDispatches" d
     WHERE d.state IN ('queued', 'retry_scheduled', 'claimed', 'sending') AND {killed("d")}
""")


def stopped_replies(conn: Connection) -> int:
    """How many replies wait behind an engaged switch."""
    return int(conn.execute(_STOPPED).scalar_one())


_ON_THE_WAY = text("""
    SELECT count(*) FROM "OutboundDispatches" d
     WHERE d.state IN ('queued', 'retry_scheduled', 'claimed', 'sending')
       AND :target IN ('global', 'platform:' || d.platform, 'account:' || d.platform_account_id::text)
""")


def on_the_way(conn: Connection, target: KillTarget) -> int:
    """How many replies a switch of the target would keep, or keeps, from going out."""
    return int(conn.execute(_ON_THE_WAY, {"target": target.key}).scalar_one())


def _record(
    conn: Connection,
    action: str,
    switch: UUID,
    target: KillTarget,
    platform: Platform | None,
    details: dict[str, object],
    actor: Actor,
) -> None:
    entry = audit.AuditEntry(
        actor_type=actor.type,
        actor_id=actor.id,
        entity_type="kill_switch",
        entity_id=str(switch),
        action=action,
        details={"target": target.key, **details},
        platform=platform.value if platform else None,
        platform_account_id=target.account_id,
    )
    audit.record(conn, [entry])
