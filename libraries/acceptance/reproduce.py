#!/usr/bin/env python3
"""Makes one failure happen again, with nothing but requests and psycopg2, and says what is wrong afterwards.

It reads reproduce.json beside it and three environment variables:

    PILATES_API_URL        for example http://127.0.0.1:3000
    PILATES_DATABASE_URL   a role that may write and sees every row
    PILATES_JWT_SECRET     signs the callers' tokens (HS256)

It tries up to twenty times, since a race is not lost each time. Exit code 1: it happened again. 0: it did not.
2: it could not be tried.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import sys
import threading
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg2
import requests
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the class is spelt in lower case

TRIES = 20
# These tries had no effect; every other one is made again, a request "delivered twice" before its own answer.
NEVER_REACHED_THE_SERVER = ("request lost", *(f"{status} before the server" for status in (500, 502, 503, 504)))


def token(secret: str, user_id: str | None) -> str:
    """Sign a token for a member or staff (RFC 7519, HS256)."""

    def part(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    now = int(time.time())
    claims = {"role": "authenticated", "aud": "authenticated", "sub": user_id, "iat": now, "exp": now + 3600}
    if user_id is None:  # the studio itself, changing its schedule
        claims = {"role": "service_role", "iat": now, "exp": now + 3600}
    signed = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
    return (signed + b"." + part(hmac.new(secret.encode(), signed, hashlib.sha256).digest())).decode()


def renamed(value: Any, ids: dict[str, str]) -> Any:
    """Replace the recorded ids by this run's own, at any depth."""
    if isinstance(value, dict):
        return {key: renamed(item, ids) for key, item in value.items()}
    if isinstance(value, str):
        return re.sub(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", lambda found: ids.get(found[0], found[0]), value)
    return value


def insert(cursor: Cursor, table: str, row: dict[str, Any]) -> None:
    """Insert one row, leaving out columns that the table does not have; times count in seconds from now."""
    cursor.execute("select column_name from information_schema.columns where table_name = %s", (table,))
    there = {name for (name,) in cursor.fetchall()}
    row = {key: value for key, value in row.items() if key in there}
    cursor.execute("select now()")
    [(now,)] = cursor.fetchall()
    values = [now + timedelta(seconds=v["seconds"]) if isinstance(v, dict) else v for v in row.values()]
    places = ", ".join(["%s"] * len(row))
    cursor.execute(f"insert into {table} ({', '.join(row)}) values ({places})", values)


def set_slot(cursor: Cursor, slot: dict[str, Any], record: dict[str, Any]) -> None:
    """Make a class, or change it, so that it starts as far from now as it did in the recorded case."""
    cursor.execute("select (now() + %s * interval '1 second') at time zone %s", (slot["starts_in"], record["zone"]))
    [(start,)] = cursor.fetchall()
    end = max(start.time(), (start + timedelta(minutes=55)).time())
    cursor.execute(
        "insert into pilates_schedule_slots (id, date, start_time, end_time, max_capacity, is_active)"
        " values (%s, %s, %s, %s, %s, %s) on conflict (id) do update set date = excluded.date,"
        " start_time = excluded.start_time, end_time = excluded.end_time, max_capacity = excluded.max_capacity,"
        " is_active = excluded.is_active",
        (slot["id"], start.date(), start.time(), end, slot["capacity"], slot["active"]),
    )


def call(
    url: str,
    secret: str,
    one: dict[str, Any],
    ids: dict[str, str],
    learned: dict[str, str],
    together: threading.Barrier,
) -> None:
    """Make one call as often as it reached the server in the recorded case, and learn the id it gives out."""
    headers = {"Authorization": f"Bearer {token(secret, ids.get(one['sub'], one['sub']))}"}
    headers["Idempotency-Key"] = ids.setdefault(one["key"], str(uuid.uuid4()))
    session = requests.Session()
    session.get(url, timeout=60)  # connect before the release
    together.wait()
    time.sleep(one["delay"])
    for attempt in one["attempts"]:
        if attempt not in NEVER_REACHED_THE_SERVER:
            answer = session.request(
                one["method"],
                url + renamed(one["path"], ids),
                json=renamed(one["body"], ids),
                headers=headers,
                timeout=60,
            )
            print(f"  {one['actor']}: {one['path']}: {answer.status_code} {answer.text}")
            if answer.ok and one["booking"] and isinstance(answer.json(), dict):
                learned[one["booking"]] = answer.json()["booking_id"]


def judge(cursor: Cursor, url: str, secret: str, record: dict[str, Any], ids: dict[str, str]) -> list[str]:
    """Say what is wrong with the rows now."""
    wrong = []
    for member in record["members"]:
        user_id = ids[member["id"]]
        cursor.execute(
            "select coalesce(sum(deposit_remaining), 0) from pilates_deposits where user_id = %s", (user_id,)
        )
        [(left,)] = cursor.fetchall()
        cursor.execute(
            "select count(*), count(*) filter (where status = 'confirmed'),"
            " count(distinct slot_id) filter (where status = 'confirmed')"
            " from pilates_bookings where user_id = %s and status <> 'cancelled'",
            (user_id,),
        )
        [(booked, confirmed, slots)] = cursor.fetchall()
        if left + booked != member["paid"]:
            wrong.append(f"{member['name']} paid for {member['paid']}: {left} left, {booked} booked or attended")
        if confirmed != slots:
            wrong.append(f"{member['name']} has {confirmed} bookings of {slots} classes")
        headers = {"Authorization": f"Bearer {token(secret, user_id)}"}
        seen = requests.get(
            f"{url}/pilates_bookings?user_id=eq.{user_id}&status=neq.cancelled", headers=headers, timeout=60
        )
        if not seen.ok or len(seen.json()) != booked:
            wrong.append(f"{member['name']} has {booked} bookings and is shown {seen.text}")
    for slot in record["slots"]:
        cursor.execute(
            "select count(*) from pilates_bookings where slot_id = %s and status = 'confirmed'", (ids[slot["id"]],)
        )
        [(count,)] = cursor.fetchall()
        cursor.execute("select booked_count from pilates_slots_with_occupancy where slot_id = %s", (ids[slot["id"]],))
        shown = cursor.fetchone()
        if count > slot["peak"]:
            wrong.append(f"a class of {slot['peak']} places has {count} bookings")
        if shown != (count,):
            wrong.append(f"a class with {count} bookings shows {shown}")
    return wrong


def remove(cursor: Cursor, ids: dict[str, str]) -> None:
    """Remove the rows of this run."""
    own = list(ids.values())
    for table, column in (
        ("pilates_calendar_outbox", "user_id"),
        ("pilates_audit_log", "user_id"),
        ("idempotency_keys", "caller"),
        ("pilates_bookings", "user_id"),
        ("pilates_deposits", "user_id"),
        ("user_profiles", "user_id"),
        ("pilates_schedule_slots", "id"),
    ):
        cursor.execute("select to_regclass(%s)", (f"public.{table}",))
        [(there,)] = cursor.fetchall()
        if there:
            cursor.execute(f"delete from {table} where {column} = any(%s::uuid[])", (own,))


def main() -> int:
    """Run the recorded case once."""
    try:
        url, secret = os.environ["PILATES_API_URL"], os.environ["PILATES_JWT_SECRET"]
        connection = psycopg2.connect(os.environ["PILATES_DATABASE_URL"])
    except (KeyError, psycopg2.OperationalError) as error:
        print(f"cannot be tried: {error}\n{__doc__}")
        return 2
    connection.autocommit = True
    cursor = connection.cursor()
    record = json.loads((Path(__file__).parent / "reproduce.json").read_text())
    print(record["name"])
    for number in range(1, TRIES + 1):
        print(f"try {number}")
        wrong = attempt_once(cursor, url, secret, record)
        if wrong:
            print("\n".join(wrong))
            return 1
    print(f"nothing was wrong in {TRIES} tries")
    return 0


def attempt_once(cursor: Cursor, url: str, secret: str, record: dict[str, Any]) -> list[str]:
    """Make the rows, make the calls, say what is wrong, and remove the rows."""
    ids = {old: record["prefix"] + str(uuid.uuid4())[8:] for old in record["ids"]}
    try:
        for event in renamed(record["events"], {}):
            if "insert" in event:
                insert(cursor, event["insert"], renamed(event["row"], ids))
            elif "slot" in event:
                set_slot(cursor, renamed(event["slot"], ids), record)
            elif "end" in event:
                change = "expires_at = now() - interval '1 second'" if event["expire"] else "is_active = false"
                cursor.execute(f"update pilates_deposits set {change} where id = %s", (ids[event["end"]],))
            elif "expire" in event:
                cursor.execute(
                    "update pilates_deposits set expires_at = now() - interval '1 second' where user_id = %s",
                    (ids[event["expire"]],),
                )
            else:
                learned: dict[str, str] = {}
                together = threading.Barrier(len(event["calls"]))
                threads = [
                    threading.Thread(target=call, args=(url, secret, one, ids, learned, together))
                    for one in event["calls"]
                ]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                ids.update(learned)
        return judge(cursor, url, secret, record, ids)
    finally:
        remove(cursor, ids)


if __name__ == "__main__":
    sys.exit(main())
