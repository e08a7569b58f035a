"""Automation: the earlier system's one switch of an account, and the rules themselves."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Response
from pydantic import Field
from sqlalchemy import Connection

from api.answers import Answer, CreatedAnswer, DeletedAnswer, Instant, UpdatedAnswer
from api.auth.access import AdminIdentity, AnyIdentity, Identity
from api.edge.json_route import json_router
from api.errors import not_found, validation_error
from api.inputs import Id, Input, PathId, Text, Trimmed
from api.operator_audit import by_user
from api.preconditions import IfMatch, check_match, etag, set_etag
from api.routes.templates import DEFAULT_ACCOUNT, AccountId
from api.services import ServicesDep
from leasebot_pipeline.domain.decisions import Intent
from leasebot_pipeline.storage import audit, automation_rules
from leasebot_pipeline.storage.audit import AuditEntry

router = json_router("/api", "templates")


class AutomationAnswer(Answer):
    platform_account_id: UUID
    auto_send_enabled: bool
    rule_id: UUID | None
    action_config: dict[str, Any]


class SwitchBody(Input):
    platform_account_id: Id = DEFAULT_ACCOUNT
    enabled: bool


class AutomationSwitchAnswer(Answer):
    rule_id: UUID
    auto_send_enabled: bool
    platform_account_id: UUID


class AutomationRuleAnswer(Answer):
    id: UUID
    platform_account_id: UUID | None
    name: str
    description: str | None
    trigger_type: str
    conditions: dict[str, Any]
    action_type: str
    action_config: dict[str, Any]
    priority: int
    is_enabled: bool
    created_at: Instant
    updated_at: Instant
    etag: str


class AutomationRulesAnswer(Answer):
    items: list[AutomationRuleAnswer]


_Name = Annotated[Trimmed, Field(min_length=2, max_length=100)]
_Template = Annotated[Trimmed, Field(min_length=2, max_length=100)]
_Priority = Annotated[int, Field(ge=1, le=1000)]
_Description = Annotated[Text, Field(max_length=500)]


class NewAutomationRuleBody(Input):
    platform_account_id: Id | None = Field(None, description="null: a rule of all accounts")
    name: _Name
    description: _Description | None = None
    intent: Intent
    template: _Template
    priority: _Priority = 100
    is_enabled: bool = True


class AutomationRuleBody(Input):
    """What is absent keeps its value."""

    name: _Name | None = None
    description: _Description | None = None
    intent: Intent | None = None
    template: _Template | None = None
    priority: _Priority | None = None
    is_enabled: bool | None = None


def _answer(rule: automation_rules.StoredRule) -> AutomationRuleAnswer:
    values = {name: getattr(rule, name) for name in AutomationRuleAnswer.model_fields if name != "etag"}
    return AutomationRuleAnswer(**values, etag=etag(rule.updated_at))


@router.get("/message-automation", operation_id="getMessageAutomation", summary="An account's switch")
async def get_automation(_: AnyIdentity, account: AccountId, services: ServicesDep) -> AutomationAnswer:
    """The first of the account's sending rules stands for all, as in the earlier system."""
    found = await services.database.read(automation_rules.rules_of_account, account)
    first = found[0] if found else None
    return AutomationAnswer(
        platform_account_id=account,
        auto_send_enabled=any(rule.is_enabled for rule in found),
        rule_id=first.id if first else None,
        action_config=first.action_config if first else {},
    )


@router.put(
    "/message-automation", operation_id="setMessageAutomation", summary="Switch all rules of an account"
)
async def switch_automation(
    identity: AdminIdentity, body: SwitchBody, services: ServicesDep
) -> AutomationSwitchAnswer:
    """Switches every rule that answers an intent. An account without one gets a rule for tour requests."""
    account = body.platform_account_id

    def switch(conn: Connection) -> UUID:
        now = services.clock()
        if not automation_rules.enable_rules(conn, account, body.enabled, now):
            values = {
                "name": "Answer tour requests",
                "description": None,
                "conditions": {"intent": Intent.TOUR_REQUEST.value},
                "action_config": {"template": "default_tour_request"},
                "priority": 10,
                "is_enabled": body.enabled,
            }
            automation_rules.create_rule(conn, account, values, now)
        rules = automation_rules.rules_of_account(conn, account)
        audit.record(
            conn,
            [
                _audited(
                    identity,
                    "platform_account",
                    account,
                    "message_automation_switched",
                    account,
                    {"enabled": body.enabled, "rules": [str(rule.id) for rule in rules]},
                )
            ],
        )
        return rules[0].id

    try:
        rule_id = await services.database.run(switch)
    except automation_rules.AccountUnknown:
        raise validation_error(["platformAccountId: must be the id of an account"]) from None
    return AutomationSwitchAnswer(
        rule_id=rule_id, auto_send_enabled=body.enabled, platform_account_id=account
    )


