"""A database connection that dies in the middle of a commit: before the server got it, or before it could answer."""

from __future__ import annotations

import os
import select
import socket
from typing import Any

from sqlalchemy import Connection, Engine, event

from leasebot_pipeline.chaos.tasks import CommitFault


class CommitFaults:
    """Resets one of the coming commits of an engine, on the real socket."""

    def __init__(self, engine: Engine) -> None:
        self._fault: CommitFault | None = None
        self._left = 0
        event.listen(engine, "commit", self._committing)

    def arm(self, fault: CommitFault | None, nth: int = 1) -> None:
        """Reset the ``nth`` commit from now; None leaves all alone."""
        self._fault, self._left = fault, nth

    @property
    def armed(self) -> bool:
        """Whether the fault is still to come."""
        return self._fault is not None

    def _committing(self, conn: Connection) -> None:
        if self._fault is None:
            return
        self._left -= 1
        if self._left > 0:
            return
        fault, self._fault = self._fault, None
        driver: Any = conn.connection.dbapi_connection
        wire = socket.socket(fileno=os.dup(driver.pgconn.socket))
        try:
            if fault == "unanswered":
                driver.pgconn.send_query(b"COMMIT")
                while driver.pgconn.flush():
                    pass
                select.select([wire], [], [], 10)  # the server has done it; what it says is never read
                driver.pgconn.finish()
            else:
                wire.shutdown(socket.SHUT_RDWR)
        finally:
            wire.close()
