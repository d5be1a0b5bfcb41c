"""Start the sample server, run one real job on it, show it live, and go on serving until Ctrl-C."""

from __future__ import annotations

import argparse
import sys
import sysconfig
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from scripts.sample_client.interrupts import Interrupted, raise_on_signals
from scripts.sample_client.rpc import CallRefused, JobRecord, QueueClient, ServerUnreachable
from scripts.sample_client.server import HOST, SampleServer, ServerFailed, running_server
from scripts.sample_client.view import CodeMap, JobView, print_summary

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_PORT = 8080
SAMPLE_PACKAGE = "mcp_proxy_adapter"
LONG_POLL_SECONDS = 1
POLL_PAUSE_SECONDS = 0.1
"""Between two polls, however fast the job changes."""

NEXT_STEPS = """
The server listens at {url} (Ctrl-C ends it).
  health      {url}/health
  commands    {url}/commands
  API         {url}/docs
  documents   {root}/docs

Map a project of yours:
  curl -s {url}/api/jsonrpc -H 'Content-Type: application/json' -d \\
    '{{"jsonrpc": "2.0", "id": 1, "method": "analyze_project", "params": {{"root_dir": "{root}"}}}}'
Then ask for the job that the answer names:
  curl -s {url}/api/jsonrpc -H 'Content-Type: application/json' -d \\
    '{{"jsonrpc": "2.0", "id": 2, "method": "queue_get_job_status", "params": {{"job_id": "..."}}}}'
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the client and answer its exit code: 0, 1 for a failure, 128 and the signal's number when cut short."""
    options = _options(arguments)
    console = Console()
    raise_on_signals()
    try:
        with running_server(ROOT, options.port) as server:
            succeeded = _run(server, QueueClient(HOST, options.port), console)
            if not options.once:
                _serve(server, options.port, console)
        return 0 if server.exit_code == 0 and (succeeded or not options.once) else 1
    except Interrupted as interrupt:
        return interrupt.exit_code
    except (CallRefused, ServerFailed, ServerUnreachable) as error:
        console.print(Text(f"error: {error}", "red"), soft_wrap=True)
        return 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/run", description=__doc__)
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help="the port to serve on (default: %(default)s)")
    parser.add_argument("--once", action="store_true", help="stop the server as soon as the job has ended")
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def _run(server: SampleServer, client: QueueClient, console: Console) -> bool:
    """Run the sample job as soon as the server is up; whether it succeeded."""
    console.print("starting the server")
    server.wait_until(client.is_healthy)
    try:
        return _report(_run_sample_job(client, console), console)
    except ServerUnreachable:
        # A server that has ended has more to say than a refused connection.
        server.require_alive()
        raise


def _run_sample_job(client: QueueClient, console: Console) -> JobRecord:
    """Map the installed adapter, a package of some 80,000 lines, and follow the job to its end."""
    package = str(Path(sysconfig.get_path("purelib"), SAMPLE_PACKAGE))
    job_id = client.submit("analyze_project", {"root_dir": package})
    console.print(Text(f"job {job_id}: analyze_project {package}"), soft_wrap=True)
    with JobView(console) as view:
        return _follow(client, job_id, view)


def _follow(client: QueueClient, job_id: str, view: JobView) -> JobRecord:
    """Show the job's progress and log until it has ended; its last record."""
    record = client.job(job_id)
    cursor = _show_log(client, job_id, None, view)
    while not record.has_ended:
        view.show(record)
        time.sleep(POLL_PAUSE_SECONDS)
        record = client.job(job_id, known_version=record.version, wait_seconds=LONG_POLL_SECONDS)
        cursor = _show_log(client, job_id, cursor, view)
    view.show(record)
    return record


def _show_log(client: QueueClient, job_id: str, cursor: str | None, view: JobView) -> str:
    """Show all lines from ``cursor`` on, or from the first; the cursor behind them."""
    while True:
        page = client.log_page(job_id, cursor)
        for entry in page.entries:
            view.log(entry)
        if not page.entries:
            return page.next_cursor
        cursor = page.next_cursor


def _report(record: JobRecord, console: Console) -> bool:
    """Print what came out of the job; whether it succeeded."""
    wrapper = record.result if isinstance(record.result, dict) else {}
    envelope = wrapper.get("result") or {}
    if record.status != "completed" or not envelope.get("success"):
        reason = record.error or envelope.get("error") or "no reason given"
        console.print(Text(f"the job ended {record.status}: {reason}", "red"), soft_wrap=True)
        return False
    print_summary(console, msgspec.convert(envelope["data"], CodeMap))
    return True


def _serve(server: SampleServer, port: int, console: Console) -> None:
    """Tell what to try next, and wait for the signal to end."""
    text = NEXT_STEPS.format(url=f"http://{HOST}:{port}", root=ROOT)
    console.print(Text(text), soft_wrap=True)
    with suppress(Interrupted):
        server.wait_for_end()
    console.print("stopping the server")


if __name__ == "__main__":
    sys.exit(main())
