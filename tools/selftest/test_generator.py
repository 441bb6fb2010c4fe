"""The generator: any count and seed give valid, unique, reproducible cases, and the coverage claimed is there."""

from __future__ import annotations

import json
from itertools import combinations, combinations_with_replacement
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acceptance.cases import load_table
from acceptance.datafiles import profiles
from acceptance.errors import SuiteError
from tools.generator import generate, matrix, orders, write_suites, write_table
from tools.generator.coverage import Tuple
from tools.generator.story import choose
from tools.generator.table import share


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    return generate(1247)


def levels(case: dict[str, Any]) -> dict[str, str]:
    """Read a case's levels from its record, not from the generator's own bookkeeping."""
    taken = {count: name for name, count in matrix.load().taken.items()}
    no_deposit = "And the member has no deposit" in case["scenario"]
    return {
        "action": case["action"],
        "user": case["user"]["profile"],
        "class": case["user"]["class"],
        "device": case["device"],
        "timezone": case["timezone"],
        "state": "no deposit" if no_deposit else "has deposit",
        "occupancy": taken[case["class"]["taken"]],
        "network": case["network_condition"],
        "when": case["class"]["when"],
    }


def possible() -> tuple[set[Tuple], set[Tuple]]:
    """List every possible pair and triple by looking at each action on its own."""
    plan = matrix.load()
    pairs: set[Tuple] = set()
    triples: set[Tuple] = set()
    for action in plan.actions.values():
        users = {user: c for c in plan.levels(action, "class") for user in plan.users(action, c)}
        known = {name: plan.levels(action, name) for name in matrix.FACTORS}
        known |= {"action": [action.name], "user": list(users), "class": sorted(set(users.values()))}
        for found, without, size in ((pairs, "class", 2), (triples, "user", 3)):
            for names in combinations(sorted(set(known) - {without}), size):
                tuples: list[Tuple] = [()]
                for name in names:
                    tuples = [(*t, (name, level)) for t in tuples for level in known[name]]
                found.update(tuples)
    return pairs, triples


def test_every_possible_pair_and_triple_is_among_the_1247(table: dict[str, Any]) -> None:
    pairs, triples = possible()
    for case in table["cases"]:
        row = levels(case)
        pairs -= {tuple((n, row[n]) for n in names) for names in combinations(sorted(set(row) - {"class"}), 2)}
        triples -= {tuple((n, row[n]) for n in names) for names in combinations(sorted(set(row) - {"user"}), 3)}
    assert (len(pairs), len(triples)) == (0, 0)


def test_the_coverage_claimed_is_complete(table: dict[str, Any]) -> None:
    left_for_more_cases = table["coverage"].pop("orders with 2 stops")
    for figures in table["coverage"].values():
        assert figures["covered"] == figures["possible"] > 0
    assert left_for_more_cases["covered"] == 0 < left_for_more_cases["possible"]
    table["coverage"]["orders with 2 stops"] = left_for_more_cases


def test_every_order_is_among_the_cases_once(table: dict[str, Any]) -> None:
    """Count the orders from the families themselves: two calls, and where each of them can be stopped."""
    plan, expected = matrix.load(), set()
    for name, family in plan.orders.items():
        for calls in (*combinations_with_replacement(family["calls"], 2), *map(tuple, family.get("triples", ()))):
            if family.get("with", calls[0]) in calls:
                gates = {(call, gate) for call in calls for gate in orders.gates(call)}
                expected |= {(f"order_{name}", *calls, who, gate) for who, gate in gates}
    found = []
    for case in table["cases"]:
        if case["category"] == orders.CATEGORY:
            line = next(line for line in case["scenario"] if line.startswith("When at the same time"))
            _, *parts = (part.removeprefix("...").strip() for part in line.split("\n"))
            asked, moves = [p for p in parts if "->" not in p], [p for p in parts if "->" in p]
            actor, _, gate = moves[0].partition(" -> ")
            names = [orders.actor(call) for call in asked]
            labels = [f"{name} 2" if name in names[:n] else name for n, name in enumerate(names)]
            who = asked[labels.index(actor)]
            found.append((case["action"], *asked, who, gate))
            assert case["schedule"] == " | ".join(moves)
            assert [move.endswith("-> end") for move in moves] == [False] + [True] * len(asked)
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_all_alternatives_of_a_sentence_take_their_turns() -> None:
    sentence = "the [a|b|c] of [d|e]"
    chosen = [choose(sentence, turn) for turn in range(6)]
    assert sorted(chosen) == [f"the {one} of {other}" for one in "abc" for other in "de"]
    assert [choose(sentence, turn + 6) for turn in range(6)] == chosen
    assert choose("nothing to choose", 5) == "nothing to choose"


