"""Hypotheses: which pattern leads for which clues, with the target's names in its words and SQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acceptance import hypotheses
from acceptance.errors import SuiteError

TRIGGER = {"trigger": "off", "trigger_table": "public.pilates_schedule_slots", "trigger_function": "off()"}
CASCADE = {"constraint": "slot_fk", "columns": "slot_id", "keys": "id", "parent": "public.pilates_schedule_slots"}
NOT_BACK, GONE = "bookings end, and no class comes back", "bookings are gone, and no class comes back"


def clues(broken: str, operations: str, condition: str = "alone", rows: str = "", **other: Any) -> dict[str, Any]:
    fixed: dict[str, Any] = {"around": [], "answers": ["accepted"], "callers": ["member"], "catalogue": {}}
    return {
        **fixed,
        "invariants": broken.split(),
        "operations": operations.split(),
        "condition": condition,
        "rows": [rows] if rows else [],
        "names": {"function": "cancel_it(uuid)", "cancelled": "storniert", "confirmed": "gebucht"},
        **other,
    }


LED = {
    "a trigger ends bookings when the class is changed": clues(
        "I1 I2 I13", "switch_off", rows=NOT_BACK, catalogue={"a trigger of the classes writes the bookings": TRIGGER}
    ),
    "bookings are deleted along with their class": clues(
        "I1 I2 I13", "call_off", rows=GONE, catalogue={"bookings are deleted with the classes": CASCADE}
    ),
    "a trigger ends the booking after the answer": clues(
        "I1 I2", "book afterwards", "calendar", NOT_BACK,
        catalogue={"a trigger of another table writes the bookings": TRIGGER},
    ),
    "the class goes back to another deposit": clues("I2", "cancel", rows="the class goes back to another deposit"),
    "cancelled without a refund": clues("I2", "cancel", rows=NOT_BACK),
    "nobody asks who is calling": clues("I13 I16", "book", "outsider", callers=["stranger"]),
    "nobody asks whether staff is calling": clues("I13", "credit", "outsider", callers=["unknown"]),
    "a role that may not is let in": clues("I16", "credit", callers=["trainer"]),
    "two refunds for one booking": clues("I2 I13", "cancel", "together", "more classes come back than bookings end"),
    "overbooked by a race": clues("I3 I13", "book", "together", "more are booked than there are places"),
    "places are not counted": clues("I3 I13", "book", rows="more are booked than there are places"),
    "charged without a booking": clues("I1 I2 I13", "book", rows="a class is paid for, and no booking stands"),
    "a retry acts again": clues("I2 I11", "cancel", "network", "classes are given for nothing"),
    "an error that is caught and forgotten": clues(
        "I1 I2", "book", "database", "a class is paid for, and no booking stands",
        catalogue={"the function catches errors": {"function": "book_it(uuid)"}},
    ),
    "each waits for the other": clues("I15", "cancel book", "together", answers=["40P01", "accepted"]),
    "a table without row level security": clues(
        "I16", "", catalogue={"the table has no row level security": {"table": "public.pilates_deposits"}}
    ),
    "the occupancy is counted otherwise": clues("I3", "book"),
    "a class that has started is taken for one to come, or the other way round": clues(
        "I13", "cancel", around=["of a class that has started"]
    ),
    "a deposit that is over pays, or one that is good does not": clues(
        "I13", "book", around=["when a deposit has ended"]
    ),
    "a condition that hits more rows than one": clues("I1 I2", "cancel", rows="bookings of others end"),
    "the check for expired deposits hits others too": clues("I13", "expire", rows="a deposit is switched off"),
    "a rule that is missing, or one too many": clues("I13", "credit"),
    "a table that a crash empties": clues("I14", "book", "crash", catalogue={"a table is unlogged": {"table": "t"}}),
}  # fmt: skip


@pytest.mark.parametrize("name", LED)
def test_what_the_evidence_shows_leads(name: str) -> None:
    assert [one.name for one in hypotheses.rank(LED[name])] == [name]


def test_a_trigger_that_has_nothing_to_do_with_it_is_not_blamed() -> None:
    harmless = {
        "a trigger of the classes writes the bookings": TRIGGER,
        "bookings are deleted with the classes": CASCADE,
    }
    found = hypotheses.rank(clues("I2", "cancel", rows=NOT_BACK, catalogue=harmless))
    assert found[0].name == "cancelled without a refund"


def test_words_and_sql_have_the_targets_names() -> None:
    (trigger,) = hypotheses.rank(LED["a trigger ends bookings when the class is changed"])
    assert "The trigger off on public.pilates_schedule_slots" in trigger.explains
    assert "drop trigger off on public.pilates_schedule_slots;" in trigger.sql
    assert "set status = 'storniert'" in trigger.sql
    assert trigger.because == [NOT_BACK, "a trigger of the classes writes the bookings"]
    (cascade,) = hypotheses.rank(LED["bookings are deleted along with their class"])
    assert "drop constraint slot_fk" in cascade.sql
    (refund,) = hypotheses.rank(LED["the class goes back to another deposit"])
    assert refund.explains.startswith("cancel_it(uuid) gives the class back to a deposit that it chooses anew")


def test_alternatives_stand_only_where_the_evidence_does_not_decide() -> None:
    both = {"a table is unlogged": {"table": "public.t"}, "the commit does not wait for the disk": {}}
    names = [one.name for one in hypotheses.rank(clues("I14", "book", "crash", catalogue=both))]
    assert names == ["a table that a crash empties", "a commit that does not wait"]


def test_where_no_pattern_fits_nothing_is_made_up() -> None:
    assert not hypotheses.rank(clues("I9", "credit"))


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(hypotheses, "FILE", tmp_path / "patterns.yaml")
    hypotheses.patterns.cache_clear()
    yield tmp_path / "patterns.yaml"
    hypotheses.patterns.cache_clear()


RIGHT = "{name: mine, invariants: [I2], rows: [a deposit falls below zero], explains: so, fix: '{function}'}"


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        (
            "a deposit falls below zero",
            "a deposit fals below zero",
            "mine.rows: 'a deposit fals below zero' is none of",
        ),
        ("invariants: [I2]", "invariants: [I99]", "mine.invariants: 'I99' is none of"),
        ("rows:", "row:", "mine: row: is missing, or no clue"),
        (", explains: so", "", "mine: explains: is missing"),
        ("{function}", "{functoin}", "mine: 'functoin' is no name that is known"),
    ],
)
def test_a_slip_in_a_pattern_is_named(written: Path, right: str, wrong: str, words: str) -> None:
    written.write_text(f"- {RIGHT}\n")
    assert [one["name"] for one in hypotheses.patterns()] == ["mine"]
    hypotheses.patterns.cache_clear()
    written.write_text(f"- {RIGHT.replace(right, wrong)}\n")
    with pytest.raises(SuiteError, match=words):
        hypotheses.patterns()
