"""What the database holds for one case, read in one statement and so at one instant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary
from zlib import crc32

import orjson
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - as above

from acceptance.catalogue import Catalogue
from acceptance.contract import Contract

# The seed's checks read these rows; RLS does not apply to the suite's own connection.
QUERY = """
with of_users as (select unnest($1) as id), of_slots as (select unnest($2) as id)
select json_build_object(
  'at', clock_timestamp(),
  'users', (select coalesce(json_agg(json_build_object('user_id', u.user_id, 'role', {role}) order by u.user_id), '[]')
            from public.user_profiles u where u.user_id in (select id from of_users)),
  'deposits', (select coalesce(json_agg(d order by d.id), '[]')
               from public.pilates_deposits d where d.user_id in (select id from of_users)),
  'bookings', (select coalesce(json_agg(b order by {made}b.id), '[]')
               from public.pilates_bookings b
               where b.user_id in (select id from of_users) or b.slot_id in (select id from of_slots)),
  'slots', (select coalesce(json_agg(s order by s.id), '[]')
            from public.pilates_schedule_slots s where s.id in (select id from of_slots)),
  'occupancy', {occupancy},
  'audit', {audit},
  'outbox', {outbox}
)::text
"""
# Where a target shows how many bookings a class has: the contract's view, a column of the class, or nowhere.
OCCUPANCY = {
    "view": """(select coalesce(json_agg(o order by o.slot_id), '[]')
                from public.pilates_slots_with_occupancy o where o.slot_id in (select id from of_slots))""",
    "counter": """(select coalesce(json_agg(json_build_object('slot_id', s.id, 'booked_count', s."{counter}",
                          'max_capacity', s.max_capacity) order by s.id), '[]')
                   from public.pilates_schedule_slots s where s.id in (select id from of_slots))""",
    "": "null",
}
AUDIT = """(select coalesce(json_agg(a order by a.id), '[]')
            from public.pilates_audit_log a where a.trace_id = $3)"""
OUTBOX = """(select coalesce(json_agg(x order by x.id), '[]')
            from public.pilates_calendar_outbox x where x.user_id in (select id from of_users))"""


@dataclass(frozen=True)
class Snapshot:
    """The rows of a case as plain dictionaries, as the database writes them to JSON."""

    at: str
    users: list[dict[str, Any]]
    deposits: list[dict[str, Any]]
    bookings: list[dict[str, Any]]
    slots: list[dict[str, Any]]
    occupancy: list[dict[str, Any]] | None
    audit: list[dict[str, Any]] | None = None
    outbox: list[dict[str, Any]] | None = None

    def booking(self, booking_id: str) -> dict[str, Any] | None:
        """Return the booking row of that id, or None."""
        return next((row for row in self.bookings if row["id"] == booking_id), None)

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Return everything that a refused call must leave alone.

        ``is_active`` of a deposit past its expiry is left out: the studio's own expiry run may switch it off at
        any time, also while this case runs.
        """
        deposits = [
            {k: v for k, v in d.items() if not (k == "is_active" and d.get("expires_at") and d["expires_at"] < self.at)}
            for d in self.deposits
        ]
        occupancy = self.occupancy or []
        return {"deposits": deposits, "bookings": self.bookings, "slots": self.slots, "occupancy": occupancy}


def take(
    connection: Connection,
    catalogue: Catalogue,
    users: Iterable[str],
    slots: Iterable[str],
    trace_id: str,
    contract: Contract | None = None,
) -> Snapshot:
    """Read all rows of a case.

    Args:
        connection: a role that sees every row.
        catalogue: says whether the target has an audit log and an outbox; what it lacks stays None.
        users: the ids of the case's members and staff.
        slots: the ids of its classes.
        trace_id: whose audit entries to read.
        contract: how the target keeps things; None: as our studio does.
    """
    contract = contract or Contract()
    with connection.cursor() as cursor:
        parts = {
            "{audit}": AUDIT if contract.audit and "pilates_audit_log" in catalogue else "null",
            "{outbox}": OUTBOX if contract.outbox and "pilates_calendar_outbox" in catalogue else "null",
            "{occupancy}": OCCUPANCY[contract.occupancy].replace("{counter}", contract.counter),
            "{role}": "u.role" if "role" in catalogue["user_profiles"] else "null",
            "{made}": "b.created_at, " if "created_at" in catalogue["pilates_bookings"] else "",
        }
        query = QUERY
        for place, words in parts.items():
            query = query.replace(place, words)
        found = orjson.loads(_prepared(cursor, query, (list(users), list(slots), trace_id)))
    found["bookings"] = contract.in_our_words("pilates_bookings", found["bookings"])
    return Snapshot(**found)


# What each session has prepared, as long as there is the session.
_PREPARED: WeakKeyDictionary[Connection, set[str]] = WeakKeyDictionary()


def _prepared(cursor: Cursor, query: str, values: tuple[list[str], list[str], str]) -> str:
    """Run a query that the session plans only once: planning it takes longer than running it."""
    name = f"snapshot_{crc32(query.encode()):08x}"
    known = _PREPARED.setdefault(cursor.connection, set())
    if name not in known:
        cursor.execute(f"prepare {name} (uuid[], uuid[], text) as {query}")
        known.add(name)
    cursor.execute(f"execute {name} (%s::uuid[], %s::uuid[], %s)", values)
    [(found,)] = cursor.fetchall()
    text: str = found
    return text
