"""What the self-tests share: the embedded studio, as a user has it, and a connection to its database."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
import requests
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance import embedded
from acceptance.datafiles import ROOT
from tools import cli
from tools.run import folder
from tools.selftest.clone import make_clone

Call = Callable[..., tuple[int, str]]

SUPERVISOR = ROOT / "tools" / "studio" / "supervisor.py"


ONE_STUDIO = "one studio"
# Their tests have rows of the suite in this copy's studio, or clean it of all of them: never two at a time.
OF_ONE_STUDIO = {
    "access",
    "calendar",
    "cli",
    "clients",
    "crash",
    "disturbed_cases",
    "draws",
    "instruments",
    "load",
    "load_elsewhere",
}


def topic_of(path: Path) -> str:
    """Return what a file's tests are about: the folder it is in, which shares what it needs, or its own name."""
    first = path.relative_to(Path(__file__).parent).parts[0]
    return first.removeprefix("test_").removesuffix(".py")


def group_of(item: pytest.Item) -> str:
    """Name what runs one after the other: the tests of a topic, and those of ``OF_ONE_STUDIO`` together."""
    topic = topic_of(item.path)
    return ONE_STUDIO if topic in OF_ONE_STUDIO else topic


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups, in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tell pytest-xdist the groups; the longest one begins, or the others would be over long before it."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item)))
    items.sort(key=lambda item: group_of(item) != ONE_STUDIO)


def own_temporary(monkeypatch: pytest.MonkeyPatch, prefix: str) -> Path:
    """Make a temporary folder of a test's own, where studios then live: with a short path, open as /tmp is."""
    made = Path(tempfile.mkdtemp(prefix=prefix, dir=embedded.temporary()))  # pytest's own are closed and long
    made.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    monkeypatch.setenv("TMPDIR", str(made))
    return made


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, which nobody else runs anything in."""
    return make_clone(tmp_path_factory.mktemp("copy") / "clone")


@pytest.fixture(scope="session")
def studio() -> Iterator[embedded.Studio]:
    studio = embedded.attach(SUPERVISOR)
    yield studio
    studio.close()


@pytest.fixture
def db(studio: embedded.Studio) -> Iterator[Connection]:
    connection = psycopg2.connect(studio.database_url)
    connection.autocommit = True
    yield connection
    connection.close()


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Call]:
    """Call a command in this process, with results elsewhere; return its exit code and all it said."""
    monkeypatch.setattr(folder, "RESULTS", tmp_path / "results")

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["pilates", *arguments])
        code = cli.main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err, said.err
        return code, said.out + said.err

    handler = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session
