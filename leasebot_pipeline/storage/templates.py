"""Reply templates: an account's own and those of all accounts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError


class TemplateExists(Exception):
    """The account has a template of that name and locale; for global ones, there is a global one."""


class AccountUnknown(Exception):
    """No account has that id."""


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """A template; ``platform_account_id`` is None for one of all accounts."""

    id: UUID
    platform_account_id: UUID | None
    name: str
    channel: str
    locale: str
    body: str
    variables: list[str]
    is_active: bool
    updated_at: datetime


FIELDS = ("name", "channel", "locale", "body", "variables", "is_active")
_COLUMNS = "id, platform_account_id, name, channel, locale, body, variables, is_active, updated_at"
_LIST = text(f"""
    SELECT {_COLUMNS} FROM "Templates"
     WHERE platform_account_id IS NULL OR platform_account_id = :account
     ORDER BY updated_at DESC, id
""")
_LIST_ALL = text(f"""
    SELECT {_COLUMNS} FROM "Templates" ORDER BY platform_account_id NULLS FIRST, name, locale, id LIMIT :limit
""")
_FIND = text(f'SELECT {_COLUMNS} FROM "Templates" WHERE id = :id FOR UPDATE')
# NULLs are distinct to the unique constraint, so a second global one is looked for here.
_TWIN = text("""
    SELECT EXISTS (SELECT 1 FROM "Templates"
                    WHERE platform_account_id IS NOT DISTINCT FROM CAST(:account AS uuid)
                      AND name = :name AND locale = :locale AND id IS DISTINCT FROM CAST(:id AS uuid))
""")
_CREATE = text("""
    INSERT INTO "Templates" (platform_account_id, name, channel, locale, body, variables, is_active, created_at, updated_at)
    VALUES (:account, :name, :channel, :locale, :body, CAST(:variables AS jsonb), :is_active, :now, :now)
    RETURNING id
""")
_UPDATE = text("""
    UPDATE "Templates" SET name = :name, channel = :channel, locale = :locale, body = :body,
           variables = CAST(:variables AS jsonb), is_active = :is_active, updated_at = :now
     WHERE id = :id
""")
_USED_BY = text("""
    SELECT name FROM "AutomationRules"
     WHERE action_config ->> 'template' = :name
       AND (CAST(:account AS uuid) IS NULL OR platform_account_id IS NULL OR platform_account_id = :account)
     ORDER BY priority, name
""")
_DELETE = text('DELETE FROM "Templates" WHERE id = :id')


def list_templates(conn: Connection, account_id: UUID) -> list[StoredTemplate]:
    """The account's own and the global ones, newest change first."""
    return [StoredTemplate(*row) for row in conn.execute(_LIST, {"account": account_id})]


def list_all(conn: Connection, limit: int) -> list[StoredTemplate]:
    """Those of every account, the global ones first, by name."""
    return [StoredTemplate(*row) for row in conn.execute(_LIST_ALL, {"limit": limit})]


def find_template(conn: Connection, template_id: UUID) -> StoredTemplate | None:
    """The template, its row locked."""
    row = conn.execute(_FIND, {"id": template_id}).one_or_none()
    return None if row is None else StoredTemplate(*row)


def create_template(
    conn: Connection, account_id: UUID | None, values: Mapping[str, Any], now: datetime
) -> UUID:
    """Create one from all of ``FIELDS``. Raises TemplateExists, AccountUnknown."""
    parameters = _parameters(values, now) | {"account": account_id}
    _refuse_twin(conn, account_id, values, None)
    try:
        with conn.begin_nested():
            created: UUID = conn.execute(_CREATE, parameters).scalar_one()
            return created
    except IntegrityError as error:
        raise _reason(error) from error


def update_template(
    conn: Connection, current: StoredTemplate, values: Mapping[str, Any], now: datetime
) -> None:
    """Replace the given ``FIELDS``. Raises TemplateExists."""
    merged = {name: getattr(current, name) for name in FIELDS} | dict(values)
    _refuse_twin(conn, current.platform_account_id, merged, current.id)
    try:
        with conn.begin_nested():
            conn.execute(_UPDATE, _parameters(merged, now) | {"id": current.id})
    except IntegrityError as error:
        raise _reason(error) from error


def rules_using(conn: Connection, template: StoredTemplate) -> Sequence[str]:
    """Names of the rules that send this template."""
    found = conn.execute(_USED_BY, {"name": template.name, "account": template.platform_account_id})
    return found.scalars().all()


def delete_template(conn: Connection, template_id: UUID) -> None:
    """Remove it; decisions made with it keep their text."""
    conn.execute(_DELETE, {"id": template_id})


def _parameters(values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {**values, "variables": json.dumps(values["variables"]), "now": now}


def _refuse_twin(
    conn: Connection, account_id: UUID | None, values: Mapping[str, Any], template_id: UUID | None
) -> None:
    parameters = {
        "account": account_id,
        "name": values["name"],
        "locale": values["locale"],
        "id": template_id,
    }
    if conn.execute(_TWIN, parameters).scalar_one():
        raise TemplateExists


def _reason(error: IntegrityError) -> Exception:
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", "") or ""
    return TemplateExists() if "name_locale" in constraint else AccountUnknown()
