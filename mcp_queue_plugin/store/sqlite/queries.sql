-- Every query, named and described. {columns} stands for the columns of a record, in the order of its fields.

-- name: insert_job
-- A new record.
INSERT INTO jobs ({columns}, queue)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_job
-- Everything of a record that can change.
UPDATE jobs SET
    state = ?, version = ?, "order" = ?, rank = ?, attempt = ?, crashes = ?, retries = ?, progress = ?, description = ?,
    step = ?, queued_at = ?, started_at = ?, completed_at = ?, deleted_at = ?, not_before = ?, reason = ?,
    delete_requested = ?, error = ?, completed_with_error = ?, has_result = ?, questions = ?, has_answers = ?,
    changed_at = ?
WHERE uid = ?;

-- name: job_by_uid
-- One record.
SELECT {columns} FROM jobs WHERE uid = ?;

-- name: last_job
-- The record a public id names: the living one, or else the last tombstone, for an id is free again once its job is one.
SELECT {columns} FROM jobs WHERE job_id = ? ORDER BY uid DESC LIMIT 1;

-- name: queued_jobs
-- The queued jobs of a queue whose turn it is, with their parameters.
SELECT {columns}, document FROM jobs JOIN params USING (uid)
WHERE state = 'queued' AND queue = ? ORDER BY rank, "order" LIMIT ?;

-- name: count_behind
-- How many queued jobs of a queue stand at one place or behind it, as far as so many.
SELECT count(*) FROM (
    SELECT 1 FROM jobs WHERE state = 'queued' AND queue = ? AND (rank, "order") >= (?, ?) LIMIT ?);

-- name: count_between
-- How many queued jobs of a queue stand at one place or behind it, and before another.
SELECT count(*) FROM jobs
WHERE state = 'queued' AND queue = ? AND (rank, "order") >= (?, ?) AND (rank, "order") < (?, ?);

-- name: oldest_queued_at
-- Since when the queued job waits that waits longest; the index has it all.
SELECT min(queued_at) FROM jobs WHERE state = 'queued';

-- name: due_jobs
-- The scheduled jobs whose time has come.
SELECT {columns} FROM jobs WHERE state = 'scheduled' AND not_before <= ? ORDER BY not_before, uid LIMIT ?;

-- name: later_jobs
-- The scheduled jobs whose time has not come, for the rare case that the clock was set back.
SELECT {columns} FROM jobs WHERE state = 'scheduled' AND not_before > ?;

-- name: next_due
-- When the next of them is due.
SELECT min(not_before) FROM jobs WHERE state = 'scheduled';

-- name: oldest_pending
-- Whom a limit evicts first: the owner's oldest pending jobs,
SELECT {columns} FROM jobs
WHERE completed_at IS NULL AND owner IS ? AND status = 'pending' AND {condition} ORDER BY uid LIMIT ?;

-- name: oldest_running
-- and then the oldest that run and were not asked to stop.
SELECT {columns} FROM jobs
WHERE completed_at IS NULL AND owner IS ? AND status = 'running' AND state <> 'stopping' AND {condition}
ORDER BY uid LIMIT ?;

-- name: recoverable
-- What the death of an owner can have left between two steps, and delays, some of which may have begun in what is
-- now the future.
SELECT {columns} FROM jobs WHERE status = 'running' OR (status = 'stopped' AND delete_requested)
UNION ALL SELECT {columns} FROM jobs WHERE state = 'scheduled' AND not_before > ?;

-- name: old_finished_jobs
-- The jobs that have ended before a time.
SELECT {columns} FROM jobs
WHERE completed_at <= ? AND deleted_at IS NULL ORDER BY completed_at, uid LIMIT ?;

-- name: old_tombstones
-- The jobs that were deleted before a time.
SELECT {columns} FROM jobs WHERE deleted_at <= ? ORDER BY deleted_at, uid LIMIT ?;

-- name: delete_job
-- Nothing of a job is left, once its documents are gone.
DELETE FROM jobs WHERE uid = ?;

-- name: insert_idempotency_key
-- What makes a later submission the same.
INSERT INTO idempotency_keys (uid, key, subject, owner, fingerprint) VALUES (?, ?, ?, ?, ?);

-- name: same_submission
-- The job that has an idempotency key, and its fingerprint.
SELECT {columns}, fingerprint FROM jobs JOIN
    (SELECT uid, fingerprint FROM idempotency_keys WHERE key = ? AND subject = ? AND owner IS ?) USING (uid);

-- name: delete_idempotency_key
-- A deleted job's key is free again.
DELETE FROM idempotency_keys WHERE uid = ?;

-- name: tallies
-- How many jobs have not ended, by everything that a limit or a queue counts.
SELECT queue, job_type, command, state, count(*) FROM jobs
WHERE status IN ('pending', 'running') GROUP BY queue, job_type, command, state;

-- name: queues
-- The states of all queues.
SELECT name, paused, consecutive_failures, ended_at, average_seconds, processed_total, failed_total FROM queues;

-- name: put_queue
-- The state of one.
INSERT OR REPLACE INTO queues
    (name, paused, consecutive_failures, ended_at, average_seconds, processed_total, failed_total)
VALUES (?, ?, ?, ?, ?, ?, ?);

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

-- name: insert_answer
-- The answer to a question of a job; there is none yet.
INSERT INTO answers (uid, key, action, document) VALUES (?, ?, ?, ?);

-- name: answer
-- What was answered to a question of a job.
SELECT action, document FROM answers WHERE uid = ? AND key = ?;

-- name: delete_answers
-- The answers to the questions of a deleted job that has some.
DELETE FROM answers WHERE uid = ?;

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
SELECT version, last_uid, rank_time, created, scheduled, queued, working, stopping, input_required, completed, failed, stopped,
    deleted
FROM counters;

-- name: write_counters
-- The counters, once per commit.
UPDATE counters SET
    version = ?, last_uid = ?, rank_time = ?, created = ?, scheduled = ?, queued = ?, working = ?, stopping = ?, input_required = ?,
    completed = ?, failed = ?, stopped = ?, deleted = ?;
