"""What an account allows: its send mode, its automation rules and templates, and the lead gates. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

from leasebot_pipeline.domain.dispatching import PERSONAL_PURPOSES
from leasebot_pipeline.domain.platforms import Platform, ReleaseStage, SendMode


@dataclass(frozen=True, slots=True)
class PlatformPolicy:
    """The switches over one account's replies."""

    is_active: bool
    send_mode_override: SendMode | None
    global_default: SendMode
    release_stage: ReleaseStage
    in_cohort: bool
    """Whether the account belongs to the canary cohort; only read in the canary stage."""

    @property
    def stage_send_mode(self) -> SendMode:
        """The most the release stage allows."""
        if self.release_stage is ReleaseStage.FULL:
            return SendMode.AUTO_SEND
        if self.release_stage is ReleaseStage.CANARY and self.in_cohort:
            return SendMode.AUTO_SEND
        return SendMode.DRAFT_ONLY

    @property
    def effective_send_mode(self) -> SendMode:
        """The strictest of release stage, account override (when set) and global default."""
        modes = (
            self.stage_send_mode,
            self.send_mode_override or self.global_default,
            self.global_default,
        )
        return SendMode.AUTO_SEND if all(m is SendMode.AUTO_SEND for m in modes) else SendMode.DRAFT_ONLY

    def may_send(self, purpose: str) -> bool:
        """Whether a reply of this purpose may be clicked now.

        Nothing is on an inactive account or in shadow; the send mode is about replies nobody looked at.
        """
        if not self.is_active or self.release_stage is ReleaseStage.SHADOW:
            return False
        return purpose in PERSONAL_PURPOSES or self.effective_send_mode is SendMode.AUTO_SEND

    def as_details(self) -> dict[str, object]:
        """The policy as audit details and decision rows show it."""
        return {
            "isActive": self.is_active,
            "sendMode": self.effective_send_mode.value,
            "sendModeOverride": self.send_mode_override.value if self.send_mode_override else None,
            "globalDefaultSendMode": self.global_default.value,
            "releaseStage": self.release_stage.value,
            "inCohort": self.in_cohort,
        }


@dataclass(frozen=True, slots=True)
class AutomationRule:
    """A rule of an account: which template answers which intent."""

    id: UUID
    intent: str
    enabled: bool
    template_name: str | None
    min_confidence: float | None = None
    """Below it the account leaves this intent to a person. It only raises the general bound."""
    draft_only: bool = False
    """The account wants to see replies to this intent before they go out."""


def rule_limits(min_confidence: str | None, send_mode: str | None) -> tuple[float | None, bool]:
    """``min_confidence`` and ``draft_only`` of a rule from its stored texts.

    Text that is no confidence or no send mode is read as the strictest: a typing mistake must not widen
    what is sent.
    """
    bound: float | None = None
    if min_confidence is not None:
        try:
            bound = float(min_confidence)
        except ValueError:
            bound = 1.0
        if not 0 <= bound <= 1:
            bound = 1.0
    return bound, send_mode is not None and send_mode != SendMode.AUTO_SEND.value


@dataclass(frozen=True, slots=True)
class Template:
    """A reply text of an account or of all accounts; placeholders are written ``{{ name }}``."""

    id: UUID
    name: str
    body: str
    variables: tuple[str, ...]
    is_active: bool


ALLOW_ENV: Final = "WORKER_AUTOREPLY_ALLOW_LEAD_NAMES"
ALLOW_BY_PLATFORM_ENV: Final = "WORKER_AUTOREPLY_ALLOW_LEAD_NAMES_BY_PLATFORM"


@dataclass(frozen=True, slots=True)
class LeadGate:
    """Test gates: only listed leads are answered, and only fresh messages. Off without a list."""

    allow_names: tuple[str, ...] = ()
    allow_names_by_platform: Mapping[Platform, tuple[str, ...]] = field(default_factory=dict)
    max_message_age: timedelta | None = None

    def names_for(self, platform: Platform) -> tuple[str, ...]:
        """The list in force: the platform's own replaces the global one."""
        return self.allow_names_by_platform.get(platform, self.allow_names)

    def refusal(self, platform: Platform, lead_name: str | None, age_s: float | None) -> str | None:
        """Reason code why this lead is not answered, or None. An unknown age counts as too old."""
        names = self.names_for(platform)
        if not any(name.strip() for name in names):
            return None
        if _plain(lead_name or "") not in {_plain(name) for name in names if name.strip()}:
            return "test_allowlist_blocked"
        if self.max_message_age is None or self.max_message_age <= timedelta(0):
            return None
        if age_s is None or age_s > self.max_message_age.total_seconds():
            return "test_allowlist_message_too_old"
        return None

    def as_details(self, platform: Platform, lead_name: str | None) -> dict[str, object]:
        """The gate as audit details show it."""
        names = self.names_for(platform)
        details: dict[str, object] = {
            "type": "lead_name",
            "env": ALLOW_BY_PLATFORM_ENV if platform in self.allow_names_by_platform else ALLOW_ENV,
            "configured": list(names),
            "matched": _plain(lead_name or "") in {_plain(name) for name in names},
        }
        if self.max_message_age is not None:
            details["maxMessageAgeMinutes"] = self.max_message_age.total_seconds() / 60
        return details


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
