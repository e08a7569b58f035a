"""One site as a web application: login, inbox, threads, replies, our adverts; and the faults in between."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.sandbox import sessions, times
from leasebot_pipeline.sandbox.catalog import Site
from leasebot_pipeline.sandbox.faults import Fault, Faults, Page
from leasebot_pipeline.sandbox.identifiers import message_id, message_uuid
from leasebot_pipeline.sandbox.pages import (
    Paged,
    Renderer,
    half_of,
    paged,
    thread_view,
    with_badge,
    with_changed_markup,
)
from leasebot_pipeline.sandbox.world import Lead, Message, UnknownThread, World

_SESSION_SECONDS: Final = 30 * 24 * 3600
_REPLY_LIMIT: Final = 8000
_SAFETY_NOTE: Final = "Stay safe: never send money before you have seen the room."


class LostResponse(Response):
    """Headers, a few bytes, then the connection closes.

    The headers matter: a browser silently repeats a POST whose kept-alive connection died before any, and
    the reply would be there twice through no fault of whoever clicked.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"65536")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"<!doctype html><title>", "more_body": True})


class SitePages:
    """The handlers of one site."""

    def __init__(
        self,
        site: Site,
        world: World,
        faults: Faults,
        login: sessions.Sessions,
        clock: Clock,
        renderer: Renderer,
    ) -> None:
        self._site = site
        self._platform = site.platform
        self._world = world
        self._faults = faults
        self._login = login
        self._clock = clock
        self._renderer = renderer

    # ---- pages

    async def inbox(self, request: Request) -> Response:
        if "thread_id" in request.query_params and self._platform is Platform.SPAREROOM:
            return await self.thread(request)
        refused = await self._refusal(request, Page.INBOX)
        if refused is not None:
            return refused
        leads = self._world.inbox(self._platform, by_inbound=self._site.sorted_by_inbound)
        return self._inbox_page(request, [] if request.url.path.endswith("/archived") else leads)

    def _inbox_page(self, request: Request, leads: list[Lead]) -> Response:
        site = self._site
        page, shown = paged(site, request.url.path, request.query_params, len(leads), site.threads_per_page)
        page = replace(page, threads=[thread_view(lead) for lead in leads[shown]])
        return self._html("inbox", Page.INBOX, page=self._misread(page))

    def _misread(self, page: Paged) -> Paged:
        """The list as a site with a broken cache or a slow index shows it."""

        def strikes(fault: Fault) -> bool:
            return self._faults.strike(self._platform, Page.INBOX, fault) is not None

        threads = list(page.threads)
        if strikes(Fault.DUPLICATED_ROWS):
            threads = [thread for thread in threads for _ in range(2)]
        if strikes(Fault.REORDERED_ROWS):
            threads.reverse()
        if strikes(Fault.SHORT_LIST):
            return replace(page, threads=threads[: max(len(threads) // 2, 1)], next=None)
        return replace(page, threads=threads)

    async def thread(self, request: Request) -> Response:
        refused = await self._refusal(request, Page.THREAD)
        if refused is not None:
            return refused
        try:
            lead = self._world.thread(self._platform, _thread_id(request))
        except UnknownThread:
            return self._error(404, "Not found", "This conversation does not exist or was removed.")
        response = self._html("thread", Page.THREAD, thread=thread_view(lead))
        self._world.mark_seen(lead)
        return response

    async def reply(self, request: Request) -> Response:
        """A reply by form; the browser is sent back to the thread."""
        refused = await self._refusal(request, Page.REPLY)
        if refused is not None:
            return refused
        form = await request.form()
        body = form.get(self._site.reply_field)
        thread = _thread_id(request)
        try:
            self._accept(thread, body)
        except UnknownThread:
            return self._error(404, "Not found", "This conversation does not exist or was removed.")
        except ValueError as error:
            return self._error(422, "Not sent", f"Your message was not sent. {error}")
        if self._faults.strike(self._platform, Page.REPLY, Fault.LOST_RESPONSE):
            return LostResponse()
        return RedirectResponse(self._site.thread_address(thread), status_code=303)

    async def entries(self, request: Request) -> Response:
        """Roomies: a thread's messages as data."""
        if not self._signed_in(request):
            return JSONResponse({"error": "unauthenticated"}, status_code=401)
        try:
            lead = self._world.thread(self._platform, _thread_id(request))
        except UnknownThread:
            return JSONResponse({"error": "not found"}, status_code=404)
        note = {"id": None, "uuid": None, "system": True, "content": _SAFETY_NOTE, "isSender": False}
        return JSONResponse([note, *(_entry(message) for message in list(lead.messages))])

    async def post_entry(self, request: Request) -> Response:
        """Roomies: a reply as data; the page stays where it is."""
        refused = await self._refusal(request, Page.REPLY)
        if refused is not None:
            return refused
        try:
            given = json.loads(await request.body())
            message = self._accept(
                _thread_id(request), given.get("body") if isinstance(given, dict) else None
            )
        except UnknownThread:
            return JSONResponse({"error": "not found"}, status_code=404)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, status_code=422)
        if self._faults.strike(self._platform, Page.REPLY, Fault.LOST_RESPONSE):
            return LostResponse()
        return JSONResponse(_entry(message), status_code=201)

    async def listings(self, request: Request) -> Response:
        refused = await self._refusal(request, Page.LISTINGS)
        if refused is not None:
            return refused
        adverts = self._world.adverts(self._platform)
        size = self._site.adverts_per_page
        page, shown = paged(self._site, request.url.path, request.query_params, len(adverts), size)
        return self._html("listings", Page.LISTINGS, page=replace(page, adverts=adverts[shown]))

    async def advert(self, request: Request) -> Response:
        """A public advert, as a renter sees it; no login needed."""
        advert = self._world.advert(self._platform, str(request.path_params["id"]))
        if advert is None:
            return self._error(404, "Not found", "This advert does not exist or was removed.")
        html = self._renderer.page(
            self._site, "advert", self._clock(), advert=advert, signed_in=self._signed_in(request)
        )
        return HTMLResponse(html)

    # ---- login

    async def home(self, request: Request) -> Response:
        return RedirectResponse(self._site.inbox_path, status_code=303)

    async def login_form(self, request: Request) -> Response:
        wanted = _local_path(request.query_params.get("next"))
        return self._login_page(wanted, error=None, status=200)

    async def login(self, request: Request) -> Response:
        form = await request.form()
        user, password = (
            str(form.get(self._site.user_field, "")),
            str(form.get(self._site.password_field, "")),
        )
        wanted = _local_path(str(form.get("next", "")))
        if not sessions.accepts(user, password):
            return self._login_page(wanted, error="Email or password is not right.", status=401)
        response = RedirectResponse(wanted or self._site.inbox_path, status_code=303)
        cookie = self._login.issue(self._platform, self._clock())
        response.set_cookie(
            self._site.cookie, cookie, max_age=_SESSION_SECONDS, httponly=True, samesite="lax"
        )
        return response

    async def logout(self, request: Request) -> Response:
        response = RedirectResponse(self._site.login_path, status_code=303)
        response.delete_cookie(self._site.cookie)
        return response

    async def captcha_frame(self, request: Request) -> Response:
        """What a captcha's frame shows."""
        return HTMLResponse("<!doctype html><title>captcha</title><p>I am not a robot (leasebot sandbox)</p>")

    # ---- between

    async def _refusal(self, request: Request, page: Page) -> Response | None:
        """What the site answers instead: a fault, or the login page. None: go on."""
        strike = self._faults.strike
        slow = strike(self._platform, page, Fault.SLOW_PAGE)
        if slow is not None:
            await asyncio.sleep(slow.seconds)
        hit = strike(
            self._platform,
            page,
            Fault.RATE_LIMITED,
            Fault.SERVER_ERROR,
            Fault.CHALLENGE,
            Fault.CAPTCHA,
            Fault.EXPIRED_SESSION,
        )
        match hit.fault if hit else None:
            case Fault.RATE_LIMITED:
                return self._error(429, "Too many requests", "Please slow down.", {"Retry-After": "30"})
            case Fault.SERVER_ERROR:
                return self._error(500, "Something went wrong", "We are looking into it.")
            case Fault.CHALLENGE:
                return HTMLResponse(self._renderer.shared("challenge", self._clock(), site=self._site), 403)
            case Fault.CAPTCHA:
                return HTMLResponse(self._renderer.shared("captcha", self._clock(), site=self._site))
            case Fault.EXPIRED_SESSION:
                self._world.revoke_sessions(self._platform)
                return self._to_login(request)
        return None if self._signed_in(request) else self._to_login(request)

    def _to_login(self, request: Request) -> Response:
        if "application/json" in request.headers.get("accept", ""):
            return JSONResponse({"error": "unauthenticated"}, status_code=401)
        # After a POST there is nothing to come back to but the thread; never the form's content.
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{self._site.login_path}?{urlencode({'next': target})}", status_code=303)

    def _signed_in(self, request: Request) -> bool:
        cookie = request.cookies.get(self._site.cookie)
        return self._login.valid(self._platform, cookie, self._world.revoked_at(self._platform))

    def _accept(self, thread: str, body: object) -> Message:
        if not isinstance(body, str):
            body = ""
        if len(body) > _REPLY_LIMIT:
            raise ValueError(f"message: must have at most {_REPLY_LIMIT} characters")
        return self._world.reply(self._platform, thread, body)

    def _html(self, name: str, kind: Page, **context: object) -> Response:
        html = self._renderer.page(self._site, name, self._clock(), signed_in=True, **context)
        if self._faults.strike(self._platform, kind, Fault.CHANGED_MARKUP):
            html = with_changed_markup(self._platform, html)
        if self._faults.strike(self._platform, kind, Fault.INVISIBLE_CAPTCHA_BADGE):
            html = with_badge(html, self._renderer.shared("badge", self._clock(), site=self._site))
        if self._faults.strike(self._platform, kind, Fault.HALF_PAGE):
            html = half_of(html)
        return HTMLResponse(html, headers={"Cache-Control": "no-store"})

    def _login_page(self, wanted: str | None, *, error: str | None, status: int) -> Response:
        html = self._renderer.page(
            self._site, "login", self._clock(), signed_in=False, wanted=wanted, next=wanted or "", error=error
        )
        return HTMLResponse(html, status_code=status)

    def _error(self, status: int, heading: str, text: str, headers: dict[str, str] | None = None) -> Response:
        html = self._renderer.shared("error", self._clock(), site=self._site, heading=heading, text=text)
        return HTMLResponse(html, status_code=status, headers=headers)


def build_site(pages: SitePages, site: Site) -> FastAPI:
    """The site's routes. Documentation pages of the framework are off: the real sites have none."""
    app = FastAPI(title=site.title, docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/assets", StaticFiles(directory=Path(__file__).parent / "static"))
    app.add_api_route("/", pages.home, methods=["GET"])
    app.add_api_route(site.login_path, pages.login_form, methods=["GET"])
    app.add_api_route(site.login_path, pages.login, methods=["POST"])
    app.add_api_route("/logout", pages.logout, methods=["GET", "POST"])
    app.add_api_route("/sandbox/{frame}", pages.captcha_frame, methods=["GET"])
    app.add_api_route(site.inbox_path, pages.inbox, methods=["GET"])
    app.add_api_route(site.listings_path, pages.listings, methods=["GET"])
    if site.platform is Platform.ROOMIES:
        app.add_api_route("/inbox/archived", pages.inbox, methods=["GET"])
        app.add_api_route("/inbox/{id}/entries", pages.entries, methods=["GET"])
        app.add_api_route("/inbox/{id}/entries", pages.post_entry, methods=["POST"])
    if site.platform is Platform.SPAREROOM:
        app.add_api_route(site.inbox_path, pages.reply, methods=["POST"])
    else:
        app.add_api_route(site.thread_url, pages.thread, methods=["GET"])
        app.add_api_route(site.thread_url, pages.reply, methods=["POST"])
    app.add_api_route(site.advert_url, pages.advert, methods=["GET"])
    return app


def _thread_id(request: Request) -> str:
    return str(request.path_params.get("id") or request.query_params.get("thread_id", ""))


def _local_path(value: str | None) -> str | None:
    """A path on this site to go to after login; anything that leads elsewhere is dropped."""
    if value and value.startswith("/") and not value.startswith(("//", "/\\")):
        return value
    return None


def _entry(message: Message) -> dict[str, object]:
    return {
        "id": int(message_id(Platform.ROOMIES, message.number)),
        "uuid": message_uuid(message.number),
        "system": False,
        "content": message.body,
        "isSender": message.outbound,
        "created_at": times.iso(message.at),
        "delivered_at": times.iso(message.at),
        "read_at": None,
    }
