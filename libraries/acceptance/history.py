"""What was asked and what was answered: the history that the checks judge and the log keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from acceptance.client import Caller, Outcome, Reply, Request
from acceptance.model import OF_THE_SCHEDULE, Call, Operation
from acceptance.orders import Seen

RPC = "/rpc/"
ACTIONS = {"GET": "read", "POST": "insert", "PATCH": "update", "DELETE": "delete"}


@dataclass(frozen=True)
class Planned:
    """A call that is about to be made. ``delay`` in seconds counts from the common release.

    A path of a table (with its filter) stands for a change of the schedule. ``meant`` is the body in the contract's
    words, where the target has other names for its arguments.
    """

    call: Call
    caller: Caller
    path: str
    body: dict[str, Any]
    key: str
    delay: float = 0.0
    meant: dict[str, Any] | None = None

    @property
    def method(self) -> str:
        """The HTTP method: the schedule is changed as a table's row, everything else by a function."""
        return method_of(self.call)


@dataclass
class Done:
    """One call that was made: what the model calls it, the rows it was about, and what came of it.

    ``happened`` says of a call made alone whether it changed anything, whatever its caller was told; ``disturbed``
    whether anything was planned to befall it, or what was called at the same time. ``unseen`` counts the tries before
    the last that reached a target which keeps no idempotency keys: each of them may have acted.
    """

    call: Call
    caller: Caller
    path: str
    body: dict[str, Any]
    key: str
    reply: Reply
    repeats: Done | None = None
    happened: bool = False
    disturbed: bool = False
    meant: dict[str, Any] | None = None
    unseen: int = 0

    @classmethod
    def of(cls, planned: Planned, reply: Reply, *, disturbed: bool = False) -> Done:
        """Make it of what was planned and what came of it."""
        p = planned
        return cls(p.call, p.caller, p.path, p.body, p.key, reply, disturbed=disturbed, meant=p.meant)

    def asked(self, key: str) -> Any:
        """Return what was asked, by the contract's name of the argument."""
        return (self.body if self.meant is None else self.meant)[key]

    def says(self, key: str) -> bool:
        """Tell whether the target's answer says this at all; our own studio's must."""
        return self.reply.said is None or key in self.reply.said

    @property
    def given_back(self) -> Any:
        """The number of classes that the answer to a cancellation says it gave back."""
        return self.reply.body if self.reply.said is None else self.reply.said.get("given_back")

    def said(self, key: str) -> Any:
        """Return a value of an accepted answer, or None where it does not say."""
        if self.reply.said is not None:
            return self.reply.said.get(key)
        return self.reply.body.get(key) if isinstance(self.reply.body, dict) else None


def method_of(call: Call) -> str:
    """Return the HTTP method of a call."""
    if call.operation is Operation.CALL_OFF:
        return "DELETE"
    return "PATCH" if call.operation in OF_THE_SCHEDULE else "POST"


def seen(done: Done) -> Seen:
    """Put what a caller was told into the model's words."""
    reply = done.reply
    remaining = done.said("deposit_remaining") if reply.outcome is Outcome.ACCEPTED else None
    cancels = done.call.operation in (Operation.CANCEL, Operation.ADMIN_REMOVE)
    given_back = done.given_back if cancels and isinstance(done.given_back, int) else None
    return Seen(done.call, reply.outcome, reply.reason, remaining, given_back)


def seen_of(step: Sequence[Done]) -> list[Seen]:
    """Put a step's answers into the model's words.

    A request that is sent twice at once is one call, unless one of the two was refused: refusals are not kept for
    a repetition, so each is a call; only, it cannot come after the one that was accepted.
    """
    found: list[Seen] = []
    places: dict[int, int] = {}
    for done in step:
        twin = done.repeats if any(done.repeats is other for other in step) else None
        pair = [done, *([twin] if twin else [])]
        if twin is not None and all(one.reply.outcome is not Outcome.REFUSED for one in pair):
            continue
        places[id(done)] = len(found)
        found.append(seen(done))
        if twin is not None and done.reply.outcome is not twin.reply.outcome:
            refused, other = sorted(pair, key=lambda one: one.reply.outcome is not Outcome.REFUSED)
            where = places[id(refused)]
            found[where] = replace(found[where], before=places[id(other)])
    return found


def exchange(request: Request, reply: Reply) -> dict[str, Any]:
    """Make the record of one request and its answer, without the token."""
    return {
        "at": reply.started,
        "actor": request.caller.name,
        "device": request.caller.device.name,
        "method": request.method,
        "path": request.path,
        "params": request.params,
        "body": request.body,
        "idempotency_key": request.key,
        "attempts": reply.attempts,
        "status": reply.status,
        "answer": reply.body,
        "latency_ms": round(reply.latency_ms, 2),
    }


def one_call(planned: Planned, done: Done) -> dict[str, Any]:
    """Make the record by which ``reproduce.py`` makes a call again."""
    return {
        "actor": done.caller.name,
        "sub": done.caller.user_id,
        "method": planned.method,
        "path": done.path,
        "body": done.body,
        "key": done.key,
        "delay": planned.delay,
        "attempts": done.reply.attempts,
        "booking": done.said("booking_id") if done.reply.outcome is Outcome.ACCEPTED else None,
    }


def log_record(
    done: Done, test_id: str, seed: int, trace_id: str, step: int, checks: dict[str, bool]
) -> dict[str, Any]:
    """Make the structured log's record of one call, in the seed's format.

    Args:
        done: the call.
        test_id: the case's id.
        seed: the case's seed.
        trace_id: the case's trace id in this run.
        step: counts the steps of the case from 1; calls released together share one.
        checks: the verdict of each invariant after the step.
    """
    return _record(done.caller, done.reply, test_id, seed, trace_id, step) | {
        "action": done.call.operation,
        "repeated": done.repeats is not None,
        "request": {"method": method_of(done.call), "url": done.path, "body": done.body},
        "assertions": checks,
        "status": "PASS" if all(checks.values()) else "FAIL",
    }


def request_record(request: Request, reply: Reply, test_id: str, seed: int, trace_id: str, step: int) -> dict[str, Any]:
    """Make the structured log's record of a request that is no call of the model: a look at a table, or a try on it.

    The scenario judges what comes of it; so the record has no checks of its own.

    Args:
        request: what was asked; of its caller, no token is kept.
        reply: what came of it.
        test_id: the case's id.
        seed: the case's seed.
        trace_id: the case's trace id in this run.
        step: counts the steps of the case before it.
    """
    return _record(request.caller, reply, test_id, seed, trace_id, step) | {
        "action": request.path.removeprefix(RPC) if request.path.startswith(RPC) else ACTIONS[request.method],
        "repeated": False,
        "request": {"method": request.method, "url": request.path, "body": request.body},
        "assertions": {},
        "status": "PASS",
    }


def _record(who: Caller, reply: Reply, test_id: str, seed: int, trace_id: str, step: int) -> dict[str, Any]:
    """Say who asked when, in which case, and what was answered."""
    return {
        "timestamp": reply.started,
        "trace_id": trace_id,
        "test_id": test_id,
        "seed": seed,
        "user_id": who.user_id,
        "actor": who.name,
        "device": who.device.name,
        "step": step,
        "response": {"status": reply.status, "latency_ms": round(reply.latency_ms, 2), "body": reply.body},
        "outcome": reply.outcome,
        "attempts": reply.attempts,
        "db_snapshot_before": f"snapshots/{test_id}-before.json",
        "db_snapshot_after": f"snapshots/{test_id}-after.json",
    }
