"""The command line: what it needs before it starts, and what it says to a person who asked for something wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import typer
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance import embedded, environment, rows
from acceptance.bench import open_database, run_digits
from acceptance.datafiles import ROOT
from tools import cli, docs, generator, pilates
from tools.commands.options import PROGRAM
from tools.run import cases, folder, preflight

Call = Callable[..., tuple[int, str]]

# --- the first start -------------------------------------------------------------------------------------------------


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    path = tmp_path / "requirements.txt"
    path.write_text("# comment\npytest==0.0.1\nno-such-package==1.2\n")
    return path


def make_venv(requirements: Path, marker: str | None) -> Path:
    """Make what a virtual environment looks like from outside."""
    venv = requirements.parent / ".venv"
    pilates.python_of(venv).parent.mkdir(parents=True)
    pilates.python_of(venv).touch()
    if marker is not None:
        pilates.marker_of(venv).write_text(marker)
    return venv


def test_pins_are_read() -> None:
    assert pilates.pins("# c\na-b==1.2\n\nc==3  # why\nd>=4\n") == {"a-b": "1.2", "c": "3"}


def test_this_python_has_the_requirements() -> None:
    assert pilates.prepare(ROOT) == Path(sys.executable)


def test_missing_and_outdated_packages_are_noticed(requirements: Path) -> None:
    assert pilates.missing({"pytest": "0.0.1"}) == ["pytest"]
    assert pilates.missing({"no-such-package": "1"}) == ["no-such-package"]


def test_finished_environment_is_used_as_it_is(requirements: Path) -> None:
    venv = make_venv(requirements, None)
    pilates.marker_of(venv).write_text(pilates.fingerprint(requirements, venv))
    assert pilates.prepare(requirements.parent) == pilates.python_of(venv)


@pytest.mark.parametrize("change", ["requirements changed", "folder moved", "interrupted", "python gone"])
def test_environment_is_made_again(requirements: Path, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    venv = make_venv(requirements, None)
    place = venv.parent / "elsewhere" if change == "folder moved" else venv
    marker = pilates.UNFINISHED if change == "interrupted" else pilates.fingerprint(requirements, place)
    pilates.marker_of(venv).write_text(marker)
    if change == "requirements changed":
        requirements.write_text("pytest==0.0.2\n")
    if change == "python gone":
        pilates.python_of(venv).unlink()
    installed = []
    monkeypatch.setattr(pilates, "install", lambda *arguments: installed.append(arguments[1]))
    pilates.prepare(requirements.parent)
    assert installed == [venv]
    assert pilates.state(venv) not in (None, pilates.fingerprint(requirements, venv)), "ours, and to be made anew"


def test_environment_of_somebody_else_is_not_removed(requirements: Path) -> None:
    assert pilates.state(make_venv(requirements, None)) is None


def test_second_first_start_waits_for_the_first(requirements: Path) -> None:
    wait = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom tools import pilates\nfrom pathlib import Path\n"
    wait += f"with pilates.lock(Path({str(requirements)!r})): print('in')"
    with pilates.lock(requirements):
        second = subprocess.Popen(
            [sys.executable, "-c", wait], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert second.stderr
        assert "waiting" in second.stderr.readline()
        assert second.poll() is None
    words, _ = second.communicate(timeout=30)
    assert words == "in\n"


def test_installation_that_fails_is_one_clear_line(requirements: Path, tmp_path: Path) -> None:
    script = "print('Collecting x==1'); print('ERROR: no such thing'); raise SystemExit(1)"
    with (
        pilates.lock(requirements) as held,
        pytest.raises(pilates.CannotPrepareError, match=r"ERROR: no such thing.*Try again"),
    ):
        pilates._phase([sys.executable, "-c", script], tmp_path / "log", held, "Try again.")
    assert "Collecting" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Collecting typer==0.29.2 (from -r requirements.txt (line 3))", "typer==0.29.2"),
        ("Processing /wheels/psycopg2_binary-2.9.13-cp311-cp311-linux.whl (from -r x)", "psycopg2_binary==2.9.13"),
        ("Installing collected packages: a, b, c", "unpacking 3 packages ..."),
        ("Looking in links: /wheels", ""),
    ],
)
def test_progress_of_the_installation(line: str, words: str) -> None:
    assert pilates.progress(line) == words


# --- wrong input -----------------------------------------------------------------------------------------------------


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Call the command line in this process, with results elsewhere; return its exit code and all it said."""
    monkeypatch.setattr(folder, "RESULTS", tmp_path / "results")

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["pilates", *arguments])
        with monkeypatch.context() as local:
            local.setattr(os, "environ", dict(os.environ))  # what an option says to all processes ends with the call
            code = cli.main()
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.fixture
def environments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Replace data/environments.yaml by a text; the defaults stay."""
    defaults = environment.FILE.read_text(encoding="utf-8").partition("environments:\n")[0]

    def write(entries: str) -> None:
        path = tmp_path / "environments.yaml"
        path.write_text(defaults + "environments:\n" + textwrap.indent(textwrap.dedent(entries), "  "))
        monkeypatch.setattr(environment, "FILE", path)

    return write


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--count", "0"], ["--count", "1"]),
        (["run", "--count", "20001"], ["--count", "20000"]),
        (["run", "--count", "many"], ["--count"]),
        (["run", "--processes", "0"], ["--processes"]),
        (["run", "--env", "nowhere"], ["environments.yaml", "nowhere", "embedded"]),
        (["run", "--priority", "--category", "load"], ["--priority", "--category"]),
        (["run", "--overlay", "missing.sql"], ["missing.sql"]),
        (["run", "--overlay", "x.sql", "--env", "staging-example"], ["overlay", "embedded"]),
        (["run", "--env", "staging-example"], ["staging-example.api_url", "STAGING_API_URL"]),
        (["generate", "--seed", "-1"], ["--seed"]),
        (["generate", "--category", "nonsense"], ["nonsense", "functional"]),
        (["generate", "--env", "nowhere"], ["nowhere"]),
        (["report", "19990101T000000Z-0000"], ["19990101T000000Z-0000", "none yet"]),
        (["dance"], ["dance"]),
        (["run", "--colour", "red"], ["--colour"]),
        (["doctor", "--env", "nowhere"], ["nowhere"]),
    ],
    ids=" ".join,
)
def test_wrong_input_is_one_clear_message(call: Call, arguments: list[str], words: list[str]) -> None:
    code, said = call(*arguments)
    assert code == 2
    assert "Traceback" not in said
    for word in words:
        assert word in said


def test_nothing_is_made_for_a_wrong_call(call: Call) -> None:
    call("run", "--env", "nowhere")
    assert not folder.RESULTS.exists()


def test_malformed_yaml_names_file_and_line(call: Call, environments: Callable[[str], None]) -> None:
    environments("mine: {description: [")
    code, said = call("run")
    assert code == 2
    assert "environments.yaml:" in said
    assert "YAML" in said


def test_unknown_key_is_named(call: Call, environments: Callable[[str], None]) -> None:
    environments("mine: {description: x, start: y, colour: red}")
    code, said = call("run", "--env", "mine")
    assert code == 2
    assert "colour" in said


@pytest.mark.parametrize("command", ["run", "clean"])
def test_read_only_environment_is_refused(call: Call, environments: Callable[[str], None], command: str) -> None:
    environments("mine: {description: x, start: tools/studio/supervisor.py, read_only: true}")
    code, said = call(command, "--env", "mine")
    assert code == 2
    assert "mine.read_only" in said


WRITING = ["run", "run --priority", "random", "load", "clean", "replay T-000001"]
# One call of each command that writes to a system, starts one to write to, or removes something.
REFUSED_READ_ONLY = [
    *WRITING,
    "run --sql schema.sql",
    "load --worker",
    "clean --results",
    "prove",
    "prove --mutant book-without-lock",
    "serve",
    "selftest --version",
    "bench --quick",
]


@pytest.mark.parametrize("command", WRITING)
def test_production_wants_its_name_once_more(
    call: Call, environments: Callable[[str], None], command: str, tmp_path: Path
) -> None:
    environments("mine: {description: x, start: tools/studio/supervisor.py, production: true}")
    where = ["--run", str(a_run(tmp_path, "mine"))] if command.startswith("replay") else ["--env", "mine"]
    for before in ([], ["--on-production", "embedded"]):
        code, said = call(*before, *command.split(), *where)
        assert code == 2
        assert "mine.production: is true" in said
        assert "--on-production mine" in said


@pytest.mark.parametrize("command", REFUSED_READ_ONLY)
def test_read_only_is_enforced_on_every_command_that_writes(call: Call, command: str, tmp_path: Path) -> None:
    where = ["--run", str(a_run(tmp_path, "embedded"))] if command.startswith("replay") else []
    code, said = call("--read-only", *command.split(), *where)
    assert code == 2
    assert said == (
        f"pilates: --read-only was said, and {command.split()[0]} writes to a system or removes something: not done.\n"
    )
    assert not folder.RESULTS.exists()


def test_every_command_either_reads_or_is_refused_read_only(call: Call) -> None:
    refused = {command.split()[0] for command in REFUSED_READ_ONLY}
    assert refused | cli.READING == set(commands())
    assert not refused & cli.READING
    code, said = call("--help")
    assert code == 0
    assert all(name in said.partition("--read-only")[2].partition("--on-production")[0] for name in cli.READING)
    code, said = call("--read-only", "clean", "--help")
    assert (code, "Usage" in said) == (0, True)


@pytest.mark.parametrize("command", ["generate --count 3", "report", "analyze", "docs", "doctor", "verify-db"])
def test_what_writes_only_files_of_its_own_may_be_called_read_only(
    call: Call, command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cases, "GENERATED", tmp_path / "generated")
    monkeypatch.setattr(docs, "write", lambda: tmp_path / "docs")
    code, said = call("--read-only", *command.split())
    assert "--read-only was said" not in said
    assert code == (2 if command in ("report", "analyze") else 0), said
    if code:
        assert "none yet" in said


def test_old_results_stay_read_only(call: Call) -> None:
    made = [folder.create() for _ in range(2)]
    assert call("--read-only", "clean", "--results")[0] == 2
    assert all(path.is_dir() for path in made)


def a_run(place: Path, env: str) -> Path:
    """Write what ``replay`` wants to know of an earlier run."""
    (place / "run.json").write_text(json.dumps({"arguments": {"env": env, "overlays": [], "sql": []}}))
    record = generator.generate(count=1, seed=1)
    generator.write_table(record, place / "cases.json")
    return place


def test_the_server_itself_refuses_writes_where_nothing_may_be_written(
    studio: embedded.Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(environment.READ_ONLY, "yes")
    target = environment.Target(environment.load("embedded"), studio.api_url, studio.database_url, studio.jwt_secret)
    with preflight.connected(target) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from public.user_profiles")
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            rows.remove_rows(connection)
    with closing(open_database(target)) as connection, pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        rows.remove_rows(connection)


# The address answers nothing: port 1 is reserved, and nobody listens there.
NOBODY = "127.0.0.1:1"


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("database_url", ["mine.database_url", "does not let us in"]),
        ("no url", ["mine.database_url", "is not a PostgreSQL URL"]),
        ("api_url", ["mine.api_url", "nobody answers", NOBODY]),
        ("jwt_secret", ["mine.jwt_secret", "does not take our tokens"]),
        ("table", ["lacks user_profiles"]),
    ],
)
def test_target_that_cannot_be_tested(
    call: Call,
    environments: Callable[[str], None],
    studio: embedded.Studio,
    broken: str,
    words: list[str],
) -> None:
    database = studio.database_url
    entry = {"api_url": studio.api_url, "database_url": database, "jwt_secret": studio.jwt_secret}
    change = {
        "database_url": {"database_url": f"postgresql://me:hidden-word@{NOBODY}/studio"},
        "no url": {"database_url": "my database, hidden-word"},
        "api_url": {"api_url": f"http://{NOBODY}"},
        "jwt_secret": {"jwt_secret": "not the secret, but long enough to be one"},
        "table": {"database_url": database.replace("/studio", "/postgres")},
    }[broken]
    environments("mine:\n  description: x\n" + "".join(f"  {k}: '{v}'\n" for k, v in {**entry, **change}.items()))
    for command in ("run", "doctor"):
        code, said = call(command, "--env", "mine")
        assert code == 2, said
        assert "Traceback" not in said
        assert "hidden-word" not in said
        assert studio.jwt_secret not in said
        for word in words:
            assert word in said
    assert not list(folder.RESULTS.glob("2*")), "no run was begun"


def test_doctor_finds_this_machine_in_order(call: Call, studio: embedded.Studio) -> None:
    code, said = call("doctor")
    assert code == 0, said
    assert "BAD" not in said
    assert "has book_pilates_class" in said


# --- help ------------------------------------------------------------------------------------------------------------


def commands() -> list[str]:
    return list(typer.main.get_group(cli.app).commands)


@pytest.mark.parametrize("command", commands())
def test_each_help_has_examples(call: Call, command: str) -> None:
    code, said = call(command, "--help")
    assert code == 0
    assert f"Examples:\n    {PROGRAM} {command}" in said


# --- folders of runs -------------------------------------------------------------------------------------------------


def test_runs_are_found_and_old_ones_removed(call: Call) -> None:
    made = [folder.create() for _ in range(3)]
    for path in made:
        (path / folder.RECORD).write_text("{}")
    assert folder.find("latest") == made[-1].resolve()
    assert folder.find(made[0].name) == made[0].resolve()
    code, said = call("clean", "--results")
    assert code == 0
    assert "2 old runs removed" in said
    assert folder.runs() == [made[-1]]


def test_rows_of_one_run_are_removed_and_no_others(call: Call, db: Connection) -> None:
    catalogue, names = rows.read_catalogue(db), ("shard-of-one-machine", "shard-of-another")
    ids = [rows.row_id(run_digits(name), "member") for name in names]
    rows.insert(db, catalogue, [rows.user(user_id, "user", "A member") for user_id in ids])
    try:
        code, said = call("clean", "--run", names[0])
        assert code == 0, said
        assert "user_profiles: 1 removed" in said
        with db.cursor() as cursor:
            cursor.execute("select user_id::text from public.user_profiles where user_id = any(%s::uuid[])", (ids,))
            assert cursor.fetchall() == [(ids[1],)]
    finally:
        rows.remove_case(db, catalogue, ids, [])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--shard", "3/2"], ["--shard 3/2", "2/5"]),
        (["run", "--pabotlib", "somewhere"], ["--pabotlib somewhere", "10.0.0.5:8270"]),
        (["report", "--merge"], ["--merge", "all shards"]),
        (["report", "--allow-missing"], ["--merge"]),
        (["report", "one", "two"], ["--merge"]),
    ],
    ids=" ".join,
)
def test_wrong_shard_is_one_clear_message(call: Call, arguments: list[str], words: list[str]) -> None:
    code, said = call(*arguments)
    assert code == 2
    assert "Traceback" not in said
    for word in words:
        assert word in said
