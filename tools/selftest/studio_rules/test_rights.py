"""Who may call, see and write what."""

from __future__ import annotations

import uuid
from contextlib import nullcontext

import psycopg2
import pytest

from tools.selftest.calls import FUNCTIONS, arguments
from tools.selftest.studio_rules.town import Town

RIGHTS = {  # what: who may do it in anna's name
    "book": {"anna", "sue", "eve"},
    "cancel": {"anna", "sue", "eve"},
    "move": {"anna", "sue", "eve"},
    "remove": {"sue", "eve"},
    "confirm": {"anna", "tom", "sue", "eve"},
    "credit": {"sue", "eve"},
    "expire": {"sue", "eve"},
}


@pytest.mark.parametrize("what", RIGHTS)
@pytest.mark.parametrize("who", ["anna", "bob", "tom", "sue", "eve", "nobody", None])
def test_who_may_do_what(town: Town, what: str, who: str | None) -> None:
    town.deposit("anna", 5)
    anna, room, other = town.people["anna"], town.slot(), town.slot()
    booking = town.book("anna", room)[0] if what != "book" else ""
    caller = str(uuid.uuid4()) if who == "nobody" else who
    answer = town.call(caller, what, *arguments(what, anna, booking, other))
    refused = isinstance(answer, str) and (answer.startswith(("PT403", "42501")))
    assert refused == (who not in RIGHTS[what]), answer


SEES = {  # how many of anna's rows each caller sees: profile, deposit, booking, audit entry, class, view
    "anna": (1, 1, 1, None, 1, 1),
    "bob": (0, 0, 0, None, 1, 1),
    "tom": (1, 1, 1, None, 1, 1),
    "eve": (1, 1, 1, 1, 1, 1),
    None: (None, None, None, None, 1, 1),
}


@pytest.mark.parametrize("who", SEES)
def test_who_sees_what(town: Town, who: str | None) -> None:
    town.deposit("anna", 1)
    room = town.slot()
    town.book("anna", room)
    anna = town.people["anna"]
    queries = (
        f"select count(*) from user_profiles where user_id = '{anna}'",
        f"select count(*) from pilates_deposits where user_id = '{anna}'",
        f"select count(*) from pilates_bookings where user_id = '{anna}'",
        f"select count(*) from pilates_audit_log where user_id = '{anna}'",
        f"select count(*) from pilates_schedule_slots where id = '{room}'",
        f"select count(*) from pilates_slots_with_occupancy where slot_id = '{room}'",
    )
    seen = []
    for query in queries:
        with town.acting(who) as cursor:
            try:
                cursor.execute(query)
                seen += [count for (count,) in cursor.fetchall()]
            except psycopg2.errors.InsufficientPrivilege:
                seen.append(None)
    expected = SEES[who]
    # The audit log is granted to everyone signed in, and shows rows to administrators only.
    assert tuple(seen) == tuple(0 if e is None and who else e for e in expected)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("user_profiles", "role"),
        ("pilates_deposits", "deposit_remaining"),
        ("pilates_bookings", "status"),
        ("pilates_audit_log", "after"),
        ("pilates_calendar_outbox", "delivered_at"),
        ("idempotency_keys", "answer"),
    ],
)
@pytest.mark.parametrize("who", ["anna", "eve"])
def test_nobody_writes_around_the_functions(town: Town, table: str, column: str, who: str) -> None:
    town.deposit("anna", 1)
    for statement in (
        f"delete from {table}",
        f"update {table} set {column} = default",
        f"insert into {table} default values",
    ):
        with town.acting(who) as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(statement)


@pytest.mark.parametrize(("who", "may"), [("anna", False), ("tom", False), ("sue", True), ("eve", True)])
def test_who_plans_the_classes(town: Town, who: str, may: bool) -> None:
    room = town.slot(1)
    with town.acting(who) as cursor:
        cursor.execute("update pilates_schedule_slots set max_capacity = 9 where id = %s", (room,))
        assert cursor.rowcount == may
        with nullcontext() if may else pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(
                "insert into pilates_schedule_slots (date, start_time, end_time, max_capacity)"
                " values ('2030-01-01', '10:00', '11:00', 4)"
            )


def test_a_type_of_the_callers_own_runs_no_code_with_the_owners_rights(town: Town) -> None:
    town.deposit("anna", 1)
    room = town.slot()
    with town.acting("anna") as cursor:
        cursor.execute(
            "create function pg_temp.spy(boolean) returns boolean language plpgsql as"
            " $$ begin if current_user = 'authenticated' then return true; end if; raise 'I am %', current_user; end $$"
        )
        for name in ("uuid", "jsonb", "text"):
            cursor.execute(f"create domain pg_temp.{name} as pg_catalog.{name} check (pg_temp.spy(true))")
        cursor.execute(FUNCTIONS["book"], (town.people["anna"], room))
        [(_, left)] = cursor.fetchall()
    assert left == 0
