"""The demo's verdict: what leads saw, held against what the pipeline says it did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from leasebot_pipeline.processes import demo_report
from leasebot_pipeline.processes.demo_report import LeadTranscript
from leasebot_pipeline.storage.demo_figures import StoredInbound

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def lead(*received: str, wrote: tuple[str, ...] = ("Hi",)) -> LeadTranscript:
    return LeadTranscript("roomies", "t1", tuple((body, AT) for body in wrote), received)


def clicked(body: str, state: str = "sent") -> dict[str, Any]:
    return {"platform": "roomies", "external_thread_id": "t1", "body": body, "state": state}


def stored(body: str, after: float | None = None) -> StoredInbound:
    answered = None if after is None else AT + timedelta(seconds=after)
    return StoredInbound("roomies", "t1", body, answered, after is not None)


def test_a_reply_that_arrived_more_often_than_it_was_meant_to_is_a_duplicate() -> None:
    assert demo_report.duplicates([lead("Hello", "Hello")], [clicked("Hello")]) == 1
    assert demo_report.duplicates([lead("Hello", "Hello")], [clicked("Hello"), clicked("Hello")]) == 0
    assert demo_report.duplicates([lead("Hello")], [clicked("Hello", "unknown")]) == 0
    assert demo_report.duplicates([lead("Hello")], []) == 1, "nobody meant to send it"


def test_messages_and_replies_that_never_came_are_lost() -> None:
    assert demo_report.lost_inbound([lead(wrote=("Hi", "Hi"))], [stored("Hi")]) == 1
    assert demo_report.lost_inbound([lead(wrote=("Hi  there",))], [stored("Hi there")]) == 0
    assert demo_report.lost_outbound([lead()], [clicked("Hello")]) == 1
    assert demo_report.lost_outbound([lead()], [clicked("Hello", "unknown")]) == 0


def test_latency_is_from_visible_to_answered_and_leaves_out_what_was_held() -> None:
    inbound = [stored("Hi", 12.5), stored("Bye")]
    assert demo_report.answer_latencies([lead(wrote=("Hi", "Bye"))], inbound) == [12.5]
    assert demo_report.percentile([5.0, 1.0, 3.0], 0.5) == 3.0
    assert demo_report.percentile([], 0.95) is None


def test_the_verdict_is_bad_for_any_single_fault() -> None:
    good: dict[str, Any] = {
        "duplicates": 0,
        "lost": 0,
        "checks": {"passed": 9, "failed": 0, "warned": 1},
        "invariants": [{"name": "a", "violations": 0}],
    }
    assert demo_report.holds(good)
    assert not demo_report.holds({**good, "duplicates": 1})
    assert not demo_report.holds({**good, "lost": 1})
    assert not demo_report.holds({**good, "checks": {"passed": 9, "failed": 1, "warned": 0}})
    assert not demo_report.holds({**good, "invariants": [{"name": "a", "violations": 2}]})
