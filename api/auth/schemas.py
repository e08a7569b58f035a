"""Bodies of the auth endpoints, in the shapes of Better Auth."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from api.answers import Answer, Instant


class SignInBody(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "admin@example.com", "password": "a long password"}]}
    )

    email: str
    password: str
    remember_me: bool = Field(
        True, alias="rememberMe", description="false: the session ends with the browser"
    )
    callback_url: str | None = Field(None, alias="callbackURL", description="where the client goes next")


class SignUpBody(BaseModel):
    name: str
    email: str
    password: str
    remember_me: bool = Field(True, alias="rememberMe")


class UserAnswer(Answer):
    id: str
    name: str
    email: str
    email_verified: bool
    image: str | None
    role: str
    banned: bool
    ban_reason: str | None
    ban_expires: Instant | None
    created_at: Instant
    updated_at: Instant


class SessionAnswer(Answer):
    id: str
    token: str
    user_id: str
    expires_at: Instant
    created_at: Instant
    updated_at: Instant
    ip_address: str | None
    user_agent: str | None
    impersonated_by: str | None


class SignInAnswer(BaseModel):
    redirect: bool
    token: str
    url: str | None = None
    user: UserAnswer


class SignUpAnswer(BaseModel):
    token: str
    user: UserAnswer


class SignOutAnswer(BaseModel):
    success: bool


class CurrentSessionAnswer(BaseModel):
    session: SessionAnswer
    user: UserAnswer


class ChangePasswordBody(BaseModel):
    current_password: str = Field(alias="currentPassword")
    new_password: str = Field(alias="newPassword")
    revoke_other_sessions: bool = Field(
        False, alias="revokeOtherSessions", description="true: every session ends, a new one opens here"
    )


class ChangePasswordAnswer(BaseModel):
    token: str | None = Field(description="of the new session, when the others were revoked")
    user: UserAnswer


class RevokeSessionBody(BaseModel):
    token: str


class StatusAnswer(BaseModel):
    status: bool


class AuthErrorAnswer(BaseModel):
    code: str
    message: str
