"""Opening a session: its row and its cookie."""

from __future__ import annotations

from fastapi import Request, Response

from api.auth.access import SESSION_LIFETIME, UNREMEMBERED_LIFETIME, cookie_jar
from api.services import Services
from leasebot_pipeline.storage import auth as logins


def client_address(request: Request) -> str:
    """The caller's address; behind a trusted proxy the server has put the forwarded one here."""
    return request.client.host if request.client else ""


async def open_session(
    user: logins.User, request: Request, response: Response, services: Services, *, remember: bool
) -> logins.Session:
    """Store a session of the user and set its cookie on the answer."""
    now = services.clock()
    session = await services.database.run(
        logins.create_session,
        user_id=user.id,
        expires_at=now + (SESSION_LIFETIME if remember else UNREMEMBERED_LIFETIME),
        now=now,
        ip_address=client_address(request),
        user_agent=request.headers.get("user-agent", ""),
    )
    max_age_s = int(SESSION_LIFETIME.total_seconds())
    for line in cookie_jar(services).signed_in(session.token, remember=remember, max_age_s=max_age_s):
        response.headers.append("set-cookie", line)
    return session
