"""Joins the shards of a run, each from a machine of its own, to one run's folder: as if one machine had run it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from robot.api import ExecutionResult, ResultVisitor
from robot.result import Result, TestSuite

from acceptance.datafiles import ROOT
from acceptance.environment import Environment
from acceptance.errors import SuiteError
from tools.report import figures, logs, proof, results, steps, words, writing
from tools.run import cases, folder, machine, pabot, reruns, shards
from tools.run.record import COULD_NOT_RUN, FAILED, PASSED, Arguments, Run
from tools.run.summary import summary

KEPT = "shards"
# What must be the same in all shards, by what a person calls it.
SAME: dict[str, Callable[[dict[str, Any]], Any]] = {
    "seeds": lambda record: record["seed"],
    "numbers of cases": lambda record: record["arguments"]["count"],
    "categories": lambda record: record["arguments"]["category"],
    "choices of --priority": lambda record: record["arguments"]["priority"],
    "choices of --full": lambda record: record["arguments"]["full"],
    "environments": lambda record: record["environment"]["name"],
    "time zones of the studio": lambda record: record["environment"]["zone"],
    "overlays": lambda record: [Path(path).name for path in record["arguments"]["overlays"]],
    "versions": lambda record: {**record["versions"], "python": record["versions"]["python"].rpartition(".")[0]},
}
REPLAY = re.compile(r'^exec python3 ".*?" replay (\S+) --run ".*?"', re.MULTILINE)


@dataclass(frozen=True)
class Part:
    """What one shard left: its folder, ``run.json`` and ``shard.json``."""

    where: Path
    record: dict[str, Any]
    split: dict[str, Any]

    @property
    def index(self) -> int:
        """Which shard it is, from 1 on."""
        return int(self.split["index"])

    @property
    def of(self) -> int:
        """Of how many."""
        return int(self.split["of"])

    @property
    def planned(self) -> set[str]:
        """The ids of its own cases."""
        return set(self.split["shards"][self.index - 1])

    @property
    def output(self) -> Path:
        """Its ``output.xml``."""
        return self.where / folder.OUTPUT

    @cached_property
    def samples(self) -> list[dict[str, Any]]:
        """What its machine's sampler wrote."""
        return machine.samples(self.where)

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"


