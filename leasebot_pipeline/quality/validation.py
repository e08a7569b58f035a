"""What a suite found in a batch: which rules broke, on which rows, and what follows from it.

Three effects, by what going on would do. A broken ``REFUSE`` rule sets its rows aside and the rest goes on;
a broken ``STOP`` rule makes the batch unusable; a broken ``WARN`` rule only asks a person to look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    REFUSE = "refuse"
    STOP = "stop"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's result. ``rows`` are the keys of the rows that broke it, never their content."""

    check: str
    """The asset check the rule counts for."""
    rule: str
    says: str
    effect: Effect
    passed: bool
    broken: int = 0
    """How many rows broke it; 0 also for rules about the batch as a whole."""
    rows: tuple[str, ...] = ()
    observed: float | None = None
    """What a rule about the whole batch measured."""
    error: str | None = None
    """Why the rule could not be evaluated, e.g. a missing column."""

    @property
    def isolated(self) -> bool:
        """True when each row that broke the rule is known by its key, so that it can be set aside."""
        return self.error is None and len(self.rows) == self.broken

    @property
    def harmful(self) -> bool:
        """True when going on with the batch would carry the fault along."""
        if self.passed:
            return False
        return self.effect is Effect.STOP or (
            self.effect is Effect.REFUSE and not (self.isolated and self.broken)
        )


@dataclass(frozen=True, slots=True)
class Validation:
    """The findings on one batch of ``rows`` rows; no findings for an empty batch."""

    rows: int = 0
    findings: tuple[Finding, ...] = ()

    @property
    def success(self) -> bool:
        return all(finding.passed for finding in self.findings)

    @property
    def harmful_checks(self) -> frozenset[str]:
        """The checks because of which the batch must not be worked on."""
        return frozenset(finding.check for finding in self.findings if finding.harmful)

    @property
    def usable(self) -> bool:
        """False when the batch must not be worked on at all."""
        return not self.harmful_checks

    @property
    def refused(self) -> Mapping[str, str]:
        """Keys of the rows to set aside, each with the names of all rules it broke."""
        reasons: dict[str, list[str]] = {}
        for finding in self.findings:
            if finding.effect is Effect.REFUSE and not finding.passed:
                for row in finding.rows:
                    reasons.setdefault(row, []).append(finding.rule)
        return {row: ", ".join(rules) for row, rules in reasons.items()}

    def of(self, check: str) -> tuple[Finding, ...]:
        """The findings that count for an asset check."""
        return tuple(finding for finding in self.findings if finding.check == check)


def combine(validations: Iterable[Validation]) -> Validation:
    """Several batches of one run as one: findings of all, in order."""
    parts = tuple(validations)
    return Validation(
        rows=sum(part.rows for part in parts),
        findings=tuple(finding for part in parts for finding in part.findings),
    )
