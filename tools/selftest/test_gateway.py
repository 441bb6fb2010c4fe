"""The gateway by raw HTTP: it must answer what PostgREST 14 answers (docs.postgrest.org, references)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import jwt
import psycopg2
import pytest
import requests

from acceptance.datafiles import ROOT
from acceptance.embedded import Studio
from tools.selftest.databases import another_database

SECRET = "a-secret-of-the-gateway-test-only-0123456789"  # noqa: S105 - signs tokens of this test alone
SCHEMA = """
create table things (
  id int primary key, name text unique, price numeric, made date, parent int references things,
  hidden boolean default false
);
create table notes (id int primary key, body text);
alter table things enable row level security;
create policy shown on things for select using (not hidden);
create policy added on things for insert to authenticated with check (id < 1000);
create policy changed on things for update to authenticated using (true);
create policy removed on things for delete to authenticated using (true);
grant select on things to anon;
grant select, insert, update, delete on things to authenticated;
insert into things (id, name, price, made) values (1, 'mat', 10.5, '2026-01-01'), (2, 'ball', null, '2026-02-01'),
  (3, 'a "b", c', 7, null);
insert into things values (4, 'secret', 1, null, null, true);
create function add(a int, b int default 1) returns int language sql as 'select a + b';
create function pair(a int, out x int, out y text) language sql as $$ select a, 'y' $$;
create function many(n int) returns setof things language sql stable as
  'select * from things where id <= n order by id';
create function nothing() returns void language sql as '';
create function fail(code text) returns void language plpgsql as $$
  begin raise exception using errcode = code, message = 'as you wish', detail = 'd', hint = 'h'; end $$;
create function echo() returns json language sql stable as $$ select json_build_object(
  'role', current_user, 'sub', current_setting('request.jwt.claims')::json ->> 'sub',
  'trace', current_setting('request.headers')::json ->> 'x-trace-id',
  'bearer', current_setting('request.headers')::json ->> 'authorization',
  'zone', current_setting('timezone'), 'method', current_setting('request.method')) $$;
create function teapot() returns text language plpgsql as $$ begin
  perform set_config('response.status', '418', true);
  perform set_config('response.headers', '[{"X-Kind": "tea"}]', true); return 'short'; end $$;
