"""Each invariant is shown one small history that breaks it, and must say so; the sound history breaks none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from acceptance import invariants
from acceptance.client import Caller, Outcome, Reply
from acceptance.datafiles import Device
from acceptance.history import Done
from acceptance.invariants import Facts, View
from acceptance.model import Call, Operation
from acceptance.snapshot import Snapshot

PHONE = Device("android", 1, "Android", {}, 1, 1, 1, frozenset(), False)
MEMBER = Caller("member", "user", "anna", PHONE, "UTC")


def deposit(remaining: int, name: str = "paid") -> dict[str, Any]:
    return {"id": name, "user_id": "anna", "deposit_remaining": remaining, "is_active": True, "expires_at": None}


def booking(name: str = "b1", status: str = "confirmed", user: str = "anna", slot: str = "ten") -> dict[str, Any]:
    return {"id": name, "user_id": user, "slot_id": slot, "status": status, "deposit_id": "paid"}


def rows(deposits: list[dict[str, Any]], bookings: list[dict[str, Any]], shown: int | None = None) -> Snapshot:
    count = sum(1 for row in bookings if row["status"] == "confirmed") if shown is None else shown
    slots = [{"id": "ten", "max_capacity": 2, "is_active": True}]
    occupancy = [{"slot_id": "ten", "booked_count": count, "max_capacity": 2}]
    return Snapshot("2030-01-01", [{"user_id": "anna", "role": "user"}], deposits, bookings, slots, occupancy)


def done(operation: Operation, body: Any, outcome: Outcome = Outcome.ACCEPTED, **parameters: str) -> Done:
    call = Call(operation, "anna", member="anna", slot="ten", creates="made")
    return Done(call, MEMBER, "/rpc/x", parameters, "key", Reply(outcome, 200, body))


BOOKED = done(Operation.BOOK, {"booking_id": "b1", "deposit_remaining": 4}, p_user_id="anna", p_slot_id="ten")
CANCELLED = done(Operation.CANCEL, 1, p_booking_id="b1", p_user_id="anna")
CREDITED = done(Operation.CREDIT, {"deposit_id": "paid", "deposit_remaining": 1}, p_user_id="anna")
REFUSED = done(Operation.BOOK, {"message": "full"}, Outcome.REFUSED, p_user_id="anna", p_slot_id="ten")
EXPIRED = done(Operation.EXPIRE, 1)
BROKEN_OFF = replace(BOOKED, reply=Reply(Outcome.UNKNOWN, 500, {"code": "40P01"}))
EMPTY, FULL = rows([deposit(5)], []), rows([deposit(4)], [booking()])
SOUND = Facts(EMPTY, FULL, [[BOOKED]], {"paid": 5}, {"anna": "the member"}, {"ten": 2})


def entry(number: int) -> dict[str, Any]:
    before, after = {"deposit_remaining": 5}, {"deposit_remaining": 4}
    names = {"booking_id": "b1", "deposit_id": "paid", "operation": "book", "caller": "anna"}
    return {"id": number, **names, "before": before, "after": after}


def event(kind: str, **other: Any) -> dict[str, Any]:
    times = {"created_at": "2030-01-01T10:00:00", "next_attempt_at": "2030-01-01T10:00:01", "delivered_at": None}
    told = {"booking_id": "b1", "event": kind, "slot_id": "ten", "trace_id": "t", "attempts": 0, **times}
    return {**told, **other}


def told(*events: dict[str, Any]) -> Facts:
    return replace(SOUND, after=replace(FULL, outbox=list(events)))


def audited(entries: list[dict[str, Any]]) -> Facts:
    before = replace(EMPTY, deposits=[deposit(5)], audit=[])
    return replace(SOUND, before=before, after=replace(FULL, audit=entries))


TOLD = replace(SOUND, after=replace(FULL, outbox=[event("booked")]))
MOVED = told(event("booked", delivered_at="2030-01-01T10:00:01.5"), event("moved"), event("moved"))
# A class was credited and booked within one step: the new deposit holds what it held before it was there.
USED_UP = replace(
    SOUND,
    before=replace(EMPTY, deposits=[], audit=[]),
    after=replace(
        FULL,
        deposits=[deposit(0)],
        audit=[
            {
                **entry(1),
                "before": {"deposit_remaining": 0},
                "after": {"deposit_remaining": 1},
                "operation": "credit",
                "booking_id": None,
            },
            {**entry(2), "before": {"deposit_remaining": 1}, "after": {"deposit_remaining": 0}},
        ],
    ),
    steps=[[BOOKED, CREDITED]],
    credited={"paid": 1},
)
REVIVED = told(event("booked"), event("cancelled"), event("booked"))
TRIED = audited([entry(1), {**entry(2), "operation": "calendar", "before": {}, "after": {"error": "500"}}])


@pytest.mark.parametrize(
    "facts",
    [SOUND, audited([entry(1)]), TOLD, MOVED, REVIVED, USED_UP, TRIED],
    ids=["plain", "with audit", "with calendar", "class moved", "stands again", "used up at once", "calendar failed"],
)
def test_a_sound_history_breaks_nothing(facts: Facts) -> None:
    assert invariants.check(facts) == []


BROKEN = {
    "I1 no row": ("I1", replace(SOUND, after=rows([deposit(4)], []))),
    "I1 wrong status": ("I1", replace(SOUND, steps=[[BOOKED], [CANCELLED]])),
    "I1 another class": ("I1", replace(SOUND, after=rows([deposit(4)], [booking(slot="nine")]))),
    "I2 lost": ("I2", replace(SOUND, after=rows([deposit(3)], [booking()]))),
    "I2 given away": ("I2", replace(SOUND, after=rows([deposit(5)], [booking()]))),
    "I2 wrong deposit": (
        "I2",
        replace(SOUND, credited={"paid": 5, "other": 5}, after=rows([deposit(5), deposit(4, "other")], [booking()])),
    ),
    "I3 counter": ("I3", replace(SOUND, after=rows([deposit(4)], [booking()], shown=0))),
    "I3 another day": (
        "I3",
        replace(
            SOUND,
            after=replace(
                FULL,
                slots=[{**FULL.slots[0], "date": "2030-01-02"}],
                occupancy=[{**row, "date": "2030-01-01"} for row in FULL.occupancy or ()],
            ),
        ),
    ),
    "I3 overbooked": ("I3", replace(SOUND, peak={"ten": 0})),
    "I4 member": ("I4", replace(SOUND, after=rows([deposit(4)], [booking(), booking("b2", user="ghost")]))),
    "I4 class": ("I4", replace(SOUND, after=rows([deposit(4)], [booking(), booking("b2", slot="ghost")]))),
    "I5": ("I5", replace(SOUND, after=rows([deposit(3)], [booking(), booking("b2")]))),
    "I6": ("I6", replace(SOUND, after=rows([deposit(-1)], [booking()]))),
    "I7 remaining": ("I7", replace(SOUND, after=rows([deposit(3)], [booking()]))),
    "I7 booking": ("I7", replace(SOUND, after=rows([deposit(4)], [booking("b9")]))),
    "I7 given back": (
        "I7",
        replace(
            SOUND,
            before=FULL,
            after=rows([deposit(4)], [booking(status="cancelled")]),
            steps=[[BOOKED], [CANCELLED]],
        ),
    ),
    "I8 hidden": ("I8", replace(SOUND, views=[View("the member", "pilates_bookings", True, [])])),
    "I8 refused": ("I8", replace(SOUND, views=[View("the member", "pilates_bookings", True, None)])),
    "I8 leaked": ("I8", replace(SOUND, views=[View("a stranger", "pilates_bookings", False, [booking()])])),
    "I8 stale": ("I8", replace(SOUND, views=[View("the member", "pilates_deposits", True, [deposit(5)])])),
    "I9 no entry": ("I9", audited([])),
    "I9 two entries": ("I9", audited([entry(1), entry(2)])),
    "I9 does not add up": ("I9", audited([{**entry(1), "after": {"deposit_remaining": 3}}])),
    "I9 no change": ("I9", audited([entry(1), {**entry(2), "booking_id": "b7", "deposit_id": None}])),
    "I9 other operation": ("I9", audited([{**entry(1), "operation": "admin_remove"}])),
    "I9 switched off in silence": (
        "I9",
        replace(
            SOUND,
            before=replace(FULL, audit=[]),
            after=replace(FULL, audit=[], deposits=[{**deposit(4), "is_active": False}]),
            steps=[[BOOKED], [EXPIRED]],
        ),
    ),
    "I9 wrong caller": ("I9", audited([{**entry(1), "caller": "bob"}])),
    "I10 not told": ("I10", replace(SOUND, after=replace(FULL, outbox=[]))),
    "I10 told something else": ("I10", replace(SOUND, after=replace(FULL, outbox=[event("cancelled")]))),
    "I10 told twice": ("I10", replace(SOUND, after=replace(FULL, outbox=[event("booked"), event("booked")]))),
    "I10 of another class": ("I10", told(event("booked", slot_id="noon"))),
    "I10 not to be traced": ("I10", told(event("booked", trace_id=None))),
    "I10 due tomorrow": ("I10", told(event("booked", next_attempt_at="2030-01-02T10:00:00"))),
    "I10 delivered before it was due": ("I10", told(event("booked", delivered_at="2030-01-01T10:00:00.5"))),
    "I10 overtaken": ("I10", told(event("booked"), event("cancelled", delivered_at="2030-01-01T10:00:02"))),
    "I10 attended and taken out": (
        "I10",
        replace(SOUND, after=replace(FULL, bookings=[booking(status="completed")], outbox=[event("cancelled")])),
    ),
    "I10 never converged": ("I10", replace(SOUND, calendar=("the calendar shows nothing.",))),
    "I11 other answer": ("I11", replace(SOUND, steps=[[replace(BOOKED, repeats=REFUSED)]])),
    "I11 acted again": ("I11", replace(SOUND, steps=[[replace(BOOKED, repeats=BOOKED)]])),
    "I12": ("I12", replace(SOUND, steps=[[REFUSED]])),
    "I13 no order": ("I13", replace(SOUND, explained=False)),
    "I13 not judged": ("I13", replace(SOUND, explained=None)),
    "I13 prolonged": (
        "I13",
        replace(
            SOUND, before=replace(EMPTY, deposits=[{**deposit(5), "expires_at": "2030-01-31T00:00:00"}]), after=FULL
        ),
    ),
    "I14": ("I14", replace(SOUND, after=rows([deposit(5)], []), crashes=["the database"])),
    "I15": ("I15", replace(SOUND, steps=[[BOOKED], [BROKEN_OFF]])),
    "I16": ("I16", replace(SOUND, rights=("visitor must not update pilates_deposits, and could.",))),
}


@pytest.mark.parametrize(
    "facts",
    [
        replace(SOUND, steps=[[BOOKED], [replace(BROKEN_OFF, disturbed=True)]]),
        replace(SOUND, steps=[[BOOKED], [BROKEN_OFF]], crashes=["the API"]),
        replace(SOUND, steps=[[BOOKED], [replace(BROKEN_OFF, reply=Reply(Outcome.UNKNOWN, 500, {"code": "40001"}))]]),
    ],
    ids=["a fault was planned", "something was killed", "it asks to try again"],
)
def test_who_was_disturbed_may_be_left_without_an_answer(facts: Facts) -> None:
    assert invariants.check(facts, "I15") == []


@pytest.mark.parametrize(("name", "facts"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_history_is_named(name: str, facts: Facts) -> None:
    assert name in {breach.invariant for breach in invariants.check(facts)}


def test_every_check_is_shown_broken() -> None:
    assert {name for name, _ in BROKEN.values()} == set(invariants.CHECKS)


def test_a_lost_class_is_said_in_words() -> None:
    breaches = invariants.check(replace(SOUND, after=rows([deposit(3)], [booking()])))
    assert any("1 class lost" in str(breach) and str(breach).startswith("P0 I2") for breach in breaches)
