"""The instruments: every fault point and action acts as planned, on whom it was planned for, and leaves nothing."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product
from typing import Any

import psycopg2
import pytest

from acceptance import instruments, schedule
from acceptance.embedded import Studio
from acceptance.errors import SuiteError
from acceptance.instruments import Stop
from acceptance.schedule import END, Move, Scheduler
from tools import cleanup

TABLES = {word: table for table, word in instruments.TABLES.items()}
VERBS = {
    "insert": "insert into public.{0} overriding system value select * from public.{0} where false",
    "update": "update public.{0} set {1} = {1} where false",
    "delete": "delete from public.{0} where false",
}
POINTS = {
    f"{word}.{verb}{'' if before else 'd' if verb.endswith('e') else 'ed'}": text.format(
        table, "trace_id" if word in ("audit", "calendar") else "id"
    )
    for (word, table), (verb, text), before in product(TABLES.items(), VERBS.items(), (True, False))
}
ACTIONS = [
    ("wait", None),
    ("raise", "40001"),
    ("raise", "40P01"),
    ("raise", "57014"),
    ("raise", "53100"),
    ("kill", None),
    ("delay", "30"),
]
TIMES = 20
LOST = "connection lost"

# Two ways to write each rule: as it is often seen, and as it should be.
RULES = """
create table public.marker (n integer not null);
insert into public.marker values (0);

create function public.naive_cancel(p_booking uuid, p_deposit uuid) returns integer language plpgsql as $$
declare v_status text;
begin
  select status into v_status from public.pilates_bookings where id = p_booking;
  if v_status <> 'confirmed' then return 0; end if;
  update public.pilates_deposits set deposit_remaining = deposit_remaining + 1 where id = p_deposit;
  update public.pilates_bookings set status = 'cancelled' where id = p_booking;
  return 1;
end $$;
create function public.right_cancel(p_booking uuid, p_deposit uuid) returns integer language plpgsql as $$
begin
  perform from public.pilates_bookings where id = p_booking and status = 'confirmed' for update;
  if not found then return 0; end if;
  update public.pilates_deposits set deposit_remaining = deposit_remaining + 1 where id = p_deposit;
  update public.pilates_bookings set status = 'cancelled' where id = p_booking;
  return 1;
end $$;

create function public.naive_book(p_user uuid, p_slot uuid, p_deposit uuid) returns integer language plpgsql as $$
begin
  if (select count(*) from public.pilates_bookings where slot_id = p_slot and status = 'confirmed')
     >= (select max_capacity from public.pilates_schedule_slots where id = p_slot) then return 0; end if;
  insert into public.pilates_bookings (user_id, slot_id, deposit_id) values (p_user, p_slot, p_deposit);
  return 1;
end $$;
create function public.right_book(p_user uuid, p_slot uuid, p_deposit uuid) returns integer language plpgsql as $$
begin
  perform from public.pilates_schedule_slots where id = p_slot for update;
  if (select count(*) from public.pilates_bookings where slot_id = p_slot and status = 'confirmed')
     >= (select max_capacity from public.pilates_schedule_slots where id = p_slot) then return 0; end if;
  insert into public.pilates_bookings (user_id, slot_id, deposit_id) values (p_user, p_slot, p_deposit);
  return 1;
end $$;

create function public.naive_pay(p_user uuid, p_slot uuid, p_deposit uuid) returns integer language plpgsql as $$
begin
  update public.pilates_deposits set deposit_remaining = deposit_remaining - 1 where id = p_deposit;
  begin
    insert into public.pilates_bookings (user_id, slot_id, deposit_id) values (p_user, p_slot, p_deposit);
  exception when others then null;
  end;
  return 1;
end $$;
create function public.right_pay(p_user uuid, p_slot uuid, p_deposit uuid) returns integer language plpgsql as $$
begin
  update public.pilates_deposits set deposit_remaining = deposit_remaining - 1 where id = p_deposit;
  insert into public.pilates_bookings (user_id, slot_id, deposit_id) values (p_user, p_slot, p_deposit);
  return 1;
end $$;

