"""verify-db and reconcile on databases that are not ours: clean when right, each wrong row named, never a traceback."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import yaml
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance import embedded, environment, paid
from acceptance.catalogue import Catalogue, Column, Table
from acceptance.datafiles import ROOT
from acceptance.errors import SuiteError
from tools import verify
from tools.selftest.conftest import Call
from tools.selftest.schemas import files
from tools.studio import foreign

NAME = "theirs"
ANNA, TEN, TWO, PAID, MEMBERSHIP, PLACE = (str(uuid.UUID(int=n)) for n in range(1, 7))
SOUND = f"""
insert into auth.users (id, email) values ('{ANNA}', 'anna@example.test');
insert into plans (id, name, classes, price_cents) values (1, 'ten', 10, 15000);
insert into memberships (id, user_id, plan_id, state, started_on, ends_on)
  values ('{MEMBERSHIP}', '{ANNA}', 1, 'active', current_date - 9, current_date + 90);
insert into pilates_schedule_slots (id, date, start_time, end_time, instructor_id, level, max_capacity)
  values ('{TEN}', current_date + 1, '10:00', '10:55', '{ANNA}', 'beginner', 4),
         ('{TWO}', current_date - 1, '14:00', '14:55', '{ANNA}', 'beginner', 4);
insert into pilates_deposits (id, user_id, deposit_remaining) values ('{PAID}', '{ANNA}', 8);
insert into pilates_bookings (id, user_id, slot_id, membership_id, deposit_id, status, source)
  values ('{PLACE}', '{ANNA}', '{TEN}', '{MEMBERSHIP}', '{PAID}', 'booked', 'app'),
         (gen_random_uuid(), '{ANNA}', '{TWO}', '{MEMBERSHIP}', '{PAID}', 'attended', 'app');
