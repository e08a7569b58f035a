"""The five rental platforms and the account row each of them must have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID


class Platform(StrEnum):
    """A rental platform. The order is the order of every list the API returns."""

    SPAREROOM = "spareroom"
    ROOMIES = "roomies"
    LEASEBREAK = "leasebreak"
    RENTHOP = "renthop"
    FURNISHEDFINDER = "furnishedfinder"

    @property
    def env_prefix(self) -> str:
        """Prefix of the platform's environment variables, e.g. ``SPAREROOM``."""
        return self.value.upper()


REQUIRED_PLATFORMS: Final[tuple[Platform, ...]] = tuple(Platform)


class SendMode(StrEnum):
    """What may happen to a reply without a person: nothing, or a send."""

    DRAFT_ONLY = "draft_only"
    AUTO_SEND = "auto_send"


class ReleaseStage(StrEnum):
    """How far a release may act: shadow never sends, canary sends for a cohort, full for all."""

    SHADOW = "shadow"
    CANARY = "canary"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class RequiredAccount:
    """The default account of a platform; ids and names are those of the earlier system."""

    id: UUID
    platform: Platform
    account_name: str
    account_external_id: str


REQUIRED_ACCOUNTS: Final[tuple[RequiredAccount, ...]] = (
    RequiredAccount(
        UUID("12111111-1111-1111-1111-111111111111"), Platform.SPAREROOM, "Default SpareRoom", "sr_001"
    ),
    RequiredAccount(
        UUID("13111111-1111-1111-1111-111111111111"), Platform.ROOMIES, "Default Roomies", "rm_001"
    ),
    RequiredAccount(
        UUID("11111111-1111-1111-1111-111111111111"), Platform.LEASEBREAK, "Default Leasebreak", "lb_001"
    ),
    RequiredAccount(
        UUID("14111111-1111-1111-1111-111111111111"), Platform.RENTHOP, "Default RentHop", "rh_001"
    ),
    RequiredAccount(
        UUID("15111111-1111-1111-1111-111111111111"),
        Platform.FURNISHEDFINDER,
        "Default FurnishedFinder",
        "ff_001",
    ),
)
