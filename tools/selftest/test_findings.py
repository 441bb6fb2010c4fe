"""Findings: how failed cases become entries, one for each defect."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from acceptance.conditions import Kind
from tools.report import findings
from tools.report.findings import Finding
from tools.report.results import Case, Results
from tools.report.symptoms import EXPECTATION, UNJUDGED

LOST = "the member paid for 5 classes; 6 left and 0 booked or attended: 1 class given away."


def call(operation: str, **other: Any) -> dict[str, Any]:
    return {
        "actor": "member",
        "operation": operation,
        "outcome": "accepted",
        "repeated": False,
        "tries": ["200"],
        **other,
    }


def broke(invariant: str, step: int, sentence: str = LOST, severity: str = "P0") -> dict[str, Any]:
    return {"invariant": invariant, "severity": severity, "sentence": sentence, "step": step}


def failed(where: Path, test_id: str, steps: list[Any], breaches: list[dict[str, Any]], **other: Any) -> Case:
    """Write what a failed case leaves, as far as findings read it."""
    told = {
        "steps": steps,
        "breaches": breaches,
        "complaints": [str(breach["sentence"]) for breach in breaches] or ["expected accepted."],
        "orders": {},
        "crashes": [],
        "faults_planned": [],
        **other,
    }
    place = where / "failures" / test_id
    place.mkdir(parents=True)
    (place / "case.json").write_text(json.dumps(told))
    return Case(f"{test_id} does something", "FAIL", frozenset(), told["complaints"][0], 0.1)


def logged(test_id: str, step: int, operation: str, **other: Any) -> dict[str, Any]:
    fixed = {"test_id": test_id, "step": step, "action": operation, "actor": "member"}
    return {**fixed, "repeated": False, "attempts": ["200"], **other}


def found(where: Path, *cases: Case, records: Sequence[dict[str, Any]] = ()) -> list[Finding]:
    return findings.find(where, Results(list(cases)), records)


CANCELS = [[call("book")], [call("cancel"), call("cancel")]]
CANCEL_AND_REMOVE = [[call("book")], [call("cancel"), call("admin_remove")]]
CANCEL = [[call("book")], [call("cancel")]]


def test_races_of_one_cause_are_one_finding_and_the_steered_case_is_the_evidence(tmp_path: Path) -> None:
    (one,) = found(
        tmp_path,
        failed(tmp_path, "T-000001", CANCELS, [broke("I2", 2), broke("I13", 2)]),
        failed(tmp_path, "T-ORDER-0001", CANCELS, [broke("I2", 2)], orders={"2": {"planned": ["member waits at x"]}}),
        failed(tmp_path, "T-000002", CANCEL_AND_REMOVE, [broke("I2", 2)]),
        records=(logged("T-000001", 2, "cancel"), logged("T-000001", 2, "cancel"), logged("T-000009", 2, "cancel")),
    )
    assert (one.id, one.severity, one.kind, one.operations[0]) == ("F-1", "P0", Kind.TOGETHER, "cancel")
    assert (one.first.case.id, len(one.cases), one.consequences) == ("T-ORDER-0001", 3, {"I13": LOST})
    assert (one.failed, one.tried) == (3, 3)  # T-000009 cancelled alone, which was never tried by this finding
    assert json.loads((tmp_path / findings.FILE).read_text())[0]["cases"][0] == "T-ORDER-0001"


def test_what_breaks_alone_explains_the_harder_conditions(tmp_path: Path) -> None:
    (one,) = found(
        tmp_path,
        failed(tmp_path, "T-000001", CANCELS, [broke("I2", 2)]),
        failed(tmp_path, "T-000002", CANCEL, [broke("I2", 2)]),
        failed(
            tmp_path, "T-000003", [[call("book")], [call("cancel", tries=["answer lost", "200"])]], [broke("I2", 2)]
        ),
        failed(tmp_path, "T-000004", [*CANCEL, [call("cancel", repeated=True)]], [broke("I2", 3)]),
        records=tuple(logged(f"T-00000{n}", 2, "cancel") for n in (2, 5, 6)),
    )
    assert (one.kind, one.first.case.id, len(one.cases)) == (Kind.ALONE, "T-000002", 4)
    assert (one.failed, one.tried) == (1, 3)


def test_a_race_does_not_explain_what_breaks_alone(tmp_path: Path) -> None:
    kinds = {
        one.kind
        for one in found(
            tmp_path,
            failed(tmp_path, "T-000001", [[call("book"), call("book")]], [broke("I3", 1)]),
            failed(tmp_path, "T-000002", CANCEL, [broke("I2", 2)]),
        )
    }
    assert kinds == {Kind.ALONE, Kind.TOGETHER}


NOT_SEEN = "the member does not see {'id': 'a1'} of pilates_bookings."
LEAKED = "a stranger sees 2 rows of pilates_deposits that are not theirs to see."


def test_views_are_told_apart_by_who_sees_what(tmp_path: Path) -> None:
    hidden, leaked = found(
        tmp_path,
        failed(tmp_path, "T-000001", CANCEL, [broke("I8", 2, NOT_SEEN)]),
        failed(tmp_path, "T-000002", [[call("book")]], [broke("I8", 1, NOT_SEEN.replace("a1", "b7"))]),
        failed(tmp_path, "T-000003", [[call("book")]], [broke("I8", 1, LEAKED)]),
    )
    assert (len(hidden.cases), len(leaked.cases), hidden.title) == (
        2,
        1,
        "What people are shown, also when nothing else happens",
    )


WRITTEN = "a stranger may update pilates_deposits, and data/access.yaml says no."


def test_a_write_around_the_operations_is_named_by_what_was_written(tmp_path: Path) -> None:
    (one,) = found(tmp_path, failed(tmp_path, "T-000001", [[call("book")]], [broke("I16", 1, WRITTEN)]))
    assert one.title == f"Around the studio's operations: {WRITTEN.rstrip('.')}"


def test_a_later_symptom_of_another_operation_is_a_finding_of_its_own(tmp_path: Path) -> None:
    first, second = found(
        tmp_path,
        failed(
            tmp_path,
            "T-000001",
            CANCEL,
            [broke("I2", 1), broke("I2", 2), broke("I9", 2, "no entry.", "P1")],
        ),
    )
    assert (first.invariant, first.operations) == ("I2", ["book"])
    assert (second.invariant, second.operations, second.severity) == ("I9", ["cancel"], "P1")


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        ({"crashes": ["the API"]}, Kind.CRASH),
        ({"orders": {"1": {"planned": ["book meets 40001 at commit"]}}}, Kind.DATABASE),
        ({"faults_planned": [{"leg": "calendar"}]}, Kind.CALENDAR),
        ({}, Kind.ALONE),
    ],
)
def test_conditions(tmp_path: Path, other: dict[str, Any], kind: Kind) -> None:
    (one,) = found(tmp_path, failed(tmp_path, "T-000001", [[call("book")]], [broke("I1", 1)], **other))
    assert one.kind == kind


def test_somebody_who_may_not_is_named(tmp_path: Path) -> None:
    steps = [[call("book")], [call("cancel", actor="stranger")]]
    (one,) = found(tmp_path, failed(tmp_path, "T-RULE-101", steps, [broke("I13", 2)]))
    assert one.title == "Cancelling, asked for by somebody who may not"


def test_expectations_and_cases_that_were_never_judged(tmp_path: Path) -> None:
    lost = [Case(f"T-00000{n} x", "FAIL", frozenset(), f"SuiteError: port {n} is taken.", 0.1) for n in (7, 8)]
    one, other = found(tmp_path, failed(tmp_path, "T-000001", CANCEL, []), *lost)
    assert (one.invariant, one.explains, one.fix) == (EXPECTATION, "", "")
    assert (other.invariant, len(other.cases), other.title) == (UNJUDGED, 2, "Cases that could not be judged")
    assert not found(tmp_path)


def clues(broken: str, operations: str, rows: str = "", condition: str = "alone", **other: Any) -> dict[str, Any]:
    """Write the clues that a failed case has left."""
    fixed: dict[str, Any] = {"around": [], "answers": ["accepted"], "callers": ["member"], "catalogue": {}, "names": {}}
    told = {"invariants": broken.split(), "operations": operations.split(), "condition": condition}
    return {**fixed, **told, "rows": [rows] if rows else [], **other}


TRIGGER = {
    "a trigger of the classes writes the bookings": {
        "trigger": "off",
        "trigger_table": "public.pilates_schedule_slots",
        "trigger_function": "off()",
    }
}
NOT_BACK = "bookings end, and no class comes back"


def test_what_the_studio_did_around_its_operations_is_named_and_explains_the_race(tmp_path: Path) -> None:
    race = [[call("book"), call("switch_off", actor="studio")]]
    (one,) = found(
        tmp_path,
        failed(
            tmp_path,
            "T-RULE-312",
            CANCEL,
            [broke("I2", 2)],
            clues=clues("I2", "switch_off", NOT_BACK, catalogue=TRIGGER),
        ),
        failed(
            tmp_path,
            "T-CONC-008",
            race,
            [broke("I1", 1), broke("I2", 1)],
            clues=clues("I1 I2", "book switch_off", "a class is paid for, and no booking stands", "together"),
        ),
    )
    assert one.title == f"Switching a class off, also when nothing else happens: {NOT_BACK}"
    assert one.explains.startswith("A trigger ends bookings when the class is changed: The trigger off on")
    assert "drop trigger off on public.pilates_schedule_slots" in one.sql
    record = json.loads((tmp_path / findings.FILE).read_text())[0]
    assert (record["sql"], record["alternatives"], len(record["cases"])) == (one.sql, [], 2)
    assert record["because"] == f"{NOT_BACK}; a trigger of the classes writes the bookings"


def test_what_was_so_in_each_case_stands_in_the_title(tmp_path: Path) -> None:
    back = "the class goes back to another deposit"
    (one,) = found(
        tmp_path,
        failed(
            tmp_path,
            "T-RULE-203",
            CANCEL,
            [broke("I2", 2)],
            clues=clues("I2", "cancel", back, around=["when a deposit has ended", "with several deposits"]),
        ),
        failed(
            tmp_path,
            "T-RULE-206",
            CANCEL,
            [broke("I2", 2)],
            clues=clues("I2", "cancel", back, around=["with several deposits"]),
        ),
    )
    assert one.title == f"Cancelling with several deposits, also when nothing else happens: {back}"


ANYBODY = "stranger must not book the class, and could."


def test_rights_lead_and_explain_what_else_comes_of_them(tmp_path: Path) -> None:
    steps = [[call("book", actor="unknown")]]
    outsider = clues("I16 I13", "book", condition="outsider", callers=["unknown"], names={"function": "book_it(uuid)"})
    (one,) = found(
        tmp_path,
        failed(tmp_path, "T-RULE-101", steps, [broke("I16", 1, ANYBODY), broke("I13", 1)], clues=outsider),
        failed(tmp_path, "T-000003", [[call("book", actor="stranger")]], [broke("I13", 1), broke("I2", 1)]),
        records=[
            logged("T-RULE-101", 1, "book", actor="unknown"),
            logged("T-000009", 1, "book"),  # a member's own booking does not count
            logged("T-000010", 1, "book", actor="stranger"),
        ],
    )
    assert (one.title, one.invariant) == ("Anybody can book for anybody", "I16")
    assert (len(one.cases), one.failed, one.tried) == (2, 2, 3)
    assert one.explains.startswith("Nobody asks who is calling: book_it(uuid) acts for whoever asks")


def test_a_role_that_may_not_is_named(tmp_path: Path) -> None:
    steps = [[call("credit", actor="trainer")]]
    (one,) = found(
        tmp_path,
        failed(tmp_path, "T-RULE-106", steps, [broke("I16", 1, "trainer must not credit classes, and could.")]),
    )
    assert one.title == "A trainer can credit classes"


def test_a_race_explains_what_breaks_under_load_while_something_is_killed(tmp_path: Path) -> None:
    books = [[call("book"), call("book", actor="other")]]
    (one,) = found(
        tmp_path,
        failed(tmp_path, "T-CONC-001", books, [broke("I3", 1)]),
        failed(tmp_path, "T-CRASH-001", books, [broke("I3", 1)], crashes=["the API"]),
    )
    assert (one.kind, len(one.cases)) == (Kind.TOGETHER, 2)


def test_a_schedule_that_shows_another_number_is_one_finding_whatever_was_done(tmp_path: Path) -> None:
    shown = "the class 0b9f2c1e-1111-4222-8333-444455556666 shows {} booked, but 0 bookings stand."
    one, other = found(
        tmp_path,
        failed(tmp_path, "T-RULE-306", [[call("confirm_attendance")]], [broke("I3", 1, shown.format(1))]),
        failed(tmp_path, "T-RULE-307", CANCEL, [broke("I3", 2, shown.format(2))]),
        failed(tmp_path, "T-RULE-305", CANCELS, [broke("I3", 2, shown.format(1))]),
        failed(
            tmp_path, "T-RULE-301", [[call("book")]], [broke("I3", 1, "4 places, but 5 bookings stand: overbooked.")]
        ),
    )
    assert (len(one.cases), other.operations) == (3, ["book"])
    assert one.title.endswith("also when nothing else happens: the schedule shows another number than is booked")


def test_whoever_has_no_right_is_anybody_and_each_role_stands_for_itself(tmp_path: Path) -> None:
    stranger, unknown, trainer = (
        f"{who} must not book the class, and could." for who in ("stranger", "unknown", "trainer")
    )
    steps = [[call("book", actor="unknown")], [call("book", actor="stranger")], [call("book", actor="trainer")]]
    one, other = found(
        tmp_path,
        failed(
            tmp_path,
            "T-RULE-101",
            steps,
            [broke("I16", 1, unknown), broke("I16", 2, stranger), broke("I16", 3, trainer)],
        ),
        failed(tmp_path, "T-000001", [[call("book", actor="stranger")]], [broke("I16", 1, stranger)]),
    )
    assert [len(one.cases), len(other.cases)] == [2, 1]
    assert (one.title, other.title) == ("Anybody can book for anybody", "A trainer can book for anybody")
    assert (one.kind, other.kind) == (Kind.OUTSIDER, Kind.OUTSIDER)


def test_who_is_let_through_only_for_being_unknown_is_named(tmp_path: Path) -> None:
    steps = [[call("book", actor="unknown")]]
    breach = broke("I16", 1, "unknown must not book the class, and could.")
    (one,) = found(tmp_path, failed(tmp_path, "T-RULE-101", steps, [breach]))
    assert one.title == "Somebody whom the studio does not know can book for anybody"


def test_what_is_written_around_the_operations_is_not_the_operations_doing(tmp_path: Path) -> None:
    sentence = "stranger must not update deposits, and could."
    (one,) = found(tmp_path, failed(tmp_path, "T-RULE-113", [], [broke("I16", 0, sentence)]))
    assert one.title == f"Around the studio's operations: {sentence.rstrip('.')}"
