"""Pages of the local sites over plain HTTP, as a browser would show them; no scripts run, so this plays their part."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from json import dumps
from typing import Final
from urllib.parse import urljoin

import httpx2
from selectolax.lexbor import LexborNode

from leasebot_pipeline.domain.failures import PlatformFailure
from leasebot_pipeline.platforms.adapter import Adapter, Selectors
from leasebot_pipeline.platforms.detection import (
    PageKind,
    has_login_form,
    refuse_challenge,
    refuse_status,
    require_page,
)
from leasebot_pipeline.platforms.page import MESSAGE_ATTRIBUTE, Document, PageSnapshot, attribute

_TITLE: Final = re.compile(r"<title>(.*?)</title>", re.DOTALL | re.IGNORECASE)
_SOURCE: Final = re.compile(r'data-source="([^"]+)"')
_LOADING: Final = re.compile(r"<p data-loading>.*?</p>", re.DOTALL)
_LIST: Final = re.compile(r'(<ul class="space-y-2">)(</ul>)')


@dataclass(frozen=True, slots=True)
class Form:
    """A form of a page: where it goes and what its hidden fields and its button say."""

    url: str
    fields: dict[str, str]
    as_json: bool = False


@dataclass(slots=True)
class SitePages:
    """One account's pages on one site. Signs in by the site's own form, once in a visit."""

    adapter: Adapter
    client: httpx2.Client
    login_id: str
    password: str
    signed_in_now: bool = field(default=False, init=False)

    async def open(self, kind: PageKind, url: str) -> tuple[Document, PageSnapshot]:
        """As a browser's visit offers it, for what pages through an inbox."""
        return self.read(kind, url)

    def read(self, kind: PageKind, url: str) -> tuple[Document, PageSnapshot]:
        """The proven page at ``url``. Raises PlatformFailure."""
        while True:
            snapshot = self.snapshot(self.get(url), kind)
            try:
                return require_page(self.adapter, kind, snapshot), snapshot
            except PlatformFailure as failure:
                if failure.code != "SESSION_EXPIRED" or self.signed_in_now:
                    raise
            self.sign_in()

    def get(self, url: str) -> httpx2.Response:
        """A page. Raises PlatformFailure PAGE_TIMEOUT or NETWORK_ERROR."""
        try:
            return self.client.get(url)
        except httpx2.HTTPError as error:
            raise as_failure(error, "opening the page") from None

    def snapshot(self, response: httpx2.Response, kind: PageKind) -> PageSnapshot:
        """What the browser would show of the answer."""
        html = response.text
        if kind is PageKind.THREAD and self.adapter.scripted_threads and response.status_code == 200:
            html = self._with_entries(html, str(response.url))
        title = _TITLE.search(html)
        return PageSnapshot(str(response.url), response.status_code, title[1].strip() if title else "", html)

    def sign_in(self) -> None:
        """Fill in and submit the login form. Raises PlatformFailure."""
        self.signed_in_now = True
        response = self.get(self.adapter.login_url)
        document = Document(response.text)
        refuse_challenge(self.adapter, document)
        selectors = self.adapter.selectors
        password = document.first(selectors.login_password)
        login_id = document.first(selectors.login_id)
        if password is None or login_id is None:
            refuse_status(PageSnapshot(str(response.url), response.status_code, "", ""), "login page")
            raise PlatformFailure("MARKUP_DRIFT", "the login page has no form to fill")
        form = form_around(password, str(response.url), selectors.login_submit)
        form.fields[_name(login_id)] = self.login_id
        form.fields[_name(password)] = self.password
        try:
            answer = self.client.post(form.url, data=form.fields)
        except httpx2.HTTPError as error:
            raise as_failure(error, "logging in") from None
        document = Document(answer.text)
        refuse_challenge(self.adapter, document)
        if answer.status_code == 429 or answer.status_code >= 500:
            refuse_status(PageSnapshot(str(answer.url), answer.status_code, "", ""), "login")
        if has_login_form(document):
            if any(step.status_code == 303 for step in answer.history):
                raise PlatformFailure("SESSION_EXPIRED", "the login was accepted and expired at once")
            raise PlatformFailure("CREDENTIAL_REJECTED", "the login was refused")

    def reply_form(self, document: Document, snapshot: PageSnapshot, body: str) -> Form:
        """The thread's own form with the reply in it. Raises PlatformFailure when it has none."""
        selectors = self.adapter.selectors
        composer = document.first(selectors.composer)
        if composer is None:
            raise PlatformFailure("OUTBOUND_COMPOSER_MISSING", "the thread has no field to write a reply in")
        form = form_around(composer, snapshot.url, selectors.submit)
        form.fields[_name(composer)] = body
        source = _SOURCE.search(snapshot.html) if self.adapter.scripted_threads else None
        if source is not None:
            return Form(urljoin(snapshot.url, source[1]), {"body": body}, as_json=True)
        return form

    def after_post(self, form: Form) -> tuple[Document, PageSnapshot] | None:
        """Send the form once and follow where it leads: the thread as it shows then, None when nothing is shown.

        Raises httpx2.HTTPError, and PlatformFailure when what is shown is no thread.
        """
        if form.as_json:
            self.client.post(form.url, json=form.fields, headers={"Accept": "application/json"})
            return None
        snapshot = self.snapshot(self.client.post(form.url, data=form.fields), PageKind.THREAD)
        return require_page(self.adapter, PageKind.THREAD, snapshot), snapshot

    def _with_entries(self, html: str, url: str) -> str:
        """What the page's script shows: the thread's messages, each with its data."""
        source = _SOURCE.search(html)
        if source is None:
            return html
        try:
            answer = self.client.get(urljoin(url, source[1]), headers={"Accept": "application/json"})
            entries = answer.json() if answer.status_code == 200 else None
        except (httpx2.HTTPError, ValueError):
            entries = None
        if not isinstance(entries, list):
            return html  # the page goes on saying that it loads
        items = "".join(
            f'<li x-data="messageItem(message)" {MESSAGE_ATTRIBUTE}="{escape(dumps(entry))}">'
            f'<div class="whitespace-pre-line" x-text="message.content">{escape(str(entry.get("content")))}</div>'
            f'<time datetime="{escape(str(entry.get("created_at") or ""))}"></time></li>'
            for entry in entries
        )
        return _LIST.sub(lambda found: found[1] + items + found[2], _LOADING.sub("", html))


