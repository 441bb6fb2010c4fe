"""Writes the folder that explains one failure: what was lost, in which order, why, and how to see it again."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acceptance import hypotheses, invariants, rows, tracing
from acceptance.datafiles import ROOT

if TYPE_CHECKING:
    from acceptance.history import Done
    from acceptance.invariants import Breach
    from acceptance.running_case import RunningCase

SERVER_LOG_TAIL = 20_000_000  # bytes; a case's lines are among the newest
# A crash needs the studio's own processes: only the suite can make it again.
ALONE = (
    "- `python3 reproduce.py` needs nothing but `requests` and `psycopg2`: set `PILATES_API_URL`,",
    "  `PILATES_DATABASE_URL` and `PILATES_JWT_SECRET` (`tools/pilates.py serve` prints them for the studio).",
)


def folder(case: RunningCase) -> Path:
    """Return where the failure of a case is written."""
    return case.bench.folder / "failures" / case.test_id


def write(case: RunningCase) -> None:
    """Write everything about a failed case; an earlier failure of the same case in the run is kept beside it."""
    place = folder(case)
    number = 1
    while place.exists():
        number += 1
        place = folder(case).with_name(f"{case.test_id}-{number}")
    place.mkdir(parents=True)
    told = _case(case)
    _write_json(place / "case.json", told)
    lines = "".join(json.dumps(record, default=str) + "\n" for record in case.exchanges)
    (place / "requests.jsonl").write_text(lines)
    if case.first is not None and case.last is not None:
        before, after = dataclasses.asdict(case.first), dataclasses.asdict(case.last)
        _write_json(place / "snapshot-before.json", before)
        _write_json(place / "snapshot-after.json", after)
        (place / "diff").write_text(_difference(before, after))
        _write_json(place / "audit.json", case.last.audit)
    _write_server_log(case, place)
    if _stands_alone(case):
        _write_json(place / "reproduce.json", _reproduction(case))
        shutil.copy(Path(__file__).with_name("reproduce.py"), place / "reproduce.py")
        (place / "reproduce.py").chmod(0o755)
    (place / "replay.sh").write_text(
        f'#!/bin/sh\n# Runs this very case again, as it was in this run.\nexec python3 "{ROOT}/tools/pilates.py"'
        f' replay {case.test_id} --run "{case.bench.folder}" "$@"\n'
    )
    (place / "replay.sh").chmod(0o755)
    (place / "README.md").write_text(_explained(case, told))


def _stands_alone(case: RunningCase) -> bool:
    """Tell whether ``reproduce.py`` can make the case again: it knows the contract's rows and answers only."""
    return not case.crashes and case.bench.contract.reference


def _case(case: RunningCase) -> dict[str, Any]:
    """Say what is known of a case, with the clues to why it failed: findings are made of it."""
    told: dict[str, Any] = {
        "test_id": case.test_id,
        "name": case.name,
        "seed": case.seed,
        "trace_id": case.trace_id,
        "env": case.bench.target.environment.name,
        "people": {name: person.user_id for name, person in case.people.items()},
        "classes": {name: {"id": case.slots[name], "start": case.starts[name].isoformat()} for name in case.slots},
        "network": case.network.condition,
        "faults_planned": case.network.planned,
        "faults_fired": case.network.events,
        "orders": {str(step + 1): dataclasses.asdict(course) for step, course in case.courses.items()},
        "crashes": case.crashes,
        "breaches": [{**_told(breach), "step": case.broken_in[breach]} for breach in case.breaches],
        "complaints": case.complaints,
        "steps": [[_asked(done) for done in step] for step in case.steps],
        "events": case.events,
    }
    told["clues"] = tracing.clues(case, told)
    told["hypotheses"] = [one.record() for one in hypotheses.rank(told["clues"])] if case.breaches else []
    return told


def _told(breach: Breach) -> dict[str, str]:
    return {"invariant": breach.invariant, "severity": breach.severity, "sentence": breach.sentence}


def _asked(done: Done) -> dict[str, Any]:
    """Say of a call what a list of findings wants to know."""
    return {
        "actor": re.sub(r"-\d+$", "", done.caller.name),
        "operation": str(done.call.operation),
        "outcome": str(done.reply.outcome),
        "repeated": done.repeats is not None,
        "tries": done.reply.attempts,
    }


def _explained(case: RunningCase, told: dict[str, Any]) -> str:
    broken = list(dict.fromkeys(breach.invariant for breach in case.breaches))
    words = invariants.described()
    worst = min((words[name]["severity"] for name in broken), default="P1")
    parts = [f"# {case.name}\n", f"**{worst}.** What is wrong:\n"]
    parts += [f"- {line}" for line in case.complaints]
    parts += ["\n## What must always hold, and did not\n", "| | severity | invariant | meaning |", "|---|---|---|---|"]
    parts += [f"| {n} | {words[n]['severity']} | {words[n]['name']} | {words[n]['meaning']} |" for n in broken]
    parts += ["\n## What happened\n", *[f"Killed meanwhile: {crash}.\n" for crash in case.crashes]]
    parts += [*_time_line(case), "\n## Hypothesis\n", *_hypothesis(told, broken)]
    parts += [
        "\n## See it again\n",
        "- `sh replay.sh` runs this very case (same seed, same rows, same order); `--repeat 20` as often as you like.",
        *(ALONE if _stands_alone(case) else []),
        "\n## Beside this page\n",
        "`case.json` the case · `requests.jsonl` each request and answer · `snapshot-before.json`,",
        "`snapshot-after.json` the rows, `diff` what changed · `audit.json` the studio's own audit entries ·",
        f"`server.log` its log, where there is one · trace id `{case.trace_id}`, seed {case.seed}",
        "",
    ]
    return "\n".join(parts)


