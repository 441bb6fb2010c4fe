"""Users that are given instead of the secret: by a token each, or by their passwords."""

from __future__ import annotations

import uuid
from contextlib import closing
from pathlib import Path

import jwt
import psycopg2
import pytest
from robot.api import ExecutionResult

from acceptance import embedded, environment, people
from acceptance.errors import SuiteError
from tools.run import preflight
from tools.selftest.by_url.theirs import (
    API_KEY,
    NAME,
    PASSED,
    counts,
    locations,
    one_sentence,
    robot,
    run,
    write_entry,
)
from tools.selftest.by_url.users import PASSWORD, GoTrue, by_sign_in, sign
from tools.selftest.clone import pilates
from tools.selftest.front import Front, in_front


def rows_of(studio: embedded.Studio, ids: dict[str, str]) -> dict[str, list[tuple[object, ...]]]:
    """Read everything of some users, and everything that the suite has made."""
    theirs = "user_id = any(%(ids)s::uuid[]) or user_id::text like 'acce97ab%%'"
    conditions = {
        "user_profiles": theirs,
        "pilates_deposits": theirs,
        "pilates_bookings": theirs,
        "pilates_calendar_outbox": theirs,
        "pilates_schedule_slots": "id::text like 'acce97ab%%'",
        "idempotency_keys": "caller = any(%(ids)s::uuid[])",
        "pilates_audit_log": "user_id = any(%(ids)s::uuid[])",
    }
    found = {}
    with closing(psycopg2.connect(studio.database_url)) as connection, connection.cursor() as cursor:
        for table, condition in conditions.items():
            cursor.execute(f"select * from public.{table} where {condition} order by 1", {"ids": list(ids.values())})
            found[table] = cursor.fetchall()
    return found


def by_tokens(behind: embedded.Studio, users: dict[str, str]) -> tuple[dict[str, object], dict[str, str]]:
    """Make the entry with a token for each user, and the variables that hold them."""
    entry = {key: value for key, value in locations(behind).items() if key != "jwt_secret"}
    variables = {f"TOKEN_OF_{word.upper()}": sign(behind, user_id) for word, user_id in users.items()}
    return {**entry, "tokens": {word: f"${{TOKEN_OF_{word.upper()}}}" for word in users}}, variables


def messages(clone: Path) -> dict[str, str]:
    found = ExecutionResult(clone / "results" / "latest" / "output.xml").suite.all_tests
    return {test.name.partition(" ")[0]: test.message for test in found}


def test_cases_act_as_the_users_that_are_given(clone: Path, behind: embedded.Studio, users: dict[str, str]) -> None:
    entry, variables = by_tokens(behind, users)
    write_entry(clone, **entry)
    before = rows_of(behind, users)
    done = pilates(clone, "run", "--env", NAME, "--count", "12", "--processes", "2", **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{NAME} gives its users, and one worker at a time has them: --processes 1." in done.stdout
    assert counts(clone)["passed"] >= PASSED + 6
    assert f"not proven: {NAME} gives 2 members, and this needs one more" in "".join(messages(clone).values())
    assert rows_of(behind, users) == before, "their profiles are as they were, and nothing else is left"


def test_users_that_cannot_be_used_are_one_sentence(
    clone: Path, behind: embedded.Studio, users: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, variables = by_tokens(behind, users)
    write_entry(clone, **entry)
    monkeypatch.setattr(environment, "FILE", clone / "data" / "environments.yaml")

    def refused(**others: str) -> str:
        for name, value in (variables | others).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SuiteError) as caught:
            preflight.check(environment.connect(environment.load(NAME)))
        return str(caught.value).partition(f"{NAME}.tokens.")[2]

    member, other = users["member"], users["other_member"]
    assert refused(TOKEN_OF_MEMBER="none") == "member: is no token (JWT)."  # noqa: S106 - it is none
    expired = refused(TOKEN_OF_MEMBER=sign(behind, member, -60))
    assert expired.startswith("member: the token has expired; get a new one")
    twice = refused(TOKEN_OF_OTHER_MEMBER=variables["TOKEN_OF_MEMBER"])
    assert twice == "other_member: is the same user as member."
    forged = jwt.encode({"sub": member, "role": "authenticated"}, "another secret of thirty-two bytes", "HS256")
    assert refused(TOKEN_OF_MEMBER=forged).startswith("member: the API does not take our tokens (401: ")
    nobody = refused(TOKEN_OF_MEMBER=sign(behind, str(uuid.uuid4())))
    assert nobody.startswith("member: user_profiles has no row of this user (")
    swapped = refused(TOKEN_OF_TRAINER=sign(behind, users["admin"]), TOKEN_OF_ADMIN=sign(behind, users["trainer"]))
    assert swapped == "trainer: this user's role is 'admin', and not 'trainer'."

    before = rows_of(behind, users)
    with closing(psycopg2.connect(behind.database_url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("select pg_advisory_lock(%s, hashtext(%s))", (people.IN_USE, users["admin"]))
        assert refused().startswith("admin: another process has this user just now")
        cursor.execute("select pg_advisory_unlock(%s, hashtext(%s))", (people.IN_USE, users["admin"]))
        cursor.execute(
            "insert into public.pilates_deposits (user_id, classes_credited, deposit_remaining) values (%s, 3, 3)",
            (other,),
        )
        words = "other_member: this user has 1 deposit and 0 bookings already; give a user that nobody uses"
        assert refused().startswith(words)
        assert words in one_sentence(run(clone, **variables))
        assert words in robot(clone, clone / "robot", **variables)[0]
        cursor.execute("delete from public.pilates_deposits where user_id = %s", (other,))
    assert rows_of(behind, users) == before
    load = one_sentence(pilates(clone, "load", "--env", NAME, "--users", "2", "--time", "1s", **variables))
    assert "a load makes its own members; give the jwt_secret" in load


def test_users_sign_in_with_their_passwords(clone: Path, behind: embedded.Studio, users: dict[str, str]) -> None:
    gotrue = GoTrue(behind, users)
    with in_front(Front(behind.api_url, API_KEY, gotrue)) as front:
        write_entry(clone, **by_sign_in(behind, front, users))
        before = rows_of(behind, users)
        done = run(clone, PASSWORD=PASSWORD, THEIR_API_KEY=API_KEY)
        assert done.returncode == 0, done.stdout + done.stderr
        assert counts(clone)["passed"] >= PASSED
        assert front.turned_away == []
        assert set(gotrue.grants) == {"password", "refresh_token"}, "the run lasts longer than a token"
        assert rows_of(behind, users) == before

        gotrue.grants.clear()
        wrong = one_sentence(run(clone, PASSWORD="wrong-and-secret", THEIR_API_KEY=API_KEY))  # noqa: S106 - nobody's
        assert f"{NAME}.sign_in.users.member: the sign-in is refused (400: Invalid login credentials)." in wrong
        assert "wrong-and-secret" not in wrong
        assert gotrue.grants == ["password"], "nobody tries again and locks the user out"
    gone = one_sentence(run(clone, PASSWORD=PASSWORD, THEIR_API_KEY=API_KEY))
    assert f"nobody answers at {front.url}" in gone
