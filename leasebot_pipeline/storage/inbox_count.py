"""How many conversations an inbox list has, up to a bound: for the "page / pages" below it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.inbox import MINE, InboxFilter

# By the small indexes of what there is to do; whether it was answered meanwhile only the page itself looks at.
_HAS: Final = {
    "draft": "m.metadata ->> 'reviewStatus' = 'draft'",
    "hold": "m.metadata ->> 'reviewStatus' = 'hold'",
    "new": "NOT m.metadata ? 'aiProcessedAt' AND (m.direction = 'inbound' OR m.metadata ->> 'reviewStatus' = 'new')",
}


def count_inbox(conn: Connection, wanted: InboxFilter, most: int) -> int:
    """Open conversations the filter lets through, at most ``most``; never fewer than the list shows."""
    parameters: dict[str, object] = {"most": most}
    conditions, joins = ["c.status = 'open'"], ""
    if wanted.agent_id is not None:
        conditions.append(MINE)
        parameters["agent_id"] = wanted.agent_id
    if wanted.status in _HAS:
        conditions.append(f'c.id IN (SELECT m.conversation_id FROM "Messages" m WHERE {_HAS[wanted.status]})')
    if wanted.platform is not None:
        conditions.append(
            'c.platform_account_id IN (SELECT id FROM "PlatformAccounts" WHERE platform = :platform)'
        )
        parameters["platform"] = wanted.platform
    for name in ("workflow_state", "workflow_outcome"):
        if getattr(wanted, name) is not None:
            conditions.append(f"c.{name} = :{name}")
            parameters[name] = getattr(wanted, name)
    if wanted.search:
        joins = 'LEFT JOIN "Listings" li ON li.id = c.listing_id LEFT JOIN "Units" u ON u.id = li.unit_id'
        conditions.append(
            "(c.lead_name ILIKE :search OR c.external_thread_label ILIKE :search"
            " OR concat_ws(' ', u.property_name, u.unit_number) ILIKE :search)"
        )
        escaped = wanted.search.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
        parameters["search"] = f"%{escaped}%"
    statement = f"""
        SELECT count(*) FROM (SELECT 1 FROM "Conversations" c {joins}
                               WHERE {" AND ".join(conditions)} LIMIT :most) x
    """
    return int(conn.execute(text(statement), parameters).scalar_one())
