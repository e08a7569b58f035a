"""A leasing team whose leads fall silent: inboxes in memory, real stages, a clock that is moved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from leasebot_pipeline.platforms.mock import MockConnectors, MockInbox
from leasebot_pipeline.stages import decide, dispatch, follow_up, ingest, link, poll
from leasebot_pipeline.stages.follow_up import FollowUpResult, PlanResult
from leasebot_pipeline.storage import invariants
from tests.stages.conftest import ACCOUNT, PLATFORM, Office, OfficeMaker

TOUR = "Hi! Could I come and see the apartment this week? Any time works."


@dataclass
class Following:
    """The office with its platform's inbox; time passes only when told to."""

    office: Office
    inbox: MockInbox

    @property
    def now(self) -> datetime:
        return self.office.clock()

    def lead_writes(
        self, thread: str, body: str = TOUR, *, name: str = "Ana Lead", listing: str = "L1"
    ) -> None:
        self.inbox.write(thread, body, self.office.clock, lead_name=name, listing_external_id=listing)

    def read_inbox(self) -> None:
        """A poll: what is new lands."""
        poll.poll(self.office.pipeline, PLATFORM, "test")

    def take_in(self) -> None:
        self.read_inbox()
        ingest.ingest(self.office.pipeline, ingest.load(self.office.pipeline, PLATFORM), {}, "run")
        link.link(self.office.pipeline, PLATFORM, "run")

    def decide(self) -> None:
        decide.apply(self.office.pipeline, decide.plan(self.office.pipeline, PLATFORM, "run"), {}, "run")

    def dispatch(self) -> dispatch.DispatchResult:
        return dispatch.dispatch(self.office.pipeline, PLATFORM, "run")

    def answer(self) -> None:
        """Everything up to the proven reply, and its silence planned."""
        self.take_in()
        self.decide()
        self.dispatch()
        self.plan()

    def plan(self) -> PlanResult:
        return follow_up.plan_steps(self.office.pipeline, PLATFORM, "run")

    def take_steps(self) -> FollowUpResult:
        """What is due happens, up to the outbox."""
        return follow_up.apply(self.office.pipeline, follow_up.due(self.office.pipeline, PLATFORM), {}, "run")

    def pass_time(self, **span: float) -> None:
        """Time passes; the inbox is read at its end."""
        self.office.clock.advance(**span)
        self.take_in()

    def until_due(self) -> str:
        """Move the clock to the next planned step; its stage."""
        stage, due = self.one(
            """SELECT stage, due_at FROM "FollowUps" WHERE status = 'pending' AND handed_at IS NULL ORDER BY due_at LIMIT 1"""
        )
        self.office.clock.now = max(self.now, due)
        self.take_in()
        return str(stage)

    def next_step(self) -> FollowUpResult:
        """The next planned step is taken, sent, and what follows it planned."""
        self.until_due()
        result = self.take_steps()
        self.dispatch()
        self.plan()
        return result

    # ---- looking

    def one(self, query: str, **parameters: object) -> tuple[Any, ...]:
        (row,) = self.office.rows(query, **parameters)
        return row

    def received(self, thread: str) -> list[str]:
        """What arrived at a lead."""
        found = self.inbox.threads.get(thread)
        return [m.body for m in found.messages if m.direction.value == "outbound"] if found else []

    def workflow(self, thread: str = "t1") -> tuple[str, str | None, str | None, str]:
        return self.one(
            """SELECT workflow_state, workflow_outcome, follow_up_stage, follow_up_status FROM "Conversations"
                WHERE external_thread_id = :thread""",
            thread=thread,
        )  # type: ignore[return-value]

    def steps(self, thread: str = "t1") -> list[tuple[str, str, str | None]]:
        """Stage, status, reason of each step, in the order they were planned."""
        return [
            (str(stage), str(status), reason)  # type: ignore[misc]
            for stage, status, reason in self.office.rows(
                """SELECT f.stage, f.status, f.reason FROM "FollowUps" f JOIN "Conversations" c ON c.id = f.conversation_id
                    WHERE c.external_thread_id = :thread ORDER BY f.created_at, f.due_at""",
                thread=thread,
            )
        ]

    def audited(self, action: str) -> list[dict[str, Any]]:
        return [
            details  # type: ignore[misc]
            for (details,) in self.office.rows(
                'SELECT details FROM "AuditLogs" WHERE action = :action ORDER BY id', action=action
            )
        ]

    def conversation(self, thread: str = "t1") -> UUID:
        (found,) = self.one(
            'SELECT id FROM "Conversations" WHERE external_thread_id = :thread', thread=thread
        )
        return found  # type: ignore[no-any-return]

    def broken(self) -> list[str]:
        with self.office.pipeline.engine.connect() as conn:
            results = invariants.check(conn, self.now)
        return [f"{result.name}: {result.sample}" for result in results if not result.holds]


def following(make_office: OfficeMaker, **policy: object) -> Following:
    """Build it; keyword arguments change the pipeline's policy."""
    office = make_office(**policy)
    connectors = MockConnectors(office.clock)
    office.pipeline = replace(office.pipeline, connectors=connectors)
    return Following(office, connectors.for_platform(PLATFORM).inbox(ACCOUNT))


HOUR = timedelta(hours=1)
