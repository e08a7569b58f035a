"""Every variable leasebot knows, read from the models: the single source of the documents and of the log view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.settings.browser import (
    AlertSettings,
    ListingSyncSettings,
    PlatformSettings,
    RpaSettings,
)
from leasebot_pipeline.settings.follow_ups import FollowUpSettings
from leasebot_pipeline.settings.release import ReleaseSettings
from leasebot_pipeline.settings.retention import RetentionSettings
from leasebot_pipeline.settings.server import (
    ApiSettings,
    AuthSettings,
    CoreSettings,
    DatabaseSettings,
    InviteSettings,
    WebSettings,
)
from leasebot_pipeline.settings.showings import ShowingSettings
from leasebot_pipeline.settings.stack import (
    DagsterSettings,
    OtherToolsSettings,
    SandboxSettings,
    StackSettings,
)
from leasebot_pipeline.settings.variable import Declared, Group
from leasebot_pipeline.settings.work import AiSettings, BootstrapSettings, WorkerSettings

GROUPS: Final[Mapping[str, type[Group]]] = {
    "core": CoreSettings,
    "database": DatabaseSettings,
    "api": ApiSettings,
    "auth": AuthSettings,
    "invite": InviteSettings,
    "worker": WorkerSettings,
    "showings": ShowingSettings,
    "follow_ups": FollowUpSettings,
    "release": ReleaseSettings,
    "retention": RetentionSettings,
    "ai": AiSettings,
    "bootstrap": BootstrapSettings,
    "rpa": RpaSettings,
    "listing_sync": ListingSyncSettings,
    "platforms": PlatformSettings,
    "alerts": AlertSettings,
    "stack": StackSettings,
    "dagster": DagsterSettings,
    "sandbox": SandboxSettings,
    "web": WebSettings,
    "others": OtherToolsSettings,
}
"""Groups in the order of the documents, by their name in ``Settings``; ``platforms`` exists once per platform."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable. ``default`` is as the documents print it, empty when there is none."""

    name: str
    group: str
    field: str
    platform: Platform | None
    default: str
    values: str
    about: str
    secret: bool
    hidden: bool
    elsewhere: bool
    example: str | None
    worked_out: bool
    """True when ``default`` describes a default in words rather than being a text one could set."""
    fallback_for: str | None
    """The variable this one stands in for, when it has no meaning of its own."""


def expand(name: str, platform: Platform | None) -> str:
    """The variable's name for one platform."""
    if platform is None:
        return name
    prefix = platform.env_prefix
    return name.replace("<PREFIX>", prefix).replace("<PLATFORM>", prefix)


def as_text(value: object) -> str:
    """A default in the form one would write it into an env file."""
    match value:
        case None | Mapping():
            return ""
        case bool():
            return "1" if value else "0"
        case float():
            return f"{value:g}"
        case tuple():
            return ",".join(str(item) for item in value)
        case _:
            return str(value)


def _default(item: Declared) -> str:
    return item.described or item.shown or as_text(item.default)


def _variable(group: str, item: Declared, name: str, platform: Platform | None) -> Variable:
    primary = name == item.names[0]
    target = expand(item.names[0], platform)
    return Variable(
        name=expand(name, platform),
        group=group,
        field=item.field,
        platform=platform,
        default=_default(item) if primary else "",
        values=item.rule.values,
        about=item.about if primary else f"Used when {target} is not set.",
        secret=item.secret,
        hidden=item.hidden,
        elsewhere=item.elsewhere,
        example=item.example.replace("<platform>", platform or "") if item.example and primary else None,
        worked_out=item.described is not None and primary,
        fallback_for=None if primary else target,
    )


def _all() -> Iterator[Variable]:
    own = {item.names[0] for group in GROUPS.values() for item in group.declared()}
    seen: set[str] = set()
    for key, group in GROUPS.items():
        for item in group.declared():
            for name in item.names:
                if name in seen or (name != item.names[0] and name in own):
                    continue
                seen.add(name)
                for platform in tuple(Platform) if key == "platforms" else (None,):
                    yield _variable(key, item, name, platform)


@cache
def catalogue() -> tuple[Variable, ...]:
    """Every variable, grouped, in the order of the documents; names are unique."""
    return tuple(_all())


@cache
def known_names() -> frozenset[str]:
    """Names of all variables."""
    return frozenset(variable.name for variable in catalogue())
