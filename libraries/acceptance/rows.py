"""Makes and removes the rows of a case: members, deposits, classes, places taken by others.

Every id the suite makes begins with ``PREFIX`` and the run's own four digits, so that its rows can be told from
everybody else's, also after a crash.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance import filling
from acceptance.catalogue import PUBLIC, Catalogue, read_tables
from acceptance.errors import SuiteError
from acceptance.times import LENGTH

Row = dict[str, Any]
PREFIX = "acce97ab"
EMAIL_DOMAIN = "acceptance.example.test"
TRIES = 20
MICROSECONDS_OF_A_MINUTE = 60_000_000
CONTRACT = ("user_profiles", "pilates_schedule_slots", "pilates_deposits", "pilates_bookings")
OCCUPANCY = "pilates_slots_with_occupancy"

NEEDED = {
    "user_profiles": {"user_id"},
    "pilates_schedule_slots": {"id", "date", "start_time", "max_capacity"},
    "pilates_deposits": {"id", "user_id", "deposit_remaining"},
    "pilates_bookings": {"id", "user_id", "slot_id", "status"},
}

IDS = frozenset({"id", "user_id", "slot_id"})

# The optional tables and the columns by which their rows belong to a case, most telling first.
SIDE_TABLES = {
    "pilates_calendar_outbox": ("booking_id", "user_id"),
    "pilates_audit_log": ("user_id", "booking_id"),
    "idempotency_keys": ("caller", "user_id"),
}


def read_catalogue(connection: Connection) -> Catalogue:
    """Read which tables and views of the contract there are, with their columns.

    Raises:
        SuiteError: when a table the suite cannot do without is missing.
    """
    wanted = (*CONTRACT, OCCUPANCY, *SIDE_TABLES)
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_name::text, array_agg(column_name::text) from information_schema.columns"
            " where table_schema = 'public' and table_name = any(%s) group by table_name",
            (list(wanted),),
        )
        named = {name: set(columns) for name, columns in cursor.fetchall()}
        catalogue = Catalogue(dict(named), read_tables(connection))
    missing = [name for name in CONTRACT if name not in catalogue]
    if missing:
        raise SuiteError(f"the database lacks {', '.join(missing)} in schema public; the suite cannot test without.")
    for table, columns in NEEDED.items():
        if lacking := sorted(columns - catalogue[table]):
            words = f"the table {table} lacks the columns {', '.join(lacking)}; the suite cannot test without."
            raise SuiteError(words)
        kinds = {column: catalogue.tables[f"{PUBLIC}{table}"].columns[column].type for column in columns & IDS}
        if other := sorted(f"{column} ({kind})" for column, kind in kinds.items() if kind != "uuid"):
            words = f"the table {table} has the columns {', '.join(other)}; the suite makes ids of the type uuid only."
            raise SuiteError(words)
    catalogue.contract = CONTRACT
    catalogue.own = frozenset(f"{PUBLIC}{name}" for name in (*CONTRACT, *SIDE_TABLES))
    return catalogue


def row_id(run: str, *parts: object) -> str:
    """Derive the id of a row: the same run and parts give the same UUID (version 8, RFC 9562).

    Args:
        run: the run's own four hexadecimal digits.
        parts: what the row is, for example the case, "member" and 1.
    """
    digest = hashlib.sha256("/".join(map(str, (run, *parts))).encode()).hexdigest()
    return str(uuid.UUID(f"{PREFIX}{run}8{digest[:3]}8{digest[3:18]}"))


def user(user_id: str, role: str, name: str) -> tuple[str, dict[str, Any]]:
    """Make the row of a member or of staff."""
    email = f"acceptance+{user_id}@{EMAIL_DOMAIN}"
    return "user_profiles", {"user_id": user_id, "email": email, "role": role, "full_name": name}


def slot(slot_id: str, start: datetime, capacity: int, attempt: int = 0) -> tuple[str, dict[str, Any]]:
    """Make the row of a class that starts within the minute from ``start``; each attempt at another microsecond."""
    exact = start + timedelta(microseconds=_spread(slot_id, attempt))
    row = {"id": slot_id, **_slot_times(exact), "max_capacity": capacity, "is_active": True}
    return "pilates_schedule_slots", row


def deposit(
    deposit_id: str,
    user_id: str,
    credited: int,
    remaining: int,
    *,
    begins: datetime,
    ends: datetime | None,
    active: bool = True,
) -> tuple[str, Row]:
    """Make the row of a deposit, credited at ``begins`` and expiring at ``ends``, where it does."""
    row = {"id": deposit_id, "user_id": user_id, "deposit_remaining": remaining, "classes_credited": credited}
    return "pilates_deposits", {**row, "is_active": active, "credited_at": begins, "expires_at": ends}


def booking(booking_id: str, user_id: str, slot_id: str, deposit_id: str, status: str) -> tuple[str, Row]:
    """Make the row of a booking; the status in the target's own word."""
    row = {"id": booking_id, "user_id": user_id, "slot_id": slot_id, "deposit_id": deposit_id}
    return "pilates_bookings", {**row, "status": status}


