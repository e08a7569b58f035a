"""One visit of one account: pages are opened on its session, which is renewed at most once."""

from __future__ import annotations

from dataclasses import dataclass, field

from playwright.async_api import Page

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.platforms.adapter import Adapter
from leasebot_pipeline.platforms.browser_page import open_page
from leasebot_pipeline.platforms.browser_sessions import AccountSessions
from leasebot_pipeline.platforms.credentials import Credentials, Login, resolve
from leasebot_pipeline.platforms.detection import PageKind
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.page import Document, PageSnapshot
from leasebot_pipeline.platforms.protocol import AccountRef


@dataclass(slots=True)
class Visit:
    """The state of one connector call. Used on the runtime's loop only."""

    account: AccountRef
    adapter: Adapter
    sessions: AccountSessions
    options: RuntimeOptions
    page: Page | None = field(default=None, init=False)
    _credentials: Credentials | None = field(default=None, init=False)
    _logged_in: bool = field(default=False, init=False)

    async def open(self, kind: PageKind, url: str) -> tuple[Document, PageSnapshot]:
        """The proven page at ``url``. Raises PlatformFailure.

        An account with login id and password logs in when its session expired, once in a visit; a captured
        session or profile that expired needs a person.
        """
        if self._credentials is None:
            self._credentials = resolve(self.account, self.options)
        self.page = await self.sessions.page(self.account, self.adapter, self._credentials)
        while True:
            try:
                return await open_page(self.page, url, self.adapter, kind, self.options)
            except PlatformFailure as failure:
                if failure.code != "SESSION_EXPIRED":
                    raise
                if not isinstance(self._credentials, Login):
                    raise PlatformFailure(
                        "SESSION_EXPIRED", f"{failure.detail}; the captured session must be renewed"
                    ) from None
                if self._logged_in:
                    raise PlatformFailure(
                        "SESSION_EXPIRED", f"{failure.detail}, again right after a login"
                    ) from None
            self.page, self._logged_in = await self.sessions.renew(
                self.account, self.adapter, self._credentials
            )
