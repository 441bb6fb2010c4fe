"""Secrets: none is in what a run writes or says."""

from __future__ import annotations

import base64
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import quote

from psycopg2.extensions import parse_dsn

from acceptance import embedded
from tools.selftest.by_url.theirs import API_KEY, locations, run, write_entry
from tools.selftest.by_url.users import PASSWORD, RENEWAL, GoTrue, by_sign_in, profiles
from tools.selftest.front import Front, in_front

OF_TOKENS = "eyJhbGciOiJIUzI1NiI"  # {"alg":"HS256" in base64


def test_no_secret_is_in_what_is_written_or_said(clone: Path, tmp_path: Path) -> None:
    """Green and red cases, by the secret and by sign-in, logged as loudly as Robot Framework can."""
    defect = clone / "tools" / "mutants" / "book-charges-nothing.sql"
    with ExitStack() as stack:
        broken = stack.enter_context(closing(embedded.attach(clone / "tools" / "studio" / "supervisor.py", [defect])))
        users = stack.enter_context(profiles(broken))
        gotrue = GoTrue(broken, users)
        front = stack.enter_context(in_front(Front(broken.api_url, API_KEY, gotrue)))
        by_secret = {**locations(broken, front), "jwt_secret": "${JWT_SECRET}", "api_key": "${THEIR_API_KEY}"}
        variables = {
            "JWT_SECRET": broken.jwt_secret,
            "THEIR_API_KEY": API_KEY,
            "PASSWORD": PASSWORD,
            "ROBOT_OPTIONS": "--loglevel TRACE",
        }
        for entry in (by_secret, by_sign_in(broken, front, users)):
            write_entry(clone, **{**entry, "database_url": "${DATABASE_URL}", "instruments": False})
            done = run(clone, **variables, DATABASE_URL=broken.database_url)
            assert done.returncode == 1, done.stdout + done.stderr
            (tmp_path / f"said-{len(front.tokens)}").write_text(done.stdout + done.stderr)
        secrets = {broken.jwt_secret, API_KEY, PASSWORD, parse_dsn(broken.database_url)["password"]}
    # Every token begins alike, of those who sign in and of those whom the suite signs for; so do renewals.
    assert len(front.tokens) > 12
    assert {token[: len(OF_TOKENS)] for token in front.tokens - {""}} == {OF_TOKENS}
    secrets |= {OF_TOKENS, RENEWAL}
    places = [tmp_path, (clone / "results")]
    assert list((clone / "results" / "latest").glob("failures/*/requests.jsonl"))
    assert "TRACE" in (clone / "results" / "latest" / "output.xml").read_text()
    assert found_in(places, secrets) == []
    # The search itself: what is there is found, also when it was encoded.
    for number, words in enumerate(
        (PASSWORD, quote("a pass/word?", safe=""), base64.b64encode(b"x" + API_KEY.encode()).decode())
    ):
        (tmp_path / f"planted-{number}").write_text(f"so {words}!")
    assert found_in([tmp_path], {*secrets, "a pass/word?"}) == [f"planted-{number}" for number in range(3)]


def found_in(places: list[Path], secrets: set[str]) -> list[str]:
    """Name the files that hold one of some secrets: as it is, as in a URL, or in base64 at any offset."""
    wanted = {form for secret in secrets for form in (secret.encode(), quote(secret, safe="").encode())}
    for secret in secrets:
        for offset in range(3):
            # Without the first and last digits, which depend on what stands beside it.
            wanted.add(base64.b64encode(b" " * offset + secret.encode())[4 if offset else 0 : -4])
    files = sorted(path for place in places for path in place.rglob("*") if path.is_file())
    return [path.name for path in files if any(form in path.read_bytes() for form in wanted)]
