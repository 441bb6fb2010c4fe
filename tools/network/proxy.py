"""The network as a process: a reverse proxy that loses, doubles, delays and breaks what a case has planned.

It stands between the client and the API and, as a second leg, between the calendar worker and the calendar.
mitmproxy in reverse mode does the HTTP; this file does the faults, and ``plans.py`` holds what is planned, in memory.

    python -m tools.network.proxy --api-port 8001 --api-upstream http://127.0.0.1:3000
        [--calendar-port 8002 --calendar-upstream http://127.0.0.1:5232]

A case is known by ``X-Trace-Id``. ``GET /acceptance/network`` on the API's port says where plans are taken:
``{"control": "http://127.0.0.1:..."}``, a small server beside mitmproxy, which would take ten times as long. There:

    PUT    /<trace>   a JSON list of planned faults; replaces the list, and what was planned at the same place before
                      keeps what it has fired, so a plan grows by sending it again
    GET    /<trace>   the ledger: each planned fault with ``fired`` and ``at``, and all events
    DELETE /<trace>   forgets it

What is simulated, literally:

- *slow*: the request is held for half of the time before the server gets it, the answer for the other half after it
  was given; each half by up to half of the jitter more or less, drawn from seed, key and attempt.
- *packets lost*: one packet, drawn to be the request's or the answer's, is lost k times in a row (each further time
  with probability 1/4); each loss costs one retransmission time-out, 200 ms and doubling (RFC 6298 with the
  minimum of Linux); the third loss in a row closes the connection after 600 ms. No packet is really dropped.
- *stalled*: the server gets the request and may act; no byte comes back until the caller closes the connection.
- *delivered twice*: the caller gets the second answer, since a server that acts twice shows it there: it refuses what
  it has just done, or names another booking.
- *closed* is an orderly end of the TCP connection (FIN), without an answer.

Faults are done in this order when several are planned for one request: slow, then the first other one.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import random
import signal
import socket
import ssl
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

if __name__ == "__main__":
    ROOT = Path(__file__).resolve().parents[2]
    sys.path[:0] = [str(ROOT), str(ROOT / "libraries")]

import certifi
import orjson
import uvicorn
from mitmproxy import ctx, http, master, options
from mitmproxy.addons import next_layer, proxyserver, tlsconfig
from mitmproxy.net.http import http1
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from acceptance.faults import Fault
from tools.network.plans import LEGS, PlanError, Planned, Trace

CONTROL = "/acceptance/network"
KEEP_ALIVE_SECONDS = 3600  # a connection that is just being closed for idleness must not be sent on
MOST_TRACES = 10_000  # the oldest is forgotten first
MOST_PLANNED = 10_000  # faults of one trace
MOST_EVENTS = 100_000  # of one trace; a load case makes some thousands
RETRANSMISSION_SECONDS = 0.2
LOSES_AGAIN = 0.25  # probability that a packet is lost once more
LOSSES_TO_DIE = 3
POLL_SECONDS = 0.01
STALL_SECONDS = 600  # nobody waits longer; mitmproxy closes idle connections then as well
DUPLICATE_SECONDS = 60


@dataclass
class Way:
    """What is chosen for one request on its way."""

    trace: Trace
    faults: list[Planned]
    chance: random.Random
    about: dict[str, Any]
    back: list[tuple[Planned, Fault, float]] = field(default_factory=list)

    def fired(self, one: Planned, what: str) -> None:
        """Note that a fault took place; ``what`` is the word for what the caller met."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        one.at.append(now)
        if len(self.trace.events) < MOST_EVENTS:
            self.trace.events.append({"at": now, "fault": one.fault, "what": what, **self.about})


