"""Reads and writes tables through the API in somebody's name, and looks in the database what came of it.

Each try is made on rows of its own, which were valid a moment before, so that nothing but rights is in the way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import jwt
from psycopg2 import sql

from acceptance import client, rows
from acceptance.client import Caller, Request
from acceptance.errors import NotProven
from acceptance.model import Status
from acceptance.rows import OCCUPANCY
from acceptance.running_case import RunningCase

Row = dict[str, Any]
PROFILES, SLOTS, DEPOSITS, BOOKINGS = rows.CONTRACT
AUDIT, OUTBOX, KEYS = "pilates_audit_log", "pilates_calendar_outbox", "idempotency_keys"
# By which column a row is found again, and which one says whose it is.
KEY = {PROFILES: "user_id", OCCUPANCY: "slot_id", AUDIT: "trace_id", OUTBOX: "trace_id", KEYS: "key"}
OWNER = {PROFILES: "user_id", DEPOSITS: "user_id", BOOKINGS: "user_id", AUDIT: "user_id", OUTBOX: "user_id",
         KEYS: "caller"}  # fmt: skip


def caller(case: RunningCase, name: str) -> Caller:
    """Return one of the callers of ``data/access.yaml``.

    Raises:
        NotProven: when the target knows no such people.
    """
    target = case.bench.target
    if name == "service":
        return replace(case.caller("studio"), name="service")
    if name in ("member", "trainer", "secretary", "admin"):
        return case.caller(name)
    stranger = case.caller("stranger")
    if name == "visitor":
        return replace(stranger, name=name, role="", user_id=None, token=None)
    if name == "unknown":
        nobody = case.new_id()
        return replace(stranger, name=name, role="", user_id=nobody, token=client.token(target, nobody))
    if name == "pretender":
        claims = {"user_metadata": {"role": "admin", "is_admin": True}}
        return replace(stranger, name=name, token=client.token(target, stranger.user_id, claims=claims))
    return stranger


def forged(case: RunningCase) -> list[Caller]:
    """Make people whose tokens say that they are the member or the studio's own, and are no good."""
    target, member = case.bench.target, case.caller("member")
    now = int(time.time())
    good = client.token(target, member.user_id)
    claims = jwt.decode(good, options={"verify_signature": False})
    other_key = f"not-{target.jwt_secret}"
    tokens = {
        "signed with another key": jwt.encode(claims, other_key, algorithm="HS256"),
        "signed with another key, for the service role": jwt.encode(
            {"role": "service_role", "exp": now + 3600}, other_key, algorithm="HS256"
        ),
        "not signed": jwt.encode({"role": "service_role", "exp": now + 3600}, "", algorithm="none"),
        "cut short": good.rpartition(".")[0] + ".",
        "no token at all": "letmein",
    }
    if case.bench.users_given is None:  # else nobody but the system itself can sign these
        tokens["expired"] = client.token(target, member.user_id, claims={"iat": now - 7200, "exp": now - 3600})
        tokens["not yet valid"] = client.token(target, member.user_id, claims={"nbf": now + 3600})
    return [replace(member, name=f"somebody with a token that is {what}", token=one) for what, one in tokens.items()]


def tries(case: RunningCase, table: str, who: Caller, change: Mapping[str, Any]) -> dict[str, bool]:
    """Let somebody read and write a table, and say what of it took effect.

    Args:
        case: whose member's class is booked, where a booking is made.
        table: a table or view of the contract.
        who: asks; "member" is then the owner of the rows.
        change: a column and what it is set to, in our words.

    Returns:
        By action (insert where the table is no view, read, update, delete) whether it took effect.
    """
    case.insert()
    if table == PROFILES and case.bench.users_given is not None:
        raise NotProven("not proven: the profiles are those of users whom the environment gives; nobody touches them.")
    change = _in_their_words(case, change)
    done = {}
    with _owner(case) as owner:
        if who.name == "member" and who.user_id != owner:
            who = replace(who, user_id=owner, token=client.token(case.bench.target, owner))
        if table != OCCUPANCY:
            done["insert"] = _inserts(case, table, who, owner, change)
        with _row(case, table, owner) as value:
            path = f"/{table}?{KEY.get(table, 'id')}=eq.{value}"
            done["read"] = bool(case.read(Request("GET", path, who)))
            done["update"] = _update(case, table, who, path, value, change)
            _delete_dependents(case, table, value)  # else a foreign key would be in the way, and hide a missing right
            case.read(Request("DELETE", path, who))
            done["delete"] = _stands(case, table, value) is None
    return done


