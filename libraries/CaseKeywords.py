"""Keywords that open and close the connection to the studio, and begin and end each case."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import psycopg2
import requests
from psycopg2.extensions import parse_dsn
from robot.api import FatalError, logger
from robot.api.deco import keyword, library
from robot.api.types import Secret
from robot.libraries.BuiltIn import BuiltIn
from robot.result import TestCase as TestResult
from robot.running import TestCase

from acceptance import client, current, environment, recovery
from acceptance.access import OWN_CHOICE
from acceptance.bench import Bench, open_database, run_digits
from acceptance.errors import NotProven, SuiteError
from acceptance.pooler import check_session
from acceptance.running_case import RunningCase

ALIAS = "studio"
SECONDS = 10
SUITE_NAMESPACE = uuid.UUID("6f1d3c0e-8d0c-4f0e-9a55-2f3c7a1b9e42")


@library(scope="GLOBAL", auto_keywords=False)
class CaseKeywords:
    """Opens the connection to the studio once per process, and frames each case.

    After the connection is open, the aliases ``studio`` of RequestsLibrary and DatabaseLibrary are open too: a
    scenario may use their keywords on the very same system.
    """

    ROBOT_LISTENER_API_VERSION = 3

    def __init__(self) -> None:
        self.ROBOT_LIBRARY_LISTENER = self
        self._shared: Bench | None = None
        self._private: Bench | None = None

    @keyword
    def connect_to_the_studio(self) -> None:
        """Connects to the environment named by the variable ``${ENV}``, once per process.

        The embedded studio is started if nobody has. ``${OVERLAY}`` names SQL files that break it on purpose,
        ``${RUN_DIR}`` the folder for logs and snapshots, ``${RUN_NAME}`` the run that the rows belong to.

        Example:
        | robot --variable ENV:embedded suites |
        """
        if current.bench() is not None:
            return
        with _fatal_without_a_studio():
            chosen, overlays, folder = _wanted()
            target = environment.connect(chosen, overlays)
            current.set_bench(self._open(target, folder))

    @keyword
    def move_to_a_private_studio(self) -> None:
        """Lets the cases that follow run on a studio that nobody else uses, so that they may kill it.

        The aliases of RequestsLibrary and DatabaseLibrary stay with the shared one. Where ``${ENV}`` is not the
        embedded studio the cases are skipped, as not proven: nobody's real system is killed.

        Example:
        | Suite Setup | Move To A Private Studio |
        """
        with _fatal_without_a_studio():
            chosen, overlays, folder = _wanted()
            if chosen.foreign:
                raise NotProven(f"not proven: {chosen.name} is not ours to kill; only the embedded studio is.")
            target = environment.connect(chosen, overlays, private=True)
            session = requests.Session()
            session.trust_env = False
            bench = Bench(target, open_database(target), session, folder, _digits(folder))
            self._shared = current.bench()
            self._private = bench
            current.set_bench(bench)

    @keyword
    def move_back_to_the_shared_studio(self) -> None:
        """Undoes `Move To A Private Studio`, and lets the private studio go.

        Example:
        | Suite Teardown | Move Back To The Shared Studio |
        """
        if self._private is None:
            return
        private, self._private = self._private, None
        current.set_bench(self._shared)
        with closing(private.target), closing(private.connection), closing(private.session):
            recovery.heal(private)
            private.close()

    def _open(self, target: environment.Target, folder: Path) -> Bench:
        # Robot Framework calls a library an object; these two have no type hints of their own.
        requests_library: Any = BuiltIn().get_library_instance("RequestsLibrary")
        # Its sessions retry three times of themselves, which would hide what an answer's loss does.
        session = requests_library.create_session(ALIAS, target.api_url, verify=target.ca_file or True, max_retries=0)
        session.trust_env = target.lease is None
        if target.lease is None:  # said once here, not by each case
            check_session(target)
            client.look(session, target, headers={}, timeout=SECONDS)
        database: Any = BuiltIn().get_library_instance("DatabaseLibrary")
        place = parse_dsn(target.database_url)
        database.connect_to_database(
            "psycopg2",
            db_name=place.pop("dbname", None),
            db_user=place.pop("user", None),
            db_password=Secret(place.pop("password", "")),
            db_host=place.pop("host", None),
            db_port=int(place.pop("port", 5432)),
            alias=ALIAS,
            **place,
        )
        connection = database.connection_store.get_connection(ALIAS).client
        connection.autocommit = True
        return Bench(target, connection, session, folder, _digits(folder))

    @keyword
    def begin_case(self, *, seed: int | None = None, trace: str | None = None) -> None:
        """Begins a case; its id is the first word of the test's name.

        | =Argument= | =Meaning= |
        | ``seed``   | source of everything random in the case; by default made from the test's name |
        | ``trace``  | the case's trace id; by default made from the test's name |

        Example:
        | Begin Case | seed=4711 |
        """
        self.connect_to_the_studio()
        bench = current.bench()
        if bench is None:
            raise FatalError("there is no connection to the studio.")
        if bench is self._private:
            recovery.heal(bench)
        name = str(BuiltIn().get_variable_value("${TEST NAME}"))
        number = crc32(name.encode()) if seed is None else seed
        trace_id = trace or str(uuid.uuid5(SUITE_NAMESPACE, name))
        current.set_case(RunningCase(bench, name, number, trace_id))

    @keyword
    def end_case(self) -> None:
        """Ends the case: a last look at everything, the snapshots written, the case's rows removed.

        Fails when something broke that no line of the scenario has noticed.

        Example:
        | [Teardown] | End Case |
        """
        case = current.case()
        try:
            case.end()
            if case.doubts.told and BuiltIn().get_variable_value("${TEST STATUS}") == "PASS":
                BuiltIn().set_test_message(f"{OWN_CHOICE}{'; '.join(case.doubts.told)}.")
        except NotProven:
            # A skip here would hide what has failed before, and what was skipped before has said why.
            if BuiltIn().get_variable_value("${TEST STATUS}") == "PASS":
                raise
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            if self._private is not None:
                raise  # the next case heals it
            # Without a database nothing can be judged: stop, instead of failing every case that is left.
            raise FatalError(f"the suite's own connection to the database was lost: {error}") from None
        finally:
            current.set_case(None)
            if case.complaints:
                link = f"failures/{case.test_id}/README.md"
                logger.info(f'What happened, why, and how to see it again: <a href="{link}">{link}</a>', html=True)
            if any(breach.severity == "P0" for breach in case.breaches):
                BuiltIn().set_tags("p0")

    def end_test(self, _data: TestCase, result: TestResult) -> None:
        """Robot Framework calls it after each test: what broke is a failure, also where the case was then skipped.

        A scenario that the target cannot go on with is skipped at that line; the last look, in the teardown, may still
        find a class lost, and Robot Framework would say SKIP all the same.
        """
        case = current.ended()
        if result.status == "SKIP" and case is not None and case.name == result.name and case.complaints:
            result.status = "FAIL"
            result.message = "\n".join(case.complaints) + f"\n(Then it was skipped: {result.message})"

    def close(self) -> None:
        """Robot Framework calls it when the run is over: remove the staff's rows and let the studio go."""
        self.move_back_to_the_shared_studio()
        bench = current.bench()
        if bench is not None:
            bench.close()
            bench.connection.close()
            bench.target.close()
            current.set_bench(None)