class Network:
    """The addon: does to requests what is planned for their trace.

    Args:
        legs: port that we listen on, to the name of the leg.
        control: where plans are taken.
    """

    def __init__(self, legs: dict[int, str], control: str = ""):
        self.legs, self.where = legs, control
        self.traces: OrderedDict[str, Trace] = OrderedDict()
        self.ways: dict[str, Way] = {}  # by flow; only of requests with something planned

    async def request(self, flow: http.HTTPFlow) -> None:
        """Meet a request before the server does."""
        leg = self.legs[flow.client_conn.sockname[1]]
        if leg == "api" and flow.request.path == CONTROL:
            flow.response = answer(200, {"control": self.where})
            return
        trace = self.traces.get(flow.request.headers.get("X-Trace-Id", ""))
        faults = trace.take(leg, flow.request.headers) if trace is not None else []
        if trace is None or not faults:
            return
        headers = flow.request.headers
        about = {"leg": leg, "actor": headers.get("X-Actor"), "key": headers.get("Idempotency-Key")}
        about["attempt"] = headers.get("X-Attempt")
        key = about["key"] if faults[0].key is None else ""  # who plans for one key gives each a seed of its own
        lot = f"{faults[0].seed}/{key}/{about['attempt']}"
        way = Way(trace, faults, random.Random(lot), about)  # noqa: S311 - reproducible on purpose
        self.ways[flow.id] = way
        for one in faults:
            await self.there(flow, way, one)
            if flow.error is not None or flow.response is not None:
                self.ways.pop(flow.id, None)
                return

    async def there(self, flow: http.HTTPFlow, way: Way, one: Planned) -> None:
        """Do what a fault does to the request."""
        fault = one.fault
        if fault is Fault.SLOW:
            halves = [max(0.0, one.milliseconds + way.chance.uniform(-one.jitter, one.jitter)) / 2000 for _ in "12"]
            way.back.append((one, fault, halves[1]))
            await asyncio.sleep(halves[0])
        elif fault is Fault.PACKETS_LOST:
            losses, of_answer = draw_losses(way.chance)
            dies = losses == LOSSES_TO_DIE
            seconds = RETRANSMISSION_SECONDS * (2 ** (losses - dies) - 1)
            if of_answer:
                way.back.append((one, Fault.ANSWER_LOST if dies else fault, seconds))
                return
            await asyncio.sleep(seconds)
            way.fired(one, Fault.REQUEST_LOST if dies else fault)
            if dies:
                flow.kill()
        elif fault is Fault.REQUEST_LOST:
            way.fired(one, fault)
            flow.kill()
        elif fault.endswith("before the server"):
            way.fired(one, fault)
            flow.response = injected(fault)
        elif fault is Fault.TWICE:
            if await deliver(flow):
                way.fired(one, fault)
        else:
            if fault is Fault.STALLED:
                way.fired(one, fault)
            way.back.append((one, fault, 0.0))

    async def response(self, flow: http.HTTPFlow) -> None:
        """Meet an answer before the caller does; the whole of it has arrived here."""
        way = self.ways.pop(flow.id, None)
        if way is None:
            return
        for one, fault, seconds in way.back:
            await asyncio.sleep(seconds)
            if fault is Fault.STALLED:
                await self.stall(flow)
                return
            way.fired(one, fault)
            if fault is Fault.ANSWER_LOST:
                flow.kill()
            elif fault is Fault.TRUNCATED:
                await send_half(flow)
                flow.kill()
            elif fault.endswith("after the server acted"):
                flow.response = injected(fault)

    def error(self, flow: http.HTTPFlow) -> None:
        """Forget a request that got no answer; what should have happened to the answer has not fired."""
        self.ways.pop(flow.id, None)

    @staticmethod
    async def stall(flow: http.HTTPFlow) -> None:
        """Keep silent until the caller has closed the connection."""
        deadline = asyncio.get_running_loop().time() + STALL_SECONDS
        while flow.client_conn.connected and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(POLL_SECONDS)
        if flow.killable:
            flow.kill()

    async def control(self, request: Request) -> Response:
        """Take a plan, tell what came of it, or forget it."""
        name = request.path_params["trace"]
        if request.method == "PUT":
            try:
                entries = orjson.loads(await request.body())
                if not isinstance(entries, list) or len(entries) > MOST_PLANNED:
                    raise PlanError(f"a plan is a JSON list of at most {MOST_PLANNED} planned faults")
                planned = [Planned.read(entry) for entry in entries]
            except ValueError as error:
                return told(400, {"message": str(error)})
            self.take(name, planned)
            return told(200, self.traces[name].ledger())
        if request.method == "DELETE":
            return told(200 if self.traces.pop(name, None) else 404, {})
        known = self.traces.get(name)
        return told(200 if known else 404, (known or Trace()).ledger())

    def take(self, name: str, planned: list[Planned]) -> None:
        """Take a trace's plan; the trace that was planned for longest ago is forgotten first."""
        self.traces.setdefault(name, Trace()).replace(planned)
        self.traces.move_to_end(name)
        while len(self.traces) > MOST_TRACES:
            self.traces.popitem(last=False)


class Control(uvicorn.Server):
    """The server that takes plans; what ends it is the proxy's end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the proxy."""
        yield


def controlled(network: Network) -> Control:
    """Make the server that takes the plans of a network."""
    routes = [Route("/{trace}", network.control, methods=["GET", "PUT", "DELETE"])]
    return Control(
        uvicorn.Config(
            Starlette(routes=routes),
            http="httptools",
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=1,
        )
    )


def told(status: int, body: Any) -> Response:
    """Make an answer of the server that takes plans."""
    return Response(orjson.dumps(body), status, media_type="application/json")


def draw_losses(chance: random.Random) -> tuple[int, bool]:
    """Draw how often in a row a packet is lost, and whether it is the answer's."""
    losses = 1
    while losses < LOSSES_TO_DIE and chance.random() < LOSES_AGAIN:
        losses += 1
    return losses, chance.random() < 0.5


def answer(status: int, body: Any) -> http.Response:
    """Make a JSON answer of our own."""
    return http.Response.make(status, json.dumps(body), {"Content-Type": "application/json"})


def injected(fault: Fault) -> http.Response:
    """Make the 5xx answer of a fault, as a load balancer in front of the service would."""
    return answer(int(fault[:3]), {"message": f"service unavailable (injected: {fault})"})


