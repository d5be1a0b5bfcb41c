"""A JSON-RPC client that knows the queue's commands as a user's script would."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

ENDED = frozenset({"completed", "failed", "stopped", "deleted"})
JOB_SECONDS = 20.0
LONG_POLL_SECONDS = 2

Record = dict[str, Any]


def json_rpc_call(method: str, params: Any, number: object = 1) -> dict[str, Any]:
    """The body of one call."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


class Client:
    """Calls commands of one server over one connection."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url = url
        self.headers = {} if token is None else {"X-API-Key": token}
        self._http = httpx.Client(base_url=url, timeout=60, headers=self.headers)

    def close(self) -> None:
        self._http.close()

    def post(self, path: str, body: bytes | str, **headers: str) -> httpx.Response:
        """What a body is answered with, whatever it is."""
        return self._http.post(path, content=body, headers={"Content-Type": "application/json", **headers})

    def rpc(self, method: str, params: Any) -> dict[str, Any]:
        """The whole JSON-RPC reply."""
        reply: dict[str, Any] = self._http.post("/api/jsonrpc", json=json_rpc_call(method, params)).json()
        return reply

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """What a call answers that must succeed."""
        reply = self.rpc(method, params)
        assert "error" not in reply, reply["error"]
        result: dict[str, Any] = reply["result"]
        assert result["success"], result
        return result

    def data(self, method: str, **params: Any) -> Record:
        """The data of a queue command that must succeed."""
        data: Record = self.call(method, **params)["data"]
        return data

    def refusal(self, method: str, **params: Any) -> dict[str, Any]:
        """The error of a call that must be refused, wherever the adapter puts it."""
        reply = self.rpc(method, params)
        error = reply.get("error") or reply["result"].get("error")
        assert error, f"not refused: {reply}"
        refused: dict[str, Any] = error
        return refused

    def get(self, path: str) -> dict[str, Any]:
        document: dict[str, Any] = self._http.get(path).json()
        return document

    def is_healthy(self) -> bool:
        try:
            return self._http.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def submit(self, command: str, **params: Any) -> str:
        """Run a ``use_queue`` command; its job's id."""
        return str(self.call(command, **params)["job_id"])

    def add(self, job_id: str, job_type: str = "command_execution", *, start: bool = True, **params: Any) -> Record:
        return self.data("queue_add_job", job_type=job_type, job_id=job_id, params=params, start=start)

    def status(self, job_id: str, **params: Any) -> Record:
        return self.data("queue_get_job_status", job_id=job_id, **params)

    def wait(self, job_id: str, condition: Callable[[Record], object], seconds: float = JOB_SECONDS) -> Record:
        """Long-poll a job until its record meets ``condition``; the record."""
        deadline = time.monotonic() + seconds
        record = self.status(job_id)
        while not condition(record):
            assert record["status"] not in ENDED, f"ended otherwise: {record}"
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {record}"
            record = self.status(job_id, wait_seconds=LONG_POLL_SECONDS, known_version=record["version"])
        return record

    def running(self, job_id: str, description: str = "running") -> Record:
        """The record of a job as soon as its own code has said ``description``."""
        return self.wait(job_id, lambda record: (record["status"], record["description"]) == ("running", description))

    def ended(self, job_id: str) -> Record:
        """The record of a job that has ended."""
        return self.wait(job_id, lambda record: record["status"] in ENDED)

    def completed(self, job_id: str) -> Any:
        """The data of a command's job that must complete without an error."""
        record = self.ended(job_id)
        assert record["status"] == "completed", record
        assert not record["completed_with_error"], record
        return record["result"]["result"].get("data")

    def stop(self, job_id: str, **params: Any) -> Record:
        return self.data("queue_stop_job", job_id=job_id, **params)

    def delete(self, job_id: str, **params: Any) -> Record:
        return self.data("queue_delete_job", job_id=job_id, **params)

    def logs(self, job_id: str, **params: Any) -> Record:
        return self.data("queue_get_job_logs", job_id=job_id, **params)

    def health(self) -> Record:
        return self.data("queue_health")

    def job_ids(self) -> set[str]:
        """The ids of all jobs that are not deleted."""
        return {row["job_id"] for row in self.data("queue_list_jobs", limit=1000)["jobs"]}

    def delete_unfinished_jobs(self) -> None:
        """Delete what waits or runs, but for what the server's own process runs: that cannot be ended by force."""
        for status in ("pending", "running"):
            for row in self.data("queue_list_jobs", status_filter=status, limit=1000)["jobs"]:
                if row["job_type"] != "in_process_command":
                    self.delete(row["job_id"], grace_seconds=0)
