"""People whom the suite cannot make: the users that an entry gives, by tokens or by their sign-in.

Where the secret that signs tokens is not given, the actors of a case are these users and nobody else. Their profiles
are never written. They have neither deposits nor bookings when a case begins, so that all there is of theirs meanwhile
is the case's, and one process at a time has them.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import jwt
import requests
from psycopg2.extensions import connection as Connection  # noqa: N812 - the class is spelt in lower case

from acceptance.environment import FILE, Target
from acceptance.errors import NotProven, SuiteError

SERVICE = "service"
MEMBER = re.compile(r"(other_)?member(_\d+)?")
IN_USE = 0x0ACCE97D  # first key of the advisory lock that whoever uses a user holds
PATIENCE = 10.0  # seconds; the process before us gives its users back
POLL_SECONDS = 0.1
ANSWER_SECONDS = 10
MARGIN = 120.0  # seconds that a token must still be good for; a case takes less


@dataclass
class Person:
    """One of them: the word of the entry, what they are, and how they get in."""

    word: str
    role: str
    user_id: str | None
    place: str
    token: str = field(repr=False)
    good_until: float | None = None  # seconds of the epoch
    margin: float = 0.0
    renewal: str = field(repr=False, default="")


class People:
    """The users of an entry, in its order.

    Args:
        target: the system; with tokens, a sign-in, or both.

    Raises:
        SuiteError: when a token is none or has expired, a sign-in is refused, or two of them are one user.
    """

    def __init__(self, target: Target):
        self._target = target
        self._place = f"{FILE}: {target.environment.name}"
        self.all: dict[str, Person] = {}
        for word, token in target.tokens.items():
            self.all[word] = _of_token(word, token, f"{self._place}.tokens.{word}")
        for word in target.sign_in.get("users", {}):
            place = f"{self._place}.sign_in.users.{word}"
            if word in self.all:
                raise SuiteError(f"{place}: stands under `tokens` too; say it once.")
            self.all[word] = self._signed_in(word, place)
        if "member" not in self.all:
            raise SuiteError(f"{self._place}: neither `tokens` nor `sign_in` gives the member; no case goes without.")
        known: dict[str, str] = {}
        for person in self.users:
            if (first := known.setdefault(str(person.user_id), person.word)) != person.word:
                raise SuiteError(f"{person.place}: is the same user as {first}.")

    @property
    def users(self) -> list[Person]:
        """Everybody who is a user of the system; the studio's own token is nobody's."""
        return [person for person in self.all.values() if person.user_id]

    @property
    def ids(self) -> list[str]:
        """The ids of all users."""
        return [str(person.user_id) for person in self.users]

    def has(self, role: str, taken: Collection[str | None] = ()) -> bool:
        """Tell whether there is somebody of a role who is not taken yet."""
        return any(person.role == role and person.user_id not in taken for person in self.users)

    def take(self, role: str, taken: Collection[str | None] = ()) -> Person:
        """Return the first one of a role who is not taken yet.

        Raises:
            NotProven: when there is nobody left.
        """
        of_role = [person for person in self.users if person.role == role]
        for person in of_role:
            if person.user_id not in taken:
                return person
        name, what = self._target.environment.name, "member" if role == "user" else role
        words = f"{name} gives {len(of_role) or 'no'} {what}{'s' if len(of_role) > 1 else ''}, and this needs one more"
        raise NotProven(f"not proven: {words}; see `tokens` and `sign_in` of the environment.")

    def token(self, user_id: str | None) -> str:
        """Return a user's token, good for a while; None is the studio itself.

        Raises:
            NotProven: when the entry gives none for that user, or it has expired since the run began.
        """
        person = next((person for person in self.all.values() if person.user_id == user_id), None)
        if person is None:
            whose = "the studio's own (service)" if user_id is None else "somebody who is not given"
            raise NotProven(f"not proven: {self._target.environment.name} gives no token for {whose}.")
        if person.good_until is not None and time.time() > person.good_until - person.margin:
            if not person.renewal:
                raise NotProven(f"not proven: the token of {person.word} has expired meanwhile.")
            self._renew(person)
        return person.token

    def _signed_in(self, word: str, place: str) -> Person:
        said = self._target.sign_in["users"][word]
        answer = self._ask("password", {"email": said["email"], "password": said["password"]}, place)
        person = _of_token(word, str(answer.get("access_token", "")), place)
        _take_in(person, answer)
        return person

    def _renew(self, person: Person) -> None:
        """Get a new token before the old one expires; where that is refused, sign in once more."""
        try:
            answer = self._ask("refresh_token", {"refresh_token": person.renewal}, person.place)
        except SuiteError:
            again = self._signed_in(person.word, person.place)
            person.token, person.renewal, person.good_until = again.token, again.renewal, again.good_until
            return
        person.token = str(answer.get("access_token", ""))
        _take_in(person, answer)

    def _ask(self, grant: str, body: dict[str, str], place: str) -> dict[str, Any]:
        """Ask GoTrue for a token.

        Raises:
            SuiteError: when it gives none, in its words.
        """
        target = self._target
        url = f"{target.sign_in['url'].rstrip('/')}/token?grant_type={grant}"
        headers = {"apikey": target.api_key} if target.api_key else {}
        try:
            answer = requests.post(
                url, json=body, headers=headers, timeout=ANSWER_SECONDS, verify=target.ca_file or None
            )
        except requests.RequestException as error:
            words = f"nobody answers at {target.sign_in['url']} ({type(error).__name__})"
            raise SuiteError(f"{self._place}.sign_in.url: {words}; start it or correct the URL.") from None
        told = _json(answer)
        if not answer.ok or "access_token" not in told:
            said = next(
                (str(told[key]) for key in ("error_description", "msg", "message") if told.get(key)), "no token"
            )
            raise SuiteError(f"{place}: the sign-in is refused ({answer.status_code}: {target.without_secrets(said)}).")
        return told


def of(target: Target) -> People:
    """Return the users that a target's entry gives, signed in once per process."""
    if target.people is None:
        target.people = People(target)
    return target.people


