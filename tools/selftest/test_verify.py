"""Each kind of corruption is planted in a database and named by verify-db; a sound database passes."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance.embedded import Studio
from tools import verify
from tools.selftest.databases import another_database

ANNA, TEN, PAID, PLACE = (str(uuid.UUID(int=n)) for n in range(1, 5))
SOUND = f"""
insert into user_profiles (user_id, email) values ('{ANNA}', 'anna@example.test');
insert into pilates_schedule_slots (id, date, start_time, end_time, max_capacity)
  values ('{TEN}', current_date + 1, '10:00', '10:55', 4);
insert into pilates_deposits (id, user_id, classes_credited, deposit_remaining) values ('{PAID}', '{ANNA}', 10, 9);
insert into pilates_bookings (id, user_id, slot_id, deposit_id) values ('{PLACE}', '{ANNA}', '{TEN}', '{PAID}');
insert into pilates_calendar_outbox (booking_id, user_id, slot_id, event)
  values ('{PLACE}', '{ANNA}', '{TEN}', 'booked');
"""
# What goes wrong, and which check must name it. Constraints that forbid it are taken away first: on a database
# without them it could have happened.
CORRUPTIONS = {
    "a class lost": ("I2-members", "update pilates_deposits set deposit_remaining = 8"),
    "a class given away": ("I2-members", "update pilates_deposits set deposit_remaining = 10"),
    "paid from another deposit": (
        "I2-deposits",
        f"insert into pilates_deposits (id, user_id, classes_credited, deposit_remaining)"
        f" values ('{uuid.UUID(int=9)}', '{ANNA}', 5, 4); update pilates_deposits set deposit_remaining = 10"
        f" where id = '{PAID}'",
    ),
    "overbooked": ("I3-overbooked", "update pilates_schedule_slots set max_capacity = 0"),
    "a wrong counter": (
        "I3-occupancy",
        "create or replace view pilates_slots_with_occupancy as select id as slot_id, date, start_time, end_time,"
        " studio.starts_at(date, start_time) as starts_at, max_capacity, is_active, 0 as booked_count"
        " from pilates_schedule_slots",
    ),
    "a booking without its class": (
        "I4-dangling",
        "alter table pilates_bookings drop constraint pilates_bookings_slot_id_fkey;delete from pilates_schedule_slots",
    ),
    "a member gone": (
        "I4-dangling",
        "alter table pilates_bookings drop constraint pilates_bookings_user_id_fkey;"
        "alter table pilates_deposits drop constraint pilates_deposits_user_id_fkey; delete from user_profiles",
    ),
    "booked twice": (
        "I5-twice",
        f"drop index pilates_bookings_stands_once; insert into pilates_bookings (user_id, slot_id, deposit_id)"
        f" values ('{ANNA}', '{TEN}', '{PAID}')",
    ),
    "below zero": (
        "I6-negative",
        "alter table pilates_deposits drop constraint pilates_deposits_deposit_remaining_check;"
        "update pilates_deposits set deposit_remaining = -1",
    ),
    "changed behind the audit log": (
        "I9-unaudited",
        f"insert into pilates_audit_log (caller_role, operation, deposit_id, before, after)"
        f""" values ('user', 'book', '{PAID}', '{{"deposit_remaining": 9}}', '{{"deposit_remaining": 8}}')""",
    ),
    "the calendar never told": ("I10-calendar", "delete from pilates_calendar_outbox"),
    "the calendar not told of the end": (
        "I10-calendar",
        "update pilates_bookings set status = 'cancelled'; update pilates_deposits set deposit_remaining = 10",
    ),
}


@pytest.fixture
def scratch(studio: Studio, db: Connection) -> Iterator[str]:
    """A database of its own with one member, one class, one deposit and one booking in order."""
    with db.cursor() as cursor:
        cursor.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'template_studio'")
    with another_database(studio, "verify") as url:
        with contextlib.closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(SOUND)
        yield url


def found(url: str) -> dict[str, verify.Outcome]:
    with contextlib.closing(psycopg2.connect(url)) as connection:
        return {outcome.check.id: outcome for outcome in verify.run_checks(connection, verify.load_checks())}


def spoil(url: str, sql: str) -> None:
    with contextlib.closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql)


def test_a_sound_database_is_all_ok(scratch: str) -> None:
    assert {outcome.status for outcome in found(scratch).values()} == {"ok"}


@pytest.mark.parametrize(("check", "sql"), CORRUPTIONS.values(), ids=CORRUPTIONS.keys())
def test_a_planted_corruption_is_named(scratch: str, check: str, sql: str) -> None:
    spoil(scratch, sql)
    outcome = found(scratch)[check]
    assert outcome.findings, outcome.status
    assert all(row["finding"] for row in outcome.findings)


def test_every_check_has_its_corruption() -> None:
    assert {check for check, _ in CORRUPTIONS.values()} == {check.id for check in verify.load_checks()}


def test_what_a_target_lacks_is_not_proven(scratch: str) -> None:
    spoil(scratch, "drop table pilates_calendar_outbox cascade")
    outcome = found(scratch)["I10-calendar"]
    assert outcome.status == "not proven"
    assert outcome.missing[0] == "pilates_calendar_outbox.booking_id"


def test_the_checks_cannot_write(scratch: str) -> None:
    greedy = verify.Check(
        "X", "writes", "P0", [], "update pilates_deposits set deposit_remaining = 0 returning id::text as key"
    )
    evil = verify.Check("X", "writes", "P0", [], "select set_config('x.y', txid_current()::text, false) as key")
    with contextlib.closing(psycopg2.connect(scratch)) as connection:
        (outcome,) = verify.run_checks(connection, [greedy])
        assert (outcome.status, outcome.trouble) == ("could not run", 'syntax error at or near "set"')
        (outcome,) = verify.run_checks(connection, [evil])
        assert outcome.status == "1 found"
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction), connection.cursor() as cursor:
            cursor.execute("delete from pilates_bookings")


def test_findings_are_listed_page_by_page(scratch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(
        scratch,
        "insert into user_profiles (user_id, email) select gen_random_uuid(), n || '@x' from generate_series(1, 25) n;"
        "insert into pilates_deposits (user_id, classes_credited, deposit_remaining)"
        " select user_id, 3, 2 from user_profiles"
        f" where user_id <> '{ANNA}'",
    )
    monkeypatch.setattr(verify, "PAGE_ROWS", 10)
    keys = [row["key"] for row in found(scratch)["I2-members"].findings]
    assert (len(keys), keys) == (25, sorted(set(keys)))


def test_the_compensation_mends_what_was_found_and_is_never_run(scratch: str) -> None:
    spoil(scratch, "update pilates_deposits set deposit_remaining = 7")
    outcome = found(scratch)["I2-members"]
    script = verify.compensation(outcome)
    assert script.rstrip().endswith("rollback;")
    assert found(scratch)["I2-members"].findings == outcome.findings
    spoil(scratch, script.replace("rollback;", "commit;").replace("begin;", ""))
    assert found(scratch)["I2-members"].status == "ok"


def test_a_large_database_takes_seconds(scratch: str) -> None:
    """No limit is asserted: the figure is for the README (pytest --durations shows it)."""
    members = 2_000
    spoil(
        scratch,
        f"""
        insert into user_profiles (user_id, email)
          select gen_random_uuid(), 'm' || n || '@example.test' from generate_series(1, {members}) n;
        insert into pilates_deposits (user_id, classes_credited, deposit_remaining)
          select user_id, 50, 45 from user_profiles where user_id <> '{ANNA}';
        insert into pilates_schedule_slots (date, start_time, end_time, max_capacity)
          select current_date + 10 + n / 10, make_time(6 + n % 10, 0, 0), make_time(6 + n % 10, 55, 0), 1000
          from generate_series(1, 100) n;
        """,
    )
    started = time.monotonic()
    outcomes = found(scratch)
    print(f"{members} members: {time.monotonic() - started:.2f} s")
    assert len(outcomes["I2-members"].findings) == members
