"""Sessions by a person's hand: capture a login, check that accounts get in, free a profile."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.domain.platforms import REQUIRED_ACCOUNTS, Platform
from leasebot_pipeline.domain.stops import next_step
from leasebot_pipeline.platforms.browser import BrowserRuntime
from leasebot_pipeline.platforms.browser_capture import Capture, CapturedLogin, end
from leasebot_pipeline.platforms.credentials import CapturedSession, resolve
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.overrides import adapters
from leasebot_pipeline.platforms.profile_lock import ProfileLock
from leasebot_pipeline.platforms.protocol import AccountRef, Connectors
from leasebot_pipeline.platforms.registry import BrowserConnectors, paces
from leasebot_pipeline.platforms.session_expiry import cookies_expire_at
from leasebot_pipeline.platforms.session_target import SessionTarget, keep, target_of
from leasebot_pipeline.processes.accounts import account_choices
from leasebot_pipeline.settings import Settings
from leasebot_pipeline.stages.pipeline import Pipeline
from leasebot_pipeline.stages.visits import account_ref, leased, visit
from leasebot_pipeline.storage import accounts_runtime
from leasebot_pipeline.storage.accounts_runtime import AccountRow
from leasebot_pipeline.wiring import (
    alerts,
    decision_provider,
    pipeline_policy,
    runtime_options,
    utc_now,
)

Say = Callable[[str], None]

_CHECK_S: Final = 45.0


class SessionRefused(Exception):
    """The command can't be carried out as it was asked for; the message says what to do."""


class NoScreen(SessionRefused):
    """A window was asked for where none can be shown."""


def pipeline_over(settings: Settings, engine: Engine, connectors: Connectors) -> Pipeline:
    """What a visit needs, over a database and connectors that are there already."""
    policy = replace(pipeline_policy(settings), paces=paces(runtime_options(settings)))
    return Pipeline(
        engine=engine,
        clock=utc_now,
        connectors=connectors,
        provider=decision_provider(settings),
        policy=policy,
        alerts=alerts(settings, engine),
    )


def accounts_of(
    settings: Settings, engine: Engine | None, platforms: Sequence[Platform]
) -> list[AccountRow | AccountRef]:
    """The platforms' accounts: the database's rows, without a database what the environment offers."""
    if engine is not None:
        with engine.connect() as conn:
            return [row for platform in platforms for row in accounts_runtime.accounts(conn, platform)]
    choices = account_choices(settings, sandbox=False)
    return [
        AccountRef(a.id, a.platform, a.account_external_id, choices[a.platform].credentials)
        for platform in platforms
        for a in REQUIRED_ACCOUNTS
        if a.platform is platform
    ]


def reachable(engine: Engine) -> bool:
    """True when the database answers."""
    try:
        with engine.connect():
            return True
    except OperationalError:
        return False


def chosen_account(accounts: Sequence[AccountRow | AccountRef], external_id: str | None) -> AccountRef:
    """The one account that is meant. Raises SessionRefused when that is not clear."""
    refs = [account_ref(a) if isinstance(a, AccountRow) else a for a in accounts]
    fitting = [a for a in refs if external_id in (None, a.account_external_id)]
    if len(fitting) == 1:
        return fitting[0]
    known = ", ".join(a.account_external_id for a in refs) or "none"
    raise SessionRefused(f"say which account with --account; there are: {known}")


def options_of(
    settings: Settings, platform: Platform, *, base_url: str | None = None, headless: bool
) -> RuntimeOptions:
    """The runtime's options with a person's wishes; ``base_url`` is of ``platform``."""
    options = runtime_options(settings)
    platforms = {each: replace(options.of(each), headless=headless) for each in Platform}
    if base_url is not None:
        platforms[platform] = replace(platforms[platform], base_url=base_url)
    return replace(options, runtime="playwright", headless=headless, platforms=platforms)


@dataclass(frozen=True, slots=True)
class CaptureReport:
    """What a capture left behind. ``set_variable`` must be set to ``path`` before the account uses it."""

    platform: str
    account: str
    kind: str
    path: str
    profile: str
    threads: int
    set_variable: str | None
    expires_at: datetime | None
    holds: bool
    """False when the login was gone after the browser was closed."""


def capture(
    options: RuntimeOptions, account: AccountRef, target: SessionTarget, timeout_s: float, say: Say
) -> CaptureReport:
    """Open a browser on the profile, wait for the login, keep it, open it once more to see that it holds.

    Raises PlatformFailure, SessionRefused.
    """
    adapter = adapters(options)[account.platform]
    own = options.of(account.platform)
    headless = bool(own.headless)
    if not headless and sys.platform.startswith("linux") and not _has_screen():
        raise NoScreen(
            "there is no screen to show a browser on: run this on a machine with one and copy the session file "
            "or profile over, or forward a display (ssh -X)"
        )
    target.profile.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = ProfileLock(target.profile)
    runtime = BrowserRuntime(options)
    try:
        say(f"opening a browser on the profile {target.profile}")

        async def work() -> CapturedLogin:
            context = await runtime.profile(target.profile, own, headless=headless)
            try:
                ends = monotonic() + timeout_s
                return await Capture(context, adapter, options, utc_now, say, ends).run()
            finally:
                await end(context)

        login = runtime.call(work, timeout_s + _CHECK_S)
    finally:
        runtime.close()
        lock.release()
    say(f"logged in: the inbox shows {login.threads} threads on its first page")
    keep(target, account, options, adapter.base_url, login.storage_state, utc_now().isoformat())
    holds = _holds(options, account, target, say)
    return CaptureReport(
        platform=account.platform.value,
        account=account.account_external_id,
        kind=target.kind,
        path=str(target.profile if target.kind == "profile" else target.path),
        profile=str(target.profile),
        threads=login.threads,
        set_variable=target.to_set,
        expires_at=cookies_expire_at(login.storage_state, urlsplit(adapter.base_url).hostname or ""),
        holds=holds,
    )


