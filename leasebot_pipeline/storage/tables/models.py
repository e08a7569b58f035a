"""What decisions are replayed from, and what asking the model costs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Date, Integer, LargeBinary, Table, Text, text

from leasebot_pipeline.storage.tables.columns import instant, metadata, optional


def _count(name: str, kind: type[Integer]) -> Column[Any]:
    return Column(name, kind, nullable=False, server_default=text("0"))


decision_parts = Table(
    "DecisionParts",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    instant("created_at", now=True),
)

model_usage = Table(
    "ModelUsage",
    metadata,
    Column("day", Date, primary_key=True),
    _count("questions", Integer),
    _count("failures", Integer),
    _count("prompt_tokens", BigInteger),
    _count("output_tokens", BigInteger),
    _count("unknown_tokens", BigInteger),
    _count("cost_micros", BigInteger),
    _count("reserved_tokens", BigInteger),
    _count("reserved_micros", BigInteger),
    instant("limit_reached_at"),
)

model_circuits = Table(
    "ModelCircuits",
    metadata,
    Column("model", Text, primary_key=True),
    _count("failures", Integer),
    _count("openings", Integer),
    instant("open_until"),
    optional("code"),
    instant("updated_at", nullable=False),
)
