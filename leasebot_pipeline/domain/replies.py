"""Reply texts: filling a template from facts, and the built-in templates. Pure.

Nothing a lead wrote gets into a reply except a name that looks like one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from leasebot_pipeline.domain.decisions import Intent
from leasebot_pipeline.domain.guardrails_outbound import check_outbound
from leasebot_pipeline.domain.slots import Slot, label

_PLACEHOLDER: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}", re.ASCII)
_NAME: Final = re.compile(
    r"[^\W\d_](?:[^\W\d_]|[.'\u2019-](?=[^\W\d_]|\s|$))*(?: [^\W\d_](?:[^\W\d_]|[.'\u2019-])*){0,3}"
)
_NAME_LIMIT: Final = 40

KNOWN_PLACEHOLDERS: Final = (
    "lead_name",
    "unit",
    "unit_number",
    "slot",
    "slot_options_list",
    "slot_options_inline",
    "slot_options",
)
"""Placeholders that have a value of their own in a conversation; any other is filled by a person."""

NEUTRAL_LEAD: Final = "there"
NEUTRAL_UNIT: Final = "the place"


class TemplateInvalid(ValueError):
    """A template that cannot be filled; ``placeholders`` names the ones without a value."""

    def __init__(self, placeholders: Sequence[str]) -> None:
        super().__init__("no value for: " + ", ".join(placeholders))
        self.placeholders = tuple(placeholders)


@dataclass(frozen=True, slots=True)
class DefaultTemplate:
    """A template an account can start with."""

    name: str
    intent: Intent
    body: str

    @property
    def variables(self) -> tuple[str, ...]:
        return placeholders(self.body)


DEFAULT_TEMPLATES: Final[tuple[DefaultTemplate, ...]] = (
    DefaultTemplate(
        "default_tour_request",
        Intent.TOUR_REQUEST,
        "Hi {{ lead_name }}, thanks for your message about {{ unit }}. "
        "We can show it at one of these times:\n{{ slot_options_list }}\nWhich one suits you?",
    ),
    DefaultTemplate(
        "default_availability_question",
        Intent.AVAILABILITY_QUESTION,
        "Hi {{ lead_name }}, thanks for your interest in {{ unit }}. "
        "You are welcome to come and see it. Times we can offer:\n{{ slot_options_list }}\n"
        "Which one suits you?",
    ),
    DefaultTemplate(
        "default_follow_up",
        Intent.FOLLOW_UP,
        "Hi {{ lead_name }}, thanks for getting back to us about {{ unit }}. "
        "These viewing times are open:\n{{ slot_options_list }}\nWhich one suits you?",
    ),
)


def default_template(intent: Intent) -> DefaultTemplate | None:
    """The built-in template of an intent, or None."""
    return next((t for t in DEFAULT_TEMPLATES if t.intent is intent), None)


def placeholders(body: str) -> tuple[str, ...]:
    """Names of a template's placeholders, each once, in order."""
    return tuple(dict.fromkeys(_PLACEHOLDER.findall(body)))


def greeting_name(lead_name: str | None) -> str | None:
    """The lead's name when it looks like a person's name, else None.

    A name field is free text of a stranger: links, numbers or sentences in it must not reach a reply.
    """
    name = " ".join((lead_name or "").split())
    if not name or len(name) > _NAME_LIMIT or not _NAME.fullmatch(name):
        return None
    return name


def template_context(
    lead_name: str | None, unit_label: str | None, unit_number: str | None, slots: Sequence[Slot]
) -> dict[str, str]:
    """Values of the known placeholders; one without a value is left out.

    Without a name the lead is greeted as "there"; without a unit, or when its label (often an advert's
    title) holds a price or a link, the reply speaks of "the place".
    """
    labels = [label(slot) for slot in slots]
    unit = (unit_label or "").strip()
    context = {
        "lead_name": greeting_name(lead_name) or NEUTRAL_LEAD,
        "unit": unit if unit and not check_outbound(unit) else NEUTRAL_UNIT,
        "unit_number": (unit_number or "").strip(),
        "slot": labels[0] if labels else "",
        "slot_options_list": "\n".join(f"- {text}" for text in labels),
        "slot_options_inline": ", ".join(labels),
        "slot_options": "\n".join(f"- {text}" for text in labels),
    }
    return {name: value for name, value in context.items() if value}


def sample_context() -> dict[str, str]:
    """Made-up values of the known placeholders, for previews."""
    first, second = "Fri, Feb 13 6:00 PM - 6:30 PM EST (Dana)", "Sat, Feb 14 11:00 AM - 11:30 AM EST (Dana)"
    listed = f"- {first}\n- {second}"
    values = ("Alex", "Maple Court 4B", "4B", first, listed, f"{first}, {second}", listed)
    return dict(zip(KNOWN_PLACEHOLDERS, values, strict=True))


def render(body: str, context: Mapping[str, str]) -> str:
    """The template filled from the context, trimmed.

    Raises ``TemplateInvalid`` for placeholders without a value and for braces that are no placeholder:
    a reply with a hole is never sent.
    """
    missing = [name for name in placeholders(body) if name not in context]
    if missing:
        raise TemplateInvalid(missing)
    remainder = _PLACEHOLDER.sub("", body)
    if "{{" in remainder or "}}" in remainder:
        raise TemplateInvalid(["malformed braces"])
    return _PLACEHOLDER.sub(lambda match: context[match.group(1)], body).strip()