def _has_screen() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _holds(options: RuntimeOptions, account: AccountRef, target: SessionTarget, say: Say) -> bool:
    """Whether a browser of leasebot's own, started anew, gets in with what was kept."""
    name = "LEASEBOT_CAPTURED"
    credentials = dict(account.credentials)
    if target.kind == "profile":
        credentials = {"userDataDirRef": f"env:{name}"}
    elif target.kind == "file":
        credentials = {"sessionRef": f"env:{name}"}
    path = target.profile if target.kind == "profile" else target.path
    environ = {**options.environ, name: str(path)}
    trial = replace(options, environ=environ, headless=True, inbox_page_limit=1)
    trial = replace(
        trial,
        platforms={
            **options.platforms,
            account.platform: replace(options.of(account.platform), headless=True),
        },
    )
    connectors = BrowserConnectors(trial, utc_now)
    try:
        connectors.for_platform(account.platform).read_inbox(
            replace(account, credentials=credentials), deadline_s=_CHECK_S
        )
    except PlatformFailure as failure:
        say(f"opened once more without a window: {failure}")
        return False
    finally:
        connectors.close()
    say("opened once more without a window: the login holds")
    return True


@dataclass(frozen=True, slots=True)
class SessionCheck:
    """Whether an account gets in: ``ok``, ``failed``, ``busy`` (another visit is under way) or ``inactive``."""

    platform: str
    account: str
    state: str
    code: str | None = None
    detail: str | None = None
    next: str | None = None
    expires_at: datetime | None = None

    @property
    def line(self) -> str:
        """One line for a person."""
        told = f"{self.platform:<16} {self.account:<26} {self.state}"
        if self.code is not None:
            told += f": {self.code}: {self.detail}"
        if self.expires_at is not None:
            told += f" (its cookies end {self.expires_at:%Y-%m-%d %H:%M} UTC)"
        return told + (f"\n{'':<17}next: {self.next}" if self.next else "")

    def as_json(self) -> dict[str, object]:
        """The check with camelCase keys."""
        values = asdict(self)
        values["expiresAt"] = values.pop("expires_at")
        return values


def check_in_database(pipeline: Pipeline, options: RuntimeOptions, row: AccountRow) -> SessionCheck:
    """Look into the account's inbox while holding its lease; recorded as a visit, a failure stops the account."""
    name = row.account_external_id
    if not row.state.is_active:
        return SessionCheck(row.platform.value, name, "inactive")
    with leased(pipeline, row) as lease:
        if lease is None:
            return SessionCheck(row.platform.value, name, "busy", detail="another visit is under way")
        lease.pace("ingest")
        with visit(lease, "ingest", "session_check", None) as current:
            _look(pipeline.connectors, account_ref(row))
    checked = _checked(account_ref(row), options, current.failure)
    if current.failure is None and row.state.stop_code is not None:
        step = f"it gets in: leasebot account resume {row.platform.value}"
        return replace(checked, code=row.state.stop_code, detail="stopped before", next=step)
    return checked


def check_alone(connectors: Connectors, options: RuntimeOptions, account: AccountRef) -> SessionCheck:
    """Look into the account's inbox where there is no database to share it through."""
    try:
        _look(connectors, account)
    except PlatformFailure as failure:
        return _checked(account, options, failure)
    finally:
        connectors.release(account)
    return _checked(account, options, None)


def _look(connectors: Connectors, account: AccountRef) -> None:
    connectors.for_platform(account.platform).read_inbox(account, deadline_s=_CHECK_S)


def _checked(account: AccountRef, options: RuntimeOptions, failure: PlatformFailure | None) -> SessionCheck:
    platform = account.platform
    if failure is not None:
        step = next_step(failure.code, platform) if failure.stops_account else None
        return SessionCheck(
            platform.value, account.account_external_id, "failed", failure.code, failure.detail, step
        )
    return SessionCheck(
        platform.value, account.account_external_id, "ok", expires_at=_expiry(account, options)
    )


def _expiry(account: AccountRef, options: RuntimeOptions) -> datetime | None:
    credentials = resolve(account, options)
    if not isinstance(credentials, CapturedSession):
        return None
    host = urlsplit(adapters(options)[account.platform].base_url).hostname or ""
    return cookies_expire_at(credentials.storage_state, host)


def profile_of(settings: Settings, account: AccountRef, given: Path | None) -> Path:
    """The profile directory that is meant: the given one, the account's, else the platform's default one."""
    return target_of(account, runtime_options(settings), profile=given).profile