create function late() returns trigger language plpgsql as $$ begin raise exception 'too late'; end $$;
create constraint trigger late after insert on notes deferrable initially deferred for each row execute function late();
grant select, insert on notes to authenticated;
"""


class Api:
    """Sends requests to the gateway of this test."""

    def __init__(self, url: str):
        self.url, self.session = url, requests.Session()

    def __call__(
        self, method: str, path: str, body: Any = None, *, role: str | None = "authenticated", **headers: str
    ) -> requests.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if role:
            claims = {"role": role, "sub": "anna", "exp": time.time() + 60}
            sent.setdefault("Authorization", f"Bearer {jwt.encode(claims, SECRET, algorithm='HS256')}")
        return self.session.request(method, self.url + path, json=body, headers=sent, timeout=20)


@pytest.fixture(scope="module")
def api(studio: Studio) -> Iterator[Api]:
    with another_database(studio, "gateway", template="template1") as url, serving(url) as api:
        yield api


@contextmanager
def serving(url: str) -> Iterator[Api]:
    """Run a gateway in front of a database with our schema."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(SCHEMA)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'libraries'}", "PILATES_JWT_SECRET": SECRET}
    environment["PILATES_DATABASE_URL"] = url
    listener = socket.create_server(("127.0.0.1", 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.studio.gateway", "--fd", str(listener.fileno()), "--pool", "4"],
        cwd=ROOT,
        env=environment,
        pass_fds=[listener.fileno()],
        stderr=subprocess.DEVNULL,
    )
    api = Api("http://{}:{}".format(*listener.getsockname()))
    deadline = time.monotonic() + 20
    while not _ready(api.url):
        assert process.poll() is None, "the gateway ended"
        assert time.monotonic() < deadline, "the gateway did not get ready"
        time.sleep(0.05)
    yield api
    api.session.close()
    process.terminate()
    assert process.wait(20) is not None
    listener.close()


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/ready", timeout=1).status_code == 200
    except requests.RequestException:
        return False


READS = {
    "?id=eq.1": [1],
    "?id=neq.1": [2, 3],
    "?id=gt.1&id=lte.2": [2],
    "?id=gte.2&id=lt.3": [2],
    "?id=in.(1,3)": [1, 3],
    '?name=in.("a \\"b\\", c",mat)': [1, 3],
    "?price=is.null": [2],
    "?price=not.is.null": [1, 3],
    "?name=not.eq.mat": [2, 3],
    "?order=price.desc.nullslast": [1, 3, 2],
    "?order=made.asc.nullsfirst,id.desc": [3, 1, 2],
    "?order=id.desc&limit=1&offset=1": [2],
    "?made=gte.2026-02-01": [2],
    "?name=like.b*": [2],
    "?name=not.ilike.*A*": [],
    "?name=ilike.MA%25": [1],
    "?or=(id.eq.1,price.is.null)": [1, 2],
    "?or=(id.eq.1,and(price.gt.5,made.is.null))": [1, 3],
    "?not.and=(id.gt.1,name.neq.ball)": [1, 2],
    '?or=(name.eq."a \\"b\\", c",id.in.(2,9))': [2, 3],
    "?id=gt.1&or=(id.lt.2,not.or(id.eq.2,id.eq.9))": [3],
    "?name=eq.x' or '1'='1": [],
}


@pytest.mark.parametrize(("query", "ids"), READS.items(), ids=READS.keys())
def test_reads_with_filters_order_and_limit(api: Api, query: str, ids: list[int]) -> None:
    answer = api("GET", f"/things{query}{'' if 'order' in query else '&order=id'}")
    assert (answer.status_code, [row["id"] for row in answer.json()]) == (200, ids), answer.text


def test_selected_columns_aliases_and_casts(api: Api) -> None:
    assert api("GET", "/rest/v1/things?id=eq.1&select=no:id,price::text").json() == [{"no": 1, "price": "10.5"}]


def test_one_object_is_asked_for(api: Api) -> None:
    kind = "application/vnd.pgrst.object+json"
    one, none = (api("GET", f"/things?id=eq.{n}", Accept=kind) for n in (1, 99))
    assert (one.json()["name"], one.headers["Content-Type"]) == ("mat", f"{kind}; charset=utf-8")
    assert (none.status_code, none.json()["code"], none.json()["details"]) == (
        406,
        "PGRST116",
        "The result contains 0 rows",
    )


def test_an_exact_count_is_in_the_content_range(api: Api) -> None:
    answer = api("GET", "/things?limit=1&order=id", Prefer="count=exact")
    assert (answer.status_code, answer.headers["Content-Range"]) == (206, "0-0/3")
    assert api("HEAD", "/things").content == b""
    last = api("GET", "/things?offset=3", Prefer="count=exact")
    assert (last.status_code, last.headers["Content-Range"], last.json()) == (206, "*/3", [])
    beyond = api("GET", "/things?offset=4", Prefer="count=exact")
    assert (beyond.status_code, beyond.json()["code"]) == (416, "PGRST103")
    assert api("GET", "/things?offset=4").status_code == 200
    changed = api("PATCH", "/things?id=lt.3", {"hidden": False}, Prefer="count=exact")
    assert changed.headers["Content-Range"] == "0-1/2"
    assert api("DELETE", "/things?id=eq.99", Prefer="count=exact").headers["Content-Range"] == "*/0"


BAD = {  # request: status, code
    ("GET", "/nowhere"): (404, "PGRST205"),
    ("GET", "/things?nope=eq.1"): (400, "42703"),
    ("GET", "/things?select=nope"): (400, "42703"),
    ("GET", "/things?id=eq.x"): (400, "22P02"),
    ("GET", "/things?id=like.x"): (404, "42883"),
    ("GET", "/things?id=fts.x"): (400, "PGRST100"),
    ("GET", "/things?or=id.eq.1"): (400, "PGRST100"),
    ("GET", "/things?or=(id.eq.1,)"): (400, "42703"),
    ("GET", "/things?id=1"): (400, "PGRST100"),
    ("GET", "/things?order=id.up"): (400, "PGRST100"),
    ("GET", "/things?limit=x"): (400, "PGRST100"),
    ("POST", "/rpc/nope"): (404, "PGRST202"),
    ("POST", "/rpc/add"): (404, "PGRST202"),
    ("GET", "/idempotency;drop table things"): (404, "PGRST205"),
}


@pytest.mark.parametrize(("request_", "expected"), BAD.items(), ids=map(str, BAD))
def test_bad_requests_are_named(api: Api, request_: tuple[str, str], expected: tuple[int, str]) -> None:
    answer = api(*request_)
    assert (answer.status_code, answer.json()["code"]) == expected, answer.text
    assert set(answer.json()) == {"code", "details", "hint", "message"}


def test_functions_return_scalars_objects_sets_and_nothing(api: Api) -> None:
    assert api("POST", "/rpc/add", {"a": 2}).text == "3"
    assert api("POST", "/rpc/add", {"a": 2, "b": 5}).text == "7"
    assert api("GET", "/rpc/add?a=2&b=2").text == "4"
    assert api("POST", "/rpc/pair", {"a": 2}).json() == {"x": 2, "y": "y"}
    assert [row["id"] for row in api("POST", "/rpc/many", {"n": 2}).json()] == [1, 2]
    nothing = api("POST", "/rpc/nothing")
    assert (nothing.status_code, nothing.content) == (204, b"")


ERRORS = {
    "PT409": 409,
    "PT402": 402,
    "P0001": 400,
    "42501": 403,
    "23505": 409,
    "40001": 500,
    "57014": 500,
    "22023": 400,
}


@pytest.mark.parametrize(("code", "status"), ERRORS.items())
def test_sqlstates_become_statuses(api: Api, code: str, status: int) -> None:
    answer = api("POST", "/rpc/fail", {"code": code})
    expected = {"code": code, "message": "as you wish", "details": "d", "hint": "h"}
    assert (answer.status_code, answer.json()) == (status, expected)


def test_the_request_reaches_sql_and_the_token_does_not(api: Api) -> None:
    said = api("POST", "/rpc/echo", X_Trace_Id="t1", Prefer="timezone=Asia/Tokyo").json()
    expected = {
        "role": "authenticated",
        "sub": "anna",
        "trace": "t1",
        "bearer": None,
        "zone": "Asia/Tokyo",
        "method": "POST",
    }
    assert said == expected
    again = api("POST", "/rpc/echo", role=None, Prefer="timezone=Mars/Olympus").json()
    assert (again["role"], again["sub"], again["trace"], again["zone"]) == ("anon", None, None, "UTC")


def test_a_function_sets_status_and_headers(api: Api) -> None:
    answer = api("POST", "/rpc/teapot")
    assert (answer.status_code, answer.headers["X-Kind"], answer.json()) == (418, "tea", "short")


def test_rows_are_written_through_row_level_security(api: Api) -> None:
    full = {"Prefer": "return=representation"}
    made = api("POST", "/things", {"id": 10, "name": "ring"}, **full)
    assert (made.status_code, made.json()[0]["name"]) == (201, "ring")
    minimal = api("POST", "/things", [{"id": 11, "name": "band"}, {"id": 12, "name": "step"}])
    assert (minimal.status_code, minimal.content) == (201, b"")
    assert api("POST", "/things", {"id": 10, "name": "again"}).json()["code"] == "23505"
    assert api("POST", "/things", {"id": 13, "parent": 999}).status_code == 409
    assert api("POST", "/things", {"id": 1000}).status_code == 403
    assert api("POST", "/things", {"id": 14}, role=None).status_code == 401
    assert api("POST", "/things", {"nope": 1}).json()["code"] == "PGRST204"
    assert api("POST", "/things", [{"id": 15}, {"name": "x"}]).json()["code"] == "PGRST102"
    merged = api(
        "POST",
        "/things?on_conflict=id",
        {"id": 10, "name": "ring 2"},
        Prefer="resolution=merge-duplicates,return=representation",
    )
    assert merged.json()[0]["name"] == "ring 2"
    ignored = api(
        "POST", "/things", {"id": 10, "name": "ring 3"}, Prefer="resolution=ignore-duplicates,return=representation"
    )
    assert ignored.json() == []
    changed = api("PATCH", "/things?id=gte.11&select=id,price", {"price": 3}, **full)
    assert sorted(row["id"] for row in changed.json()) == [11, 12]
    assert api("PATCH", "/things?id=eq.11", {"price": 4}).status_code == 204
    gone = api("DELETE", "/things?id=gte.10&id=lt.13&select=id", **full)
    assert (gone.status_code, sorted(row["id"] for row in gone.json())) == (200, [10, 11, 12])
    assert api("DELETE", "/things?id=eq.10").status_code == 204


def test_an_error_at_commit_is_an_error(api: Api) -> None:
    answer = api("POST", "/notes", {"id": 1, "body": "x"})
    assert (answer.status_code, answer.json()["message"]) == (400, "too late")
    assert api("GET", "/notes").json() == []


def test_a_get_cannot_write(api: Api) -> None:
    assert api("GET", "/rpc/fail?code=25006").status_code == 405


def test_tokens_are_checked(api: Api) -> None:
    for claims, secret, code in (
        ({"role": "authenticated", "exp": time.time() - 3600}, SECRET, "PGRST303"),
        ({"role": "authenticated"}, SECRET + "x", "PGRST301"),
    ):
        token = jwt.encode(claims, secret, algorithm="HS256")
        answer = api("GET", "/things", Authorization=f"Bearer {token}")
        assert (answer.status_code, answer.json()["code"]) == (401, code)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert api("GET", "/things", Authorization="Bearer not.a.token").status_code == 401
    assert api("GET", "/notes", role=None).status_code == 401
    none = jwt.encode({"role": "service_role"}, "", algorithm="none")
    assert api("GET", "/things", Authorization=f"Bearer {none}").status_code == 401


def test_a_token_cannot_make_its_bearer_a_superuser(studio: Studio) -> None:
    token = jwt.encode({"role": "postgres"}, studio.jwt_secret, algorithm="HS256")
    answer = requests.get(
        f"{studio.api_url}/pilates_bookings", headers={"Authorization": f"Bearer {token}"}, timeout=20
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "42501")


def test_a_browser_asks_first(api: Api) -> None:
    answer = api("OPTIONS", "/things", Origin="https://x.test", Access_Control_Request_Headers="apikey, x-trace-id")
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "https://x.test"
    assert {"apikey", "x-trace-id"} <= set(answer.headers["Access-Control-Allow-Headers"].replace(" ", "").split(","))


def test_more_clients_than_connections_are_all_answered(api: Api) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: Api(api.url)("POST", "/rpc/add", {"a": n}).json(), range(64)))
    assert answers == [n + 1 for n in range(64)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "0"], "set PILATES_JWT_SECRET"),
        (["--port", "0", "--database-url", "postgresql://nobody@127.0.0.1:1/x"], "does not let us in"),
    ],
)
def test_a_wrong_start_is_one_line_and_exit_2(arguments: list[str], words: str) -> None:
    secret = {"PILATES_JWT_SECRET": SECRET} if "--database-url" in arguments else {}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PILATES_")} | secret
    command = [sys.executable, "-m", "tools.studio.gateway", *arguments]
    environment["PYTHONPATH"] = f"{ROOT}{os.pathsep}{ROOT / 'libraries'}"
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
    assert words in done.stderr
