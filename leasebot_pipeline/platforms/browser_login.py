"""Login through the platform's own form, once; what the page says afterwards decides."""

from __future__ import annotations

from typing import Final

from playwright.async_api import Error, Locator, Page, Request, Response
from playwright.async_api import TimeoutError as PlaywrightTimeout

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.platforms.adapter import Adapter, Selectors
from leasebot_pipeline.platforms.browser_errors import classified
from leasebot_pipeline.platforms.browser_page import navigate, take
from leasebot_pipeline.platforms.credentials import Login
from leasebot_pipeline.platforms.detection import has_login_form, is_auth_url, refuse_challenge, refuse_status
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.page import Document

_AFTER_SUBMIT_S: Final = 8.0
_FIELD_S: Final = 5.0


async def log_in(page: Page, adapter: Adapter, login: Login, options: RuntimeOptions) -> None:
    """Fill in and submit the login form.

    Raises PlatformFailure: CREDENTIAL_REJECTED when the form is still there afterwards, SESSION_EXPIRED when
    it let us in and threw us out again, a challenge, captcha or outage as such, MARKUP_DRIFT when there is
    no form to fill.
    """
    status = await navigate(page, adapter.login_url, "login page", options)
    snapshot = await take(page, adapter, status)
    document = Document(snapshot.html)
    refuse_challenge(adapter, document)
    if not has_login_form(document):
        refuse_status(snapshot, "login page")
        raise PlatformFailure("MARKUP_DRIFT", "the login page has no password field")
    try:
        answer = await _submit(page, adapter, login, options)
    except Error as error:
        raise classified(error, "logging in") from None
    status = answer.status if answer is not None else None
    snapshot = await take(page, adapter, status)
    document = Document(snapshot.html)
    refuse_challenge(adapter, document)
    if status is not None and (status == 429 or status >= 500):
        refuse_status(snapshot, "login")
    if has_login_form(document):
        if answer is not None and _led_elsewhere(answer, adapter):
            raise PlatformFailure("SESSION_EXPIRED", "the login was accepted and the session expired at once")
        raise PlatformFailure(
            "CREDENTIAL_REJECTED", f"{adapter.platform.value} refused the login id or password"
        )
    refuse_status(snapshot, "login")


async def _submit(page: Page, adapter: Adapter, login: Login, options: RuntimeOptions) -> Response | None:
    """Type and submit; the page that followed, None when none did."""
    selectors = adapter.selectors
    password = await _first_visible(page.locator("body"), selectors.login_password)
    if password is None:
        raise PlatformFailure("MARKUP_DRIFT", "the login page shows no password field")
    form = password.locator("xpath=ancestor::form[1]")
    login_id = await _first_visible(form, selectors.login_id)
    submit = await _first_visible(form, selectors.login_submit)
    if login_id is None or submit is None:
        lacking = "login id field" if login_id is None else "submit button"
        raise PlatformFailure("MARKUP_DRIFT", f"the login form has no {lacking}")
    await login_id.fill(login.login_id, timeout=_FIELD_S * 1000)
    await password.fill(login.password, timeout=_FIELD_S * 1000)
    remember = await _first_visible(form, selectors.login_remember)
    if remember is not None:
        await remember.set_checked(True, timeout=_FIELD_S * 1000)
    wait_ms = min(_AFTER_SUBMIT_S, options.navigation_timeout_s) * 1000
    try:
        async with page.expect_navigation(wait_until="domcontentloaded", timeout=wait_ms) as navigation:
            await submit.click(timeout=_FIELD_S * 1000)
        return await navigation.value
    except PlaywrightTimeout:
        return None  # a form that answers in place; the page as it stands tells


def _led_elsewhere(answer: Response, adapter: Adapter) -> bool:
    """True when the way from the form's submission to the page at hand passed a page behind the login."""
    request: Request | None = answer.request
    while request is not None:
        if request.method == "GET" and not is_auth_url(adapter, request.url):
            return True
        request = request.redirected_from
    return False


async def _first_visible(scope: Locator, selectors: Selectors) -> Locator | None:
    for selector in selectors:
        found = scope.locator(selector).filter(visible=True)
        if await found.count():
            return found.first
    return None