create function public.naive_credit(p_deposit uuid) returns integer language plpgsql as $$
declare v_left integer;
begin
  select deposit_remaining into v_left from public.pilates_deposits where id = p_deposit;
  update public.pilates_deposits set deposit_remaining = v_left + 1 where id = p_deposit;
  return 1;
end $$;
create function public.right_credit(p_deposit uuid) returns integer language plpgsql as $$
begin
  update public.pilates_deposits set deposit_remaining = deposit_remaining + 1 where id = p_deposit;
  return 1;
end $$;

create function public.one_way(p_deposit uuid, p_slot uuid) returns integer language plpgsql as $$
begin
  perform from public.pilates_deposits where id = p_deposit for update;
  update public.pilates_schedule_slots set is_active = is_active where id = p_slot;
  return 1;
end $$;
create function public.other_way(p_deposit uuid, p_slot uuid) returns integer language plpgsql as $$
begin
  perform from public.pilates_schedule_slots where id = p_slot for update;
  update public.pilates_deposits set is_active = is_active where id = p_deposit;
  return 1;
end $$;
"""


class Place:
    """A database of its own with the instruments in it."""

    def __init__(self, url: str):
        self.url = url
        self.own = psycopg2.connect(url)
        self.own.autocommit = True
        self.pool = ThreadPoolExecutor(8)
        self.trace = str(uuid.uuid4())

    def sql(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.own.cursor() as cursor:
            cursor.execute(text, values or None)
            return cursor.fetchall() if cursor.description else []

    def member(self, classes: int = 5) -> tuple[str, str]:
        user, deposit = str(uuid.uuid4()), str(uuid.uuid4())
        self.sql("insert into user_profiles (user_id, email) values (%s, %s)", user, user)
        row = (deposit, user, classes, classes)
        self.sql(
            "insert into pilates_deposits (id, user_id, classes_credited, deposit_remaining) values (%s, %s, %s, %s)",
            *row,
        )
        return user, deposit

    def slot(self, capacity: int = 1) -> str:
        at = time.monotonic_ns() // 1000 % 86_400_000_000
        (row,) = self.sql(
            "insert into pilates_schedule_slots (date, start_time, end_time, max_capacity) values"
            " (current_date + 9, time '00:00' + %s * interval '1 microsecond', '23:59:59', %s) returning id::text",
            at,
            capacity,
        )
        slot_id: str = row[0]
        return slot_id

    def left(self, deposit: str) -> int:
        [(left,)] = self.sql("select deposit_remaining from pilates_deposits where id = %s", deposit)
        count: int = left
        return count

    def call(
        self, actor: str, text: str, *values: Any, trace: str = "", level: str = "", name: str = ""
    ) -> Callable[[], Any]:
        """Make a task that calls as PostgREST does, and returns its value or the error's code."""

        def task() -> Any:
            headers = {"x-trace-id": trace or self.trace, "x-actor": actor, "x-fault-plan": "yes"}
            with contextlib.closing(psycopg2.connect(self.url, application_name=name or "test")) as connection:
                if level:
                    connection.set_session(isolation_level=level)
                with connection.cursor() as cursor:
                    try:
                        if not name:
                            cursor.execute("select set_config('request.headers', %s, true)", (json.dumps(headers),))
                        cursor.execute(text, values or None)
                        row = cursor.fetchone() if cursor.description else None
                        value = row[0] if row else None
                        connection.commit()
                    except psycopg2.Error as error:
                        return error.pgcode or LOST
            return value

        return task

    def scheduler(self) -> Scheduler:
        return Scheduler(self.own, self.pool.submit, self.trace)

    def waits(self, count: int = 1) -> None:
        """Wait until so many calls stand at gates."""
        until = time.monotonic() + 20
        while sum(one.gate is not None for one in instruments.waiting(self.own)) != count:
            assert time.monotonic() < until
            time.sleep(0.002)


@pytest.fixture(scope="module")
def url(studio: Studio) -> Iterator[str]:
    name = f"instruments_{uuid.uuid4().hex[:8]}"
    with contextlib.closing(psycopg2.connect(studio.database_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"create database {name} template template_studio")
            yield studio.database_url.replace("/studio?", f"/{name}?")
            cursor.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="module")