@router.get("/automation-rules", operation_id="listAutomationRules", summary="An account's and global rules")
async def list_rules(_: AnyIdentity, account: AccountId, services: ServicesDep) -> AutomationRulesAnswer:
    found = await services.database.read(automation_rules.list_rules, account)
    return AutomationRulesAnswer(items=[_answer(rule) for rule in found])


@router.post(
    "/automation-rules", operation_id="createAutomationRule", summary="Create a rule", status_code=201
)
async def create_rule(
    identity: AdminIdentity, body: NewAutomationRuleBody, services: ServicesDep
) -> CreatedAnswer:
    """A rule names the intent it answers and the template it sends."""
    values = {
        "name": body.name,
        "description": body.description,
        "conditions": {"intent": body.intent.value},
        "action_config": {"template": body.template},
        "priority": body.priority,
        "is_enabled": body.is_enabled,
    }

    def create(conn: Connection) -> UUID:
        made = automation_rules.create_rule(conn, body.platform_account_id, values, services.clock())
        entry = _audited(
            identity, "automation_rule", made, "automation_rule_created", body.platform_account_id, values
        )
        audit.record(conn, [entry])
        return made

    try:
        return CreatedAnswer(id=await services.database.run(create))
    except automation_rules.AccountUnknown:
        raise validation_error(["platformAccountId: must be the id of an account"]) from None


@router.get("/automation-rules/{id}", operation_id="getAutomationRule", summary="One rule")
async def get_rule(
    _: AnyIdentity, rule_id: PathId, response: Response, services: ServicesDep
) -> AutomationRuleAnswer:
    rule = await services.database.run(automation_rules.find_rule, rule_id)
    if rule is None:
        raise not_found()
    set_etag(response, rule.updated_at)
    return _answer(rule)


@router.put("/automation-rules/{id}", operation_id="updateAutomationRule", summary="Change a rule")
async def update_rule(
    identity: AdminIdentity,
    rule_id: PathId,
    body: AutomationRuleBody,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> UpdatedAnswer:
    def update(conn: Connection) -> None:
        current = automation_rules.find_rule(conn, rule_id)
        if current is None:
            raise not_found()
        check_match(if_match, current.updated_at)
        given = {name: value for name, value in body.given().items() if value is not None}
        intent, template = given.pop("intent", None), given.pop("template", None)
        if intent is not None:
            given["conditions"] = {**current.conditions, "intent": intent.value}
        if template is not None:
            given["action_config"] = {**current.action_config, "template": template}
        automation_rules.update_rule(conn, current, given, services.clock())
        entry = _audited(
            identity,
            "automation_rule",
            rule_id,
            "automation_rule_updated",
            current.platform_account_id,
            {"previous": {name: getattr(current, name) for name in given}, "next": given},
        )
        audit.record(conn, [entry])

    await services.database.run(update)
    return UpdatedAnswer()


@router.delete("/automation-rules/{id}", operation_id="deleteAutomationRule", summary="Remove a rule")
async def delete_rule(identity: AdminIdentity, rule_id: PathId, services: ServicesDep) -> DeletedAnswer:
    def delete(conn: Connection) -> None:
        current = automation_rules.find_rule(conn, rule_id)
        if current is None:
            raise not_found()
        automation_rules.delete_rule(conn, rule_id)
        details = {"name": current.name, "conditions": current.conditions}
        entry = _audited(
            identity,
            "automation_rule",
            rule_id,
            "automation_rule_deleted",
            current.platform_account_id,
            details,
        )
        audit.record(conn, [entry])

    await services.database.run(delete)
    return DeletedAnswer()


def _audited(
    identity: Identity,
    entity_type: Literal["automation_rule", "platform_account"],
    entity_id: UUID,
    action: str,
    account_id: UUID | None,
    details: dict[str, Any],
) -> AuditEntry:
    return by_user(identity, entity_type, entity_id, action, details, platform_account_id=account_id)
