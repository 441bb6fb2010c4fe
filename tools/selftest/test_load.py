"""The command ``load``: a sound studio is clean, a broken one is found out, nothing stays; each check can fail."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import psutil
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance import rows
from acceptance.bench import run_digits
from acceptance.datafiles import ROOT
from acceptance.embedded import Studio
from acceptance.snapshot import Snapshot
from tools.load import checking, job
from tools.run import folder
from tools.selftest.clone import interruptible, make_clone
from tools.selftest.conftest import Call
from tools.selftest.ports import free_ports

SMALL = ("load", "--users", "10", "--time", "5s", "--spawn-rate", "10", "--think", "0.2")
SECONDS = 120


def place() -> Path:
    """Return the folder of the only load."""
    (found,) = folder.RESULTS.glob("*/load")
    return found


def record() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place() / "load.json").read_bytes())
    return found


def assert_nothing_is_left(db: Connection) -> None:
    counts = rows.remove_rows(db, run_digits(place().parent.name))
    assert set(counts.values()) == {0}, counts
    left = [process.cmdline() for process in psutil.Process().children(recursive=True)]
    assert not [command for command in left if "locust" in " ".join(command)], left


# --- whole loads -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["0", "2"], ids=["one process", "two workers"])
def test_sound_studio_is_clean(
    call: Call, studio: Studio, db: Connection, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    commands = []
    popen = subprocess.Popen

    def noting(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        commands.append(command)
        return popen(command, **options)

    monkeypatch.setattr(subprocess, "Popen", noting)
    code, said = call(*SMALL, "--workers", workers)
    assert code == 0, said
    assert "CLEAN: no class lost or given away" in said
    for name in ("locust_stats.csv", "locust_stats_history.csv", "locust.html", "load.json"):
        assert (place() / name).stat().st_size > 0
    assert not list(folder.RESULTS.glob("latest")), "a load has no cases to report or replay"
    told = record()
    assert told["requests"] > 20
    assert told["failed"] == 0
    assert told["not_proven"] == []
    assert told["outcomes"]["accepted"] > 0
    book = next(a for a in told["actions"] if (a["who"], a["action"]) == ("member", "book"))
    assert book["accepted"] + book["refused"] == book["requests"]
    assert 0 < book["p50_ms"] <= book["p95_ms"] <= book["p99_ms"]
    answered = [line for path in (place() / "answers").glob("*.jsonl") for line in path.read_text().splitlines()]
    assert len(answered) == sum(told["outcomes"].values())
    assert len(list((place() / "answers").iterdir())) == max(1, int(workers))
    assert len(commands) == 1 + int(workers)
    assert studio.jwt_secret not in str(commands), "a command line is everybody's to read"
    for path in place().rglob("*"):
        if path.is_file():
            for secret in (studio.jwt_secret, "eyJhbGciOi", "postgresql://"):
                assert secret not in path.read_text(), f"{path} holds a secret"
    assert "gevent" not in sys.modules, "gevent belongs into Locust's processes only"
    assert_nothing_is_left(db)


@pytest.mark.parametrize(
    ("mutant", "words"),
    [
        ("book-without-booking", ["is booked, but there is no such booking", "classes lost"]),
        ("book-without-lock", ["has 4 places, but", "overbooked"]),
        ("own-bookings-hidden", ["everyone sees what is theirs", "does not see"]),
    ],
)
def test_broken_studio_is_found_out(call: Call, mutant: str, words: list[str]) -> None:
    arguments = ["--users", "30", "--spawn-rate", "30", "--traffic", "rush"]
    code, said = call(*SMALL, *arguments, "--overlay", str(ROOT / "tools" / "mutants" / f"{mutant}.sql"))
    assert code == 1, said
    assert "NOT CLEAN" in said
    for word in words:
        assert word in said
    findings = record()["findings"]
    assert findings[0]["severity"] == "P0"


def test_worker_of_another_machine_sends_its_answers(call: Call, db: Connection) -> None:
    port = str(free_ports(1)[0])
    command = [sys.executable, "tools/pilates.py", "load", "--worker", "--master-port", port]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as worker:
        try:
            code, said = call(*SMALL, "--expect-workers", "1", "--master-port", port)
            words, _ = worker.communicate(timeout=SECONDS)
        finally:
            worker.kill()
    assert code == 0, said + words
    assert worker.returncode == 0, words
    (path,) = (place() / "answers").iterdir()
    *lines, last = map(json.loads, path.read_text().splitlines())
    assert last == {"last": True}
    assert len(lines) == sum(record()["outcomes"].values()) > 0
    assert record()["not_proven"] == []
    assert_nothing_is_left(db)


def test_interrupted_load_is_checked_and_removed(tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "a clone")
    command = [sys.executable, "tools/pilates.py"]
    load = [*command, "load", "--users", "10", "--time", "0", "--spawn-rate", "10", "--workers", "2"]
    process = subprocess.Popen(
        load, cwd=clone, preexec_fn=interruptible, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        until, said = time.monotonic() + SECONDS, ""
        for line in process.stdout or ():
            said += line
            assert time.monotonic() < until, said
            if line.startswith("running: 10/10 users"):
                process.send_signal(signal.SIGINT)
                break
        rest, _ = process.communicate(timeout=150)
    finally:
        process.kill()
    assert process.returncode == 0, said + rest
    assert "Interrupted after" in rest
    assert "CLEAN: no class lost" in rest
    (written,) = clone.glob("results/*/load/load.json")
    assert json.loads(written.read_bytes())["interrupted"]
    assert (written.parent / "locust.html").exists()
    alive = [
        p.pid for p in psutil.process_iter(["cmdline"]) if f"{clone}/tools/load" in " ".join(p.info["cmdline"] or [])
    ]
    assert not alive
    done = subprocess.run([*command, "clean"], cwd=clone, capture_output=True, text=True, timeout=SECONDS, check=True)
    assert done.stdout.count(": 0 removed") == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--env", "nowhere"], ["nowhere", "embedded"]),
        (["--env", "staging-example"], ["STAGING_API_URL"]),
        (["--time", "soon"], ["--time", "soon", "30s"]),
        (["--users", "0"], ["--users"]),
        (["--worker", "--workers", "2"], ["--worker", "--workers"]),
        (["--overlay", "missing.sql"], ["missing.sql"]),
    ],
    ids=" ".join,
)
def test_wrong_call_is_one_clear_message(call: Call, arguments: list[str], words: list[str]) -> None:
    code, said = call("load", *arguments)
    assert code == 2
    assert "Traceback" not in said
    for word in words:
        assert word in said
    assert not folder.RESULTS.exists()


@pytest.mark.parametrize("option", ["--master-port", "--web-port"])
def test_port_in_use_is_told(call: Call, option: str) -> None:
    with contextlib.closing(socket.create_server(("0.0.0.0", 0))) as taken:  # noqa: S104 - nobody is answered
        port = str(taken.getsockname()[1])
        code, said = call("load", option, port, *(["--expect-workers", "1"] if option == "--master-port" else []))
    assert code == 2
    assert f"{option} {port}" in said


@pytest.mark.parametrize(("words", "seconds"), [("30s", 30), ("5m", 300), ("1h30m", 5400), ("45", 45), ("0", None)])
def test_durations(words: str, seconds: int | None) -> None:
    assert job.seconds_of(words) == seconds


# --- the checks ------------------------------------------------------------------------------------------------------

ANNA, BEN, PAID, BENS, SOLD, TEN, TWO = (f"acce97ab-0000-8000-8000-00000000000{n}" for n in range(7))
STAYS, MOVED, NEW, GIVEN, BENS_OWN = "b-stays", "b-moved", "b-new", "b-given", "b-ben"


def answer(trace: str, operation: str, body: Any, **more: Any) -> dict[str, Any]:
    known = {"member": ANNA, "slot": None, "booking": None, "classes": None, "key": f"key of {trace}"}
    return {"trace": trace, "operation": operation, "outcome": "accepted", "body": body, **known, **more}


def entry(number: int, trace: str, operation: str, **more: Any) -> dict[str, Any]:
    before, after = more.pop("before", {}), more.pop("after", {})
    known = {"booking_id": None, "slot_id": None, "deposit_id": PAID, "caller": ANNA}
    return {"id": number, "trace_id": trace, "operation": operation, **known, **more, "before": before, "after": after}


def booked(number: int, trace: str, booking: str, slot: str, left: int, deposit: str = PAID) -> dict[str, Any]:
    before, after = {"deposit_remaining": left + 1}, {"deposit_remaining": left, "booking_status": "confirmed"}
    return entry(
        number, trace, "book", booking_id=booking, slot_id=slot, deposit_id=deposit, before=before, after=after
    )


def sound() -> checking.Load:
    """A small load in order: Anna books three times, moves one, gives one back; Ben attends; classes are sold."""
    bookings = [
        {"id": STAYS, "user_id": ANNA, "slot_id": TEN, "deposit_id": PAID, "status": "confirmed"},
        {"id": MOVED, "user_id": ANNA, "slot_id": TWO, "deposit_id": PAID, "status": "cancelled"},
        {"id": NEW, "user_id": ANNA, "slot_id": TWO, "deposit_id": PAID, "status": "confirmed"},
        {"id": GIVEN, "user_id": ANNA, "slot_id": TEN, "deposit_id": PAID, "status": "cancelled"},
        {"id": BENS_OWN, "user_id": BEN, "slot_id": TEN, "deposit_id": BENS, "status": "completed"},
    ]
    deposits = [
        {"id": PAID, "user_id": ANNA, "classes_credited": 5, "deposit_remaining": 3, "is_active": True},
        {"id": BENS, "user_id": BEN, "classes_credited": 2, "deposit_remaining": 1, "is_active": True},
        {"id": SOLD, "user_id": ANNA, "classes_credited": 4, "deposit_remaining": 4, "is_active": True},
    ]
    moved = {"deposit_remaining": 2, "booking_status": "confirmed", "booking_id": NEW, "slot_id": TWO}
    audit = [
        booked(1, "t1", GIVEN, TEN, 4),
        entry(
            2,
            "t2",
            "cancel",
            booking_id=GIVEN,
            slot_id=TEN,
            before={"deposit_remaining": 4},
            after={"deposit_remaining": 5, "booking_status": "cancelled"},
        ),
        booked(3, "t3", STAYS, TEN, 4),
        booked(4, "t4", MOVED, TWO, 3),
        entry(
            5,
            "t5",
            "reschedule",
            booking_id=NEW,
            slot_id=TWO,
            before={"deposit_remaining": 3, "booking_id": MOVED, "slot_id": TWO},
            after={**moved, "deposit_remaining": 3},
        ),
        booked(6, "t6", BENS_OWN, TEN, 1, BENS),
        entry(
            7,
            "t7",
            "confirm_attendance",
            booking_id=BENS_OWN,
            slot_id=TEN,
            deposit_id=BENS,
            after={"booking_status": "completed"},
        ),
        entry(8, "t8", "credit", deposit_id=SOLD, before={"deposit_remaining": 0}, after={"deposit_remaining": 4}),
    ]
    slots = [{"id": TEN, "max_capacity": 2}, {"id": TWO, "max_capacity": 1}]
    occupancy = [{"slot_id": TEN, "booked_count": 1}, {"slot_id": TWO, "booked_count": 1}]
    told = [("b-given", "booked"), ("b-given", "cancelled"), ("b-stays", "booked"), ("b-moved", "booked")]
    told += [("b-moved", "cancelled"), ("b-new", "booked"), ("b-ben", "booked")]
    after = Snapshot(
        "now",
        [{"user_id": ANNA, "role": "user"}, {"user_id": BEN, "role": "user"}],
        deposits,
        bookings,
        slots,
        occupancy,
        audit,
        [{"booking_id": booking, "event": event} for booking, event in told],
    )
    answers = [
        answer("t1", "book", {"booking_id": GIVEN, "deposit_remaining": 4}, slot=TEN),
        answer("t2", "cancel", 1, booking=GIVEN),
        answer("t2 again", "cancel", 1, booking=GIVEN, first={"outcome": "accepted", "body": 1}),
        answer("t3", "book", {"booking_id": STAYS, "deposit_remaining": 4}, slot=TEN),
        answer("t4", "book", {"booking_id": MOVED, "deposit_remaining": 3}, slot=TWO),
        answer("t5", "reschedule", {"booking_id": NEW, "deposit_remaining": 3}, booking=MOVED, slot=TWO),
        answer("t6", "book", {"booking_id": BENS_OWN, "deposit_remaining": 1}, member=BEN, slot=TEN),
        answer("t7", "confirm_attendance", "completed", member=BEN, booking=BENS_OWN),
        answer("t8", "credit", {"deposit_id": SOLD, "deposit_remaining": 4}, classes=4),
        answer("t9", "book", None, slot=TEN, outcome="refused"),
    ]
    names = {ANNA: "Anna", BEN: "Ben", TEN: "the class at ten", TWO: "the class at two"}
    return checking.Load(after, answers, {PAID: 5, BENS: 2}, {TEN: 2, TWO: 1}, names)


def found(load: checking.Load) -> dict[str, str]:
    breaches, _ = checking.judge(load)
    return {breach.invariant: breach.sentence for breach in reversed(breaches)}


def booking(load: checking.Load, name: str) -> dict[str, Any]:
    return next(row for row in load.after.bookings if row["id"] == name)


def said(load: checking.Load, trace: str) -> dict[str, Any]:
    return next(one for one in load.answers if one["trace"] == trace)


def test_sound_load_has_no_finding() -> None:
    breaches, balance = checking.judge(sound())
    assert breaches == []
    assert str(balance) == "no class lost or given away"


def drop(name: str) -> Callable[[checking.Load], None]:
    return lambda load: load.after.bookings.remove(booking(load, name))


def set_status(name: str, status: str) -> Callable[[checking.Load], None]:
    return lambda load: booking(load, name).update(status=status)


def there(rows: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Take rows that another make of studio may not have; ours has all."""
    assert rows is not None
    return rows