def ready(url: str) -> str:
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        instruments.install(connection)
        with connection.cursor() as cursor:
            cursor.execute(RULES)
    return url


@pytest.fixture
def place(ready: str) -> Iterator[Place]:
    place = Place(ready)
    instruments.install(place.own)
    yield place
    place.pool.shutdown()
    assert place.sql("select count(*) from acceptance.plan") == [(0,)]
    held = (
        "select count(*) from pg_locks where locktype = 'advisory' and classid::bigint = %s and pid = pg_backend_pid()"
    )
    assert place.sql(held, instruments.GATES) == [(0,)]
    place.own.close()


def single(
    place: Place, text: str, *stops: Stop, values: Sequence[Any] = (), **more: Any
) -> tuple[Any, schedule.Course]:
    """Run one call under planned faults."""
    scheduler = place.scheduler()
    task = place.call("anna", text, *values, **more)
    (answer,) = scheduler.run({"anna": ("anna", "no function", task)}, [], {"anna": stops})
    return answer, scheduler.course


@pytest.mark.parametrize(("point", "statement"), [*POINTS.items(), ("commit", ""), ("first change", "")])
def test_every_action_acts_at_every_point(place: Place, point: str, statement: str) -> None:
    _user, deposit = place.member()
    statement = statement or f"update public.pilates_deposits set is_active = not is_active where id = '{deposit}'"
    for action, argument in ACTIONS:
        for swallows in (False, True) if action == "raise" and point != "commit" else (False,):
            risky = (
                f"begin {statement}; exception when others or query_canceled then null; end" if swallows else statement
            )
            text = f"do $$ begin update public.marker set n = n + 1; {risky}; end $$"
            (before,) = place.sql(
                "select n, (select is_active from pilates_deposits where id = %s) from marker", deposit
            )
            started = time.monotonic()
            answer, course = single(place, text, Stop("anna", point, action, argument))
            took = time.monotonic() - started
            (after,) = place.sql(
                "select n, (select is_active from pilates_deposits where id = %s) from marker", deposit
            )
            words = f"{action}{' ' + argument if argument else ''}"
            assert course.seen == [f"anna {'waits' if action == 'wait' else f'meets {words}'} at {point}"]
            assert course.not_exercised() == []
            if swallows:
                # The naive one goes on as if nothing had been: what came before the fault stands, the rest does not.
                assert (answer, after[0], after[1]) == (None, before[0] + 1, before[1])
            elif action in ("raise", "kill"):
                assert (answer, after) == (argument or LOST, before)
            else:
                assert (answer, after[0]) == (None, before[0] + 1)
                assert took >= (0.03 if action == "delay" else 0)


def race(
    place: Place, function: str, arguments: Sequence[Any], others: Sequence[Any] = (), gate: str = "first change"
) -> tuple[list[Any], list[str]]:
    """Stop the first of two calls at a gate, let the other one run, then the first."""
    scheduler = place.scheduler()
    holes = ", ".join(["%s"] * len(arguments))
    tasks = {
        name: (name, function, place.call(name, f"select {function}({holes})", *values))
        for name, values in (("anna", arguments), ("eve", others or arguments))
    }
    answers = scheduler.run(tasks, [Move("anna", gate), Move("eve", END), Move("anna", END)], {})
    assert scheduler.course.not_exercised() == []
    return answers, scheduler.course.seen


@pytest.mark.parametrize(("function", "breaks"), [("naive_cancel", True), ("right_cancel", False)])
def test_two_cancellations_give_back_twice_only_where_nothing_is_locked(
    place: Place, function: str, breaks: bool
) -> None:
    for _ in range(TIMES):
        user, deposit = place.member(4)
        values = (user, place.slot(), deposit)
        (row,) = place.sql(
            "insert into pilates_bookings (user_id, slot_id, deposit_id) values (%s, %s, %s) returning id", *values
        )
        answers, seen = race(place, function, (row[0], deposit))
        assert (sum(answers), place.left(deposit)) == ((2, 6) if breaks else (1, 5))
        assert ("eve is blocked" in seen) == (not breaks)


