"""Crashes: what was acknowledged is judged right, a private studio really dies and comes back, and nothing is left."""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from robot.api import ExecutionResult

from acceptance import crash, embedded, environment, invariants, recovery
from acceptance.bench import Bench, open_database
from acceptance.client import Outcome, Reply
from acceptance.crash import Moment
from acceptance.datafiles import ROOT
from acceptance.errors import SuiteError
from acceptance.history import Done
from acceptance.invariants import Facts
from acceptance.model import Operation
from acceptance.recovery import Victim
from acceptance.running_case import BrokenPromise, RunningCase
from tools.run.cases import id_of
from tools.selftest import test_checks as sound
from tools.selftest.benches import bench_on
from tools.selftest.clone import make_clone
from tools.selftest.conftest import SUPERVISOR, own_temporary
from tools.selftest.test_lifecycle import eventually, nothing_left

MUTANTS = ROOT / "tools" / "mutants"
SECONDS = 120

# --- the judgement --------------------------------------------------------------------------------------------

BOOKED, CANCELLED, REFUSED = sound.BOOKED, sound.CANCELLED, sound.REFUSED
CRASHED = replace(sound.SOUND, crashes=["the database"])
GIVEN_BACK = sound.rows([sound.deposit(5)], [sound.booking(status="cancelled")])


def unanswered(done: Done) -> Done:
    return replace(done, reply=Reply(Outcome.UNKNOWN))


LOST = unanswered(BOOKED)
WHOLE = {
    "nothing happened": CRASHED,
    "accepted and cancelled": replace(CRASHED, steps=[[BOOKED, CANCELLED]], after=GIVEN_BACK),
    "no answer, there": replace(CRASHED, steps=[[LOST]]),
    "no answer, not there": replace(CRASHED, steps=[[LOST]], after=sound.EMPTY),
    "no answer to the cancellation, cancelled": replace(
        CRASHED, steps=[[BOOKED, unanswered(CANCELLED)]], after=GIVEN_BACK
    ),
    "no answer to the cancellation, standing": replace(CRASHED, steps=[[BOOKED, unanswered(CANCELLED)]]),
    "told by the repetition": replace(CRASHED, steps=[[LOST], [replace(BOOKED, repeats=LOST)]]),
    "refused, not there": replace(CRASHED, steps=[[REFUSED]], after=sound.EMPTY),
    "before any crash": replace(CRASHED, after=sound.EMPTY, crashes=[]),
}


@pytest.mark.parametrize("facts", WHOLE.values(), ids=WHOLE.keys())
def test_what_a_crash_may_leave_breaks_nothing(facts: Facts) -> None:
    assert invariants.check(facts, "I14") == []


BROKEN = {
    "gone": ("of 1 acknowledged bookings 1 are gone after the crash: b1.", replace(CRASHED, after=sound.EMPTY)),
    "cancellation undone": ("after the crash it is confirmed", replace(CRASHED, steps=[[BOOKED, CANCELLED]])),
    "cancelled by nobody": ("after the crash it is cancelled", replace(CRASHED, after=GIVEN_BACK)),
    "another class": (
        "another member or class",
        replace(CRASHED, after=sound.rows([sound.deposit(4)], [sound.booking(slot="nine")])),
    ),
    "refused one kept": ("a refused one was kept", replace(CRASHED, steps=[[REFUSED]])),
    "two for one without an answer": (
        "a refused one was kept",
        replace(
            CRASHED,
            steps=[[LOST]],
            after=sound.rows([sound.deposit(3)], [sound.booking("b1"), sound.booking("b2")]),
        ),
    ),
    "another one than the repetition's": (
        "a refused one was kept",
        replace(
            CRASHED,
            steps=[[LOST], [replace(BOOKED, repeats=LOST)]],
            after=sound.rows([sound.deposit(3)], [sound.booking("b1"), sound.booking("b2")]),
        ),
    ),
    "audit entry without its booking": (
        "the audit log tells of bookings that are not there",
        replace(CRASHED, steps=[[LOST]], after=replace(sound.EMPTY, audit=[sound.entry(1)])),
    ),
    "booking without its audit entry": (
        "the audit log does not tell of them: b1.",
        replace(CRASHED, steps=[[LOST]], after=replace(sound.FULL, audit=[])),
    ),
    "booking that the calendar is not told of": (
        "the calendar's outbox does not tell of them: b1.",
        replace(CRASHED, steps=[[LOST]], after=replace(sound.FULL, outbox=[])),
    ),
}


