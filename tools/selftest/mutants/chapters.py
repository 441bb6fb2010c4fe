"""The chapters of the story: what a mutant does otherwise than the studio shows in one of them."""

from __future__ import annotations

from collections.abc import Callable

from tools.selftest.mutants.story import Story, person

Chapter = Callable[[Story], None]
CHAPTERS: dict[str, Chapter] = {}
LIKELY: dict[str, str] = {}  # a family, or a word of a mutant's id: the chapter that is told first, to save time


def chapter(*likely: str) -> Callable[[Chapter], Chapter]:
    """Register a part of the story, and what is most likely to show in it."""

    def register(tell: Chapter) -> Chapter:
        CHAPTERS[tell.__name__] = tell
        LIKELY.update(dict.fromkeys(likely, tell.__name__))
        return tell

    return register


@chapter()
def a_class_is_booked_and_cancelled(s: Story) -> None:
    s.deposit("anna", 3)
    room = s.slot("room")
    booking = s.book("anna", room)
    s.book("anna", room)
    for _ in range(2):
        s.cancel("anna", booking)
    s.call("eve", "remove", booking)
    s.book("anna", room)


@chapter("capacity", "full")
def a_full_class(s: Story) -> None:
    s.deposits(1, "anna", "bob", "cleo")
    room = s.slot("room", 2)
    bookings = [s.book(who, room) for who in ("anna", "bob", "cleo")]
    s.cancel("anna", bookings[0])
    s.book("cleo", room)


@chapter("reschedule")
def a_booking_is_moved(s: Story) -> None:
    s.deposits(3, "anna", "bob")
    room, other, full = s.slot("room"), s.slot("other", starts="3 days"), s.slot("full", 1, starts="4 days")
    booking = s.book("anna", room)
    s.book("bob", full)
    moved = s.move("anna", booking, other)
    s.move("anna", booking, room)
    s.move("anna", moved, full)
    s.move("anna", moved, other)
    s.call("sue", "remove", moved)
    s.move("anna", moved, room)


@chapter("confirm", "attended")
def a_member_attends(s: Story) -> None:
    s.deposits(3, "anna", "bob")
    room, other = s.rooms("room", "other")
    first, second = s.book("anna", room), s.book("bob", room)
    for _ in range(2):
        s.call("tom", "confirm", first, person("anna"))
    s.cancel("anna", first)
    s.move("anna", first, other)
    s.deposit("cleo", 1)
    s.book("cleo", room)
    s.cancel("bob", second)
    s.call("tom", "confirm", second, person("bob"))


@chapter("credit", "front")
def the_front_desk_works(s: Story) -> None:
    s.deposits(2, "anna", "sue")
    room = s.slot("room")
    booking = s.book("anna", room, by="sue")
    for classes in (3, 1, 0, -5):
        s.call("sue", "credit", person("anna"), classes)
    s.call("sue", "remove", booking)
    s.call("sue", "credit", person("bob"), 2)
    s.book("bob", room)


@chapter("last")
def one_class_is_left(s: Story) -> None:
    s.deposit("anna", 1)
    room, other = s.slot("room", 1), s.slot("other", starts="3 days")
    booking = s.book("anna", room)
    s.book("anna", other)
    s.cancel("anna", booking)
    s.book("anna", other)
    s.deposit("bob", 0)
    s.book("bob", other)
    s.deposit("cleo", 0, "empty of cleo", ends="1 day")
    s.deposit("cleo", 2)
    s.book("cleo", other)


@chapter("order turned", "deposits")
def there_are_several_deposits(s: Story) -> None:
    s.deposit("anna", 9, "old", ends="40 days", age=9)
    s.deposit("anna", 2, "soon", ends="10 days")
    s.deposit("anna", 3, "new", ends=None, age=1)
    s.deposit("anna", 30, "late", ends="300 days", age=7)
    room, other, third = s.rooms("room", "other", "third")
    first, second = s.book("anna", room), s.book("anna", other)
    s.keep()
    s.cancel("anna", first)
    s.sql(
        "update pilates_deposits set is_active = false, expires_at = now() - interval '1 day' where id = %s",
        person("soon"),
    )
    moved = s.move("anna", second, third)
    s.keep()
    s.cancel("anna", moved or second)


@chapter("deposit")
def deposits_that_do_not_pay(s: Story) -> None:
    room = s.slot("room", 9)
    s.deposit("anna", 3, ends="-1 day")
    s.deposit("bob", 3, active=False)
    s.deposit("cleo", 3, ends="90 minutes")
    for who in ("anna", "bob", "cleo"):
        s.book(who, room)
    s.deposit("anna", 3, "endless", ends=None)
    s.book("anna", room)


# On the studio's own day, at whatever hour the test runs.
END_TODAY = """update pilates_deposits set expires_at = least(expires_at,
  ((clock_timestamp() at time zone studio.zone())::date + 1)::timestamp at time zone studio.zone()
    - interval '1 second')
  where id = %s"""


