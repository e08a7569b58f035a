"""Slows down password guessing and floods of writes. The counts are in the database, shared by all processes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from api.database import Database
from leasebot_pipeline.storage import rate_limits
from leasebot_pipeline.storage.rate_limits import Bucket

WINDOW: Final = timedelta(minutes=5)
PER_LOGIN: Final = 5
PER_CLIENT: Final = 50
PER_ADDRESS: Final = 100
"""Failures of one e-mail address from all clients together: a distributed guess is slow too."""
PER_STRANGER: Final = 60
"""Requests of one client about invitations."""
WRITES: Final = 300
WRITE_WINDOW: Final = timedelta(minutes=1)


class Throttle:
    """Attempts are counted before the password is checked, so parallel guesses can't slip through."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sign_in_wait_s(self, client: str, email: str, now: datetime) -> int | None:
        """Count an attempt to sign in; seconds to wait when it is one too many."""
        return await self._database.run(rate_limits.take, _sign_in(client, email), now)

    async def signed_in(self, client: str, email: str) -> None:
        """Forget the failures of a login from this client; the success itself does not count."""
        login, *others = _sign_in(client, email)
        await self._database.run(rate_limits.forget, [login])
        await self._database.run(rate_limits.give_back, others)

    async def stranger_wait_s(self, client: str, now: datetime) -> int | None:
        """Count a request of somebody without a session; seconds to wait when it is one too many."""
        return await self._database.run(
            rate_limits.take, [Bucket(f"stranger:{client}", PER_STRANGER, WINDOW)], now
        )

    async def write_wait_s(self, user_id: str, now: datetime) -> int | None:
        """Count a write of a user; seconds to wait when it is one too many."""
        return await self._database.run(
            rate_limits.take, [Bucket(f"write:{user_id}", WRITES, WRITE_WINDOW)], now
        )


def _sign_in(client: str, email: str) -> list[Bucket]:
    address = email.lower()
    return [
        Bucket(f"sign-in:{client}:{address}", PER_LOGIN, WINDOW),
        Bucket(f"sign-in-client:{client}", PER_CLIENT, WINDOW),
        Bucket(f"sign-in-address:{address}", PER_ADDRESS, WINDOW),
    ]
