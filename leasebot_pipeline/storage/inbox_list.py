"""The inbox list: pages of open conversations, each read in its order and only until it is full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import product
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.inbox_sql import HAVING, JOINS, ONE_OF, SENT, STATUS, UNIT

UNRANKED: Final = 2_147_483_647


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A conversation in the list. ``at`` is its newest message's time, the list's order.

    A message counts as new or held only while nothing of ours was sent after it (G-63).
    """

    id: UUID
    platform_account_id: UUID
    platform: str
    listing_id: UUID | None
    assigned_agent_id: UUID | None
    external_thread_id: str
    lead_name: str | None
    lead_contact: dict[str, Any]
    conversation_status: str
    workflow_state: str
    workflow_outcome: str | None
    showing_state: str | None
    follow_up_stage: str | None
    follow_up_due_at: datetime | None
    follow_up_owner_agent_id: UUID | None
    follow_up_status: str
    workflow_updated_at: datetime
    message_status: str
    new_count: int
    draft_count: int
    hold_count: int
    sent_count: int
    unit: str | None
    thread_label: str | None
    thread_message_count: int | None
    inbox_sort_rank: int | None
    latest_message: str | None
    latest_direction: str | None
    latest_status: str | None
    latest_sent_at_text: str | None
    last_message_at: datetime | None
    updated_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class InboxFilter:
    """What the list shows; None: anything.

    ``agent_id`` limits it to what an agent is in charge of, ``assigned_to`` to what is assigned to an agent, or to nobody.
    ``for_person``: a reply waits for a review, or the bot asked for a person. The newest message came at or after
    ``since`` and before ``until``.
    """

    agent_id: UUID | None = None
    status: str | None = None
    platform: str | None = None
    workflow_state: str | None = None
    workflow_outcome: str | None = None
    search: str | None = None
    assigned_to: UUID | Literal["nobody"] | None = None
    for_person: bool = False
    since: datetime | None = None
    until: datetime | None = None


FEW: Final = 20_000
"""So many conversations are sorted rather than looked for one by one along the inbox."""

# The list's order, all parts in one direction, so that "after this row" is one comparison that an index answers.
_AT: Final = "COALESCE(c.last_message_at, c.created_at)"
_RANK: Final = f"(- COALESCE(c.external_inbox_sort_rank, {UNRANKED}))"
_KEYS: Final = f"c.id, {_AT} AS at, {_RANK} AS rank"
_ORDER: Final = f"{_AT} DESC, {_RANK} DESC, c.id DESC"
_AFTER: Final = f"""({_AT}, {_RANK}, c.id)
    < (CAST(:after_at AS timestamptz), - CAST(:after_rank AS integer), CAST(:after_id AS uuid))"""

_COUNTS: Final = f"""
    SELECT count(*) FILTER (WHERE x.status = 'draft') AS draft_count,
           count(*) FILTER (WHERE x.status = 'hold' AND NOT x.answered) AS hold_count,
           count(*) FILTER (WHERE x.status = 'new' AND NOT x.answered AND NOT x.decided) AS new_count,
           count(*) FILTER (WHERE x.status = 'sent') AS sent_count
      FROM (SELECT {STATUS} AS status, m.metadata ? 'aiProcessedAt' AS decided,
                   m.seq < COALESCE(max(m.seq) FILTER (WHERE {SENT}) OVER (), 0) AS answered
              FROM "Messages" m WHERE m.conversation_id = p.id AND NOT m.metadata ? 'discarded') x
"""
_STATUS_OF: Final = """CASE WHEN n.draft_count > 0 THEN 'draft' WHEN n.hold_count > 0 THEN 'hold'
                     WHEN n.new_count > 0 THEN 'new' ELSE 'sent' END"""
_COLUMNS: Final = f"""
    c.id, c.platform_account_id, a.platform, c.listing_id, c.assigned_agent_id, c.external_thread_id, c.lead_name,
    c.lead_contact, c.status AS conversation_status, c.workflow_state, c.workflow_outcome, c.showing_state,
    c.follow_up_stage, c.follow_up_due_at, c.follow_up_owner_agent_id, c.follow_up_status, c.workflow_updated_at,
    {_STATUS_OF} AS message_status, n.new_count, n.draft_count, n.hold_count, n.sent_count, {UNIT} AS unit,
    c.external_thread_label AS thread_label, c.external_thread_message_count AS thread_message_count,
    c.external_inbox_sort_rank AS inbox_sort_rank, l.body AS latest_message, l.direction AS latest_direction,
    l.status AS latest_status, l.sent_at_text AS latest_sent_at_text, c.last_message_at, c.updated_at, p.at
"""
_LATEST: Final = f"""
      LEFT JOIN LATERAL (
           SELECT m.body, m.direction, {STATUS} AS status, m.metadata ->> 'sentAtText' AS sent_at_text
             FROM "Messages" m WHERE m.conversation_id = c.id AND NOT m.metadata ? 'discarded'
            ORDER BY m.seq DESC LIMIT 1) l ON true
"""
_NAMED: Final = "c.lead_name ILIKE :search OR c.external_thread_label ILIKE :search"
_ADVERTS: Final = text("""
    SELECT li.id FROM "Listings" li LEFT JOIN "Units" u ON u.id = li.unit_id
     WHERE concat_ws(' ', u.property_name, u.unit_number) ILIKE :search OR li.metadata ->> 'title' ILIKE :search
""")
_IN_CHARGE: Final = ("c.assigned_agent_id = :agent_id", "c.follow_up_owner_agent_id = :agent_id")