@pytest.mark.parametrize(("words", "facts"), BROKEN.values(), ids=BROKEN.keys())
def test_what_a_crash_must_not_leave_is_said(words: str, facts: Facts) -> None:
    breaches = invariants.check(facts, "I14")
    assert any(words in breach.sentence and breach.severity == "P0" for breach in breaches), breaches


def test_a_booking_made_and_cancelled_in_one_step_has_two_audit_entries() -> None:
    ended = {**sound.entry(2), "before": {"deposit_remaining": 4}, "after": {"deposit_remaining": 5}}
    before = replace(sound.EMPTY, audit=[])
    facts = replace(CRASHED, before=before, steps=[[BOOKED, CANCELLED]])
    assert invariants.check(replace(facts, after=replace(GIVEN_BACK, audit=[sound.entry(1), ended])), "I9") == []
    assert invariants.check(replace(facts, after=replace(GIVEN_BACK, audit=[sound.entry(1)])), "I9") != []


def test_a_repetition_may_act_only_where_the_first_has_not() -> None:
    for happened in (False, True):
        first = replace(LOST, happened=happened)
        facts = replace(CRASHED, steps=[[first], [replace(BOOKED, repeats=first)]])
        assert bool(invariants.check(facts, "I11")) == happened


@pytest.mark.parametrize(
    ("attempts", "met"), [(["200"], False), (["409"], False), (["503", "200"], True), (["ConnectionError"], True)]
)
def test_a_call_has_met_the_crash_when_an_attempt_says_so(attempts: list[str], met: bool) -> None:
    assert crash.disturbed(Reply(Outcome.ACCEPTED, attempts=attempts)) is met


# --- a real crash ---------------------------------------------------------------------------------------------


@contextmanager
def bench_of(folder: Path, *overlays: Path, start: Path = SUPERVISOR) -> Iterator[Bench]:
    """Open a bench on a studio that nobody else uses."""
    target = environment.connect(replace(environment.load("embedded"), start=start), overlays, private=True)
    with closing(target), bench_on(target, folder) as bench:
        try:
            yield bench
        finally:
            recovery.heal(bench)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench_of(tmp_path_factory.mktemp("crash")) as bench:
        yield bench


@pytest.fixture
def case(bench: Bench) -> Iterator[RunningCase]:
    with closing_case(scene(bench)) as case:
        yield case


def scene(bench: Bench) -> RunningCase:
    case = RunningCase(bench, "T-CRASH-TEST by hand", 4711, str(uuid.uuid4()))
    case.add_member("member", 10)
    case.add_others(9, 2)
    case.add_slot("class", "tomorrow at 10:00", 40)
    case.add_slot("other class", "tomorrow at 12:00", 3)
    return case


@contextmanager
def closing_case(case: RunningCase) -> Iterator[RunningCase]:
    try:
        yield case
    finally:
        recovery.heal(case.bench)
        with case.bench.connection.cursor() as cursor:
            cursor.execute("select to_regnamespace('acceptance_crash')")
            left = cursor.fetchone()
        case.end()
        assert left == (None,), "the instruments were left behind"


def impatient(case: RunningCase) -> None:
    member = case.people["member"]
    case.people["member"] = replace(member, device=replace(member.device, retries=0))


@pytest.mark.parametrize("victim", list(Victim))
def test_the_studio_survives_a_crash_under_load(case: RunningCase, victim: Victim) -> None:
    calls = crash.kill_under_load(case, victim)
    counts = crash.counted(calls)
    case.expect(True, "")
    assert counts["disturbed"] > 0
    assert counts["accepted"] > 10
    assert counts["refused"] > 0
    assert case.kills_seen == [victim]
    assert len(case.steps[-1]) == counts["calls"]


