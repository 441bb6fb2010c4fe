"""The API client: what an app on a member's phone does on the wire, and what it makes of the answer."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
import orjson
import requests
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from acceptance import people
from acceptance.datafiles import Device
from acceptance.environment import FILE, Target
from acceptance.errors import NotProven, SuiteError
from acceptance.faults import Fault
from acceptance.model import Refusal
from acceptance.network import Network

TOKEN_SECONDS = 3600
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
TOO_MANY = 429
MOST_WAITS = 5  # for one request; a system that limits us that long has no capacity for this run
LONGEST_WAIT = 30.0  # seconds
pause = time.sleep
OTHER_NAME = (62, 64)  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH
PLAIN = requests.Request("GET", "http://localhost").prepare()  # without cookies, sign-in or hooks
WAITED = (Fault.SLOW, Fault.PACKETS_LOST)  # the answer came all the same


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
    """What came of a request. ``status`` is None when no answer arrived; latency is in milliseconds.

    ``said`` is what the answer says in the contract's words, where the target has words of its own.
    """

    outcome: Outcome
    status: int | None = None
    body: Any = None
    reason: Refusal | None = None
    message: str = ""
    started: str = ""
    latency_ms: float = 0.0
    attempts: list[str] = field(default_factory=list)
    said: dict[str, Any] | None = None

    def described(self) -> str:
        """Say it in words, for a log or a failure."""
        if self.outcome is Outcome.ACCEPTED:
            return "accepted"
        if self.outcome is Outcome.REFUSED:
            return f"refused ({self.status}: {self.message})"
        return (
            f"unknown ({self.status or 'no answer'}: {self.message or 'the attempts were ' + ', '.join(self.attempts)})"
        )


def token(
    target: Target, user_id: str | None, role: str = "authenticated", claims: Mapping[str, Any] | None = None
) -> str:
    """Sign a token the way a Supabase project does (HS256; claims role, sub, aud, iat, exp, and any further ones).

    Where the environment gives users instead of the secret, it is the one of this user.

    Raises:
        NotProven: when it gives none for this user, or none with such claims.
    """
    if target.environment.users_given:
        if claims:
            raise NotProven(f"not proven: {target.environment.name} gives its users' tokens, and none can be made.")
        return people.of(target).token(user_id)
    now = int(time.time())
    said = {"role": role, "aud": "authenticated", "iat": now, "exp": now + TOKEN_SECONDS, **(claims or {})}
    if user_id is not None:
        said["sub"] = user_id
    return jwt.encode(said, target.jwt_secret, algorithm="HS256")


def open_session(target: Target) -> requests.Session:
    """Open an HTTP session with a target; one per thread."""
    session = requests.Session()
    session.trust_env = target.lease is None  # a proxy has no business between us and our own studio
    return session


def verified_by(target: Target) -> str | None:
    """Return by what a request is to judge the target's certificate; None: as usual.

    It goes with each request: what a session is told gives way to the variable REQUESTS_CA_BUNDLE.
    """
    return target.ca_file or None


def look(session: requests.Session, target: Target, path: str = "", *, headers: dict[str, str], timeout: float) -> Any:
    """Get one page of a target's API, outside of any case.

    Returns:
        The response, whatever its status.

    Raises:
        SuiteError: when nobody answers, or with a certificate that is not trusted.
    """
    headers = {**headers, **({"apikey": target.api_key} if target.api_key else {})}
    try:
        return session.get(f"{target.api_url}{path}", headers=headers, timeout=timeout, verify=verified_by(target))
    except requests.RequestException as error:
        raise SuiteError(unreachable(target, error)) from None


def unreachable(target: Target, error: Exception) -> str:
    """Say in one sentence why the API could not be asked, and what to do."""
    distrust = _distrust(error)
    if distrust is None:
        words = f"nobody answers at {target.api_url} ({type(error).__name__}); start it or correct the URL"
        return f"{FILE}: {target.environment.name}.api_url: {words}."
    words = f"the certificate of {target.api_url} is not trusted ({distrust.verify_message})"
    if distrust.verify_code in OTHER_NAME:
        return f"{FILE}: {target.environment.name}.api_url: {words}; write the host as the certificate has it."
    help_with = f"{target.ca_file} is not its CA's" if target.ca_file else "name there the bundle of the CA it is from"
    return f"{FILE}: {target.environment.name}.ca_file: {words}; {help_with}."


def _distrust(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """Find what a certificate was turned away for among the causes of an error."""
    found, seen = [error], set()
    while found:
        one = found.pop()
        if isinstance(one, ssl.SSLCertVerificationError):
            return one
        if id(one) not in seen:
            seen.add(id(one))
            others = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
            found += [other for other in others if isinstance(other, BaseException)]
    return None


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
        network: what happens on the way; it must know the call already (``before_calls``).

    Returns:
        The reply; it never raises for what the network or the server does.

    Raises:
        SuiteError: when the network proxy is gone and nobody can say what happened, or the API shows a certificate
            that is not trusted: that is nobody's network.
    """
    device = request.caller.device
    reply = Reply(Outcome.UNKNOWN, started=datetime.now(UTC).isoformat(timespec="milliseconds"))
    # A case is about what becomes of its calls; reads afterwards only look, and look undisturbed.
    disturbed = network.disturbs(request.key)
    url = (f"{network.url}{urlsplit(target.api_url).path}" if disturbed else target.api_url) + request.path
    headers = _headers(target, request, trace_id, test_id)
    data = None if request.body is None else orjson.dumps(request.body)
    if request.params:
        url = f"{url}?{urlencode(request.params)}"
    settings = session.merge_environment_settings(url, {}, False, verified_by(target), None)
    started = time.perf_counter()
    for attempt in range(1, 2 + device.retries):
        reply.status, reply.body = None, None
        headers["X-Attempt"] = str(attempt)
        patience = network.read_timeout(request.key, attempt, device.read_timeout)
        try:
            for waits in range(MOST_WAITS + 1):
                prepared = _prepared(session, request.method, url, headers, data)
                response = session.send(prepared, timeout=(device.connect_timeout, patience), **settings)
                if response.status_code != TOO_MANY or waits == MOST_WAITS:
                    break
                reply.attempts.append(str(TOO_MANY))
                pause(_told_to_wait(response))
        except requests.RequestException as error:
            if _distrust(error):
                raise SuiteError(unreachable(target, error)) from None
            reply.attempts.append(type(error).__name__)
            continue
        reply.status, reply.body = response.status_code, _parsed(response)
        reply.attempts.append(str(reply.status))
        if reply.status not in device.retry_statuses:
            break
    reply.latency_ms = (time.perf_counter() - started) * 1000
    if disturbed and request.key:
        reply.attempts = _in_words(reply.attempts, network.met(request.key))
    _judge(reply, target.environment.refusals)
    return reply


