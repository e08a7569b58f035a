"""Logins and invitations: who may use the system."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal
from urllib.parse import quote
from uuid import UUID

import structlog
from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, BeforeValidator, Field
from sqlalchemy import Connection

from api.answers import Answer, Instant
from api.auth import passwords
from api.auth.access import AdminIdentity
from api.auth.opening import client_address
from api.edge.json_route import JsonRoute
from api.errors import ApiError, conflict, not_found, rate_limited, validation_error
from api.inputs import Input, PathId, Text, Trimmed
from api.mail import MailNotDelivered
from api.operator_audit import by_user
from api.paging import MAX_LIMIT, PageQuery, encode
from api.services import Services, ServicesDep
from leasebot_pipeline.storage import audit, people
from leasebot_pipeline.storage import auth as logins
from leasebot_pipeline.storage.audit import AuditEntry

router = APIRouter(prefix="/api", tags=["people"], route_class=JsonRoute)
log = structlog.get_logger("api.people")

TOKEN_LENGTH: Final = 30
_EMAIL: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@.]+")


def _email(text: str) -> str:
    address = text.strip().lower()
    if not _EMAIL.fullmatch(address) or len(address) > 254:
        raise ValueError("must be an e-mail address")
    return address


def _collapsed(value: object) -> object:
    return " ".join(value.split()) if isinstance(value, str) else value


_Name = Annotated[Trimmed, BeforeValidator(_collapsed), Field(min_length=1, max_length=80)]


class InviteBody(Input):
    email: Annotated[Text, AfterValidator(_email)]
    first_name: _Name
    last_name: _Name
    role: Literal["admin", "agent"] = "agent"


class AcceptBody(Input):
    token: Annotated[Text, Field(min_length=TOKEN_LENGTH, max_length=200)]
    password: Annotated[Text, Field(min_length=passwords.MIN_LENGTH, max_length=passwords.MAX_LENGTH)]


class PersonAnswer(Answer):
    id: str
    email: str
    first_name: str
    last_name: str
    full_name: str
    role: str
    agent_id: UUID | None
    created_at: Instant
    updated_at: Instant


class InvitationAnswer(Answer):
    id: UUID
    email: str
    first_name: str
    last_name: str
    role: str
    invited_by: str
    expires_at: Instant
    accepted_at: Instant | None
    revoked_at: Instant | None
    created_at: Instant
    updated_at: Instant
    status: str


class SentInvitationAnswer(InvitationAnswer):
    delivery: Literal["email", "logged"]
    message_id: str | None
    preview_url: str | None


class PeopleAnswer(Answer):
    users: list[PersonAnswer]
    invitations: list[InvitationAnswer]
    next_cursor: str | None


class InvitedAnswer(Answer):
    invitation: SentInvitationAnswer


class RevokedAnswer(Answer):
    revoked: Literal[True] = True


class InvitedPerson(Answer):
    email: str
    first_name: str
    last_name: str
    role: str
    expires_at: Instant


class VerifiedAnswer(Answer):
    valid: Literal[True] = True
    invitation: InvitedPerson


class AcceptedAnswer(Answer):
    accepted: Literal[True] = True
    email: str


@router.get("/admin/users", operation_id="listUsers", summary="Logins and invitations, newest first")
async def list_users(_: AdminIdentity, page: PageQuery, services: ServicesDep) -> PeopleAnswer:
    after = page.key(datetime, str)

    def read(conn: Connection) -> tuple[list[people.Person], list[people.Invitation]]:
        found = people.list_people(conn, page.limit, after)
        return found, people.list_invitations(conn, MAX_LIMIT) if after is None else []

    found, invitations = await services.database.read(read)
    last = found[-1] if len(found) == page.limit else None
    return PeopleAnswer(
        users=[_person(person) for person in found],
        invitations=[_invitation(invitation, services) for invitation in invitations],
        next_cursor=encode((last.created_at.isoformat(), last.id)) if last else None,
    )


@router.post(
    "/admin/users/invitations", operation_id="inviteUser", summary="Invite somebody", status_code=201
)
async def invite(identity: AdminIdentity, body: InviteBody, services: ServicesDep) -> InvitedAnswer:
    """Earlier open invitations of the address end. Without a mail server the link is only shown."""
    now = services.clock()
    server = services.config.mail
    if server is None and services.config.production:
        raise ApiError(500, {"error": "invite_delivery_failed", "message": "No mail server is configured."})

    def store(conn: Connection) -> tuple[people.Invitation, str]:
        made, token = people.invite(
            conn,
            email=body.email,
            first_name=body.first_name,
            last_name=body.last_name,
            role=body.role,
            invited_by=identity.user.id,
            lifetime=timedelta(hours=services.config.invite_ttl_hours),
            now=now,
        )
        audit.record(conn, [_audited(identity, made, "user_invited")])
        return made, token

    try:
        made, token = await services.database.run(store)
    except people.EmailHasLogin:
        raise conflict("user_exists", "Somebody with this e-mail address can sign in already.") from None
    link = f"{services.config.invite_url}?token={quote(token)}"
    message_id = None
    if server is not None:
        try:
            message_id = await server.send(
                made.email, "Your invitation to leasebot", _letter(made, identity.user.name, link)
            )
        except MailNotDelivered as error:
            await services.database.run(people.revoke, made.id, services.clock())
            log.warning("invitation_not_delivered", invitation=str(made.id), error=str(error))
            raise ApiError(500, {"error": "invite_delivery_failed", "message": str(error)}) from None
    else:
        log.info("invitation_not_mailed", invitation=str(made.id))
    answer = SentInvitationAnswer(
        **_invitation(made, services).model_dump(),
        delivery="email" if server else "logged",
        message_id=message_id,
        preview_url=None if server else link,
    )
    return InvitedAnswer(invitation=answer)


@router.post(
    "/admin/users/invitations/{id}/revoke", operation_id="revokeInvitation", summary="End an invitation"
)
async def revoke(identity: AdminIdentity, invitation_id: PathId, services: ServicesDep) -> RevokedAnswer:
    def end(conn: Connection) -> None:
        if not people.revoke(conn, invitation_id, services.clock()):
            raise not_found()
        entry = by_user(
            identity, "user_invitation", invitation_id, "user_invitation_revoked", actor_type="user"
        )
        audit.record(conn, [entry])

    await services.database.run(end)
    return RevokedAnswer()


@router.get("/invitations/verify", operation_id="verifyInvitation", summary="Is this invitation open?")
async def verify(
    request: Request,
    services: ServicesDep,
    token: Annotated[str, Query(description="of the invitation's link")] = "",
) -> VerifiedAnswer:
    await _slow_down(request, services)
    if len(token) < TOKEN_LENGTH:
        raise validation_error([f"token: must have at least {TOKEN_LENGTH} characters"])
    found = await services.database.read(people.find_invitation, token)
    if found is None:
        raise ApiError(404, {"valid": False, "error": "invalid_token"})
    status = found.status(services.clock())
    if status != "pending":
        raise ApiError(409, {"valid": False, "error": "invite_unavailable", "status": status})
    return VerifiedAnswer(invitation=InvitedPerson.model_validate(found))


@router.post("/invitations/accept", operation_id="acceptInvitation", summary="Choose a password")
async def accept(body: AcceptBody, request: Request, services: ServicesDep) -> AcceptedAnswer:
    """Creates the login, and for an agent the agent behind it, at once with the acceptance. Opens no session."""
    await _slow_down(request, services)
    _pending(await services.database.read(people.find_invitation, body.token), services)
    password_hash = await services.passwords.hash(body.password)

    def take(conn: Connection) -> people.Invitation | None:
        made = people.accept(conn, body.token, password_hash, services.clock())
        if made is not None:
            audit.record(conn, [_audited(None, made, "user_invitation_accepted")])
        return made

    try:
        made = await services.database.run(take)
    except people.NotAvailable as error:
        raise ApiError(409, {"error": "invite_unavailable", "status": error.status}) from None
    except logins.EmailTaken:
        raise conflict("user_exists", "Somebody with this e-mail address can sign in already.") from None
    if made is None:
        raise ApiError(404, {"error": "invalid_token"})
    return AcceptedAnswer(email=made.email)


async def _slow_down(request: Request, services: Services) -> None:
    wait_s = await services.throttle.stranger_wait_s(client_address(request), services.clock())
    if wait_s is not None:
        raise rate_limited(wait_s)


def _pending(found: people.Invitation | None, services: Services) -> None:
    """Raises what an unusable token is answered with."""
    if found is None:
        raise ApiError(404, {"error": "invalid_token"})
    status = found.status(services.clock())
    if status != "pending":
        raise ApiError(409, {"error": "invite_unavailable", "status": status})


def _person(person: people.Person) -> PersonAnswer:
    first, _, last = person.name.strip().rpartition(" ")
    return PersonAnswer(
        id=person.id,
        email=person.email,
        first_name=first or last,
        last_name=last if first else "",
        full_name=person.name,
        role="admin" if person.role == "admin" else "agent",
        agent_id=person.agent_id,
        created_at=person.created_at,
        updated_at=person.updated_at,
    )


def _invitation(found: people.Invitation, services: Services) -> InvitationAnswer:
    names = set(InvitationAnswer.model_fields) - {"status"}
    values = {name: getattr(found, name) for name in names}
    return InvitationAnswer(**values, status=found.status(services.clock()))


def _audited(identity: AdminIdentity | None, made: people.Invitation, action: str) -> AuditEntry:
    return AuditEntry(
        actor_type="user" if identity else "system",
        actor_id=identity.user.id if identity else None,
        entity_type="user_invitation",
        entity_id=str(made.id),
        action=action,
        details={"email": made.email, "role": made.role},
    )


def _letter(made: people.Invitation, inviter: str, link: str) -> str:
    until = made.expires_at.astimezone(UTC).strftime("%d %b %Y %H:%M UTC")
    return (
        f"Hello {made.first_name},\n\n{inviter} invites you to leasebot. Choose a password here:\n\n{link}\n\n"
        f"The link can be used once, until {until}. If you did not expect this, ignore it.\n"
    )
