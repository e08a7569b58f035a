"""What goes wrong in a database when nobody looks."""

from __future__ import annotations

from sqlalchemy import text

from tests.conftest import Database


def spoil(database: Database) -> None:
    """An account missing, the others stopped, no release stage, no linkage in the audit, an old schema."""
    with database.engine.begin() as conn:
        conn.execute(text("DELETE FROM \"PlatformAccounts\" WHERE platform = 'renthop'"))
        conn.execute(text("UPDATE \"AccountRuntime\" SET stop_code = 'SESSION_EXPIRED', stopped_at = now()"))
        conn.execute(text('DELETE FROM "ReleaseStages"'))
        conn.execute(text("""UPDATE "AuditLogs" SET details = '{"linkage": {}}'"""))
        conn.execute(text("UPDATE alembic_version SET version_num = '0002'"))
