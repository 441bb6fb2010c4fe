"""Whom a fault stops: the call it was planned for, as long as its observer is there, and nobody else."""

from __future__ import annotations

import uuid
from concurrent.futures import Future
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from acceptance import instruments, schedule
from acceptance.embedded import Studio
from acceptance.errors import SuiteError
from acceptance.instruments import Stop
from acceptance.schedule import END, Move
from tools.selftest.instruments.place import LOST, Place, single
from tools.studio.processes import wait_until


def test_gates_of_another_database_are_not_ours(place: Place, studio: Studio) -> None:
    gate = f"select pg_advisory_lock({instruments.GATES}, 7)"
    holder, waiter = psycopg2.connect(studio.database_url), psycopg2.connect(studio.database_url)
    with closing(holder), closing(waiter):
        holder.cursor().execute(gate)
        waits = place.pool.submit(waiter.cursor().execute, gate)
        try:
            blocked = "select 1 from pg_locks where not granted and pid = %s"
            assert wait_until(lambda: bool(place.sql(blocked, waiter.info.backend_pid)), 20)
            assert instruments.waiting(place.own) == []
        finally:
            holder.rollback()
            holder.cursor().execute("select pg_advisory_unlock_all()")
            waits.result()


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