"""
COLUMN = (
    "alter table pilates_deposits add classes_purchased integer; update pilates_deposits set classes_purchased = 10"
)

COUNTER = "alter table pilates_schedule_slots add booked_count integer not null default 0"

CORRUPTIONS = {
    "a class lost": ("I2-members", "update pilates_deposits set deposit_remaining = 7"),
    "a class lost on one deposit": (
        "I2-deposits",
        f"insert into pilates_deposits (user_id, deposit_remaining, classes_purchased) values ('{ANNA}', 3, 4);"
        f"update pilates_deposits set deposit_remaining = 9 where id = '{PAID}'",
    ),
    "overbooked": ("I3-overbooked", "update pilates_schedule_slots set max_capacity = 0"),
    "a booking without its class": (
        "I4-dangling",
        "alter table pilates_bookings drop constraint pilates_bookings_slot_id_fkey;delete from pilates_schedule_slots",
    ),
    "booked twice": (
        "I5-twice",
        "alter table pilates_bookings drop constraint pilates_bookings_user_id_slot_id_key;"
        "insert into pilates_bookings (user_id, slot_id, membership_id, deposit_id, status, source)"
        " select user_id, slot_id, membership_id, deposit_id, status, source from pilates_bookings",
    ),
    "below zero": (
        "I6-negative",
        "alter table pilates_deposits drop constraint pilates_deposits_deposit_remaining_check;"
        "update pilates_deposits set deposit_remaining = -1",
    ),
}
CORRUPTIONS["a wrong view"] = (
    "I3-occupancy",
    "create or replace view pilates_slots_with_occupancy as select id as slot_id, date, start_time, end_time,"
    " max_capacity, is_active, 0 as booked_count from pilates_schedule_slots",
)


@pytest.fixture
def theirs(
    studio: embedded.Studio, db: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Connection]:
    """A database of theirs with one member, whose classes add up, known as an environment."""
    name = f"theirs_{uuid.uuid4().hex[:8]}"
    spoil(db, f"create database {name} template template0")
    url = studio.database_url.replace("/studio?", f"/{name}?")
    foreign.apply(lambda: psycopg2.connect(url), files("supabase"))
    monkeypatch.setattr(environment, "FILE", tmp_path / "environments.yaml")
    write_entry(url)
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        spoil(connection, SOUND)
        yield connection
    spoil(db, f"drop database {name} with (force)")


def write_entry(url: str, **more: object) -> None:
    document = yaml.safe_load((ROOT / "data" / "environments.yaml").read_text())
    entry = {"api_url": "http://127.0.0.1:9", "database_url": url, "jwt_secret": "unused", "read_only": True}
    document["environments"][NAME] = {"description": "Theirs.", **entry, **more}
    environment.FILE.write_text(yaml.safe_dump(document))


def spoil(connection: Connection, sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def found(connection: Connection) -> dict[str, verify.Outcome]:
    chosen = environment.load(NAME)
    with closing(psycopg2.connect(chosen.locations["database_url"])) as other:
        return {outcome.check.id: outcome for outcome in verify.run_checks(other, verify.load_checks(), chosen)}


def test_a_sound_database_is_clean_and_says_what_it_lacks(theirs: Connection, call: Call) -> None:
    spoil(theirs, COLUMN)
    code, said = call("verify-db", "--env", NAME)
    assert code == 0, said
    assert "Paid for is pilates_deposits.classes_purchased." in said
    proven = {name for name, outcome in found(theirs).items() if outcome.status == "ok"}
    lacking = {"I9-unaudited", "I10-calendar"}
    assert proven == {check.id for check in verify.load_checks()} - lacking
    for name in lacking:
        assert f"{name}: not proven, the database lacks " in said
    code, said = call("reconcile", "--env", NAME)
    assert code == 0, said
    assert "Every member's classes add up" in said


@pytest.mark.parametrize(("check", "sql"), CORRUPTIONS.values(), ids=CORRUPTIONS.keys())
def test_a_planted_inconsistency_is_named(theirs: Connection, check: str, sql: str) -> None:
    spoil(theirs, COLUMN)
    spoil(theirs, sql)
    outcome = found(theirs)[check]
    assert outcome.findings, outcome
    assert all(row["finding"] for row in outcome.findings)


def test_who_lost_a_class_is_told_with_sql_that_mends_it(theirs: Connection, call: Call, tmp_path: Path) -> None:
    spoil(theirs, f"{COLUMN}; update pilates_deposits set deposit_remaining = 7")
    code, said = call("verify-db", "--env", NAME)
    assert code == 1, said
    assert "lost 1 classes" in said
    code, said = call("reconcile", "--env", NAME, "--output", str(tmp_path / "out"))
    assert code == 1, said
    assert "1 members: 1 classes lost, 0 given away." in said
    script = (tmp_path / "out" / "compensation.sql").read_text()
    spoil(theirs, script.replace("rollback;", "commit;"))
    assert call("reconcile", "--env", NAME)[0] == 0


def test_without_the_number_paid_for_nobody_can_tell(theirs: Connection, call: Call) -> None:
    code, said = call("reconcile", "--env", NAME)
    assert code == 2
    assert said.count("\n") == 1
    assert "who lost how many classes cannot be told: the database lacks a column with the number of classes" in said
    assert "credited: COLUMN" in said
    code, said = call("verify-db", "--env", NAME)
    assert code == 0, said
    assert "I2-members: not proven" in said
    spoil(theirs, COLUMN)
    spoil(theirs, "update pilates_deposits set classes_purchased = null")
    code, said = call("reconcile", "--env", NAME)
    assert code == 2
    assert "a number in classes_purchased or deposit_remaining of 1 deposits" in said


def test_the_column_may_be_named(theirs: Connection, call: Call) -> None:
    url = environment.load(NAME).locations["database_url"]
    spoil(theirs, "alter table pilates_deposits add size integer; update pilates_deposits set size = 11")
    write_entry(url, credited="size")
    code, said = call("reconcile", "--env", NAME)
    assert code == 1, said
    assert "1 classes lost" in said
    write_entry(url, credited="nothing")
    for command in ("reconcile", "verify-db"):
        code, said = call(command, "--env", NAME)
        assert code == 2
        assert f"{NAME}.credited: pilates_deposits has no column nothing" in said


def test_a_status_that_nobody_knows_leaves_the_sums_out(theirs: Connection, call: Call) -> None:
    spoil(theirs, COLUMN)
    spoil(theirs, "alter type booking_status add value 'late_cancelled'")
    spoil(theirs, "update pilates_bookings set status = 'late_cancelled' where status = 'attended'")
    code, said = call("reconcile", "--env", NAME)
    assert code == 2
    assert "a meaning for the status late_cancelled (of 1) of bookings" in said
    assert {n for n, one in found(theirs).items() if one.missing} >= {"I2-members", "I3-occupancy", "I5-twice"}
    url = environment.load(NAME).locations["database_url"]
    write_entry(url, other_statuses={"late_cancelled": "paid"})
    assert call("reconcile", "--env", NAME)[0] == 0
    write_entry(url, other_statuses={"late_cancelled": "free"})
    assert call("reconcile", "--env", NAME)[0] == 1


def test_what_postgresql_cannot_run_is_told_and_not_passed(theirs: Connection, call: Call) -> None:
    spoil(theirs, "create table pilates_audit_log (id integer, deposit_id uuid, after text)")
    code, said = call("verify-db", "--env", NAME)
    assert code == 2, said
    assert "I9-unaudited: could not run: PostgreSQL says: operator does not exist" in said


def test_a_counter_stands_for_the_view(theirs: Connection) -> None:
    spoil(theirs, "drop view pilates_slots_with_occupancy")
    outcome = found(theirs)["I3-occupancy"]
    assert outcome.status == "not proven"
    assert "a column that counts a class's bookings" in outcome.missing[0]
    spoil(theirs, f"{COUNTER}; update pilates_schedule_slots set booked_count = 1 where id = '{TEN}'")
    assert found(theirs)["I3-occupancy"].status == "ok"
    spoil(theirs, "update pilates_schedule_slots set booked_count = 0")
    (row,) = found(theirs)["I3-occupancy"].findings
    assert (row["key"], row["finding"]) == (TEN, "shows 0, but 1 bookings stand")


def test_a_word_in_braces_must_be_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "x.sql").write_text("-- id: X\n-- title: x\n-- needs: a.b\n-- severity: P0\nselect '{booked}' as key")
    monkeypatch.setattr(verify, "FOLDER", tmp_path)
    with pytest.raises(SuiteError, match=r"x\.sql: \{booked\} is no word of the checks; known: confirmed"):
        verify.load_checks()


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["classes_credited", "total_classes"], "classes_credited"),
        (["total_classes"], "total_classes"),
        (["initial_classes", "total_classes"], "initial_classes"),
        (["classes_purchased"], "classes_purchased"),
        (["total_classes", "total_hours"], ""),
        (["total_price", "total_used", "credited_days", "classes_left", "amount"], ""),
    ],
)
def test_the_column_is_found_by_its_name(columns: list[str], expected: str) -> None:
    made = {name: Column(name, "integer", "b", None, False, False, None) for name in ["deposit_remaining", *columns]}
    catalogue = Catalogue({}, {paid.TABLE: Table(paid.TABLE, made, (), (), (), ())})
    assert paid.find(environment.load("sql"), catalogue)[0] == expected
