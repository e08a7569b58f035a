"""Column shorthands shared by the table modules, and the one MetaData."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, MetaData, Text, text
from sqlalchemy.dialects.postgresql import JSONB, UUID

metadata = MetaData()


def uuid_key() -> Column[Any]:
    return Column("id", UUID, primary_key=True, server_default=text("gen_random_uuid()"))


def ref(name: str, target: str, on_delete: str, *, nullable: bool = False) -> Column[Any]:
    """A uuid foreign key to ``target``'s id."""
    return Column(name, UUID, ForeignKey(f"{target}.id", ondelete=on_delete), nullable=nullable)


def required(name: str, default: str | None = None) -> Column[Any]:
    """A NOT NULL text column; ``default`` is its literal default."""
    server_default = None if default is None else text(f"'{default}'")
    return Column(name, Text, nullable=False, server_default=server_default)


def optional(name: str) -> Column[Any]:
    return Column(name, Text)


def instant(name: str, *, nullable: bool = True, now: bool = False) -> Column[Any]:
    """A timestamptz column; ``now`` makes it NOT NULL DEFAULT now()."""
    return Column(
        name,
        DateTime(timezone=True),
        nullable=nullable and not now,
        server_default=text("now()") if now else None,
    )


def document(name: str, default: str | None = "{}", *, nullable: bool = False) -> Column[Any]:
    """A jsonb column."""
    server_default = None if default is None else text(f"'{default}'::jsonb")
    return Column(name, JSONB, nullable=nullable, server_default=server_default)


def stamps() -> tuple[Column[Any], Column[Any]]:
    return instant("created_at", now=True), instant("updated_at", now=True)


def one_of(name: str, column: str, *values: str) -> CheckConstraint:
    """CHECK that a text column holds one of the values (NULL passes where the column allows it)."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=name)
