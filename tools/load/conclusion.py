"""Judges what a load has left: every answer against the rows, every class counted, and what members are shown."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import requests
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case
from rich.console import Console

from acceptance import snapshot
from acceptance.catalogue import Catalogue
from acceptance.client import Caller, Outcome, Request, call, token
from acceptance.contract import Contract
from acceptance.datafiles import devices
from acceptance.environment import Target
from acceptance.invariants import Breach, Facts, View, check
from acceptance.network import Network
from tools import verify
from tools.load import checking, scene, speech
from tools.load.scene import Scene
from tools.load.wish import Ran, Wish
from tools.run import preflight

CLEAN, FINDINGS, COULD_NOT_RUN = 0, 1, 2
TICK_SECONDS = 0.2
SETTLE_SECONDS = 10
SKEW_SECONDS = 10.0  # the clocks of other machines
MOST_LOOKING = 50
MOST_SHOWN = 3  # of each invariant
JUDGED = (("accepted", 10), ("refused", 9), ("unknown", 9))
AUDIT = """select coalesce(json_agg(a order by a.id), '[]')::text
           from public.pilates_audit_log a where a.user_id = any(%s::uuid[])"""


def conclude(
    wish: Wish,
    target: Target,
    connection: Connection,
    catalogue: Catalogue,
    contract: Contract,
    made: Scene,
    ran: Ran,
    place: Path,
    console: Console,
) -> int:
    """Judge, keep and say what came of it."""
    answers, complete = _answers(place / "answers", wish.expect_workers)
    if ran.trouble:
        complete = False
    with console.status("Checking every class ..."):
        settled = all(answer["outcome"] != Outcome.UNKNOWN for answer in answers)
        after = _after(connection, catalogue, contract, made, settled)
        load = checking.Load(after, answers, made.credited, made.peak, made.names, complete, contract.reference)
        if wish.expect_workers:
            load.skew = SKEW_SECONDS
        breaches, balance = checking.judge(load)
        breaches += _seen_by_members(target, contract, made, after)
        second = _second_opinion(target, made, after)
    breaches += [breach for breach in second if breach.invariant not in {known.invariant for known in breaches}]
    breaches.sort(key=lambda breach: breach.severity)
    if nothing := speech.nothing_accepted(contract, answers):
        ran.trouble.append(nothing)
    failed = int(ran.total.get("Failure Count", 0))
    code = FINDINGS if breaches or failed else COULD_NOT_RUN if ran.trouble or not ran.total else CLEAN
    record = {
        "run": place.parent.name,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "arguments": {
            **asdict(wish),
            "overlays": [str(path) for path in wish.overlays],
            "sql": [str(path) for path in wish.sql],
        },
        "seconds": round(ran.seconds, 1),
        "interrupted": ran.interrupted,
        "requests": int(ran.total.get("Request Count", 0)),
        "requests_per_second": round(float(ran.total.get("Requests/s", 0)), 1),
        "failed": failed,
        "actions": _actions(ran, answers),
        "outcomes": Counter(answer["outcome"] for answer in answers),
        "refusals": Counter(a["reason"] or "in other words" for a in answers if a["outcome"] == Outcome.REFUSED),
        "rows": {"bookings": len(after.bookings), "deposits": len(after.deposits), "audit": len(after.audit or ())},
        "not_proven": _not_proven(after, contract, made, answers, complete),
        "trouble": ran.trouble,
        "balance": {"lost": balance.lost, "given_away": balance.given_away, "overbooked": len(balance.overbooked)},
        "findings": [{"invariant": b.invariant, "severity": b.severity, "finding": b.sentence} for b in breaches],
        "exit_code": code,
    }
    (place / "load.json").write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    if breaches:
        (place / "rows.json").write_bytes(orjson.dumps(asdict(after), option=orjson.OPT_INDENT_2))
    for line in _told(record, breaches, balance):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"Load: {place / 'locust.html'}, {place / 'load.json'}", markup=False, highlight=False, soft_wrap=True
    )
    return code


def _answers(place: Path, expected: int) -> tuple[list[dict[str, Any]], bool]:
    """Read all workers' answers, and say whether they are complete: the last line of each remote worker's is there."""
    answers, last = [], 0
    for path in sorted(place.glob("*.jsonl")):
        lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        answers += [line for line in lines if "last" not in line]
        last += any("last" in line for line in lines)
    return answers, last >= expected


def _after(
    connection: Connection, catalogue: Catalogue, contract: Contract, made: Scene, settled: bool
) -> snapshot.Snapshot:
    """Read all rows of the load at one instant; where a request may still be under way, once they stay the same."""
    after = _read(connection, catalogue, contract, made)
    until = time.monotonic() + SETTLE_SECONDS
    while not settled and time.monotonic() < until:
        time.sleep(TICK_SECONDS)
        before, after = after, _read(connection, catalogue, contract, made)
        settled = before.rows() == after.rows()
    return after


def _read(connection: Connection, catalogue: Catalogue, contract: Contract, made: Scene) -> snapshot.Snapshot:
    with connection.cursor() as cursor:
        cursor.execute("begin isolation level repeatable read read only")
        try:
            after = snapshot.take(connection, catalogue, made.users, made.peak, "", contract)
            if contract.audit and "pilates_audit_log" in catalogue:
                cursor.execute(AUDIT, (made.users,))
                [(entries,)] = cursor.fetchall()
                after = replace(after, audit=orjson.loads(entries))
        finally:
            cursor.execute("commit")
    return after


def _seen_by_members(target: Target, contract: Contract, made: Scene, after: snapshot.Snapshot) -> list[Breach]:
    """Let some members look, with their own tokens, and compare what they are shown with the rows."""
    chance = random.Random(made.plan.seed)  # noqa: S311 - reproducible on purpose
    chosen = chance.sample(made.plan.members, min(MOST_LOOKING, len(made.plan.members)))
    breaches: list[Breach] = []
    with requests.Session() as session:
        session.trust_env = target.lease is None
        for user_id in chosen:
            device, zone = devices()["api"], target.environment.zone
            caller = Caller(made.names[user_id], "user", user_id, device, zone, token(target, user_id))
            views = []
            for table in ("pilates_bookings", "pilates_deposits"):
                request = Request("GET", f"/{table}", caller, params={"user_id": f"eq.{user_id}"})
                network = Network("", "load", 0)  # nothing disturbs a load but its own numbers
                reply = call(session, target, request, trace_id="load", test_id="LOAD", network=network)
                shown = reply.body if reply.outcome is Outcome.ACCEPTED else None
                if isinstance(shown, list):
                    shown = contract.in_our_words(table, shown)
                views.append(View(caller.name, table, True, shown))
            facts = Facts(after, after, [], {}, {user_id: "the member"}, {}, views=views)
            breaches += check(facts, "I8")
    return breaches


def _second_opinion(target: Target, made: Scene, after: snapshot.Snapshot) -> list[Breach]:
    """Let ``verify-db`` look at the whole database, and keep what it finds about rows of ours.

    What was paid for is known from the answers; in somebody else's database only a column's name speaks for it.
    """
    wanted = [one for one in verify.load_checks() if not (target.environment.foreign and one.id.startswith("I2-"))]
    ours = {*made.users, *made.peak, *(row["id"] for row in (*after.bookings, *after.deposits))}
    found = []
    with preflight.connected(target) as connection:
        for outcome in verify.run_checks(connection, wanted, target.environment):
            for row in outcome.findings:
                if ours & {part for value in row.values() for part in str(value).split("/")}:
                    found.append(
                        Breach(
                            outcome.check.id.partition("-")[0],
                            f"verify-db {outcome.check.id}: {row['key']}: {row['finding']}.",
                        )
                    )
    return found


def _not_proven(
    after: snapshot.Snapshot, contract: Contract, made: Scene, answers: list[dict[str, Any]], complete: bool
) -> list[str]:
    """Say what could not be checked, and why."""
    lacks = speech.limits(contract, scene.operations_missing(made.plan)) + speech.unclear(contract, answers)
    if after.audit is None:
        lacks.append("the target keeps no audit log: I9, and places given twice that were given back since")
    if after.outbox is None:
        lacks.append("the target has no calendar outbox: I10")
    if not complete:
        lacks.append("answers of a worker are missing: bookings that nobody was told of (I12)")
    return lacks


def _actions(ran: Ran, answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join Locust's times with what was answered."""
    told: dict[str, Counter[str]] = {}
    for answer in answers:
        if answer.get("lost"):
            continue  # a try of a request that is counted by its last one
        name = f"{answer['operation']} again" if answer.get("again") else answer["operation"]
        told.setdefault(f"{answer['role']}/{name}", Counter())[answer["outcome"]] += 1
    actions = []
    for row in ran.stats:
        if row["Name"] == "Aggregated":
            continue
        counts = told.get(f"{row['Type']}/{row['Name']}", Counter())
        actions.append(
            {
                "who": row["Type"],
                "action": row["Name"],
                "requests": int(row["Request Count"]),
                "failed": int(row["Failure Count"]),
                "changes": bool(counts),
                "accepted": counts[Outcome.ACCEPTED],
                "refused": counts[Outcome.REFUSED],
                "unknown": counts[Outcome.UNKNOWN],
                **{f"p{p}_ms": float(row[f"{p}%"]) if row[f"{p}%"] != "N/A" else None for p in (50, 95, 99)},
            }
        )
    return actions