@pytest.mark.parametrize(("function", "breaks"), [("naive_book", True), ("right_book", False)])
def test_the_last_place_is_given_twice_only_where_nothing_is_locked(place: Place, function: str, breaks: bool) -> None:
    for _ in range(TIMES):
        slot = place.slot(1)
        (anna, hers), (eve, other) = place.member(), place.member()
        answers, seen = race(place, function, (anna, slot, hers), (eve, slot, other), "booking.insert")
        assert sum(answers) == (2 if breaks else 1)
        assert ("eve is blocked" in seen) == (not breaks)


@pytest.mark.parametrize(("function", "breaks"), [("naive_credit", True), ("right_credit", False)])
def test_an_update_is_lost_only_where_it_was_read_before(place: Place, function: str, breaks: bool) -> None:
    for _ in range(TIMES):
        _, deposit = place.member(4)
        answers, _ = race(place, function, (deposit,), gate="deposit.update")
        assert (answers, place.left(deposit)) == ([1, 1], 5 if breaks else 6)


@pytest.mark.parametrize(("function", "breaks"), [("naive_pay", True), ("right_pay", False)])
def test_a_class_is_lost_only_where_the_error_is_swallowed(place: Place, function: str, breaks: bool) -> None:
    for _ in range(TIMES):
        user, deposit = place.member(4)
        stop = Stop("anna", "booking.insert", "raise", "53100")
        answer, _ = single(place, f"select {function}(%s, %s, %s)", stop, values=(user, place.slot(), deposit))
        booked = place.sql("select count(*) from pilates_bookings where user_id = %s", user)
        assert (answer, place.left(deposit), booked) == ((1, 3, [(0,)]) if breaks else ("53100", 4, [(0,)]))


def test_three_calls_take_their_turns(place: Place) -> None:
    _, deposit = place.member(4)
    scheduler = place.scheduler()
    names = ("anna", "bob", "eve")
    tasks = {n: (n, "naive_credit", place.call(n, "select naive_credit(%s)", deposit)) for n in names}
    moves = schedule.read("anna -> deposit.update | bob -> deposit.update | eve -> end | bob -> end | anna -> end")
    assert scheduler.run(tasks, moves, {}) == [1, 1, 1]
    assert place.left(deposit) == 5, "all three read 4"
    waits = ["anna waits at deposit.update", "bob waits at deposit.update"]
    assert scheduler.course.seen == [*waits, "eve ended", "bob ended", "anna ended"]


def test_calls_of_one_function_wait_one_after_the_other(place: Place) -> None:
    _, deposit = place.member()
    over, late = threading.Event(), []

    def anna() -> Any:
        answer = place.call("anna", "select one_way(%s, %s)", deposit, place.slot())()
        over.set()
        return answer

    def eve() -> Any:
        over.wait(0.5)  # by then bob waits; that must not pass for eve
        late.append(over.is_set())
        return place.call("eve", "select right_credit(%s)", deposit)()

    bob = place.call("bob", "select right_credit(%s)", deposit)
    tasks = {
        "anna": ("anna", "one_way", anna),
        "bob": ("bob", "right_credit", bob),
        "eve": ("eve", "right_credit", eve),
    }
    scheduler = place.scheduler()
    moves = schedule.read("anna -> slot.update | bob -> end | eve -> end | anna -> end")
    assert scheduler.run(tasks, moves, {}) == [1, 1, 1]
    assert scheduler.course.seen == ["anna waits at slot.update", "bob is blocked", "eve is blocked", "anna ended"]
    assert late == [False]


def test_gates_of_another_database_are_not_ours(place: Place, studio: Studio) -> None:
    gate = f"select pg_advisory_lock({instruments.GATES}, 7)"
    holder, waiter = psycopg2.connect(studio.database_url), psycopg2.connect(studio.database_url)
    with contextlib.closing(holder), contextlib.closing(waiter):
        holder.cursor().execute(gate)
        waits = place.pool.submit(waiter.cursor().execute, gate)
        try:
            until = time.monotonic() + 20
            while not place.sql("select 1 from pg_locks where not granted and pid = %s", waiter.info.backend_pid):
                assert time.monotonic() < until
                time.sleep(0.002)
            assert instruments.waiting(place.own) == []
        finally:
            holder.rollback()
            holder.cursor().execute("select pg_advisory_unlock_all()")
            waits.result()


