"""What hostile jobs do, and what becomes of them: the one table that the tests read.

Whatever its row says, after each job the server is healthy, a job that ran beside it has its right result in its first
attempt, the next job of the same queue completes in a clean worker, no process of the hostile one is left after two
seconds, and each job has its own log and nothing of another's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from tests.chaos import misdeeds
from tests.unit.workers import jobs, mischief

MAX_CRASHES = 2
"""How many workers a job may take with it."""

TIMEOUT_SECONDS = 1.0
"""That of the jobs that end by a time-out."""

RUNS_IN = "runs in process "
"""How each of them begins its description and, behind its id and its attempt, its log."""

Code = Callable[[Any], Any]
Worker = Literal["stays", "is replaced"]


class Row(NamedTuple):
    """What a job does, and the end that is expected of it."""

    code: Code
    value: Any
    status: str
    worker: Worker
    """Whether the next job runs in the same worker or in another one."""
    returns: Any = None
    """The result of a job that completes."""
    error: str | None = None
    """The type of the error."""
    says: str = ""
    """What is found in the error's message."""
    log: str = ""
    """What is found in the job's log."""
    attempts: int = 1


def completes(code: Code, value: Any = None, *, worker: Worker = "stays", returns: Any = None, log: str = "") -> Row:
    """It does harm to nobody but, at most, its worker."""
    return Row(code, value, "completed", worker, returns=returns, log=log)


def fails(code: Code, value: Any, error: str, says: str, *, log: str | None = None) -> Row:
    """It fails by name at once, and its traceback is in its log; the worker goes on."""
    return Row(code, value, "failed", "stays", error=error, says=says, log=error if log is None else log)


def crashes(code: Code, value: Any, says: str, *, log: str = "") -> Row:
    """It takes its worker with it, again and again until that is enough."""
    return Row(code, value, "failed", "is replaced", error="WorkerCrashed", says=says, log=log, attempts=MAX_CRASHES)


def is_stopped(code: Code, value: Any = None, *, log: str = "") -> Row:
    """It would run for ever, deaf to all requests; a stop ends it by force."""
    return Row(code, value, "stopped", "is replaced", log=log)


def times_out(code: Code, value: Any = None) -> Row:
    """It would run for ever, deaf to all requests; its time-out ends it by force."""
    says = f"the attempt ran longer than its timeout_seconds of {TIMEOUT_SECONDS:g}"
    return Row(code, value, "failed", "is replaced", error="JobTimeout", says=says, log="timeout_seconds of")


