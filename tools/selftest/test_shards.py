"""Many machines: how the cases are dealt, and that joined shards are the run that one machine would have made."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from rich.console import Console

from acceptance.bench import run_digits
from acceptance.datafiles import DATA, ROOT
from acceptance.errors import SuiteError
from tools import generator
from tools.report import facts, logs, merge, proof, results
from tools.run import cases, folder, machine, pabot, reruns, shards
from tools.run.progress import Watch
from tools.run.shards import Shard
from tools.selftest.clone import make_clone, pilates

SECONDS = 120
BROKEN = "tools/mutants/cancel-on-ios-keeps-class.sql"
CASES = ("--count", "16", "--category", "functional", "--seed", "5", "--processes", "2")
WORKFLOW = DATA / "ci" / "github-actions.yml"

# --- how the cases are dealt -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    return generator.generate(count=400, seed=5)


def everything(table: dict[str, Any]) -> set[str]:
    return {case["test_id"] for case in table["cases"]} | cases.written_by_hand(None)


@pytest.mark.parametrize("parts", [1, 2, 5, 20])
def test_each_case_belongs_to_exactly_one_shard(table: dict[str, Any], parts: int) -> None:
    dealt = shards.split(table, cases.by_hand(None), parts)
    assert len(dealt) == parts
    assert Counter(test for tests in dealt for test in tests) == Counter(everything(table))


def test_split_follows_from_the_seed_alone(table: dict[str, Any]) -> None:
    first = shards.split(table, cases.by_hand(None), 3)
    assert shards.split({"cases": table["cases"][::-1]}, cases.by_hand(None), 3) == first, "in whatever order"
    small = [shards.split(generator.generate(20, 5, category="edge"), None, 3) for _ in range(2)]
    assert small[0] == small[1]


def test_file_written_by_hand_stays_together(table: dict[str, Any]) -> None:
    dealt = shards.split(table, cases.by_hand(None), 5)
    of = {test: part for part, tests in enumerate(dealt) for test in tests}
    where: dict[Path | None, set[int]] = {}
    for test in cases.by_hand(None).all_tests:
        where.setdefault(test.source, set()).add(of[cases.id_of(test.name)])
    assert where
    assert all(len(parts) == 1 for parts in where.values()), where


@pytest.mark.parametrize("parts", [2, 5, 10])
def test_shards_cost_about_the_same(table: dict[str, Any], parts: int) -> None:
    costs = {case["test_id"]: shards.cost(case) for case in table["cases"]}
    for test in cases.by_hand(None).all_tests:
        assert test.source
        costs[cases.id_of(test.name)] = shards.SLOW.get(test.source.stem, shards.CASE)
    load = [sum(costs[test] for test in tests) for tests in shards.split(table, cases.by_hand(None), parts)]
    assert max(load) - min(load) <= 0.5, "at most a case or two"


def test_more_machines_than_work_are_refused(table: dict[str, Any]) -> None:
    with pytest.raises(SuiteError, match="take fewer"):
        shards.split({"cases": table["cases"][:3]}, None, 4)


@pytest.mark.parametrize("words", ["0/2", "3/2", "2", "1/501", "a/b", "1/2/3", "-1/2", ""])
def test_shard_that_does_not_exist_is_refused(words: str) -> None:
    with pytest.raises(SuiteError, match="2/5"):
        shards.parse(words)


def test_rows_of_two_shards_never_share_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = [Shard(index, 7) for index in range(1, 8)]
    owners: dict[str, set[Shard]] = {}
    for name in map(str, range(2000)):
        owners.setdefault(run_digits(name), set()).update(shard for shard in every if shards.fits(name, shard))
    assert {len(found) for found in owners.values()} == {1}, "each value of the digits is one shard's"
    monkeypatch.setattr(folder, "RESULTS", tmp_path)
    for shard in every:
        place = folder.create(fits=partial(shards.fits, shard=shard))
        assert owners.setdefault(run_digits(place.name), {shard}) == {shard}


@pytest.mark.parametrize(("count", "parts"), [(10, 3), (2, 5), (0, 2), (1247, 7)])
def test_draws_are_shared_out(count: int, parts: int) -> None:
    shares = [shards.share(count, Shard(index, parts)) for index in range(1, parts + 1)]
    assert [number for first, many in shares for number in range(first, first + many)] == list(range(1, count + 1))
    assert max(many for _, many in shares) - min(many for _, many in shares) <= 1


# --- joined shards are one run ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One run of all cases, and two shards of it on two machines: copies of the project in other places.

    The studio is broken on purpose, so that there is something to join; in a way that shows each time.
    """
    one, other = (make_clone(tmp_path_factory.mktemp("machine") / name) for name in ("one", "other"))
    downloaded = tmp_path_factory.mktemp("downloaded")

    def run(where: Path, *part: str) -> Path:
        done = pilates(where, "run", *CASES, "--overlay", BROKEN, *part)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return (where / "results" / "latest").resolve()

    with ThreadPoolExecutor() as machines:
        second = machines.submit(run, other, "--shard", "2/2")
        whole = run(one)
        # As CI does: what each machine left, in one folder, and nothing of it where it was.
        shutil.move(run(one, "--shard", "1/2"), downloaded / "shard-1")
        shutil.move(second.result(), downloaded / "shard-2")
    shutil.rmtree(other)
    done = pilates(one, "report", "--merge", str(downloaded))
    assert done.returncode == 1, done.stdout + done.stderr
    merged = (one / "results" / "latest").resolve()
    return {"home": one, "whole": whole, "merged": merged, "downloaded": downloaded}


