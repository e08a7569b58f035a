"""Shards: each account in exactly one, the same in every process, and none much larger than the others."""

from __future__ import annotations

from uuid import UUID

import pytest

from leasebot_pipeline.domain.cohort import in_canary
from leasebot_pipeline.domain.shards import WHOLE, Shard, shard_of_label, shards

ACCOUNTS = [UUID(int=number * 7919 + 1) for number in range(3_000)]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_account_is_in_exactly_one(count: int) -> None:
    held = [sum(shard.holds(account) for shard in shards(count)) for account in ACCOUNTS]
    assert set(held) == {1}


def test_all_of_one_is_everything() -> None:
    assert shards(1) == (WHOLE,)
    assert all(map(WHOLE.holds, ACCOUNTS))


def test_they_are_about_equal_also_within_a_canary() -> None:
    canary = [account for account in ACCOUNTS if in_canary(account, {"percentage": 20})]
    for accounts in (ACCOUNTS, canary):
        sizes = [sum(map(shard.holds, accounts)) for shard in shards(4)]
        assert min(sizes) > len(accounts) / 4 * 0.75, sizes


def test_a_process_started_later_puts_an_account_into_the_same_one() -> None:
    assert [shard.label for shard in shards(5) if shard.holds(UUID(int=42))] == ["1of5"]


def test_a_label_is_read_as_it_was_written() -> None:
    assert [shard_of_label(shard.label) for shard in shards(12)] == list(shards(12))
    for wrong in ("", "2", "0of3", "4of3", "1of0", "1of3x"):
        with pytest.raises(ValueError, match="no shard"):
            shard_of_label(wrong)
    with pytest.raises(ValueError, match="no shard 0 of 3"):
        Shard(0, 3)
