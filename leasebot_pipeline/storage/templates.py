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


class TemplateInUse(Exception):
    """``rules`` send the template, and would have none or another one after the change."""

    def __init__(self, rules: tuple[str, ...]) -> None:
        super().__init__(*rules)
        self.rules = rules


@dataclass(frozen=True, slots=True)
class SendingRule:
    """A rule that sends a template; ``accounts`` are all it answers on."""

    id: UUID
    name: str
    is_enabled: bool
    accounts: list[UUID]


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
# Rules name a template; an account's own comes before the one of all accounts, and of equal names (in other languages)
# the newest change: as replies are made (waiting.load_reply_book).
_NAMED = text("""
    SELECT DISTINCT ON (platform_account_id, name) platform_account_id AS account, name, id
      FROM "Templates" WHERE is_active AND name = ANY(:names)
     ORDER BY platform_account_id, name, updated_at DESC
""")
_RULES_NAMING = text("""
    SELECT r.id, r.name, r.is_enabled, array_agg(a.id) AS accounts
      FROM "AutomationRules" r
      JOIN "PlatformAccounts" a ON r.platform_account_id IS NULL OR a.id = r.platform_account_id
     WHERE r.action_config ->> 'template' = :name
       AND (CAST(:account AS uuid) IS NULL OR r.platform_account_id IS NULL OR r.platform_account_id = :account)
     GROUP BY r.id ORDER BY r.name, r.id
""")
_RENAME_IN_RULES = text("""
    UPDATE "AutomationRules" SET action_config = jsonb_set(action_config, '{template}', to_jsonb(CAST(:name AS text))),
           updated_at = :now
     WHERE id = ANY(:ids)
""")


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
) -> list[str]:
    """Replace the given ``FIELDS``; names of the rules that name it anew. Raises TemplateExists, TemplateInUse.

    A rule goes on sending the text it sent: it takes over a new name, and what it sends is not switched off.
    """
    merged = {name: getattr(current, name) for name in FIELDS} | dict(values)
    _refuse_twin(conn, current.platform_account_id, merged, current.id)
    renamed = merged["name"] != current.name
    before = _names_to_ids(conn, current.name, merged["name"])
    rules = _senders(conn, current, before) if renamed or not merged["is_active"] else []
    if rules and not merged["is_active"]:
        raise TemplateInUse(tuple(rule.name for rule in rules))
    try:
        with conn.begin_nested():
            conn.execute(_UPDATE, _parameters(merged, now) | {"id": current.id})
    except IntegrityError as error:
        raise _reason(error) from error
    if not renamed or not rules:
        return []
    after = _names_to_ids(conn, merged["name"])
    lost = tuple(
        rule.name
        for rule in rules
        if any(_sent(before, one, current.name) != _sent(after, one, merged["name"]) for one in rule.accounts)
    )
    if lost:
        raise TemplateInUse(lost)
    ids = [rule.id for rule in rules]
    conn.execute(_RENAME_IN_RULES, {"ids": ids, "name": merged["name"], "now": now})
    return [rule.name for rule in rules]


def _names_to_ids(conn: Connection, *names: str) -> dict[tuple[UUID | None, str], UUID]:
    """Active templates of those names, by account and name."""
    found = conn.execute(_NAMED, {"names": list(names)})
    return {(row.account, row.name): row.id for row in found}


def _sent(known: Mapping[tuple[UUID | None, str], UUID], account: UUID, name: str) -> UUID | None:
    return known.get((account, name)) or known.get((None, name))


def _senders(
    conn: Connection, template: StoredTemplate, known: Mapping[tuple[UUID | None, str], UUID]
) -> list[SendingRule]:
    """Rules that send this very template on some account, switched off ones too."""
    named = conn.execute(_RULES_NAMING, {"name": template.name, "account": template.platform_account_id})
    return [
        SendingRule(*row)
        for row in named
        if any(_sent(known, account, template.name) == template.id for account in row.accounts)
    ]


def is_sent(conn: Connection, template: StoredTemplate) -> bool:
    """Whether a rule that is on sends this very template."""
    rules = _senders(conn, template, _names_to_ids(conn, template.name))
    return any(rule.is_enabled for rule in rules)


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
