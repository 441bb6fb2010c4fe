"""Lets members use a private studio while something of it is killed, and loses the answer of a commit.

The moment of a kill is a condition, drawn from the case's seed: so many answers were given. No moment is a delay.
"""

from __future__ import annotations

import os
import random
import signal
import time
import uuid
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from enum import StrEnum
from threading import Condition, Event

import requests

from acceptance.bench import open_database
from acceptance.client import Caller, Outcome, Reply, Request
from acceptance.datafiles import devices
from acceptance.errors import SuiteError
from acceptance.history import Done
from acceptance.model import Call, Operation
from acceptance.recovery import GATEWAY_ROLE, PATIENCE, POLL_SECONDS, Victim, come_back, heal, kill, lease
from acceptance.running_case import RunningCase
from acceptance.sending import Send

ROUNDS_AFTERWARDS = 2  # calls that each member makes after the recovery
REPETITIONS = 5
MOST_ANSWERS = 5  # times the wished number of accepted calls; then it is killed anyway

# Lets the commits of a trace wait for a standby that does not exist (tools/studio/postgres.py names it).
INSTALL = """
create schema acceptance_crash;
create table acceptance_crash.traces (trace_id text primary key);
create function acceptance_crash.hold_the_commit() returns trigger language plpgsql security definer as $$
begin
  if exists (select from acceptance_crash.traces
             where trace_id = nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-trace-id') then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  return null;
end $$;
create trigger acceptance_crash after insert or update on public.pilates_bookings
  for each statement execute function acceptance_crash.hold_the_commit();
"""
WAITING = "select pid from pg_stat_activity where usename = %s and wait_event = 'SyncRep'"
ARM = "insert into acceptance_crash.traces values (%s)"
DISARM = "delete from acceptance_crash.traces"
REMOVE = "drop schema if exists acceptance_crash cascade"


class Moment(StrEnum):
    """What befalls a request at its commit, in a scenario's words."""

    ANSWER_LOST = "the commit's answer is lost"
    DATABASE_KILLED = "the database is killed at the commit"


# --- members who use the studio meanwhile ---------------------------------------------------------------------


@dataclass
class Load:
    """What the members of a case do while something is killed.

    Args:
        case: the running case.
        send: sends a request in its name.
        after: the number of accepted calls after which it is killed.
    """

    case: RunningCase
    send: Send
    after: int
    accepted: int = 0
    answers: int = 0
    told: Condition = field(default_factory=Condition)
    back: Event = field(default_factory=Event)
    failed: Event = field(default_factory=Event)

    def answered(self, reply: Reply) -> None:
        """Count an answer."""
        with self.told:
            self.answers += 1
            self.accepted += reply.outcome is Outcome.ACCEPTED
            self.told.notify_all()

    def is_time(self) -> bool:
        """Say whether enough was accepted; a studio that refuses nearly everything is not waited for."""
        return self.accepted >= self.after or self.answers >= MOST_ANSWERS * self.after or self.failed.is_set()


@dataclass
class Member:
    """One member with a phone: books, books again, cancels; some apps repeat what got no answer, some do not.

    Args:
        load: what is shared.
        caller: who it is, and on which device.
        slots: the classes there are.
        chance: the member's own source of chance.
        persistent: whether the app repeats a request, with the same key, once the studio is back.
    """

    load: Load
    caller: Caller
    slots: list[str]
    chance: random.Random
    persistent: bool
    done: list[Done] = field(default_factory=list)
    booked: dict[str, str] = field(default_factory=dict)

    def use(self) -> list[Done]:
        """Go on until the studio was killed, is back, and has been used a little more."""
        try:
            with requests.Session() as session:
                session.trust_env = False  # a proxy has no business between us and our own studio
                afterwards = 0
                while afterwards < ROUNDS_AFTERWARDS and not self.load.failed.is_set():
                    afterwards += self.load.back.is_set()
                    self._act(session)
        except BaseException:
            self.load.failed.set()
            raise
        return self.done

    def _act(self, session: requests.Session) -> None:
        slot = self.chance.choice(self.slots)
        again = self.chance.random() < 1 / 4  # a second tap, which must be refused
        if slot in self.booked and not again:
            done = self._ask(session, Operation.CANCEL, slot, self.booked[slot])
            if done.reply.outcome is Outcome.ACCEPTED:
                del self.booked[slot]
        else:
            done = self._ask(session, Operation.BOOK, slot, "")
            if done.reply.outcome is Outcome.ACCEPTED:
                self.booked[slot] = str(done.said("booking_id"))
        self.done.append(done)
        self.load.answered(done.reply)

    def _ask(self, session: requests.Session, operation: Operation, slot: str, booking: str) -> Done:
        case, user_id = self.load.case, self.caller.user_id or ""
        number = f"{self.caller.name}/{len(self.done)}"
        body = {"p_user_id": user_id} | ({"p_booking_id": booking} if booking else {"p_slot_id": slot})
        key = str(uuid.uuid5(uuid.UUID(case.trace_id), number))
        call = Call(
            operation, user_id, self.caller.role, member=user_id, slot=slot, booking=booking, creates=f"made-{number}"
        )
        path = f"/rpc/{case.bench.target.environment.functions[operation]}"
        request = Request("POST", path, self.caller, body=body, key=key)
        reply = self.load.send(session, request)
        for _ in range(REPETITIONS):
            if reply.outcome is not Outcome.UNKNOWN:
                break
            if not self.load.back.wait(PATIENCE):
                raise SuiteError(f"the studio did not come back within {PATIENCE} s.")
            if not self.persistent:
                break
            repeated = self.load.send(session, request)
            repeated.attempts[:0] = reply.attempts
            reply = repeated
        return Done(call, self.caller, path, body, key, reply)


