"""Kills the API and the database of a private studio while members use it, and waits until they are back.

What is killed gets SIGKILL: it cannot tidy up. The studio's PostgreSQL runs without fsync, so this proves what the
death of processes does, not what the loss of power does: what a process handed to the kernel is never lost here.

The moment of a kill is a condition, drawn from the case's seed: so many answers were given. No moment is a delay.
"""

from __future__ import annotations

import os
import random
import signal
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from threading import Condition, Event

import psycopg2
import requests

from acceptance import embedded
from acceptance.bench import Bench, open_database
from acceptance.client import Caller, Outcome, Reply, Request
from acceptance.datafiles import devices
from acceptance.errors import SuiteError
from acceptance.history import Done
from acceptance.model import Call, Operation
from acceptance.running_case import RunningCase, Send

PATIENCE = 60  # seconds until something that must come is given up
POLL_SECONDS = 0.005
ROUNDS_AFTERWARDS = 2  # calls that each member makes after the recovery
REPETITIONS = 5
MOST_ANSWERS = 5  # times the wished number of accepted calls; then it is killed anyway
GATEWAY_ROLE = "authenticator"

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


class Victim(StrEnum):
    """What is killed, in a scenario's words."""

    DATABASE = "the database"
    PROCESS = "one process of the database"
    API = "the API"
    BOTH = "both"


class Moment(StrEnum):
    """What befalls a request at its commit, in a scenario's words."""

    ANSWER_LOST = "the commit's answer is lost"
    DATABASE_KILLED = "the database is killed at the commit"


def lease(bench: Bench) -> embedded.Studio:
    """Return the lease on a studio that may be killed.

    Raises:
        SuiteError: when others use the studio too.
    """
    studio = bench.target.lease
    if studio is None or not studio.private:
        raise SuiteError(
            "only a studio of its own may be killed; the suite needs `Suite Setup    A studio of its own`."
        )
    return studio


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so.

    Raises:
        SuiteError: when it does not come.
    """
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise SuiteError(f"waited {PATIENCE} s in vain: {what}.")
        time.sleep(POLL_SECONDS)


# --- killing, and coming back ---------------------------------------------------------------------------------


def kill(bench: Bench, victim: Victim, chance: random.Random) -> None:
    """Kill something of the studio, and return when it answers again and our own connection is open again."""
    studio = lease(bench)
    gateway, server = studio.gateway_pid, studio.postgres_pid
    if victim is Victim.PROCESS:
        os.kill(_busy_process(bench, chance), signal.SIGKILL)
    if victim in (Victim.DATABASE, Victim.BOTH):
        os.kill(server, signal.SIGKILL)
    if victim in (Victim.API, Victim.BOTH):
        os.kill(gateway, signal.SIGKILL)
    if victim is Victim.API:
        # A commit that was under way may still come through; nothing is judged before its connection has ended.
        killed_at = bench.now()
        wait_for(lambda: not _connected_since(bench, killed_at), "for the killed API's connections to end")
    come_back(bench, gateway if victim in (Victim.API, Victim.BOTH) else 0, database=victim is not Victim.API)


def come_back(bench: Bench, gateway: int, *, database: bool) -> None:
    """Wait until what was killed is there again.

    Args:
        bench: the private studio's.
        gateway: the process id of the API that was killed, or 0.
        database: whether the database goes down as well.
    """
    studio = lease(bench)
    if database:
        wait_for(lambda: not _alive(bench), "for the database to go down")
        reconnect(bench)
    # Asked at once, it answers the moment it is there; the supervisor looks only now and then.
    wait_for(lambda: _ready(bench), "for the API to come back")

    def renewed() -> bool:
        studio.refresh(PATIENCE)
        return gateway != studio.gateway_pid

    wait_for(renewed, "for the supervisor to know the new API")


def heal(bench: Bench) -> None:
    """Make a private studio fit for the next case, whatever became of the last one."""
    if not _alive(bench):
        reconnect(bench)
    lease(bench).refresh(PATIENCE)


def _ready(bench: Bench) -> bool:
    try:
        return bench.session.get(f"{bench.target.api_url}/ready", timeout=PATIENCE).ok
    except requests.RequestException:
        return False


def reconnect(bench: Bench) -> None:
    """Open the bench's database connection again."""
    bench.connection.close()

    def opened() -> bool:
        try:
            bench.connection = open_database(bench.target)
        except psycopg2.OperationalError:
            return False
        return True

    wait_for(opened, "for the database to let us in again")


def _alive(bench: Bench) -> bool:
    try:
        with bench.connection.cursor() as cursor:
            cursor.execute("select 1")
    except psycopg2.Error:  # a server that dies is not always told apart from one that refuses
        return False
    return True


def _connected_since(bench: Bench, instant: datetime) -> int:
    """Count the API's connections that were there at an instant of the database's clock."""
    with bench.connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_stat_activity where usename = %s and backend_start <= %s", (GATEWAY_ROLE, instant)
        )
        return cursor.fetchone()[0]


def _busy_process(bench: Bench, chance: random.Random) -> int:
    """Choose a process of the database that is in the middle of a request."""
    found: list[int] = []

    def look() -> bool:
        with bench.connection.cursor() as cursor:
            cursor.execute(
                "select pid from pg_stat_activity where usename = %s and xact_start is not null order by pid",
                (GATEWAY_ROLE,),
            )
            found[:] = [pid for (pid,) in cursor.fetchall()]
        return bool(found)

    wait_for(look, "for a request that is being worked on")
    return chance.choice(found)


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
