"""The same over ``/ws``, and of all that the adapter tells and lets say of jobs beside the queue's commands."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import Any

import aiohttp
import psutil
import pytest

from tests.acceptance.harness.callers import ALICE, BOB, ROOT
from tests.acceptance.harness.client import Client
from tests.acceptance.harness.server import Server
from tests.acceptance.harness.socket import connected
from tests.acceptance.harness.waiting import Gate

HEARS_NOTHING_SECONDS = 0.5


async def test_a_websocket_without_a_token_that_counts_is_refused(guarded: Server) -> None:
    for headers in ({}, {"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(guarded.url, headers):
                pass
        assert refused.value.status == 403


async def test_over_the_websocket_too_a_job_exists_for_its_owner_alone(
    guarded: Server, alice: Client, bob: Client, gate: Gate
) -> None:
    async with connected(guarded.url, alice.headers) as hers, connected(guarded.url, bob.headers) as his:
        job_id = await hers.run("hold", gate=str(gate))
        await asyncio.to_thread(alice.running, job_id)
        await hers.subscribe(job_id)
        for kind in ("queue_job", "command_session"):
            await his.subscribe(job_id, kind)
        await his.send(action="resume_command_events", job_id=job_id)
        assert (await his.next())["error"] == "resume_not_available"
        await his.send(action="cancel_command", job_id=job_id)
        refused = await his.next()
        assert refused["data"]["domain_code"] == "JOB_NOT_FOUND"
        pushed = {"job_id": job_id, "step": "forged", "progress_percent": 7}
        await asyncio.to_thread(bob.rpc, "job_processing_step", pushed)
        # What its owner says of it while the subscriptions of others still stand.
        said = {"job_id": job_id, "outbound_transfer_id": "secret"}
        await asyncio.to_thread(alice.rpc, "artifact_ready", said)
        gate.open()
        events = await hers.until_end(job_id) + await hers.until_end(job_id)
        assert {"job_completed", "command_completed"} <= {event["event"] for event in events}
        assert "forged" not in json.dumps(events)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(HEARS_NOTHING_SECONDS):
                await his.next()
        for command in ("stamp", " stamp "):
            await his.send(action="execute_command", command=command, params={})
            assert (await his.next())["error"]["data"]["domain_code"] == "COMMAND_FORBIDDEN"


async def test_who_leaves_another_ones_session_does_not_end_it(
    guarded: Server, alice: Client, bob: Client, gate: Gate
) -> None:
    job_id = await asyncio.to_thread(alice.submit, "hold", gate=str(gate))
    await asyncio.to_thread(alice.running, job_id)
    async with connected(guarded.url, bob.headers) as his:
        await his.subscribe(job_id, "command_session")
        # Answered in turn: the subscription has been taken.
        await his.send(action="resume_command_events", job_id=job_id)
        await his.next()
    seen = await asyncio.to_thread(alice.status, job_id)
    later = await asyncio.to_thread(
        alice.status, job_id, wait_seconds=HEARS_NOTHING_SECONDS, known_version=seen["version"]
    )
    assert (later["timed_out"], later["status"]) == (True, "running")
    gate.open()
    assert (await asyncio.to_thread(alice.ended, job_id))["status"] == "completed"


async def test_what_was_said_of_a_job_is_told_to_its_owner_alone(guarded: Server, alice: Client, bob: Client) -> None:
    async with connected(guarded.url, alice.headers) as hers, connected(guarded.url, bob.headers) as his:
        job_id = await hers.run("add_numbers", a=1, b=2)
        await hers.until_end(job_id)
        assert (await asyncio.to_thread(alice.rpc, "job_status_get", {"job_id": job_id}))["result"]["data"]
        # Whatever is tried to have it sent to a delivery of one's own.
        for method, params in (
            ("job_status_register", {"job_id": job_id}),
            ("job_input_accepted", {"job_id": job_id, "command": "c"}),
            ("job_status_register", {"job_id": job_id, "ws_id": "his own"}),
        ):
            await asyncio.to_thread(bob.rpc, method, params)
        await his.send(action="subscribe", subscription_type="ws_delivery", ws_id="his own")
        for asked in ({"job_id": job_id}, {"ws_id": "his own"}):
            said = await asyncio.to_thread(bob.rpc, "job_status_get", asked)
            assert said["result"] == {"success": True, "data": None}
        await asyncio.to_thread(alice.rpc, "job_status_register", {"job_id": job_id, "ws_id": "hers"})
        assert (await asyncio.to_thread(alice.rpc, "job_status_get", {"ws_id": "hers"}))["result"]["data"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(HEARS_NOTHING_SECONDS):
                await his.next()


async def test_a_delivery_that_was_asked_for_is_not_that_of_another_ones_job_of_the_same_id(
    guarded: Server, alice: Client, bob: Client
) -> None:
    command: dict[str, Any] = {"command": "add_numbers", "params": {"a": 1, "b": 1}}
    async with connected(guarded.url, alice.headers) as hers, connected(guarded.url, bob.headers) as his:
        await his.send(action="subscribe", subscription_type="ws_delivery", ws_id="b1")
        await asyncio.to_thread(bob.add, "daily", start=False, **command)
        await asyncio.to_thread(bob.rpc, "job_status_register", {"job_id": "daily", "ws_id": "b1"})
        await asyncio.to_thread(bob.delete, "daily")
        await asyncio.to_thread(alice.add, "daily", start=False, **command)
        await asyncio.to_thread(bob.rpc, "job_status_register", {"job_id": "daily"})
        await hers.subscribe("daily")
        await asyncio.to_thread(alice.data, "queue_start_job", job_id="daily")
        assert (await hers.until_end("daily"))[-1]["event"] == "job_completed"
        said = await asyncio.to_thread(bob.rpc, "job_status_get", {"ws_id": "b1"})
        assert said["result"]["data"] is None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(HEARS_NOTHING_SECONDS):
                await his.next()


async def test_who_subscribes_to_another_ones_job_costs_nothing(guarded: Server, alice: Client, bob: Client) -> None:
    job_id = await asyncio.to_thread(alice.submit, "add_numbers", a=1, b=2)
    await asyncio.to_thread(alice.ended, job_id)
    process = psutil.Process(guarded.pid)
    async with connected(guarded.url, bob.headers) as his:
        for kind in ("queue_job", "command_session"):
            await his.subscribe(job_id, kind)
        await his.send(action="resume_command_events", job_id=job_id)
        await his.next()
        before = process.cpu_times()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(HEARS_NOTHING_SECONDS):
                await his.next()
        after = process.cpu_times()
    assert after.user + after.system - before.user - before.system < HEARS_NOTHING_SECONDS / 2


async def test_no_token_is_kept_with_a_job_or_logged_with_it(guarded: Server, alice: Client) -> None:
    logs = [guarded.config.parent / "log" / name for name in ("server.log", "access.log", "error.log")]
    begins = {log: log.stat().st_size if log.exists() else 0 for log in logs}
    async with connected(guarded.url, alice.headers) as hers:
        job_id = await hers.run("add_numbers", a=1, b=2)
        await hers.until_end(job_id)
    folder = guarded.config.parent
    with sqlite3.connect(f"file:{folder / 'queue.db'}?mode=ro", uri=True) as store:
        rows = store.execute("SELECT * FROM params").fetchall() + store.execute("SELECT * FROM jobs").fetchall()
    assert rows
    written = "".join(str(row) for row in rows)
    # The adapter itself logs its whole configuration when it starts; what comes behind is what calls leave.
    written += "".join(log.read_bytes()[begin:].decode() for log, begin in begins.items() if log.exists())
    assert job_id in written
    for token in (ALICE, BOB, ROOT):
        assert token not in written
