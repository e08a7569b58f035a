"""The example file and the tables of the documents, written from the catalogue."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from leasebot_pipeline.settings.catalogue import GROUPS, Variable, catalogue
from leasebot_pipeline.settings.rules import is_placeholder

ENV_EXAMPLE: Final = Path(".env.example")
DOCUMENT: Final = Path("docs/configuration.md")
BEGIN: Final = "<!-- variables: begin (written by `python -m leasebot_pipeline.settings`) -->"
END: Final = "<!-- variables: end -->"

_WIDTH: Final = 108
_NAME: Final = re.compile(r"(?<![`<:])\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?:_\*)?(?!>)")
_HEAD: Final = """\
Settings of leasebot. Copy this file to .env and change what you need; docs/configuration.md says more.

A line that begins with "#NAME=" shows a default and has no effect. Values such as change-me and
replace-with-... are placeholders and count as not set. Variables of the process environment win over
this file. Never commit a .env file that holds a real value.
"""


def env_example() -> str:
    """Content of ``.env.example``."""
    return "\n".join(_env_lines()) + "\n"


def tables() -> str:
    """The variables as Markdown, a section per group."""
    return "\n".join(_table_lines())


def with_tables(document: str) -> str:
    """``document`` with the part between the markers written anew. Raises ValueError when a marker is missing."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{DOCUMENT} must hold the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


def _same_field(variables: Sequence[Variable]) -> Iterator[list[Variable]]:
    """Variables that differ by platform only, together."""
    for _, same in groupby(variables, key=lambda item: (item.field, item.fallback_for is None)):
        yield list(same)


def _by_group() -> Iterator[tuple[str, list[Variable]]]:
    for key, variables in groupby(catalogue(), key=lambda item: item.group):
        yield key, list(variables)


def _env_lines() -> Iterator[str]:
    yield from (f"# {line}".rstrip() for line in _HEAD.splitlines())
    for key, variables in _by_group():
        group = GROUPS[key]
        yield ""
        yield f"# ---- {group.title} " + "-" * (_WIDTH - len(group.title) - 8)
        yield from _comment(group.intro)
        for same in _same_field(variables):
            yield ""
            yield from _comment(_explained(same[0]))
            yield from map(_assignment, same)


def _comment(text: str) -> Iterator[str]:
    return (f"# {line}" for line in textwrap.wrap(text.replace("`", ""), _WIDTH - 2))


def _explained(variable: Variable) -> str:
    values = f" Values: {variable.values}." if variable.values not in ("", "text") else ""
    default = f" Default: {variable.default}." if variable.worked_out else ""
    return f"{variable.about}{values}{default}"


def _assignment(variable: Variable) -> str:
    if variable.example is not None:
        mark = "" if is_placeholder(variable.example) else "#"
        return f"{mark}{variable.name}={variable.example}"
    return f"#{variable.name}={'' if variable.worked_out else _quoted(variable.default)}"


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text


def _table_lines() -> Iterator[str]:
    for number, (key, variables) in enumerate(_by_group()):
        group = GROUPS[key]
        if number:
            yield ""
        yield f"### {group.title}"
        yield ""
        if group.intro:
            yield _marked(group.intro)
            yield ""
        yield "| Name | Default | Values | What it does |"
        yield "| --- | --- | --- | --- |"
        for same in _same_field(variables):
            yield _row(same)


def _row(same: Sequence[Variable]) -> str:
    first = same[0]
    names = "<br>".join(f"`{variable.name}`" for variable in same)
    default = first.default
    if default and (not first.worked_out or "<" in default):
        default = f"`{default}`"
    secret = " Secret." if first.secret else ""
    return f"| {names} | {_marked(default)} | {first.values} | {_marked(first.about)}{secret} |"


def _marked(text: str) -> str:
    return _NAME.sub(lambda match: f"`{match.group(0)}`", text)
