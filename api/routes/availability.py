"""When units and agents are free: weekly rules, day overrides, candidates, and why a time is not offered."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Depends, Query
from pydantic import BeforeValidator, Field, model_validator
from sqlalchemy import Connection

from api.answers import Answer, CreatedAnswer, DeletedAnswer, Instant, UpdatedAnswer
from api.auth.access import AdminIdentity, Identity, Scope, ScopedIdentity
from api.edge.json_route import json_router
from api.errors import not_found, validation_error
from api.inputs import (
    DateRange,
    DateRangeQuery,
    DateText,
    Id,
    Input,
    PathId,
    Text,
    Zone,
    moment,
    path_id,
    query_id,
)
from api.local_times import local_span
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.availability import (
    STATUSES,
    WEEKLY_SOURCE,
    Owner,
    OwnerKind,
    WeeklyRule,
    last_day_of_weeks,
)
from leasebot_pipeline.domain.availability_drafts import OverrideDraft, RuleDraft
from leasebot_pipeline.storage import availability, slot_candidates, slot_reasons, units
from leasebot_pipeline.storage.availability import CalendarSlot, Change, Refused
from leasebot_pipeline.storage.availability_audit import CalendarActor

router = json_router("/api", "availability")

RulePathId = Annotated[UUID, Depends(path_id("ruleId"))]
SlotPathId = Annotated[UUID, Depends(path_id("slotId"))]
WEEKS: Final = 26
_YEAR: Final = timedelta(days=366)


class SlotAnswer(Answer):
    id: UUID
    starts_at: Instant
    ends_at: Instant
    timezone: str
    display_timezone: str
    local_start: str
    local_end: str
    status: str
    source: str
    notes: str | None
    rule_id: UUID | None
    created_at: Instant


class UnitSlotAnswer(SlotAnswer):
    unit_id: UUID
    listing_id: UUID | None


class AgentSlotAnswer(SlotAnswer):
    agent_id: UUID


class UnitSlotsAnswer(Answer):
    items: list[UnitSlotAnswer]


class AgentSlotsAnswer(Answer):
    items: list[AgentSlotAnswer]


class OccurrenceAnswer(Answer):
    slot_id: UUID
    starts_at: Instant
    ends_at: Instant
    local_start: str
    local_end: str


class WeeklyRuleAnswer(Answer):
    rule_id: UUID
    timezone: str
    status: str
    listing_id: UUID | None
    notes: str | None
    day_of_week: int
    start_time: str
    end_time: str
    from_date: date | None
    until_date: date | None
    occurrences: list[OccurrenceAnswer]


class WeeklyRulesAnswer(Answer):
    items: list[WeeklyRuleAnswer]


class SavedRuleAnswer(Answer):
    rule_id: UUID
    generated_slots: int


class DeletedRuleAnswer(Answer):
    deleted_slots: int


class CandidateAnswer(Answer):
    unit_id: UUID
    agent_id: UUID
    assignment_mode: str
    priority: int
    agent_name: str
    agent_timezone: str
    unit_slot_id: UUID
    agent_slot_id: UUID
    starts_at: Instant
    ends_at: Instant
    display_timezone: str
    local_start: str
    local_end: str


class CandidatesAnswer(Answer):
    items: list[CandidateAnswer]


class ObstacleAnswer(Answer):
    reason: str
    detail: str


class ExplanationAnswer(Answer):
    unit_id: UUID
    agent_id: UUID
    at: Instant
    offered: bool
    reasons: list[ObstacleAnswer] = Field(description="every reason, in order; empty for a free time")


def _clock_time(value: object) -> object:
    if isinstance(value, str):
        try:
            if len(value) == 5 and value[2] == ":":
                return time(int(value[:2]), int(value[3:]))
        except ValueError:
            pass
    raise ValueError("must be a time HH:MM")


ClockTime = Annotated[time, BeforeValidator(_clock_time)]
_Notes = Annotated[Text, Field(max_length=1000)]


class WeeklyRuleBody(Input):
    """`weeks` or `untilDate` end the rule; without either it holds for good."""

    day_of_week: Annotated[int, Field(ge=0, le=6, description="0 is Sunday")]
    start_time: ClockTime
    end_time: ClockTime
    timezone: Zone
    from_date: DateText | None = None
    until_date: DateText | None = None
    weeks: Annotated[int, Field(ge=1, le=WEEKS)] | None = None
    status: Text | None = None
    notes: _Notes | None = None
    listing_id: Id | None = None

    @model_validator(mode="after")
    def _one_end(self) -> WeeklyRuleBody:
        if self.weeks is not None and self.until_date is not None:
            raise ValueError("weeks and untilDate: give one of them")
        return self

    def draft(self, kind: OwnerKind, now: datetime) -> RuleDraft:
        until = self.until_date
        if self.weeks is not None:
            first = self.from_date or now.astimezone(ZoneInfo(self.timezone)).date()
            until = last_day_of_weeks(first, self.weeks)
        return RuleDraft(
            self.day_of_week,
            self.start_time,
            self.end_time,
            self.timezone,
            self.status or STATUSES[kind][0],
            self.from_date,
            until,
            self.notes,
            self.listing_id if kind is OwnerKind.UNIT else None,
        )


class OverrideBody(Input):
    """One date's exception."""

    date: DateText
    start_time: ClockTime
    end_time: ClockTime
    timezone: Zone
    status: Text | None = None
    notes: _Notes | None = None
    listing_id: Id | None = None

    def draft(self, kind: OwnerKind) -> OverrideDraft:
        return OverrideDraft(
            self.date,
            self.start_time,
            self.end_time,
            self.timezone,
            self.status or STATUSES[kind][0],
            self.notes,
            self.listing_id if kind is OwnerKind.UNIT else None,
        )