def outcome(run: Path) -> dict[str, tuple[str, frozenset[str], list[str]]]:
    return {case.name: (case.status, case.tags, case.broken) for case in results.read(run / folder.OUTPUT).cases}


def test_each_case_ends_as_in_the_whole_run(runs: dict[str, Path]) -> None:
    whole, merged = outcome(runs["whole"]), outcome(runs["merged"])
    assert len(whole) == int(CASES[1])
    assert {"PASS", "FAIL"} == {status for status, _, _ in whole.values()}
    assert merged == whole
    assert list(merged) == sorted(whole), "in the order of their ids, whichever worker ran which file"


def test_counts_are_those_of_the_whole_run(runs: dict[str, Path]) -> None:
    whole, merged = (json.loads((runs[name] / folder.RECORD).read_bytes()) for name in ("whole", "merged"))
    assert merged["counts"] == whole["counts"]
    assert merged["exit_code"] == whole["exit_code"] == 1
    assert merged["seed"] == whole["seed"]
    assert [one["shard"] for one in merged["machines"]] == ["1/2", "2/2"]
    assert sum(one["cases"] for one in merged["machines"]) == int(CASES[1])
    parts = [json.loads((path / folder.RECORD).read_bytes()) for path in runs["downloaded"].iterdir()]
    assert merged["seconds"] == max(part["seconds"] for part in parts)
    assert merged["arguments"]["processes"] == 4
    assert not set(parts[0]["lost"]) | set(parts[1]["lost"])


def test_disturbances_and_calls_are_those_of_the_whole_run(runs: dict[str, Path]) -> None:
    # A failed case was run three times more, here and there: the ledger of the run itself is compared.
    assert logs.disturbances(runs["merged"]) == logs.disturbances(runs["whole"])
    whole, merged = (Counter(record["test_id"] for record in logs.records(runs[n])) for n in ("whole", "merged"))
    assert merged.keys() == whole.keys()
    assert len((runs["merged"] / logs.MERGED).read_bytes().splitlines()) == merged.total()


def test_evidence_of_each_case_is_there(runs: dict[str, Path]) -> None:
    for name in ("snapshots", "failures"):
        whole, merged = ({path.name for path in (runs[n] / name).iterdir()} for n in ("whole", "merged"))
        assert merged == whole, name
    verdicts, merged_verdicts = (
        {(one["test_id"], one["kind"]) for one in json.loads((runs[n] / reruns.FILE).read_bytes())}
        for n in ("whole", "merged")
    )
    assert merged_verdicts == verdicts
    for name in ("log.html", "report.html", "xunit.xml", "final-report.html"):
        assert (runs["merged"] / name).stat().st_size > 0


def test_report_reads_as_one_run_and_names_the_machines(runs: dict[str, Path]) -> None:
    whole, merged = ((runs[name] / "final-report.md").read_text() for name in ("whole", "merged"))
    for part in ("## Executive Summary", "## Test Coverage"):
        assert section(merged, part) == section(whole, part)
    assert "| 1/2 |" in section(merged, "## Machines")
    assert "| 2/2 |" in section(merged, "## Machines")
    assert "missing" not in merged
    page = (runs["merged"] / "final-report.html").read_text()
    assert "The machines" in page
    assert page.count("Load of machine") >= 2, "a chart for each"


