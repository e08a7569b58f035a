"""A small leasing office for booking tests: units that are open, agents who are available, leads."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from leasebot_pipeline.domain.slots_policy import SlotPolicy
from leasebot_pipeline.storage import booking, invariants
from leasebot_pipeline.storage.booking import BookingRequest, BookingResult
from leasebot_pipeline.storage.tables.accounts import listings, unit_agent_assignments
from leasebot_pipeline.storage.tables.scheduling import (
    agent_availability_slots,
    availability_slots,
    slot_offers,
)
from tests.storage import rows
from tests.storage.conftest import ACCOUNT, NOW

HALF = timedelta(minutes=30)
DAY = timedelta(days=1)
TEN = NOW + DAY - timedelta(hours=2)
"""Tomorrow at ten, UTC: everybody is there from eight to eighteen."""
_keys = count(1)


@dataclass
class Office:
    conn: Connection
    policy: SlotPolicy = field(default_factory=SlotPolicy)
    now: datetime = NOW

    def unit(self, *agents: UUID, opens: bool = True) -> UUID:
        """A unit with its listing, shown by those agents, open the whole of tomorrow."""
        unit = rows.unit(self.conn)
        rows.add(self.conn, listings, unit_id=unit, platform_account_id=ACCOUNT, rent_cents=1)
        for n, agent in enumerate(agents, start=1):
            rows.add(self.conn, unit_agent_assignments, unit_id=unit, agent_id=agent, priority=n)
        if opens:
            self.opens(unit, TEN - timedelta(hours=2), TEN + timedelta(hours=8))
        return unit

    def opens(self, unit: UUID, start: datetime, end: datetime, status: str = "open") -> None:
        values = {"starts_at": start, "ends_at": end, "timezone": "UTC", "status": status}
        rows.add(self.conn, availability_slots, unit_id=unit, **values)

    def agent(self, *, available: bool = True, **values: Any) -> UUID:
        agent = rows.agent(self.conn, **values)
        if available:
            self.is_there(agent, TEN - timedelta(hours=2), TEN + timedelta(hours=8))
        return agent

    def is_there(self, agent: UUID, start: datetime, end: datetime, status: str = "available") -> None:
        values = {"starts_at": start, "ends_at": end, "timezone": "UTC", "status": status}
        rows.add(self.conn, agent_availability_slots, agent_id=agent, **values)

    def lead(self, unit: UUID, **values: Any) -> UUID:
        listing = rows.value(self.conn, 'SELECT id FROM "Listings" WHERE unit_id = :u', u=unit)
        return rows.conversation(self.conn, listing_id=listing, **values)

    def wish(self, unit: UUID, agent: UUID, start: datetime = TEN, **values: Any) -> BookingRequest:
        defaults: dict[str, Any] = {
            "idempotency_key": f"key-{next(_keys):06}",
            "platform_account_id": ACCOUNT,
            "ends_at": start + HALF,
            "timezone": "America/New_York",
        }
        return BookingRequest(unit_id=unit, agent_id=agent, starts_at=start, **{**defaults, **values})

    def book(self, unit: UUID, agent: UUID, start: datetime = TEN, **values: Any) -> BookingResult:
        return self.ask(self.wish(unit, agent, start, **values))[0]

    def ask(self, *wishes: BookingRequest) -> list[BookingResult]:
        return booking.book(self.conn, wishes, self.policy, self.now)

    def offer(self, lead: UUID, unit: UUID, agent: UUID, start: datetime = TEN, **values: Any) -> UUID:
        """An offered slot, with a decision of its own."""
        decision = rows.decision(self.conn, lead, rows.message(self.conn, lead))
        defaults = {"position": 1, "label": "a slot", "timezone": "UTC", "ends_at": start + HALF}
        identity: UUID = rows.add(
            self.conn,
            slot_offers,
            conversation_id=lead,
            decision_id=decision,
            unit_id=unit,
            agent_id=agent,
            starts_at=start,
            **{**defaults, "expires_at": start, **values},
        )
        return identity

    def conversation(self, lead: UUID) -> tuple[Any, ...]:
        query = 'SELECT workflow_state, workflow_outcome, showing_state FROM "Conversations" WHERE id = :id'
        return tuple(self.conn.execute(text(query), {"id": lead}).one())

    def offer_state(self, offer: UUID) -> str:
        return str(rows.value(self.conn, 'SELECT state FROM "SlotOffers" WHERE id = :id', id=offer))

    def audits(self, action: str) -> list[dict[str, Any]]:
        query = 'SELECT details FROM "AuditLogs" WHERE action = :action ORDER BY created_at, id'
        return list(self.conn.execute(text(query), {"action": action}).scalars())

    def broken(self) -> list[str]:
        return [f"{r.name}: {r.sample}" for r in invariants.check(self.conn, self.now) if not r.holds]
