"""A system by URL, as people have it: TLS with a CA of its own, an API key, a connection pooler."""

from __future__ import annotations

import base64
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jwt
import psycopg2
import pytest
import yaml
from psycopg2.extensions import parse_dsn
from robot.api import ExecutionResult

from acceptance import embedded, environment, people
from acceptance.errors import SuiteError
from tools.run import preflight
from tools.selftest.clone import make_clone
from tools.selftest.front import Front, in_front, make_certificates, relayed
from tools.studio.processes import end_with_parent

SECONDS = 120
NAME = "theirs"
API_KEY = "an-api-key-as-anon-keys-are"
SUITE, RIGHTS = "priority/known_bug.robot", "rules/rights.robot"
PASSED = 4  # of its cases; the others need a calendar, or a proxy in front


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clone(tmp_path_factory.mktemp("by-url") / "clone", suites=[SUITE, RIGHTS])


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
    found: dict[str, int] = json.loads((clone / "results" / "latest" / "run.json").read_bytes())["counts"]
    return found


def locations(studio: embedded.Studio, front: Front | None = None) -> dict[str, object]:
    api_url = front.url if front else studio.api_url
    told = {"api_url": api_url, "database_url": studio.database_url, "jwt_secret": studio.jwt_secret}
    return {**told, "instruments": True}


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


# --- users that are given instead of the secret -----------------------------------------------------------------------

ROLES = {"member": "user", "other_member": "user", "trainer": "trainer", "secretary": "secretary", "admin": "admin"}
PASSWORD = "a-password-only-they-know"  # noqa: S105 - nobody's
OF_TOKENS = "eyJhbGciOiJIUzI1NiI"  # {"alg":"HS256" in base64
RENEWAL = "a-renewal-"
LIFE = 1  # seconds; so short that tokens must be renewed while a run lasts


@pytest.fixture
def users(behind: embedded.Studio) -> Iterator[dict[str, str]]:
    with profiles(behind) as ids:
        yield ids


