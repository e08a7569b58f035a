"""Platforms: which accounts are read and may send, how they stand, what stops everything, and pages that failed."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, Response

from api.console import stops
from api.console.access import Administrator
from api.console.forms import Form, FormData, attempt, parse
from api.console.render import go, page
from api.console.routes import page_router
from api.console.wording import words
from api.errors import ApiError, not_found, validation_error
from api.inputs import PathId, plain_uuid
from api.paging import Page
from api.routes import operations, platforms, visits
from api.routes.platforms import HealthItem, PolicyAnswer
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.kill_switches import KillScope, KillTarget, parse_target
from leasebot_pipeline.storage import kill_switches, people_search

router = page_router()
PATH: Final = "/admin/platform"
INHERIT: Final = "inherit"
_FAILURES, _RECENT = 20, 12
_KEPT: Final = re.compile(r" \(page kept: ([A-Za-z0-9_-]{1,200})\)")
_EVIDENCE_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")


@dataclass(frozen=True, slots=True)
class Account:
    """A row of the list. ``why`` says in a sentence what may go out and what keeps the rest."""

    policy: PolicyAnswer
    health: HealthItem
    why: str
    stopped: bool
    """Whether a switch keeps its replies from going out."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a change was not made: beside which form (``at``), and what was typed there."""

    at: str = ""
    reason: str | None = None
    form: Form | None = None

    def typed(self, at: str, name: str, default: str = "") -> str:
        return self.form.text(name, default) if self.form is not None and self.at == at else default

    def problem(self, at: str) -> str | None:
        return self.reason if self.at == at else None


@router.get(PATH)
async def platform_list(request: Request, _viewer: Administrator, services: ServicesDep) -> Response:
    return await _list(request, services, Refused())


@router.post(PATH)
async def change_platform(
    request: Request, viewer: Administrator, form: FormData, services: ServicesDep
) -> Response:
    asks = form.text("do") == "kill" and not form.flag("sure")
    done, reason = await attempt(_question(form, services) if asks else _change(viewer, form, services))
    if done is not None and asks:
        return await _list(request, services, Refused(form.text("at"), None, form), question=done)
    if done is not None:
        # A stop is shown at the top.
        return go(request, f"{PATH}#stops" if form.text("do") == "kill" else PATH, done)
    return await _list(request, services, Refused(form.text("at"), reason, form), 422)


@router.get(PATH + "/evidence/{name}")
async def evidence(request: Request, name: str, _viewer: Administrator, services: ServicesDep) -> Response:
    """What a page looked like when a visit failed; everything people wrote on it is masked."""
    facts = await run_in_threadpool(_facts, services.config.evidence_dir, name)
    return page(request, "platform_evidence.html", name=name, facts=facts)


@router.get(PATH + "/evidence/{name}/picture")
async def evidence_picture(name: str, _viewer: Administrator, services: ServicesDep) -> Response:
    path = _kept(services.config.evidence_dir, name, "png")
    return FileResponse(path, media_type="image/png", headers={"cache-control": "private, max-age=86400"})


@router.get(PATH + "/{id}")
async def account_page(
    request: Request, account_id: PathId, _viewer: Administrator, services: ServicesDep
) -> Response:
    return await _account(request, services, account_id, Refused())


@router.post(PATH + "/{id}")
async def change_account(
    request: Request, account_id: PathId, viewer: Administrator, form: FormData, services: ServicesDep
) -> Response:
    done, reason = await attempt(_change(viewer, form, services))
    if done is not None:
        return go(request, f"{PATH}/{account_id}", done)
    return await _account(request, services, account_id, Refused(form.text("at"), reason, form), 422)


async def _change(viewer: Administrator, form: Form, services: Services) -> str:
    """Do what a form of these pages asks for; what to tell the person. Raises the API's refusals."""
    match form.text("do"):
        case "kill":
            body = parse(operations.EngageBody, form.given("target", "reason"))
            made = await operations.engage(viewer.identity, body, services)
            if not made.engaged:
                return "It was stopped already."
            named, count = await _stopping(body.target, services)
            return f"Stopped: {named}. {stops.waiting(count)} Sending is resumed at the top of this page."
        case "lift":
            return await _lift(viewer, form, services)
    account_id = _account_id(form)
    match form.text("do"):
        case "switch":
            active = form.flag("active")
            values: dict[str, Any] = {"isActive": active}
            if not active and form.text("reason"):
                values["disableReason"] = form.text("reason")
            policy = await _update(viewer, form, services, account_id, values)
            name = policy.account_name
            return (
                f"{name} is on: its inbox is read again."
                if active
                else f"{name} is off: nothing is read or sent."
            )
        case "send_mode":
            chosen = form.text("sendMode")
            values = {"sendMode": None if chosen == INHERIT else chosen}
            policy = await _update(viewer, form, services, account_id, values)
            return f"{policy.account_name}: {words(policy.send_mode).lower()} from now on."
        case "resume":
            resumed = await operations.resume(viewer.identity, account_id, services)
            return (
                "The account is visited again at its next turn." if resumed.changed else "It was not stopped."
            )
        case "reset":
            closed = await operations.reset(viewer.identity, account_id, services)
            return "The rest is over; visits go on." if closed.changed else "It was not resting any more."
    raise validation_error(["do: must be a known action"])


async def _question(form: Form, services: Services) -> str:
    """What is asked before sends are stopped: which, and how many wait. Raises the API's refusals."""
    body = parse(operations.EngageBody, form.given("target", "reason"))
    return stops.question(*await _stopping(body.target, services))


