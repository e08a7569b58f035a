"""How deep an inbox is read: until a page shows nothing that was not read before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from leasebot_pipeline.domain.identity import inbox_row_fingerprint
from leasebot_pipeline.domain.readings import InboxRow

DEEP_LOOK_EVERY: Final = timedelta(minutes=10)
"""How often an inbox is read to its end (or to history) whatever is known of it: a list that once ended early, or
was out of order, would otherwise hide for ever what stands below its known top."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """What of an inbox is known.

    ``read`` holds, by thread id, the row fingerprint its page was last read under; rows older than
    ``history_before`` are answered by nobody. ``resume_url`` is where the last reading was cut off: what lies
    between here and there was read, what lies beyond was not.
    """

    read: Mapping[str, str] = field(default_factory=dict)
    history_before: datetime | None = None
    resume_url: str | None = None

    def settles(self, rows: Sequence[InboxRow]) -> bool:
        """True when every row of a page was read as it stands, or is history: what follows is older still."""
        return all(self._is_settled(row) for row in rows)

    def _is_settled(self, row: InboxRow) -> bool:
        if self.read.get(row.external_thread_id) == inbox_row_fingerprint(row):
            return True
        return (
            self.history_before is not None and row.sent_at is not None and row.sent_at < self.history_before
        )
