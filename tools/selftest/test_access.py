"""Who may do what: the table is read as it is written, and what people can do is seen, whatever the table says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance import access, environment, trespass
from acceptance.embedded import Studio
from acceptance.environment import Target
from acceptance.errors import SuiteError
from acceptance.model import Operation
from acceptance.running_case import RunningCase
from tools.selftest.benches import bench_on

TABLES = list(access.read().tables)


@pytest.fixture(scope="module")
def case(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCase]:
    target = Target(environment.load("embedded"), studio.api_url, studio.database_url, studio.jwt_secret)
    with bench_on(target, tmp_path_factory.mktemp("access")) as bench:
        case = RunningCase(bench, "T-ACCESS", 1, "0c0ffee0-0000-4000-8000-000000000001")
        case.add_member("member", 5)
        case.add_slot("class", "tomorrow at 10:00", 4)
        yield case
        case.end()


def done(case: RunningCase, table: str, caller: str) -> dict[str, bool]:
    return trespass.tries(case, table, trespass.caller(case, caller), access.read().changes[table])


@pytest.mark.parametrize("table", TABLES)
def test_an_open_door_is_seen_for_every_action(case: RunningCase, db: Connection, table: str) -> None:
    """With all rights granted the same tries succeed that are refused without: none is refused for another reason."""
    if table == "pilates_slots_with_occupancy":
        return_to = "alter view public.pilates_slots_with_occupancy rename to hidden"
        open_door = (
            "create view public.pilates_slots_with_occupancy as select id as slot_id, max_capacity, 0 as booked_count"
            " from public.pilates_schedule_slots;"
            " grant all on public.pilates_slots_with_occupancy to anon"
        )
        close = "drop view public.pilates_slots_with_occupancy; alter view public.hidden rename to {0}"
    else:
        return_to = "select 1"
        open_door = "grant all on public.{0} to anon; alter table public.{0} disable row level security"
        close = "revoke all on public.{0} from anon; alter table public.{0} enable row level security"
    granted = "select a::text from unnest(relacl) a where a::text like 'a%%'"
    grants = f"select array({granted}) from pg_class where oid = %s::regclass"
    with db.cursor() as cursor:
        cursor.execute(grants, (f"public.{table}",))
        [(before,)] = cursor.fetchall()
        try:
            cursor.execute(f"{return_to}; {open_door.format(table)}")
            found = done(case, table, "visitor")
        finally:
            cursor.execute(close.format(table))
            if table == "pilates_schedule_slots":
                cursor.execute("grant select on public.pilates_schedule_slots to anon")
        cursor.execute(grants, (f"public.{table}",))
        [(after,)] = cursor.fetchall()
        assert sorted(after) == sorted(before)
    assert found == dict.fromkeys(found, True)
    assert set(found) == set(access.read().tables[table])
    assert not any(answer for action, answer in done(case, table, "visitor").items() if action != "read")


def test_a_row_made_ones_own_is_seen(case: RunningCase, db: Connection) -> None:
    """Whoever may write one column of a deposit, that of its owner, has taken it."""
    with db.cursor() as cursor:
        try:
            cursor.execute(
                "grant update (user_id) on public.pilates_deposits to authenticated;"
                " create policy thieves on public.pilates_deposits to authenticated using (true) with check (true)"
            )
            assert done(case, "pilates_deposits", "stranger")["update"]
        finally:
            cursor.execute(
                "drop policy thieves on public.pilates_deposits;"
                " revoke update (user_id) on public.pilates_deposits from authenticated"
            )
    assert not done(case, "pilates_deposits", "stranger")["update"]


def test_tries_leave_nothing_behind(case: RunningCase, db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    new_id = case.new_id

    def noted() -> str:
        made.append(new_id())
        return made[-1]

    monkeypatch.setattr(case, "new_id", noted)
    held = "select count(*) from public.{} t where exists (select from unnest(%s) id where strpos(t::text, id) > 0)"
    trespass.caller(case, "stranger")  # and the member: they stay until the case ends
    case.insert()
    made.clear()
    for table in TABLES:
        done(case, table, "service")
    assert len(made) > len(TABLES)
    with db.cursor() as cursor:
        for table in TABLES:
            cursor.execute(held.format(table), (made,))
            assert cursor.fetchone() == (0,), f"rows were left in {table}"


def test_forged_tokens_are_forged_in_ways_of_their_own(case: RunningCase) -> None:
    callers = trespass.forged(case)
    assert len({caller.token for caller in callers}) == len(callers) >= 7
    assert len({caller.name for caller in callers}) == len(callers)


@pytest.mark.parametrize(
    ("operation", "role", "own", "permitted"),
    [
        (Operation.BOOK, "user", True, True),
        (Operation.BOOK, "user", False, False),
        (Operation.BOOK, "trainer", True, True),
        (Operation.BOOK, "trainer", False, False),
        (Operation.BOOK, "secretary", False, True),
        (Operation.CREDIT, "user", True, False),
        (Operation.CONFIRM, "trainer", False, True),
        (Operation.EXPIRE, "service", False, True),
        (Operation.EXPIRE, "", False, False),
    ],
)
def test_the_model_goes_by_the_table(operation: Operation, role: str, own: bool, permitted: bool) -> None:
    assert access.permits(operation, role, own=own) is permitted


def test_an_environment_answers_otherwise() -> None:
    said = {"operations": {"book": {"trainer": True}}, "tables": {"user_profiles": {"update": {"admin": "yes*"}}}}
    found = access.for_target(said, "x")
    assert found.operations["book"]["trainer"] is access.May.YES
    assert found.tables["user_profiles"]["update"]["admin"] is access.May.YES_HERE
    assert access.read().operations["book"]["trainer"] is access.May.NO_HERE


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"operations": {"fly": {"admin": True}}}, "e: x.access.operations: there is no 'fly'"),
        ({"tables": {"shoes": {"read": {"admin": True}}}}, "e: x.access.tables: there is no 'shoes'"),
        ({"tables": {"user_profiles": {"lick": {"admin": True}}}}, "access.tables.user_profiles: there is no 'lick'"),
        ({"tables": {"user_profiles": {"read": {"cat": True}}}}, "access.tables.user_profiles.read: nobody is called"),
    ],
)
def test_what_there_is_not_is_an_error(said: dict[str, object], words: str) -> None:
    with pytest.raises(SuiteError, match=words):
        access.for_target(said, "e: x.access")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("callers", ["visitor"], "callers: "),
        ("operations", {"book": [True]}, "operations: 'cancel' is a required property|operations.book: "),
        ("tables", {"pilates_deposits": {"change": {}}}, "tables.pilates_deposits"),
    ],
)
def test_a_malformed_table_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: object, words: str
) -> None:
    document = yaml.safe_load(access.FILE.read_text())
    path = tmp_path / "access.yaml"
    path.write_text(yaml.safe_dump({**document, key: value}))
    monkeypatch.setattr(access, "FILE", path)
    with pytest.raises(SuiteError, match=rf"access.yaml: ({words})"):
        access.read.__wrapped__()
