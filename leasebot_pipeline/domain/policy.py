"""What an account may do with a reply: effective send mode = min(release stage, override, default)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from leasebot_pipeline.domain.platforms import ReleaseStage, SendMode


@dataclass(frozen=True, slots=True)
class PlatformPolicy:
    """The account's policy at the moment of a decision; stored with it as the snapshot."""

    is_active: bool
    send_mode_override: SendMode | None
    global_default: SendMode
    release_stage: ReleaseStage
    in_cohort: bool

    @property
    def effective_send_mode(self) -> SendMode:
        """``auto_send`` only when the stage, the account and the default all allow it."""
        if self.release_stage is ReleaseStage.SHADOW:
            return SendMode.DRAFT_ONLY
        if self.release_stage is ReleaseStage.CANARY and not self.in_cohort:
            return SendMode.DRAFT_ONLY
        return self.send_mode_override or self.global_default

    @property
    def may_send(self) -> bool:
        return self.is_active and self.effective_send_mode is SendMode.AUTO_SEND

    def as_json(self) -> dict[str, object]:
        """The ``platformPolicy`` object of audits and message metadata."""
        return {
            "isActive": self.is_active,
            "sendMode": self.effective_send_mode.value,
            "sendModeOverride": self.send_mode_override.value if self.send_mode_override else None,
            "globalDefaultSendMode": self.global_default.value,
            "releaseStage": self.release_stage.value,
            "inCohort": self.in_cohort,
        }


def in_canary(account: UUID, cohort: Mapping[str, object]) -> bool:
    """Whether an account belongs to the canary: listed explicitly, or by a stable hash percentage.

    ``cohort``: ``{"accounts": [uuid, ...]}`` and/or ``{"percentage": 0..100}``.
    """
    listed = cohort.get("accounts")
    if isinstance(listed, list) and str(account) in {str(item).lower() for item in listed}:
        return True
    percentage = cohort.get("percentage")
    if not isinstance(percentage, int | float):
        return False
    bucket = int.from_bytes(hashlib.sha256(account.bytes).digest()[:4]) % 10_000
    return bucket < percentage * 100