def more_entries(load: checking.Load) -> None:
    """Book Ben into the full class at two and out again: nothing of it stands at the end."""
    load.after.bookings.append({**booking(load, GIVEN), "id": "b-extra", "user_id": BEN, "slot_id": TWO})
    there(load.after.audit).append(booked(9, "t10", "b-extra", TWO, 0, BENS))
    ends = {"booking_id": "b-extra", "slot_id": TWO, "deposit_id": BENS, "before": {"deposit_remaining": 0}}
    there(load.after.audit).append(
        entry(10, "t11", "cancel", **ends, after={"deposit_remaining": 1, "booking_status": "cancelled"})
    )


DEFECTS: dict[str, tuple[str, str, Callable[[checking.Load], Any]]] = {
    "an acknowledged booking is gone": ("I1", "Anna was told that the class at ten is booked", drop(STAYS)),
    "a cancelled booking stands": (
        "I1",
        "acknowledged as cancelled, but the row says confirmed",
        set_status(GIVEN, "confirmed"),
    ),
    "a moved booking stands": ("I1", "acknowledged as cancelled", set_status(MOVED, "confirmed")),
    "an attended booking is cancelled": ("I1", "acknowledged as completed", set_status(BENS_OWN, "cancelled")),
    "a booking ends by itself": ("I1", "acknowledged as confirmed", set_status(STAYS, "cancelled")),
    "another's booking": ("I1", "another's or of another class", lambda x: booking(x, STAYS).update(slot_id=TWO)),
    "ended in two ways": (
        "I1",
        "cancelled and also as completed",
        lambda x: x.answers.append(answer("t12", "confirm_attendance", "completed", booking=GIVEN)),
    ),
    "a cancelled booking is gone": (
        "I1",
        "no such row",
        lambda x: x.answers.append(answer("t12", "cancel", 0, booking="b-none")),
    ),
    "sold classes are gone": ("I1", "4 classes were sold to Anna", lambda x: x.after.deposits.pop()),
    "a class lost": ("I2", "1 class lost", lambda x: x.after.deposits[0].update(deposit_remaining=2)),
    "a class given away": ("I2", "1 class given away", lambda x: x.after.deposits[0].update(deposit_remaining=4)),
    "a deposit gone": ("I2", f"the deposit {BENS} is gone: 2 classes lost", lambda x: x.after.deposits.pop(1)),
    "more booked than shown": ("I3", "shows 0 booked", lambda x: there(x.after.occupancy)[0].update(booked_count=0)),
    "overbooked": ("I3", "overbooked", lambda x: x.peak.update({TEN: 0})),
    "overbooked meanwhile": ("I3", "2 bookings stood meanwhile", more_entries),
    "a member gone": ("I4", "does not exist", lambda x: x.after.users.pop(0)),
    "booked twice": (
        "I5",
        "Anna has 2 confirmed bookings",
        lambda x: x.after.bookings.append({**booking(x, STAYS), "id": "b-twice"}),
    ),
    "below zero": ("I6", "holds -1", lambda x: x.after.deposits[1].update(deposit_remaining=-1)),
    "a booking without audit entry": (
        "I9",
        "1 audit entries are due, 0 are there",
        lambda x: there(x.after.audit).pop(2),
    ),
    "a change written down twice": (
        "I9",
        "are due, 2 are there",
        lambda x: there(x.after.audit).append(there(x.after.audit)[7]),
    ),
    "an answer of another trace": ("I9", "1 audit entries are due", lambda x: said(x, "t8").update(trace="elsewhere")),
    "the calendar was not told": ("I10", "last told: nothing", lambda x: there(x.after.outbox).pop(2)),
    "a repeat gets another answer": ("I11", "the first answer was 1", lambda x: said(x, "t2 again").update(body=0)),
    "a refused booking stands": ("I12", "nobody was told of", lambda x: x.answers.remove(said(x, "t3"))),
    "a refused sale stands": ("I12", "4 classes given away", lambda x: x.answers.remove(said(x, "t8"))),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_check_finds_its_defect(defect: str) -> None:
    invariant, words, change = DEFECTS[defect]
    load = deepcopy(sound())
    change(load)
    breaches, _ = checking.judge(load)
    sentences = [breach.sentence for breach in breaches if breach.invariant == invariant]
    assert any(words in sentence for sentence in sentences), [str(breach) for breach in breaches]
    assert [breach.severity for breach in breaches] == sorted(breach.severity for breach in breaches)


def test_unknown_answers_may_be_either() -> None:
    for trace in ("t2", "t3", "t5", "t7", "t8"):
        load = sound()
        said(load, trace).update(outcome="unknown", body=None)
        assert found(load) == {}, trace
    load = sound()
    load.answers.append(answer("t12", "cancel", None, booking=STAYS, outcome="unknown"))
    assert found(load) == {}
    load.answers.append(answer("t13", "book", None, slot=TEN, outcome="unknown"))
    assert found(load) == {}


def test_missing_answers_prove_nothing() -> None:
    load = sound()
    load.complete = False
    load.answers = []
    assert found(load) == {}


def test_balance_counts_classes() -> None:
    load = sound()
    load.after.deposits[0]["deposit_remaining"] = 1
    load.after.deposits[1]["deposit_remaining"] = 2
    load.peak[TWO] = 0
    _, balance = checking.judge(load)
    assert str(balance) == "2 classes lost, 1 class given away, 1 class overbooked"