def _time_line(case: RunningCase) -> list[str]:
    """Tell the calls step by step, each with the rows it changed."""
    lines = []
    for number, (step, (before, after)) in enumerate(zip(case.steps, case.snapshots, strict=True), 1):
        together = f", {len(step)} calls at once" if len(step) > 1 else ""
        lines.append(f"{number}. at {step[0].reply.started}{together}")
        for done in sorted(step, key=lambda done: done.reply.started):
            again = " again, with the same key" if done.repeats else ""
            tries = f" (tries: {', '.join(done.reply.attempts)})" if len(done.reply.attempts) > 1 else ""
            lines.append(
                f"   - {done.caller.name} on {done.caller.device.name}: {done.call.operation}{again}:"
                f" {done.reply.described()}{tries} {json.dumps(done.reply.body)}"
            )
        if number - 1 in case.courses:
            lines.append(f"   - in this order: {'; '.join(case.courses[number - 1].seen)}")
        lines += [f"   - row: `{line}`" for line in _changes(before.rows(), after.rows())] or ["   - no row changed"]
    return lines


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    lines = []
    for table in before:
        old = {row.get("id", row.get("slot_id")): row for row in before[table]}
        for row in after[table]:
            name = row.get("id", row.get("slot_id"))
            was = old.get(name)
            if was is None:
                lines.append(f"{table} {name}: new, {row.get('status', '')}")
            elif was != row:
                told = ", ".join(f"{k}: {was[k]} -> {row[k]}" for k in row if was.get(k) != row[k])
                lines.append(f"{table} {name}: {told}")
        gone = old.keys() - {row.get("id", row.get("slot_id")) for row in after[table]}
        lines += [f"{table} {name}: gone" for name in sorted(gone)]
    return lines


def _hypothesis(told: dict[str, Any], broken: list[str]) -> list[str]:
    """Say why it broke, most likely, what else fits as well, and what would mend it."""
    if not broken:
        return ["No invariant broke: the studio answered otherwise than its rules say; see the first line above."]
    ranked = hypotheses.rank(told["clues"])
    if not ranked:
        causes = [f"- {name}: {invariants.described()[name]['causes']}" for name in broken]
        fixes = [f"- {name}: {invariants.described()[name]['fix']}" for name in broken]
        return [*causes, "\n## Suggested fix\n", *fixes]
    best, *others = ranked
    lines = [f"**{best.name}**: {best.explains}\n", *_because(best)]
    lines += [f"As likely, **{one.name}**: {one.explains}\n" for one in others]
    lines += ["## Suggested fix\n", best.fix]
    return [*lines, *(["\n```sql", best.sql, "```"] if best.sql else [])]


def _because(one: hypotheses.Hypothesis) -> list[str]:
    return [f"What speaks for it: {'; '.join(one.because)}.\n"] if one.because else []


def _difference(before: dict[str, Any], after: dict[str, Any]) -> str:
    old, new = (json.dumps(side, indent=1, sort_keys=True, default=str).splitlines(True) for side in (before, after))
    return "".join(difflib.unified_diff(old, new, "snapshot-before.json", "snapshot-after.json", n=4))


def _write_server_log(case: RunningCase, place: Path) -> None:
    lease = case.bench.target.lease
    if lease is None:
        return
    with Path(lease.server_log).open("rb") as log:
        log.seek(max(0, log.seek(0, 2) - SERVER_LOG_TAIL))
        lines = [line for line in log if case.trace_id.encode() in line]
    (place / "server.log").write_bytes(b"".join(lines))


def _reproduction(case: RunningCase) -> dict[str, Any]:
    """Gather what ``reproduce.py`` needs: rows and calls, with every id of ours by its recorded value."""
    text = json.dumps(case.events, default=str)
    ids = sorted(set(re.findall(rf"{rows.PREFIX}-[0-9a-f-]{{27}}", text)))
    owners = {row["user_id"] for table, row in case.made if table == "pilates_deposits"}
    paid: dict[str, int] = dict.fromkeys(owners, 0)
    for deposit in case.last.deposits if case.last else []:
        paid[deposit["user_id"]] = paid.get(deposit["user_id"], 0) + case.credited.get(deposit["id"], 0)
    return {
        "name": case.name,
        "prefix": rows.PREFIX,
        "zone": case.bench.target.environment.zone,
        "ids": ids,
        "members": [{"id": i, "name": case.names.get(i, i), "paid": count} for i, count in sorted(paid.items())],
        "slots": [{"id": slot_id, "peak": case.peak[slot_id]} for slot_id in case.slots.values()],
        "events": json.loads(text),
    }


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, default=str) + "\n")
