"""Automation rules: which template answers which intent on an account."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError


class AccountUnknown(Exception):
    """No account has that id."""


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule; ``platform_account_id`` is None for one of all accounts."""

    id: UUID
    platform_account_id: UUID | None
    name: str
    description: str | None
    trigger_type: str
    conditions: dict[str, Any]
    action_type: str
    action_config: dict[str, Any]
    priority: int
    is_enabled: bool
    created_at: datetime
    updated_at: datetime


FIELDS = ("name", "description", "conditions", "action_config", "priority", "is_enabled")
_COLUMNS = """id, platform_account_id, name, description, trigger_type, conditions, action_type, action_config,
              priority, is_enabled, created_at, updated_at"""
_SENDS = "trigger_type = 'message_received' AND action_type = 'send_template'"
_LIST = text(f"""
    SELECT {_COLUMNS} FROM "AutomationRules"
     WHERE platform_account_id IS NULL OR platform_account_id = :account
     ORDER BY platform_account_id NULLS LAST, priority, created_at, id
""")
_LIST_ALL = text(f"""
    SELECT {_COLUMNS} FROM "AutomationRules"
     ORDER BY platform_account_id NULLS FIRST, priority, created_at, id LIMIT :limit
""")
_OF_ACCOUNT = text(f"""
    SELECT {_COLUMNS} FROM "AutomationRules"
     WHERE platform_account_id = :account AND {_SENDS}
     ORDER BY priority, created_at, id
""")
_FIND = text(f'SELECT {_COLUMNS} FROM "AutomationRules" WHERE id = :id FOR UPDATE')
_CREATE = text("""
    INSERT INTO "AutomationRules" (platform_account_id, name, description, trigger_type, conditions, action_type,
                                   action_config, priority, is_enabled, created_at, updated_at)
    VALUES (:account, :name, :description, 'message_received', CAST(:conditions AS jsonb), 'send_template',
            CAST(:action_config AS jsonb), :priority, :is_enabled, :now, :now)
    RETURNING id
""")
_UPDATE = text("""
    UPDATE "AutomationRules" SET name = :name, description = :description, conditions = CAST(:conditions AS jsonb),
           action_config = CAST(:action_config AS jsonb), priority = :priority, is_enabled = :is_enabled, updated_at = :now
     WHERE id = :id
""")
_ENABLE = text(f"""
    UPDATE "AutomationRules" SET is_enabled = :enabled, updated_at = :now
     WHERE platform_account_id = :account AND {_SENDS} AND conditions ->> 'intent' IS NOT NULL
""")
_DELETE = text('DELETE FROM "AutomationRules" WHERE id = :id')


def list_rules(conn: Connection, account_id: UUID) -> list[StoredRule]:
    """The account's own by priority, then the global ones."""
    return [StoredRule(*row) for row in conn.execute(_LIST, {"account": account_id})]


def list_all(conn: Connection, limit: int) -> list[StoredRule]:
    """Those of every account, the global ones first, by priority."""
    return [StoredRule(*row) for row in conn.execute(_LIST_ALL, {"limit": limit})]


def rules_of_account(conn: Connection, account_id: UUID) -> list[StoredRule]:
    """The account's own sending rules, first one first."""
    return [StoredRule(*row) for row in conn.execute(_OF_ACCOUNT, {"account": account_id})]


def find_rule(conn: Connection, rule_id: UUID) -> StoredRule | None:
    """The rule, its row locked."""
    row = conn.execute(_FIND, {"id": rule_id}).one_or_none()
    return None if row is None else StoredRule(*row)


def create_rule(conn: Connection, account_id: UUID | None, values: Mapping[str, Any], now: datetime) -> UUID:
    """Create a rule from all of ``FIELDS``. Raises AccountUnknown."""
    try:
        with conn.begin_nested():
            made: UUID = conn.execute(
                _CREATE, _parameters(values, now) | {"account": account_id}
            ).scalar_one()
            return made
    except IntegrityError as error:
        raise AccountUnknown from error


def update_rule(conn: Connection, current: StoredRule, values: Mapping[str, Any], now: datetime) -> None:
    """Replace the given ``FIELDS``."""
    merged = {name: getattr(current, name) for name in FIELDS} | dict(values)
    conn.execute(_UPDATE, _parameters(merged, now) | {"id": current.id})


def enable_rules(conn: Connection, account_id: UUID, enabled: bool, now: datetime) -> int:
    """Switch all rules of the account that answer an intent; how many there are."""
    return conn.execute(_ENABLE, {"account": account_id, "enabled": enabled, "now": now}).rowcount


def delete_rule(conn: Connection, rule_id: UUID) -> None:
    conn.execute(_DELETE, {"id": rule_id})


def _parameters(values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    documents = {name: json.dumps(values[name]) for name in ("conditions", "action_config")}
    return {**values, **documents, "now": now}
