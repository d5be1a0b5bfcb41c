-- The schema, version 1. The header's application_id says that a file is a store of jobs, user_version which version.

-- One row per job, tombstones included. The columns up to changed_at are the fields of model.job.Job, by name and in
-- order; the rest serves the indexes. A row stays narrow: documents of any size live in the tables below.
CREATE TABLE jobs (
    uid INTEGER PRIMARY KEY,
    job_id TEXT NOT NULL,
    job_type TEXT NOT NULL,
    target TEXT NOT NULL,
    command TEXT,
    owner TEXT,
    options TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    "order" INTEGER NOT NULL,
    rank REAL NOT NULL,
    attempt INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    progress INTEGER NOT NULL CHECK (progress BETWEEN 0 AND 100),
    description TEXT NOT NULL,
    step TEXT NOT NULL,
    created_at REAL NOT NULL,
    queued_at REAL,
    started_at REAL,
    completed_at REAL,
    deleted_at REAL,
    not_before REAL,
    reason TEXT,
    delete_requested INTEGER NOT NULL,
    error TEXT,
    completed_with_error INTEGER NOT NULL,
    has_result INTEGER NOT NULL,
    questions TEXT,
    has_answers INTEGER NOT NULL,
    changed_at REAL NOT NULL,

    queue TEXT NOT NULL,
    -- Another state has no status, and is refused. (As a list of states, IN would be a table made for each write.)
    status TEXT NOT NULL GENERATED ALWAYS AS (CASE state
        WHEN 'created' THEN 'pending'
        WHEN 'scheduled' THEN 'pending'
        WHEN 'queued' THEN 'pending'
        WHEN 'working' THEN 'running'
        WHEN 'stopping' THEN 'running'
        WHEN 'input_required' THEN 'running'
        WHEN 'completed' THEN 'completed'
        WHEN 'failed' THEN 'failed'
        WHEN 'stopped' THEN 'stopped'
        WHEN 'deleted' THEN 'deleted' END) VIRTUAL
) STRICT;

-- Of all jobs that had a public id only the last can live. No state in it, so that no later change touches it.
CREATE INDEX jobs_named ON jobs (job_id);

-- The order of claims in each queue; with queued_at it also tells who waits longest.
CREATE INDEX jobs_queued ON jobs (queue, rank, "order", queued_at) WHERE state = 'queued';

-- What is due when.
CREATE INDEX jobs_scheduled ON jobs (not_before) WHERE state = 'scheduled';

-- Whom a limit may evict: the owner's jobs that have not ended. Those of others cost nothing to pass over.
CREATE INDEX jobs_living ON jobs (owner, status) WHERE completed_at IS NULL;

-- What the retention removes.
CREATE INDEX jobs_finished ON jobs (completed_at) WHERE completed_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX jobs_deleted ON jobs (deleted_at) WHERE deleted_at IS NOT NULL;

-- Lists; the uid that ends every index keeps them in order.
CREATE INDEX jobs_listed ON jobs (status);
CREATE INDEX jobs_owned ON jobs (owner) WHERE owner IS NOT NULL;

-- JSON documents, kept as they came.
CREATE TABLE params (uid INTEGER PRIMARY KEY, document BLOB NOT NULL) STRICT;
CREATE TABLE results (uid INTEGER PRIMARY KEY, document BLOB NOT NULL) STRICT;

-- What was answered to questions of jobs; documents are empty where an answer was declined.
CREATE TABLE answers (
    uid INTEGER NOT NULL,
    key TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('accept', 'decline', 'cancel')),
    document BLOB NOT NULL,
    PRIMARY KEY (uid, key)
) STRICT;

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

-- What makes two submissions of one owner the same; subject is the command, or else the job type.
CREATE TABLE idempotency_keys (
    uid INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    subject TEXT NOT NULL,
    owner TEXT,
    fingerprint TEXT NOT NULL
) STRICT;
CREATE INDEX idempotency_keys_of_subject ON idempotency_keys (key, subject);

-- The states of queues; the columns are the fields of model.queues.QueueState. A queue nothing has happened in has none.
CREATE TABLE queues (
    name TEXT PRIMARY KEY,
    paused INTEGER NOT NULL,
    consecutive_failures INTEGER NOT NULL,
    ended_at REAL,
    average_seconds REAL NOT NULL,
    processed_total INTEGER NOT NULL,
    failed_total INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: the last version, uid given out, and how many jobs stand in each state.
CREATE TABLE counters (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL DEFAULT 0,
    last_uid INTEGER NOT NULL DEFAULT 0,
    rank_time REAL NOT NULL DEFAULT 0,
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
