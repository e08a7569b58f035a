"""Link: which listing, unit and agent a conversation is about, audited whether resolved or not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from leasebot_pipeline.domain.linkage import HINT_PLACES
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.storage import audit, linkage
from leasebot_pipeline.storage.crash_points import transaction
from leasebot_pipeline.storage.linkage import LinkedConversation

BATCH = 5000


@dataclass(frozen=True, slots=True)
class LinkResult:
    """Attempts of one run. ``by_strategy`` counts resolved and unresolved ones by strategy."""

    attempted: int
    resolved: int
    unresolved: int
    agents_assigned: int
    by_strategy: dict[str, int] = field(default_factory=dict)


def link(pipeline: Pipeline, platform: Platform, run_id: str | None) -> LinkResult:
    """Link what is due: new messages, and unresolved conversations whose account's listings changed."""
    with transaction(pipeline.engine, "link.before_commit", "link.after_commit") as conn:
        attempts = linkage.link_conversations(conn, platform, pipeline.clock(), BATCH)
        assigned = linkage.assign_missing_agents(conn, platform)
        audit.record(conn, [_entry(platform, attempt, run_id) for attempt in attempts])
    resolved = sum(attempt.matched_listing_id is not None for attempt in attempts)
    return LinkResult(
        attempted=len(attempts),
        resolved=resolved,
        unresolved=len(attempts) - resolved,
        agents_assigned=assigned,
        by_strategy=dict(Counter(attempt.strategy for attempt in attempts)),
    )


def _entry(platform: Platform, attempt: LinkedConversation, run_id: str | None) -> audit.AuditEntry:
    resolved = attempt.matched_listing_id is not None
    return audit.AuditEntry(
        actor_type="system",
        entity_type="conversation",
        entity_id=str(attempt.conversation_id),
        action=f"ingest_conversation_linkage_{'resolved' if resolved else 'unresolved'}",
        details={
            "externalThreadId": attempt.external_thread_id,
            "externalMessageId": attempt.external_message_id,
            "linkage": {
                "resolved": resolved,
                "strategy": attempt.strategy,
                "attempted": {name: attempt.hints.get(name) for name in HINT_PLACES},
                "matchedListingId": _text(attempt.matched_listing_id),
                "matchedUnitId": _text(attempt.matched_unit_id),
                "appliedListingId": _text(attempt.applied_listing_id),
                "preservedExistingListing": attempt.preserved_existing,
            },
        },
        platform=platform.value,
        platform_account_id=attempt.platform_account_id,
        conversation_id=attempt.conversation_id,
        agent_id=_text(attempt.assigned_agent_id),
        run_id=run_id,
    )


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)
