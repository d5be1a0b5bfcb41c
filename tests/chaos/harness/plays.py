"""What is played on a server that dies at a crash point, and what must hold afterwards."""

from __future__ import annotations

from mcp_queue_plugin.crash_points import CrashPoint
from tests.acceptance.harness.waiting import until
from tests.chaos.harness.scene import Scene

LONG_SECONDS = 100.0
MEDIUM_SECONDS = 1.0
SHORT_SECONDS = 0.3
ANSWER = {"job_id": "job", "key": "first", "value": "yes"}


def submission_is_lost(scene: Scene) -> None:
    scene.lose("queue_add_job", **scene.submission("job"))
    scene.recover()
    assert scene.is_gone("job")
    scene.add("job")
    assert scene.ended("job") == ("completed", 1)
    assert scene.runs("job") == [1]


def submission_holds(scene: Scene) -> None:
    scene.lose("queue_add_job", **scene.submission("job"))
    scene.recover()
    assert scene.ended("job") == ("completed", 1)
    assert (
        scene.server.refusal("queue_add_job", **scene.submission("job"))["data"]["domain_code"] == "JOB_ALREADY_EXISTS"
    )
    assert scene.result_is_of_its_attempt("job")


def start_is_lost(scene: Scene) -> None:
    scene.add("job", start=False)
    scene.lose("queue_start_job", job_id="job")
    scene.recover()
    assert scene.status("job")["phase"] == "created"
    scene.server.data("queue_start_job", job_id="job")
    assert scene.ended("job") == ("completed", 1)


def start_holds(scene: Scene) -> None:
    scene.add("job", start=False)
    scene.lose("queue_start_job", job_id="job")
    scene.recover()
    assert scene.ended("job") == ("completed", 1)


def runs_again(scene: Scene, *, ended_in: int, begun_in: list[list[int]], command: str = "sign") -> None:
    scene.add("job", command, seconds=SHORT_SECONDS)
    scene.recover()
    assert scene.ended("job") == ("completed", ended_in)
    assert scene.runs("job") in begun_in
    assert scene.result_is_of_its_attempt("job")


def command_goes_on(scene: Scene) -> None:
    gate = scene.folder / "gate"
    job_id = scene.hand_over(gate)
    scene.recover()
    assert scene.status(job_id)["status"] == "running"
    gate.touch()
    assert scene.ended(job_id) == ("completed", 1)
    assert scene.status(job_id)["result"]["result"]["data"] == {"pid": scene.server.pid}


def is_interrupted(scene: Scene) -> None:
    scene.add("job", "sign_once")
    scene.recover()
    assert scene.ended("job") == ("failed", 1)
    assert scene.status("job")["error_info"]["type"] == "Interrupted"
    assert scene.runs("job") == []


def question_is_asked_again(scene: Scene, *, begun_in: list[list[int]]) -> None:
    scene.add("job", "sign_and_ask")
    scene.recover()
    scene.wait_for_question("job")
    assert scene.server.data("queue_answer_job", **ANSWER)["questions"] == []
    assert scene.ended("job") == ("completed", scene.runs("job")[-1])
    assert scene.runs("job") in begun_in


def answer_is_lost(scene: Scene) -> None:
    scene.add("job", "sign_and_ask")
    scene.wait_for_question("job")
    scene.lose("queue_answer_job", **ANSWER)
    scene.recover()
    scene.wait_for_question("job")
    scene.server.data("queue_answer_job", **{**ANSWER, "value": "another"})
    assert scene.ended("job") == ("completed", 2)
    assert scene.answer_of("job") == "another"


def answer_holds(scene: Scene) -> None:
    scene.add("job", "sign_and_ask")
    scene.wait_for_question("job")
    scene.lose("queue_answer_job", **ANSWER)
    scene.recover()
    assert scene.ended("job") == ("completed", 2)
    assert scene.answer_of("job") == ANSWER["value"]
    assert scene.runs("job") == [1, 2]


def stop_is_lost(scene: Scene) -> None:
    scene.add("job", seconds=LONG_SECONDS)
    scene.server.running("job")
    scene.lose("queue_stop_job", job_id="job", grace_seconds=0)
    scene.recover()
    scene.server.running("job")
    assert scene.server.stop("job", grace_seconds=0)["status"] == "stopped"
    assert scene.runs("job") == [1, 2]


def stop_holds(scene: Scene) -> None:
    scene.add("job", seconds=LONG_SECONDS)
    scene.server.running("job")
    scene.lose("queue_stop_job", job_id="job", grace_seconds=0)
    scene.recover()
    assert scene.ended("job") == ("stopped", 1)
    scene.add("next")
    assert scene.ended("next") == ("completed", 1)
    assert scene.runs("job") == [1]


def deletion_is_lost(scene: Scene) -> None:
    scene.add("job", seconds=LONG_SECONDS)
    scene.server.running("job")
    scene.lose("queue_delete_job", job_id="job", grace_seconds=0)
    scene.recover()
    scene.server.running("job")
    assert scene.server.delete("job", grace_seconds=0)["status"] == "deleted"


def deletion_holds(scene: Scene) -> None:
    scene.add("job", seconds=LONG_SECONDS)
    scene.server.running("job")
    scene.lose("queue_delete_job", job_id="job", grace_seconds=0)
    scene.recover()
    scene.server.wait("job", lambda record: record["status"] == "deleted")
    scene.add("job")
    assert scene.ended("job") == ("completed", 1)
    assert scene.runs("job") == [1, 1]


def retry_is_lost(scene: Scene) -> None:
    scene.add("job", failures=1)
    assert scene.ended("job") == ("failed", 1)
    scene.lose("queue_retry_job", job_id="job")
    scene.recover()
    assert scene.ended("job") == ("failed", 1)
    scene.server.data("queue_retry_job", job_id="job")
    scene.server.wait("job", lambda record: record["status"] == "completed")
    assert scene.runs("job") == [1, 2]


def retry_holds(scene: Scene) -> None:
    scene.add("job", failures=1)
    assert scene.ended("job") == ("failed", 1)
    scene.lose("queue_retry_job", job_id="job")
    scene.recover()
    assert scene.ended("job") == ("completed", 2)
    assert scene.runs("job") == [1, 2]


def becomes_due(scene: Scene) -> None:
    scene.add("job", delay_seconds=SHORT_SECONDS)
    scene.recover()
    assert scene.ended("job") == ("completed", 1)
    assert scene.runs("job") == [1]


def is_removed(scene: Scene) -> None:
    scene.add("job")
    scene.recover()
    until(lambda: scene.is_gone("job"), "the job is removed")
    assert scene.runs("job") == [1]


def recovery_is_repeated(scene: Scene, point: CrashPoint) -> None:
    scene.add("job", seconds=MEDIUM_SECONDS)
    scene.server.running("job")
    scene.arm(point)
    scene.kill()
    scene.open_in_vain()
    scene.open()
    assert scene.ended("job") == ("completed", 2)
    assert scene.runs("job") == [1, 2]


def stop_is_answered_by_nobody(scene: Scene) -> None:
    scene.add("job", start=False)
    scene.lose("queue_stop_job", job_id="job")
    scene.recover()
    assert scene.ended("job") == ("stopped", 0)