async def deliver(flow: http.HTTPFlow) -> bool:
    """Deliver a request to the server on a connection of its own; say whether it was answered."""
    copy = flow.request.copy()
    copy.headers["Connection"] = "close"
    try:
        async with asyncio.timeout(DUPLICATE_SECONDS):
            secure = _trusting(ctx.options.ssl_verify_upstream_trusted_ca) if copy.scheme == "https" else None
            reader, writer = await asyncio.open_connection(copy.host, copy.port, ssl=secure)
            try:
                writer.write(http1.assemble_request(copy))
                return bool(await reader.read())
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        logging.getLogger(__name__).warning("a duplicate was not delivered: %r", error)
        return False


def _trusting(ca_file: str | None) -> ssl.SSLContext:
    """Judge a server's certificate as mitmproxy does."""
    return ssl.create_default_context(cafile=ca_file or certifi.where())


async def send_half(flow: http.HTTPFlow) -> None:
    """Send status, headers with the true length, and half of the body; mitmproxy itself sends only whole answers."""
    servers: proxyserver.Proxyserver = ctx.master.addons.get("proxyserver")
    writer = servers.connections[flow.client_conn.id].transports[flow.client_conn].writer
    response = flow.response
    if response is None or writer is None:
        return  # there is no answer to tear, or nobody left who gets it
    body = response.raw_content or b""
    response.headers.pop("Transfer-Encoding", None)
    response.headers["Content-Length"] = str(len(body))
    head = http1.assemble_response_head(response)
    # An empty body has no half: then the first line breaks off. (Python's client takes half a head for a whole one.)
    writer.write(head + body[: len(body) // 2] if body else head[: len("HTTP/1.")])
    await writer.drain()


def upstream(text: str) -> str:
    """Check an upstream's address.

    Raises:
        argparse.ArgumentTypeError: when it is not http://host:port or https://host:port.
    """
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or not parts.port or parts.path not in ("", "/"):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form http://127.0.0.1:3000")
    return f"{parts.scheme}://{parts.netloc}"


async def serve(ways: dict[str, tuple[int, str]], ca_file: str | None, folder: str | None) -> int:
    """Run until SIGTERM.

    Args:
        ways: leg to the port to listen on and where to pass on to.
        ca_file: whom upstreams with TLS are to have their certificates from; None: whom everybody trusts.
        folder: where mitmproxy puts the certificates that it makes, though nobody is shown them; None without TLS.
    """
    modes = [f"reverse:{to}@127.0.0.1:{port}" for port, to in ways.values()]
    # No addon that stores flows, and none that logs them; TLS, which makes certificates, only where it is asked for.
    proxy = master.Master(options.Options(listen_host="127.0.0.1", confdir=folder or ""))
    servers = proxyserver.Proxyserver()
    listener = socket.create_server(("127.0.0.1", 0))
    network = Network({port: leg for leg, (port, _) in ways.items()}, f"http://127.0.0.1:{listener.getsockname()[1]}")
    control = controlled(network)
    controlling = asyncio.create_task(control.serve(sockets=[listener]))
    tls = [tlsconfig.TlsConfig()] if folder else []
    proxy.addons.add(servers, next_layer.NextLayer(), *tls, network)
    proxy.options.update(ssl_verify_upstream_trusted_ca=ca_file)
    proxy.options.update(mode=modes, connection_strategy="lazy", http2=False)
    for how in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(how, proxy.shutdown)
    running = asyncio.create_task(proxy.run())
    while not running.done() and len(servers.listen_addrs()) < len(ways):
        if servers.servers and not servers.servers.is_updating and not all(s.is_running for s in servers.servers):
            print("the network proxy cannot listen on its ports.", file=sys.stderr, flush=True)
            return 2
        await asyncio.sleep(POLL_SECONDS)
    gc.freeze()  # what is loaded stays; the collector need not look at it again
    await running
    control.should_exit = True
    await controlling
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # what is still open is cut off, without a word
    return 0


def main() -> int:
    """Read the command line and become the network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for leg in LEGS:
        needed = leg == "api"
        parser.add_argument(f"--{leg}-port", type=int, required=needed, help=f"where the {leg}'s clients connect to")
        parser.add_argument(f"--{leg}-upstream", type=upstream, required=needed, help=f"where the {leg} is")
    parser.add_argument("--ca-file", help="certificates by which upstreams with https are judged")
    given = parser.parse_args()
    if (given.calendar_port is None) != (given.calendar_upstream is None):
        parser.error("--calendar-port and --calendar-upstream go together.")
    logging.basicConfig(level=logging.WARNING, format="network: %(message)s")
    ways = {leg: (getattr(given, f"{leg}_port"), getattr(given, f"{leg}_upstream")) for leg in LEGS}
    ways = {leg: way for leg, way in ways.items() if way[0] is not None}
    secure = any(to.startswith("https:") for _, to in ways.values())
    # The studio's own network is killed with it: what it has made would stay.
    place = tempfile.TemporaryDirectory(prefix="pilates-network-") if secure else nullcontext()
    with place as folder, asyncio.Runner() as runner:
        return runner.run(serve(ways, given.ca_file, folder))


if __name__ == "__main__":
    sys.exit(main())
