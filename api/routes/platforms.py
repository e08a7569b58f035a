"""Platform accounts: switches, credentials by reference, health."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Response
from pydantic import AfterValidator, Field, model_validator
from sqlalchemy import Connection

from api.answers import Answer, Instant
from api.auth.access import ADMIN_ONLY, AdminIdentity
from api.edge.json_route import json_router
from api.errors import not_found, validation_error
from api.inputs import Input, PathId, Text
from api.operator_audit import by_user
from api.preconditions import IfMatch, check_match, etag, set_etag
from api.services import Services, ServicesDep
from leasebot_pipeline.domain.platforms import Platform, SendMode
from leasebot_pipeline.storage import audit, platform_accounts
from leasebot_pipeline.storage.platform_accounts import Account, AccountHealth

router = json_router("/api/admin", "platforms")

SESSION_KEYS: Final = (
    "sessionRef",
    "storageStateRef",
    "storageStatePathRef",
    "userDataDirRef",
    "userDataDir",
)
LOGIN_KEYS: Final = ("loginId", "loginIdRef", "username", "usernameRef", "email", "emailRef")
PASSWORD_KEYS: Final = ("password", "passwordRef")
REFERENCES: Final = ("env:", "secret:")


class PolicyAnswer(Answer):
    id: UUID
    platform: str
    account_name: str
    account_external_id: str
    is_active: bool
    integration_mode: str
    send_mode: str
    send_mode_override: str | None
    global_default_send_mode: str
    credentials: dict[str, str]
    release_stage: str
    in_cohort: bool
    created_at: Instant
    updated_at: Instant
    etag: str


class PoliciesAnswer(Answer):
    global_default_send_mode: str
    required_platforms: list[str]
    missing_platforms: list[str]
    items: list[PolicyAnswer]


class ErrorsAnswer(Answer):
    count24h: int = Field(alias="count24h")
    last_error_at: Instant | None


class HealthItem(Answer):
    id: UUID
    platform: str
    account_name: str
    account_external_id: str
    is_active: bool
    send_mode: str
    send_mode_override: str | None
    integration_mode: str
    global_default_send_mode: str
    last_successful_ingest_at: Instant | None
    last_successful_send_at: Instant | None
    error_count24h: int = Field(alias="errorCount24h")
    disable_reason: str | None
    health: Literal["inactive", "degraded", "healthy"]
    error: ErrorsAnswer
    stopped_at: Instant | None
    stop_code: str | None
    stop_reason: str | None
    circuit_state: str
    circuit_open_until: Instant | None
    last_polled_at: Instant | None


class AccountsHealthAnswer(Answer):
    generated_at: Instant
    items: list[HealthItem]


def _reference(value: str) -> str:
    if not value.startswith(REFERENCES) or not value.partition(":")[2].strip():
        raise ValueError("must be a reference beginning env: or secret:")
    return value


class PolicyBody(Input):
    """At least one field; `sendMode: null` inherits the global default. Credentials replace the stored ones."""

    is_active: bool | None = None
    send_mode: SendMode | None = None
    integration_mode: Literal["rpa"] | None = None
    credentials: dict[str, Annotated[Text, AfterValidator(_reference)]] | None = None
    disable_reason: Text | None = None

    @model_validator(mode="after")
    def _complete(self) -> PolicyBody:
        given = self.model_fields_set - {"disable_reason"}
        if not given:
            raise ValueError("at least one of isActive, sendMode, integrationMode, credentials is needed")
        nulls = [
            name
            for name in ("is_active", "integration_mode", "credentials")
            if name in given and getattr(self, name) is None
        ]
        if nulls:
            raise ValueError(f"{', '.join(nulls)} must not be null")
        return self


def _check_credentials(credentials: dict[str, str]) -> None:
    allowed = (*SESSION_KEYS, *LOGIN_KEYS, *PASSWORD_KEYS)
    faults = [
        f"credentials.{key}: must be one of {', '.join(allowed)}" for key in credentials if key not in allowed
    ]
    has_session = any(key in credentials for key in SESSION_KEYS)
    has_login = any(key in credentials for key in LOGIN_KEYS) and any(
        key in credentials for key in PASSWORD_KEYS
    )
    if not faults and not has_session and not has_login:
        faults.append("credentials: needs a session or profile, or a login id and a password")
    if faults:
        raise validation_error(faults)


@router.get(
    "/platform-policies",
    operation_id="listPlatformPolicies",
    summary="Accounts with their switches",
    dependencies=[ADMIN_ONLY],
)
async def list_policies(services: ServicesDep) -> PoliciesAnswer:
    default = services.config.default_send_mode
    found = await services.database.read(platform_accounts.list_accounts, default)
    present = {account.platform for account in found}
    required = [platform.value for platform in Platform]
    return PoliciesAnswer(
        global_default_send_mode=default.value,
        required_platforms=required,
        missing_platforms=[name for name in required if name not in present],
        items=[_policy(account) for account in found],
    )


@router.put("/platform-policies/{id}", operation_id="updatePlatformPolicy", summary="Switch an account")
async def update_policy(
    identity: AdminIdentity,
    account_id: PathId,
    body: PolicyBody,
    response: Response,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> PolicyAnswer:
    if body.credentials is not None:
        _check_credentials(body.credentials)
    account = await services.database.run(_update, services, identity, account_id, body, if_match)
    set_etag(response, account.updated_at)
    return _policy(account)


def _update(
    conn: Connection,
    services: Services,
    identity: AdminIdentity,
    account_id: UUID,
    body: PolicyBody,
    if_match: str | None,
) -> Account:
    default = services.config.default_send_mode
    account = platform_accounts.find_account(conn, account_id, default)
    if account is None:
        raise not_found()
    check_match(if_match, account.updated_at)
    values: dict[str, Any] = body.given()
    reason = values.pop("disable_reason", None)
    if isinstance(values.get("send_mode"), SendMode):
        values["send_mode"] = values["send_mode"].value
    platform_accounts.update_account(conn, account, values, services.clock())
    changed = platform_accounts.find_account(conn, account_id, default)
    assert changed is not None  # its row is locked
    updates = body.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"credentials"})
    if body.credentials is not None:
        updates["credentialKeys"] = sorted(body.credentials)
    details = {
        "updates": updates,
        "effectiveSendMode": changed.policy.effective_send_mode.value,
        "integrationMode": changed.integration_mode,
        "isActive": changed.policy.is_active,
        "disableReason": reason,
    }
    entry = by_user(
        identity,
        "platform_account",
        account_id,
        "platform_policy_updated",
        details,
        actor_type="user",
        platform=account.platform,
        platform_account_id=account_id,
    )
    audit.record(conn, [entry])
    return changed


@router.get(
    "/platform-health",
    operation_id="getPlatformHealth",
    summary="What was last seen of each account",
    dependencies=[ADMIN_ONLY],
)
async def platform_health(services: ServicesDep) -> AccountsHealthAnswer:
    now = services.clock()
    found = await services.database.read(
        platform_accounts.account_health, services.config.default_send_mode, now
    )
    return AccountsHealthAnswer(generated_at=now, items=[_health(item) for item in found])


def _switches(account: Account) -> dict[str, Any]:
    override = account.policy.send_mode_override
    return {
        "id": account.id,
        "platform": account.platform,
        "account_name": account.account_name,
        "account_external_id": account.account_external_id,
        "is_active": account.policy.is_active,
        "integration_mode": account.integration_mode,
        "send_mode": account.policy.effective_send_mode.value,
        "send_mode_override": override.value if override else None,
        "global_default_send_mode": account.policy.global_default.value,
    }


def _policy(account: Account) -> PolicyAnswer:
    return PolicyAnswer(
        **_switches(account),
        credentials=account.credentials,
        release_stage=account.policy.release_stage.value,
        in_cohort=account.policy.in_cohort,
        created_at=account.created_at,
        updated_at=account.updated_at,
        etag=etag(account.updated_at),
    )


def _health(item: AccountHealth) -> HealthItem:
    if not item.account.policy.is_active:
        health: Literal["inactive", "degraded", "healthy"] = "inactive"
    else:
        health = "degraded" if item.error_count or item.stopped_at else "healthy"
    return HealthItem(
        **_switches(item.account),
        last_successful_ingest_at=item.last_ingest_at,
        last_successful_send_at=item.last_send_at,
        error_count24h=item.error_count,
        disable_reason=item.disable_reason,
        health=health,
        error=ErrorsAnswer(count24h=item.error_count, last_error_at=item.last_error_at),
        stopped_at=item.stopped_at,
        stop_code=item.stop_code,
        stop_reason=item.stop_reason,
        circuit_state=item.circuit_state,
        circuit_open_until=item.circuit_open_until,
        last_polled_at=item.last_polled_at,
    )
