"""Systems that are not shaped like ours, with a defect: each is found, and named for what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.selftest.schemas import of_schema, robot, scenario

# The scenarios that find each defect, and what breaks first; the whole suite finds more.
DEFECTS = {
    "supabase/charged-though-refused": ("priority/known_bug", "I2"),
    "supabase/refunded-twice-in-a-race": ("priority/concurrency", "I2"),
    "supabase/own-bookings-hidden": ("priority/known_bug", "I8"),
    "supabase/revived-without-deposit": ("rules/deposits", "I2"),
    "supabase/overbooked": ("priority/concurrency", "I3"),
    "supabase/class-deleted-with-bookings": ("rules/bookings", "I2"),
    "supabase/schedule-open-through-the-view": ("rules/rights", "I16"),
    "supabase/members-make-themselves-staff": ("rules/rights", "I16"),
    "supabase/books-for-anybody": ("rules/rights", "I16"),
    "supabase/begun-in-utc": ("rules/bookings", "I13"),
    "supabase/expired-deposit-pays": ("rules/deposits", "I13"),
    "supabase/fewer-places-fewer-bookings": ("rules/bookings", "I2"),
    "counter/charged-though-refused": ("priority/known_bug", "I2"),
    "counter/counter-stale-on-cancel": ("priority/known_bug", "I3"),
    "counter/error-swallowed": ("priority/known_bug", "I2"),
    "counter/refunded-again": ("priority/known_bug", "I2"),
    "counter/strangers-cancel": ("rules/rights", "I16"),
    "counter/deposits-made-by-members": ("rules/rights", "I16"),
}


def rights(folder: Path, test: str, variables: dict[str, str]) -> tuple[str, str]:
    """Run one test of the lane of rights."""
    return robot(folder, "suites/rules/rights.robot", "--test", f"{test}*", variables=variables)[test]


@pytest.mark.parametrize(("defect", "where", "invariant"), [(name, *found) for name, found in DEFECTS.items()])
def test_a_defect_is_found(tmp_path: Path, defect: str, where: str, invariant: str) -> None:
    schema, name = defect.split("/")
    found = robot(tmp_path, f"suites/{where}.robot", "--exitonfailure", variables=of_schema(schema, f"defects/{name}"))
    failed = [message for status, message in found.values() if status == "FAIL"]
    assert failed, found
    assert f"P0 {invariant} " in failed[0]


def test_which_refusal_a_stranger_hears_is_the_systems_own_affair(tmp_path: Path) -> None:
    suite = scenario(
        tmp_path,
        "A stranger at a full class",
        "And 4 places are taken",
        "When another member books the class for the member",
        "Then the studio refuses because the caller is not allowed to",
        "And nothing has changed",
    )
    found = robot(tmp_path, suite, variables=of_schema("supabase", "variants/places-before-permission"))
    assert found == {"T-OWN-001": ("PASS", "")}


def test_whoever_is_let_through_is_named_and_nothing_else_is_blamed(tmp_path: Path) -> None:
    variables = of_schema("supabase", "defects/books-for-anybody")
    lines = ("When another member books the class for the member", "Then the studio refuses because the class is full")
    status, message = robot(tmp_path, scenario(tmp_path, "A stranger", *lines), variables=variables)["T-OWN-001"]
    assert status == "FAIL"
    assert message.startswith("P0 I16 who may does, and nobody else: stranger must not book the class, and could.")
    assert "I13" not in message
    _, message = robot(tmp_path, "suites/rules/rights.robot", "--test", "T-RULE-101*", variables=variables)[
        "T-RULE-101"
    ]
    for who in ("unknown", "stranger", "pretender"):
        assert f"{who} must not book the class, and could." in message
    assert "I13" not in message


def test_a_foreign_key_is_no_missing_right(tmp_path: Path) -> None:
    variables = of_schema("supabase", "variants/memberships-hold-profiles")
    status, message = robot(tmp_path, "suites/rules/rights.robot", "--test", "T-RULE-111*", variables=variables)[
        "T-RULE-111"
    ]
    assert status == "PASS", message
    assert "service may delete profiles" in message
