"""What the sandbox's team starts with: its units and adverts, agents with calendars, rules and templates.

The listing sync finds the same adverts later and keeps them in step; only what is missing is written.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from leasebot_pipeline.domain.listings import sync_row
from leasebot_pipeline.domain.platforms import REQUIRED_ACCOUNTS
from leasebot_pipeline.domain.readings import ListingRow
from leasebot_pipeline.sandbox.portfolio import adverts
from leasebot_pipeline.storage import listings, sample_workspace


def prepare(conn: Connection, now: datetime) -> None:
    """Write the practice team in the caller's transaction."""
    synced_at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for account in REQUIRED_ACCOUNTS:
        rows = [
            sync_row(
                account.id,
                ListingRow(
                    listing_external_id=advert.external_id,
                    status="active" if advert.active else "inactive",
                    title=advert.title,
                    location=advert.location,
                    price_text=advert.price_text,
                    property_name=advert.property_name,
                    unit_number=advert.unit_number,
                ),
                synced_at,
            )
            for advert in adverts()
            if advert.platform is account.platform and advert.listed
        ]
        listings.sync(conn, account.id, rows, complete=False, now=now)
    sample_workspace.seed_replies(conn)
    sample_workspace.seed_team(conn, now)