def run(names: Sequence[str], console: Console, *, allow_missing: bool = False) -> int:
    """Join shards, write the reports, and say what came of it.

    Returns:
        The exit code of the whole run.
    """
    merged = merge(names, allow_missing=allow_missing)
    reports = writing.write(merged.folder, merged.results)
    writing.step_summary(reports)
    record = orjson.loads((merged.folder / folder.RECORD).read_bytes())
    for line in (*words.shards(record), *summary(merged), *writing.lines(reports)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return merged.exit_code


def merge(names: Sequence[str], *, allow_missing: bool = False) -> Run:
    """Join shards to a new run.

    Args:
        names: runs by name or folder, or folders that have some in them.
        allow_missing: whether to go on without some; their cases then count as lost.

    Returns:
        The run, written down in its folder.

    Raises:
        SuiteError: when they are not the shards of one run; nothing is written then.
    """
    parts = sorted((_part(where) for name in names for where in _found(name)), key=lambda part: part.index)
    _check(parts, allow_missing)
    found = [results.read(part.output) if part.output.is_file() else results.Results([]) for part in parts]
    _check_results(parts, found)
    place = folder.create()
    for part in parts:
        _copy(part, place)
    _join_files(parts, place)
    _join_outputs(parts, place)
    return _describe(parts, place, results.read(place / folder.OUTPUT))


def _found(name: str) -> list[Path]:
    """Find the run, or the runs below a folder such as CI's downloaded artefacts."""
    below = {path.parent.resolve() for depth in ("*", "*/*") for path in Path(name).glob(f"{depth}/{folder.RECORD}")}
    if (Path(name) / folder.RECORD).is_file() or not below:
        return [folder.find(name)]
    return sorted(below)


def _part(where: Path) -> Part:
    path = where / shards.FILE
    if not path.is_file():
        raise SuiteError(f"{where}: is not a part of a run; only runs made with --shard can be merged.")
    try:
        return Part(where, orjson.loads((where / folder.RECORD).read_bytes()), orjson.loads(path.read_bytes()))
    except orjson.JSONDecodeError as error:
        raise SuiteError(f"{where}: {folder.RECORD} or {shards.FILE} is not JSON: {error}.") from None


def _check(parts: list[Part], allow_missing: bool) -> None:
    """Look whether these are the shards of one run, each of them once.

    Raises:
        SuiteError: the first thing that does not fit.
    """
    first = parts[0]
    for part in parts[1:]:
        if part.of != first.of:
            raise SuiteError(f"{part.where} is shard {part}, {first.where} is shard {first}: not of one run.")
        for name, value in SAME.items():
            mine, other = value(first.record), value(part.record)
            if mine != other:
                told = f"shard {first} has {_told(mine, other)}, shard {part} has {_told(other, mine)}"
                raise SuiteError(f"the shards have different {name}: {told}; run them alike.")
        if part.split["digest"] != first.split["digest"] or part.split["shards"] != first.split["shards"]:
            raise SuiteError(
                f"shards {first} and {part} ran different versions of the suite (suites, resources, libraries or"
                f" data): {first.where}, {part.where}."
            )
    for one, other in pairwise(parts):
        if one.index == other.index:
            raise SuiteError(f"shard {one} is there twice: {one.where} and {other.where}; leave one out.")
    seeds = [found["seed"] for part in parts if (found := _json(part, proof.DRAWS, None))]
    if len(set(seeds)) < len(seeds):
        raise SuiteError(f"{proof.DRAWS}: two shards drew from the same seed; their draws are not independent.")
    missing = _missing(parts)
    if missing and not allow_missing:
        words = ", ".join(f"{index}/{first.of}" for index in missing)
        count = sum(len(first.split["shards"][index - 1]) for index in missing)
        verb = "shard {} is missing" if len(missing) == 1 else "shards {} are missing"
        raise SuiteError(f"{verb.format(words)}; name its folder too, or say --allow-missing to lose {count:,} cases.")
    if not any(part.output.is_file() for part in parts):
        raise SuiteError(f"{first.where}: no shard has an {folder.OUTPUT}; nothing came to an end.")


def _told(mine: Any, other: Any) -> str:
    """Say a value; of several values in one, those that differ."""
    if isinstance(mine, dict):
        return ", ".join(f"{name} {value}" for name, value in mine.items() if other.get(name) != value)
    return "none" if mine in (None, []) else str(mine)


def _missing(parts: list[Part]) -> list[int]:
    return sorted(set(range(1, parts[0].of + 1)) - {part.index for part in parts})


def _check_results(parts: list[Part], found: list[results.Results]) -> None:
    """Look whether each shard has results of its own cases only.

    Raises:
        SuiteError: when one has another's: it would count twice.
    """
    for part, result in zip(parts, found, strict=True):
        strange = sorted({case.id for case in result.cases} - part.planned)
        if strange:
            raise SuiteError(
                f"{part.output}: has {len(strange)} cases that are not shard {part}'s, such as {strange[0]}; they would"
                " count twice."
            )


def _copy(part: Part, place: Path) -> None:
    """Copy a shard's evidence; what has its worker's process id for a name gets the shard's number before it."""
    for name in ("logs", "ledgers"):
        for path in (part.where / name).glob("*.jsonl"):
            (place / name).mkdir(exist_ok=True)
            shutil.copyfile(path, place / name / f"{part.index}-{path.name}")
    for name in ("snapshots", "failures"):
        if (part.where / name).is_dir():
            shutil.copytree(part.where / name, place / name, dirs_exist_ok=True)
    for path in (part.where / "reruns").glob("*"):
        shutil.copytree(path, place / "reruns" / f"{part.index}-{path.name}")
    if (part.where / folder.OVERLAYS).is_dir():
        shutil.copytree(part.where / folder.OVERLAYS, place / folder.OVERLAYS, dirs_exist_ok=True)
    kept = place / KEPT / f"{part.index}-of-{part.of}"
    kept.mkdir(parents=True)
    for name, new in ((folder.RECORD, "run-of-shard.json"), ("pabot.log", "pabot.log")):
        if (part.where / name).is_file():
            shutil.copyfile(part.where / name, kept / new)


def _join_files(parts: list[Part], place: Path) -> None:
    """Write the files of which each shard has its own as one."""
    (place / folder.SPLIT).write_bytes(orjson.dumps(parts[0].split["shards"]))
    table = parts[0].where / folder.TABLE
    if table.is_file():
        shutil.copyfile(table, place / folder.TABLE)
    for script in place.glob("failures/*/replay.sh"):
        text = script.read_text()
        script.write_text(REPLAY.sub(_replay(place), text))
    lines = sorted(({**sample, "shard": part.index} for part in parts for sample in part.samples), key=_moment)
    (place / machine.FILE).write_bytes(b"".join(orjson.dumps(x, option=orjson.OPT_APPEND_NEWLINE) for x in lines))
    verdicts = [verdict for part in parts for verdict in _json(part, reruns.FILE, [])]
    if verdicts:
        (place / reruns.FILE).write_bytes(orjson.dumps(verdicts, option=orjson.OPT_INDENT_2))
    proofs = [path for part in parts if (path := part.where / proof.PROOF).is_file()]
    if proofs:
        shutil.copyfile(max(proofs, key=lambda path: path.stat().st_size), place / proof.PROOF)
    _join_draws(parts, place)


def _replay(place: Path) -> Callable[[re.Match[str]], str]:
    """Return what names the merged run in a ``replay.sh``, in place of a run on another machine."""
    return lambda match: f'exec python3 "{ROOT}/tools/pilates.py" replay {match[1]} --run "{place}"'


def _join_draws(parts: list[Part], place: Path) -> None:
    """Add up what the random lane drew; each shard drew from a seed of its own, so all of it is independent."""
    drawn = [found for part in parts if (found := _json(part, proof.DRAWS, None))]
    if not drawn:
        return
    draws, failures = (sum(found[name] for found in drawn) for name in ("draws", "failures"))
    record = {
        **drawn[0],
        "draws": draws,
        "failures": failures,
        "upper_bounds": {
            str(level): figures.failure_bound(failures, draws, level) for level in (figures.CONFIDENCE, figures.STRICT)
        },
        "counts": {
            name: sum(found["counts"].get(name, 0) for found in drawn)
            for name in sorted({name for found in drawn for name in found["counts"]})
        },
        "seed": [found["seed"] for found in drawn],
        "seconds": max(found["seconds"] for found in drawn),
        "interrupted": any(found["interrupted"] for found in drawn),
        "programs": [one for found in drawn for one in found["programs"]],
    }
    (place / proof.DRAWS).write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    tables = [found for part in parts if (found := _json(part, folder.DRAWN, None))]
    if tables:
        joined = {**tables[0], "cases": [case for table in tables for case in table["cases"]]}
        joined["generator"] = {**joined["generator"], "count": len(joined["cases"])}
        (place / folder.DRAWN).write_bytes(orjson.dumps(joined))


def _json(part: Part, name: str, otherwise: Any) -> Any:
    path = part.where / name
    return orjson.loads(path.read_bytes()) if path.is_file() else otherwise


def _moment(sample: dict[str, Any]) -> str:
    return str(sample["at"])


class _Rooted(ResultVisitor):
    """Gives the suites the places that they have on this machine."""

    def __init__(self, root: Path):
        self.root = root

    def start_suite(self, suite: TestSuite) -> None:
        if suite.source is not None:
            suite.source = cases.SUITES / Path(suite.source).relative_to(self.root)


class _Sorted(ResultVisitor):
    """Puts suites and cases into the order in which one run has them."""

    def __init__(self, order: dict[str, int]):
        self.order = order

    def start_suite(self, suite: TestSuite) -> None:
        suites = sorted(suite.suites, key=lambda child: child.name)
        tests = sorted(suite.tests, key=lambda test: self.order.get(cases.id_of(test.name), 0))
        suite.suites, suite.tests = suites, tests


def _add(mine: TestSuite, other: TestSuite) -> None:
    """Put the suites and cases of another shard beside those of this one.

    ``rebot --merge`` is made for reruns: it writes "Test added from merged output" into the message of each case.
    """
    for child in list(other.suites):
        known = next((suite for suite in mine.suites if suite.name == child.name), None)
        if known is None:
            mine.suites.append(child)
        else:
            _add(known, child)
    mine.tests.extend(list(other.tests))
    mine.start_time = min((time for time in (mine.start_time, other.start_time) if time), default=None)
    mine.end_time = max((time for time in (mine.end_time, other.end_time) if time), default=None)
    # From the one to the other. mypy finds no setter that stands apart from its property.
    mine.elapsed_time = None  # type: ignore[assignment, misc]


def _join_outputs(parts: list[Part], place: Path) -> None:
    """Write output, log, report and xunit of all shards together, as rebot does."""
    joined: Result | None = None
    for part in parts:
        if not part.output.is_file():
            continue
        result = ExecutionResult(part.output)
        result.visit(_Rooted(Path(result.suite.source)))
        if joined is None:
            joined = result
        else:
            _add(joined.suite, result.suite)
            joined.errors.add(result.errors)
    if joined is None:
        raise SuiteError(f"{place}: no shard has results.")
    table = parts[0].where / folder.TABLE
    records = orjson.loads(table.read_bytes())["cases"] if table.is_file() else []
    joined.visit(_Sorted({record["test_id"]: number for number, record in enumerate(records)}))
    joined.suite.metadata["Shards"] = ", ".join(f"{part} on {_name(part)}" for part in parts)
    total = sum(len(part.planned) for part in parts)
    joined.save(place / folder.OUTPUT)
    if total > pabot.MOST_WITH_ALL_STEPS:
        steps.leave_out(place / folder.OUTPUT, place / folder.OUTPUT)
    rebot = [sys.executable, "-m", "robot.rebot", "--nostatusrc", "--loglevel", "INFO", "--outputdir", str(place)]
    rebot += ["--output", folder.OUTPUT, "--xunit", "xunit.xml"]
    subprocess.run([*rebot, str(place / folder.OUTPUT)], check=True, capture_output=True)  # noqa: S603 - our own


def _describe(parts: list[Part], place: Path, found: results.Results) -> Run:
    """Write ``run.json`` as one run's: the longest shard's time, and all machines' workers."""
    records = [part.record for part in parts]
    first = records[0]
    overlays = [next((place / folder.OVERLAYS / str(n)).glob("*.sql")) for n, _ in _numbered(first)]
    asked, environment = first["arguments"], first["environment"]
    run = Run(
        Arguments(
            count=asked["count"],
            seed=asked["seed"],
            env=asked["env"],
            processes=sum(record["arguments"]["processes"] for record in records),
            category=asked["category"],
            priority=asked["priority"],
            full=asked["full"],
            overlays=overlays,
            draws=asked["draws"],
        ),
        Environment(environment["name"], environment["description"], environment["zone"], True, {}, {}),
        place,
        {test for tests in parts[0].split["shards"] for test in tests},
        started=min(datetime.fromisoformat(record["started"]) for record in records),
        seconds=max(record["seconds"] for record in records),
        interrupted=any(record["interrupted"] for record in records),
        flaky=sum(record["counts"]["flaky"] for record in records),
        drawn=_drawn(place),
        results=found,
    )
    record = run.record() | {
        "versions": first["versions"],
        "machine": first["machine"],
        "machines": [_machine(part) for part in parts],
        "missing_shards": [f"{index}/{parts[0].of}" for index in _missing(parts)],
    }
    (place / folder.RECORD).write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2, default=str))
    logs.merge(place)
    return run


def _numbered(record: dict[str, Any]) -> list[tuple[int, str]]:
    return list(enumerate(record["arguments"]["overlays"], 1))


def _drawn(place: Path) -> int:
    """Return what the random lane would exit with."""
    path = place / proof.DRAWS
    if not path.is_file():
        return PASSED
    found = orjson.loads(path.read_bytes())
    if found["failures"]:
        return FAILED
    return COULD_NOT_RUN if found["interrupted"] or found["counts"].get("error") or not found["draws"] else PASSED


def _name(part: Part) -> str:
    return str(part.record["machine"].get("name") or "unnamed machine")


def _machine(part: Part) -> dict[str, Any]:
    """Describe a shard's machine for ``run.json``."""
    record, busy = part.record, [float(sample["cpu_percent"]) for sample in part.samples]
    return {
        "shard": str(part),
        "run": record["run"],
        **record["machine"],
        "workers": record["arguments"]["processes"],
        "seconds": record["seconds"],
        "cases": record["counts"]["planned"] - record["counts"]["lost"],
        "cpu_mean": round(sum(busy) / len(busy), 1) if busy else None,
        "cpu_most": max(busy, default=None),
        "load_most": max((float(sample["load"]) for sample in part.samples), default=None),
    }
