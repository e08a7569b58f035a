"""One browser context per account: kept warm, opened from its session, renewed once when it expired."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID, uuid4

from playwright.async_api import BrowserContext, Dialog, Error, Page, StorageState

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.platforms.adapter import Adapter
from leasebot_pipeline.platforms.browser import BrowserRuntime
from leasebot_pipeline.platforms.browser_errors import classified, is_gone
from leasebot_pipeline.platforms.browser_login import log_in
from leasebot_pipeline.platforms.credentials import CapturedSession, Credentials, Login, Profile
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.profile_lock import ProfileLock
from leasebot_pipeline.platforms.protocol import AccountRef
from leasebot_pipeline.platforms.session_store import SessionStore


@dataclass(slots=True)
class WarmContext:
    """An account's context and page. ``version`` names the saved session it was opened from, if any."""

    context: BrowserContext
    page: Page
    credentials: str
    base_url: str
    generation: int
    lock: ProfileLock | None = None
    """Held while the context runs on a profile."""
    version: str | None = None

    def serves(self, credentials: Credentials, base_url: str) -> bool:
        """True when it is alive and was opened for these credentials on this site."""
        browser = self.context.browser
        alive = not self.page.is_closed() and (browser is None or browser.is_connected())
        return alive and self.credentials == credentials.digest and self.base_url == base_url


class AccountSessions:
    """The warm contexts of all accounts. Used on the runtime's loop only."""

    def __init__(self, runtime: BrowserRuntime, options: RuntimeOptions) -> None:
        self._runtime = runtime
        self._options = options
        self._store = SessionStore(options.data_dir / "sessions")
        self._warm: dict[UUID, WarmContext] = {}

    async def page(self, account: AccountRef, adapter: Adapter, credentials: Credentials) -> Page:
        """The account's page, on a context of its session. Raises PlatformFailure."""
        warm = self._current(account.id)
        if warm is None or not warm.serves(credentials, adapter.base_url):
            await self.drop(account.id)
            warm = await self._open(account, adapter, credentials)
        return warm.page

    async def renew(self, account: AccountRef, adapter: Adapter, login: Login) -> tuple[Page, bool]:
        """A page on a fresh session, and whether we logged in for it.

        Another process's newer login is taken over first. Raises PlatformFailure.
        """
        warm = self._current(account.id)
        saved = self._store.load(account.id, login.digest, adapter.base_url)
        if saved is not None and (warm is None or warm.version != saved.version):
            await self.drop(account.id)
            return (await self._open(account, adapter, login)).page, False
        page = await self.page(account, adapter, login)
        await log_in(page, adapter, login, self._options)
        warm = self._warm[account.id]
        state = await warm.context.storage_state()
        warm.version = uuid4().hex
        self._store.save(
            account.id, login.digest, adapter.base_url, cast(Mapping[str, object], state), warm.version
        )
        return page, True

    async def drop(self, account: UUID) -> None:
        """Close the account's context, whatever state it is in."""
        warm = self._current(account)
        if warm is None:
            return
        del self._warm[account]
        try:
            await warm.context.close()
        except Error as error:
            if not is_gone(error):
                raise classified(error, "closing a browser context") from None
        finally:
            if warm.lock is not None:
                warm.lock.release()

    async def release(self, account: UUID) -> None:
        """Give back a profile, which only one browser may own; other contexts stay warm on an empty page.

        A site's own scripts would poll on for as long as its page stayed open.
        """
        warm = self._current(account)
        if warm is None:
            return
        if warm.lock is not None:
            await self.drop(account)
            return
        try:
            await warm.page.goto("about:blank")
        except Error:
            await self.drop(account)  # the next visit opens another

    async def close(self) -> None:
        """Close every context."""
        for account in list(self._warm):
            await self.drop(account)

    def _current(self, account: UUID) -> WarmContext | None:
        """The account's warm context; one of a loop that was given up is forgotten, not touched."""
        warm = self._warm.get(account)
        if warm is None or warm.generation == self._runtime.generation:
            return warm
        del self._warm[account]
        if warm.lock is not None:
            warm.lock.release()
        return None

    async def _open(self, account: AccountRef, adapter: Adapter, credentials: Credentials) -> WarmContext:
        own = self._options.of(account.platform)
        headless = self._options.headless if own.headless is None else own.headless
        version, lock = None, None
        try:
            if isinstance(credentials, Profile):
                lock = ProfileLock(credentials.directory)
                context = await self._runtime.profile(credentials.directory, own, headless=headless)
            else:
                state: Mapping[str, object] | None = None
                if isinstance(credentials, CapturedSession):
                    state = credentials.storage_state
                elif saved := self._store.load(account.id, credentials.digest, adapter.base_url):
                    state, version = saved.storage_state, saved.version
                context = await self._context(state, account, headless=headless)
            page = context.pages[0] if context.pages else await context.new_page()
        except (Error, PlatformFailure) as error:
            if lock is not None:
                lock.release()
            raise classified(error, "opening a browser context") from None
        page.on("dialog", _answer_dialog)
        warm = WarmContext(
            context, page, credentials.digest, adapter.base_url, self._runtime.generation, lock, version
        )
        self._warm[account.id] = warm
        return warm

    async def _context(
        self, state: Mapping[str, object] | None, account: AccountRef, *, headless: bool
    ) -> BrowserContext:
        own = self._options.of(account.platform)
        browser = await self._runtime.browser(headless=headless)
        wanted: dict[str, Any] = {
            "user_agent": own.user_agent,
            "locale": own.locale,
            "timezone_id": own.timezone,
        }
        try:
            return await browser.new_context(
                storage_state=cast("StorageState | None", state),
                **{name: value for name, value in wanted.items() if value is not None},
            )
        except Error as error:
            failure = classified(error, "opening a browser context")
            if state is None or "went away" in failure.detail:
                raise failure from None
            raise PlatformFailure(
                "SESSION_INVALID", f"{account.platform.value}: the browser refused the session's cookies"
            ) from None


async def _answer_dialog(dialog: Dialog) -> None:
    """Leave pages that ask not to be left; say no to everything else."""
    if dialog.type == "beforeunload":
        await dialog.accept()
    else:
        await dialog.dismiss()
