"""Somebody else's SQL in the embedded PostgreSQL: dumps, extensions, and errors that name their place."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from acceptance import embedded
from acceptance.errors import SuiteError
from tools.selftest.clone import pilates
from tools.selftest.conftest import SUPERVISOR


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "select 1;\n\ncreate table a (b nothing);",
            r":3: type \"nothing\" does not exist; the statement: create table a",
        ),
        (
            "create extension postgis;",
            r":1: the embedded PostgreSQL has no extension postgis and no stand-in for it: take this statement,"
            r" and what uses postgis, out of a copy .* There are: .*citext.* The statement: create extension postgis",
        ),
        ("\ncreate extension citext schema nowhere;", r":2: the stand-in for the extension citext cannot be made"),
        ("select 1;\n\\connect other\n", r":2: \\connect is a command of psql, not SQL"),
        ("begin;\nselect 1;", "begins a transaction and does not commit it"),
    ],
)
def test_an_error_in_somebodys_sql_names_its_place(tmp_path: Path, sql: str, words: str) -> None:
    path = tmp_path / "their.sql"
    path.write_text(sql)
    with pytest.raises(SuiteError, match=words):
        embedded.attach(SUPERVISOR, foreign=[path], grace=0)


def test_missing_tables_are_one_sentence(clone: Path, tmp_path: Path) -> None:
    path = tmp_path / "their.sql"
    path.write_text("create table public.user_profiles (user_id uuid primary key);")
    for command in ("doctor", "run"):
        done = pilates(clone, command, "--sql", str(path))
        said = done.stdout + done.stderr
        assert done.returncode == 2, said
        assert "the database lacks pilates_schedule_slots, pilates_deposits, pilates_bookings in schema public" in said
        assert "PostgREST address" not in said
        assert said.count("BAD") == (command == "doctor")


def test_a_dump_goes_in_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "dump.sql"
    path.write_text(
        "\\restrict abc\nSELECT pg_catalog.set_config('search_path', '', false);\n"
        'CREATE EXTENSION IF NOT EXISTS "pg_graphql" WITH SCHEMA "graphql";\n'
        'CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA "extensions";\n'
        'CREATE TABLE public.words (id uuid DEFAULT "extensions"."uuid_generate_v4"(), word text);\n'
        "ALTER TABLE public.words OWNER TO postgres;\nALTER PUBLICATION supabase_realtime ADD TABLE public.words;\n"
        "COPY public.words (word) FROM stdin;\none; two\nit's\n\\.\n"
        "CREATE FUNCTION public.count_words() RETURNS bigint LANGUAGE sql BEGIN ATOMIC\n"
        " SELECT count(*) FROM public.words;\nEND;\n\\unrestrict abc\n"
    )
    with (
        closing(embedded.attach(SUPERVISOR, foreign=[path], grace=0)) as studio,
        closing(psycopg2.connect(studio.database_url)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("select public.count_words(), count(distinct id), min(word) from public.words")
        assert cursor.fetchone() == (2, 2, "it's")
        cursor.execute("set role anon; select has_table_privilege('public.words', 'select'), auth.uid()")
        assert cursor.fetchone() == (True, None)


def test_extensions_are_stood_in_for(tmp_path: Path) -> None:
    path = tmp_path / "their.sql"
    path.write_text(
        "create extension if not exists citext;\ncreate extension if not exists citext with schema extensions;\n"
        "create extension moddatetime schema extensions;\ncreate extension pg_cron;\ncreate extension pg_net;\n"
        "create extension pgcrypto;\n"
        "create table people (email citext unique, password text, changed timestamptz default '2020-01-01');\n"
        "create trigger t before update on people for each row execute function moddatetime(changed);\n"
        "insert into people values ('Ann@Example.test', crypt('secret', gen_salt('bf', 10)));\n"
        "select cron.schedule('nightly', '0 3 * * *', 'select 1'), net.http_post('http://example.test', '{}');\n"
        "update people set password = password;\n"
    )
    with (
        closing(embedded.attach(SUPERVISOR, foreign=[path], grace=0)) as studio,
        closing(psycopg2.connect(studio.database_url)) as connection,
        connection.cursor() as cursor,
    ):
        connection.autocommit = True
        cursor.execute("select count(*) from people where email = 'ANN@example.test' and email like 'ann@%'")
        assert cursor.fetchone() == (1,)
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.execute("insert into people values ('ann@EXAMPLE.test')")
        cursor.execute(
            "select count(*) from people where changed > '2021-01-01' and password = crypt('secret', password)"
            " and password <> crypt('other', password)"
        )
        assert cursor.fetchone() == (1,)
        cursor.execute("select jobname, schedule, command from cron.job")
        assert cursor.fetchall() == [("nightly", "0 3 * * *", "select 1")]
        cursor.execute("select cron.unschedule('nightly'), (select url from net.http_request_queue)")
        assert cursor.fetchone() == (True, "http://example.test")
        cursor.execute("select encode(hmac('what do ya want for nothing?', 'Jefe', 'sha256'), 'hex')")  # RFC 4231
        assert str(cursor.fetchall()[0][0]).startswith("5bdcc146bf60754e6a042426089575c7")
        cursor.execute("select name, how from extensions.stood_in_for")
        assert dict(cursor.fetchall()).keys() == {"citext", "moddatetime", "pg_cron", "pg_net", "pgcrypto"}
