"""The gate's rules: what promotes, what holds, what takes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leasebot_pipeline.domain.platforms import ReleaseStage
from leasebot_pipeline.domain.rate_ratio import RateRatio
from leasebot_pipeline.domain.release_figures import AccountFigures, Figures
from leasebot_pipeline.domain.release_gate import (
    REQUIRED_GATES,
    Baseline,
    GateInput,
    GatePolicy,
    GateResult,
    PastCheck,
    Verdict,
    judge,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
COHORT, OTHER = "account-1", "account-2"
SPIKE = "all:ai_reply_error"


def figures(inbound: int = 200, other: int = 0, **errors: int) -> Figures:
    """Traffic and errors of the cohort's account, and traffic of another."""
    return Figures(
        {COHORT: AccountFigures("roomies", inbound, errors), OTHER: AccountFigures("renthop", other)},
        decisions=inbound,
        handed_over=inbound // 5,
    )


BASE = Baseline(NOW - timedelta(hours=24), NOW, figures(1_000, 4_000, ai_reply_error=10))
CALM = GateInput(
    stage=ReleaseStage.CANARY,
    now=NOW,
    since=NOW - timedelta(hours=2),
    figures=figures(200, 800, ai_reply_error=2),
    baseline=BASE,
    cohort=frozenset({COHORT}),
    earlier=(PastCheck(NOW - timedelta(hours=2), frozenset()),),
    missing_platforms=(),
    forbidden_runtime=0,
    open_circuits=(),
    evidence=dict.fromkeys(REQUIRED_GATES, True),
    commit="abc123",
)


def broken(result: GateResult) -> set[str]:
    return {rule.name for rule in result.rules if not rule.kept}


def test_two_clean_checks_promote() -> None:
    result = judge(CALM)
    assert (result.verdict, result.conclusive, broken(result)) == (Verdict.PASS, True, set())


def test_one_clean_check_is_not_enough() -> None:
    result = judge(replace(CALM, earlier=()))
    assert (result.verdict, broken(result)) == (Verdict.HOLD, {"clean_checks"})


def test_a_spike_between_breaks_the_run() -> None:
    earlier = (PastCheck(NOW - timedelta(hours=1), frozenset({SPIKE})), *CALM.earlier)
    assert judge(replace(CALM, earlier=earlier)).verdict is Verdict.HOLD


def test_a_spike_seen_once_holds_and_twice_takes_back() -> None:
    spiking = replace(CALM, figures=figures(200, 800, ai_reply_error=30))
    once = judge(spiking)
    assert (once.verdict, SPIKE in once.spikes) == (Verdict.HOLD, True)
    again = judge(replace(spiking, earlier=(PastCheck(NOW - timedelta(hours=2), once.spikes),)))
    assert again.verdict is Verdict.ROLLBACK
    assert "error_spike" in broken(again)


def test_two_different_spikes_are_not_a_sustained_one() -> None:
    earlier = (PastCheck(NOW - timedelta(hours=2), frozenset({"all:api_error"})),)
    result = judge(replace(CALM, figures=figures(200, 800, ai_reply_error=30), earlier=earlier))
    assert result.verdict is Verdict.HOLD


def test_a_canary_is_judged_by_itself_too() -> None:
    """Ten times the errors of the cohort are no increase among twenty times its traffic."""
    base = replace(BASE, figures=figures(1_000, 100_000, showing_booking_failed=10))
    now = figures(100, 10_000, showing_booking_failed=10)
    result = judge(replace(CALM, baseline=base, figures=now))
    assert "cohort:showing_booking_failed" in result.spikes


def test_without_traffic_a_check_says_nothing_and_the_ones_before_stand() -> None:
    idle = replace(CALM, figures=figures(3))
    assert judge(idle).conclusive is False
    assert judge(idle).verdict is Verdict.HOLD
    clean = (*CALM.earlier, PastCheck(NOW - timedelta(hours=4), frozenset()))
    assert judge(replace(idle, earlier=clean)).verdict is Verdict.PASS
    spiked = tuple(PastCheck(NOW - timedelta(hours=n), frozenset({SPIKE})) for n in (2, 4))
    assert judge(replace(idle, earlier=spiked)).verdict is Verdict.ROLLBACK


def test_old_checks_do_not_count() -> None:
    result = judge(replace(CALM, earlier=(PastCheck(NOW - timedelta(hours=30), frozenset()),)))
    assert broken(result) == {"clean_checks"}


def test_failed_sends_have_the_accepted_rate_as_baseline() -> None:
    """Shadow sends nothing, so its zero is no promise; the accepted 1 % is."""
    fine = judge(replace(CALM, figures=figures(2_000, platform_dispatch_error=25)))
    assert not any("dispatch" in name for name in fine.spikes)
    bad = judge(replace(CALM, figures=figures(2_000, platform_dispatch_error=80)))
    assert "cohort:platform_dispatch_error" in bad.spikes


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"evidence": {**CALM.evidence, "critical": False}}, "required_gates"),
        ({"missing_platforms": ("renthop",)}, "platform_parity"),
        ({"forbidden_runtime": 1}, "runtime"),
        ({"figures": replace(CALM.figures, breaches={"nothing_sent_against_policy": 1})}, "human_handoff"),
        ({"figures": replace(CALM.figures, handed_over=2)}, "human_handoff"),
        ({"figures": replace(CALM.figures, breaches={"confirmed_showing_booked": 1})}, "showing_lifecycle"),
        ({"open_circuits": ("roomies/Default",)}, "circuits"),
    ],
)
def test_a_rollback_condition_takes_back_at_once(change: dict[str, object], rule: str) -> None:
    result = judge(replace(CALM, **change))  # type: ignore[arg-type]
    assert (result.verdict, broken(result)) == (Verdict.ROLLBACK, {rule})
    shadow = judge(replace(CALM, stage=ReleaseStage.SHADOW, **change))  # type: ignore[arg-type]
    assert shadow.verdict is not Verdict.ROLLBACK  # there is nothing to take back


