"""`load` on systems that are not ours: clean when right, red for a planted defect, open about what is not proven."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from acceptance import embedded
from acceptance.contract import Contract
from acceptance.functions import Function
from acceptance.model import Operation
from acceptance.rows import remove_rows
from acceptance.snapshot import Snapshot
from tools.load import checking, speech
from tools.run import folder
from tools.selftest.conftest import SUPERVISOR, Call
from tools.selftest.schemas import FOREIGN, files

SMALL = ("load", "--users", "10", "--time", "4s", "--spawn-rate", "20", "--think", "0.1")


def sql(schema: str) -> list[str]:
    return [word for path in files(schema) for word in ("--sql", str(path))]


def record() -> dict[str, Any]:
    (found,) = folder.RESULTS.glob("*/load/load.json")
    told: dict[str, Any] = json.loads(found.read_bytes())
    return told


@pytest.mark.parametrize(
    ("schema", "lacking"),
    [
        ("supabase", ["keeps no idempotency keys: a repeated request acts once (I11)", "like reschedule"]),
        ("counter", ["book_class has no argument for the member", "no policy shows the front desk bookings"]),
    ],
)
def test_a_correct_system_is_clean_and_left_so(call: Call, schema: str, lacking: list[str]) -> None:
    code, said = call(*SMALL, *sql(schema))
    assert code == 0, said
    assert "CLEAN: no class lost or given away" in said
    told = record()
    assert told["outcomes"]["accepted"] > 10
    assert told["failed"] == 0
    for words in lacking:
        assert any(words in line for line in told["not_proven"]), told["not_proven"]
    with (
        closing(embedded.attach(SUPERVISOR, foreign=files(schema))) as studio,
        closing(psycopg2.connect(studio.database_url)) as connection,
    ):
        assert set(remove_rows(connection).values()) == {0}


@pytest.mark.parametrize(
    ("defect", "invariant"), [("supabase/charged-though-refused", "I2"), ("counter/counter-stale-on-cancel", "I3")]
)
def test_a_defect_is_found(call: Call, defect: str, invariant: str) -> None:
    schema, name = defect.split("/")
    overlay = FOREIGN / schema / "defects" / f"{name}.sql"
    code, said = call(*SMALL, "--traffic", "rush", *sql(schema), "--overlay", str(overlay))
    assert code == 1, said
    assert "NOT CLEAN" in said
    assert record()["findings"][0]["invariant"] == invariant


def test_a_system_that_takes_no_booking_was_not_tried(call: Call, tmp_path: Path) -> None:
    refusing = tmp_path / "refusing.sql"
    refusing.write_text(
        "create or replace function public.book_class(class_id uuid) returns json language sql as"
        " $$ select json_build_object('success', false, 'error', 'Come back on Monday') $$;"
    )
    code, said = call(*SMALL, "--time", "2s", *sql("counter"), "--overlay", str(refusing))
    assert code == 2, said
    assert "no booking was accepted, so nothing was tried; the most frequent answer: 'Come back on Monday'" in said


def test_a_worker_has_no_system_of_its_own(call: Call) -> None:
    code, said = call("load", "--worker", *sql("counter"))
    assert code == 2
    assert "--sql" in said
    assert "--worker" in said


def test_a_contract_travels() -> None:
    contract = Contract(
        reference=False,
        functions={Operation.BOOK: Function("book_it", {"class": "which"}, {"app": "web"}, "jsonb", {"booking": "id"})},
        statuses={"confirmed": "booked"},
        soft={"flag": "fine"},
        idempotent=False,
        composites={Operation.RESCHEDULE: (Operation.CANCEL, Operation.BOOK)},
    )
    arrived = speech.unpacked(json.loads(json.dumps(speech.packed(contract))))
    assert arrived.body(Operation.BOOK, {"class": "c"}) == {"which": "c", "app": "web"}
    assert (arrived.status("confirmed"), arrived.soft, arrived.idempotent) == ("booked", {"flag": "fine"}, False)
    assert arrived.read(Operation.BOOK, {"id": "x"}) == {"booking_id": "x"}
    assert arrived.composites == contract.composites


# --- the checks ------------------------------------------------------------------------------------------------------

ANNA, PAID, MORE, TEN, TWO = "anna", "paid", "more", "ten", "two"
REVIVED, GIVEN = "b-revived", "b-given"


def answer(second: int, operation: str, said: dict[str, Any], **more: Any) -> dict[str, Any]:
    known = {"member": ANNA, "slot": None, "booking": None, "classes": None, "outcome": "accepted", "body": None}
    at = f"2026-01-01T10:00:{second:02}.000+00:00"
    return {"at": at, "ms": 400.0, "operation": operation, "said": said, "trace": str(second), **known, **more}


def sound() -> checking.Load:
    """Anna books, gives up and books again the same row; another booking is given up; credits top up her deposit."""
    bookings = [
        {"id": REVIVED, "user_id": ANNA, "slot_id": TEN, "status": "confirmed"},
        {"id": GIVEN, "user_id": ANNA, "slot_id": TWO, "status": "cancelled"},
    ]
    deposits = [{"id": PAID, "user_id": ANNA, "deposit_remaining": 7}]
    slots = [{"id": TEN, "max_capacity": 2}, {"id": TWO, "max_capacity": 2}]
    after = Snapshot("now", [{"user_id": ANNA, "role": "client"}], deposits, bookings, slots, None)
    answers = [
        answer(1, "book", {"booking_id": REVIVED}, slot=TEN),
        answer(2, "cancel", {}, booking=REVIVED, slot=TEN),
        answer(3, "book", {"booking_id": REVIVED}, slot=TEN),
        answer(4, "book", {}, slot=TWO),
        answer(5, "cancel", {}, booking=GIVEN, slot=TWO),
        answer(6, "credit", {"deposit_id": PAID}, classes=2),
        answer(7, "credit", {}, classes=1),
    ]
    names = {ANNA: "Anna", TEN: "the class at ten", TWO: "the class at two"}
    return checking.Load(after, answers, {PAID: 5}, {TEN: 2, TWO: 2}, names, reference=False)


def test_a_sound_load_has_no_finding() -> None:
    breaches, balance = checking.judge(sound())
    assert breaches == []
    assert str(balance) == "no class lost or given away"


def change(load: checking.Load, booking: int, **values: Any) -> None:
    load.after.bookings[booking].update(values)


DEFECTS: dict[str, tuple[str, str, Callable[[checking.Load], Any]]] = {
    "the last word was a booking": ("I1", "last acknowledged as confirmed", lambda x: change(x, 0, status="cancelled")),
    "the last word was an end": ("I1", "last acknowledged as cancelled", lambda x: change(x, 1, status="confirmed")),
    "a named booking is gone": ("I1", "there is no such booking (b-revived)", lambda x: x.after.bookings.pop(0)),
    "an unnamed booking is gone": (
        "I1",
        "the class at two is booked, but there is no such booking",
        lambda x: (x.after.bookings.pop(1), x.answers.pop(4)),
    ),
    "another class": ("I1", "another's or of another class", lambda x: change(x, 0, slot_id="three")),
    "a class lost": ("I2", "1 class lost", lambda x: x.after.deposits[0].update(deposit_remaining=6)),
    "a class given away": ("I2", "1 class given away", lambda x: x.after.deposits[0].update(deposit_remaining=8)),
    "sold classes are gone": ("I2", "2 classes lost", lambda x: x.after.deposits[0].update(deposit_remaining=5)),
    "sold to nobody": ("I1", "there is no such deposit", lambda x: x.answers[5]["said"].update(deposit_id="none")),
    "a booking from nowhere": ("I12", "nobody was told of", lambda x: x.answers.pop(3)),
    "a deposit from nowhere": (
        "I12",
        "a deposit that nobody was told of (more): 3 classes given away",
        lambda x: x.after.deposits.extend([x.answers.pop(6) and {"id": MORE, "user_id": ANNA, "deposit_remaining": 3}]),
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_check_finds_its_defect(defect: str) -> None:
    invariant, words, spoil = DEFECTS[defect]
    load = deepcopy(sound())
    spoil(load)
    breaches, _ = checking.judge(load)
    sentences = [breach.sentence for breach in breaches if breach.invariant == invariant]
    assert any(words in sentence for sentence in sentences), [str(breach) for breach in breaches]


def test_words_at_the_same_time_may_be_in_either_order() -> None:
    for status in ("confirmed", "cancelled"):
        load = sound()
        change(load, 0, status=status)
        load.answers[2]["at"] = load.answers[1]["at"]
        load.after.deposits[0]["deposit_remaining"] += status == "cancelled"
        assert checking.judge(load)[0] == []


@pytest.mark.parametrize("position", range(7))
def test_unknown_answers_may_be_either(position: int) -> None:
    load = sound()
    load.answers[position].update(outcome="unknown", said=None)
    assert checking.judge(load)[0] == []
    load.answers[position].update(at="")
    assert checking.judge(load)[0] == []


def test_a_lost_credit_is_counted_where_it_was_made() -> None:
    load = sound()
    load.answers.append(answer(8, "credit", {}, classes=4, outcome="unknown"))
    assert checking.judge(load)[0] == []
    load.after.deposits[0]["deposit_remaining"] += 4
    assert checking.judge(load)[0] == []
    load.after.deposits[0]["deposit_remaining"] -= 1
    assert [breach.invariant for breach in checking.judge(load)[0]] == ["I2"]


def test_missing_answers_prove_nothing() -> None:
    load = sound()
    load.complete, load.answers = False, []
    assert checking.judge(load)[0] == []
