"""Replies come from templates and facts, and never have a hole."""

from __future__ import annotations

import pytest

from leasebot_pipeline.domain.guardrails_outbound import check_outbound
from leasebot_pipeline.domain.replies import (
    DEFAULT_TEMPLATES,
    TemplateInvalid,
    greeting_name,
    placeholders,
    render,
    template_context,
)
from tests.unit.domain.decision_values import OFFER


def test_a_template_is_filled_from_facts() -> None:
    context = template_context("Sam", "Maple Court 4B", "4B", OFFER[:2])
    body = "Hi {{lead_name}}, {{ unit }} ({{ unit_number }}): {{ slot_options_inline }}. First: {{ slot }}"
    assert render(body, context) == (
        "Hi Sam, Maple Court 4B (4B): Fri, Feb 13 6:00 PM - 6:30 PM UTC (Dana), "
        "Sat, Feb 14 3:00 PM - 3:30 PM UTC (Dana). First: Fri, Feb 13 6:00 PM - 6:30 PM UTC (Dana)"
    )


def test_unknown_and_empty_placeholders_are_refused_by_name() -> None:
    context = template_context("Sam", "Maple Court", None, OFFER)
    with pytest.raises(TemplateInvalid) as refused:
        render("{{ lead_name }} {{ rent }} {{ unit_number }}", context)
    assert refused.value.placeholders == ("rent", "unit_number")
    with pytest.raises(TemplateInvalid):
        render("Hi {{ lead-name }}", context)


@pytest.mark.parametrize("name", ["Sam", "Anna-Lena", "José O'Neil", "Dr. Ann Lee", "Łukasz", "李小龍"])
def test_names_of_people_are_used(name: str) -> None:
    assert greeting_name(name) == name


@pytest.mark.parametrize(
    "name",
    [None, "", "  ", "http://evil.test", "Sam {{ unit }}", "user123", "x" * 60, "you owe me $5", "a@b.test"],
)
def test_what_is_no_name_is_not_repeated(name: str | None) -> None:
    assert greeting_name(name) is None
    assert template_context(name, None, None, ())["lead_name"] == "there"


def test_an_advert_title_with_a_price_is_not_repeated() -> None:
    assert template_context("Sam", "Sunny room $1200!", None, ())["unit"] == "the place"
    assert template_context("Sam", None, None, ())["unit"] == "the place"


@pytest.mark.parametrize("template", DEFAULT_TEMPLATES, ids=lambda t: t.name)
def test_built_in_templates_render_and_pass_the_guardrails(template: object) -> None:
    from leasebot_pipeline.domain.replies import DefaultTemplate

    assert isinstance(template, DefaultTemplate)
    body = render(template.body, template_context(None, None, None, OFFER))
    assert "- Fri, Feb 13 6:00 PM" in body
    assert check_outbound(body, template.body) == ()
    assert template.variables == placeholders(template.body)