def _date_of_weekly(value: Any) -> Any:
    """A body of a weekly occurrence names its date as fromDate."""
    if isinstance(value, dict) and value.get("source") == WEEKLY_SOURCE and "date" not in value:
        return {**value, "date": value.get("fromDate")}
    return value


class SlotBody(OverrideBody):
    """A day override, or a weekly body with `source: weekly_recurring` (the date from fromDate or date)."""

    @model_validator(mode="before")
    @classmethod
    def _weekly(cls, value: Any) -> Any:
        return _date_of_weekly(value)


# Units


@router.get("/units/{id}/availability", operation_id="listUnitAvailability", summary="A unit's calendar")
async def list_unit_slots(
    scope: ScopedIdentity, unit_id: PathId, days: DateRangeQuery, services: ServicesDep
) -> UnitSlotsAnswer:
    """Rows that begin on the days asked for, which are meant in `timezone` (UTC without one)."""
    await _visible(services, scope, unit_id)
    found = await _slots(services, Owner(OwnerKind.UNIT, unit_id), days)
    return UnitSlotsAnswer(
        items=[
            UnitSlotAnswer(**_shown(slot, days.timezone), unit_id=unit_id, listing_id=slot.listing_id)
            for slot in found
        ]
    )


@router.get(
    "/units/{id}/availability/weekly-rules", operation_id="listUnitRules", summary="A unit's weekly rules"
)
async def list_unit_rules(unit_id: PathId, scope: ScopedIdentity, services: ServicesDep) -> WeeklyRulesAnswer:
    await _visible(services, scope, unit_id)
    return await _rules(services, Owner(OwnerKind.UNIT, unit_id))


@router.post(
    "/units/{id}/availability/weekly-rules",
    operation_id="createUnitRule",
    summary="Open or block a unit every week",
    status_code=201,
)
async def create_unit_rule(
    unit_id: PathId, identity: AdminIdentity, body: WeeklyRuleBody, services: ServicesDep
) -> SavedRuleAnswer:
    return await _save_rule(services, identity, Owner(OwnerKind.UNIT, unit_id), None, body)


@router.put(
    "/units/{id}/availability/weekly-rules/{ruleId}",
    operation_id="replaceUnitRule",
    summary="Replace a weekly rule of a unit",
)
async def replace_unit_rule(
    unit_id: PathId, rule_id: RulePathId, identity: AdminIdentity, body: WeeklyRuleBody, services: ServicesDep
) -> SavedRuleAnswer:
    """404 for a rule the unit does not have."""
    return await _save_rule(services, identity, Owner(OwnerKind.UNIT, unit_id), rule_id, body)


@router.delete(
    "/units/{id}/availability/weekly-rules/{ruleId}",
    operation_id="deleteUnitRule",
    summary="Delete a weekly rule of a unit",
)
async def delete_unit_rule(
    unit_id: PathId, rule_id: RulePathId, identity: AdminIdentity, services: ServicesDep
) -> DeletedRuleAnswer:
    return await _delete_rule(services, identity, Owner(OwnerKind.UNIT, unit_id), rule_id)


