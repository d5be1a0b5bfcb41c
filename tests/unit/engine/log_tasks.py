"""Jobs that write, for the tests of logs. Each takes one JSON value."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

TICK_SECONDS = 0.005


def speak(orders: str) -> None:
    """Write what the lines of a file say as they come, each a JSON list of a stream and a text, until one says end."""
    done = 0
    while True:
        lines = Path(orders).read_text().splitlines()
        for line in lines[done:]:
            stream, text = json.loads(line)
            if stream == "end":
                return
            getattr(sys, stream).write(text)
            getattr(sys, stream).flush()
        done = len(lines)
        time.sleep(TICK_SECONDS)


def count(lines: int) -> None:
    for number in range(lines):
        print(f"line {number}")


def write_bytes(text: str) -> None:
    """Write a text of Latin-1 characters to standard output as the bytes they stand for."""
    os.write(1, text.encode("latin-1"))


def long_line(size_bytes: int) -> None:
    sys.stdout.write("x" * size_bytes)
    print("END")
    print("last line")


def leave_writer(_: None) -> None:
    """Leave a process behind that goes on writing."""
    subprocess.Popen(["/bin/sh", "-c", "while :; do echo noise; done"])
    print("the job's own line")


def write_when(gate: str) -> None:
    """Write 20 MB as soon as a file is there."""
    while not Path(gate).exists():
        time.sleep(TICK_SECONDS)
    for _ in range(20_000):
        print("x" * 999)


def say(text: str) -> None:
    print(text)


def die_speaking(_: None) -> None:
    for number in range(100):
        print(f"word {number}", file=sys.stderr)
    os.write(2, b"half a wo")
    os._exit(3)
