"""Reply templates: placeholders are checked when they are saved, and a preview shows how they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends
from pydantic import BeforeValidator, Field
from sqlalchemy import Connection

from api.answers import Answer, CreatedAnswer, DeletedAnswer, Instant, UpdatedAnswer
from api.auth.access import AdminIdentity, AnyIdentity
from api.edge.json_route import json_router
from api.errors import ApiError, conflict, not_found, validation_error
from api.inputs import Document, Id, Input, PathId, Text, Trimmed, query_id
from api.operator_audit import by_user
from api.preconditions import IfMatch, check_match, etag
from api.services import ServicesDep
from leasebot_pipeline.domain.guardrails_outbound import check_outbound
from leasebot_pipeline.domain.replies import (
    KNOWN_PLACEHOLDERS,
    TemplateInvalid,
    placeholders,
    render,
    sample_context,
)
from leasebot_pipeline.storage import audit, templates

router = json_router("/api/templates", "templates")

DEFAULT_ACCOUNT: Final = UUID("11111111-1111-1111-1111-111111111111")


async def _account(asked: Annotated[UUID | None, query_id("platformAccountId")]) -> UUID:
    return asked or DEFAULT_ACCOUNT


AccountId = Annotated[UUID, Depends(_account)]


class TemplateAnswer(Answer):
    id: UUID
    platform_account_id: UUID | None
    name: str
    channel: str
    locale: str
    body: str
    variables: list[str]
    is_active: bool
    updated_at: Instant
    etag: str

    @classmethod
    def of(cls, stored: templates.StoredTemplate) -> TemplateAnswer:
        values = {name: getattr(stored, name) for name in cls.model_fields if name != "etag"}
        return cls(**values, etag=etag(stored.updated_at))


class TemplatesAnswer(Answer):
    items: list[TemplateAnswer]


class PreviewAnswer(Answer):
    rendered: str | None = Field(description="null while a placeholder has no value")
    placeholders: list[str]
    missing: list[str]
    unknown: list[str] = Field(description="placeholders that nothing fills by itself")
    guardrails: list[str] = Field(description="outbound guardrails the text hits")


def _names(value: object) -> object:
    """Comma text or a list; empty elements are dropped."""
    parts = value.split(",") if isinstance(value, str) else value
    if isinstance(parts, list) and all(isinstance(part, str) for part in parts):
        return list(dict.fromkeys(part.strip() for part in parts if part.strip()))
    return value


_Name = Annotated[Trimmed, Field(min_length=2, max_length=100)]
_Body = Annotated[Trimmed, Field(min_length=3, max_length=5000)]
_Short = Annotated[Trimmed, Field(min_length=1, max_length=30)]
_Variables = Annotated[
    list[Annotated[Text, Field(max_length=60)]], BeforeValidator(_names), Field(max_length=50)
]


class NewTemplateBody(Input):
    platform_account_id: Id | None = None
    name: _Name
    body: _Body
    channel: _Short = "in_app"
    locale: _Short = "en-US"
    is_active: bool = True
    variables: _Variables = Field(default=[], description="names, as a list or comma separated")


def _blank_is_absent(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


class TemplateBody(Input):
    """What is absent, null or empty keeps its value."""

    name: Annotated[_Name | None, BeforeValidator(_blank_is_absent)] = None
    body: Annotated[_Body | None, BeforeValidator(_blank_is_absent)] = None
    channel: Annotated[_Short | None, BeforeValidator(_blank_is_absent)] = None
    locale: Annotated[_Short | None, BeforeValidator(_blank_is_absent)] = None
    is_active: bool | None = None
    variables: _Variables | None = None


class PreviewBody(Input):
    body: _Body
    variables: Document = Field(default_factory=dict)


@router.get("", operation_id="listTemplates", summary="An account's own and the global templates")
async def list_templates(_: AnyIdentity, account: AccountId, services: ServicesDep) -> TemplatesAnswer:
    found = await services.database.read(templates.list_templates, account)
    return TemplatesAnswer(items=[TemplateAnswer.of(stored) for stored in found])


@router.post("", operation_id="createTemplate", summary="Create a template", status_code=201)
async def create_template(
    identity: AdminIdentity, body: NewTemplateBody, services: ServicesDep
) -> CreatedAnswer:
    """A placeholder that nothing fills must be among `variables`, else 400: a reply never has a hole."""
    values = body.model_dump(include=set(templates.FIELDS))
    values["variables"] = _checked(values["body"], body.variables)

    def create(conn: Connection) -> UUID:
        made = templates.create_template(conn, body.platform_account_id, values, services.clock())
        details = {"name": body.name, "locale": body.locale}
        entry = by_user(
            identity,
            "template",
            made,
            "template_created",
            details,
            platform_account_id=body.platform_account_id,
        )
        audit.record(conn, [entry])
        return made

    try:
        return CreatedAnswer(id=await services.database.run(create))
    except templates.TemplateExists:
        raise validation_error(["name: the account has a template of this name and locale"]) from None
    except templates.AccountUnknown:
        raise validation_error(["platformAccountId: must be the id of an account"]) from None


@router.post("/preview", operation_id="previewTemplate", summary="How a text would read")
async def preview_template(_: AnyIdentity, body: PreviewBody) -> PreviewAnswer:
    """Filled with sample values and the given `variables`; nothing is stored."""
    used = list(placeholders(body.body))
    context: Mapping[str, str] = {**sample_context(), **{k: str(v) for k, v in body.variables.items()}}
    try:
        rendered: str | None = render(body.body, context)
        missing: list[str] = []
    except TemplateInvalid as error:
        rendered, missing = None, list(error.placeholders)
    return PreviewAnswer(
        rendered=rendered,
        placeholders=used,
        missing=missing,
        unknown=[name for name in used if name not in KNOWN_PLACEHOLDERS],
        guardrails=list(check_outbound(rendered, body.body)) if rendered else [],
    )


@router.put(
    "/{id}",
    operation_id="updateTemplate",
    summary="Change a template; empty or absent keeps",
    responses={409: {"description": "template_in_use: a rule would send nothing, or another text"}},
)
async def update_template(
    identity: AdminIdentity,
    template_id: PathId,
    body: TemplateBody,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> UpdatedAnswer:
    """Rules that send it take over a new name. 409 `template_in_use` for switching off what a rule sends, and for a
    new name under which a rule would find another text."""
    given: dict[str, Any] = {name: value for name, value in body.given().items() if value is not None}

    def update(conn: Connection) -> None:
        current = templates.find_template(conn, template_id)
        if current is None:
            raise not_found()
        check_match(if_match, current.updated_at)
        if {"body", "variables"} & given.keys():
            declared = given.get("variables", current.variables)
            given["variables"] = _checked(given.get("body", current.body), declared)
        rules = templates.update_template(conn, current, given, services.clock())
        told = {"fields": sorted(given), "previousBody": current.body if "body" in given else None}
        if rules:
            told |= {"previousName": current.name, "rulesRenamed": rules}
        entry = by_user(
            identity,
            "template",
            template_id,
            "template_updated",
            told,
            platform_account_id=current.platform_account_id,
        )
        audit.record(conn, [entry])

    try:
        await services.database.run(update)
    except templates.TemplateExists:
        raise validation_error(["name: the account has a template of this name and locale"]) from None
    except templates.TemplateInUse as error:
        raise _in_use(error.rules) from None
    return UpdatedAnswer()


@router.delete("/{id}", operation_id="deleteTemplate", summary="Remove a template that no rule sends")
async def delete_template(
    identity: AdminIdentity, template_id: PathId, services: ServicesDep
) -> DeletedAnswer:
    """409 `template_in_use` while a rule sends it."""

    def delete(conn: Connection) -> None:
        current = templates.find_template(conn, template_id)
        if current is None:
            raise not_found()
        used_by = templates.rules_using(conn, current)
        if used_by:
            raise _in_use(used_by)
        templates.delete_template(conn, template_id)
        entry = by_user(
            identity,
            "template",
            template_id,
            "template_deleted",
            {"name": current.name, "body": current.body},
            platform_account_id=current.platform_account_id,
        )
        audit.record(conn, [entry])

    await services.database.run(delete)
    return DeletedAnswer()


def _in_use(rules: Sequence[str]) -> ApiError:
    return conflict(
        "template_in_use", f"Rules send this template: {', '.join(rules)}. Give them another one first."
    )


def _checked(body: str, declared: list[str]) -> list[str]:
    """All variables of a template. Raises 400 for a placeholder that nothing fills and stray braces."""
    used = placeholders(body)
    unknown = [name for name in used if name not in KNOWN_PLACEHOLDERS and name not in declared]
    faults = [f"body: nothing fills the placeholder {{{{ {name} }}}}" for name in unknown]
    try:
        render(body, dict.fromkeys(used, "x"))
    except TemplateInvalid:
        faults.append("body: braces that are no placeholder")
    if faults:
        raise validation_error(faults)
    return list(dict.fromkeys([*declared, *used]))
