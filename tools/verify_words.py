"""What the checks of whole databases say in braces, in a target's own words: ``{standing}``, ``{credited}``, ...

A word that a target has no counterpart for, or one that nobody could guess, leaves out the checks that use it: they are
not proven.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance.bench import understand
from acceptance.contract import STATUS_WORDS, Contract
from acceptance.environment import Environment
from acceptance.errors import SuiteError
from acceptance.model import STANDING, Status
from acceptance.paid import REMEDY
from acceptance.rows import OCCUPANCY

IN_BRACES = re.compile(r"\{(\w+)\}")
KNOWN = ("confirmed", "cancelled", "completed", "no_show", "standing", "occupancy", "credited")
OF_STATUSES = KNOWN[:5]
STATUSES = "select status::text, count(*) from public.pilates_bookings group by status order by status"


@dataclass
class Words:
    """What is said for each word in braces, and of those with none what the target lacks.

    ``told`` are sentences on what was guessed, ``order`` is by what the newest of a member's deposits is chosen.
    """

    said: dict[str, str] = field(default_factory=dict)
    lacks: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)

    def missing(self, sql: str) -> list[str]:
        """List what the target lacks of the words that a check uses."""
        used = dict.fromkeys(IN_BRACES.findall(sql))
        return list(dict.fromkeys(self.lacks[word] for word in used if word in self.lacks))

    def fill(self, sql: str) -> str:
        """Put the words into a check that misses none."""
        return IN_BRACES.sub(lambda found: self.said[found[1]], sql)


def check(place: object, sql: str) -> None:
    """Look whether a check uses only words that there are.

    Raises:
        SuiteError: names the file, the word and those that are known.
    """
    for word in IN_BRACES.findall(sql):
        if word not in KNOWN:
            raise SuiteError(f"{place}: {{{word}}} is no word of the checks; known: {', '.join(KNOWN)}.")


def words_of(connection: Connection, environment: Environment | None, there: Collection[str]) -> Words:
    """Look what a target calls what the checks speak of.

    Args:
        connection: within the transaction of the checks.
        environment: the target's; None for our own studio.
        there: its columns, as table.column.

    Raises:
        SuiteError: when it lacks a table of the contract, or the environment names what is not there.
    """
    words = Words()
    foreign = environment is not None and environment.foreign
    contract = understand(connection, environment)[1] if environment is not None and foreign else Contract()
    labels = {status: [contract.status(status)] for status in Status}
    others: Mapping[str, str] = {}
    if environment is not None and foreign:
        others = environment.wording.other_statuses
        with connection.cursor() as cursor:
            cursor.execute(STATUSES)
            found = dict(cursor.fetchall())
        _learn_statuses(words, contract, labels, others, found)
    for status, theirs in labels.items():
        words.said[status] = _listed(theirs)
    paid = [word for word, meaning in others.items() if meaning == "paid"]
    words.said["standing"] = _listed([*(word for status in sorted(STANDING) for word in labels[status]), *paid])
    _learn_columns(words, connection, contract, there)
    words.order = [f"{column} desc" for column in ("is_active", "credited_at") if f"pilates_deposits.{column}" in there]
    return words


def _learn_statuses(
    words: Words,
    contract: Contract,
    labels: dict[Status, list[str]],
    others: Mapping[str, str],
    found: Mapping[str | None, int],
) -> None:
    """Find a meaning for every status that the bookings have; one without leaves out what asks for statuses."""
    known = {word for theirs in labels.values() for word in theirs} | others.keys()
    for status, theirs in labels.items():
        if status in contract.statuses or theirs[0] in found:
            continue
        guess = next((word for word in STATUS_WORDS[status] if word in found and word not in known), None)
        if guess is not None:
            labels[status] = [guess]
            known.add(guess)
            words.told.append(f"the status {guess} is taken for {status}")
    unknown = {word: count for word, count in found.items() if word not in known}
    if unknown:
        named = " and ".join(f"{'none' if word is None else word} (of {count})" for word, count in unknown.items())
        lack = f"a meaning for the status {named} of bookings: say it in `statuses` or `other_statuses`"
        words.lacks |= dict.fromkeys(OF_STATUSES, f"{lack} of data/environments.yaml")


def _look_for_gaps(words: Words, connection: Connection, credited: str) -> None:
    """Leave out what adds up classes where a deposit does not say how many: nothing follows from an empty column."""
    with connection.cursor() as cursor:
        query = 'select count(*) from public.pilates_deposits where "{}" is null or deposit_remaining is null'
        cursor.execute(query.format(credited))
        [(empty,)] = cursor.fetchall()
    if empty:
        words.lacks["credited"] = f"a number in {credited} or deposit_remaining of {empty} deposits"


def _learn_columns(words: Words, connection: Connection, contract: Contract, there: Collection[str]) -> None:
    if contract.occupancy == "view" and f"{OCCUPANCY}.booked_count" in there:
        words.said["occupancy"] = f"public.{OCCUPANCY}"
    elif contract.occupancy == "counter":
        words.said["occupancy"] = (
            f'(select id as slot_id, "{contract.counter}" as booked_count from public.pilates_schedule_slots)'
        )
        words.told.append(f"what a class shows is pilates_schedule_slots.{contract.counter}")
    else:
        words.lacks["occupancy"] = f"the view {OCCUPANCY}, or a column that counts a class's bookings (`counter`)"
    if contract.credited and f"pilates_deposits.{contract.credited}" in there:
        words.said["credited"] = f'"{contract.credited}"'
        if not contract.reference:
            _look_for_gaps(words, connection, contract.credited)
            words.told.append(f"paid for is pilates_deposits.{contract.credited}")
    else:
        words.lacks["credited"] = f"a column with the number of classes that were paid for ({REMEDY})"


def _listed(words: Iterable[str]) -> str:
    """Write words as a list of SQL."""
    return "(" + ", ".join("'" + word.replace("'", "''") + "'" for word in words) + ")"
