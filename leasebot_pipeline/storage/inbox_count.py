"""How many conversations an inbox list has, up to a bound: for the "page / pages" below it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.inbox_list import InboxFilter, plain_conditions
from leasebot_pipeline.storage.inbox_sql import ONE_OF

_MINE: Final = "(c.assigned_agent_id = :agent_id OR c.follow_up_owner_agent_id = :agent_id)"


def count_inbox(conn: Connection, wanted: InboxFilter, most: int) -> int:
    """Open conversations the filter lets through, at most ``most``; never fewer than the list shows.

    A status is looked up in the small indexes of what there is to do; whether something was answered meanwhile only the
    page itself looks at.
    """
    parameters: dict[str, object] = {"most": most}
    conditions = ["c.status = 'open'", *plain_conditions(conn, wanted, parameters)]
    if wanted.agent_id is not None:
        conditions.append(_MINE)
    if wanted.status in ONE_OF:
        # An array, since nothing tells the planner how few a set is: it would read the inbox instead.
        messages = f'SELECT m.conversation_id FROM "Messages" m WHERE {ONE_OF[wanted.status]}'
        conditions.append(f"c.id = ANY(ARRAY({messages}))")
    statement = f"""
        SELECT count(*) FROM (SELECT 1 FROM "Conversations" c WHERE {" AND ".join(conditions)} LIMIT :most) x
    """
    return int(conn.execute(text(statement), parameters).scalar_one())