def _names(case: RunningCase, table: str, who: Caller, owner: str) -> list[str]:
    """List in whose names somebody tries to make a row: the member's, and their own."""
    if table == PROFILES:
        return [who.user_id if who.name == "unknown" and who.user_id else case.new_id()]
    alone = table == DEPOSITS and frozenset({"user_id"}) in case.bench.catalogue.tables[f"public.{table}"].unique
    own = who.user_id and who.user_id != owner and who.role and table in OWNER and not alone
    return [owner, who.user_id] if own and who.user_id else [owner]


def _inserts(case: RunningCase, table: str, who: Caller, owner: str, change: Row) -> bool:
    """Try to make a row in each name, also when one has been made."""
    made = [_insert(case, table, who, whose, change) for whose in _names(case, table, who, owner)]
    return any(made)


def _insert(case: RunningCase, table: str, who: Caller, whose: str, change: Row) -> bool:
    """Take a valid row out again, and let somebody make it."""
    with _row(case, table, whose) as value:
        row = {**(_stands(case, table, value) or {}), **change}
        _delete(case, table, value)
        for column in case.bench.catalogue.tables[f"public.{table}"].columns.values():
            if column.generated or (column.name == "id" and column.type != "uuid"):
                row.pop(column.name, None)
        case.read(Request("POST", f"/{table}", who, body=row))
        return _stands(case, table, value) is not None


def _update(case: RunningCase, table: str, who: Caller, path: str, value: str, change: Row) -> bool:
    """Try to change a row, and to make it one's own."""
    took_effect = False
    wanted = [change]
    if who.role and who.user_id and who.name != "member" and table in (DEPOSITS, BOOKINGS):
        wanted.append({"user_id": who.user_id})
    for one in wanted:
        case.read(Request("PATCH", path, who, body=one))
        stands = _stands(case, table, value) or {}
        took_effect |= all(stands.get(column) == told for column, told in one.items())
    return took_effect


@contextmanager
def _owner(case: RunningCase) -> Iterator[str]:
    """Make a member whose rows are tried, and remove all that is theirs afterwards; a user who is given stays."""
    if case.bench.users_given is not None:
        yield case.people["member"].user_id or ""
        return
    owner, bench = case.new_id(), case.bench
    try:
        rows.insert(bench.connection, bench.catalogue, [_profile(case, owner)])
        yield owner
    finally:
        rows.remove_case(bench.connection, bench.catalogue, [owner], [])


@contextmanager
def _row(case: RunningCase, table: str, owner: str) -> Iterator[str]:
    """Make a row of somebody's and give what it is found by; whatever has become of it is removed."""
    bench = case.bench
    new = owner if table == PROFILES else case.new_id()
    made: list[tuple[str, Row]] = []
    try:
        if table in (SLOTS, OCCUPANCY):
            rows.insert_slot(bench.connection, bench.catalogue, new, case.starts["class"] + timedelta(hours=1), 4)
        elif table == PROFILES:
            made = [] if _stands(case, table, owner) else [_profile(case, owner)]
        elif table == DEPOSITS:
            made = [_deposit(case, new, owner)]
        elif table == BOOKINGS:
            made = _booking(case, new, owner)
        else:
            made = [(table, _record(table, new, owner, case.slot("class"), case.now))]
        if made:
            rows.insert(bench.connection, bench.catalogue, made)
        yield new
    finally:
        _delete(case, table, new)
        for name, row in made:
            if name != table:
                _delete(case, name, str(row["id"]))
        if table in (PROFILES, SLOTS, OCCUPANCY):  # with the parents that their rows asked for
            rows.remove_case(bench.connection, bench.catalogue, [new], [new])