def _wanted() -> tuple[environment.Environment, list[Path], Path]:
    """Return the environment, the overlays and the folder that Robot Framework's variables name."""
    variables = BuiltIn()
    name = str(variables.get_variable_value("${ENV}") or "embedded")
    overlays = [Path(part) for part in str(variables.get_variable_value("${OVERLAY}") or "").split(",") if part]
    folder = Path(str(variables.get_variable_value("${RUN_DIR}") or variables.get_variable_value("${OUTPUT DIR}")))
    sql = [Path(part) for part in str(variables.get_variable_value("${SQL}") or "").split(",") if part]
    chosen = environment.load(name, sql)
    environment.check_writable(chosen)
    return chosen, overlays, folder


def _digits(folder: Path) -> str:
    """Return the digits of the run's rows: a rerun's are its run's own, and go away with them."""
    return run_digits(str(BuiltIn().get_variable_value("${RUN_NAME}") or folder.name))


@contextmanager
def _fatal_without_a_studio() -> Iterator[None]:
    """Stop the run where there is nothing to test."""
    try:
        yield
    except SuiteError as error:
        raise FatalError(str(error)) from None
    except psycopg2.OperationalError as error:
        name = BuiltIn().get_variable_value("${ENV}")
        raise FatalError(f"{name}: the database does not let us in: {error}") from None
