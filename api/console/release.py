"""The release: its stage, what the gate says with every number, and the ways on, back and out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy import Connection

from api.console import stops
from api.console.access import Administrator
from api.console.forms import Form, FormData, parse
from api.console.render import go, page
from api.console.routes import page_router
from api.console.wording import error_text, words
from api.errors import ApiError, validation_error
from api.routes import operations, platforms, release
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.kill_switches import KillScope, KillTarget
from leasebot_pipeline.domain.release_gate import REQUIRED_GATES
from leasebot_pipeline.storage import kill_switches, people_search, release_gate
from leasebot_pipeline.storage.release_gate import KeptCheck

router = page_router()
PATH: Final = "/admin/release"

RULES: Final = {
    "required_gates": "The release gates passed for this commit",
    "platform_parity": "All five platforms have an account",
    "runtime": "No worker was started against the mock runtime",
    "baseline": "There is a baseline (figures from shadow) to compare with",
    "error_spike": "Errors did not grow to twice the baseline",
    "clean_checks": "Two checks in a row were clean",
    "human_handoff": "Nothing went out that a person should have seen",
    "showing_lifecycle": "Showings kept their promises",
    "circuits": "No account rests after failures (open circuit)",
}
STAGES: Final = {
    "shadow": "To look on: everything is read and decided; nothing is sent. Every reply waits as a draft.",
    "canary": "To try it out: replies go out for a few chosen accounts, the canary, only.",
    "full": "Replies go out for every account, as its send mode allows.",
}


@router.get(PATH)
async def release_page(request: Request, _viewer: Administrator, services: ServicesDep) -> Response:
    return await _page(request, services)


@router.post(PATH)
async def change(request: Request, viewer: Administrator, form: FormData, services: ServicesDep) -> Response:
    try:
        return go(request, PATH, await _change(viewer, form, services))
    except ApiError as error:
        if error.status in (403, 404):
            raise
        refused = error
    gate = refused.body.get("gate")
    return await _page(
        request,
        services,
        at=form.text("do"),
        reason=_reason(refused),
        form=form,
        gate=gate if isinstance(gate, dict) else None,
        status=409 if refused.status == 409 else 422,
    )


async def _change(viewer: Administrator, form: Form, services: Services) -> str:
    """Do what a form asks for; what to tell the person. Raises the API's refusals."""
    reason = form.given("reason")
    match form.text("do"):
        case "start":
            await release.start(
                viewer.identity, parse(release.StartBody, form.given("commit") | reason), services
            )
            return "The release is in shadow: nothing is sent until it is promoted."
        case "check":
            checked = await release.check(
                viewer.identity, parse(release.GateBody, {"baseline": form.flag("baseline")}), services
            )
            return f"The gate says: {_verdict(checked.verdict)}."
        case "promote":
            made = await release.promote(
                viewer.identity, parse(release.PromoteBody, _promotion(form)), services
            )
            return f"The release is in {_stage(made.after)}."
        case "rollback":
            body = parse(release.RollbackBody, form.given("to") | reason)
            back = await release.rollback(viewer.identity, body, services)
            return f"The release is back in {_stage(back.after)}."
        case "kill":
            killed = await release.kill(viewer.identity, parse(release.KillBody, reason), services)
            return (
                "Stopped: all sending. Sending is resumed at the top of this page."
                if killed.engaged
                else "All sending was stopped already."
            )
        case "lift":
            return await _lift(viewer, services)
    raise validation_error(["do: must be a known action"])


async def _lift(viewer: Administrator, services: Services) -> str:
    try:
        await operations.lift(viewer.identity, "global", services)
    except ApiError as error:
        if error.status != 404:
            raise
        return "Somebody lifted it already."
    return "Sending goes on, as stage and send mode allow."


def _promotion(form: Form) -> dict[str, Any]:
    values: dict[str, Any] = {**form.given("reason", "percentage"), "override": form.flag("override")}
    if form.all("accounts"):
        values["accounts"] = form.all("accounts")
        values.pop("percentage", None)
    return values


def _stage(stage: Mapping[str, Any] | None) -> str:
    return words(stage["stage"]).lower() if stage else "no stage"


def _verdict(verdict: str) -> str:
    return {"pass": "go on", "hold": "wait", "rollback": "go back"}.get(verdict, verdict)


def _reason(error: ApiError) -> str:
    if error.body.get("error") == "gate_not_passed":
        return "Nothing was changed: the gate does not pass. Each rule is below, with its numbers."
    return error_text(error.body)


async def _page(
    request: Request,
    services: Services,
    *,
    at: str = "",
    reason: str | None = None,
    form: Form | None = None,
    gate: Mapping[str, Any] | None = None,
    status: int = 200,
) -> Response:
    answer = await release.status(services)
    current = answer.current
    accounts = (await platforms.list_policies(services)).items
    actors = {str(stage["actorId"]) for stage in answer.history if stage["actorId"]}

    everything = KillTarget(KillScope.GLOBAL)

    def read(conn: Connection) -> tuple[KeptCheck | None, dict[str, bool], dict[str, str], int]:
        last = release_gate.last_check(conn, UUID(current["id"])) if current else None
        passed = release_gate.evidence(conn, current["commit"]) if current else {}
        names = people_search.addresses(conn, actors)
        return last, passed, names, kill_switches.on_the_way(conn, everything)

    last, passed, names, count = await services.database.read(read)
    return page(
        request,
        "release.html",
        status=status,
        current=current,
        about=STAGES,
        history=[
            stage | {"startedAt": datetime.fromisoformat(stage["startedAt"])} for stage in answer.history
        ],
        cohort=[one.account_name for one in accounts if str(one.id) in answer.cohort_accounts],
        accounts=accounts,
        stopped="global" in answer.kill_switches,
        stops=[one for one in answer.kill_switches if one != "global"],
        gate=_shown(gate, last),
        evidence=[(name, passed.get(name)) for name in REQUIRED_GATES],
        rules=RULES,
        names=names,
        verdict=_verdict,
        question=stops.question(stops.what(everything), count),
        at=at,
        reason=reason,
        form=form or Form((("percentage", "20"),)),
        here=PATH,
    )


def _shown(refused_by: Mapping[str, Any] | None, last: KeptCheck | None) -> dict[str, Any] | None:
    """The check a refusal was about, else the newest that was kept."""
    if refused_by is not None:
        return {
            "verdict": refused_by["verdict"],
            "conclusive": refused_by["conclusive"],
            "taken_at": datetime.fromisoformat(refused_by["takenAt"]),
            "rules": refused_by["rules"],
        }
    if last is None:
        return None
    return {
        "verdict": last.verdict,
        "conclusive": last.conclusive,
        "taken_at": last.taken_at,
        "rules": last.result.get("rules", []),
    }
