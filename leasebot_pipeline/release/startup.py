"""A worker that refuses to start leaves a trace where the gate looks: in the audit log."""

from __future__ import annotations

import contextlib
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from leasebot_pipeline.storage import audit
from leasebot_pipeline.storage.engine import DatabaseUrlError, create_engine
from leasebot_pipeline.storage.release_gate import START_REFUSED

FORBIDDEN_RUNTIME: Final = "MOCK_RUNTIME_FORBIDDEN"


def record_refused_start(database_url: str, process: str, reason: str) -> bool:
    """Write that ``process`` did not start because of the runtime; False when it could not be written.

    The process is about to end: a database that does not answer must not hide why.
    """
    if FORBIDDEN_RUNTIME not in reason or not database_url.strip():
        return False
    entry = audit.AuditEntry(
        actor_type="system",
        entity_type="process",
        entity_id=process,
        action=START_REFUSED,
        details={"code": FORBIDDEN_RUNTIME},
    )
    with contextlib.suppress(SQLAlchemyError, DatabaseUrlError):
        engine = create_engine(database_url, application_name="leasebot start", pool_size=1)
        try:
            with engine.begin() as conn:
                audit.record(conn, [entry])
            return True
        finally:
            engine.dispose()
    return False
