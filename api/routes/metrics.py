"""`/metrics`: figures for Prometheus."""

from __future__ import annotations

import asyncio
import hmac
from ipaddress import ip_address
from typing import Final

import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder
from sqlalchemy.exc import SQLAlchemyError

from api.auth.opening import client_address
from api.errors import ApiError, unauthorized
from api.metrics import Scrape
from api.services import Services, ServicesDep
from leasebot_pipeline.storage.figures import Figures, figures

router = APIRouter(tags=["health"])
log = structlog.get_logger("api.metrics")

_PATIENCE_S: Final = 5.0
_BEARER: Final = "bearer "


@router.get(
    "/metrics",
    operation_id="getMetrics",
    summary="Figures for Prometheus, for this machine or with the metrics token",
    response_class=Response,
    responses={
        200: {
            "description": "The text format of Prometheus, or OpenMetrics where the scraper asks for it",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        401: {"description": "Neither this machine nor a token"},
        403: {"description": "A token that is not the metrics token"},
    },
)
async def metrics(request: Request, services: ServicesDep) -> Response:
    """A database that gives no answer shows as `leasebot_database_up 0`; the rest is still there."""
    _allow(request, services.config.metrics_token)
    # The scrape as a whole is what the library's encoders take for a registry.
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    scrape = Scrape(services.requests, await _figures(services))
    return Response(encode(scrape), headers={"content-type": content_type})


async def _figures(services: Services) -> Figures | None:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await services.database.read(figures, services.clock())
    except (TimeoutError, SQLAlchemyError) as error:
        log.warning("figures_failed", error=type(error).__name__)
        return None


def _allow(request: Request, token: str | None) -> None:
    given = request.headers.get("authorization", "")
    if given.lower().startswith(_BEARER):
        if token is None or not hmac.compare_digest(given[len(_BEARER) :].strip().encode(), token.encode()):
            raise ApiError(403, {"error": "forbidden", "message": "This is not the metrics token."})
        return
    if not _from_this_machine(request):
        raise unauthorized()


def _from_this_machine(request: Request) -> bool:
    """A proxy on this machine calls from here for callers from anywhere: what it forwards is not from here."""
    if any(header in request.headers for header in ("forwarded", "x-forwarded-for", "x-real-ip")):
        return False
    try:
        return ip_address(client_address(request)).is_loopback
    except ValueError:
        return False
