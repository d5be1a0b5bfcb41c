-- The schema, version 1. The header's application_id says that a file is a store of jobs, user_version which version.

-- One row per job, tombstones included. The columns up to has_result are the fields of model.job.Job, by name and in
-- order; the rest serves the indexes. A row stays narrow: documents of any size live in the tables below.
CREATE TABLE jobs (
    uid INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL,
    job_type TEXT NOT NULL,
    target TEXT NOT NULL,
    command TEXT,
    owner TEXT,
    options TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN (
        'created', 'scheduled', 'queued', 'working', 'stopping', 'input_required',
        'completed', 'failed', 'stopped', 'deleted')),
    version INTEGER NOT NULL,
    "order" INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    progress INTEGER NOT NULL CHECK (progress BETWEEN 0 AND 100),
    description TEXT NOT NULL,
    step TEXT NOT NULL,
    created_at REAL NOT NULL,
    started_at REAL,
    completed_at REAL,
    not_before REAL,
    reason TEXT,
    delete_requested INTEGER NOT NULL,
    error TEXT,
    completed_with_error INTEGER NOT NULL,
    has_result INTEGER NOT NULL,

    queue TEXT NOT NULL,
    priority INTEGER NOT NULL,
    status TEXT NOT NULL GENERATED ALWAYS AS (CASE
        WHEN state IN ('created', 'scheduled', 'queued') THEN 'pending'
        WHEN state IN ('working', 'stopping', 'input_required') THEN 'running'
        ELSE state END) VIRTUAL
) STRICT;

-- Of all jobs that had a public id only the last can live. No state in it, so that no later change touches it.
CREATE INDEX jobs_named ON jobs (job_id);

-- The order of claims.
CREATE INDEX jobs_queued ON jobs (priority DESC, "order") WHERE state = 'queued';

-- Lists; the uid that ends every index keeps them in order.
CREATE INDEX jobs_listed ON jobs (status);
CREATE INDEX jobs_owned ON jobs (owner) WHERE owner IS NOT NULL;

-- JSON documents, kept as they came.
CREATE TABLE params (uid INTEGER PRIMARY KEY, document BLOB NOT NULL) STRICT;
CREATE TABLE results (uid INTEGER PRIMARY KEY, document BLOB NOT NULL) STRICT;

-- What jobs wrote, in pieces. Each says how many bytes, and how many lines of each stream, the job had written before
-- it, so that the totals of a log can be told from its ends.
CREATE TABLE log_pieces (
    id INTEGER PRIMARY KEY,
    uid INTEGER NOT NULL,
    position INTEGER NOT NULL,
    stdout_lines INTEGER NOT NULL,
    stderr_lines INTEGER NOT NULL,
    stream TEXT NOT NULL CHECK (stream IN ('stdout', 'stderr')),
    written_at REAL NOT NULL,
    continues INTEGER NOT NULL,
    lines INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_pieces_in_order ON log_pieces (uid, stream, position);

-- One row: the last version and uid given out, and how many jobs stand in each state.
CREATE TABLE counters (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL DEFAULT 0,
    last_uid INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL DEFAULT 0,
    scheduled INTEGER NOT NULL DEFAULT 0,
    queued INTEGER NOT NULL DEFAULT 0,
    working INTEGER NOT NULL DEFAULT 0,
    stopping INTEGER NOT NULL DEFAULT 0,
    input_required INTEGER NOT NULL DEFAULT 0,
    completed INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    stopped INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO counters (id) VALUES (1);
