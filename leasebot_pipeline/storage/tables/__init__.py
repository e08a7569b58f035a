"""The schema as SQLAlchemy Core tables; the migrations build exactly this (a test compares them)."""

from leasebot_pipeline.storage.tables import (
    accounts,
    api,
    auth,
    conversations,
    dispatch,
    models,
    operations,
    release,
    rollups,
    scheduling,
    steering,
)
from leasebot_pipeline.storage.tables.columns import metadata

__all__ = [
    "accounts",
    "api",
    "auth",
    "conversations",
    "dispatch",
    "metadata",
    "models",
    "operations",
    "release",
    "rollups",
    "scheduling",
    "steering",
]