HOSTILE: dict[str, Row] = {
    # It ends its process, or its ties to it.
    "calls os._exit(0)": crashes(mischief.leave_process, 0, "exited with code 0", log="last words"),
    "calls os._exit(3)": crashes(mischief.leave_process, 3, "exited with code 3", log="last words"),
    "kills itself": crashes(misdeeds.say_last_words_and_die, None, "was killed by SIGKILL", log="last words"),
    "kills its process group": crashes(misdeeds.kill_own_group, None, "was killed by SIGKILL"),
    "reads memory that is not there": crashes(misdeeds.access_nothing, None, "was killed by SIGSEGV"),
    "becomes another program": crashes(mischief.become_another_program, None, "closed its control socket"),
    # It ends by itself, or is ended because nobody can talk to it: whichever is first.
    "closes all descriptors": crashes(mischief.close_all_descriptors, None, "the worker (pid"),
    # It raises what ends a program.
    "calls sys.exit()": fails(misdeeds.exit_with, None, "SystemExit", "called sys.exit(None)"),
    "calls sys.exit(1)": fails(misdeeds.exit_with, 1, "SystemExit", "called sys.exit(1)"),
    "calls sys.exit('text')": fails(misdeeds.exit_with, "text", "SystemExit", "called sys.exit('text')"),
    "raises KeyboardInterrupt": fails(misdeeds.raise_it, "KeyboardInterrupt", "KeyboardInterrupt", "KeyboardInterrupt"),
    "raises GeneratorExit": fails(misdeeds.raise_it, "GeneratorExit", "GeneratorExit", "GeneratorExit"),
    "raises CancelledError": fails(misdeeds.raise_it, "CancelledError", "CancelledError", "CancelledError"),
    "raises what cannot be shown": fails(misdeeds.raise_it, "Unspeakable", "Unspeakable", "Unspeakable"),
    "raises at great length": fails(jobs.fail_at_length, None, "ValueError", "\0" * 1000),
    "recurses without end": fails(misdeeds.recurse, 0, "RecursionError", "maximum recursion depth exceeded"),
    "asks for input": fails(misdeeds.read_input, None, "EOFError", "EOF when reading a line"),
    "stops the event loop": fails(mischief.close_loop, None, "RuntimeError", "Event loop stopped"),
    # It returns what JSON cannot say.
    "returns NaN": fails(misdeeds.return_odd, "NaN", "NotJson", "nan is not a JSON number"),
    "returns a set": fails(misdeeds.return_odd, "set", "NotJson", "a value of type set"),
    "returns bytes": fails(misdeeds.return_odd, "bytes", "NotJson", "a value of type bytes"),
    "returns a deep nesting": fails(misdeeds.return_odd, "deep", "NotJson", "nested deeper than 500 levels"),
    # It takes more than its share, or leaves nothing for the others.
    "takes all memory": fails(misdeeds.allocate, None, "MemoryError", "MemoryError"),
    "forbids itself all files": completes(mischief.forbid_files),
    "forbids itself all files for good": completes(mischief.forbid_files_for_good, worker="is replaced"),
    "prints 100,000 lines": completes(misdeeds.print_lines, 100_000, log="line 99999"),
    "prints one line of 12 MiB": completes(misdeeds.print_giant_line, 12, log="x" * 1000),
    "prints what is no text": completes(misdeeds.print_bytes, log="ABC"),
    "prints for ever": is_stopped(misdeeds.print_for_ever, log="line 500"),
    # It changes what it shares with the jobs after it.
    "changes directory, environment, umask, signals and streams": completes(mischief.change_everything),
    "deletes the directory it is in": completes(misdeeds.delete_own_directory),
    "closes its pipes": completes(misdeeds.close_own_pipes),
    "closes standard input": completes(mischief.close_stdin),
    "closes what its worker keeps": completes(mischief.close_kept_descriptors, worker="is replaced"),
    "puts streams of its own in place": completes(mischief.replace_streams),
    # It makes processes.
    "forks, and the child returns": completes(mischief.fork_and_return, returns="child ended with 0"),
    "forks, and the child exits": completes(mischief.fork_and_exit, 3, returns="child ended with 3"),
    "forks, and the child fails": completes(mischief.fork_and_fail, returns="child ended with 1"),
    "forks, and the child runs on": completes(misdeeds.leave_forked_child, worker="is replaced"),
    "uses a process by fork": completes(misdeeds.use_process, "fork", returns=0),
    "uses a process by spawn": completes(misdeeds.use_process, "spawn", worker="is replaced", returns=0),
    "uses a pool of processes by fork": completes(misdeeds.use_multiprocessing, "fork", returns=[1, 4, 9]),
    "uses a pool of processes by spawn": completes(
        misdeeds.use_multiprocessing, "spawn", worker="is replaced", returns=[1, 4, 9]
    ),
    "uses ProcessPoolExecutor by fork": completes(misdeeds.use_process_pool, "fork", returns=[1, 4, 9]),
    "uses ProcessPoolExecutor by spawn": completes(
        misdeeds.use_process_pool, "spawn", worker="is replaced", returns=[1, 4, 9]
    ),
    # It leaves something behind.
    "leaves a child": completes(misdeeds.leave_child, worker="is replaced"),
    "leaves a daemon in a session of its own": completes(misdeeds.leave_daemon, worker="is replaced"),
    "leaves a daemon without a mark": completes(misdeeds.leave_unmarked_daemon, worker="is replaced"),
    "leaves a daemon and dies": crashes(misdeeds.leave_daemon_and_die, None, "was killed by SIGKILL"),
    "leaves a thread": completes(mischief.leave_thread, worker="is replaced"),
    "leaves a daemon thread that talks": completes(mischief.leave_talking_thread, worker="is replaced"),
    "leaves a task": completes(mischief.leave_task, log="stray task cleaned up"),
    "leaves a task that does not let go": completes(mischief.leave_stubborn_task, worker="is replaced"),
    # It does not let go.
    "ignores SIGTERM, and is stopped": is_stopped(mischief.ignore_everything),
    "ignores SIGTERM, and its time is over": times_out(mischief.ignore_everything),
    "is stuck in C, and is stopped": is_stopped(mischief.stuck_in_c),
    "freezes, and is stopped": is_stopped(misdeeds.freeze),
    "freezes, and its time is over": times_out(misdeeds.freeze),
    # It speaks for its worker.
    "writes rubbish into the control socket": crashes(mischief.write_rubbish, None, "a frame announces"),
    "announces a frame of 1 GiB": crashes(
        misdeeds.announce_a_gibibyte, None, "a frame announces 1073741824 bytes of payload; 268435456 are allowed"
    ),
    "sends half a frame and dies": crashes(misdeeds.tear_frame, 9, "exited with code 9"),
    # It cannot be told from one that takes its time: what it returns is taken for the rest of the frame.
    "sends half a frame and returns": times_out(misdeeds.tear_frame),
    "sends results of other attempts": completes(misdeeds.forge_results, returns="not forged"),
}