def section(text: str, head: str) -> str:
    return text.partition(head)[2].partition("\n## ")[0]


def test_slow_case_is_set_beside_its_own_machine(runs: dict[str, Path]) -> None:
    found = facts.gather(runs["merged"])
    assert {sample["shard"] for sample in found.samples} == {1, 2}
    for case in found.results.cases:
        assert found.beside(case)["shard"] == found.shards[case.id]


def test_case_is_replayed_from_the_merged_run(runs: dict[str, Path]) -> None:
    failed = results.read(runs["merged"] / folder.OUTPUT).failures[0]
    script = runs["merged"] / "failures" / failed.id / "replay.sh"
    assert str(runs["merged"]) in script.read_text()
    assert str(runs["home"] / "tools" / "pilates.py") in script.read_text()
    done = pilates(runs["home"], "replay", failed.id)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 of 1 failed" in done.stdout


# --- shards that do not belong together ------------------------------------------------------------------------------


def change(part: Path, *keys: str, value: object, name: str = folder.RECORD) -> None:
    record = json.loads((part / name).read_bytes())
    place = record
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (part / name).write_bytes(orjson.dumps(record))


@pytest.fixture
def parts(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The two shards, to be changed; what comes of a merge is kept apart."""
    monkeypatch.setattr(folder, "RESULTS", tmp_path / "results")
    return Path(shutil.copytree(runs["downloaded"], tmp_path / "parts"))


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("seed",), 6, ["different seeds", "shard 1/2 has 5", "shard 2/2 has 6"]),
        (("environment", "name"), "staging", ["different environments", "embedded", "staging"]),
        (("versions", "robotframework"), "7.4", ["different versions", "robotframework 7.4"]),
        (("versions", "python"), "3.99.1", ["different versions", "python 3.99"]),
        (("arguments", "count"), 25, ["different numbers of cases", "25"]),
        (("arguments", "overlays"), [], ["different overlays", "none"]),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else "",
)
def test_shards_of_different_runs_are_refused(
    parts: Path, keys: tuple[str, ...], value: object, words: list[str]
) -> None:
    change(parts / "shard-2", *keys, value=value)
    with pytest.raises(SuiteError) as error:
        merge.merge([str(parts)])
    for word in words:
        assert word in str(error.value)
    assert not folder.RESULTS.exists(), "nothing is written"


def test_shards_of_other_suites_are_refused(parts: Path) -> None:
    change(parts / "shard-2", "digest", value="0", name=shards.FILE)
    with pytest.raises(SuiteError, match="different versions of the suite"):
        merge.merge([str(parts)])


def test_shards_of_another_number_are_refused(parts: Path) -> None:
    change(parts / "shard-2", "of", value=3, name=shards.FILE)
    with pytest.raises(SuiteError, match=r"shard 2/3, .* is shard 1/2"):
        merge.merge([str(parts)])


def test_shard_that_is_there_twice_is_refused(parts: Path) -> None:
    shutil.copytree(parts / "shard-1", parts / "again")
    with pytest.raises(SuiteError, match="shard 1/2 is there twice"):
        merge.merge([str(parts)])


def test_results_of_another_shards_cases_are_refused(parts: Path) -> None:
    shutil.copy(parts / "shard-1" / folder.OUTPUT, parts / "shard-2" / folder.OUTPUT)
    with pytest.raises(SuiteError, match="would count twice"):
        merge.merge([str(parts)])


def test_run_without_shards_is_refused(runs: dict[str, Path]) -> None:
    with pytest.raises(SuiteError, match="--shard"):
        merge.merge([str(runs["whole"])])


def test_missing_shard_is_refused_or_counted_as_lost(parts: Path) -> None:
    shutil.rmtree(parts / "shard-2")
    with pytest.raises(SuiteError, match="shard 2/2 is missing"):
        merge.merge([str(parts)])
    run = merge.merge([str(parts)], allow_missing=True)
    split = json.loads((parts / "shard-1" / shards.FILE).read_bytes())["shards"]
    assert run.lost == set(split[1])
    assert json.loads((run.folder / folder.RECORD).read_bytes())["missing_shards"] == ["2/2"]
    for case in list(run.results.cases):
        if case.status == "FAIL":
            run.results.cases.remove(case)
    run.results = results.Results(run.results.cases)
    assert run.exit_code == 2, "a missing shard is never a pass"


def test_draws_of_all_shards_are_added_up(parts: Path) -> None:
    drawn = {"draws": 100, "failures": 0, "counts": {"passed": 100}, "seconds": 1.0, "interrupted": False}
    for number in (1, 2):
        content = {**drawn, "seed": number, "programs": []}
        (parts / f"shard-{number}" / proof.DRAWS).write_bytes(orjson.dumps(content))
    found = proof.find_draws(merge.merge([str(parts)]).folder)
    assert found == proof.Draws(200, 0)
    change(parts / "shard-2", "seed", value=1, name=proof.DRAWS)
    with pytest.raises(SuiteError, match="not independent"):
        merge.merge([str(parts)])


def test_load_is_sampled_on_each_machine(runs: dict[str, Path]) -> None:
    both = sum(len(machine.samples(part)) for part in runs["downloaded"].iterdir())
    assert len(machine.samples(runs["merged"])) == both > 0


# --- what machines share ---------------------------------------------------------------------------------------------


def test_pabotlib_that_is_not_there_is_named() -> None:
    with pytest.raises(SuiteError, match=r"127.0.0.1:1: nobody answers .*pabot.pabotlib"):
        pabot.check_pabotlib("127.0.0.1:1")


SHARING = """\
*** Settings ***
Library    pabot.PabotLib

*** Test Cases ***
T-SHARED-001 A value is left for the other machine
    ${found} =    Get Parallel Value For Key    left by
    Set Parallel Value For Key    left by    ${NAME}
    Should Be Equal    ${found}    ${WANTED}
"""


def test_keywords_of_two_machines_share_values(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    suite = tmp_path / "sharing.robot"
    suite.write_text(SHARING)
    ini = tmp_path / "shared.ini"
    ini.write_text("[nothing]\n")
    server = subprocess.Popen([sys.executable, "-m", "pabot.pabotlib", str(ini), "127.0.0.1", str(port)])
    try:
        until = time.monotonic() + SECONDS
        while not listens(port):
            assert time.monotonic() < until, "PabotLib's server does not start"
            time.sleep(0.05)
        for name, left in (("one", ""), ("other", "one")):
            place = tmp_path / name
            place.mkdir()
            pipe = place / ".progress"
            with Watch(pipe, 1, Console(quiet=True)) as watch:
                variables = {"NAME": name, "WANTED": left}
                process = pabot.start(place, suite, 1, variables, [], pipe, 1, pabotlib=f"127.0.0.1:{port}")
                while process.poll() is None:
                    watch.wait(0.1)
            (case,) = results.read(place / folder.OUTPUT).cases
            assert (case.status, case.message) == ("PASS", ""), name
    finally:
        server.kill()
        server.wait()


def listens(port: int) -> bool:
    try:
        pabot.check_pabotlib(f"127.0.0.1:{port}")
    except SuiteError:
        return False
    return True


# --- the workflow ----------------------------------------------------------------------------------------------------


def commands(steps: list[dict[str, Any]]) -> list[list[str]]:
    lines = [line for step in steps for line in step.get("run", "").splitlines()]
    return [line.split() for line in lines if "tools/pilates.py" in line]


def test_workflow_has_a_shard_for_each_index() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    matrix = workflow["jobs"]["shard"]["strategy"]["matrix"]
    assert [matrix["index"], matrix["of"]] == [list(range(1, matrix["of"][0] + 1)), [len(matrix["index"])]]
    assert workflow["jobs"]["report"]["needs"] == "shard"


def test_commands_of_the_workflow_exist() -> None:
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    found = [words for job in jobs.values() for words in commands(job["steps"])]
    assert len(found) == 2
    for words in found:
        at = words.index("tools/pilates.py")
        assert words[at - 1] == "python3"
        done = pilates(ROOT, words[at + 1], "--help")
        assert done.returncode == 0, done.stderr
        known = set(re.findall(r"--[a-z-]+", done.stdout))
        assert {word for word in words[at:] if word.startswith("--")} <= known


def test_files_that_the_workflow_keeps_are_written(runs: dict[str, Path]) -> None:
    assert "results/latest/xunit.xml" in WORKFLOW.read_text()
    assert (runs["merged"] / "xunit.xml").is_file()
