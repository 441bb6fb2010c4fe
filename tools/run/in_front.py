"""The network in front of a system that is given by its URL: the proxy that the embedded studio has of itself."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

from acceptance.datafiles import ROOT
from acceptance.environment import NETWORK, Target
from acceptance.errors import SuiteError
from tools.studio.processes import end, end_with_parent, wait_until
from tools.studio.supervisor import reserved_port

READY_SECONDS = 30
USUAL_PORTS = {"http": 80, "https": 443}


@contextmanager
def network(target: Target) -> Iterator[None]:
    """Let calls to a system pass a proxy on this machine where they are to be disturbed, as long as this lasts.

    Every process that is started meanwhile knows of it. An embedded system has its own, and needs none.

    Raises:
        SuiteError: when the proxy does not start.
    """
    if target.lease is not None or target.network_url:
        yield
        return
    parts = urlsplit(target.api_url)
    upstream = f"{parts.scheme}://{parts.hostname}:{parts.port or USUAL_PORTS[parts.scheme]}"
    with closing(reserved_port()) as held, tempfile.TemporaryFile() as log:
        port = held.getsockname()[1]
        command = [sys.executable, "-m", "tools.network.proxy", "--api-port", str(port), "--api-upstream", upstream]
        process = subprocess.Popen(  # noqa: S603 - our own module
            [*command, *(["--ca-file", target.ca_file] if target.ca_file else [])],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            preexec_fn=end_with_parent(signal.SIGKILL),
        )
        try:
            wait_until(lambda: process.poll() is not None or _answers(port), READY_SECONDS)
            if not _answers(port):
                log.seek(0)
                raise SuiteError(f"the network proxy in front of {upstream} does not start: {log.read().decode()}")
            os.environ[NETWORK] = f"http://127.0.0.1:{port}"
            yield
        finally:
            os.environ.pop(NETWORK, None)
            end(process, signal.SIGTERM)


def _answers(port: int) -> bool:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=1)) as connection:
            connection.request("GET", "/acceptance/network")
            return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
