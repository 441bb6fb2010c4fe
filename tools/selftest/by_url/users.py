"""Users that a system gives instead of its secret: their profiles, tokens and sign-in."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager

import jwt
import psycopg2

from acceptance import embedded
from tools.selftest.by_url.theirs import locations
from tools.selftest.front import Front

ROLES = {"member": "user", "other_member": "user", "trainer": "trainer", "secretary": "secretary", "admin": "admin"}
PASSWORD = "a-password-only-they-know"  # noqa: S105 - nobody's
RENEWAL = "a-renewal-"
LIFE = 1  # seconds; so short that tokens must be renewed while a run lasts


@contextmanager
def profiles(studio: embedded.Studio) -> Iterator[dict[str, str]]:
    """Have users as a studio has them for tests: profiles that are not the suite's, by the entry's words."""
    ids = {word: str(uuid.uuid4()) for word in ROLES}
    with closing(psycopg2.connect(studio.database_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for word, user_id in ids.items():
                cursor.execute(
                    "insert into public.user_profiles (user_id, email, role, full_name) values (%s, %s, %s, %s)",
                    (user_id, f"{word}@example.org", ROLES[word], f"Their {word}"),
                )
            yield ids
            for table in ("pilates_bookings", "pilates_deposits", "user_profiles"):
                cursor.execute(f"delete from public.{table} where user_id = any(%s::uuid[])", (list(ids.values()),))


def sign(studio: embedded.Studio, user_id: str, seconds: float = 3600) -> str:
    claims = {"role": "authenticated", "aud": "authenticated", "sub": user_id, "exp": math.ceil(time.time() + seconds)}
    return jwt.encode(claims, studio.jwt_secret, algorithm="HS256")


class GoTrue:
    """Signs in as Supabase's GoTrue does; its tokens live for seconds, and a refresh token is good for once."""

    def __init__(self, studio: embedded.Studio, users: dict[str, str]):
        self.studio, self.users = studio, users
        self.grants: list[str] = []
        self.refresh: dict[str, str] = {}

    def __call__(self, grant: str, body: dict[str, str]) -> tuple[int, dict[str, object]]:
        self.grants.append(grant)
        if grant == "refresh_token":
            word = self.refresh.pop(body["refresh_token"], None)
            if word is None:
                return 400, {"code": 400, "error_code": "refresh_token_not_found", "msg": "Invalid Refresh Token"}
        else:
            word = body["email"].partition("@")[0]
            if body["password"] != PASSWORD:
                return 400, {"code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials"}
        renewal = f"{RENEWAL}{uuid.uuid4()}"
        self.refresh[renewal] = word
        token = sign(self.studio, self.users[word], LIFE)
        told = {"access_token": token, "token_type": "bearer", "expires_in": LIFE, "refresh_token": renewal}
        return 200, {**told, "user": {"id": self.users[word], "email": body.get("email")}}


def by_sign_in(behind: embedded.Studio, front: Front, users: dict[str, str]) -> dict[str, object]:
    entry = {key: value for key, value in locations(behind, front).items() if key != "jwt_secret"}
    of_users = {word: {"email": f"{word}@example.org", "password": "${PASSWORD}"} for word in users}
    return {**entry, "api_key": "${THEIR_API_KEY}", "sign_in": {"url": f"{front.url}/auth/v1", "users": of_users}}
