"""Stored documents (details of audit rows, numbers of a rule) as names and values a person can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from api.console.wording import spaced

_DEEPEST: Final = 4
_LONGEST: Final = 600


def readable(document: object) -> list[tuple[str, str]]:
    """Every value with its name: ``{"linkage": {"strategy": "url"}}`` is ``[("Linkage: strategy", "url")]``.

    What is empty is left out; long texts are cut.
    """
    return [(_named(path), value) for path, value in _walk(document, ()) if value]


def _walk(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping) and len(path) < _DEEPEST:
        for name, inner in value.items():
            yield from _walk(inner, (*path, str(name)))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        if any(isinstance(one, Mapping) for one in value) and len(path) < _DEEPEST:
            for number, inner in enumerate(value, start=1):
                yield from _walk(inner, (*path, str(number)))
        else:
            yield path, _cut(", ".join(_plain(one) for one in value))
    else:
        yield path, _cut(_plain(value))


def _plain(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case _:
            return str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def _named(path: tuple[str, ...]) -> str:
    name = ": ".join(spaced(part) for part in path) or "value"
    return name[:1].upper() + name[1:]