@router.post(
    "/units/{id}/availability/daily-overrides",
    operation_id="createUnitOverride",
    summary="Open or block a unit on one date",
    status_code=201,
)
async def create_unit_override(
    identity: AdminIdentity, unit_id: PathId, body: OverrideBody, services: ServicesDep
) -> CreatedAnswer:
    return await _create_override(services, identity, Owner(OwnerKind.UNIT, unit_id), body)


@router.put(
    "/availability/{slotId}", operation_id="replaceUnitSlot", summary="Change a row of a unit's calendar"
)
async def replace_unit_slot(
    slot_id: SlotPathId, identity: AdminIdentity, body: SlotBody, services: ServicesDep
) -> UpdatedAnswer:
    await _replace_slot(services, identity, OwnerKind.UNIT, slot_id, body)
    return UpdatedAnswer()


@router.delete(
    "/availability/{slotId}", operation_id="deleteUnitSlot", summary="Delete a row of a unit's calendar"
)
async def delete_unit_slot(
    slot_id: SlotPathId, identity: AdminIdentity, services: ServicesDep
) -> DeletedAnswer:
    await _delete_slot(services, identity, OwnerKind.UNIT, slot_id)
    return DeletedAnswer()


# Agents: an agent its own, an administrator all


@router.get("/agents/{id}/availability", operation_id="listAgentAvailability", summary="An agent's calendar")
async def list_agent_slots(
    scope: ScopedIdentity, agent_id: PathId, days: DateRangeQuery, services: ServicesDep
) -> AgentSlotsAnswer:
    """Rows that begin on the days asked for, which are meant in `timezone` (UTC without one)."""
    scope.own(agent_id)
    found = await _slots(services, Owner(OwnerKind.AGENT, agent_id), days)
    return AgentSlotsAnswer(
        items=[AgentSlotAnswer(**_shown(slot, days.timezone), agent_id=agent_id) for slot in found]
    )


@router.get(
    "/agents/{id}/availability/weekly-rules", operation_id="listAgentRules", summary="An agent's weekly rules"
)
async def list_agent_rules(
    scope: ScopedIdentity, agent_id: PathId, services: ServicesDep
) -> WeeklyRulesAnswer:
    scope.own(agent_id)
    return await _rules(services, Owner(OwnerKind.AGENT, agent_id))


@router.post(
    "/agents/{id}/availability/weekly-rules",
    operation_id="createAgentRule",
    summary="Say when an agent is, or is not, available every week",
    status_code=201,
)
async def create_agent_rule(
    scope: ScopedIdentity, agent_id: PathId, body: WeeklyRuleBody, services: ServicesDep
) -> SavedRuleAnswer:
    scope.own(agent_id)
    return await _save_rule(services, scope.identity, Owner(OwnerKind.AGENT, agent_id), None, body)


@router.put(
    "/agents/{id}/availability/weekly-rules/{ruleId}",
    operation_id="replaceAgentRule",
    summary="Replace a weekly rule of an agent",
)
async def replace_agent_rule(
    scope: ScopedIdentity, agent_id: PathId, rule_id: RulePathId, body: WeeklyRuleBody, services: ServicesDep
) -> SavedRuleAnswer:
    """404 for a rule the agent does not have."""
    scope.own(agent_id)
    return await _save_rule(services, scope.identity, Owner(OwnerKind.AGENT, agent_id), rule_id, body)


@router.delete(
    "/agents/{id}/availability/weekly-rules/{ruleId}",
    operation_id="deleteAgentRule",
    summary="Delete a weekly rule of an agent",
)
async def delete_agent_rule(
    scope: ScopedIdentity, agent_id: PathId, rule_id: RulePathId, services: ServicesDep
) -> DeletedRuleAnswer:
    scope.own(agent_id)
    return await _delete_rule(services, scope.identity, Owner(OwnerKind.AGENT, agent_id), rule_id)


@router.post(
    "/agents/{id}/availability/daily-overrides",
    operation_id="createAgentOverride",
    summary="Say that an agent is, or is not, available on one date",
    status_code=201,
)
async def create_agent_override(
    scope: ScopedIdentity, agent_id: PathId, body: OverrideBody, services: ServicesDep
) -> CreatedAnswer:
    scope.own(agent_id)
    return await _create_override(services, scope.identity, Owner(OwnerKind.AGENT, agent_id), body)


@router.put(
    "/agent-availability/{slotId}",
    operation_id="replaceAgentSlot",
    summary="Change a row of an agent's calendar",
)
async def replace_agent_slot(
    slot_id: SlotPathId, scope: ScopedIdentity, body: SlotBody, services: ServicesDep
) -> UpdatedAnswer:
    await _own_slot(services, scope, slot_id)
    await _replace_slot(services, scope.identity, OwnerKind.AGENT, slot_id, body)
    return UpdatedAnswer()


