"""A system by URL, as people have it: TLS with a CA of its own, an API key, a connection pooler."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
import yaml
from psycopg2.extensions import parse_dsn
from robot.api import ExecutionResult

from acceptance import embedded
from tools.selftest.clone import make_clone
from tools.selftest.front import Front, in_front, make_certificates, relayed
from tools.studio.processes import end_with_parent

SECONDS = 120
NAME = "theirs"
API_KEY = "an-api-key-as-anon-keys-are"
SUITE = "priority/known_bug.robot"
PASSED = 4  # of its cases; the others need a calendar, or a proxy in front


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clone(tmp_path_factory.mktemp("by-url") / "clone", suites=[SUITE])


@pytest.fixture(scope="module")
def behind(clone: Path) -> Iterator[embedded.Studio]:
    """The system behind the front: an embedded studio of the clone's own."""
    with closing(embedded.attach(clone / "tools" / "studio" / "supervisor.py")) as studio:
        yield studio


def write_entry(clone: Path, **entry: object) -> None:
    """Put the entry of our tests into the clone's environments, in the place of an earlier one."""
    path = clone / "data" / "environments.yaml"
    text = path.read_text().partition("\n  # of a test\n")[0].rstrip("\n")
    told = yaml.safe_dump({NAME: {"description": "Theirs.", "zone": "Europe/Athens", **entry}}, sort_keys=False)
    path.write_text(text + "\n  # of a test\n" + "".join(f"  {line}\n" for line in told.splitlines()))


def pilates(clone: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/pilates.py", *arguments]
    return subprocess.run(
        command,
        cwd=clone,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def run(clone: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return pilates(clone, "run", "--env", NAME, "--priority", "--processes", "2", **variables)


def counts(clone: Path) -> dict[str, int]:
    return json.loads((clone / "results" / "latest" / "run.json").read_bytes())["counts"]


def locations(studio: embedded.Studio, front: Front | None = None) -> dict[str, object]:
    api_url = front.url if front else studio.api_url
    told = {"api_url": api_url, "database_url": studio.database_url, "jwt_secret": studio.jwt_secret}
    return {**told, "instruments": True, "idempotency": True}


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """Look that a command could not run and says why in one line, and return it."""
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("pilates: ")
    return line


# --- TLS and the API key ----------------------------------------------------------------------------------------------


def test_a_ca_of_ones_own_is_trusted_when_it_is_named(clone: Path, behind: embedded.Studio, tmp_path: Path) -> None:
    ca, server = make_certificates(tmp_path)
    with in_front(Front(behind.api_url, API_KEY), server) as front:
        entry = {**locations(behind, front), "api_key": "${THEIR_API_KEY}"}
        (clone / "data" / "their-ca.pem").write_bytes(ca.read_bytes())
        write_entry(clone, **entry, ca_file="their-ca.pem")
        # Whatever bundle a machine is told to use otherwise: the entry's own is the one that counts.
        done = run(clone, THEIR_API_KEY=API_KEY, REQUESTS_CA_BUNDLE=str(server))
        assert done.returncode == 0, done.stdout + done.stderr
        assert counts(clone)["passed"] >= PASSED
        told = pilates(clone, "doctor", "--env", NAME, THEIR_API_KEY=API_KEY)
        assert told.returncode == 0, told.stdout
        assert f"ok   {front.url} answers and takes our tokens" in told.stdout
        assert front.turned_away == []
        paths = {path.partition("?")[0] for path, _ in front.seen}
        assert {"/rpc/book_pilates_class", "/pilates_bookings", "/pilates_schedule_slots"} <= paths

        front.seen.clear()
        write_entry(clone, **entry)
        line = one_sentence(run(clone, THEIR_API_KEY=API_KEY))
        assert f"{NAME}.ca_file: the certificate of {front.url} is not trusted (" in line
        assert "name there the bundle of the CA it is from" in line
        first, *others = robot(clone, tmp_path / "robot", THEIR_API_KEY=API_KEY)
        assert "is not trusted" in first
        assert set(others) == {"Test execution stopped due to a fatal error."}
        assert front.seen == [], "nobody has said anything to a server that is not trusted"

        other, _ = make_certificates(make_folder(tmp_path / "other"))
        write_entry(clone, **entry, ca_file=str(other))
        assert f"{other} is not its CA's" in one_sentence(run(clone, THEIR_API_KEY=API_KEY))
        write_entry(clone, **{**entry, "api_url": front.url.replace("127.0.0.1", "localhost")}, ca_file="their-ca.pem")
        assert f"{NAME}.api_url: the certificate" in one_sentence(run(clone, THEIR_API_KEY=API_KEY))
    write_entry(clone, **entry, ca_file="their-ca.pem")
    assert f"nobody answers at {front.url}" in one_sentence(run(clone, THEIR_API_KEY=API_KEY))


def make_folder(path: Path) -> Path:
    path.mkdir()
    return path


def robot(clone: Path, output: Path, **variables: str) -> list[str]:
    """Run the suite with robot alone, and return what it says of each case."""
    command = [
        sys.executable,
        "-m",
        "robot",
        "--variable",
        f"ENV:{NAME}",
        "--outputdir",
        str(output),
        f"suites/{SUITE}",
    ]
    paths = os.pathsep.join([str(clone), str(clone / "libraries")])
    done = subprocess.run(
        command,
        cwd=clone,
        env={**os.environ, "PYTHONPATH": paths, **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode, "nothing can be green there"
    return [test.message for test in ExecutionResult(output / "output.xml").suite.all_tests]


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "ca_file: there is no file no.pem"), ("no certificate\n", "holds no certificates (PEM)")],
)
def test_a_bundle_that_is_none_is_one_sentence(
    clone: Path, behind: embedded.Studio, content: str | None, words: str
) -> None:
    path = clone / "no.pem"
    if content is not None:
        path.write_text(content)
    write_entry(clone, **locations(behind), ca_file="no.pem")
    assert words in one_sentence(run(clone))


def test_an_api_key_is_asked_for_by_its_name(clone: Path, behind: embedded.Studio) -> None:
    with in_front(Front(behind.api_url, API_KEY)) as front:
        write_entry(clone, **locations(behind, front))
        line = one_sentence(run(clone))
        assert f"{NAME}.api_key: the API wants a key (401: " in line
        assert {path.partition("?")[0] for path, _ in front.seen} == {"/pilates_schedule_slots"}


# --- a connection pooler ----------------------------------------------------------------------------------------------


@contextmanager
def pooler(folder: Path, studio: embedded.Studio, mode: str) -> Iterator[str]:
    """Start PgBouncer in front of a studio's database, and yield the URL that leads through it."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed (apt-get install pgbouncer)")
    place = parse_dsn(studio.database_url)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
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
        as_nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        let_in(folder)
        process = subprocess.Popen(
            [program, str(folder / "pgbouncer.ini")],
            stdout=subprocess.DEVNULL,
            stderr=log,
            preexec_fn=end_with_parent(signal.SIGKILL),
            **as_nobody,
        )
        try:
            until = time.monotonic() + 10
            while process.poll() is None and not listens(port) and time.monotonic() < until:
                time.sleep(0.02)
            assert listens(port), (folder / "log").read_text()
            yield make_url(place | {"host": "127.0.0.1", "port": str(port), "dbname": "studio"})
        finally:
            process.terminate()
            process.wait(10)


def let_in(folder: Path) -> None:
    """Let everybody into a folder that pytest has made for us alone."""
    for one in (folder, *folder.parents):
        if one.owner() == folder.owner() and one.name.startswith(("pytest", "test_")):
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