def test_a_deadlock_of_the_target_comes_to_its_end(place: Place) -> None:
    _, deposit = place.member()
    slot = place.slot()
    scheduler = place.scheduler()
    tasks = {
        "anna": ("anna", "one_way", place.call("anna", "select one_way(%s, %s)", deposit, slot)),
        "eve": ("eve", "other_way", place.call("eve", "select other_way(%s, %s)", deposit, slot)),
    }
    moves = schedule.read("anna -> slot.update | eve -> deposit.update | anna -> end | eve -> end")
    assert sorted(scheduler.run(tasks, moves, {}), key=str) == [1, "40P01"]


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_transactions_with_one_snapshot_stop_and_fail_too(place: Place, level: str) -> None:
    _, deposit = place.member(4)
    text = "select naive_credit(%s)"
    for action, argument, told in (("wait", None, 1), ("raise", "40001", "40001"), ("kill", None, LOST)):
        stop = Stop("anna", "deposit.update", action, argument)
        answer, course = single(place, text, stop, values=(deposit,), level=level)
        assert (answer, course.not_exercised()) == (told, [])
    scheduler = place.scheduler()
    tasks = {n: (n, "naive_credit", place.call(n, text, deposit, level=level)) for n in ("anna", "eve")}
    answers = scheduler.run(tasks, schedule.read("anna -> deposit.update | eve -> end | anna -> end"), {})
    assert answers == ["40001", 1], "the one with the old snapshot must not overwrite"


def test_only_the_planned_call_stops(place: Place) -> None:
    _, deposit = place.member(0)
    gates = instruments.shut(place.own, place.trace, [Stop("anna", "first change", "raise", "40001")])
    text = "select right_credit(%s)"
    assert place.call("bob", text, deposit)() == 1, "another actor"
    assert place.call("anna", text, deposit, trace=str(uuid.uuid4()))() == 1, "another trace"
    assert place.call("anna", text, deposit, name="acceptance/other/anna")() == 1, "another trace, by its name"
    assert place.call("anna", text, deposit, name="psql")() == 1, "no request at all"
    waiting: Future[Any] = place.pool.submit(place.call("", text, deposit, name=f"acceptance/{place.trace}/anna"))
    place.waits()
    assert place.call("bob", text, deposit)() == 1, "while one stands at its gate"
    instruments.open_gates(place.own, gates)
    assert waiting.result(20) == "40001"
    assert place.left(deposit) == 5


@pytest.mark.parametrize("level", ["", "SERIALIZABLE"])
def test_nothing_fires_when_its_observer_is_dead(place: Place, level: str) -> None:
    _, deposit = place.member(0)
    observer = psycopg2.connect(place.url)
    observer.autocommit = True
    instruments.shut(observer, place.trace, [Stop("anna", "deposit.update", "raise", "40001")])
    waiting = place.pool.submit(place.call("anna", "select right_credit(%s)", deposit, level=level))
    place.waits()
    observer.close()
    assert waiting.result(20) == 1
    assert place.call("anna", "select right_credit(%s)", deposit)() == 1, "nor later"
    place.sql("delete from acceptance.plan")


def test_what_is_not_reached_is_not_exercised(place: Place) -> None:
    _, deposit = place.member(0)
    stop = Stop("anna", "booking.insert", "kill")
    answer, course = single(place, "select right_credit(%s)", stop, values=(deposit,))
    assert (answer, course.not_exercised()) == (1, ["anna meets kill at booking.insert"])
    scheduler = place.scheduler()
    tasks = {"anna": ("anna", "right_credit", place.call("anna", "select right_credit(%s)", deposit))}
    scheduler.run(tasks, [Move("anna", "slot.update"), Move("anna", END)], {})
    assert scheduler.course.not_exercised() == ["anna waits at slot.update"]


def test_a_schedule_that_moves_nobody_is_refused_before_any_call(place: Place) -> None:
    with pytest.raises(SuiteError, match="moves 'bob', but the calls are of anna"):
        place.scheduler().run({"anna": ("anna", "", pytest.fail)}, [Move("bob", END)], {})