def test_the_categories_have_the_seeds_counts(table: dict[str, Any]) -> None:
    counts = {name: sum(case["category"] == name for case in table["cases"]) for name in matrix.load().categories}
    assert counts == {"functional": 450, "concurrency": 250, "edge": 200, "failure-injection": 150, "load": 197}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(table: dict[str, Any], tmp_path: Path) -> None:
    for name, content in (("first", table), ("second", generate(1247)), ("other", generate(1247, 7))):
        write_table(content, tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    assert (tmp_path / "first").read_bytes() != (tmp_path / "other").read_bytes()
    assert load_table(tmp_path / "first") == table


@given(count=st.integers(1, 120), seed=st.integers(0, 2**31))
@settings(max_examples=8, deadline=None)
def test_any_count_and_seed_give_valid_unique_cases(count: int, seed: int) -> None:
    cases = generate(count, seed)["cases"]
    assert len(cases) == len({case["test_id"] for case in cases}) == len({case["trace_id"] for case in cases}) == count
    for case in cases:
        assert case["scenario"][0].startswith("Given ")
        assert case["scenario"][-1] == "And no class is lost or given away"
        assert case["sequence"]


@given(count=st.integers(0, 20_000), weights=st.dictionaries(st.text(max_size=3), st.integers(1, 500), min_size=1))
def test_shares_add_up_and_are_proportional(count: int, weights: dict[str, int]) -> None:
    shares = share(count, weights)
    assert sum(shares.values()) == count
    assert all(abs(shares[name] - count * weights[name] / sum(weights.values())) < 1 for name in weights)


def test_the_full_product_is_the_possible_part_of_20000() -> None:
    plan = matrix.load()
    size = len(profiles()) * len(plan.full["device"]) * len(plan.factors["timezone"]) * len(plan.full["action"]) * 2
    assert size == 20_000
    cases = generate(full=True)["cases"]
    rows = {tuple(levels(case).items()) for case in cases}
    assert 10_000 < len(cases) == len(rows) < 20_000


def test_costly_cases_are_spread_over_the_files(table: dict[str, Any]) -> None:
    for start in range(0, 1200, 50):
        load = sum(case["category"] == "load" for case in table["cases"][start : start + 50])
        assert 6 <= load <= 10


def test_suites_hold_every_case_once_and_no_more_than_fifty_a_file(table: dict[str, Any], tmp_path: Path) -> None:
    from robot.api import TestSuite

    paths = write_suites(table, tmp_path / "generated")
    names = []
    for path in paths:
        tests = TestSuite.from_file_system(path).tests
        assert 1 <= len(tests) <= 50
        names += [test.name for test in tests]
    assert [name.split()[0] for name in names] == [case["test_id"] for case in table["cases"]]
    assert not any(sign in name for name in names for sign in "*?[|")


def test_a_malformed_table_is_named_by_file_case_and_key(table: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    broken = json.loads(json.dumps({**table, "cases": table["cases"][:3]}))
    broken["cases"][1]["priority"] = "P9"
    path.write_text(json.dumps(broken))
    with pytest.raises(SuiteError, match=r"table\.json: T-000002: priority"):
        load_table(path)
    broken["cases"][1] = broken["cases"][0]
    path.write_text(json.dumps(broken))
    with pytest.raises(SuiteError, match="stands there twice"):
        load_table(path)
    path.write_text("{")
    with pytest.raises(SuiteError, match=r"table\.json:1: is not JSON"):
        load_table(path)


def test_a_malformed_matrix_is_named_by_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoiled = tmp_path / "test_matrix.yaml"
    spoiled.write_text(matrix.FILE.read_text().replace("network: [normal, packet-loss]", "network: [snow]"))
    monkeypatch.setattr(matrix, "FILE", spoiled)
    matrix.load.cache_clear()
    with pytest.raises(SuiteError, match=r"categories\.edge\.only\.network: there is no level 'snow'"):
        matrix.load()
    monkeypatch.undo()
    matrix.load.cache_clear()


@pytest.mark.parametrize("count", [0, 20_001])
def test_a_count_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(SuiteError, match="1 to 20,000"):
        generate(count)


def test_an_unknown_category_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SuiteError, match="functional"):
        generate(10, category="nonsense")
