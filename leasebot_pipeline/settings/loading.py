"""From the process environment to ``Settings``: everything is read, then everything wrong is said at once."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

from dotenv.parser import parse_stream
from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.settings import cross_rules, rules
from leasebot_pipeline.settings.catalogue import GROUPS, expand, known_names
from leasebot_pipeline.settings.faults import Fault, SettingsError
from leasebot_pipeline.settings.model import Settings, UnknownName
from leasebot_pipeline.settings.variable import Declared, Group

ENV_FILE: Final = Path(".env")
_OUR_PREFIXES: Final = ("LEASE_BOT_", "WORKER_", "SHOWING_", "FOLLOW_UP")
_SIMILAR: Final = 0.75
_SHARED_PREFIXES: Final = (
    "AI_",
    "API_",
    "AVAILABILITY_",
    "BETTER_AUTH_",
    "INVITE_",
    "RELEASE_",
    "RETENTION_",
)
"""Other programs have variables that begin so too: one of them counts as misspelt only when it is very like ours."""
_VERY_SIMILAR: Final = 0.9

G = TypeVar("G", bound=Group)


def load_settings(
    environ: Mapping[str, str] | None = None, *, overrides: Mapping[str, str] | None = None
) -> Settings:
    """The settings of ``environ``; None means the process environment over ``.env`` of the working directory.

    ``overrides`` win over both: what a process is about to hand its children. A variable that is set but blank
    counts as not set, and hides the same name in what it wins over.
    Raises SettingsError naming every faulty variable and the rule it broke, never a value. Nothing is written.
    """
    outcome = _load(environ, overrides or {})
    if isinstance(outcome, Settings):
        return outcome
    # Raised here, after everything that held a value is gone: neither the chain nor the frames of this error do.
    raise SettingsError(outcome)


def given_environment() -> dict[str, str]:
    """The texts as given, faults and all: the process environment over ``.env``. For looking at a broken one."""
    return {**_env_file(ENV_FILE, []), **os.environ}


def _load(environ: Mapping[str, str] | None, overrides: Mapping[str, str]) -> Settings | tuple[Fault, ...]:
    faults: list[Fault] = []
    given = dict(environ) if environ is not None else {**_env_file(ENV_FILE, faults), **os.environ}
    given = {name: text for name, text in {**given, **overrides}.items() if text.strip()}
    cautions: list[str] = []
    groups = {
        key: _fill(group, given, None, faults, cautions)
        for key, group in GROUPS.items()
        if key != "platforms"
    }
    platforms = {
        platform: _fill(GROUPS["platforms"], given, platform, faults, cautions) for platform in Platform
    }
    settings = Settings.model_validate({**groups, "platforms": platforms}, context=given)
    # Of two faults of one variable its own says more than one between variables, which judged the default.
    by_name = {
        fault.name: fault
        for fault in (
            *cross_rules.broken(settings),
            *reversed(faults),
            *cross_rules.forbidden_runtime(settings, given),
        )
    }
    if by_name:
        return tuple(sorted(by_name.values(), key=_order))
    return settings.model_copy(
        update={
            "unknown_names": tuple(unknown_names(given)),
            "cautions": (*dict.fromkeys(cautions), *cross_rules.cautions(settings)),
        }
    )


def _order(fault: Fault) -> tuple[bool, str]:
    return fault.name in known_names(), fault.name


def _env_file(path: Path, faults: list[Fault]) -> dict[str, str]:
    try:
        content = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        faults.append(Fault(str(path), "must be UTF-8 text"))
        return {}
    except OSError as error:
        faults.append(Fault(str(path), f"can't be read ({error.strerror})"))
        return {}
    found: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(content)):
        if binding.error:
            faults.append(Fault(f"{path}, line {binding.original.line}", "is not of the form NAME=value"))
        elif binding.key is not None:
            found[binding.key] = binding.value or ""
    return found


class _Texts(EnvSettingsSource):
    """Reads a group's variables from a mapping instead of the process environment."""

    def __init__(self, group: type[BaseSettings], texts: Mapping[str, str]) -> None:
        self._texts = texts
        super().__init__(group, case_sensitive=True)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return dict(self._texts)


def _fill(
    group: type[G],
    given: Mapping[str, str],
    platform: Platform | None,
    faults: list[Fault],
    cautions: list[str],
) -> G:
    """The group; faulty variables are reported and left at their defaults, so that the rest is judged too."""
    declared = tuple(group.declared())
    texts = dict(_texts(declared, given, platform))
    cautions.extend(_cautions(declared, texts, platform))
    outcome = _validated(group, texts)
    if isinstance(outcome, Group):
        return outcome
    for item in declared:
        if item.field in outcome:
            name = _used_name(item, texts)
            faults.append(Fault(expand(name, platform), outcome[item.field], _shape(item, texts[name])))
    broken = {name for item in declared if item.field in outcome for name in item.names}
    rest = _validated(group, {name: text for name, text in texts.items() if name not in broken})
    if not isinstance(rest, Group):
        raise TypeError(f"{group.__name__} has a default that breaks its own rule")
    return rest


def _texts(
    declared: Iterable[Declared], given: Mapping[str, str], platform: Platform | None
) -> Iterator[tuple[str, str]]:
    for item in declared:
        for name in item.names:
            text = given.get(expand(name, platform))
            if text is not None and not (item.rule.credential and rules.is_placeholder(text)):
                yield name, text


def _shape(item: Declared, text: str) -> str:
    if item.rule.credential:
        return ""
    return f"got {len(text)} character{'' if len(text) == 1 else 's'} of text"


def _used_name(item: Declared, texts: Mapping[str, str]) -> str:
    return next(name for name in item.names if name in texts)


def _validated(group: type[G], texts: Mapping[str, str]) -> G | dict[str, str]:
    """The group, or the broken rule by field."""
    values: dict[str, Any] = _Texts(group, texts)()
    try:
        return group(**values)
    except ValidationError as error:
        fields = {name: item.field for item in group.declared() for name in (*item.names, item.field)}
        return {
            fields[str(detail["loc"][0])]: str(detail.get("ctx", {}).get("error", "is not usable here"))
            for detail in error.errors(include_url=False, include_input=False)
            # A computed default is not computed after an earlier fault; that is no fault of its own.
            if detail["type"] != "default_factory_not_called"
        }


def _cautions(
    declared: Iterable[Declared], texts: Mapping[str, str], platform: Platform | None
) -> Iterator[str]:
    for item in declared:
        name = next((name for name in item.names if name in texts), None)
        if name is None:
            continue
        word = texts[name].strip().casefold()
        if item.rule is rules.EXACTLY_ONE and word != "1" and word in rules.TRUE_WORDS:
            yield f"{expand(name, platform)} is {word}, which leaves it off: only 1 turns it on"
        if item.rule is rules.UNLESS_ZERO and word != "0" and word in rules.FALSE_WORDS:
            yield f"{expand(name, platform)} is {word}, which leaves it on: only 0 turns it off"


def unknown_names(given: Mapping[str, str]) -> Iterator[UnknownName]:
    """Variables that are set, look like ours and are none."""
    names = sorted(known_names())
    for name in sorted(given):
        if name in known_names() or not given[name].strip():
            continue
        ours = name.startswith(_OUR_PREFIXES)
        if not ours and not name.startswith(_SHARED_PREFIXES):
            continue
        close = get_close_matches(name, names, n=1, cutoff=_SIMILAR if ours else _VERY_SIMILAR)
        if ours or close:
            yield UnknownName(name, close[0] if close else None)