async def _stopping(chosen: str, services: Services) -> tuple[str, int]:
    """What a switch stops in words, and how many replies."""
    target = parse_target(chosen)
    if target is None:
        raise validation_error(["target: must be global, a platform or the id of an account"])
    named = {one.id: one.account_name for one in (await platforms.list_policies(services)).items}
    if target.account_id is not None and target.account_id not in named:
        raise not_found()
    count = await services.database.read(kill_switches.on_the_way, target)
    return stops.what(target, named.get(target.account_id) if target.account_id else None), count


async def _lift(viewer: Administrator, form: Form, services: Services) -> str:
    try:
        await operations.lift(viewer.identity, form.text("target"), services)
    except ApiError as error:
        if error.status != 404:
            raise
        return "Somebody lifted it already."
    return "Sending goes on, as stage and send mode allow."


def _account_id(form: Form) -> UUID:
    try:
        return plain_uuid(form.text("account"))
    except ValueError as error:
        raise validation_error([f"account: {error}"]) from None


async def _update(
    viewer: Administrator, form: Form, services: Services, account_id: UUID, values: dict[str, Any]
) -> PolicyAnswer:
    body = parse(platforms.PolicyBody, values)
    if_match = form.text("etag") or None
    return await platforms.update_policy(viewer.identity, account_id, body, Response(), services, if_match)


async def _list(
    request: Request, services: Services, refused: Refused, status: int = 200, question: str | None = None
) -> Response:
    async with services.at_one_moment() as reading:
        policies = await platforms.list_policies(reading)
        switches = (await operations.list_switches(reading)).items
        health = (await platforms.platform_health(reading)).items
        accounts = _accounts(policies.items, health, {switch.target for switch in switches})
        incidents = (await operations.list_incidents(reading)).items
        names = await reading.database.read(
            people_search.addresses, {switch.actor_id for switch in switches if switch.actor_id}
        )
    return page(
        request,
        "platforms.html",
        status=status,
        accounts=accounts,
        policies=policies,
        switches=switches,
        switched_by=names,
        incidents=incidents,
        account_names={account.policy.id: account.policy.account_name for account in accounts},
        stage=policies.items[0].release_stage if policies.items else "shadow",
        refused=refused,
        question=question,
        here=PATH,
    )


async def _account(
    request: Request, services: Services, account_id: UUID, refused: Refused, status: int = 200
) -> Response:
    async with services.at_one_moment() as reading:
        policies = await platforms.list_policies(reading)
        switched = (await operations.list_switches(reading)).items
        found = _accounts(
            [policy for policy in policies.items if policy.id == account_id],
            (await platforms.platform_health(reading)).items,
            {switch.target for switch in switched},
        )
        if not found:
            raise not_found()
        target = KillTarget(KillScope.ACCOUNT, account_id=account_id)
        count = await reading.database.read(kill_switches.on_the_way, target)
        failures = await visits.list_visits(Page(_FAILURES, None), reading, account_id, outcome="failed")
        recent = await visits.list_visits(Page(_RECENT, None), reading, account_id)
    switches = [switch for switch in switched if switch.target in _over(found[0].policy)]
    return page(
        request,
        "platform_account.html",
        status=status,
        account=found[0],
        policies=policies,
        switches=switches,
        question=stops.question(stops.what(target, found[0].policy.account_name), count),
        failures=[(visit, *_told(visit.error_detail)) for visit in failures.items],
        recent=recent.items,
        refused=refused,
        here=f"{PATH}/{account_id}",
    )


def _accounts(
    policies: list[PolicyAnswer], health: list[HealthItem], engaged: Collection[str]
) -> list[Account]:
    by_id = {item.id: item for item in health}
    stopped = {one.id: not _over(one).isdisjoint(engaged) for one in policies}
    return [
        Account(one, by_id[one.id], _why(one, stopped[one.id]), stopped[one.id])
        for one in policies
        if one.id in by_id
    ]


def _over(policy: PolicyAnswer) -> frozenset[str]:
    """Targets of switches that stop an account."""
    return frozenset(("global", f"platform:{policy.platform}", f"account:{policy.id}"))


def _why(policy: PolicyAnswer, stopped: bool) -> str:
    """What may go out by itself, and what keeps the rest."""
    if not policy.is_active:
        return "Off: its inbox is not read and nothing is sent."
    if stopped:
        return "Sending is stopped: replies wait until it is resumed."
    if policy.send_mode == "auto_send":
        return "Replies that pass every rule go out by themselves."
    if policy.release_stage == "shadow":
        return "The release is in shadow, so every reply stays a draft."
    if policy.release_stage == "canary" and not policy.in_cohort:
        return "The release is a canary without this account, so its replies stay drafts."
    if policy.global_default_send_mode == "draft_only":
        return "The general setting is drafts only; no account may do more."
    return "Every reply waits as a draft until a person approves it."


def _told(detail: str | None) -> tuple[str, str | None]:
    """A failure's words without the name of the page that was kept, and that name."""
    if detail is None:
        return "", None
    kept = _KEPT.search(detail)
    return _KEPT.sub("", detail), kept.group(1) if kept else None


def _kept(directory: Path | None, name: str, kind: str) -> Path:
    """A kept file of this machine. Raises 404: workers of other machines keep theirs there, and old ones go."""
    if directory is None or not _EVIDENCE_NAME.fullmatch(name):
        raise not_found()
    path = directory / f"{name}.{kind}"
    if not path.is_file():
        raise not_found()
    return path


def _facts(directory: Path | None, name: str) -> dict[str, Any] | None:
    """What was noted of a page; None when it is kept elsewhere or gone."""
    try:
        facts = json.loads(_kept(directory, name, "json").read_text(encoding="utf-8"))
    except (ApiError, OSError, ValueError):
        return None
    if not isinstance(facts, dict) or directory is None:
        return None
    return facts | {"hasPicture": (directory / f"{name}.png").is_file()}
