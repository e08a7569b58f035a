"""Small rules of connectors: where reading stops, what a changed page is, what a stopped account needs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.failures import ACCOUNT_STOPPING_CODES
from leasebot_pipeline.domain.fingerprints import merged, page_change
from leasebot_pipeline.domain.identity import inbox_row_fingerprint
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.domain.readings import InboxRow
from leasebot_pipeline.domain.stops import RENEWABLE, next_step
from leasebot_pipeline.domain.watermark import Watermark

NOW = datetime(2026, 11, 24, 20, 30, tzinfo=UTC)
ROW = InboxRow("t1", 1, preview="hi", sent_at=NOW)
KNOWN = Watermark({"t1": inbox_row_fingerprint(ROW)})


def test_reading_stops_at_a_page_on_which_nothing_is_new() -> None:
    assert KNOWN.settles([ROW])
    assert not KNOWN.settles([ROW, replace(ROW, external_thread_id="t2")])
    assert not KNOWN.settles([replace(ROW, preview="hello?")])
    assert not Watermark().settles([ROW])


def test_history_is_not_paged_through() -> None:
    old = replace(ROW, external_thread_id="t2", sent_at=NOW - timedelta(days=9))
    assert replace(KNOWN, history_before=NOW - timedelta(days=2)).settles([ROW, old])
    unknown = replace(old, sent_at=None)
    assert not replace(KNOWN, history_before=NOW).settles([unknown])


prints = st.dictionaries(st.sampled_from("abcd"), st.none() | st.integers(0, 3))


@given(prints)
def test_a_page_that_looks_the_same_has_not_changed(now: dict[str, int | None]) -> None:
    assert not page_change(now, now)
    assert not page_change({}, now)


@given(prints, prints)
def test_a_change_is_told_once(before: dict[str, int | None], now: dict[str, int | None]) -> None:
    """What was told is remembered, and what a page says nothing about is not forgotten."""
    remembered = merged(before, now)
    assert not page_change(remembered, now)
    assert all(remembered[part] == before[part] for part in before if part not in now)


def test_lost_is_not_moved() -> None:
    change = page_change({"a": 0, "b": 0, "c": None}, {"a": None, "b": 2, "c": 1, "d": 0})
    assert (change.lost, change.moved) == (("a",), ("b",))
    assert change.summary == "found no more: a; found by another selector: b"


@pytest.mark.parametrize("code", sorted(ACCOUNT_STOPPING_CODES))
@pytest.mark.parametrize("platform", list(Platform), ids=lambda p: p.value)
def test_every_stop_says_what_to_do(code: str, platform: Platform) -> None:
    step = next_step(code, platform)
    assert "{" not in step
    assert "look into the reason" not in step
    assert ("account resume" in step) == (code not in RENEWABLE)
    assert platform.value in next_step("SOMETHING_NEW", platform)
