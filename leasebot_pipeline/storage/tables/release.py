"""What a release is judged by: the gate's checks and the evidence of the release gates."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Identity, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from leasebot_pipeline.storage.tables.columns import (
    document,
    instant,
    metadata,
    one_of,
    optional,
    ref,
    required,
)

gate_checks = Table(
    "GateChecks",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    ref("stage_id", "ReleaseStages", "CASCADE"),
    instant("since", nullable=False),
    instant("taken_at", nullable=False),
    Column("conclusive", Boolean, nullable=False),
    Column("spikes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    required("verdict"),
    document("result", None),
    required("actor_type"),
    optional("actor_id"),
    one_of("gate_checks_verdict_chk", "verdict", "pass", "hold", "rollback"),
    CheckConstraint("since <= taken_at", name="gate_checks_window_chk"),
    Index("idx_gate_checks_stage", "stage_id", text("taken_at DESC"), text("id DESC")),
)

release_evidence = Table(
    "ReleaseEvidence",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    required("commit_sha"),
    required("gate"),
    Column("passed", Boolean, nullable=False),
    document("details"),
    instant("finished_at", nullable=False),
    instant("recorded_at", nullable=False),
    optional("recorded_by"),
    Index("idx_release_evidence_commit", "commit_sha", "gate", text("finished_at DESC"), text("id DESC")),
)
