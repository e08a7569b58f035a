"""Free text loses addresses and numbers of people, and keeps what an operator needs to read it."""

from __future__ import annotations

import pytest

from leasebot_pipeline.domain.redaction import redact, redact_details

PHONE, EMAIL, NUMBER = "[REDACTED_PHONE]", "[REDACTED_EMAIL]", "[REDACTED_NUMBER]"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("write to a.b+c@mail.example.co.uk.", f"write to {EMAIL}."),
        ("call +44 20 7946 0958 now", f"call {PHONE} now"),
        ("(212) 555-0187 or 212.555.0187", f"{PHONE} or {PHONE}"),
        ("555-0187", PHONE),
        ("2026-03-02 5551234567", f"2026-03-02 {PHONE}"),
        ("ref X123456789", f"ref X{NUMBER}"),
    ],
)
def test_addresses_and_numbers_go(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "rent $2,400 for 12 months",
        "at 10:30 on 12/05/2026, or 2026-05-12",
        "failed at 2026-03-02T10:00:00.000+00:00 and 2026-03-02 10:00",
        "dispatch 61111111-1111-1111-1111-111111111101",
        "port 33777, pid 20339",
        "",
    ],
)
def test_prices_times_and_ids_stay(text: str) -> None:
    assert redact(text) == text


def test_only_free_text_of_details_is_touched() -> None:
    details = {"error": "mail a@b.io", "email": "a@b.io", "steps": [{"reason": "a@b.io", "n": 1}], "x": None}
    assert redact_details(details) == {
        "error": f"mail {EMAIL}",
        "email": "a@b.io",
        "steps": [{"reason": EMAIL, "n": 1}],
        "x": None,
    }


def test_a_long_hostile_text_is_redacted_at_once() -> None:
    assert redact("1 " * 20_000)
    assert redact("a." * 20_000 + "@")
