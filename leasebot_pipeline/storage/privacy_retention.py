"""Leads nobody has heard of for long: their personal data goes, as if they had asked for it."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.storage.privacy import ERASED

# A person's newest conversation speaks for all of theirs on the account. A showing that is not over for so long, and a
# reply that is being sent or in doubt, keep the lead.
_SILENT: Final = """
    c.erased_at IS NULL AND COALESCE(c.last_message_at, c.created_at) < :before
    AND NOT EXISTS (
      SELECT 1 FROM "Conversations" o
       WHERE o.platform_account_id = c.platform_account_id AND o.lead_external_id = c.lead_external_id
         AND COALESCE(o.last_message_at, o.created_at) >= :before)
    AND NOT EXISTS (SELECT 1 FROM "ShowingAppointments" s WHERE s.conversation_id = c.id AND s.ends_at >= :before)
    AND NOT EXISTS (SELECT 1 FROM "OutboundDispatches" d
                     WHERE d.conversation_id = c.id AND d.state IN ('claimed', 'sending', 'unknown'))
"""
# A landed message belongs to a conversation, or to nobody: quarantined, or of an account's thread that never became one.
_STRAY: Final = f"""
    x.landed_at < :before AND x.body <> '{ERASED}'
    AND NOT EXISTS (SELECT 1 FROM "Conversations" c
                     WHERE c.platform_account_id = x.platform_account_id AND c.external_thread_id = x.external_thread_id)
"""
_FIND = text(f'SELECT c.id FROM "Conversations" c WHERE {_SILENT} ORDER BY c.id LIMIT :at_most')
_WAITING = text(f"""
    SELECT (SELECT count(*) FROM "Conversations" c WHERE {_SILENT})
         + (SELECT count(*) FROM "InboundEvents" x WHERE {_STRAY})
""")
_ERASE_STRAYS = text(f"""
    UPDATE "InboundEvents" SET body = '{ERASED}', payload = '{{}}'::jsonb, sent_at_text = NULL
     WHERE id IN (SELECT x.id FROM "InboundEvents" x WHERE {_STRAY} LIMIT :at_most)
""")


def silent_leads(conn: Connection, before: datetime, at_most: int) -> list[UUID]:
    """Conversations whose leads have been silent since."""
    return list(conn.execute(_FIND, {"before": before, "at_most": at_most}).scalars())


def waiting(conn: Connection, before: datetime) -> int:
    """How many conversations and stray landed messages would be erased."""
    return int(conn.execute(_WAITING, {"before": before}).scalar_one())


def erase_strays(conn: Connection, before: datetime, at_most: int) -> int:
    """Erase landed messages that belong to no conversation; how many."""
    return conn.execute(_ERASE_STRAYS, {"before": before, "at_most": at_most}).rowcount
