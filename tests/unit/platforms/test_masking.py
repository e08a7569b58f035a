"""Evidence shows a page's structure and nothing that people wrote. G-56."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.platforms.evidence import EvidenceLimits, evidence_name, kept_already, prune
from leasebot_pipeline.platforms.masking import masked_html, masked_text, masked_url, skeleton
from leasebot_pipeline.platforms.page import Document
from leasebot_pipeline.platforms.protocol import AccountRef

NOW = datetime(2026, 11, 24, 20, 30, tzinfo=UTC)
ACCOUNT = AccountRef(uuid4(), Platform.RENTHOP, "x")

PAGE = """<!DOCTYPE html><html><head><title>Ana O'Neil | Messages</title><style>.ana{}</style>
<script>var lead = {"name": "Ana", "mail": "ana@example.org"}</script></head><body>
<!-- debug: Ana O'Neil 555-123-4567 -->
<section data-testid="thread" data-thread-id="rh880001" data-lead-name="Ana" id="msg_5400012" class="rh-box card">
<h1>Ana O'Neil</h1><a href="https://www.renthop.com/account/messages/rh880001?to=ana@example.org#ana">Reply</a>
<p data-testid="message-body">Hi &amp; hello, I am Ana &lt;ana@example.org&gt;, call 555-123-4567 <b>Grüße Zoë</b></p>
<img src="data:image/png;base64,QW5h" alt="Ana smiling"><textarea placeholder="Reply to Ana">scribbled to Ana</textarea>
<input value="Ana" type="hidden" name="lead"><div data-lb-message='{"id": 5, "content": "Ana here", "isSender": false}'></div>
</section></body></html>"""


def test_nothing_of_a_person_is_left_and_the_structure_is() -> None:
    masked = masked_html(PAGE)
    for secret in (
        "Ana",
        "O'Neil",
        "ana@",
        "example.org",
        "555",
        "4567",
        "Zoë",
        "Grü",
        "scribbled",
        "880001",
        "5400012",
        "QW5h",
    ):
        assert secret not in masked, secret
    page = Document(masked)
    assert page.has(("section[data-testid='thread'].rh-box.card[data-thread-id]",))
    assert page.has(("p[data-testid='message-body'] b",))
    assert page.has(("textarea[placeholder]",))
    assert page.has(("a[href^='https://www.renthop.com/account/messages/']",))
    assert "Messages" in page.title


@given(st.text(st.characters(exclude_characters="|·•–—"), max_size=60).map(lambda text: f"{text} qq"))
def test_no_letter_and_no_digit_survives_outside_the_interfaces_words(text: str) -> None:
    assert masked_text(masked_text(text)) == masked_text(text)
    assert not {char for char in masked_text(f"~{text}~") if char.isalnum()} - {"x", "9"}


@given(st.text("abcxyz<>/='\"& !-\n", max_size=200))
def test_broken_markup_is_masked_without_an_error(html: str) -> None:
    masked_html(html)
    skeleton(html)


def test_phrases_of_the_interface_stay_where_they_stand_alone() -> None:
    assert masked_text("Log in") == "Log in"
    assert masked_text("Ana O'Neil | Messages") == "xxx x'xxxx | Messages"
    assert masked_text("please log in, Ana") == "xxxxxx xxx xx, xxx"
    assert masked_html('<b data-direction="inbound" data-author="Rose Lead">Is the room free</b>') == (
        '<b data-direction="inbound" data-author="xxxx xxxx">xx xxx xxxx xxxx</b>'
    )


def test_addresses_keep_what_tells_the_page() -> None:
    url = "https://user:pw@www.spareroom.com/roommate/mythreads_beta.pl?thread_id=2041_93&q=ana"
    assert masked_url(url) == "https://www.spareroom.com/roommate/mythreads_beta.pl?thread_id=9999_99&x=xxx"
    assert masked_url("javascript:alert('Ana')") == "javascript:…"
    assert masked_url("mailto:ana@example.org") == "mailto:…"


def test_a_skeleton_is_of_the_structure_only() -> None:
    row = '<li class="row"><b>{}</b></li>'
    assert skeleton(row.format("Ana") * 3) == skeleton(row.format("Bo"))
    assert skeleton(row.format("Ana")) != skeleton(row.format("Ana").replace("row", "thread"))


def write(directory: Path, at: datetime, size: int = 10, facts: str = "{}") -> Path:
    path = directory / f"{evidence_name(ACCOUNT, 'ingest', at)}.json"
    path.write_text(facts.ljust(size), encoding="utf-8")
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def test_evidence_is_bounded_in_age_and_size(tmp_path: Path) -> None:
    other = tmp_path / "notes.json"
    other.write_text("mine")
    old = write(tmp_path, NOW - timedelta(days=8))
    recent = [write(tmp_path, NOW - timedelta(hours=hours), 400) for hours in (3, 2, 1)]
    assert prune(tmp_path, EvidenceLimits(1000, timedelta(days=7)), NOW) == 2
    assert not old.exists()
    assert [path.exists() for path in recent] == [False, True, True]
    assert other.exists()
    assert prune(tmp_path / "nowhere", EvidenceLimits(), NOW) == 0


def test_the_same_failure_is_kept_once_an_hour(tmp_path: Path) -> None:
    facts = f'{{"code": "MARKUP_DRIFT", "structure": "s", "takenAt": "{NOW.isoformat()}"}}'
    kept = write(tmp_path, NOW, facts=facts)
    later = NOW + timedelta(minutes=30)
    assert kept_already(tmp_path, ACCOUNT, "ingest", "MARKUP_DRIFT", "s", later) == {"json": str(kept)}
    assert kept_already(tmp_path, ACCOUNT, "ingest", "MARKUP_DRIFT", "another", later) is None
    assert kept_already(tmp_path, ACCOUNT, "send", "MARKUP_DRIFT", "s", later) is None
    assert kept_already(tmp_path, ACCOUNT, "ingest", "MARKUP_DRIFT", "s", NOW + timedelta(hours=2)) is None
