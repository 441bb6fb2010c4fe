"""Other people's systems over the network: what they say that our own studio never says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
import requests

from acceptance import client, environment
from acceptance.client import Caller, Outcome, Request
from acceptance.datafiles import devices
from acceptance.network import Network

TARGET = "embedded"


class Limiter(BaseHTTPRequestHandler):
    """A front that lets only so many requests through: 429 and how long to wait, until ``left`` is used up."""

    left = 0
    header = "2"
    seen: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).seen.append(self.headers["Idempotency-Key"])
        limited = type(self).left > 0
        type(self).left -= limited
        body = json.dumps({"message": "too many requests"} if limited else {"booking_id": "b"}).encode()
        self.send_response(429 if limited else 200)
        if limited:
            self.send_header("Retry-After", type(self).header)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[environment.Target, list[float]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Limiter)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    waited: list[float] = []
    monkeypatch.setattr(client, "pause", waited.append)
    monkeypatch.setattr(Limiter, "seen", [])
    secret = "only-a-test-and-thirty-two-bytes-long"  # noqa: S105 - nobody's secret
    yield environment.Target(environment.load(TARGET), f"http://127.0.0.1:{server.server_port}", "", secret), waited
    server.shutdown()
    server.server_close()
    thread.join()


def ask(target: environment.Target) -> client.Reply:
    caller = Caller("member", "user", None, devices()["web-chrome"], "UTC")
    request = Request("POST", "/rpc/book_pilates_class", caller, body={}, key="one key")
    with requests.Session() as session:
        session.trust_env = False
        network = Network("", "trace", 1)
        return client.call(session, target, request, trace_id="t", test_id="T", network=network)


@pytest.mark.parametrize(("header", "seconds"), [("2", 2.0), ("0", 0.0), ("3600", client.LONGEST_WAIT), ("soon", 1.0)])
def test_a_rate_limit_is_waited_for_as_told(
    limited: tuple[environment.Target, list[float]], monkeypatch: pytest.MonkeyPatch, header: str, seconds: float
) -> None:
    target, waited = limited
    monkeypatch.setattr(Limiter, "left", 2)
    monkeypatch.setattr(Limiter, "header", header)
    reply = ask(target)
    assert (reply.outcome, reply.attempts) == (Outcome.ACCEPTED, ["429", "429", "200"])
    assert waited == [seconds, seconds]
    assert Limiter.seen == ["one key"] * 3, "the same request, and nothing was done before"


def test_a_limit_that_does_not_end_is_no_refusal_of_the_studio(
    limited: tuple[environment.Target, list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    target, waited = limited
    monkeypatch.setattr(Limiter, "left", 100)
    reply = ask(target)
    assert (reply.outcome, reply.status, reply.reason) == (Outcome.UNKNOWN, 429, None)
    assert len(waited) == client.MOST_WAITS
