"""Listing sync: adverts become listings and units, one account's list in a fixed number of statements."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class SyncedListings:
    """Counts of one account's sync."""

    inserted: int
    updated: int
    vanished: int


# A unit is found through its listing, then by key, then by name and number; else it is created. The name
# of an existing unit is a person's: sync never overwrites it (fault G-52).
_UNITS = text("""
    WITH given AS (
      SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
        listing_external_id text, unit_key text, property_name text, unit_number text, active boolean)
    )
    INSERT INTO "Units" (external_id, property_name, unit_number, is_active)
    SELECT DISTINCT ON (lower(g.property_name), lower(g.unit_number)) g.unit_key, g.property_name, g.unit_number, true
      FROM given g
     WHERE NOT EXISTS (SELECT 1 FROM "Listings" l
                        WHERE l.platform_account_id = :account AND l.listing_external_id = g.listing_external_id)
       AND NOT EXISTS (SELECT 1 FROM "Units" u WHERE u.external_id = g.unit_key)
       AND NOT EXISTS (SELECT 1 FROM "Units" u WHERE lower(u.property_name) = lower(g.property_name)
                          AND lower(u.unit_number) = lower(g.unit_number))
    ON CONFLICT (property_name, unit_number) DO NOTHING
""")
_LISTINGS = text("""
    WITH given AS (
      SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
        listing_external_id text, unit_key text, property_name text, unit_number text, active boolean,
        rent_cents int, metadata jsonb)
    ), placed AS (
      SELECT DISTINCT ON (g.listing_external_id) g.*, COALESCE(
               (SELECT l.unit_id FROM "Listings" l
                 WHERE l.platform_account_id = :account AND l.listing_external_id = g.listing_external_id),
               (SELECT u.id FROM "Units" u WHERE u.external_id = g.unit_key ORDER BY u.created_at LIMIT 1),
               (SELECT u.id FROM "Units" u WHERE lower(u.property_name) = lower(g.property_name)
                   AND lower(u.unit_number) = lower(g.unit_number) ORDER BY u.created_at LIMIT 1)) AS unit_id
        FROM given g
    )
    INSERT INTO "Listings" AS l
           (unit_id, platform_account_id, listing_external_id, status, rent_cents, currency_code, metadata, last_seen_at,
            created_at, updated_at)
    SELECT unit_id, :account, listing_external_id, CASE WHEN active THEN 'active' ELSE 'inactive' END,
           COALESCE(rent_cents, 0), 'USD', metadata, :now, :now, :now
      FROM placed
    ON CONFLICT (platform_account_id, listing_external_id) DO UPDATE
       SET status = EXCLUDED.status, last_seen_at = EXCLUDED.last_seen_at,
           rent_cents = CASE WHEN EXCLUDED.rent_cents > 0 THEN EXCLUDED.rent_cents ELSE l.rent_cents END,
           metadata = l.metadata || EXCLUDED.metadata,
           updated_at = CASE WHEN l.status IS DISTINCT FROM EXCLUDED.status
                               OR (l.metadata - 'syncedAt') IS DISTINCT FROM ((l.metadata || EXCLUDED.metadata) - 'syncedAt')
                             THEN EXCLUDED.updated_at ELSE l.updated_at END
    RETURNING (xmax = 0) AS inserted
""")
_VANISHED = text("""
    UPDATE "Listings" SET status = 'inactive', updated_at = :now,
           metadata = metadata || jsonb_build_object('vanishedAt', CAST(:now AS timestamptz))
     WHERE platform_account_id = :account AND status = 'active' AND metadata ->> 'source' = 'rpa_listing_sync'
       AND (last_seen_at IS NULL OR last_seen_at < :now)
""")


def sync(
    conn: Connection, account: UUID, rows: Sequence[Mapping[str, object]], *, complete: bool, now: datetime
) -> SyncedListings:
    """Write one account's adverts in the caller's transaction.

    Rows carry listing_external_id, unit_key, property_name, unit_number, active, rent_cents (or None) and
    metadata. Only a complete reading may mark adverts that were not seen as inactive.
    """
    payload = json.dumps([dict(row) for row in rows])
    parameters = {"rows": payload, "account": account, "now": now}
    conn.execute(_UNITS, parameters)
    inserted = list(conn.execute(_LISTINGS, parameters).scalars())
    vanished = conn.execute(_VANISHED, parameters).rowcount if complete else 0
    return SyncedListings(sum(inserted), len(inserted) - sum(inserted), vanished)