@pytest.mark.parametrize(
    "change",
    [
        {"evidence": {}},
        {"commit": None},
        {"stage": ReleaseStage.FULL, "open_circuits": ("roomies/Default",)},
        {"stage": ReleaseStage.SHADOW, "open_circuits": ("roomies/Default",)},
        {"baseline": None},
        {"baseline": replace(BASE, since=NOW - timedelta(hours=3))},
        {"baseline": replace(BASE, figures=figures(3))},
    ],
)
def test_what_is_not_known_holds(change: dict[str, object]) -> None:
    assert judge(replace(CALM, **change)).verdict is Verdict.HOLD  # type: ignore[arg-type]


@pytest.mark.parametrize("action", ["platform_dispatch_error", "platform_dispatch_dlq"])
def test_a_canary_whose_sends_fail_goes_back_at_first_sight(action: str) -> None:
    failing = replace(CALM, figures=figures(200, 800, **{action: 30}))
    result = judge(failing)
    assert (result.verdict, broken(result) >= {"failed_sends", "error_spike"}) == (Verdict.ROLLBACK, True)
    assert judge(replace(failing, stage=ReleaseStage.FULL)).verdict is Verdict.HOLD  # seen once so far


def test_a_few_failed_sends_do_not_take_a_canary_back() -> None:
    assert judge(replace(CALM, figures=figures(200, 800, platform_dispatch_error=2))).verdict is Verdict.PASS


def test_breaches_of_the_baseline_are_no_regression() -> None:
    base = replace(BASE, figures=replace(BASE.figures, breaches={"confirmed_showing_booked": 2}))
    now = replace(CALM.figures, breaches={"confirmed_showing_booked": 2})
    assert judge(replace(CALM, baseline=base, figures=now)).verdict is Verdict.PASS


def test_baseline_survives_its_storage() -> None:
    assert Baseline.from_json(BASE.as_json()) == BASE


COUNTS = st.integers(0, 400)
TRAFFIC = st.integers(1, 20_000)


@given(COUNTS, TRAFFIC, COUNTS, TRAFFIC)
def test_the_bound_never_exceeds_the_ratio(count: int, traffic: int, base: int, base_traffic: int) -> None:
    one = RateRatio(count, traffic, base, base_traffic)
    assert one.at_least >= 0
    if one.ratio is not None:
        assert one.at_least <= one.ratio + 1e-6


@given(COUNTS, TRAFFIC, COUNTS, TRAFFIC)
def test_more_errors_never_look_better(count: int, traffic: int, base: int, base_traffic: int) -> None:
    one = RateRatio(count, traffic, base, base_traffic)
    worse = RateRatio(count + 1, traffic, base, base_traffic)
    assert worse.at_least >= one.at_least - 1e-9
    assert worse.exceeds(2, 5) or not one.exceeds(2, 5)


@given(st.integers(0, 4), TRAFFIC, COUNTS, TRAFFIC)
def test_few_errors_are_never_an_increase(count: int, traffic: int, base: int, base_traffic: int) -> None:
    assert not RateRatio(count, traffic, base, base_traffic).exceeds(2, 5)


@given(COUNTS, TRAFFIC)
def test_the_same_rate_is_never_an_increase(count: int, traffic: int) -> None:
    assert not RateRatio(count, traffic, count, traffic).exceeds(2, 5)


@given(
    st.lists(st.sampled_from([frozenset(), frozenset({SPIKE})]), max_size=5),
    st.integers(0, 60),
    st.integers(0, 300),
)
def test_full_needs_two_clean_looks_and_no_open_rule(
    seen: list[frozenset[str]], errors: int, inbound: int
) -> None:
    earlier = [PastCheck(NOW - timedelta(hours=n + 1), one) for n, one in enumerate(seen)]
    result = judge(replace(CALM, figures=figures(inbound, ai_reply_error=errors), earlier=earlier))
    looks = [result.spikes, *seen] if result.conclusive else seen
    if result.verdict is Verdict.PASS:
        assert len(looks) >= 2
        assert not looks[0]
        assert not looks[1]
        assert broken(result) == set()
    if result.verdict is Verdict.ROLLBACK and "error_spike" in broken(result):
        assert looks[0] & looks[1]


def test_exact_bound_of_a_known_case() -> None:
    """5 of 5 events fall into half of the traffic: Clopper and Pearson's bound of the share is 0.4782."""
    assert RateRatio(5, 100, 0, 100).at_least == pytest.approx(0.4782 / 0.5218, rel=1e-3)
    assert GatePolicy().clean_checks == 2