def kill_under_load(case: RunningCase, victim: Victim) -> list[Done]:
    """Let all members of a case use the studio, kill something of it meanwhile, and judge what is there afterwards.

    Returns:
        All calls, each member's in their order.

    Raises:
        SuiteError: when the studio does not come back.
    """
    heal(case.bench)
    case.kills_planned.append(victim)
    made: list[Done] = []

    def act(send: Send) -> list[Done]:
        made[:] = _use_while_killed(case, victim, send)
        return made

    case.survive(act)
    return made


def _use_while_killed(case: RunningCase, victim: Victim, send: Send) -> list[Done]:
    members = _members(case, send)
    load = members[0].load
    with ThreadPoolExecutor(len(members), thread_name_prefix="member") as pool:
        futures: list[Future[list[Done]]] = [pool.submit(member.use) for member in members]
        try:
            with load.told:
                enough = load.told.wait_for(load.is_time, PATIENCE)
            if not enough:
                raise SuiteError(f"only {load.answers} calls were answered within {PATIENCE} s.")
            if not load.failed.is_set():
                kill(case.bench, victim, case.random)
        except BaseException:
            load.failed.set()
            raise
        finally:
            load.back.set()
    calls = [done for future in futures for done in future.result()]
    if any(disturbed(done.reply) for done in calls):
        case.kills_seen.append(victim)
    case.crashes.append(f"{victim}: killed after {load.after} accepted calls")
    return calls


def _members(case: RunningCase, send: Send) -> list[Member]:
    """Give each member of the case a device, with the retries of its kind or with none."""
    people = [case.people["member"], *case.others] if "member" in case.people else list(case.others)
    if not people or not case.slots:
        raise SuiteError("say first which members and classes there are.")
    load = Load(case, send, after=case.random.randint(len(people), 3 * len(people)))
    known = list(devices().values())
    members = []
    for person in people:
        chance = random.Random(f"{case.seed}/{person.name}")  # noqa: S311 - reproducible on purpose
        device, persistent = chance.choice(known), chance.random() < 1 / 2
        device = device if persistent else replace(device, retries=0)
        members.append(Member(load, replace(person, device=device), list(case.slots.values()), chance, persistent))
    return members


def disturbed(reply: Reply) -> bool:
    """Tell whether a call met the crash: an attempt of it got no answer, or one that leaves open what happened."""
    return any(not attempt.isdecimal() or int(attempt) >= 500 for attempt in reply.attempts)


def counted(calls: list[Done]) -> dict[str, int]:
    """Count calls by what their callers know."""
    counts = Counter(str(done.reply.outcome) for done in calls)
    found = {str(outcome): counts[outcome] for outcome in Outcome}
    return {"calls": len(calls), **found, "disturbed": sum(disturbed(done.reply) for done in calls)}


# --- the commit whose answer is lost --------------------------------------------------------------------------


def break_next_commit(case: RunningCase, moment: Moment) -> None:
    """Let the next booking or cancellation of the case be committed while its answer never leaves the database.

    PostgreSQL has written the commit and waits for a standby that does not exist; there its connection ends, or the
    whole server is killed. What is committed stays; nobody is told.
    """
    bench = case.bench
    heal(bench)
    with bench.connection.cursor() as cursor:
        cursor.execute(REMOVE)
        cursor.execute(INSTALL)
        cursor.execute(ARM, (case.trace_id,))
    stop = Event()
    pool = ThreadPoolExecutor(1, thread_name_prefix="commit")
    struck = pool.submit(_strike_at_commit, case, moment, stop)
    case.kills_planned.append(moment)

    def afterwards() -> None:
        stop.set()
        try:
            if struck.result() and moment is Moment.DATABASE_KILLED:
                case.crashes.append(str(moment))
                come_back(bench, 0, database=True)
        finally:
            pool.shutdown()
            with bench.connection.cursor() as cursor:
                cursor.execute(REMOVE)

    case.aftermath.append(afterwards)


def _strike_at_commit(case: RunningCase, moment: Moment, stop: Event) -> bool:
    """Wait for the commit that waits, and strike it once; say whether it was there."""
    with closing(open_database(case.bench.target)) as connection, connection.cursor() as cursor:
        until = time.monotonic() + PATIENCE
        while not stop.is_set() and time.monotonic() < until:
            cursor.execute(WAITING, (GATEWAY_ROLE,))
            waiting = cursor.fetchone()
            if waiting is None:
                time.sleep(POLL_SECONDS)
                continue
            cursor.execute(DISARM)  # a repetition shall not wait
            if moment is Moment.DATABASE_KILLED:
                os.kill(lease(case.bench).postgres_pid, signal.SIGKILL)
            else:
                cursor.execute("select pg_terminate_backend(%s)", waiting)
            case.kills_seen.append(moment)
            return True
    return False
