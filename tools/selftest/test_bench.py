"""The benchmark: it measures all four drivers, each of them checks what it drives, and delays are real."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from acceptance.datafiles import ROOT
from tools import generator
from tools.bench import far, job
from tools.selftest.clone import make_clone

CASES = 6
SECONDS = 240
DELAY = 0.1
WORDS = b"what is said " * 10_000
# Drives cases as the benchmark does, on a studio with one defect.
ON_A_BROKEN_STUDIO = """
import sys
from pathlib import Path
from acceptance import environment
from tools.bench import drive
connect = environment.connect
environment.connect = lambda entry, _: connect(entry, [Path(sys.argv[1])])
print(*drive.run(drive.table(Path(sys.argv[2])), 2, Path(sys.argv[3]), direct=False), sep="\\n")
"""


def test_bench_measures_each_driver(tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "clone")
    command = [sys.executable, "tools/pilates.py", "bench", "--count", str(CASES), "--workers", "2", "--rounds", "1"]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    records = json.loads((clone / "results" / "bench.json").read_text())
    assert [record["driver"] for record in records] == list(job.DRIVERS)
    for record in records:
        assert (record["cases"], record["workers"], record["rounds"]) == (CASES, 2, 1)
        assert min(record[name] for name in ("seconds", "per_second", "memory_mb", "largest_mb")) > 0
        assert record["cpu_ms"]["driver"] > 0
        assert record["cpu_ms"]["PostgreSQL"] > 0
        assert f" {record['driver']} " in done.stdout
    by = {record["driver"]: record for record in records}
    assert by["d"]["cpu_ms"]["gateway"] < by["b"]["cpu_ms"]["gateway"]  # the direct calls pass it by
    assert by["a"]["memory_mb"] > by["b"]["memory_mb"]  # processes of Robot Framework against threads


def test_bare_threads_check_what_they_drive(tmp_path: Path) -> None:
    table = tmp_path / "cases.json"
    made = generator.generate(count=CASES, seed=job.SEED, env="embedded", category="functional", full=False)
    generator.write_table(made, table)
    mutant = ROOT / "tools" / "mutants" / "book-without-booking.sql"
    command = [sys.executable, "-c", ON_A_BROKEN_STUDIO, str(mutant), str(table), str(tmp_path)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'libraries'}"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "P0" in done.stdout


@pytest.fixture
def echo(tmp_path: Path) -> str:
    """A server on a unix socket that sends back what it has read once it has read all of it."""
    path = str(tmp_path / "echo")
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()

    def serve() -> None:
        with server, server.accept()[0] as there:
            told = b""
            while len(told) < len(WORDS):
                told += there.recv(far.CHUNK)
            there.sendall(told)

    threading.Thread(target=serve, daemon=True).start()
    return path


def test_relay_delays_and_changes_nothing(echo: str) -> None:
    with far.Relay(echo, DELAY) as relay, socket.create_connection(("127.0.0.1", relay.port)) as here:
        began = time.monotonic()
        here.sendall(WORDS)
        told = b""
        while part := here.recv(far.CHUNK):
            told += part
        assert time.monotonic() - began >= DELAY
    assert told == WORDS
