"""Templates of replies: written, checked when saved, and shown as a lead would read them."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy import Connection

from api.console.access import Administrator
from api.console.forms import Form, FormData, attempt, parse
from api.console.lists import searched
from api.console.render import go, page
from api.console.routes import page_router
from api.console.wording import error_text
from api.errors import ApiError, not_found
from api.inputs import PathId
from api.preconditions import etag
from api.routes import platforms, templates
from api.routes.templates import PreviewAnswer
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.replies import KNOWN_PLACEHOLDERS, sample_context
from leasebot_pipeline.storage import templates as stored
from leasebot_pipeline.storage.templates import StoredTemplate

router = page_router()
PATH: Final = "/admin/templates"
MOST: Final = 300
_FIELDS: Final = ("name", "body", "variables", "locale")

PLACEHOLDERS: Final = {
    "lead_name": "the lead's name, as the platform gives it (often first and last)",
    "unit": "property and number",
    "unit_number": "the number alone",
    "slot": "the first time offered",
    "slot_options_list": "all times, one a line",
    "slot_options_inline": "all times in one line",
    "slot_options": "the same as the list",
}


@router.get(PATH)
async def template_list(request: Request, _viewer: Administrator, services: ServicesDep) -> Response:
    wanted = searched(request.query_params.get("q"))
    found = await services.database.read(stored.list_all, MOST)
    shown = [one for one in found if wanted.lower() in f"{one.name} {one.body}".lower()]
    return page(
        request,
        "reply_templates.html",
        found=shown,
        account_names=dict(await _accounts(services)),
        wanted=wanted,
        total=len(found),
    )


@router.get(PATH + "/new")
async def new_template(request: Request, viewer: Administrator, services: ServicesDep) -> Response:
    return await _editor(request, viewer, services, None, _blank())


@router.post(PATH + "/new")
async def create(request: Request, viewer: Administrator, form: FormData, services: ServicesDep) -> Response:
    if form.text("do") == "preview":
        return await _editor(request, viewer, services, None, form)

    async def store() -> UUID:
        values = _values(form) | form.given("platformAccountId")
        body = parse(templates.NewTemplateBody, values)
        return (await templates.create_template(viewer.identity, body, services)).id

    made, reason = await attempt(store())
    if made is None:
        return await _editor(request, viewer, services, None, form, reason=reason, status=422)
    return go(request, PATH, f"The template {form.text('name')} is saved.")


@router.get(PATH + "/{id}")
async def edit(
    request: Request, template_id: PathId, viewer: Administrator, services: ServicesDep
) -> Response:
    found = await _find(services, template_id)
    return await _editor(request, viewer, services, found, _form_of(found))


@router.post(PATH + "/{id}")
async def change(
    request: Request, template_id: PathId, viewer: Administrator, form: FormData, services: ServicesDep
) -> Response:
    found = await _find(services, template_id)
    if form.text("do") == "preview":
        return await _editor(request, viewer, services, found, form)
    if form.text("do") == "delete":
        work: Any = templates.delete_template(viewer.identity, template_id, services)
        told = f"The template {found.name} is removed."
    else:
        work = _save(viewer, template_id, form, services)
        told = ""
    try:
        await work
    except ApiError as error:
        if error.status == 404:
            raise
        return await _refused(request, viewer, services, template_id, form, error)
    return go(request, PATH, told or await _saved(services, template_id))


async def _saved(services: Services, template_id: UUID) -> str:
    """What the saved template does from now on."""

    def read(conn: Connection) -> tuple[StoredTemplate | None, bool]:
        template = stored.find_template(conn, template_id)
        return template, template is not None and stored.is_sent(conn, template)

    found, sent = await services.database.run(read)
    if found is None:
        return "The template is saved."
    told = f"The template {found.name} is saved."
    if not found.is_active:
        return f"{told} It is switched off: nobody is offered it, and no rule sends it."
    return f"{told} Replies use it from now on." if sent else f"{told} No rule that is on sends it."


async def _save(viewer: Administrator, template_id: UUID, form: Form, services: Services) -> None:
    body = parse(templates.TemplateBody, _values(form))
    await templates.update_template(viewer.identity, template_id, body, services, form.text("etag") or None)


async def _refused(
    request: Request,
    viewer: Administrator,
    services: Services,
    template_id: UUID,
    form: Form,
    error: ApiError,
) -> Response:
    """What was typed stays; after somebody else's change theirs is shown beside it."""
    reason = error_text(error.body)
    newest = await _find(services, template_id)
    stale = error.status == 412
    return await _editor(
        request,
        viewer,
        services,
        newest,
        form,
        reason=reason,
        newest=newest if stale else None,
        status=409 if stale else 422,
    )


def _values(form: Form) -> dict[str, Any]:
    """An unticked box is not sent; a template that is edited is always told whether it is in use."""
    return {name: form.text(name) for name in _FIELDS} | {"isActive": form.flag("isActive")}


def _blank() -> Form:
    return Form((("locale", "en-US"), ("isActive", "1")))


def _form_of(found: StoredTemplate) -> Form:
    return Form(
        (
            ("name", found.name),
            ("body", found.body),
            ("variables", ", ".join(name for name in found.variables if name not in KNOWN_PLACEHOLDERS)),
            ("locale", found.locale),
            ("isActive", "1" if found.is_active else ""),
            ("etag", etag(found.updated_at)),
        )
    )


async def _find(services: Services, template_id: UUID) -> StoredTemplate:
    found = next(
        (one for one in await services.database.read(stored.list_all, MOST) if one.id == template_id), None
    )
    if found is None:
        raise not_found()
    return found


async def _accounts(services: Services) -> list[tuple[UUID, str]]:
    return [(one.id, one.account_name) for one in (await platforms.list_policies(services)).items]


async def _editor(
    request: Request,
    viewer: Administrator,
    services: Services,
    found: StoredTemplate | None,
    form: Form,
    *,
    reason: str | None = None,
    newest: StoredTemplate | None = None,
    status: int = 200,
) -> Response:
    accounts = await _accounts(services)
    preview: PreviewAnswer | None = None
    if form.text("body"):
        preview, _ = await attempt(_preview(viewer, form))
    return page(
        request,
        "reply_template.html",
        status=status,
        found=found,
        form=form,
        version=etag(found.updated_at) if newest and found else form.text("etag"),
        preview=preview,
        newest=newest,
        reason=reason,
        typed=reason is not None or request.method == "POST",
        accounts=accounts,
        account_name=dict(accounts).get(found.platform_account_id)
        if found and found.platform_account_id
        else None,
        placeholders=PLACEHOLDERS,
        samples=sample_context(),
        here=f"{PATH}/{found.id}" if found else f"{PATH}/new",
    )


async def _preview(viewer: Administrator, form: Form) -> PreviewAnswer:
    """Variables a person fills are shown by their names."""
    own = {name.strip(): f"[{name.strip()}]" for name in form.text("variables").split(",") if name.strip()}
    body = parse(templates.PreviewBody, {"body": form.text("body"), "variables": own | sample_context()})
    return await templates.preview_template(viewer.identity, body)
