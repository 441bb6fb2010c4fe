"""Every fault point and action acts as planned."""

from __future__ import annotations

import time
from itertools import product

import pytest

from acceptance import instruments
from acceptance.instruments import Stop
from tools.selftest.instruments.place import LOST, Place, single

TABLES = {word: table for table, word in instruments.TABLES.items()}
VERBS = {
    "insert": "insert into public.{0} overriding system value select * from public.{0} where false",
    "update": "update public.{0} set {1} = {1} where false",
    "delete": "delete from public.{0} where false",
}
POINTS = {
    f"{word}.{verb}{'' if before else 'd' if verb.endswith('e') else 'ed'}": text.format(
        table, "trace_id" if word in ("audit", "calendar") else "id"
    )
    for (word, table), (verb, text), before in product(TABLES.items(), VERBS.items(), (True, False))
}
ACTIONS = [
    ("wait", None),
    ("raise", "40001"),
    ("raise", "40P01"),
    ("raise", "57014"),
    ("raise", "53100"),
    ("kill", None),
    ("delay", "30"),
]


@pytest.mark.parametrize(("point", "statement"), [*POINTS.items(), ("commit", ""), ("first change", "")])
def test_every_action_acts_at_every_point(place: Place, point: str, statement: str) -> None:
    _user, deposit = place.member()
    statement = statement or f"update public.pilates_deposits set is_active = not is_active where id = '{deposit}'"
    for action, argument in ACTIONS:
        for swallows in (False, True) if action == "raise" and point != "commit" else (False,):
            risky = (
                f"begin {statement}; exception when others or query_canceled then null; end" if swallows else statement
            )
            text = f"do $$ begin update public.marker set n = n + 1; {risky}; end $$"
            (before,) = place.sql(
                "select n, (select is_active from pilates_deposits where id = %s) from marker", deposit
            )
            started = time.monotonic()
            answer, course = single(place, text, Stop("anna", point, action, argument))
            took = time.monotonic() - started
            (after,) = place.sql(
                "select n, (select is_active from pilates_deposits where id = %s) from marker", deposit
            )
            words = f"{action}{' ' + argument if argument else ''}"
            assert course.seen == [f"anna {'waits' if action == 'wait' else f'meets {words}'} at {point}"]
            assert course.not_exercised() == []
            if swallows:
                # The naive one goes on as if nothing had been: what came before the fault stands, the rest does not.
                assert (answer, after[0], after[1]) == (None, before[0] + 1, before[1])
            elif action in ("raise", "kill"):
                assert (answer, after) == (argument or LOST, before)
            else:
                assert (answer, after[0]) == (None, before[0] + 1)
                assert took >= (0.03 if action == "delay" else 0)