@contextmanager
def profiles(studio: embedded.Studio) -> Iterator[dict[str, str]]:
    """Have users as a studio has them for tests: profiles that are not the suite's, by the entry's words."""
    ids = {word: str(uuid.uuid4()) for word in ROLES}
    with closing(psycopg2.connect(studio.database_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for word, user_id in ids.items():
                cursor.execute(
                    "insert into public.user_profiles (user_id, email, role, full_name) values (%s, %s, %s, %s)",
                    (user_id, f"{word}@example.org", ROLES[word], f"Their {word}"),
                )
            yield ids
            for table in ("pilates_bookings", "pilates_deposits", "user_profiles"):
                cursor.execute(f"delete from public.{table} where user_id = any(%s::uuid[])", (list(ids.values()),))


def sign(studio: embedded.Studio, user_id: str, seconds: float = 3600) -> str:
    claims = {"role": "authenticated", "aud": "authenticated", "sub": user_id, "exp": math.ceil(time.time() + seconds)}
    return jwt.encode(claims, studio.jwt_secret, algorithm="HS256")


def rows_of(studio: embedded.Studio, ids: dict[str, str]) -> dict[str, list[tuple[object, ...]]]:
    """Read everything of some users, and everything that the suite has made."""
    theirs = "user_id = any(%(ids)s::uuid[]) or user_id::text like 'acce97ab%%'"
    conditions = {
        "user_profiles": theirs,
        "pilates_deposits": theirs,
        "pilates_bookings": theirs,
        "pilates_calendar_outbox": theirs,
        "pilates_schedule_slots": "id::text like 'acce97ab%%'",
        "idempotency_keys": "caller = any(%(ids)s::uuid[])",
        "pilates_audit_log": "user_id = any(%(ids)s::uuid[])",
    }
    found = {}
    with closing(psycopg2.connect(studio.database_url)) as connection, connection.cursor() as cursor:
        for table, condition in conditions.items():
            cursor.execute(f"select * from public.{table} where {condition} order by 1", {"ids": list(ids.values())})
            found[table] = cursor.fetchall()
    return found


def by_tokens(behind: embedded.Studio, users: dict[str, str]) -> tuple[dict[str, object], dict[str, str]]:
    """Make the entry with a token for each user, and the variables that hold them."""
    entry = {key: value for key, value in locations(behind).items() if key != "jwt_secret"}
    variables = {f"TOKEN_OF_{word.upper()}": sign(behind, user_id) for word, user_id in users.items()}
    return {**entry, "tokens": {word: f"${{TOKEN_OF_{word.upper()}}}" for word in users}}, variables


def messages(clone: Path) -> dict[str, str]:
    found = ExecutionResult(clone / "results" / "latest" / "output.xml").suite.all_tests
    return {test.name.partition(" ")[0]: test.message for test in found}


def test_cases_act_as_the_users_that_are_given(clone: Path, behind: embedded.Studio, users: dict[str, str]) -> None:
    entry, variables = by_tokens(behind, users)
    write_entry(clone, **entry)
    before = rows_of(behind, users)
    done = pilates(clone, "run", "--env", NAME, "--count", "12", "--processes", "2", **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{NAME} gives its users, and one worker at a time has them: --processes 1." in done.stdout
    assert counts(clone)["passed"] >= PASSED + 6
    assert f"not proven: {NAME} gives 2 members, and this needs one more" in "".join(messages(clone).values())
    assert rows_of(behind, users) == before, "their profiles are as they were, and nothing else is left"


def test_users_that_cannot_be_used_are_one_sentence(
    clone: Path, behind: embedded.Studio, users: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, variables = by_tokens(behind, users)
    write_entry(clone, **entry)
    monkeypatch.setattr(environment, "FILE", clone / "data" / "environments.yaml")

    def refused(**others: str) -> str:
        for name, value in (variables | others).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SuiteError) as caught:
            preflight.check(environment.connect(environment.load(NAME)))
        return str(caught.value).partition(f"{NAME}.tokens.")[2]

    member, other = users["member"], users["other_member"]
    assert refused(TOKEN_OF_MEMBER="none") == "member: is no token (JWT)."  # noqa: S106 - it is none
    expired = refused(TOKEN_OF_MEMBER=sign(behind, member, -60))
    assert expired.startswith("member: the token has expired; get a new one")
    twice = refused(TOKEN_OF_OTHER_MEMBER=variables["TOKEN_OF_MEMBER"])
    assert twice == "other_member: is the same user as member."
    forged = jwt.encode({"sub": member, "role": "authenticated"}, "another secret of thirty-two bytes", "HS256")
    assert refused(TOKEN_OF_MEMBER=forged).startswith("member: the API does not take our tokens (401: ")
    nobody = refused(TOKEN_OF_MEMBER=sign(behind, str(uuid.uuid4())))
    assert nobody.startswith("member: user_profiles has no row of this user (")
    swapped = refused(TOKEN_OF_TRAINER=sign(behind, users["admin"]), TOKEN_OF_ADMIN=sign(behind, users["trainer"]))
    assert swapped == "trainer: this user's role is 'admin', and not 'trainer'."

    before = rows_of(behind, users)
    with closing(psycopg2.connect(behind.database_url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("select pg_advisory_lock(%s, hashtext(%s))", (people.IN_USE, users["admin"]))
        assert refused().startswith("admin: another process has this user just now")
        cursor.execute("select pg_advisory_unlock(%s, hashtext(%s))", (people.IN_USE, users["admin"]))
        cursor.execute(
            "insert into public.pilates_deposits (user_id, classes_credited, deposit_remaining) values (%s, 3, 3)",
            (other,),
        )
        words = "other_member: this user has 1 deposit and 0 bookings already; give a user that nobody uses"
        assert refused().startswith(words)
        assert words in one_sentence(run(clone, **variables))
        assert words in robot(clone, clone / "robot", **variables)[0]
        cursor.execute("delete from public.pilates_deposits where user_id = %s", (other,))
    assert rows_of(behind, users) == before
    load = one_sentence(pilates(clone, "load", "--env", NAME, "--users", "2", "--time", "1s", **variables))
    assert "a load makes its own members; give the jwt_secret" in load


class GoTrue:
    """Signs in as Supabase's GoTrue does; its tokens live for seconds, and a refresh token is good for once."""

    def __init__(self, studio: embedded.Studio, users: dict[str, str]):
        self.studio, self.users = studio, users
        self.grants: list[str] = []
        self.refresh: dict[str, str] = {}

    def __call__(self, grant: str, body: dict[str, str]) -> tuple[int, dict[str, object]]:
        self.grants.append(grant)
        if grant == "refresh_token":
            word = self.refresh.pop(body["refresh_token"], None)
            if word is None:
                return 400, {"code": 400, "error_code": "refresh_token_not_found", "msg": "Invalid Refresh Token"}
        else:
            word = body["email"].partition("@")[0]
            if body["password"] != PASSWORD:
                return 400, {"code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials"}
        renewal = f"{RENEWAL}{uuid.uuid4()}"
        self.refresh[renewal] = word
        token = sign(self.studio, self.users[word], LIFE)
        told = {"access_token": token, "token_type": "bearer", "expires_in": LIFE, "refresh_token": renewal}
        return 200, {**told, "user": {"id": self.users[word], "email": body.get("email")}}


def by_sign_in(behind: embedded.Studio, front: Front, users: dict[str, str]) -> dict[str, object]:
    entry = {key: value for key, value in locations(behind, front).items() if key != "jwt_secret"}
    of_users = {word: {"email": f"{word}@example.org", "password": "${PASSWORD}"} for word in users}
    return {**entry, "api_key": "${THEIR_API_KEY}", "sign_in": {"url": f"{front.url}/auth/v1", "users": of_users}}


def test_users_sign_in_with_their_passwords(clone: Path, behind: embedded.Studio, users: dict[str, str]) -> None:
    gotrue = GoTrue(behind, users)
    with in_front(Front(behind.api_url, API_KEY, gotrue)) as front:
        write_entry(clone, **by_sign_in(behind, front, users))
        before = rows_of(behind, users)
        done = run(clone, PASSWORD=PASSWORD, THEIR_API_KEY=API_KEY)
        assert done.returncode == 0, done.stdout + done.stderr
        assert counts(clone)["passed"] >= PASSED
        assert front.turned_away == []
        assert set(gotrue.grants) == {"password", "refresh_token"}, "the run lasts longer than a token"
        assert rows_of(behind, users) == before

        gotrue.grants.clear()
        wrong = one_sentence(run(clone, PASSWORD="wrong-and-secret", THEIR_API_KEY=API_KEY))  # noqa: S106 - nobody's
        assert f"{NAME}.sign_in.users.member: the sign-in is refused (400: Invalid login credentials)." in wrong
        assert "wrong-and-secret" not in wrong
        assert gotrue.grants == ["password"], "nobody tries again and locks the user out"
    gone = one_sentence(run(clone, PASSWORD=PASSWORD, THEIR_API_KEY=API_KEY))
    assert f"nobody answers at {front.url}" in gone


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_no_secret_is_in_what_is_written_or_said(clone: Path, tmp_path: Path) -> None:
    """Green and red cases, by the secret and by sign-in, logged as loudly as Robot Framework can."""
    defect = clone / "tools" / "mutants" / "book-charges-nothing.sql"
    with ExitStack() as stack:
        broken = stack.enter_context(closing(embedded.attach(clone / "tools" / "studio" / "supervisor.py", [defect])))
        users = stack.enter_context(profiles(broken))
        gotrue = GoTrue(broken, users)
        front = stack.enter_context(in_front(Front(broken.api_url, API_KEY, gotrue)))
        by_secret = {**locations(broken, front), "jwt_secret": "${JWT_SECRET}", "api_key": "${THEIR_API_KEY}"}
        variables = {
            "JWT_SECRET": broken.jwt_secret,
            "THEIR_API_KEY": API_KEY,
            "PASSWORD": PASSWORD,
            "ROBOT_OPTIONS": "--loglevel TRACE",
        }
        for entry in (by_secret, by_sign_in(broken, front, users)):
            write_entry(clone, **{**entry, "database_url": "${DATABASE_URL}", "instruments": False})
            done = run(clone, **variables, DATABASE_URL=broken.database_url)
            assert done.returncode == 1, done.stdout + done.stderr
            (tmp_path / f"said-{len(front.tokens)}").write_text(done.stdout + done.stderr)
        secrets = {broken.jwt_secret, API_KEY, PASSWORD, parse_dsn(broken.database_url)["password"]}
    # Every token begins alike, of those who sign in and of those whom the suite signs for; so do renewals.
    assert len(front.tokens) > 12
    assert {token[: len(OF_TOKENS)] for token in front.tokens - {""}} == {OF_TOKENS}
    secrets |= {OF_TOKENS, RENEWAL}
    places = [tmp_path, (clone / "results")]
    assert list((clone / "results" / "latest").glob("failures/*/requests.jsonl"))
    assert "TRACE" in (clone / "results" / "latest" / "output.xml").read_text()
    assert found_in(places, secrets) == []
    # The search itself: what is there is found, also when it was encoded.
    for number, words in enumerate(
        (PASSWORD, quote("a pass/word?", safe=""), base64.b64encode(b"x" + API_KEY.encode()).decode())
    ):
        (tmp_path / f"planted-{number}").write_text(f"so {words}!")
    assert found_in([tmp_path], {*secrets, "a pass/word?"}) == [f"planted-{number}" for number in range(3)]


def found_in(places: list[Path], secrets: set[str]) -> list[str]:
    """Name the files that hold one of some secrets: as it is, as in a URL, or in base64 at any offset."""
    wanted = {form for secret in secrets for form in (secret.encode(), quote(secret, safe="").encode())}
    for secret in secrets:
        for offset in range(3):
            # Without the first and last digits, which depend on what stands beside it.
            wanted.add(base64.b64encode(b" " * offset + secret.encode())[4 if offset else 0 : -4])
    files = sorted(path for place in places for path in place.rglob("*") if path.is_file())
    return [path.name for path in files if any(form in path.read_bytes() for form in wanted)]
