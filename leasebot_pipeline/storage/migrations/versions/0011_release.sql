-- The commit a stage is about, and whether it was entered although the gate did not pass.
ALTER TABLE "ReleaseStages" ADD COLUMN commit_sha text;
ALTER TABLE "ReleaseStages" ADD COLUMN overridden boolean NOT NULL DEFAULT false;
CREATE INDEX idx_release_stages_started_at ON "ReleaseStages" (started_at DESC);

-- Each look of the gate. Only a conclusive one counts for "two consecutive checks".
CREATE TABLE "GateChecks" (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stage_id uuid NOT NULL REFERENCES "ReleaseStages" (id) ON DELETE CASCADE,
    since timestamptz NOT NULL,
    taken_at timestamptz NOT NULL,
    conclusive boolean NOT NULL,
    spikes text[] NOT NULL DEFAULT '{}',
    verdict text NOT NULL,
    result jsonb NOT NULL,
    actor_type text NOT NULL,
    actor_id text,
    CONSTRAINT gate_checks_verdict_chk CHECK (verdict IN ('pass', 'hold', 'rollback')),
    CONSTRAINT gate_checks_window_chk CHECK (since <= taken_at)
);
CREATE INDEX idx_gate_checks_stage ON "GateChecks" (stage_id, taken_at DESC, id DESC);

-- Results of the release gates (CI, smoke, critical suites) of a commit; the newest of a kind counts.
CREATE TABLE "ReleaseEvidence" (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    commit_sha text NOT NULL,
    gate text NOT NULL,
    passed boolean NOT NULL,
    details jsonb NOT NULL DEFAULT '{}'::jsonb,
    finished_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    recorded_by text
);
CREATE INDEX idx_release_evidence_commit ON "ReleaseEvidence" (commit_sha, gate, finished_at DESC, id DESC);
