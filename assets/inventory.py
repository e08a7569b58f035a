"""Our own adverts: what conversations are linked to."""

# No postponed annotations here: Dagster reads them.
from collections.abc import Sequence
from typing import Final

import dagster as dg

from assets.common import OWNERS, Result
from leasebot_pipeline.domain.platforms import Platform
from leasebot_pipeline.stages import link, sync_listings
from leasebot_pipeline.stages.pipeline import Pipeline

GROUP: Final = "inventory"
READ: Final = "every_account_read"


class ListingScope(dg.Config):
    """``platforms``: those to read in this run; empty for those of the settings."""

    platforms: list[str] = []  # noqa: RUF012 - pydantic copies it


def listings_asset(platforms: Sequence[Platform]) -> dg.AssetsDefinition:
    """The listings of the given platforms, all in one run: one browser, and no run per platform when idle."""

    @dg.asset(
        name="listings",
        group_name=GROUP,
        owners=OWNERS,
        kinds={"playwright", "postgres", "python"},
        tags={"leasebot/stage": "sync_listings"},
        metadata={"platforms": [platform.value for platform in platforms]},
        check_specs=[
            dg.AssetCheckSpec(
                READ,
                asset="listings",
                description="Each account's listings page was read to its end. One that fails stops no other.",
            )
        ],
        description="Our adverts on the platforms, with their units. Conversations that found no listing before "
        "are tried again at once.",
    )
    def listings(
        context: dg.AssetExecutionContext, config: ListingScope, pipeline: dg.ResourceParam[Pipeline]
    ) -> Result:
        accounts: list[sync_listings.AccountSync] = []
        relinked = 0
        for platform in [Platform(name) for name in config.platforms] or platforms:
            result = sync_listings.sync_listings(pipeline, platform, context.run_id)
            accounts.extend(result.accounts)
            if any(account.inserted + account.updated for account in result.accounts):
                relinked += link.link(pipeline, platform, context.run_id).resolved
        return dg.MaterializeResult(
            metadata={
                "fetched": sum(account.fetched for account in accounts),
                "inserted": sum(account.inserted for account in accounts),
                "updated": sum(account.updated for account in accounts),
                "vanished": sum(account.vanished for account in accounts),
                "conversations_relinked": relinked,
                "accounts": _table(accounts),
            },
            check_results=[_read(accounts)],
        )

    return listings


def _table(accounts: Sequence[sync_listings.AccountSync]) -> dg.MetadataValue:
    lines = [
        f"| {account.platform.value} | {account.account_name} | {account.fetched} | {account.inserted} "
        f"| {account.updated} | {account.vanished} | {account.error or ''} |"
        for account in accounts
    ]
    head = ["| platform | account | fetched | inserted | updated | vanished | error |", "|" + " --- |" * 7]
    return dg.MetadataValue.md("\n".join([*head, *lines]))


def _read(accounts: Sequence[sync_listings.AccountSync]) -> dg.AssetCheckResult:
    failed = [account for account in accounts if account.error is not None]
    return dg.AssetCheckResult(
        asset_key="listings",
        check_name=READ,
        passed=not failed,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(f"{account.account_name}: {account.error}" for account in failed) or None,
        metadata={"accounts": len(accounts), "failed": len(failed)},
    )
