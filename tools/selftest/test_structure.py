"""The catalogue as evidence: triggers, cascades, constraints, functions and policies become clues with their names."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest

from acceptance import embedded, structure
from acceptance.structure import CLUES, Structure

SWITCHES_OFF = """
create function public."switch Off"() returns trigger language plpgsql as $$
begin
  perform public.end_bookings(new.id);
  return new;
end $$;
create function public.end_bookings(p_slot_id uuid) returns void language sql as $$
  -- delete from public.pilates_deposits: what a comment says is not done
  update public.pilates_bookings set status = 'cancelled' where slot_id = p_slot_id
$$;
create trigger "Ends bookings" after update on public.pilates_schedule_slots
  for each row execute function public."switch Off"();
alter table public.pilates_bookings drop constraint pilates_bookings_slot_id_fkey,
  add constraint pilates_bookings_slot_id_fkey foreign key (slot_id)
    references public.pilates_schedule_slots on delete cascade;
drop index public.one_confirmed_booking;
alter table public.pilates_deposits disable row level security;
"""


def test_the_catalogue_of_a_real_database_is_read(studio: embedded.Studio) -> None:
    connection = psycopg2.connect(studio.database_url)
    try:
        before = structure.read(connection).clues(["book_pilates_class"])
        assert before.keys() == {"the function takes a lock"}  # our studio is right, and asks who calls
        with connection.cursor() as cursor:
            cursor.execute(
                "select indexrelid::regclass::text from pg_index where indisunique and indpred is not null"
                " and indrelid = 'public.pilates_bookings'::regclass"
            )
            [(index,)] = cursor.fetchall()
            cursor.execute(SWITCHES_OFF.replace("public.one_confirmed_booking", index))
        read = structure.read(connection)
    finally:
        connection.rollback()  # nobody else sees any of it
        connection.close()
    clues = read.clues(["book_pilates_class"], "a stranger must not update pilates_deposits, and could.")
    assert clues["a trigger of the classes writes the bookings"] == {
        "trigger": '"Ends bookings"',
        "trigger_table": "public.pilates_schedule_slots",
        "trigger_function": '"switch Off"()',
    }
    assert "a trigger of the classes writes the deposits" not in clues
    assert clues["bookings are deleted with the classes"]["constraint"] == "pilates_bookings_slot_id_fkey"
    assert "no unique index forbids a second booking" in clues
    assert clues["the table has no row level security"]["table"] == "public.pilates_deposits"
    assert clues.keys() <= CLUES


def test_a_database_that_does_not_answer_says_nothing(studio: embedded.Studio) -> None:
    connection = psycopg2.connect(studio.database_url)
    connection.close()
    assert structure.read(connection) == Structure()


def function(source: str) -> Structure:
    told: dict[str, Any] = {"name": "book", "schema": "public", "signature": "book(uuid)", "source": source}
    return structure.of({"functions": [told]})


@pytest.mark.parametrize(
    ("source", "clue"),
    [
        ("select * into d from pilates_deposits where id = p for update; -- auth.uid()", "the function takes a lock"),
        ("update pilates_deposits set deposit_remaining = 1; /* for update */", "the function takes no lock"),
        ("begin insert into a values (1); exception when others then null; end", "the function catches errors"),
        ("if auth.uid() is null then", "the function takes no lock"),
        ("-- auth.uid()", "the function does not ask who calls"),
    ],
)
def test_a_function_is_read_without_its_comments(source: str, clue: str) -> None:
    clues = function(source).clues(["book"])
    assert clues[clue] == {"function": "book(uuid)"}
    assert ("the function does not ask who calls" in clues) is ("if auth.uid()" not in source)


def table(name: str, **said: Any) -> dict[str, Any]:
    fixed = {"view": False, "logged": True, "guarded": True, "invoker": False, "granted": []}
    return {**fixed, "name": name, **said}


POLICY = {"name": "anybody", "table": "pilates_deposits", "action": "all", "roles": "public"}


@pytest.mark.parametrize(
    ("said", "policies", "clue"),
    [
        ({"guarded": False}, [], "the table has no row level security"),
        ({}, [POLICY], "a policy of the table speaks of it"),
        ({}, [{**POLICY, "action": "select"}], None),
        ({"granted": ["update"]}, [], "no policy of the table speaks of it"),
        ({"view": True}, [], "the view asks with its owner's rights"),
        ({"view": True, "invoker": True}, [], None),
    ],
)
def test_rights_are_looked_up_for_the_table_that_was_written(
    said: dict[str, Any], policies: list[dict[str, str]], clue: str | None
) -> None:
    read = structure.of({"tables": [table("pilates_deposits", **said)], "policies": policies})
    found = read.clues(sentence="member must not update pilates_deposits, and could.")
    of_rights = [one for one in found if "table" in one or "view" in one]
    assert of_rights == ([clue] if clue else [])