@chapter("expire")
def deposits_end(s: Story) -> None:
    s.deposit("anna", 3, "over", ends="1 hour")
    s.deposit("anna", 3, "good", ends="20 days")
    s.deposit("bob", 2, ends="10 hours")
    s.sql(END_TODAY, person("deposit of bob"))
    s.deposit("cleo", 2, ends="-3 days", active=False)
    s.deposit("tom", 2, ends=None)
    room = s.slot("room")
    booking = s.book("anna", room)
    s.book("bob", room)
    s.sql("update pilates_deposits set expires_at = now() - interval '1 hour' where id = %s", person("over"))
    s.call("eve", "expire")
    s.call("eve", "expire")
    s.cancel("anna", booking)
    s.book("anna", room)


@chapter("started")
def a_class_has_started(s: Story) -> None:
    s.deposits(9, "anna", "bob")
    room, other, over = s.slot("room"), s.slot("other", starts="3 days"), s.slot("over", starts="-30 minutes")
    booking, second = s.book("anna", room), s.book("bob", room)
    s.book("anna", over)
    s.sql(
        "update pilates_schedule_slots s set date = o.date, start_time = o.start_time - interval '1 second'"
        " from pilates_schedule_slots o where s.id = %s and o.id = %s",
        room,
        over,
    )
    s.cancel("anna", booking)
    s.move("anna", booking, other)
    s.call("anna", "remove", booking)
    s.call("sue", "remove", booking)
    s.call("tom", "confirm", second, person("bob"))


@chapter("time zone or date")
def what_time_it_is(s: Story) -> None:
    s.deposit("anna", 40)
    soon = s.slot("soon", starts="30 minutes")
    s.book("anna", soon, zone="Asia/Tokyo")
    s.book("anna", s.slot("tonight", starts="3 hours"), zone="US/Eastern")
    s.book("anna", s.slot("long over", starts="-3 hours"), zone="US/Eastern")
    for day, time_of_day in (
        (0, "00:00:00.5"),
        (0, "23:59:59.5"),
        (1, "00:00:00.5"),
        (1, "00:15"),
        (1, "23:45"),
        ("2031-07-01", "10:00"),
        ("2031-01-15", "10:00"),
    ):
        s.book("anna", s.slot_on(day, time_of_day))


@chapter("classes", "class")
def classes_come_and_go(s: Story) -> None:
    s.deposits(4, "anna", "bob", "cleo")
    room, off, big = s.slot("room"), s.slot("off", active=False), s.slot("big", 1, starts="5 hours")
    s.book("anna", off)
    s.book("anna", person("no such class"))
    booking, _ = s.book("anna", room), s.book("bob", room)
    s.sql("update pilates_schedule_slots set max_capacity = 1 where id = %s", room)
    s.keep()
    s.book("cleo", room)
    s.sql("update pilates_schedule_slots set is_active = false where id = %s", room)
    s.cancel("anna", booking)
    booking = s.book("cleo", big)
    s.keep()
    s.cancel("cleo", booking)


@chapter("caller check dropped", "null caller")
def somebody_else_calls(s: Story) -> None:
    s.deposit("anna", 9)
    room, other = s.rooms("room", "other")
    for caller in ("bob", "tom", "nobody", None):
        s.call(caller, "book", person("anna"), room)
        booking = s.book("anna", room, by="eve")
        s.call(caller, "cancel", booking, person("anna"))
        s.call(caller, "cancel", booking, person(caller or ""))
        s.call(caller, "move", booking, person("anna"), other)
        s.call(caller, "remove", booking)
        s.call(caller, "credit", person("anna"), 1)
        s.call(caller, "expire")
        s.call(caller, "confirm", booking, person("anna"))
        s.call("eve", "remove", booking)
    for caller in ("anna", "sue", "eve"):
        booking = s.book("anna", room, by=caller)
        moved = s.call(caller, "move", booking, person("anna"), other)
        s.call(caller, "cancel", moved, person("anna"))
    s.call("anna", "expire")
    s.call("anna", "credit", person("anna"), 1)


@chapter("row-level policy too narrow", "row-level policy too wide")
def who_sees_what(s: Story) -> None:
    s.deposits(1, "anna", "bob")
    room, other = s.rooms("room", "other")
    booking = s.book("anna", room)
    s.book("bob", room)
    s.cancel("anna", booking)
    s.book("anna", other)
    # Staff hold nothing, a visitor is nobody: who sees more or less than others must differ here.
    for who in ("anna", "tom", "sue", "eve", "nobody", None):
        s.sees(who, "select user_id, slot_id, status from pilates_bookings")
        s.sees(who, "select user_id, deposit_remaining from pilates_deposits")
        s.sees(who, "select slot_id, booked_count from pilates_slots_with_occupancy")
        s.sees(who, "select email from user_profiles")
        s.sees(who, "select operation, user_id from pilates_audit_log")
        s.sees(who, "select id from pilates_schedule_slots")
    for who in ("anna", "tom"):
        s.sees(who, "update pilates_deposits set deposit_remaining = 99 returning user_id")
        s.sees(who, "update pilates_bookings set status = 'confirmed' returning user_id")
        s.sees(who, "update pilates_schedule_slots set max_capacity = 99 returning id")


