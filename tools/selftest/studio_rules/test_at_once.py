"""Calls at once: every place, class and refund is given once, and nothing deadlocks."""

from __future__ import annotations

import random
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tools.selftest.calls import arguments
from tools.selftest.studio_rules.town import Town
from tools.studio import processes


def wait_until(town: Town, blocked: int) -> None:
    """Wait until so many calls in the town's database wait for a lock."""
    query = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    assert processes.wait_until(lambda: town.sql(query) == [(blocked,)], 20), f"not {blocked} wait for a lock"


def test_a_deposit_credited_while_two_bookings_wait_makes_no_deadlock(town: Town) -> None:
    late, early = (f"{digit * 8}{str(uuid.uuid4())[8:]}" for digit in "f0")
    add = "insert into pilates_deposits (id, user_id, classes_credited, deposit_remaining) values (%s, %s, 1, 1)"
    town.sql(add, late, town.people["anna"])
    with town.connect() as cursor, ThreadPoolExecutor(2) as pool:
        cursor.execute("update pilates_deposits set is_active = false where id = %s", (late,))
        first = pool.submit(town.book, "anna", town.slot())
        wait_until(town, 1)
        town.sql(add, early, town.people["anna"])
        second = pool.submit(town.book, "anna", town.slot())
        wait_until(town, 2)
        cursor.connection.commit()
        answers = (first.result(), second.result())
    assert answers[0] == "PT402 no classes left"  # It looked before the credit.
    assert answers[1][1] == 0
    assert (town.left(late), town.left(early)) == (1, 0)


@pytest.mark.parametrize("what", ["cancel", "move", "remove", "confirm"])
def test_a_booking_deleted_while_the_call_waits_is_not_found(town: Town, what: str) -> None:
    paid, anna = town.deposit("anna", 1), town.people["anna"]
    booking, _ = town.book("anna", town.slot())
    values = {"remove": (), "move": (anna, town.slot())}.get(what, (anna,))
    with town.connect() as cursor, ThreadPoolExecutor(1) as pool:
        cursor.execute("delete from pilates_bookings where id = %s", (booking,))
        asked = pool.submit(town.call, "eve", what, booking, *values)
        wait_until(town, 1)
        cursor.connection.commit()
        assert asked.result() == "PT404 booking not found"
    assert town.left(paid) == 0


def test_twenty_members_want_three_places(town: Town) -> None:
    room = town.slot(3)
    people = [f"m{n}" for n in range(20)]
    for name in people:
        town.people[name] = str(uuid.uuid4())
        town.sql(
            "insert into user_profiles (user_id, email) values (%s, %s)", town.people[name], f"{name}@example.test"
        )
        town.deposit(name, 1)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda name: town.book(name, room), people))
    assert sorted(map(str, answers)).count("PT409 class is full") == 17
    assert town.sql("select count(*) from pilates_bookings where status = 'confirmed'") == [(3,)]
    assert town.sql("select sum(deposit_remaining) from pilates_deposits") == [(17,)]


def test_two_classes_booked_at_once_are_both_paid_for(town: Town) -> None:
    paid = town.deposit("anna", 31)
    for pairs in range(1, 16):
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(lambda room: town.book("anna", room), (town.slot(), town.slot())))
        assert sorted(left for _, left in answers) == [31 - 2 * pairs, 32 - 2 * pairs]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda room: town.book("anna", room), (town.slot(), town.slot())))
    assert sum(answer == "PT402 no classes left" for answer in answers) == 1
    assert town.left(paid) == 0


def test_cancel_and_remove_at_once_give_back_one_class(town: Town) -> None:
    paid, anna = town.deposit("anna", 5), town.people["anna"]
    for _ in range(15):
        room = town.slot()
        booking, _left = town.book("anna", room)
        with ThreadPoolExecutor(4) as pool:
            tasks = [pool.submit(town.call, "anna", "cancel", booking, anna) for _ in range(2)]
            tasks += [pool.submit(town.call, "eve", "remove", booking) for _ in range(2)]
        assert sorted(task.result() for task in tasks) == [0, 0, 0, 1]
        assert town.left(paid) == 5


def test_random_calls_at_once_never_deadlock_and_keep_every_class(town: Town) -> None:
    rooms = [town.slot(2) for _ in range(3)]
    for who in ("anna", "bob"):
        town.deposit(who, 4)
        town.deposit(who, 2, expires="5 days")

    def meddle(seed: int) -> list[str]:
        rng = random.Random(seed)  # noqa: S311 - reproducible on purpose
        answers = []
        for _ in range(12):
            who = rng.choice(("anna", "bob"))
            mine = town.sql("select id::text from pilates_bookings where user_id = %s", town.people[who])
            booking = rng.choice(mine)[0] if mine else str(uuid.uuid4())
            what = rng.choice(("book", "book", "cancel", "move", "remove", "confirm"))
            values = arguments(what, town.people[who], booking, rng.choice(rooms))
            answers.append(town.call("eve" if what == "remove" else who, what, *values))
        return [answer for answer in answers if isinstance(answer, str)]

    with ThreadPoolExecutor(6) as pool:
        refusals = [answer for answers in pool.map(meddle, range(6)) for answer in answers]
    assert not [r for r in refusals if not r.startswith("PT") and r != "completed"]
    balance = town.sql(
        "select d.id, d.classes_credited - d.deposit_remaining"
        " - (select count(*) from pilates_bookings b where b.deposit_id = d.id and b.status <> 'cancelled')"
        " from pilates_deposits d"
    )
    assert {difference for _, difference in balance} == {0}
    crowded = town.sql(
        "select slot_id from pilates_bookings where status = 'confirmed' group by slot_id having count(*) > 2"
    )
    assert crowded == []
