"""What comes in, parsed once: ids of paths, bodies, dates and zones. A fault names the field and the rule."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import available_timezones

from fastapi import Depends, Query, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

from api.errors import validation_error

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_ZONES: Final = available_timezones()
_NUL: Final = "\x00"
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class Input(BaseModel):
    """Base of request bodies: camelCase names; unknown fields are ignored, as the earlier system did."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=False, validate_by_alias=True)

    def given(self) -> dict[str, Any]:
        """The fields the request named, null ones included."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def plain_uuid(text: str) -> UUID:
    """The plain 8-4-4-4-12 form only. Raises ValueError."""
    if not _UUID.fullmatch(text):
        raise ValueError("must be a UUID")
    return UUID(text)


def _uuid(value: object) -> object:
    return plain_uuid(value) if isinstance(value, str) else value


def _zone(name: str) -> str:
    if name not in _ZONES:
        raise ValueError("must be an IANA time zone")
    return name


def _date(value: object) -> object:
    if not isinstance(value, str) or not _DATE.fullmatch(value) or not "1970" <= value[:4] < "2200":
        raise ValueError("must be a date YYYY-MM-DD between 1970 and 2200")
    return value


def _instant(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("must be an ISO 8601 instant with an offset")
    if not _EARLIEST <= value <= _LATEST:
        raise ValueError("must be an instant between 1970 and 2200")
    return value.astimezone(UTC)


def _storable(text: str) -> str:
    if _NUL in text:
        raise ValueError("must not contain a NUL character")
    return text


def _storable_document(value: dict[str, Any]) -> dict[str, Any]:
    def walk(item: object) -> None:
        if isinstance(item, str):
            _storable(item)
        elif isinstance(item, Mapping):
            for key, inner in item.items():
                _storable(key)
                walk(inner)
        elif isinstance(item, Iterable):
            for inner in item:
                walk(inner)

    walk(value)
    return value


Id = Annotated[UUID, BeforeValidator(_uuid)]
Text = Annotated[str, AfterValidator(_storable)]
Trimmed = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_storable)]
Zone = Annotated[str, AfterValidator(_zone)]
DateText = Annotated[date, BeforeValidator(_date)]
MomentText = Annotated[datetime, AfterValidator(_instant)]
Document = Annotated[dict[str, Any], AfterValidator(_storable_document)]


def path_id(name: str) -> Callable[[Request], Awaitable[UUID]]:
    """A dependency: the UUID of a path, 400 otherwise.

    FastAPI runs dependencies in their order, so a route states by it whether id or role is looked at first.
    """

    async def read(request: Request) -> UUID:
        try:
            return plain_uuid(request.path_params[name])
        except ValueError as error:
            raise validation_error([f"{name}: {error}"]) from None

    return read


def _query_id(name: str) -> Callable[[Request], Awaitable[UUID | None]]:
    async def read(request: Request) -> UUID | None:
        text = request.query_params.get(name)
        if not text:
            return None
        try:
            return plain_uuid(text)
        except ValueError as error:
            raise validation_error([f"{name}: {error}"]) from None

    return read


def query_id(name: str) -> Any:
    """A dependency: an optional UUID of the query, 400 otherwise."""
    return Depends(_query_id(name))


PathId = Annotated[UUID, Depends(path_id("id"))]


class DateRange(BaseModel):
    """``fromDate``, ``toDate`` and the zone their days are meant in."""

    from_date: date | None = None
    to_date: date | None = None
    timezone: str | None = None


async def date_range(
    from_date: Annotated[str | None, Query(alias="fromDate", description="YYYY-MM-DD")] = None,
    to_date: Annotated[str | None, Query(alias="toDate", description="YYYY-MM-DD, included")] = None,
    timezone: Annotated[str | None, Query(description="IANA zone of the days and of local times")] = None,
) -> DateRange:
    """The range of a list; 400 names every faulty parameter."""
    faults: list[str] = []
    parsed: dict[str, date | None] = {}
    for name, text in (("fromDate", from_date), ("toDate", to_date)):
        try:
            parsed[name] = date.fromisoformat(text) if text and _DATE.fullmatch(text) else None
        except ValueError:
            parsed[name] = None
        if text and parsed[name] is None:
            faults.append(f"{name}: must be a date YYYY-MM-DD")
    if timezone and timezone not in _ZONES:
        faults.append("timezone: must be an IANA time zone")
    first, last = parsed["fromDate"], parsed["toDate"]
    too_far = [name for name, day in parsed.items() if day and not 1970 <= day.year < 2200]
    faults.extend(f"{name}: must lie between 1970 and 2200" for name in too_far)
    if first and last and last < first:
        faults.append("toDate: must not be before fromDate")
    if faults:
        raise validation_error(faults)
    return DateRange(from_date=first, to_date=last, timezone=timezone or None)


DateRangeQuery = Annotated[DateRange, Depends(date_range)]


def one_of(name: str, value: str | None, allowed: Iterable[str]) -> str | None:
    """A query value out of a closed list; None when absent, 400 otherwise."""
    options = tuple(allowed)
    if not value:
        return None
    if value not in options:
        raise validation_error([f"{name}: must be one of {', '.join(options)}"])
    return value


def moment(name: str, text: str | None) -> datetime | None:
    """An instant of the query; None when absent, 400 otherwise."""
    if not text:
        return None
    try:
        return _instant(datetime.fromisoformat(text.replace(" ", "+")))
    except (ValueError, OverflowError):
        raise validation_error([f"{name}: must be an ISO 8601 instant with an offset"]) from None
