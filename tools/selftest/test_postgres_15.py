"""Debian's PostgreSQL 15 as the server of a system that is given by its URL."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.selftest.clone import make_clone

DEBIANS = Path("/usr/lib/postgresql/15/bin")
SECONDS = 240
NAME = "fifteen"

pytestmark = pytest.mark.skipif(
    not (DEBIANS / "postgres").exists(), reason=f"there is no {DEBIANS}/postgres (apt-get install postgresql-15)"
)


@pytest.fixture(scope="module")
def studio() -> Iterator[dict[str, str]]:
    """Start the studio on that server, and yield where everything is."""
    with tempfile.TemporaryDirectory(prefix="pilates-15-") as folder:
        Path(folder).chmod(0o711)  # root's server belongs to another user, who has to get in
        home = Path(folder) / "studio"
        supervisor = Path(__file__).parents[1] / "studio" / "supervisor.py"
        command = [sys.executable, str(supervisor), "--home", str(home), "--bin", str(DEBIANS), "--grace", "60"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                with closing(leased(home, process)) as lease, lease.makefile() as told:
                    yield json.loads(told.readline())
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(30)


def leased(home: Path, process: subprocess.Popen[str]) -> socket.socket:
    until = time.monotonic() + 30
    while True:
        asking = socket.socket(socket.AF_UNIX)
        try:
            asking.connect(str(home / "control.sock"))
            return asking
        except OSError:
            asking.close()
            assert process.poll() is None, process.stdout and process.stdout.read()
            assert time.monotonic() < until, "the studio does not start"
            time.sleep(0.05)


def test_the_suite_is_green_there(studio: dict[str, str], tmp_path: Path) -> None:
    """All that is written by hand, and of each action of the table one case at least."""
    clone = make_clone(tmp_path / "clone")
    entry: dict[str, Any] = {key: studio[key] for key in ("api_url", "database_url", "jwt_secret", "calendar_url")}
    entry |= {"description": "The studio on PostgreSQL 15.", "zone": "Europe/Athens", "instruments": True}
    with (clone / "data" / "environments.yaml").open("a") as environments:
        environments.write("\n" + "".join(f"  {line}\n" for line in yaml.safe_dump({NAME: entry}).splitlines()))
    assert studio["postgres_version"].startswith("15.")
    done = subprocess.run(
        [sys.executable, "tools/pilates.py", "run", "--env", NAME, "--count", "60", "--processes", "4"],
        cwd=clone,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = json.loads((clone / "results" / "latest" / "run.json").read_bytes())["counts"]
    # What is skipped needs a process of the studio to kill, or one's own words for what others choose otherwise.
    assert counts["failed"] == 0
    assert counts["passed"] > 120
    assert counts["skipped"] < 25
