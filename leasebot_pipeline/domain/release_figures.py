"""What the gate counts: traffic and critical error actions per account, over a window. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

CRITICAL_ERRORS: Final = (
    "ai_reply_error",
    "api_error",
    "dagster_run_failed",
    "inbox_draft_error",
    "inbox_message_error",
    "platform_dispatch_dlq",
    "platform_dispatch_error",
    "platform_dispatch_unknown",
    "showing_booking_failed",
)
"""Audit actions whose increase stops or takes back a release."""

NEVER_IN_SHADOW: Final = frozenset(
    {"platform_dispatch_dlq", "platform_dispatch_error", "platform_dispatch_unknown"}
)
ACCEPTED_SEND_FAILURES: Final = 0.01
"""Shadow sends nothing, so its rate of failed sends says nothing. This share of the traffic stands in for it:
twice of it is the 2 % that the promise "98 % of sends succeed" allows."""

UNATTRIBUTED: Final = ""


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """One account's inbound messages and critical errors."""

    platform: str
    inbound: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figures:
    """Per account id (text); ``UNATTRIBUTED`` holds what names no account."""

    accounts: Mapping[str, AccountFigures] = field(default_factory=dict)
    decisions: int = 0
    handed_over: int = 0
    """Decisions that went to a person."""
    breaches: Mapping[str, int] = field(default_factory=dict)
    """Violations per broken invariant, now."""

    def inbound(self, only: Collection[str] | None = None) -> int:
        return sum(one.inbound for one in self._chosen(only))

    def errors(self, only: Collection[str] | None = None) -> Counter[str]:
        found: Counter[str] = Counter()
        for one in self._chosen(only):
            found.update(one.errors)
        return found

    def platforms(self) -> dict[str, tuple[int, Counter[str]]]:
        """Inbound messages and errors by action, of each platform that is named."""
        found: dict[str, tuple[int, Counter[str]]] = {}
        for one in self.accounts.values():
            if one.platform:
                inbound, errors = found.get(one.platform, (0, Counter()))
                found[one.platform] = (inbound + one.inbound, errors + Counter(one.errors))
        return found

    def _chosen(self, only: Collection[str] | None) -> Iterable[AccountFigures]:
        return (one for key, one in self.accounts.items() if only is None or key in only)

    def as_json(self) -> dict[str, Any]:
        return {
            "accounts": {
                key: {"platform": one.platform, "inbound": one.inbound, "errors": dict(one.errors)}
                for key, one in self.accounts.items()
            },
            "decisions": self.decisions,
            "handedOver": self.handed_over,
            "breaches": dict(self.breaches),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Figures:
        """What ``as_json`` wrote."""
        return cls(
            accounts={
                key: AccountFigures(one["platform"], one["inbound"], one["errors"])
                for key, one in stored["accounts"].items()
            },
            decisions=stored["decisions"],
            handed_over=stored["handedOver"],
            breaches=stored["breaches"],
        )


def expected(action: str, base_count: int, base_traffic: int) -> int:
    """The baseline's count of an action, with what stands in for what shadow can't show."""
    if action not in NEVER_IN_SHADOW:
        return base_count
    return max(base_count, round(ACCEPTED_SEND_FAILURES * base_traffic))
