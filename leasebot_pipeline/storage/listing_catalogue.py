"""Listings as people manage them; what the platforms show comes through the listing sync."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import IntegrityError

from leasebot_pipeline.domain.platforms import SendMode
from leasebot_pipeline.domain.policy import PlatformPolicy
from leasebot_pipeline.storage.policies import CURRENT_STAGE, STAGE_COLUMNS, policy_of


class ListingRefused(Exception):
    """``field`` and ``rule`` say why the database would not take it."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field, self.rule = field, rule


@dataclass(frozen=True, slots=True)
class StoredListing:
    """A listing with the policy of its account."""

    id: UUID
    unit_id: UUID
    platform_account_id: UUID
    platform: str
    listing_external_id: str | None
    status: str
    rent_cents: int
    currency_code: str
    available_on: date | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    integration_mode: str
    policy: PlatformPolicy

    @property
    def assigned_agent_id(self) -> str | None:
        value = self.metadata.get("assignedAgentId")
        return value if isinstance(value, str) else None


FIELDS = (
    "unit_id",
    "platform_account_id",
    "listing_external_id",
    "status",
    "rent_cents",
    "currency_code",
    "available_on",
)
_COLUMNS = f"""l.id, l.unit_id, l.platform_account_id, a.platform, l.listing_external_id, l.status, l.rent_cents,
              l.currency_code, l.available_on, l.metadata, l.created_at, l.updated_at,
              a.integration_mode, {STAGE_COLUMNS}"""
_FROM = f'"Listings" l JOIN "PlatformAccounts" a ON a.id = l.platform_account_id {CURRENT_STAGE}'
_SHOWN_BY = """(CAST(:agent AS uuid) IS NULL OR EXISTS (
            SELECT 1 FROM "UnitAgentAssignments" s WHERE s.unit_id = l.unit_id AND s.agent_id = :agent))"""
_LIST = text(f"""
    SELECT {_COLUMNS} FROM {_FROM}
     WHERE l.deleted_at IS NULL AND (:include_inactive OR a.is_active) AND {_SHOWN_BY}
       AND (CAST(:unit AS uuid) IS NULL OR l.unit_id = :unit)
       AND (CAST(:after_at AS timestamptz) IS NULL OR (l.updated_at, l.id) < (CAST(:after_at AS timestamptz), CAST(:after_id AS uuid)))
     ORDER BY l.updated_at DESC, l.id DESC LIMIT :limit
""")
_FIND = text(f"SELECT {_COLUMNS} FROM {_FROM} WHERE l.id = :id AND l.deleted_at IS NULL AND {_SHOWN_BY}")
_LOCK = text('SELECT id FROM "Listings" WHERE id = :id AND deleted_at IS NULL FOR UPDATE')
_CREATE = text("""
    INSERT INTO "Listings" AS l (unit_id, platform_account_id, listing_external_id, status, rent_cents, currency_code,
                                 available_on, metadata)
    VALUES (:unit_id, :platform_account_id, :listing_external_id, :status, :rent_cents, :currency_code,
            :available_on, CAST(:metadata AS jsonb))
    ON CONFLICT (platform_account_id, listing_external_id) DO UPDATE
       SET unit_id = excluded.unit_id, status = excluded.status, rent_cents = excluded.rent_cents,
           currency_code = excluded.currency_code, available_on = excluded.available_on,
           metadata = excluded.metadata, deleted_at = NULL, updated_at = :now
     WHERE l.deleted_at IS NOT NULL
    RETURNING id
""")
_DELETE = text("""
    UPDATE "Listings" SET deleted_at = :now, status = 'inactive', updated_at = :now
     WHERE id = :id AND deleted_at IS NULL RETURNING id
""")


def list_listings(
    conn: Connection,
    limit: int,
    after: Sequence[object] | None = None,
    *,
    unit_id: UUID | None,
    include_inactive: bool,
    default_send_mode: SendMode,
    agent_id: UUID | None = None,
) -> list[StoredListing]:
    """Newest change first, those after the key (updated_at as ISO text, id)."""
    at, key = after if after is not None else (None, None)
    parameters = {
        "limit": limit,
        "after_at": at,
        "after_id": key,
        "unit": unit_id,
        "include_inactive": include_inactive,
        "agent": agent_id,
    }
    return [_listing(row, default_send_mode) for row in conn.execute(_LIST, parameters)]


def find_listing(
    conn: Connection, listing_id: UUID, default_send_mode: SendMode, agent_id: UUID | None = None
) -> StoredListing | None:
    row = conn.execute(_FIND, {"id": listing_id, "agent": agent_id}).one_or_none()
    return None if row is None else _listing(row, default_send_mode)


def lock_listing(conn: Connection, listing_id: UUID, default_send_mode: SendMode) -> StoredListing | None:
    """The listing, its row locked until the transaction ends."""
    if conn.execute(_LOCK, {"id": listing_id}).one_or_none() is None:
        return None
    return find_listing(conn, listing_id, default_send_mode)


def create_listing(conn: Connection, values: Mapping[str, Any], now: datetime) -> UUID:
    """Create one from ``FIELDS`` and ``metadata``. Raises ListingRefused."""
    parameters = {**values, "metadata": json.dumps(values["metadata"]), "now": now}
    try:
        with conn.begin_nested():
            made: UUID | None = conn.execute(_CREATE, parameters).scalar_one_or_none()
    except IntegrityError as error:
        raise _refusal(error) from error
    if made is None:
        raise ListingRefused("listingExternalId", "the account has a listing of this id")
    return made


def update_listing(conn: Connection, listing_id: UUID, values: Mapping[str, Any], now: datetime) -> None:
    """Set the given ``FIELDS`` and ``metadata`` (whole). Raises ListingRefused."""
    chosen = [name for name in FIELDS if name in values]
    sets = "".join(f", {name} = :{name}" for name in chosen)
    parameters: dict[str, Any] = {name: values[name] for name in chosen} | {"id": listing_id, "now": now}
    if "metadata" in values:
        sets += ", metadata = CAST(:metadata AS jsonb)"
        parameters["metadata"] = json.dumps(values["metadata"])
    try:
        with conn.begin_nested():
            conn.execute(text(f'UPDATE "Listings" SET updated_at = :now{sets} WHERE id = :id'), parameters)
    except IntegrityError as error:
        raise _refusal(error) from error


def delete_listing(conn: Connection, listing_id: UUID, now: datetime) -> bool:
    """Hide a listing; conversations keep their link to it. False when there is none."""
    return conn.execute(_DELETE, {"id": listing_id, "now": now}).one_or_none() is not None


def _listing(row: Row[Any], default_send_mode: SendMode) -> StoredListing:
    names = {field.name for field in fields(StoredListing)} - {"policy"}
    return StoredListing(
        **{name: getattr(row, name) for name in names}, policy=policy_of(row, default_send_mode)
    )


def _refusal(error: IntegrityError) -> ListingRefused:
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", "") or ""
    if "unit_id" in constraint:
        return ListingRefused("unitId", "must be the id of a unit")
    if "external" in constraint:
        return ListingRefused("listingExternalId", "the account has a listing of this id")
    return ListingRefused("platformAccountId", "must be the id of an account")
