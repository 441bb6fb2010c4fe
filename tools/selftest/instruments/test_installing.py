"""The instruments come and go without a trace, whoever else is there."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg2
import pytest

from acceptance import instruments
from acceptance.embedded import Studio
from acceptance.errors import SuiteError
from tools import cleanup
from tools.selftest.instruments.place import Place


def catalogue(place: Place) -> list[tuple[Any, ...]]:
    return place.sql(
        "select 'schema', nspname::text, '' from pg_namespace union all"
        " select 'trigger', tgname::text, tgrelid::regclass::text from pg_trigger where not tgisinternal union all"
        " select 'function', proname::text, pronamespace::regnamespace::text from pg_proc order by 1, 2, 3"
    )


def test_they_come_and_go_without_a_trace(url: str) -> None:
    with closing(psycopg2.connect(url)) as connection:
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
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        assert instruments.remove(connection)
    together = threading.Barrier(8)

    def one() -> str | None:
        with closing(psycopg2.connect(url)) as mine:
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
        with closing(psycopg2.connect(url)) as mine, mine.cursor() as cursor:
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
    with closing(psycopg2.connect(studio.database_url)) as connection:
        connection.autocommit = True
        instruments.install(connection)
        assert "instruments: in use by a run just now; clean again after it" in list(cleanup.rows_of("embedded"))
        instruments.release(connection)
        assert "instruments: removed" in list(cleanup.rows_of("embedded"))
        assert instruments.installed(connection) is None
        assert not any("instruments" in line for line in cleanup.rows_of("embedded"))