def check(connection: Connection, people: People, roles: dict[str, str]) -> None:
    """Look whether the users can be the actors of a case; nothing is written.

    Args:
        connection: a role that sees every row.
        people: who they are.
        roles: our role to the target's word, for those that the target knows.

    Raises:
        SuiteError: when one has no profile, another role than the entry says, or deposits or bookings of their own.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select p.user_id::text, to_jsonb(p) ->> 'role',"
            " (select count(*) from public.pilates_deposits d where d.user_id = p.user_id),"
            " (select count(*) from public.pilates_bookings b where b.user_id = p.user_id)"
            " from public.user_profiles p where p.user_id = any(%s::uuid[])",
            (people.ids,),
        )
        found = {user_id: rest for user_id, *rest in cursor.fetchall()}
    for person in people.users:
        if person.user_id not in found:
            raise SuiteError(f"{person.place}: user_profiles has no row of this user ({person.user_id}).")
        role, deposits, bookings = found[person.user_id]
        if role is not None and person.role in roles and role != roles[person.role]:
            raise SuiteError(f"{person.place}: this user's role is {role!r}, and not {roles[person.role]!r}.")
        if deposits or bookings:
            words = f"this user has {_counted(deposits, 'deposit')} and {_counted(bookings, 'booking')} already"
            raise SuiteError(f"{person.place}: {words}; give a user that nobody uses, or remove them first.")


def claim(connection: Connection, people: People, patience: float = PATIENCE) -> None:
    """Take the users for this session; they are given back with the connection, or by ``give_back``.

    Args:
        connection: which holds them.
        people: who they are.
        patience: seconds to wait for whoever has them.

    Raises:
        SuiteError: when another process has one of them and does not give it back.
    """
    until = time.monotonic() + patience
    for person in people.users:
        while not _locked(connection, "pg_try_advisory_lock", person):
            if time.monotonic() > until:
                words = "another process has this user just now; users that are given are used by one at a time"
                raise SuiteError(f"{person.place}: {words} (--processes 1, one run).")
            time.sleep(POLL_SECONDS)


def give_back(connection: Connection, people: People) -> None:
    """Let other processes have the users."""
    for person in people.users:
        _locked(connection, "pg_advisory_unlock", person)


def _locked(connection: Connection, function: str, person: Person) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"select {function}(%s, hashtext(%s))", (IN_USE, person.user_id))
        [(locked,)] = cursor.fetchall()
    return bool(locked)


def _of_token(word: str, token: str, place: str) -> Person:
    """Read whose a token is; that is for the API to believe, not for us."""
    role = "user" if MEMBER.fullmatch(word) else word
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        if role == SERVICE:  # a Supabase secret key is no JWT
            return Person(word, role, None, place, token)
        raise SuiteError(f"{place}: is no token (JWT).") from None
    expires = claims.get("exp")
    if expires is not None and expires < time.time():
        raise SuiteError(f"{place}: the token has expired; get a new one, or give `sign_in` instead of `tokens`.")
    if role == SERVICE:
        return Person(word, role, None, place, token, expires)
    try:
        user_id = str(uuid.UUID(str(claims.get("sub"))))
    except ValueError:
        raise SuiteError(f"{place}: the token names no user (its `sub` is no uuid).") from None
    return Person(word, role, user_id, place, token, expires)


def _take_in(person: Person, answer: dict[str, Any]) -> None:
    seconds = float(answer.get("expires_in") or 3600)
    person.good_until = time.time() + seconds
    person.margin = min(MARGIN, seconds / 2)
    person.renewal = str(answer.get("refresh_token") or "")


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except requests.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def given_to(roles: Iterable[str], people: People, taken: Collection[str | None]) -> list[str]:
    """Choose those of some roles of which somebody is left.

    Raises:
        NotProven: when nobody is.
    """
    there = [role for role in roles if people.has(role, taken)]
    if not there:
        people.take(next(iter(roles)), taken)
    return there
