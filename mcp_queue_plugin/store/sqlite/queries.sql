-- Every query, named and described. {columns} stands for the columns of a record, in the order of its fields.

-- name: insert_job
-- A new record.
INSERT INTO jobs ({columns}, queue, priority)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_job
-- Everything of a record that can change.
UPDATE jobs SET
    state = ?, version = ?, "order" = ?, attempt = ?, crashes = ?, progress = ?, description = ?, step = ?,
    started_at = ?, completed_at = ?, not_before = ?, reason = ?, delete_requested = ?, error = ?,
    completed_with_error = ?, has_result = ?
WHERE uid = ?;

-- name: job_by_uid
-- One record.
SELECT {columns} FROM jobs WHERE uid = ?;

-- name: last_job
-- The record a public id names: the living one, or else the last tombstone, for an id is free again once its job is one.
SELECT {columns} FROM jobs WHERE job_id = ? ORDER BY uid DESC LIMIT 1;

-- name: queued_jobs
-- The queued jobs whose turn it is, with their parameters: higher priority first, then the longer wait.
SELECT {columns}, document FROM jobs JOIN params USING (uid)
WHERE state = 'queued' ORDER BY priority DESC, "order" LIMIT ?;

-- name: recoverable
-- What the death of an owner can have left between two steps.
SELECT {columns} FROM jobs WHERE status = 'running' OR (status = 'stopped' AND delete_requested) ORDER BY uid;

-- name: oldest_queued_at
-- When the queued job with the longest wait was created: the first job of each priority is the oldest of it, so the
-- index is asked once per priority and not once per job.
WITH RECURSIVE lanes (priority) AS (
    SELECT max(priority) FROM jobs WHERE state = 'queued'
    UNION ALL
    SELECT (SELECT max(jobs.priority) FROM jobs WHERE state = 'queued' AND jobs.priority < lanes.priority)
    FROM lanes WHERE lanes.priority IS NOT NULL
),
firsts (uid) AS (
    SELECT (
        SELECT uid FROM jobs WHERE state = 'queued' AND jobs.priority = lanes.priority ORDER BY "order" LIMIT 1
    ) FROM lanes
)
SELECT created_at FROM jobs JOIN firsts USING (uid) ORDER BY "order" LIMIT 1;

-- name: list_newest
-- A page of records, newest first.
SELECT {columns} FROM jobs WHERE {conditions} ORDER BY uid DESC LIMIT ?;

-- name: list_oldest
-- A page of records, oldest first.
SELECT {columns} FROM jobs WHERE {conditions} ORDER BY uid LIMIT ?;

-- name: count_jobs
-- How many records match a filter that no counter knows.
SELECT count(*) FROM jobs WHERE {conditions};

-- name: insert_params
-- The parameters of a new job.
INSERT INTO params (uid, document) VALUES (?, ?);

-- name: insert_result
-- The result of an attempt; a later attempt's takes its place.
INSERT OR REPLACE INTO results (uid, document) VALUES (?, ?);

-- name: result
-- The result of a job.
SELECT document FROM results WHERE uid = ?;

-- name: insert_log_piece
-- One more piece of a job's log.
INSERT INTO log_pieces (
    uid, position, stdout_lines, stderr_lines, stream, written_at, continues, lines, data
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: drop_log_pieces
-- The oldest pieces of a job's log go: those that begin before a position.
DELETE FROM log_pieces WHERE uid = ? AND stream IN ('stdout', 'stderr') AND position < ?;

-- name: log_begin
-- The place before the oldest piece of one stream of a job's log.
SELECT position, stdout_lines, stderr_lines FROM log_pieces
WHERE uid = ? AND stream = ? ORDER BY position LIMIT 1;

-- name: log_end
-- The place behind its newest piece.
SELECT
    position + length(data), stdout_lines + lines * (stream = 'stdout'), stderr_lines + lines * (stream = 'stderr')
FROM log_pieces WHERE uid = ? AND stream = ? ORDER BY position DESC LIMIT 1;

-- name: log_pieces
-- The pieces of a stream of a job's log, from the one on that a position lies in or behind.
SELECT position, stdout_lines, stderr_lines, stream, written_at, continues, lines, data FROM log_pieces
WHERE uid = ? AND stream = ? AND position >= ifnull(
    (SELECT max(position) FROM log_pieces WHERE uid = ? AND stream = ? AND position <= ?), 0
) ORDER BY position;

-- name: log_pieces_back
-- The pieces of a stream of a job's log from the last one back.
SELECT position, stdout_lines, stderr_lines, stream, written_at, continues, lines, data FROM log_pieces
WHERE uid = ? AND stream = ? ORDER BY position DESC;

-- name: delete_params
-- Empties a job to its tombstone, with the next two.
DELETE FROM params WHERE uid = ?;

-- name: delete_result
-- The result of a deleted job goes,
DELETE FROM results WHERE uid = ?;

-- name: delete_log
-- and so does its log.
DELETE FROM log_pieces WHERE uid = ?;

-- name: read_counters
-- The counters.
SELECT version, last_uid, created, scheduled, queued, working, stopping, input_required, completed, failed, stopped,
    deleted
FROM counters;

-- name: write_counters
-- The counters, once per commit.
UPDATE counters SET
    version = ?, last_uid = ?, created = ?, scheduled = ?, queued = ?, working = ?, stopping = ?, input_required = ?,
    completed = ?, failed = ?, stopped = ?, deleted = ?;
