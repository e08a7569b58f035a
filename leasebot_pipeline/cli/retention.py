"""``leasebot retention``: what is kept for how long, what would go now, and the night's cleaning by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from leasebot_pipeline.cli.database import DatabaseUrl, database
from leasebot_pipeline.cli.output import JsonFlag, emit, refused


def register(app: typer.Typer) -> None:
    app.command("retention")(retention)


def retention(
    apply: Annotated[
        bool, typer.Option("--apply", help="Take it away now; what is erased is gone for good.")
    ] = False,
    database_url: DatabaseUrl = None,
    as_json: JsonFlag = False,
) -> None:
    """Say how long audit rows, personal data and page evidence are kept, and what is older; `--apply` takes it away.

    The asset `retention` does the same every night, and deletes Dagster's old runs and ticks.
    """
    with refused():
        from leasebot_pipeline.settings import load_settings
        from leasebot_pipeline.stages import retention as stage
        from leasebot_pipeline.wiring import retention_policy, utc_now

        policy = retention_policy(load_settings())
        with database(database_url) as engine:
            waiting = stage.waiting(engine, policy, utc_now())
            values: dict[str, object] = {
                "auditDays": policy.audit.days if policy.audit else None,
                "archiveDir": str(policy.archive_dir),
                "personalDays": policy.personal.days if policy.personal else None,
                "evidenceDays": policy.evidence.max_age.days,
                "waiting": {"auditRows": waiting.audit_rows, "personal": waiting.personal},
            }
            lines = [
                _kept(
                    "audit rows of machines", policy.audit.days if policy.audit else None, waiting.audit_rows
                ),
                _kept("personal data", policy.personal.days if policy.personal else None, waiting.personal),
                f"audit rows go to {policy.archive_dir}",
            ]
            if apply:
                archived = stage.archive_audit(engine, policy, utc_now)
                erased = stage.erase_silent_leads(engine, policy, utc_now)
                evidence = stage.prune_evidence(policy, utc_now())
                values["done"] = {
                    "archivedRows": archived.rows,
                    "files": archived.files,
                    "evidenceFiles": evidence,
                    **erased,
                }
                lines.append(
                    f"done: {archived.rows} audit rows archived, {erased['conversations']} conversations and "
                    f"{erased['strays']} stray messages erased, {evidence} evidence files deleted"
                )
    emit(values, "\n".join(lines), as_json=as_json)


def _kept(what: str, days: int | None, waiting: int) -> str:
    return f"{what}: kept {days} days, {waiting} are older" if days else f"{what}: kept for ever"