@pytest.mark.parametrize("mutant", ["bookings-not-logged", "answers-before-the-log"])
def test_a_studio_that_forgets_at_a_crash_is_found_out(tmp_path: Path, mutant: str) -> None:
    with bench_of(tmp_path, MUTANTS / f"{mutant}.sql") as bench:
        case = scene(bench)
        crash.kill_under_load(case, Victim.DATABASE)
        with pytest.raises(BrokenPromise, match="P0 I14 what was acknowledged survives a crash"):
            case.expect(True, "")
        case.end()


# The gateway lets the answer go first, and commits a moment later.
ANSWER_FIRST = (
    (
        "async with gateway.pool.acquire(timeout=POOL_WAIT_SECONDS) as connection:\n        try:",
        "connection = await gateway.pool.acquire(timeout=POOL_WAIT_SECONDS)\n    if True:\n        try:",
    ),
    (
        'await connection.execute("commit")',
        """async def later():
                await asyncio.sleep(0.05)
                await connection.execute("commit")
                await gateway.pool.release(connection)

            asyncio.ensure_future(later())""",
    ),
    (
        "await _roll_back(connection)",
        "await _roll_back(connection)\n            await gateway.pool.release(connection)",
    ),
)


def test_an_api_that_answers_before_the_commit_is_found_out(tmp_path: Path) -> None:
    start = make_clone(tmp_path / "clone") / SUPERVISOR.relative_to(ROOT)
    gateway = start.with_name("gateway.py")
    text = gateway.read_text()
    for old, new in ANSWER_FIRST:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    gateway.write_text(text)
    with bench_of(tmp_path, start=start) as bench:
        case = scene(bench)
        crash.kill_under_load(case, Victim.API)
        with pytest.raises(BrokenPromise, match="P0 I14 what was acknowledged survives a crash"):
            case.expect(True, "")
        with suppress(BrokenPromise):  # what is committed late changes what is shown, even now
            case.end()


def test_a_studio_that_keeps_no_answers_is_found_out(tmp_path: Path) -> None:
    overlay = tmp_path / "forgets.sql"
    overlay.write_text("select pg_temp.change('studio.first_answer', 'return v_found.answer', 'return null');")
    with bench_of(tmp_path, overlay) as bench:
        case = scene(bench)
        impatient(case)
        crash.break_next_commit(case, Moment.ANSWER_LOST)
        case.ask(Operation.BOOK, case.caller("member"))
        case.repeat()
        assert case.done().reply.outcome is Outcome.REFUSED  # although the member has the booking, and has paid
        with pytest.raises(BrokenPromise, match="I11 a retried request acts once: the first request acted"):
            case.end()


@pytest.mark.parametrize("moment", list(Moment))
def test_a_commit_without_its_answer_is_kept_and_repeated_for_nothing(case: RunningCase, moment: Moment) -> None:
    impatient(case)
    crash.break_next_commit(case, moment)
    case.ask(Operation.BOOK, case.caller("member"))
    assert case.done().reply.outcome is Outcome.UNKNOWN
    assert case.done().reply.status in (None, 500, 503)
    assert case.kills_seen == [moment]
    assert case.changed, "the booking must be there"
    case.repeat()
    assert case.done().reply.outcome is Outcome.ACCEPTED
    assert not case.changed, "the repetition must change nothing"
    case.ask(Operation.CANCEL, case.caller("member"))
    assert case.done().reply.body == 1
    case.expect(True, "")


def test_an_app_that_tries_again_gets_the_first_answer(case: RunningCase) -> None:
    crash.break_next_commit(case, Moment.ANSWER_LOST)
    case.ask(Operation.BOOK, case.caller("member"))
    assert case.done().reply.attempts == ["503", "200"]
    case.expect(True, "")


def test_a_commit_that_never_comes_is_not_exercised(case: RunningCase) -> None:
    crash.break_next_commit(case, Moment.ANSWER_LOST)
    case.ask(Operation.CANCEL, case.caller("member"))  # there is nothing to cancel
    assert case.not_exercised() == [Moment.ANSWER_LOST]
    case.kills_planned.clear()