@chapter()
def who_writes_what(s: Story) -> None:
    s.deposits(3, "anna", "bob")
    room = s.slot("room")
    s.book("anna", room)
    bought = (
        "insert into pilates_deposits (user_id, classes_credited, deposit_remaining) values ('{}', 9, 9) returning 1"
    )
    for who in ("anna", "bob", "tom", None):
        s.sees(who, "update user_profiles set role = 'admin' returning user_id")
        s.sees(who, bought.format(person(who or "anna")))
        s.sees(who, "delete from pilates_bookings returning user_id")
        s.sees(who, f"update pilates_deposits set user_id = '{person(who or 'bob')}' returning 1")
        s.sees(who, "update pilates_slots_with_occupancy set max_capacity = 99 returning slot_id")
        s.sees(who, "delete from pilates_audit_log returning operation")
        s.sees(who, "select count(*) from pilates_calendar_outbox")
        s.sees(who, "select operation from idempotency_keys")
    s.sees("bob", "select user_id from pilates_deposits", user_metadata={"role": "admin"})
    deleted = f"delete from pilates_schedule_slots where id = '{room}'"
    s.sql(f"do $$ begin {deleted}; exception when foreign_key_violation then null; end $$")
    s.keep()


@chapter("idempotency scope", "early idempotent return removed", "retry repeats a side effect")
def a_request_is_sent_again(s: Story) -> None:
    s.deposits(9, "anna", "bob")
    room, other = s.slot("room", 9), s.slot("other", starts="3 days")
    booking, _ = (s.book("anna", room, key="key-one-1") for _ in range(2))
    s.book("anna", other, key="key-one-1")
    s.book("bob", room, key="key-one-1")
    s.book("anna", other, key="key-one-2")
    for n in range(2):
        s.move("anna", booking, s.slot(f"third {n}", starts="4 days"), key="move")
    third = s.book("anna", room)
    for _ in range(2):
        s.cancel("anna", third, key="key-one-1")
    fourth = s.book("anna", room)
    for _ in range(2):
        s.call("tom", "confirm", fourth, person("anna"), key="door")
        s.call("eve", "credit", person("bob"), 2, key="sale")
    fifth = s.book("bob", s.slot("fifth", starts="5 days"))
    for _ in range(2):
        s.call("eve", "remove", fifth, key="out")


@chapter()
def a_move_is_sent_again(s: Story) -> None:
    s.deposit("anna", 9)
    room, other = s.rooms("room", "other")
    booking = s.book("anna", room)
    for _ in range(2):
        s.move("anna", booking, other, key="move")


@chapter("exception swallowed")
def something_breaks(s: Story) -> None:
    s.deposit("anna", 9)
    room, other, third = s.rooms("room", "other", "third", places=9)
    booking, second = s.book("anna", room), s.book("anna", other)
    for table in ("bookings INSERT", "audit_log INSERT", "calendar_outbox INSERT"):
        s.move("anna", booking, third, fault=f"pilates_{table}")
    s.cancel("anna", second, fault="pilates_deposits UPDATE")
    for table in ("bookings INSERT", "deposits UPDATE"):
        for state in ("P0001", "57014"):
            s.book("anna", third, fault=f"pilates_{table}", state=state)


@chapter()
def the_calendar_breaks(s: Story) -> None:
    s.deposit("anna", 9)
    s.book("anna", s.slot("room"))
    s.sql("update pilates_calendar_outbox set attempts = 1, last_error = '500'")


@chapter()
def back_and_forth(s: Story) -> None:
    s.deposit("anna", 12)
    s.deposit("bob", 40)
    room = s.slot("room")
    for who in ("anna", "anna", "anna", "bob"):
        booking = s.book(who, room)
        s.keep()
        s.cancel(who, booking)


@chapter("interaction of factors")
def a_phone_books_the_last_place(s: Story) -> None:
    for who, classes in (("anna", 1), ("bob", 1), ("cleo", 3), ("tom", 3)):
        s.deposit(who, classes)
    for device in ("ios", "android", "web-chrome"):
        room = s.slot(f"room {device}", 1)
        booking = s.book("cleo", room, device=device)
        s.cancel("cleo", booking, device=device)
        s.book("anna", s.slot(f"second {device}", 1), device=device)


@chapter()
def a_big_class(s: Story) -> None:
    room = s.slot("room", 11)
    for number in range(12):
        guest = person(f"guest {number}")
        s.names[guest] = f"guest {number}"
        s.sql("insert into user_profiles (user_id, email) values (%s, %s)", guest, f"guest-{number}@example.test")
        s.sql(
            "insert into pilates_deposits (id, user_id, classes_credited, deposit_remaining) values (%s, %s, 1, 1)",
            person(f"deposit {number}"),
            guest,
        )
        s.call("eve", "book", guest, room)


@chapter()
def many_classes(s: Story) -> None:
    s.deposit("anna", 40)
    for number in range(10):
        s.book("anna", s.slot(f"room {number}", starts=f"{number + 2} days"))
