"""What `doctor` and the first look of a run say beforehand: what a system is like, and what will be not proven."""

from __future__ import annotations

import importlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from acceptance import environment, instruments, trial
from acceptance.catalogue import read_tables
from acceptance.datafiles import ROOT
from tools import generator, vocabulary
from tools.run import cases, foresight, preflight, shape
from tools.selftest.clone import pilates
from tools.selftest.schemas import files, left_in


def test_foresight_knows_what_every_keyword_needs() -> None:
    names = set()
    for path in (ROOT / "libraries").glob("*Keywords.py"):
        library = getattr(importlib.import_module(path.stem), path.stem)
        names |= {name.replace("_", " ") for name, one in vars(library).items() if hasattr(one, "robot_name")}
    assert names == foresight.NEEDS.keys() | foresight.NEED_NOTHING
    assert not foresight.NEEDS.keys() & foresight.NEED_NOTHING


def test_every_sentence_is_followed_to_keywords() -> None:
    table = generator.generate(count=200)
    for sentences in foresight.scenarios_of(table["cases"], cases.by_hand(None).all_tests).values():
        for sentence in sentences:
            for step in vocabulary.steps_of(sentence):
                assert step.keyword in foresight.NEEDS.keys() | foresight.NEED_NOTHING, sentence


def test_foresight_counts_what_needs_instruments_and_people() -> None:
    with (
        closing(environment.connect(environment.load("embedded"))) as target,
        preflight.connected(target) as connection,
    ):
        catalogue, contract = preflight.understood(connection, target.environment)
        scenarios = foresight.scenarios_of(generator.generate()["cases"], cases.by_hand(None).all_tests)
        assert foresight.foresee(target, catalogue, contract, scenarios).unproven == {}
        target.environment = replace(target.environment, instruments=False)
        seen = foresight.foresee(target, catalogue, contract, scenarios)
    assert {reason.cause for reason in seen.reasons} == {"embedded does not allow instruments in its database"}
    assert {name for name in scenarios if name.startswith("T-ORDER-")} <= seen.unproven.keys()
    assert not seen.maybe


SHOWN = (
    "ok   rows of every kind can be made and removed: tried, and rolled back",
    "  memberships  (rows of the others need some of it): id uuid*, user_id uuid! > user_profiles,",
    "  book: book_pilates_class(p_user_id uuid, p_slot_id uuid, p_source text DEFAULT 'app'::text)  -> jsonb",
    "  plan_of(which uuid)  -> TABLE(name text, classes integer)  for anon, authenticated, service_role",
    "  reschedule: none",
    "  pilates_bookings: select for authenticated: using ((user_id = auth.uid()) OR is_staff())",
    "  plans: no policy, so nobody but who bypasses them",
    "  auth.users: on_auth_user_created: after insert, each row: handle_new_user()",
    "  pilates_slots_with_occupancy  r---           r---           riud",
    "  yes: sql says so, and the role postgres may create a schema and triggers",
    "  pg_cron: stood in for; jobs are recorded in cron.job, and not run.",
    "  role trainer: instructor",
    "What `run` would prove (",
    " 1,247 generated, 227 ordered races, ",
    " the target lacks reschedule_pilates_booking, and nothing else looks like reschedule",
    " they repeat or lose requests, and the target keeps no idempotency keys",
    "What is not said under `policies`: cancel_again",
)


def test_doctor_shows_what_a_system_is_like_and_what_a_run_would_prove(tmp_path: Path) -> None:
    path = tmp_path / "more.sql"
    path.write_text(
        "create extension pg_cron;\ncreate function plan_of(which uuid) returns table (name text, classes integer)"
        " language sql as $$ select name, classes from plans limit 1 $$;\n"
    )
    given = [*files("supabase"), path]
    done = pilates(ROOT, "doctor", *(word for one in given for word in ("--sql", str(one))))
    assert done.returncode == 0, done.stdout + done.stderr
    for words in SHOWN:
        assert words in done.stdout, words
    assert max(len(line) for line in done.stdout.splitlines()) < 150
    longer = pilates(ROOT, "doctor", "--details", *(word for one in given for word in ("--sql", str(one))))
    assert "encrypted_password" in longer.stdout
    assert "see --details" not in longer.stdout
    with (
        closing(environment.connect(environment.load("sql", given))) as target,
        preflight.connected(target) as connection,
    ):
        assert not any(left_in(connection, name) for name in read_tables(connection))
        assert instruments.installed(connection) is None


