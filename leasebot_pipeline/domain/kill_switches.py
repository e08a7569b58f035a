"""Kill switches: what one stops, and how people name it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from leasebot_pipeline.domain.platforms import Platform

GLOBAL: Final = "global"


class KillScope(StrEnum):
    GLOBAL = "global"
    PLATFORM = "platform"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class KillTarget:
    """All sends, those of one platform, or those of one account."""

    scope: KillScope
    platform: Platform | None = None
    account_id: UUID | None = None

    @property
    def key(self) -> str:
        """The target as it is stored: at most one switch is engaged per key."""
        match self.scope:
            case KillScope.GLOBAL:
                return GLOBAL
            case KillScope.PLATFORM:
                return f"platform:{self.platform}"
            case KillScope.ACCOUNT:
                return f"account:{self.account_id}"


def parse_target(text: str) -> KillTarget | None:
    """``all`` (or ``global``), a platform's name, or an account's id; None when it is none of them."""
    plain = text.strip().casefold()
    if plain in ("all", GLOBAL):
        return KillTarget(KillScope.GLOBAL)
    if plain in {platform.value for platform in Platform}:
        return KillTarget(KillScope.PLATFORM, Platform(plain))
    try:
        return KillTarget(KillScope.ACCOUNT, account_id=UUID(plain))
    except ValueError:
        return None
