"""Automation: an account's switch, and the rules that say which template answers what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import Response

from api.console.access import Administrator
from api.console.forms import Form, FormData, attempt, parse
from api.console.render import go, page
from api.console.routes import page_router
from api.console.wording import words
from api.errors import validation_error
from api.inputs import PathId, plain_uuid
from api.routes import automation, platforms
from api.routes.platforms import PolicyAnswer
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.decisions import Intent
from leasebot_pipeline.storage import automation_rules, templates
from leasebot_pipeline.storage.automation_rules import StoredRule

router = page_router()
PATH: Final = "/admin/automation"
MOST: Final = 300
INTENTS: Final = (
    (Intent.TOUR_REQUEST, "asks for a viewing"),
    (Intent.AVAILABILITY_QUESTION, "asks whether it is free"),
    (Intent.PRICING_QUESTION, "asks about the price"),
    (Intent.FOLLOW_UP, "writes again"),
    (Intent.UNSUBSCRIBE, "wants no more messages"),
    (Intent.UNKNOWN, "something we can't tell"),
)


@dataclass(frozen=True, slots=True)
class AccountRules:
    """An account with its own rules; ``on`` as the API tells it: one of its rules is enabled."""

    account: PolicyAnswer
    rules: list[StoredRule]

    @property
    def on(self) -> bool:
        return any(rule.is_enabled for rule in self.rules)


@router.get(PATH)
async def rules(request: Request, _viewer: Administrator, services: ServicesDep) -> Response:
    return await _page(request, services)


@router.post(PATH)
async def change(request: Request, viewer: Administrator, form: FormData, services: ServicesDep) -> Response:
    done, reason = await attempt(_change(viewer, form, services))
    if done is not None:
        return go(request, PATH, done)
    return await _page(request, services, at=form.text("do"), reason=reason, form=form, status=422)


@router.get(PATH + "/{id}")
async def edit(request: Request, rule_id: PathId, viewer: Administrator, services: ServicesDep) -> Response:
    rule = await automation.get_rule(viewer.identity, rule_id, Response(), services)
    form = Form(
        (
            ("name", rule.name),
            ("description", rule.description or ""),
            ("intent", str(rule.conditions.get("intent", ""))),
            ("template", str(rule.action_config.get("template", ""))),
            ("priority", str(rule.priority)),
            ("isEnabled", "1" if rule.is_enabled else ""),
            ("etag", rule.etag),
        )
    )
    return await _editor(request, services, rule, form)


@router.post(PATH + "/{id}")
async def save(
    request: Request, rule_id: PathId, viewer: Administrator, form: FormData, services: ServicesDep
) -> Response:
    rule = await automation.get_rule(viewer.identity, rule_id, Response(), services)

    async def store() -> bool:
        body = parse(automation.AutomationRuleBody, _values(form))
        await automation.update_rule(viewer.identity, rule_id, body, services, form.text("etag") or None)
        return True

    done, reason = await attempt(store())
    if done:
        return go(request, PATH, f"The rule {form.text('name')} is saved.")
    return await _editor(request, services, rule, form, reason=reason, status=422)


async def _change(viewer: Administrator, form: Form, services: Services) -> str:
    match form.text("do"):
        case "switch":
            values = {"platformAccountId": form.text("account"), "enabled": form.flag("on")}
            body = parse(automation.SwitchBody, values)
            made = await automation.switch_automation(viewer.identity, body, services)
            return (
                "The account's rules answer from now on."
                if made.auto_send_enabled
                else "The account's own rules rest; replies wait for a person unless a general rule fits."
            )
        case "create":
            new = parse(automation.NewAutomationRuleBody, _values(form) | form.given("platformAccountId"))
            await automation.create_rule(viewer.identity, new, services)
            return f"The rule {new.name} is saved."
        case "delete":
            await automation.delete_rule(viewer.identity, _id(form), services)
            return "The rule is removed."
    raise validation_error(["do: must be a known action"])


def _values(form: Form) -> dict[str, Any]:
    given = form.given("name", "intent", "template", "priority")
    return given | {"description": form.text("description"), "isEnabled": form.flag("isEnabled")}


def _id(form: Form) -> UUID:
    try:
        return plain_uuid(form.text("rule"))
    except ValueError as error:
        raise validation_error([f"rule: {error}"]) from None


async def _choices(services: Services) -> list[tuple[str, str]]:
    """Templates by name, each once: a rule finds the account's own before the general one."""
    found = await services.database.read(templates.list_all, MOST)
    return [(name, words(name)) for name in dict.fromkeys(one.name for one in found if one.is_active)]


async def _page(
    request: Request,
    services: Services,
    *,
    at: str = "",
    reason: str | None = None,
    form: Form | None = None,
    status: int = 200,
) -> Response:
    accounts = (await platforms.list_policies(services)).items
    found = await services.database.read(automation_rules.list_all, MOST)
    return page(
        request,
        "automation.html",
        status=status,
        general=[rule for rule in found if rule.platform_account_id is None],
        accounts=[
            AccountRules(one, [rule for rule in found if rule.platform_account_id == one.id])
            for one in accounts
        ],
        account_options=[("", "All accounts"), *((str(one.id), one.account_name) for one in accounts)],
        templates=await _choices(services),
        intents=INTENTS,
        meanings=dict(INTENTS),
        at=at,
        reason=reason,
        form=form or Form((("priority", "100"), ("isEnabled", "1"))),
        here=PATH,
    )


async def _editor(
    request: Request,
    services: Services,
    rule: automation.AutomationRuleAnswer,
    form: Form,
    *,
    reason: str | None = None,
    status: int = 200,
) -> Response:
    return page(
        request,
        "automation_rule.html",
        status=status,
        rule=rule,
        form=form,
        version=rule.etag if status != 200 else form.text("etag"),
        reason=reason,
        templates=await _choices(services),
        intents=INTENTS,
        here=f"{PATH}/{rule.id}",
    )