def test_a_role_that_may_not_install_instruments_is_told_before_the_first_case() -> None:
    with closing(environment.connect(environment.load("sql", files("counter")))) as target:
        with preflight.connected(target) as connection, connection.cursor() as cursor:
            cursor.execute("set role authenticated")
            may, words = shape.may_install(connection, target.environment)
            assert (may, words.partition(", but ")[2]) == (
                False,
                "the role authenticated may create no schema and does not own pilates_bookings, pilates_deposits,"
                " pilates_schedule_slots",
            )
            target.environment = replace(target.environment, instruments=False)
            assert (
                "does not say `instruments: true`; the role auth"
                in shape.may_install(connection, target.environment)[1]
            )
        assert "the role postgres could install them" in preflight.check_instruments(target)


REFUSING = {
    "check": (
        "alter table user_profiles add tax_code text not null check (tax_code ~ '^[A-Z]{3}[0-9]{8}$');",
        "the suite cannot make a member: user_profiles.tax_code must satisfy"
        " CHECK ((tax_code ~ '^[A-Z]{3}[0-9]{8}$'::text)); say a value: values: {user_profiles: {tax_code: ...}}.",
    ),
    "unique": (
        "alter table pilates_deposits add payment integer not null unique;",
        "the suite cannot make a deposit: pilates_deposits.payment must satisfy UNIQUE (payment); say a value that"
        " differs from row to row, for example with {id} in it: values: {pilates_deposits: {payment: ...}}.",
    ),
    "trigger": (
        "create function no() returns trigger language plpgsql as $$ begin raise 'never'; end $$;"
        " create constraint trigger no after insert on pilates_bookings deferrable initially deferred"
        " for each row execute function no();",
        "the suite cannot make a booking: never; if a column's value helps, say it: values: {table: {column: ...}}.",
    ),
    "delete": (
        "create function no() returns trigger language plpgsql as $$ begin raise 'kept for ever'; end $$;"
        " create trigger no before delete on pilates_bookings for each row execute function no();",
        "the suite cannot remove the rows of a case again: kept for ever.",
    ),
}


@pytest.mark.parametrize(("sql", "words"), REFUSING.values(), ids=REFUSING.keys())
def test_rows_that_cannot_be_made_are_foreseen(clone: Path, tmp_path: Path, sql: str, words: str) -> None:
    path = tmp_path / "more.sql"
    path.write_text(sql)
    given = [word for one in (*files("counter"), path) for word in ("--sql", str(one))]
    for command in ("run",) if "trigger" in sql else ("run", "doctor"):
        done = pilates(clone, command, *given)
        assert done.returncode == 2, done.stdout + done.stderr
        assert words in done.stdout + done.stderr
        assert "workers" not in done.stdout, "no case was begun"


def test_trying_rows_leaves_none(tmp_path: Path) -> None:
    # A studio that no other test has rows in just now.
    with closing(environment.connect(environment.load("sql", files("supabase")), private=True)) as target:
        assert preflight.check_rows(target) == "rows of every kind can be made and removed: tried, and rolled back"
        with preflight.connected(target) as connection:
            assert not any(left_in(connection, name) for name in read_tables(connection))


@pytest.mark.parametrize("only", ["read_only", "production", "--read-only"])
def test_rows_are_not_even_tried_where_nothing_may_be_written(only: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "try_rows", lambda *_: pytest.fail("tried"))
    chosen = environment.load("sql", files("supabase"))
    if only == "--read-only":
        monkeypatch.setenv(environment.READ_ONLY, "yes")
    else:
        chosen = replace(chosen, read_only=only == "read_only", production=only == "production")
    with closing(environment.connect(chosen)) as target:
        assert preflight.check_rows(target).startswith("whether rows can be made was not tried: ")
