"""Weekly rules of units and agents: one set of endpoints, served for each kind of calendar."""

# Annotations are read as they stand: the endpoints' own are made for each kind.
from datetime import date, datetime
from typing import Annotated, Final, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from pydantic import Field, model_validator
from sqlalchemy import Connection

from api.answers import Answer, Instant
from api.edge.json_route import json_router
from api.inputs import DateText, Id, Input, Text, Zone, path_id
from api.local_times import local_span
from api.routes.availability.calendars import AGENTS, UNITS, Calendar, Changer, ClockTime, Notes, saved
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.availability import STATUSES, Owner, OwnerKind, WeeklyRule, last_day_of_weeks
from leasebot_pipeline.domain.availability_drafts import RuleDraft
from leasebot_pipeline.storage import availability
from leasebot_pipeline.storage.availability import CalendarSlot, Change

RulePathId = Annotated[UUID, Depends(path_id("ruleId"))]
WEEKS: Final = 26


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
    notes: Notes | None = None
    listing_id: Id | None = None

    @model_validator(mode="after")
    def _one_end(self) -> Self:
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


def serve(router: APIRouter, calendar: Calendar) -> None:
    """Add the endpoints of the kind's weekly rules."""
    path, noun = f"{calendar.path}/weekly-rules", calendar.noun

    @router.get(path, operation_id=f"list{calendar.name}Rules", summary=f"{calendar.possessive} weekly rules")
    async def list_rules(
        owner: Annotated[Owner, Depends(calendar.read_rules)], services: ServicesDep
    ) -> WeeklyRulesAnswer:
        return await _rules(services, owner)

    @router.post(
        path,
        operation_id=f"create{calendar.name}Rule",
        summary=calendar.weekly_summary,
        status_code=201,
    )
    async def create_rule(
        who: Annotated[Changer, Depends(calendar.change_rules)], body: WeeklyRuleBody, services: ServicesDep
    ) -> SavedRuleAnswer:
        return await save_rule(services, who, None, body)

    @router.put(
        f"{path}/{{ruleId}}",
        operation_id=f"replace{calendar.name}Rule",
        summary=f"Replace a weekly rule of {calendar.article}",
        description=f"404 for a rule the {noun} does not have.",
    )
    async def replace_rule(
        who: Annotated[Changer, Depends(calendar.change_rules)],
        rule_id: RulePathId,
        body: WeeklyRuleBody,
        services: ServicesDep,
    ) -> SavedRuleAnswer:
        return await save_rule(services, who, rule_id, body)

    @router.delete(
        f"{path}/{{ruleId}}",
        operation_id=f"delete{calendar.name}Rule",
        summary=f"Delete a weekly rule of {calendar.article}",
    )
    async def delete_rule_of(
        who: Annotated[Changer, Depends(calendar.change_rules)], rule_id: RulePathId, services: ServicesDep
    ) -> DeletedRuleAnswer:
        return await delete_rule(services, who, rule_id)


router = json_router("/api", "availability")
serve(router, UNITS)
serve(router, AGENTS)


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


async def save_rule(
    services: Services, who: Changer, rule_id: UUID | None, body: WeeklyRuleBody
) -> SavedRuleAnswer:
    """A new rule, or another one in its place. Raises 400 with every broken rule, 404 for one that is not there."""
    now, horizon = services.clock(), services.config.availability_horizon
    draft = body.draft(who.owner.kind, now)

    def save(conn: Connection) -> Change:
        if rule_id is None:
            return availability.create_rule(conn, who.owner, draft, who.actor, now, horizon)
        return availability.replace_rule(conn, who.owner, rule_id, draft, who.actor, now, horizon)

    made = saved(await services.database.run(save))
    return SavedRuleAnswer(rule_id=made.id, generated_slots=made.created)


async def delete_rule(services: Services, who: Changer, rule_id: UUID) -> DeletedRuleAnswer:
    """Without its occurrences to come. Raises 404 for a rule the calendar does not have."""
    change = await services.database.run(
        availability.delete_rule,
        who.owner,
        rule_id,
        who.actor,
        services.clock(),
        services.config.availability_horizon,
    )
    return DeletedRuleAnswer(deleted_slots=saved(change).removed)
