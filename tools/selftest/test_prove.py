"""The proof of the suite's power: its arithmetic, its order of tests, and a small one from end to end."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from acceptance.errors import SuiteError
from tools.prove import job, overlays, plan, score
from tools.prove.trial import Outcome, Verdict
from tools.run import folder

HARMLESS = "comment on table public.pilates_bookings is 'bookings';\n"
FEW = 60  # tests of the general part that the small proof has


def verdict(name: str, outcome: Outcome, family: str = "lock removed", broke: tuple[str, ...] = ()) -> Verdict:
    return Verdict(name, family, outcome, f"symptom of {name}", broke=list(broke))


@pytest.fixture(scope="module")
def general(tmp_path_factory: pytest.TempPathFactory) -> plan.Plan:
    return plan.make(tmp_path_factory.mktemp("plan") / "suite")


def test_the_score_counts_what_could_be_told_apart() -> None:
    found = [verdict("a", Outcome.KILLED), verdict("b", Outcome.KILLED), verdict("c", Outcome.SURVIVED)]
    found += [verdict("d", Outcome.FLAKY), verdict("e", Outcome.EQUIVALENT), verdict("f", Outcome.GREEN, "control")]
    told = score.figures(found)
    assert (told["mutants"], told["killed"], told["survived"], told["equivalent"]) == (5, 2, 2, 1)
    assert told["score"] == 0.5
    assert (told["controls"], told["green"], told["red"]) == (1, 1, 0)
    assert any("survived: c: symptom of c" in line for line in score.summary(found, 1))


def test_what_was_not_exercised_is_neither_found_nor_passed() -> None:
    green, alive = verdict("a", Outcome.GREEN, overlays.CONTROL), verdict("b", Outcome.SURVIVED)
    green.not_exercised, alive.not_exercised = ["T-1", "T-2"], ["T-1"]
    assert score.figures([green, alive])["not_exercised"] == 3
    assert any("Not exercised: 3 tests of 2 overlays" in line for line in score.summary([green, alive], 1))
    assert (score.exit_code([green]), score.exit_code([alive])) == (0, 1)


def test_controls_share_out_what_not_each_of_them_meets(general: plan.Plan) -> None:
    met = [
        {test.name for test in general.of(one)} for one in map(overlays.read, sorted(overlays.CONTROLS.glob("*.sql")))
    ]
    assert set.intersection(*met) == general.small
    assert set.union(*met) == {test.name for test in general.tests}
    assert max(map(len, met)) - min(map(len, met)) <= 1


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([Outcome.KILLED, Outcome.EQUIVALENT, Outcome.GREEN], 0),
        ([Outcome.KILLED, Outcome.SURVIVED], 1),
        ([Outcome.KILLED, Outcome.FLAKY], 1),
        ([Outcome.KILLED, Outcome.DIFFERENT], 1),
        ([Outcome.SURVIVED, Outcome.BROKEN], 2),
        ([], 2),
    ],
)
def test_the_exit_code(outcomes: list[Outcome], code: int) -> None:
    assert score.exit_code([verdict(str(n), outcome) for n, outcome in enumerate(outcomes)]) == code


def test_a_red_control_fails_the_proof() -> None:
    assert score.exit_code([verdict("a", Outcome.RED, overlays.CONTROL)]) == 1


def test_the_kill_matrix() -> None:
    found = [verdict("a", Outcome.KILLED, "rare", ("I2", "I13")), verdict("b", Outcome.KILLED, "rare", ("I2",))]
    found.append(verdict("c", Outcome.SURVIVED, "rare", ("I4",)))
    assert score.matrix(found) == {"rare": {"I2": 2, "I13": 1}}


def test_unknown_names_are_said() -> None:
    with pytest.raises(SuiteError, match="there is no mutant 'none'"):
        overlays.choose(["none"], None, [])
    with pytest.raises(SuiteError, match="there is no family 'none'"):
        overlays.choose([], "none", [])
    with pytest.raises(SuiteError, match="cannot be read"):
        overlays.choose([], None, [Path("nowhere.sql")])


def test_what_fits_comes_first(general: plan.Plan) -> None:
    race = overlays.read(overlays.MUTANTS / "refund-twice.sql")
    assert "schedule" in general.of(race)[0].features
    told = overlays.read(overlays.MUTANTS / "calendar-told-twice.sql")
    assert "calendar" in general.of(told)[0].features
    assert len({test.name for test in general.of(told)}) == len(general.of(told))


def prove(
    wish: job.Wish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, general: plan.Plan, tests: int | None
) -> tuple[int, dict[str, dict[str, Any]], str]:
    monkeypatch.setattr(folder, "RESULTS", tmp_path / "results")
    few = plan.Plan(general.tests[:tests], {test.name for test in general.tests[:FEW:6]})
    monkeypatch.setattr(plan, "make", lambda place: few)
    output = io.StringIO()
    code = job.run(wish, Console(file=output, width=200))
    (written,) = (tmp_path / "results").glob("*/prove.json")
    assert written.with_name("prove.md").read_text().startswith("# What the suite would have found")
    return code, {one["id"]: one for one in json.loads(written.read_text())["overlays"]}, output.getvalue()


def test_a_small_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, general: plan.Plan) -> None:
    names = ("refund-twice", "cancel-without-refund", "more-columns", "started-by-a-hair")
    code, found, told = prove(job.Wish(names), tmp_path, monkeypatch, general, None)
    outcomes = {name: one["outcome"] for name, one in found.items()}
    assert outcomes == dict(zip(names, ["killed", "killed", "green", "equivalent"], strict=True))
    assert "I2" in found["cancel-without-refund"]["broke"]
    assert "Mutants: 2 of 2 killed (100.0%), 1 equivalent" in told
    assert code == 0
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it is just ending; a zombie is one of these
            assert "tools.network.proxy" not in child.cmdline()


def test_survivors_and_broken_overlays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, general: plan.Plan) -> None:
    harmless, wrong = tmp_path / "harmless.sql", tmp_path / "wrong.sql"
    harmless.write_text(HARMLESS)
    wrong.write_text("select 1;\nselect nothing_of_that_name();\n")
    code, found, _ = prove(job.Wish(files=(harmless,)), tmp_path / "one", monkeypatch, general, 12)
    assert (code, found["harmless"]["outcome"]) == (1, "survived")
    code, found, told = prove(job.Wish(files=(harmless, wrong)), tmp_path / "two", monkeypatch, general, 12)
    assert (code, found["wrong"]["outcome"]) == (2, "broken")
    assert "wrong.sql:2: function nothing_of_that_name() does not exist" in told
