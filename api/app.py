"""The FastAPI application: routes, the layers around them, and what lives as long as the process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import structlog
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from api import errors, openapi
from api.auth import routes as auth_routes
from api.auth import sessions as auth_sessions
from api.auth.passwords import PasswordHasher, hash_password
from api.auth.throttle import Throttle
from api.config import ApiConfig
from api.console import assets as console_assets
from api.console import assignments as console_assignments
from api.console import audit as console_audit
from api.console import automation as console_automation
from api.console import availability as console_availability
from api.console import conversation as console_conversation
from api.console import conversation_acts as console_conversation_acts
from api.console import conversation_slots as console_conversation_slots
from api.console import inbox as console_inbox
from api.console import live as console_live
from api.console import lost as console_lost
from api.console import observability as console_observability
from api.console import platforms as console_platforms
from api.console import release as console_release
from api.console import reply_templates as console_reply_templates
from api.console import showings as console_showings
from api.console import sign_in as console_sign_in
from api.console import today as console_today
from api.console import users as console_users
from api.database import Database
from api.edge.failures import Failures
from api.edge.guards import BodyLimit, OriginGuard
from api.edge.request_log import RequestLog
from api.edge.response_headers import ResponseHeaders
from api.metrics import RequestMetrics
from api.routes import (
    agents,
    audit,
    automation,
    availability,
    calendar_feeds,
    decisions,
    health,
    inbox,
    listings,
    me,
    metrics,
    observability,
    operations,
    people,
    platforms,
    privacy,
    release,
    replies,
    reviews,
    settling,
    showings,
    steering,
    templates,
    units,
    visits,
    workflow,
)
from api.services import Services
from leasebot_pipeline.domain.clock import Clock
from leasebot_pipeline.storage import auth as logins
from leasebot_pipeline.storage import migrate

log = structlog.get_logger("api")

_ROUTES = (
    health,
    metrics,
    auth_routes,
    auth_sessions,
    me,
    observability,
    platforms,
    people,
    templates,
    automation,
    agents,
    units,
    listings,
    audit,
    decisions,
    visits,
    inbox,
    replies,
    reviews,
    settling,
    operations,
    release,
    privacy,
    workflow,
    steering,
    showings,
    availability,
    calendar_feeds,
)

_PAGES = (
    console_assets,
    console_assignments,
    console_audit,
    console_automation,
    console_availability,
    console_conversation,
    console_conversation_acts,
    console_conversation_slots,
    console_inbox,
    console_live,
    console_observability,
    console_platforms,
    console_release,
    console_reply_templates,
    console_showings,
    console_sign_in,
    console_today,
    console_users,
    console_lost,
)


def utc_now() -> datetime:
    return datetime.now(UTC)


def create_app(
    config: ApiConfig,
    *,
    clock: Clock = utc_now,
    open_database: Callable[[str], Database] = Database,
) -> FastAPI:
    """The application; its lifespan opens and closes the database pool.

    It starts without a reachable database too: `/ready` tells, and requests answer 503 until it is there.
    """

    requests = RequestMetrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = open_database(config.database_url)
        services = Services(
            config=config,
            clock=clock,
            database=database,
            passwords=PasswordHasher(),
            throttle=Throttle(database),
            migrations_head=migrate.head(),
            requests=requests,
        )
        app.state.services = services
        try:
            await _bootstrap(services)
            yield
        finally:
            await services.database.dispose()

    app = FastAPI(
        title="leasebot",
        summary="Reads the inboxes of five rental platforms, answers exactly once, accounts for every step.",
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(RequestLog, requests),
            Middleware(ResponseHeaders, config),
            Middleware(Failures),
            Middleware(OriginGuard, config),
            Middleware(BodyLimit),
            # The highest level would take twice as long, for one part in a hundred less.
            Middleware(GZipMiddleware, minimum_size=1024, compresslevel=6),
        ],
    )
    app.openapi = partial(openapi.describe, app)  # type: ignore[method-assign]
    errors.install(app)
    for module in (*_ROUTES, *_PAGES):
        # The routes themselves: an included router prepares each of its own once more in every application, and looks
        # at them at a greater cost with every request.
        app.router.routes.extend(module.router.routes)
    openapi.serve(app, "/api/openapi.json")
    return app


async def _bootstrap(services: Services) -> None:
    """Create the development administrator. A failure is logged: the API serves without it."""
    admin = services.config.dev_admin
    if admin is None:
        return
    try:
        created = await services.database.run(
            logins.ensure_dev_admin,
            email=admin.email,
            name=admin.name,
            password_hash=partial(hash_password, admin.password),
            now=services.clock(),
        )
    except SQLAlchemyError:
        log.exception("dev_admin_failed")
        return
    log.info("dev_admin_ready", created=created)
