"""Finds the column of a deposit that keeps how many classes were paid for, whatever a target calls it.

Only with it can be told from rows alone whether a class is lost: paid for = left + booked or attended.
"""

from __future__ import annotations

import re

from acceptance.catalogue import PUBLIC, Catalogue
from acceptance.environment import FILE, Environment
from acceptance.errors import SuiteError

TABLE = f"{PUBLIC}pilates_deposits"
OURS = "classes_credited"
LEFT = "deposit_remaining"
WHOLE_NUMBERS = ("integer", "smallint", "bigint")
# The most telling names first; of money, time or what is used up none of them may speak.
NAMES = tuple(
    re.compile(rf"(^|_)({words})(_|$)")
    for words in ("credited", "purchased|bought", "initial|original|starting", "total|granted")
)
OF_SOMETHING_ELSE = re.compile(
    r"price|cost|cents|amount_paid|fee|currency|used|booked|remain|left|days|weeks|months|_id$"
)
REMEDY = "say in data/environments.yaml which column of pilates_deposits keeps it: credited: COLUMN"


def find(environment: Environment, catalogue: Catalogue) -> tuple[str, str]:
    """Find the column.

    Args:
        environment: may name it.
        catalogue: the target's tables.

    Returns:
        Its name, empty where it is not known, and what was found, in words.

    Raises:
        SuiteError: when the environment names one that is not there, or no number.
    """
    columns = {c.name: c for c in catalogue.tables[TABLE].columns.values() if c.type in WHOLE_NUMBERS}
    named = environment.wording.credited
    if named:
        if named not in columns:
            raise SuiteError(
                f"{FILE}: {environment.name}.credited: pilates_deposits has no column {named} of whole numbers."
            )
        return named, _told(named)
    for pattern in NAMES:
        fits = [
            name
            for name, column in columns.items()
            if pattern.search(name) and not OF_SOMETHING_ELSE.search(name) and not column.generated and name != LEFT
        ]
        if OURS in fits or len(fits) == 1:
            found = OURS if OURS in fits else fits[0]
            return found, _told(found)
        if fits:
            return "", f"classes paid for: not proven: {' and '.join(sorted(fits))} may say it; see `credited`"
    return "", "classes paid for: not proven: no column of pilates_deposits keeps how many they were; see `credited`"


def _told(column: str) -> str:
    return f"classes paid for: pilates_deposits.{column}"