@router.delete(
    "/agent-availability/{slotId}",
    operation_id="deleteAgentSlot",
    summary="Delete a row of an agent's calendar",
)
async def delete_agent_slot(
    slot_id: SlotPathId, scope: ScopedIdentity, services: ServicesDep
) -> DeletedAnswer:
    await _own_slot(services, scope, slot_id)
    await _delete_slot(services, scope.identity, OwnerKind.AGENT, slot_id)
    return DeletedAnswer()


# What can be offered


@router.get(
    "/units/{id}/agent-slot-candidates",
    operation_id="listCandidates",
    summary="When each agent could show a unit",
)
async def list_candidates(
    scope: ScopedIdentity,
    unit_id: PathId,
    days: DateRangeQuery,
    services: ServicesDep,
    include_passive: Annotated[
        str | None, Query(alias="includePassive", description="true: agents who stand by, too")
    ] = None,
) -> CandidatesAnswer:
    """Free time of unit and agent together, minus blocks and other showings; by priority, then start."""
    await _visible(services, scope, unit_id)
    begin, end = _bounded(days, services.clock())
    found = await services.database.read(
        slot_candidates.candidates, unit_id, begin, end, include_passive=include_passive == "true"
    )
    return CandidatesAnswer(items=[candidate_answer(candidate, days.timezone) for candidate in found])


@router.get(
    "/units/{id}/slot-explanation", operation_id="explainSlot", summary="Why is this time not offered?"
)
async def explain_slot(
    scope: ScopedIdentity,
    unit_id: PathId,
    services: ServicesDep,
    agent_id: Annotated[UUID | None, query_id("agentId")],
    at: Annotated[str | None, Query(description="ISO 8601 with offset")] = None,
) -> ExplanationAnswer:
    """Every reason that speaks against a visit of the unit with the agent at that instant."""
    await _visible(services, scope, unit_id)
    instant = moment("at", at)
    missing = [
        f"{name}: is needed" for name, value in (("agentId", agent_id), ("at", instant)) if value is None
    ]
    if agent_id is None or instant is None:
        raise validation_error(missing)
    found = await services.database.read(
        slot_reasons.explain,
        unit_id,
        agent_id,
        instant,
        services.config.slots,
        services.clock(),
        services.config.slot_horizon,
    )
    return ExplanationAnswer(
        unit_id=unit_id,
        agent_id=agent_id,
        at=instant,
        offered=not found,
        reasons=[ObstacleAnswer(reason=reason.obstacle.value, detail=reason.detail) for reason in found],
    )


def candidate_answer(found: slot_candidates.Candidate, timezone: str | None) -> CandidateAnswer:
    """A candidate with its local times: in the zone asked for, else the unit's, else the agent's."""
    names = set(CandidateAnswer.model_fields) - {"display_timezone", "local_start", "local_end"}
    shown = timezone or found.unit_timezone or found.agent_slot_timezone
    return CandidateAnswer(
        **{name: getattr(found, name) for name in names},
        display_timezone=shown,
        **local_span(found.starts_at, found.ends_at, shown),
    )


async def _visible(services: Services, scope: Scope, unit_id: UUID) -> None:
    """404 for a unit that is not there, or not the agent's."""
    if await services.database.read(units.find_unit, unit_id, scope.agent_id) is None:
        raise not_found()


async def _own_slot(services: Services, scope: Scope, slot_id: UUID) -> None:
    owner = await services.database.read(availability.slot_owner, OwnerKind.AGENT, slot_id)
    if owner is None:
        raise not_found()
    scope.own(owner.id)


def span_of(days: DateRange) -> tuple[datetime | None, datetime | None]:
    """The days asked for as instants [begin, end); None for an open end."""
    zone = ZoneInfo(days.timezone or "UTC")
    begin = days.from_date and datetime.combine(days.from_date, time(), zone).astimezone(UTC)
    end = days.to_date and datetime.combine(days.to_date + timedelta(days=1), time(), zone).astimezone(UTC)
    return begin, end


def _bounded(days: DateRange, now: datetime) -> tuple[datetime, datetime]:
    """As ``span_of``; open ends reach a year back and ahead."""
    begin, end = span_of(days)
    return begin or now - _YEAR, end or now + _YEAR


