"""Great Expectations' findings as Dagster asset checks.

Severity follows the harm: a check fails as a warning where the bad rows were set aside or only a person
should look, and as an error, which stops what lies downstream, where going on would carry the fault along.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Final

import dagster as dg

from leasebot_pipeline.quality import decisions, dispatch, inbound, linkage, showings
from leasebot_pipeline.quality.validation import Finding, Validation

_SHOWN_ROWS: Final = 10


@dataclass(frozen=True, slots=True)
class Check:
    """An asset check as it is declared. ``blocking`` ones stop the downstream assets when they fail as errors."""

    name: str
    description: str
    blocking: bool

    def spec(self, asset: str) -> dg.AssetCheckSpec:
        return dg.AssetCheckSpec(
            self.name,
            asset=asset,
            description=self.description,
            blocking=self.blocking,
            metadata={"suite": "great_expectations"},
        )


INBOUND: Final = (
    Check(
        inbound.SCHEMA,
        "The landed batch has its columns, its ids and one platform. Broken: nothing of it is ingested.",
        blocking=True,
    ),
    Check(
        inbound.DRIFT,
        "Times and lead names are still found on the pages. All gone: nothing is ingested, since history "
        "could not be told from news.",
        blocking=True,
    ),
    Check(
        inbound.ROWS,
        "Each landed event can be used. Those that can't are quarantined with the reason; the rest goes on.",
        blocking=True,
    ),
)
LINKAGE: Final = (
    Check(
        linkage.COVERAGE,
        "Most conversations find the listing they are about. Too few: look at the listing sync.",
        blocking=False,
    ),
)
DECISIONS: Final = (
    Check(
        decisions.SCHEMA,
        "The planned decisions have their columns and ids, one per conversation, and possible figures. Broken: none "
        "takes effect.",
        blocking=True,
    ),
    Check(
        decisions.SENDS,
        "No reply is sent without a slot, past a guardrail, in shadow, on an inactive or draft-only account, or "
        "under another's dispatch key. Such decisions are held for a person.",
        blocking=True,
    ),
    Check(
        decisions.FORM,
        "Replies have a text and a key, decisions a known reason. Others are held.",
        blocking=True,
    ),
    Check(decisions.HELD, "Most decisions need no person. Too many do: look at why.", blocking=False),
)
SHOWINGS: Final = (
    Check(
        showings.OVERLAPS,
        "No agent shows two units at once, and visitors of a unit have a seat each. Broken: nothing goes out.",
        blocking=True,
    ),
    Check(
        showings.AGREES,
        "A conversation and its showing say the same.",
        blocking=False,
    ),
    Check(showings.HELD, "No time is held past its hold.", blocking=False),
)
DISPATCH: Final = (
    Check(dispatch.PROVEN, "What counts as sent is proven by its receipt, and was sent once.", blocking=True),
    Check(dispatch.PERSON, "No reply of this run is in doubt or given up.", blocking=False),
)


def results(
    asset: str, checks: tuple[Check, ...], validation: Validation, *, accepted: frozenset[str] = frozenset()
) -> list[dg.AssetCheckResult]:
    """One result per check. ``accepted`` names checks whose fault a person told us to go on with: warnings."""
    return [_result(asset, check, validation, check.name in accepted) for check in checks]


def _result(asset: str, check: Check, validation: Validation, accepted: bool) -> dg.AssetCheckResult:
    findings = validation.of(check.name)
    failed = [finding for finding in findings if not finding.passed]
    error = any(finding.harmful for finding in failed) and not accepted
    metadata: dict[str, dg.MetadataValue] = {
        "rows": dg.MetadataValue.int(validation.rows),
        "rules": dg.MetadataValue.int(len({finding.rule for finding in findings})),
    }
    if failed:
        metadata["broken"] = dg.MetadataValue.table(
            records=[_record(list(group)) for _, group in groupby(sorted(failed, key=_rule), key=_rule)],
            schema=_COLUMNS,
        )
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=check.name,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN,
        description="; ".join(dict.fromkeys(_sentence(finding) for finding in failed)) or None,
        metadata=metadata,
    )


_COLUMNS: Final = dg.TableSchema(
    columns=[
        dg.TableColumn("rule"),
        dg.TableColumn("expected"),
        dg.TableColumn("rows", "int", description="how many rows broke it"),
        dg.TableColumn("ids", description=f"the first {_SHOWN_ROWS} of them"),
        dg.TableColumn("effect"),
        dg.TableColumn("observed"),
    ]
)


def _rule(finding: Finding) -> str:
    return finding.rule


def _record(findings: list[Finding]) -> dg.TableRecord:
    """One rule over all batches of the run. Ids only: a message's text has no place in Dagster's tables."""
    first = findings[0]
    ids = [row for finding in findings for row in finding.rows]
    observed = [
        finding.error or f"{finding.observed:.2f}"
        for finding in findings
        if finding.error or finding.observed is not None
    ]
    return dg.TableRecord(
        {
            "rule": first.rule,
            "expected": first.says,
            "rows": sum(finding.broken for finding in findings),
            "ids": ", ".join(ids[:_SHOWN_ROWS]) + (", ..." if len(ids) > _SHOWN_ROWS else ""),
            "effect": first.effect.value,
            "observed": ", ".join(observed),
        }
    )


def _sentence(finding: Finding) -> str:
    if finding.error is not None:
        return f"{finding.rule}: could not be evaluated"
    if finding.broken:
        return f"{finding.rule}: {finding.broken} rows"
    return finding.rule if finding.observed is None else f"{finding.rule}: {finding.observed:.2f}"
