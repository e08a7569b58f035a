-- session_mark tells a renewed session from the one that failed; it is no credential and leads to none.
-- inbox_resume_url is where a reading that was cut off goes on. page_fingerprints holds, per kind of page,
-- which selector found each part of it.
ALTER TABLE "AccountRuntime"
  ADD COLUMN session_mark text,
  ADD COLUMN inbox_resume_url text,
  ADD COLUMN page_fingerprints jsonb NOT NULL DEFAULT '{}'::jsonb;