async def _slots(services: Services, owner: Owner, days: DateRange) -> list[CalendarSlot]:
    begin, end = _bounded(days, services.clock())
    found = await services.database.read(availability.list_slots, owner, begin, end)
    return [slot for slot in found if slot.starts_at >= begin]


async def _rules(services: Services, owner: Owner) -> WeeklyRulesAnswer:
    def read(conn: Connection) -> tuple[list[WeeklyRule], list[CalendarSlot]]:
        return availability.list_rules(conn, owner), availability.list_slots(conn, owner, services.clock())

    rules, slots = await services.database.read(read)
    by_rule: dict[UUID, list[CalendarSlot]] = {rule.id: [] for rule in rules}
    for slot in slots:
        if slot.rule_id in by_rule:
            by_rule[slot.rule_id].append(slot)
    return WeeklyRulesAnswer(items=[_rule(rule, by_rule[rule.id]) for rule in rules])


def _rule(rule: WeeklyRule, slots: list[CalendarSlot]) -> WeeklyRuleAnswer:
    return WeeklyRuleAnswer(
        rule_id=rule.id,
        timezone=rule.timezone,
        status=rule.status,
        listing_id=rule.listing_id,
        notes=rule.notes,
        day_of_week=rule.day_of_week,
        start_time=f"{rule.start_time:%H:%M}",
        end_time=f"{rule.end_time:%H:%M}",
        from_date=rule.valid_from,
        until_date=rule.valid_until,
        occurrences=[
            OccurrenceAnswer(
                slot_id=slot.id,
                starts_at=slot.starts_at,
                ends_at=slot.ends_at,
                **local_span(slot.starts_at, slot.ends_at, rule.timezone),
            )
            for slot in slots
        ],
    )


def _shown(slot: CalendarSlot, timezone: str | None) -> dict[str, Any]:
    shown = timezone or slot.timezone
    names = set(SlotAnswer.model_fields) - {"display_timezone", "local_start", "local_end"}
    return {
        **{name: getattr(slot, name) for name in names},
        "display_timezone": shown,
        **local_span(slot.starts_at, slot.ends_at, shown),
    }


async def _save_rule(
    services: Services, identity: Identity, owner: Owner, rule_id: UUID | None, body: WeeklyRuleBody
) -> SavedRuleAnswer:
    now = services.clock()
    draft, actor, horizon = (
        body.draft(owner.kind, now),
        _actor(identity),
        services.config.availability_horizon,
    )

    def save(conn: Connection) -> Change:
        if rule_id is None:
            return availability.create_rule(conn, owner, draft, actor, now, horizon)
        return availability.replace_rule(conn, owner, rule_id, draft, actor, now, horizon)

    saved = _saved(await services.database.run(save))
    return SavedRuleAnswer(rule_id=saved.id, generated_slots=saved.created)


async def _delete_rule(
    services: Services, identity: Identity, owner: Owner, rule_id: UUID
) -> DeletedRuleAnswer:
    change = await services.database.run(
        availability.delete_rule,
        owner,
        rule_id,
        _actor(identity),
        services.clock(),
        services.config.availability_horizon,
    )
    return DeletedRuleAnswer(deleted_slots=_saved(change).removed)


async def _create_override(
    services: Services, identity: Identity, owner: Owner, body: OverrideBody
) -> CreatedAnswer:
    change = await services.database.run(
        availability.create_override,
        owner,
        body.draft(owner.kind),
        _actor(identity),
        services.clock(),
        services.config.availability_horizon,
    )
    return CreatedAnswer(id=_saved(change).id)


async def _replace_slot(
    services: Services, identity: Identity, kind: OwnerKind, slot_id: UUID, body: SlotBody
) -> None:
    change = await services.database.run(
        availability.replace_override,
        kind,
        slot_id,
        body.draft(kind),
        _actor(identity),
        services.clock(),
        services.config.availability_horizon,
    )
    _saved(change)


async def _delete_slot(services: Services, identity: Identity, kind: OwnerKind, slot_id: UUID) -> None:
    change = await services.database.run(
        availability.delete_slot,
        kind,
        slot_id,
        _actor(identity),
        services.clock(),
        services.config.availability_horizon,
    )
    _saved(change)


def _saved(change: Change) -> availability.Saved:
    """The change made. Raises 404 for what is not there, 400 with every broken rule."""
    if isinstance(change, Refused):
        raise not_found() if change.unknown else validation_error([str(r) for r in change.refusals])
    return change


def _actor(identity: Identity) -> CalendarActor:
    return CalendarActor(identity.role, identity.user.id)