@dataclass(frozen=True, slots=True)
class _Branch:
    """Conversations that meet the conditions and, if given, are as ``HAVING`` says of ``kind``."""

    conditions: tuple[str, ...] = ()
    kind: str | None = None


def list_inbox(
    conn: Connection, wanted: InboxFilter, limit: int, after: Sequence[object] | None = None
) -> list[InboxRow]:
    """Open conversations, newest message first, those after the key (at as ISO text, rank, id).

    Conditions are put together as needed, so that each list has a plan by its own index; what is one *or* another is
    two lists, merged. At most three statements.
    """
    parameters: dict[str, object] = {"limit": limit}
    common = ["c.status = 'open'", *plain_conditions(conn, wanted, parameters)]
    if after is not None:
        common.append(_AFTER)
        parameters["after_at"], parameters["after_rank"], parameters["after_id"] = after
    # A person's own list is walked: few of many is meant for the whole inbox.
    narrow = wanted.agent_id is not None or wanted.assigned_to is not None
    pages = [_page(conn, branch, common, narrow=narrow) for branch in _branches(wanted)]
    page = pages[0]
    if len(pages) > 1:
        every = " UNION ".join(f"({one})" for one in pages)
        page = f"SELECT * FROM ({every}) u ORDER BY at DESC, rank DESC, id DESC LIMIT :limit"
    statement = text(f"""
        WITH page AS MATERIALIZED ({page})
        SELECT {_COLUMNS}
          FROM page p CROSS JOIN LATERAL ({_COUNTS}) n JOIN "Conversations" c ON c.id = p.id {JOINS} {_LATEST}
         ORDER BY p.at DESC, p.rank DESC, p.id DESC
    """)
    names = [field.name for field in fields(InboxRow)]
    return [
        InboxRow(**{name: getattr(row, name) for name in names})
        for row in conn.execute(statement, parameters)
    ]


def plain_conditions(conn: Connection, wanted: InboxFilter, parameters: dict[str, object]) -> list[str]:
    """Conditions on a conversation's own columns; their values go into ``parameters``."""
    conditions = []
    if wanted.agent_id is not None:
        parameters["agent_id"] = wanted.agent_id
    if wanted.assigned_to == "nobody":
        conditions.append("c.assigned_agent_id IS NULL")
    elif wanted.assigned_to is not None:
        conditions.append("c.assigned_agent_id = :assigned_to")
        parameters["assigned_to"] = wanted.assigned_to
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
        conditions.append(_matches(conn, wanted.search, parameters))
    for name, comparison in (("since", ">="), ("until", "<")):
        if getattr(wanted, name) is not None:
            conditions.append(f"{_AT} {comparison} :{name}")
            parameters[name] = getattr(wanted, name)
    return conditions


def _matches(conn: Connection, search: str, parameters: dict[str, object]) -> str:
    """The condition of a search, which also sets its parameters.

    Units and adverts are few: those that match are found first. Their ids are given, not joined: so the planner knows how
    many conversations they stand for, and that there are none when there are none.
    """
    escaped = search.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    parameters["search"] = f"%{escaped}%"
    adverts = conn.execute(_ADVERTS, {"search": parameters["search"]}).scalars().all()
    if not adverts:
        return f"({_NAMED})"
    parameters["adverts"] = list(adverts)
    return f"({_NAMED} OR c.listing_id = ANY(:adverts))"


def _branches(wanted: InboxFilter) -> list[_Branch]:
    scopes = [(one,) for one in _IN_CHARGE] if wanted.agent_id is not None else [()]
    if not wanted.for_person:
        return [_Branch(scope, wanted.status) for scope in scopes]
    if wanted.status is not None:  # a page of one status, of which some wait for a person
        person = "(c.workflow_outcome = 'human_required' OR {})".format(" AND ".join(HAVING["review"]))
        return [_Branch((*scope, person), wanted.status) for scope in scopes]
    asked = ("c.workflow_outcome = 'human_required'",)
    return [
        _Branch((*scope, *conditions), kind)
        for scope, (conditions, kind) in product(scopes, ((asked, None), ((), "review")))
    ]


def _page(conn: Connection, branch: _Branch, common: Sequence[str], *, narrow: bool) -> str:
    """SELECT of the keys of a branch's first page."""
    conditions = " AND ".join((*common, *branch.conditions))
    if branch.kind is None:
        return f'SELECT {_KEYS} FROM "Conversations" c WHERE {conditions} ORDER BY {_ORDER} LIMIT :limit'
    having = " AND ".join(HAVING[branch.kind])
    one_of = ONE_OF.get(branch.kind)
    if one_of is None or narrow or not _are_few(conn, one_of):
        return f"""
            SELECT {_KEYS} FROM "Conversations" c WHERE {conditions} AND {having}
             ORDER BY {_ORDER} LIMIT :limit"""
    # An array, since nothing tells the planner how few a set is: it would read the inbox instead.
    return f"""
        SELECT c.* FROM (
          SELECT {_KEYS} FROM "Conversations" c
           WHERE {conditions} AND c.id = ANY(ARRAY(SELECT m.conversation_id FROM "Messages" m WHERE {one_of}))
           ORDER BY {_ORDER}) c
         WHERE {having} ORDER BY c.at DESC, c.rank DESC, c.id DESC LIMIT :limit"""


def _are_few(conn: Connection, one_of: str) -> bool:
    some = text(f"""
        SELECT count(*) FROM (SELECT m.conversation_id FROM "Messages" m WHERE {one_of} LIMIT {FEW + 1}) AS found
    """)
    return int(conn.execute(some).scalar_one()) <= FEW
