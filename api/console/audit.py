"""The audit: what happened, when, by whom, to which conversation, in which run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import Response

from api.answers import iso_millis
from api.console.access import Administrator
from api.console.audit_words import meant
from api.console.lists import searched
from api.console.render import page
from api.console.routes import page_router
from api.console.wording import error_text, words
from api.errors import ApiError, validation_error
from api.inputs import plain_uuid
from api.paging import MAX_LIMIT, Page, decode
from api.routes import agents, audit
from api.routes.audit import AuditAnswer
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.storage import audit_actions, audit_search, people_search

router = page_router()
PATH: Final = "/admin/audit"
ROWS: Final = 30
_FIELDS: Final = ("action", "platform", "agent", "conversation", "run", "from", "to")
ACTIONS: Final = tuple(
    sorted(
        {
            *audit_actions.CRITICAL_ACTIONS,
            *audit_actions.FAILURE_ACTIONS,
            *audit_actions.LINKAGE_ACTIONS,
            "kill_switch_engaged",
            "kill_switch_lifted",
            "message_automation_switched",
            "platform_account_resumed",
            "platform_circuit_reset",
            "platform_policy_updated",
            "release_gate_checked",
            "release_promoted",
            "release_rolled_back",
            "release_started",
            "template_updated",
            "unit_assignment_changed",
            "user_invited",
        }
    )
)
"""Suggestions; any other action can be typed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters as typed; instants are UTC, as a browser's date and time field gives them."""

    values: dict[str, str]
    cursor: str

    @classmethod
    def of(cls, request: Request) -> Asked:
        given = {name: searched(request.query_params.get(name)) for name in _FIELDS}
        return cls(given, searched_cursor(request))

    def url(self, path: str, **more: str | None) -> str:
        pairs = {**self.values, **more}
        kept = {name: value for name, value in pairs.items() if value}
        return f"{path}?{urlencode(kept)}" if kept else path

    def filters(self, actions: Sequence[str] | None) -> dict[str, Any]:
        """As the API's search takes them, with the actions that were meant. Raises the API's 400 that names the field."""
        conversation = self.values["conversation"]
        try:
            conversation_id = plain_uuid(conversation) if conversation else None
        except ValueError as error:
            raise validation_error([f"conversation: {error}"]) from None
        return {
            "conversation_id": conversation_id,
            "action": list(actions) if actions is not None else None,
            "platform": self.values["platform"] or None,
            "agent_id": self.values["agent"] or None,
            "run_id": self.values["run"] or None,
            "since": _instant("from", self.values["from"]),
            "until": _instant("to", self.values["to"]),
        }

    def export(self, kind: str, actions: Sequence[str] | None) -> str:
        """The address of the same rows as a file."""
        found = self.filters(actions)
        pairs = {
            "format": kind,
            "action": found["action"],
            "platform": found["platform"],
            "agentId": found["agent_id"],
            "conversationId": found["conversation_id"],
            "runId": found["run_id"],
            "since": found["since"],
            "until": found["until"],
        }
        return f"/api/admin/audit/export?{urlencode({k: v for k, v in pairs.items() if v}, doseq=True, quote_via=quote)}"


def searched_cursor(request: Request) -> str:
    return (request.query_params.get("cursor") or "").replace("\x00", "")[:300]


@router.get(PATH)
async def audit_page(request: Request, viewer: Administrator, services: ServicesDep) -> Response:
    asked = Asked.of(request)
    actions = await _meant(asked.values["action"], services)
    try:
        found, reason = await _search(asked, actions, services), None
    except ApiError as error:
        found, reason = AuditAnswer(items=[], next_cursor=None), error_text(error.body)
    everybody = await agents.list_agents(viewer, Page(MAX_LIMIT, None), services)
    people = {item.actor_id for item in found.items if item.actor_id}
    names = await services.database.read(people_search.addresses, people)
    now = services.clock()
    spans = [
        (label, asked.url(PATH, **{"from": f"{now - span:%Y-%m-%dT%H:%M}", "to": None}))
        for label, span in (
            ("Last hour", timedelta(hours=1)),
            ("24 hours", timedelta(hours=24)),
            ("7 days", timedelta(days=7)),
        )
    ]
    return page(
        request,
        "audit.html",
        status=200 if reason is None else 422,
        found=found,
        reason=reason,
        asked=asked,
        names=names | {str(agent.id): agent.full_name for agent in everybody.items},
        agent_options=[("", "Any agent"), *((str(agent.id), agent.full_name) for agent in everybody.items)],
        platform_options=[("", "Any platform"), *((one.value, one.value) for one in Platform)],
        actions=sorted({words(action) for action in ACTIONS}),
        spans=spans,
        older=asked.url(PATH, cursor=found.next_cursor) if found.next_cursor else None,
        newest=asked.url(PATH) if asked.cursor else None,
        exports=[("CSV", asked.export("csv", actions)), ("JSON", asked.export("json", actions))]
        if reason is None and actions != ()
        else [],
        dagster_url=services.config.dagster_url,
    )


async def _meant(typed: str, services: Services) -> tuple[str, ...] | None:
    """The actions somebody's words mean; None: any."""
    if not typed:
        return None
    there = await services.database.read(audit_search.actions)
    return meant(typed, {action: words(action) for action in there})


async def _search(asked: Asked, actions: Sequence[str] | None, services: Services) -> AuditAnswer:
    wanted = audit.wanted_rows(None, **asked.filters(actions))
    if actions is not None and not actions:
        return AuditAnswer(items=[], next_cursor=None)
    try:
        after = decode(asked.cursor) if asked.cursor else None
    except ValueError as error:
        raise validation_error([f"cursor: {error}"]) from None
    return await audit.search_audit(wanted, Page(ROWS, after), services)


def _instant(name: str, text: str) -> str | None:
    """``2026-03-02T09:30`` as an instant in UTC."""
    if not text:
        return None
    try:
        return iso_millis(datetime.fromisoformat(text).replace(tzinfo=UTC))
    except ValueError:
        raise validation_error([f"{name}: must be a date and a time"]) from None