def catalogue(place: Place) -> list[tuple[Any, ...]]:
    return place.sql(
        "select 'schema', nspname::text, '' from pg_namespace union all"
        " select 'trigger', tgname::text, tgrelid::regclass::text from pg_trigger where not tgisinternal union all"
        " select 'function', proname::text, pronamespace::regnamespace::text from pg_proc order by 1, 2, 3"
    )


def test_they_come_and_go_without_a_trace(url: str) -> None:
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        assert instruments.remove(connection)
        place = Place(url)
        before = catalogue(place)
        instruments.install(place.own)
        instruments.install(place.own)
        assert instruments.installed(place.own) == instruments.version()
        assert instruments.remove(connection) is False, "somebody uses them"
        instruments.release(place.own)
        assert instruments.remove(connection) is False, "installed twice is held twice"
        instruments.release(place.own)
        assert instruments.remove(connection) is True
        assert catalogue(place) == before
        assert instruments.remove(connection) is True
        place.sql("create schema acceptance")
        place.sql("comment on schema acceptance is 'acceptance instruments of last year'")
        instruments.install(place.own)
        assert instruments.installed(place.own) == instruments.version()
        place.own.close()


def test_many_install_them_at_once(url: str) -> None:
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        assert instruments.remove(connection)
    together = threading.Barrier(8)

    def one() -> str | None:
        with contextlib.closing(psycopg2.connect(url)) as mine:
            mine.autocommit = True
            together.wait(20)
            instruments.install(mine)
            return instruments.installed(mine)

    with ThreadPoolExecutor(8) as pool:
        assert {future.result() for future in [pool.submit(one) for _ in range(8)]} == {instruments.version()}


def test_they_are_installed_and_removed_while_calls_lock_the_same_tables(url: str) -> None:
    """Neither side ends as the victim of a deadlock, whatever the order in which a call locks its tables."""
    over, calls, failed = threading.Event(), [], []

    def call(tables: Sequence[str]) -> None:
        with contextlib.closing(psycopg2.connect(url)) as mine, mine.cursor() as cursor:
            while not over.is_set():
                try:
                    for table in tables:
                        cursor.execute(f"update public.{table} set id = id where false")
                        cursor.execute("select pg_sleep(0.002)")
                    mine.commit()
                    calls.append(1)
                except psycopg2.Error as error:
                    mine.rollback()
                    failed.append(str(error))

    place = Place(url)
    assert instruments.remove(place.own)
    of_all = ("pilates_deposits", "pilates_bookings", "pilates_schedule_slots")
    threads = [threading.Thread(target=call, args=(tables,)) for tables in (of_all, of_all[::-1]) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            instruments.install(place.own)
            instruments.release(place.own)
            assert instruments.remove(place.own)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert (failed, bool(calls)) == ([], True)
    instruments.install(place.own)
    place.own.close()


def test_a_strangers_schema_and_a_role_without_rights_are_told_of(url: str) -> None:
    place = Place(url)
    assert instruments.remove(place.own)
    place.sql("create schema acceptance")
    place.sql("create table acceptance.theirs ()")
    with pytest.raises(SuiteError, match="a schema 'acceptance' that is not ours"):
        instruments.install(place.own)
    assert instruments.remove(place.own)
    assert place.sql("select to_regclass('acceptance.theirs') is not null") == [(True,)]
    place.sql("drop schema acceptance cascade")
    place.sql("set role authenticated")
    with pytest.raises(SuiteError, match=r"^the instruments cannot be installed: permission denied"):
        instruments.install(place.own)
    place.sql("reset role")
    assert instruments.installed(place.own) is None
    instruments.install(place.own)
    place.own.close()


def test_clean_removes_them(studio: Studio) -> None:
    with contextlib.closing(psycopg2.connect(studio.database_url)) as connection:
        connection.autocommit = True
        instruments.install(connection)
        assert "instruments: in use by a run just now; clean again after it" in list(cleanup.rows_of("embedded"))
        instruments.release(connection)
        assert "instruments: removed" in list(cleanup.rows_of("embedded"))
        assert instruments.installed(connection) is None
        assert not any("instruments" in line for line in cleanup.rows_of("embedded"))