def insert(connection: Connection, catalogue: Catalogue, made: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Insert rows in the order given, in one round trip and one transaction.

    Args:
        connection: in autocommit.
        catalogue: columns that this target does not have are left out, and what it asks for besides is made up.
        made: pairs of a table and a row.

    Raises:
        SuiteError: when the target turns a row away; names the table and how to say what it wants.
    """
    statements: list[str] = []
    values: list[Any] = []
    for table, row, shared in filling.complete(catalogue, made):
        names = ", ".join(f'"{column}"' for column in row)
        places = ", ".join(["%s"] * len(row))
        statement = f"insert into {table} ({names}) values ({places})"
        if shared:
            statement += " on conflict do nothing"
        elif table == filling.PROFILES and {"user_id"} in catalogue.tables[table].unique and catalogue.of_others:
            # A trigger on the sign-ups, as many projects have one, may have made the profile already.
            news = ", ".join(f'"{column}" = excluded."{column}"' for column in row)
            statement += f" on conflict (user_id) do update set {news}"
        statements.append(statement)
        values += row.values()
    with connection.cursor() as cursor:
        try:
            cursor.execute(";\n".join(statements), values)
        except psycopg2.errors.UniqueViolation:
            raise
        except (psycopg2.errors.IntegrityError, psycopg2.errors.DataError, psycopg2.errors.RaiseException) as error:
            tables = [error.diag.table_name] if error.diag.table_name else dict.fromkeys(table for table, _ in made)
            words = f"the suite cannot make a row of {' or '.join(tables)}: {error.diag.message_primary}"
            help_with = "say what its columns get in data/environments.yaml: values: {table: {column: value}}"
            raise SuiteError(f"{words}; {help_with}.") from error


def insert_slot(connection: Connection, catalogue: Catalogue, slot_id: str, start: datetime, capacity: int) -> datetime:
    """Insert a class that starts within the minute from ``start``, and return its exact start.

    Date and start time are unique among all classes; the microseconds keep parallel cases apart.

    Raises:
        SuiteError: when every try met a class that is there already.
    """
    for attempt in range(TRIES):
        try:
            insert(connection, catalogue, [slot(slot_id, start, capacity, attempt)])
        except psycopg2.errors.UniqueViolation:
            continue
        return start + timedelta(microseconds=_spread(slot_id, attempt))
    raise SuiteError(f"no free start time was found near {start} in {TRIES} tries.")


def move_slot(connection: Connection, catalogue: Catalogue, slot_id: str, start: datetime) -> datetime:
    """Give a class of the case another start, and return it exactly."""
    exact = start + timedelta(microseconds=_spread(slot_id, TRIES))
    there = catalogue["pilates_schedule_slots"]
    update_slot(connection, slot_id, **{key: value for key, value in _slot_times(exact).items() if key in there})
    return exact


def update_slot(connection: Connection, slot_id: str, **values: Any) -> None:
    """Change columns of a class of the case, as a manager would in the studio's own screens."""
    settings = ", ".join(f"{column} = %s" for column in values)
    with connection.cursor() as cursor:
        cursor.execute(
            f"update public.pilates_schedule_slots set {settings} where id = %s",
            (*values.values(), slot_id),
        )


def count_places(connection: Connection, counter: str, standing: str, slots: Sequence[str]) -> None:
    """Set the column of classes that counts their bookings to what it must be, where it is not.

    Args:
        connection: in autocommit.
        counter: the column.
        standing: the target's word for a booking that stands.
        slots: the ids of the classes.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f'update public.pilates_schedule_slots s set "{counter}" = n from ('
            " select c.id, (select count(*) from public.pilates_bookings b"
            " where b.slot_id = c.id and b.status::text = %s) as n"
            " from public.pilates_schedule_slots c where c.id = any(%s::uuid[])) as counted"
            f' where counted.id = s.id and s."{counter}" <> n',
            (standing, list(slots)),
        )


def read_parents_given(connection: Connection, catalogue: Catalogue) -> None:
    """Read which rows the users that an environment gives have in tables that bookings or deposits refer to."""
    with connection.cursor() as cursor:
        for name, reference in catalogue.of_members.items():
            table = catalogue.tables[name]
            if len(table.key) == 1:
                cursor.execute(
                    f'select "{reference.column}"::text, "{table.key[0]}" from {name}'
                    f' where "{reference.column}" = any(%s::uuid[])',
                    (list(catalogue.users_given),),
                )
                catalogue.parents_given |= {(name, user_id): key for user_id, key in cursor.fetchall()}


def remove_case(
    connection: Connection,
    catalogue: Catalogue,
    users: Iterable[str],
    slots: Iterable[str],
    keys: Iterable[str | None] = (),
) -> None:
    """Remove every row of a case in one round trip; of users who are not the suite's only what the case gave them.

    Args:
        connection: a role that may delete.
        catalogue: what there is.
        users: the ids of those who acted.
        slots: the ids of the case's classes.
        keys: the idempotency keys that it has sent.
    """
    users, slots = list(users), list(slots)
    given = list(catalogue.users_given)  # the staff among them too, who have sent keys
    users = [user_id for user_id in users if user_id not in catalogue.users_given]
    anchors = [*users, *slots]
    if given:
        _forget_keys(connection, catalogue, given, list(keys))
        anchors += _deposits_of(connection, given)
    if catalogue.of_others or given:
        ids = [*anchors, *filling.parents_ids(catalogue, anchors)]
        values = {"ids": ids, "numbers": list(filling.parents_numbers(catalogue, anchors))}
        _execute(connection, _statements(catalogue, "= any(%(ids)s::uuid[])"), values)
    else:
        _remove(connection, catalogue, "= any(%(users)s::uuid[])", "= any(%(slots)s::uuid[])", users, slots)


def _forget_keys(connection: Connection, catalogue: Catalogue, users: list[str], keys: Sequence[str | None]) -> None:
    if {"caller", "key"} <= catalogue.get("idempotency_keys", set()):
        statement = "delete from public.idempotency_keys where caller = any(%(users)s::uuid[]) and key = any(%(keys)s)"
        _execute(connection, [statement], {"users": users, "keys": [key for key in keys if key]})


def _deposits_of(connection: Connection, users: list[str]) -> list[str]:
    """List the deposits of users who had none before the case."""
    with connection.cursor() as cursor:
        cursor.execute("select id::text from public.pilates_deposits where user_id = any(%s::uuid[])", (users,))
        return [found for (found,) in cursor.fetchall()]


def remove_rows(connection: Connection, run: str | None = None) -> dict[str, int]:
    """Remove what runs left behind, and only that.

    Args:
        connection: a role that may delete.
        run: the four digits of one run; None means every run.

    Returns:
        The number of members and classes removed, by table.
    """
    low = f"{PREFIX}-{run or '0000'}-0000-0000-000000000000"
    high = f"{PREFIX}-{run or 'ffff'}-ffff-ffff-ffffffffffff"
    catalogue = read_catalogue(connection)
    counts = {}
    with connection.cursor() as cursor:
        for table, column in (("user_profiles", "user_id"), ("pilates_schedule_slots", "id")):
            cursor.execute(f"select count(*) from public.{table} where {column} between %s and %s", (low, high))
            [(counts[table],)] = cursor.fetchall()
        cursor.execute(
            "select user_id::text from public.user_profiles where user_id between %(low)s and %(high)s"
            " union all select id::text from public.pilates_schedule_slots where id between %(low)s and %(high)s",
            {"low": low, "high": high},
        )
        anchors = [found for (found,) in cursor.fetchall()] if catalogue.of_others else []
    between = "between %(low)s and %(high)s"
    if catalogue.of_others:
        numbers = list(filling.parents_numbers(catalogue, anchors))
        _execute(connection, _statements(catalogue, between), {"low": low, "high": high, "numbers": numbers})
    else:
        _remove(connection, catalogue, between, between, [], [], f" or id {between}", low=low, high=high)
    return counts


def _statements(catalogue: Catalogue, ours: str) -> list[str]:
    """Write the deletions for any schema: whatever has an id of ours, and whatever refers to a row that has."""
    statements = []
    for table in catalogue.children_first():
        if table.name.startswith("auth.") and table.name not in catalogue.parents_of_rows:
            continue  # Supabase's own, which follows its users by itself
        conditions = [f'"{column.name}" {ours}' for column in catalogue.ours(table)]
        number = filling.number_key(table) if table.name in catalogue.parents_of_rows else None
        if number is not None:
            conditions.append(f'"{number.name}" = any(%(numbers)s::bigint[])')
        for reference in table.foreign:
            parent = catalogue.tables.get(reference.table)
            if parent is None or parent.name == table.name:
                continue
            of_parent = [f'"{column.name}" {ours}' for column in catalogue.ours(parent)]
            if of_parent:
                rows = f'select "{reference.key}" from {parent.name} where {" or ".join(of_parent)}'
                conditions.append(f'"{reference.column}" in ({rows})')
        if conditions:
            statements.append(f"delete from {table.name} where {' or '.join(conditions)}")
    return statements


def _spread(slot_id: str, attempt: int) -> int:
    digest = hashlib.sha256(f"{slot_id}/{attempt}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % MICROSECONDS_OF_A_MINUTE


def _slot_times(start: datetime) -> dict[str, Any]:
    end = (start.replace(tzinfo=None) + LENGTH).time()
    if end <= start.time():
        end = time.max
    return {"date": start.date(), "start_time": start.time(), "end_time": end}


def _remove(
    connection: Connection,
    catalogue: Catalogue,
    of_user: str,
    of_slot: str,
    users: list[str],
    slots: list[str],
    or_deposit: str = "",
    **more: str,
) -> None:
    """Delete side tables first, then bookings, deposits, members and classes, so that no reference dangles."""
    bookings = f"select id from public.pilates_bookings where user_id {of_user} or slot_id {of_slot}"
    belongs = {"user_id": of_user, "caller": of_user, "booking_id": f"in ({bookings})"}
    statements = []
    for table, columns in SIDE_TABLES.items():
        conditions = [f"{column} {belongs[column]}" for column in columns if column in catalogue.get(table, ())]
        if conditions:
            statements.append(f"delete from public.{table} where {' or '.join(conditions)}")
    statements += [
        f"delete from public.pilates_bookings where user_id {of_user} or slot_id {of_slot}",
        # By the id those of users who are not ours: what a case that died had given them.
        f"delete from public.pilates_deposits where user_id {of_user}{or_deposit}",
        f"delete from public.user_profiles where user_id {of_user}",
        f"delete from public.pilates_schedule_slots where id {of_slot}",
    ]
    _execute(connection, statements, {"users": users, "slots": slots, **more})


def _execute(connection: Connection, statements: Sequence[str], values: dict[str, Any]) -> None:
    for last in (False,) * TRIES + (True,):
        try:
            with connection.cursor() as cursor:
                cursor.execute(";\n".join(statements), values)
            return
        except psycopg2.errors.ForeignKeyViolation:
            # A call that its caller has given up may still commit between two of the statements: then once more.
            if last:
                raise