def _prepared(
    session: requests.Session, method: str, url: str, headers: dict[str, str], data: bytes | None
) -> requests.PreparedRequest:
    """Make what goes on the wire.

    All of it is plain already: ``Session.request`` would look for what is not there, which takes longer than the rest
    of the call takes here.
    """
    prepared = PLAIN.copy()
    prepared.method, prepared.url, prepared.body = method, url, data
    prepared.headers = requests.structures.CaseInsensitiveDict({**session.headers, **headers})
    if method not in ("GET", "HEAD"):
        prepared.headers["Content-Length"] = str(len(data or b""))
    return prepared


def _told_to_wait(response: requests.Response) -> float:
    """Return how many seconds a system that limits the rate of requests asks to wait (``Retry-After``)."""
    try:
        seconds = Retry().parse_retry_after(response.headers.get("Retry-After", "1"))
    except InvalidHeader:
        seconds = 1.0
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _in_words(attempts: list[str], met: dict[int, list[str]]) -> list[str]:
    """Say of each try what it met on its way, where that is known, instead of what the caller saw of it."""
    told = []
    for number, seen in enumerate(attempts, 1):
        words = [word for word in met.get(number, []) if word not in WAITED]
        if Fault.TWICE in words:
            told.append(Fault.TWICE.value)
            words.remove(Fault.TWICE)
        told.append(words[-1] if words else seen)
    return told


def _headers(target: Target, request: Request, trace_id: str, test_id: str) -> dict[str, str]:
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
    return headers


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
    if reply.status == TOO_MANY:
        return  # the system did not even look at it: no refusal of the studio
    # 5xx leaves open whether the server acted; anything else is an answer.
    if reply.status < 500:
        reply.outcome = Outcome.REFUSED
        reply.reason = next((r for r, wording in refusals.items() if wording.search(reply.message)), None)
