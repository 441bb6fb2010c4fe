"""The API client: what an app on a member's phone does on the wire, and what it makes of the answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import jwt
import orjson
import requests

from acceptance.datafiles import Device
from acceptance.environment import Target
from acceptance.model import Refusal
from acceptance.network import Fault, Network

TOKEN_SECONDS = 3600
JSON = {"Content-Type": "application/json", "Accept": "application/json"}


class Outcome(StrEnum):
    """What the caller knows after a call. Unknown: it may or may not have happened."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Caller:
    """Somebody with a token: who they are and on what they call. ``token`` None is a visitor without sign-in."""

    name: str
    role: str
    user_id: str | None
    device: Device
    zone: str
    token: str | None = field(repr=False, default=None)


@dataclass(frozen=True)
class Request:
    """One request as the caller means it; its attempts on the wire all look the same."""

    method: str
    path: str
    caller: Caller
    body: dict[str, Any] | None = None
    params: dict[str, str] | None = None
    key: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Reply:
    """What came of a request. ``status`` is None when no answer arrived; latency is in milliseconds."""

    outcome: Outcome
    status: int | None = None
    body: Any = None
    reason: Refusal | None = None
    message: str = ""
    started: str = ""
    latency_ms: float = 0.0
    attempts: list[str] = field(default_factory=list)

    def described(self) -> str:
        """Say it in words, for a log or a failure."""
        if self.outcome is Outcome.ACCEPTED:
            return "accepted"
        if self.outcome is Outcome.REFUSED:
            return f"refused ({self.status}: {self.message})"
        return (
            f"unknown ({self.status or 'no answer'}: {self.message or 'the attempts were ' + ', '.join(self.attempts)})"
        )


def token(target: Target, user_id: str | None, role: str = "authenticated") -> str:
    """Sign a token the way a Supabase project does (HS256; claims role, sub, aud, iat, exp)."""
    now = int(time.time())
    claims = {"role": role, "aud": "authenticated", "iat": now, "exp": now + TOKEN_SECONDS}
    if user_id is not None:
        claims["sub"] = user_id
    return jwt.encode(claims, target.jwt_secret, algorithm="HS256")


def call(
    session: requests.Session,
    target: Target,
    request: Request,
    *,
    trace_id: str,
    test_id: str,
    network: Network,
) -> Reply:
    """Send a request, with the retries and time-outs of the caller's device, and judge the answer.

    Args:
        session: the connection to use; one per thread.
        target: where to.
        request: what to send. All attempts carry the same idempotency key.
        trace_id: sent as X-Trace-Id.
        test_id: sent as X-Test-Id.
        network: what happens on the way.

    Returns:
        The reply; it never raises for what the network or the server does.
    """
    device = request.caller.device
    reply = Reply(Outcome.UNKNOWN, started=datetime.now(UTC).isoformat(timespec="milliseconds"))
    # A case is about what becomes of its calls; reads afterwards only look, and look undisturbed.
    way = network if request.key else None
    fault = way.before_call(device.retries) if way else None
    started = time.perf_counter()
    for _ in range(1 + device.retries):
        reply.status, reply.body = None, None
        send = _sender(session, target, request, trace_id, test_id)
        answer = _attempt(send, fault, way, reply)
        fault = None
        if answer is not None:
            reply.status, reply.body = answer
            if reply.status not in device.retry_statuses:
                break
    reply.latency_ms = (time.perf_counter() - started) * 1000
    _judge(reply, target.environment.refusals)
    return reply


def _sender(
    session: requests.Session, target: Target, request: Request, trace_id: str, test_id: str
) -> Callable[[bool], requests.Response]:
    caller = request.caller
    headers = {
        **JSON,
        **caller.device.headers,
        "X-Trace-Id": trace_id,
        "X-Test-Id": test_id,
        "X-Actor": caller.name,
    }
    headers["X-Device"] = caller.device.name
    if request.key:
        headers["Idempotency-Key"] = request.key
    if caller.device.prefer_timezone:
        headers["Prefer"] = f"timezone={caller.zone}"
    if target.api_key:
        headers["apikey"] = target.api_key
    if caller.token:
        headers["Authorization"] = f"Bearer {caller.token}"
    headers.update(request.headers)
    data = None if request.body is None else orjson.dumps(request.body)
    timeouts = (caller.device.connect_timeout, caller.device.read_timeout)

    def send(stream: bool) -> requests.Response:
        url = target.api_url + request.path
        return session.request(
            request.method,
            url,
            params=request.params,
            data=data,
            headers=headers,
            timeout=timeouts,
            stream=stream,
        )

    return send


def _attempt(
    send: Callable[[bool], requests.Response], fault: Fault | None, way: Network | None, reply: Reply
) -> tuple[int, Any] | None:
    """Make one attempt under at most one fault; None when no answer arrived."""
    if way is not None:
        way.travel()
        if fault is not None:
            way.record(fault)
    if fault is Fault.REQUEST_LOST:
        reply.attempts.append("request lost")
        return None
    if fault is Fault.UNAVAILABLE:
        reply.attempts.append("503 before the server")
        return 503, {"message": "service unavailable (injected)"}
    try:
        if fault is Fault.ANSWER_LOST:
            # The status line is here, so the server has acted; the caller never reads it.
            send(True).close()
            reply.attempts.append("answer lost")
            return None
        if fault is Fault.DELIVERED_TWICE:
            send(False)
        response = send(False)
    except requests.RequestException as error:
        reply.attempts.append(type(error).__name__)
        reply.message = f"{type(error).__name__}"
        return None
    if way is not None:
        way.travel()
    reply.attempts.append(str(response.status_code))
    return response.status_code, _parsed(response)


def _parsed(response: requests.Response) -> Any:
    if not response.content:
        return None
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return response.text


def _judge(reply: Reply, refusals: dict[Refusal, Any]) -> None:
    if reply.status is None:
        return
    if 200 <= reply.status < 300:
        reply.outcome = Outcome.ACCEPTED
        return
    body = reply.body if isinstance(reply.body, dict) else {}
    reply.message = str(body.get("message") or reply.body or "")
    # 5xx leaves open whether the server acted; anything else is an answer.
    if reply.status < 500:
        reply.outcome = Outcome.REFUSED
        reply.reason = next((r for r, wording in refusals.items() if wording.search(reply.message)), None)
