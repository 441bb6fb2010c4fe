"""Runs the cases of a table with bare threads: the same client, checks and snapshots, without Robot Framework.

    python -m tools.bench.drive TABLE THREADS FOLDER [--direct]

With ``--direct`` it leaves out what is not the database's: calls go straight to PostgreSQL instead of HTTP, and nothing
is expected or checked.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import orjson
import psycopg2
import requests
from psycopg2 import sql

from acceptance import client, environment, invariants
from acceptance.bench import Bench, open_database
from acceptance.client import Caller, Outcome, Reply, Request
from acceptance.history import RPC
from tools.bench import sentences

SETTINGS = """select set_config('role', %s, true), set_config('request.jwt.claims', %s, true),
                     set_config('request.headers', %s, true)"""


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """Open a bench of one's own on the embedded studio."""
    target = environment.connect(environment.load("embedded"), [])
    session = requests.Session()
    session.trust_env = False
    connection = open_database(target)
    with closing(target), closing(session), closing(connection):
        mine = Bench(target, connection, session, folder)
        yield mine
        mine.close()


def table(path: Path) -> list[dict[str, Any]]:
    """Read the cases of a table."""
    cases: list[dict[str, Any]] = orjson.loads(path.read_bytes())["cases"]
    return cases


def run(cases: list[dict[str, Any]], threads: int, folder: Path, *, direct: bool) -> list[str]:
    """Run cases in threads with a bench each.

    Returns:
        What failed: the case's id and why.
    """
    sentences.in_threads()
    queue: SimpleQueue[dict[str, Any]] = SimpleQueue()
    for case in cases:
        queue.put(case)
    failed: list[str] = []

    def work() -> None:
        vocabulary = sentences.Vocabulary()
        with bench(folder) as mine:
            while True:
                try:
                    case = queue.get_nowait()
                except Empty:
                    return
                try:
                    sentences.play(_scene(case) if direct else case, mine, vocabulary)
                except Exception as error:
                    failed.append(f"{case['test_id']}: {error}")

    if direct:
        _leave_out_what_is_not_the_databases()
    working = [threading.Thread(target=work) for _ in range(threads)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    return failed


def _scene(case: dict[str, Any]) -> dict[str, Any]:
    """Keep of a scenario what is done, without what is expected."""
    kept, done = [], True
    for sentence in case["scenario"]:
        word = sentence.partition(" ")[0]
        done = word in ("Given", "When") or (done and word != "Then")
        if done and "the network is" not in sentence:
            kept.append(sentence)
    return {**case, "scenario": kept}


def _leave_out_what_is_not_the_databases() -> None:
    """Let calls go straight to PostgreSQL, and check nothing."""
    local = threading.local()

    def call(session: requests.Session, target: environment.Target, request: Request, **_more: Any) -> Reply:
        if not hasattr(local, "connection"):
            local.connection = psycopg2.connect(target.database_url)
        return _call(local.connection, request)

    client.call = call
    invariants.check = lambda *_: []


def _call(connection: Any, request: Request) -> Reply:
    """Make a call as the gateway makes it: one transaction in the caller's name."""
    if not request.path.startswith(RPC):
        return Reply(Outcome.REFUSED, 0, started="-")
    body = request.body or {}
    arguments = sql.SQL(", ").join(
        sql.SQL("{} => {}").format(sql.Identifier(k), sql.Literal(v)) for k, v in body.items()
    )
    name = sql.Identifier("public", request.path.removeprefix(RPC))
    with connection, connection.cursor() as cursor:
        cursor.execute(
            SETTINGS, ("authenticated", _claims(request.caller), json.dumps({"idempotency-key": request.key}))
        )
        try:
            cursor.execute(sql.SQL("select to_jsonb(f) from {}({}) f").format(name, arguments))
        except psycopg2.Error as error:
            connection.rollback()
            code = (error.pgcode or "")[2:]
            return Reply(Outcome.REFUSED, int(code) if code.isdigit() else 400, message=str(error), started="-")
        return Reply(Outcome.ACCEPTED, 200, cursor.fetchone()[0], started="-")


def _claims(caller: Caller) -> str:
    return json.dumps({"role": "authenticated", "sub": caller.user_id})


def main() -> int:
    """Run the cases of a table; 1 when one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("threads", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--direct", action="store_true")
    told = parser.parse_args()
    failed = run(table(told.table), told.threads, told.folder, direct=told.direct)
    print(*failed, sep="\n", end="\n" if failed else "", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