def _profile(case: RunningCase, owner: str) -> tuple[str, Row]:
    return rows.user(owner, case.bench.contract.role("user"), "Acceptance owner")


def _deposit(case: RunningCase, new: str, owner: str) -> tuple[str, Row]:
    return DEPOSITS, {
        "id": new,
        "user_id": owner,
        "deposit_remaining": 3,
        "classes_credited": 99,
        "is_active": True,
        "credited_at": case.now,
        "expires_at": case.now + timedelta(days=30),
    }


def _booking(case: RunningCase, new: str, owner: str) -> list[tuple[str, Row]]:
    """Make a booking of the class, paid from a deposit of its owner's."""
    with case.bench.connection.cursor() as cursor:
        cursor.execute("select id::text from public.pilates_deposits where user_id = %s limit 1", (owner,))
        found = cursor.fetchone()
    deposit = found[0] if found else case.new_id()
    booking = {
        "id": new,
        "user_id": owner,
        "slot_id": case.slot("class"),
        "deposit_id": deposit,
        "status": case.bench.contract.status(Status.CONFIRMED),
    }
    return [*([] if found else [_deposit(case, deposit, owner)]), (BOOKINGS, booking)]


def _record(table: str, new: str, owner: str, slot: str, now: datetime) -> Row:
    """Make a row of a table that the studio writes for itself."""
    if table == KEYS:
        return {"caller": owner, "operation": "book", "key": new, "arguments": "{}"}
    row = {"trace_id": new, "user_id": owner, "booking_id": new, "slot_id": slot}
    if table == OUTBOX:  # told already: nothing comes into a calendar
        return {**row, "event": "booked", "delivered_at": now}
    return {**row, "operation": "book", "caller": owner, "caller_role": "user", "before": "{}", "after": "{}"}


def _in_their_words(case: RunningCase, change: Mapping[str, Any]) -> Row:
    """Say a status and a role in the target's words."""
    contract = case.bench.contract
    words = dict(change)
    if "status" in words:
        words["status"] = contract.status(words["status"])
    if "role" in words and not contract.reference:
        words["role"] = contract.roles.get(words["role"], words["role"])
    return words


def _stands(case: RunningCase, table: str, value: str) -> Row | None:
    """Read a row as it stands in the database."""
    statement = sql.SQL("select to_jsonb(t) from public.{} t where {} = %s").format(
        sql.Identifier(table), sql.Identifier(KEY.get(table, "id"))
    )
    with case.bench.connection.cursor() as cursor:
        cursor.execute(statement, (value,))
        found = cursor.fetchone()
    return found[0] if found else None


def _delete_dependents(case: RunningCase, table: str, value: str) -> None:
    """Remove the rows that refer to a profile: those that each member of the target has, made along with it."""
    if table == PROFILES:
        for name, reference in case.bench.catalogue.of_members.items():
            statement = sql.SQL("delete from {} where {} = %s").format(
                sql.Identifier(*name.split(".")), sql.Identifier(reference.column)
            )
            with case.bench.connection.cursor() as cursor:
                cursor.execute(statement, (value,))


def _delete(case: RunningCase, table: str, value: str) -> None:
    """Remove a row with what was made along with it; of a view, the class that it shows."""
    _delete_dependents(case, table, value)
    name, key = (SLOTS, "id") if table == OCCUPANCY else (table, KEY.get(table, "id"))
    statement = sql.SQL("delete from public.{} where {} = %s").format(sql.Identifier(name), sql.Identifier(key))
    with case.bench.connection.cursor() as cursor:
        cursor.execute(statement, (value,))
