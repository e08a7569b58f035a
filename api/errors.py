"""Every error body the API answers with, and how exceptions become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

AUTH_PATH = "/api/auth/"
log = structlog.get_logger("api")


class ApiError(Exception):
    """Ends a request with ``status`` and exactly ``body``."""

    def __init__(
        self, status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(str(body.get("error") or body.get("code")))
        self.status = status
        self.body = dict(body)
        self.headers = dict(headers or {})


def validation_error(details: Sequence[str], message: str = "Request validation failed") -> ApiError:
    """400; each detail names the field and the rule it broke."""
    return ApiError(400, {"error": "validation_error", "message": message, "details": list(details) or None})


def unauthorized() -> ApiError:
    return ApiError(401, {"error": "unauthorized"})


def forbidden_role(required: Sequence[str], current: str) -> ApiError:
    return ApiError(403, {"error": "forbidden", "requiredRoles": list(required), "currentRole": current})


def forbidden_scope(message: str) -> ApiError:
    return ApiError(403, {"error": "forbidden", "message": message})


def conflict(error: str, message: str, **more: object) -> ApiError:
    """409; ``error`` is the documented code."""
    return ApiError(409, {"error": error, "message": message, **more})


def rate_limited(wait_s: int) -> ApiError:
    body = {"error": "rate_limited", "message": f"Too many requests; try again in {wait_s} s."}
    return ApiError(429, body, {"retry-after": str(wait_s)})


def not_found() -> ApiError:
    return ApiError(404, {"error": "not_found"})


def auth_error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> ApiError:
    """An error in the form of the auth library, whose browser client reads ``code`` and ``message``."""
    return ApiError(status, {"code": code, "message": message}, headers)


def install(app: FastAPI) -> None:
    """Let ``app`` answer errors with the documented bodies."""
    app.exception_handler(ApiError)(_api_error)
    app.exception_handler(RequestValidationError)(_request_invalid)
    app.exception_handler(HTTPException)(_http_error)
    app.exception_handler(OperationalError)(_database_unavailable)
    app.exception_handler(PoolTimeout)(_database_unavailable)


async def _api_error(_: Request, error: ApiError) -> JSONResponse:
    return JSONResponse(error.body, error.status, headers=error.headers)


async def _request_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    found = [(".".join(str(part) for part in fault["loc"]), str(fault["msg"])) for fault in error.errors()]
    if request.url.path.startswith(AUTH_PATH):
        message = "; ".join(f"[{place}] {rule}" for place, rule in found)
        return JSONResponse({"code": "VALIDATION_ERROR", "message": message}, 400)
    answer = validation_error([f"{_field(place)}: {rule}" for place, rule in found])
    return JSONResponse(answer.body, answer.status)


def _field(place: str) -> str:
    """The field's own name: ``body.email`` is ``email``, a fault of the whole body stays ``body``."""
    source, _, field = place.partition(".")
    return field if field and not field.isdigit() else source


async def _http_error(_: Request, error: HTTPException) -> JSONResponse:
    # An unsupported method is "not found" by contract.
    if error.status_code in (404, 405):
        return JSONResponse({"error": "not_found"}, 404)
    if error.status_code == 413:
        return JSONResponse({"error": "payload_too_large", "message": str(error.detail)}, 413)
    if error.status_code == 400:
        answer = validation_error([], message=str(error.detail))
        return JSONResponse(answer.body, 400)
    return JSONResponse({"error": "http_error", "message": str(error.detail)}, error.status_code)


async def _database_unavailable(request: Request, error: Exception) -> JSONResponse:
    cause = error.orig if isinstance(error, OperationalError) and error.orig is not None else error
    log.error("database_unavailable", path=request.url.path, error=f"{type(cause).__name__}: {cause}"[:300])
    body = {"error": "database_unavailable", "message": "The database does not answer; try again shortly."}
    return JSONResponse(body, 503, headers={"retry-after": "5"})