def _told(record: dict[str, Any], breaches: list[Breach], balance: checking.Balance) -> list[str]:
    """Say what came of it, the verdict last."""
    lines = [f"{'':<32}requests  p50 ms  p95 ms  p99 ms  accepted  refused  unknown  failed"]
    for a in record["actions"]:
        times = "".join("       -" if a[key] is None else f"{a[key]:>8.0f}" for key in ("p50_ms", "p95_ms", "p99_ms"))
        judged = "".join(f"{a[key] if a['changes'] else '':>{n}}" for key, n in JUDGED)
        lines.append(f"{a['who'] + ': ' + a['action']:<32}{a['requests']:>8}{times}{judged}{a['failed']:>8}")
    outcomes = record["outcomes"]
    lines += [
        f"{record['requests']} requests, {record['requests_per_second']}/s; of the changes {outcomes['accepted']}"
        f" accepted, {outcomes['refused']} refused, {outcomes['unknown']} unknown; {record['failed']} requests failed."
    ]
    lines += [f"Not proven: {words}." for words in record["not_proven"]]
    lines += [f"Trouble: {words}." for words in record["trouble"]]
    shown: Counter[str] = Counter()
    for breach in breaches:
        shown[breach.invariant] += 1
        if shown[breach.invariant] <= MOST_SHOWN:
            lines.append(str(breach))
    lines += [f"  and {n - MOST_SHOWN} more of {name}, see load.json" for name, n in shown.items() if n > MOST_SHOWN]
    if record["interrupted"]:
        lines.append(f"Interrupted after {record['seconds']:.0f} s; what was done until then is checked.")
    rows_made = record["rows"]
    checked = f"{rows_made['bookings']} bookings and {rows_made['deposits']} deposits checked"
    if breaches:
        p0 = sum(breach.severity == "P0" for breach in breaches)
        lines.append(f"NOT CLEAN: {balance}; {p0} P0 findings, {len(breaches) - p0} others; {checked}.")
    elif record["failed"]:
        lines.append(f"NOT CLEAN: {record['failed']} requests failed (locust_failures.csv); {balance}; {checked}.")
    elif record["exit_code"] == COULD_NOT_RUN:
        lines.append("COULD NOT RUN to its end; what was done shows no class lost or given away.")
    else:
        lines.append(f"CLEAN: {balance}; {checked}.")
    return lines