def form_around(inside: LexborNode, url: str, submit: Selectors) -> Form:
    """The form an element stands in. Raises PlatformFailure OUTBOUND_SUBMIT_MISSING without one, or a button."""
    form: LexborNode | None = inside
    while form is not None and form.tag != "form":
        form = form.parent
    button = (
        next((found for selector in submit for found in form.css(selector)), None)
        if form is not None
        else None
    )
    if form is None or button is None:
        raise PlatformFailure("OUTBOUND_SUBMIT_MISSING", "no button sends what the field holds")
    fields = {
        name: attribute(hidden, "value") or ""
        for hidden in form.css("input[type='hidden']")
        if (name := attribute(hidden, "name"))
    }
    pressed = attribute(button, "name")
    if pressed:
        fields[pressed] = attribute(button, "value") or ""
    return Form(urljoin(url, attribute(form, "action") or ""), fields)


def as_failure(error: httpx2.HTTPError, what: str) -> PlatformFailure:
    """What a browser would say of it."""
    code = "PAGE_TIMEOUT" if isinstance(error, httpx2.TimeoutException) else "NETWORK_ERROR"
    return PlatformFailure(code, f"{what}: {type(error).__name__}")


def _name(field_node: LexborNode) -> str:
    return attribute(field_node, "name") or ""
