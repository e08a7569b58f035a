"""Adapter overrides: what an operator changes of an adapter without a release, checked before use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.adapter import Adapter, SelectorSet
from leasebot_pipeline.platforms.options import RuntimeOptions
from leasebot_pipeline.platforms.page import is_selector
from leasebot_pipeline.platforms.sites.furnishedfinder import FURNISHEDFINDER
from leasebot_pipeline.platforms.sites.leasebreak import LEASEBREAK
from leasebot_pipeline.platforms.sites.renthop import RENTHOP
from leasebot_pipeline.platforms.sites.roomies import ROOMIES
from leasebot_pipeline.platforms.sites.spareroom import SPAREROOM

ADAPTERS: Final[dict[Platform, Adapter]] = {
    adapter.platform: adapter for adapter in (SPAREROOM, ROOMIES, LEASEBREAK, RENTHOP, FURNISHEDFINDER)
}
_SELECTOR_NAMES: Final = frozenset(field.name for field in fields(SelectorSet))


class OverrideError(ValueError):
    """An override that can't be used; the message names the platform, the field and the rule."""


def _selectors(values: list[str]) -> list[str]:
    faulty = [value for value in values if not is_selector(value)]
    if faulty:
        raise ValueError(f"not a CSS selector: {faulty[0]!r}")
    return values


def _web_address(value: str) -> str:
    if not re.match(r"https?://[^/\s]+", value):
        raise ValueError("must be an http or https URL")
    return value


def _path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("must be a path beginning with /")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("must be an IANA time zone") from None
    return value


SelectorList = Annotated[list[str], AfterValidator(_selectors)]
Path = Annotated[str, AfterValidator(_path)]


class AdapterOverride(BaseModel):
    """One platform's override. Keys are camelCase; ``selectors`` are merged key by key, the rest replaced."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True, frozen=True)

    base_url: Annotated[str, AfterValidator(_web_address)] | None = None
    inbox_path: Path | None = None
    thread_path: Annotated[Path, Field(pattern=r"\{id\}")] | None = None
    login_path: Path | None = None
    auth_url_parts: list[str] | None = None
    auth_text_markers: list[str] | None = None
    challenge_selectors: SelectorList | None = None
    captcha_selectors: SelectorList | None = None
    selectors: dict[str, SelectorList] | None = None
    listings_paths: list[Path] | None = None
    listings_max_pages: Annotated[int, Field(ge=1)] | None = None
    zone: Annotated[str, AfterValidator(_zone)] | None = None
    min_interval_ms: Annotated[int, Field(ge=0)] | None = None
    jitter_ms: Annotated[int, Field(ge=0)] | None = None


def adapters(options: RuntimeOptions) -> dict[Platform, Adapter]:
    """Every platform's adapter with its overrides. Raises OverrideError."""
    unknown = sorted(set(options.adapter_overrides) - {platform.value for platform in Platform})
    if unknown:
        raise OverrideError(f"adapter override of an unknown platform: {', '.join(unknown)}")
    return {platform: _overridden(adapter, options) for platform, adapter in ADAPTERS.items()}


def _overridden(adapter: Adapter, options: RuntimeOptions) -> Adapter:
    platform, own = adapter.platform, options.of(adapter.platform)
    override = _parse(platform, options.adapter_overrides.get(platform.value, {}))
    plain: dict[str, object] = {
        name: tuple(value) if isinstance(value, list) else value
        for name in (
            "base_url",
            "inbox_path",
            "thread_path",
            "login_path",
            "auth_url_parts",
            "auth_text_markers",
            "challenge_selectors",
            "captcha_selectors",
            "zone",
        )
        if (value := getattr(override, name)) is not None
    }
    zone = (options.timezone_spareroom if platform is Platform.SPAREROOM else None) or own.timezone
    if zone is not None and override.zone is None:
        plain["zone"] = zone
    if own.base_url is not None:
        plain["base_url"] = own.base_url
    listings = replace(
        adapter.listings,
        paths=tuple(override.listings_paths or adapter.listings.paths),
        max_pages=override.listings_max_pages or options.listings_max_pages or adapter.listings.max_pages,
        page_size=options.listings_page_size or adapter.listings.page_size,
    )
    pace = adapter.pace
    if override.min_interval_ms is not None:
        pace = replace(pace, min_interval_ms=override.min_interval_ms)
    if override.jitter_ms is not None:
        pace = replace(pace, jitter_ms=override.jitter_ms)
    selectors = _merged(platform, adapter.selectors, override.selectors or {})
    return replace(adapter, **plain, selectors=selectors, listings=listings, pace=pace)  # type: ignore[arg-type]


def _parse(platform: Platform, given: Mapping[str, object]) -> AdapterOverride:
    try:
        return AdapterOverride.model_validate(dict(given))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()
        )
        raise OverrideError(f"adapter override of {platform.value}: {faults}") from None


def _merged(platform: Platform, base: SelectorSet, given: Mapping[str, list[str]]) -> SelectorSet:
    changes: dict[str, tuple[str, ...]] = {}
    for key, values in given.items():
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", key).lower()
        if name not in _SELECTOR_NAMES:
            known = ", ".join(sorted(to_camel(known) for known in _SELECTOR_NAMES))
            raise OverrideError(f"adapter override of {platform.value}: selectors.{key}: not one of {known}")
        changes[name] = tuple(values)
    return replace(base, **changes)