def test_an_ordinary_commit_waits_for_nobody(bench: Bench) -> None:
    with bench.connection.cursor() as cursor:
        cursor.execute("select current_setting('synchronous_standby_names'), current_setting('synchronous_commit')")
        assert cursor.fetchone() == ("nobody_at_all", "local")
        cursor.execute("set statement_timeout = '10s'; create table public.waits_for_nobody (); ")
        cursor.execute("drop table public.waits_for_nobody; reset statement_timeout")
        cursor.execute("create database waits_for_nobody")
        cursor.execute("drop database waits_for_nobody")


def test_a_connection_that_dies_in_the_middle_leaves_it_open_what_happened(bench: Bench) -> None:
    case = scene(bench)
    with closing_case(case), closing(open_database(bench.target)) as other, other.cursor() as cursor:
        impatient(case)
        case.insert()
        case.kills_planned.append("a process, by this test")
        other.autocommit = False
        cursor.execute("select from pilates_schedule_slots where id = %s for update", (case.slots["class"],))
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(case.ask, Operation.BOOK, case.caller("member"))
            ask = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'"
            with closing(open_database(bench.target)) as third, third.cursor() as killer:

                def killed() -> bool:
                    killer.execute(ask)
                    return killer.rowcount == 1

                eventually(killed)
            asked.result()
        other.rollback()
        assert case.done().reply.outcome is Outcome.UNKNOWN
        assert not case.changed
        case.kills_planned.clear()
        case.repeat()
        assert case.done().reply.outcome is Outcome.ACCEPTED
        assert case.changed
        case.expect(True, "")


def test_only_a_private_studio_is_killed(tmp_path: Path) -> None:
    target = environment.connect(environment.load("embedded"))
    with closing(target), bench_on(target, tmp_path) as bench:
        case = scene(bench)
        for attempt in (
            lambda: crash.kill_under_load(case, Victim.API),
            lambda: recovery.kill(bench, Victim.API, case.random),
            lambda: crash.break_next_commit(case, Moment.ANSWER_LOST),
        ):
            with pytest.raises(SuiteError, match="only a studio of its own may be killed"):
                attempt()
        case.kills_planned.clear()
        case.end()
        assert target.lease
        assert psutil.pid_exists(target.lease.gateway_pid)


# --- the private studio ---------------------------------------------------------------------------------------


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = own_temporary(monkeypatch, "crash-")
    yield folder
    shutil.rmtree(folder)


def test_private_studios_are_apart_are_used_again_and_leave_nothing(place: Path) -> None:
    def attach(private: bool) -> embedded.Studio:
        return embedded.attach(SUPERVISOR, private=private, grace=1)

    with closing(attach(private=False)) as shared, closing(attach(private=True)) as one:
        with closing(attach(private=True)) as two:
            assert len({shared.database_url, one.database_url, two.database_url}) == 3
            assert not shared.private
            assert one.private
            assert two.private
            second = two.database_url
        with closing(attach(private=True)) as again:
            assert again.database_url == second
        # A studio that has ended says so, instead of coming back empty.
        supervisor = psutil.Process(one.postgres_pid).parent()
        assert supervisor
        supervisor.kill()
        one.wait()
        with pytest.raises(SuiteError, match="has ended"):
            one.refresh()
    with closing(attach(private=True)) as anew:  # and tidies up after the killed one
        assert anew.server_log == one.server_log
        assert anew.database_url != one.database_url
    eventually(lambda: nothing_left(place))


def robot(folder: Path, *arguments: str) -> dict[str, str]:
    """Run Robot Framework on the suites, and return each test's status."""
    command = [sys.executable, "-m", "robot", "--outputdir", str(folder), "--console", "none", *arguments]
    subprocess.run(command, cwd=ROOT, timeout=SECONDS, check=False)
    return {id_of(test.name): test.status for test in ExecutionResult(folder / "output.xml").suite.all_tests}


def test_a_process_goes_back_to_the_shared_studio(tmp_path: Path) -> None:
    found = robot(tmp_path, "--test", "T-CRASH-005 *", "--test", "T-BUG-001 *", "suites")
    assert found == {"T-CRASH-005": "PASS", "T-BUG-001": "PASS"}


def test_nobody_elses_system_is_killed(tmp_path: Path) -> None:
    found = robot(tmp_path, "--variable", "ENV:staging-example", "suites/crash")
    assert set(found.values()) == {"SKIP"}
