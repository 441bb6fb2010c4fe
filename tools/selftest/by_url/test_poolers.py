"""A connection pooler in front of the database: PgBouncer in each of its modes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn

from acceptance import embedded
from tools.selftest.by_url.theirs import NAME, PASSED, counts, locations, one_sentence, robot, run, write_entry
from tools.selftest.clone import pilates
from tools.selftest.front import relayed
from tools.selftest.ports import free_ports
from tools.studio.processes import end_with_parent, wait_until


@contextmanager
def pooler(folder: Path, studio: embedded.Studio, mode: str) -> Iterator[str]:
    """Start PgBouncer in front of a studio's database, and yield the URL that leads through it."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed (apt-get install pgbouncer)")
    place = parse_dsn(studio.database_url)
    (port,) = free_ports(1)
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "plain",
        "auth_file": folder / "users.txt",
        "pool_mode": mode,
        "default_pool_size": 4,
        "client_login_timeout": 10,
        "ignore_startup_parameters": "extra_float_digits",
    }
    with relayed(f"{place['host']}/.s.PGSQL.{place['port']}") as database, (folder / "log").open("wb") as log:
        server = f"host=127.0.0.1 port={database} dbname={place['dbname']}"
        (folder / "users.txt").write_text(f'"{place["user"]}" "{place["password"]}"\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\nstudio = {server}\n[pgbouncer]\n" + "".join(f"{k} = {v}\n" for k, v in settings.items())
        )
        # PgBouncer does not run as root; nobody's are a user and a group that every system has.
        as_nobody: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        let_in(folder)
        process = subprocess.Popen(
            [program, str(folder / "pgbouncer.ini")],
            stdout=subprocess.DEVNULL,
            stderr=log,
            preexec_fn=end_with_parent(signal.SIGKILL),
            **as_nobody,
        )
        try:
            wait_until(lambda: process.poll() is not None or listens(port), 10)
            assert listens(port), (folder / "log").read_text()
            yield make_url(place | {"host": "127.0.0.1", "port": str(port), "dbname": "studio"})
        finally:
            process.terminate()
            process.wait(10)


def let_in(folder: Path) -> None:
    """Let everybody into a folder that pytest has made for us alone."""
    for one in (folder, *folder.parents):
        if one.owner() == folder.owner() and one.name.startswith(("pytest", "popen", "test_")):
            one.chmod(0o755)


def listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def make_url(place: dict[str, str]) -> str:
    return f"postgresql://{place['user']}:{place['password']}@{place['host']}:{place['port']}/{place['dbname']}"


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pooler_that_hands_us_around_is_refused(
    clone: Path, behind: embedded.Studio, tmp_path: Path, mode: str
) -> None:
    with pooler(tmp_path, behind, mode) as url:
        write_entry(clone, **locations(behind) | {"database_url": url})
        before = list((clone / "results").glob("2*"))
        line = one_sentence(run(clone))
        assert f"{NAME}.database_url: leads to a connection pooler in transaction mode" in line
        assert "give the URL of the pooler's session mode or of the database itself" in line
        assert list((clone / "results").glob("2*")) == before, "nothing was begun"
        told = pilates(clone, "doctor", "--env", NAME)
        assert told.returncode == 2
        assert "BAD " in told.stdout
        assert "connection pooler in transaction mode" in told.stdout
        assert "transaction mode" in robot(clone, tmp_path / "robot")[0]
        assert "transaction mode" in one_sentence(pilates(clone, "clean", "--env", NAME))
    with closing(psycopg2.connect(behind.database_url)) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_namespace where nspname = 'acceptance'")
        assert cursor.fetchone() == (0,), "nothing was changed"


def test_a_whole_database_is_checked_through_any_pooler(clone: Path, behind: embedded.Studio, tmp_path: Path) -> None:
    with pooler(tmp_path, behind, "transaction") as url:
        write_entry(clone, **locations(behind) | {"database_url": url, "read_only": True})
        done = pilates(clone, "verify-db", "--env", NAME)
        assert done.returncode == 0, done.stdout + done.stderr
        # What it has said to the server about itself is not left behind for whoever gets the connection next.
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("show default_transaction_read_only")
            assert cursor.fetchone() == ("off",)


def test_the_session_mode_of_a_pooler_is_as_good_as_none(clone: Path, behind: embedded.Studio, tmp_path: Path) -> None:
    with pooler(tmp_path, behind, "session") as url:
        write_entry(clone, **locations(behind) | {"database_url": url})
        done = run(clone)
        assert done.returncode == 0, done.stdout + done.stderr
        assert counts(clone)["passed"] >= PASSED
