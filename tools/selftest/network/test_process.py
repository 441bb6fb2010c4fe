"""The process: what it leaves behind, and what it says when it cannot begin."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests

from acceptance.datafiles import ROOT
from acceptance.faults import Fault
from tools.selftest.network.running import PATIENCE, Case, Running, answers, start, stop
from tools.studio.processes import wait_until


def test_nothing_is_left_after_sigterm(tmp_path: Path, session: requests.Session) -> None:
    running = start(tmp_path)
    case = Case(running, session)
    case.plan({"fault": Fault.STALLED})
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(case.ask)
        assert wait_until(lambda: running.api.count(case.trace) == 1, PATIENCE)
        children = psutil.Process(running.process.pid).children(recursive=True)
        started = time.monotonic()
        said = stop(running)
        assert time.monotonic() - started < 5
        with pytest.raises(requests.ConnectionError):
            waiting.result()
    assert running.process.returncode == 0
    assert said == "", "a quiet log"
    assert not any(child.is_running() for child in children)
    assert not answers(running.url)
    assert list(tmp_path.iterdir()) == [], "nothing is written into the home folder"


def test_it_says_when_a_port_is_taken(net: Running) -> None:
    port = net.url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "tools.network.proxy", "--api-port", port, "--api-upstream", net.api.url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert "cannot listen" in done.stderr
