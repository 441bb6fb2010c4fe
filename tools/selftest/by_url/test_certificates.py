"""TLS with a CA of one's own, and an API key."""

from __future__ import annotations

from pathlib import Path

import pytest

from acceptance import embedded
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
from tools.selftest.clone import pilates
from tools.selftest.front import Front, in_front, make_certificates


def test_a_ca_of_ones_own_is_trusted_when_it_is_named(clone: Path, behind: embedded.Studio, tmp_path: Path) -> None:
    ca, server = make_certificates(tmp_path)
    with in_front(Front(behind.api_url, API_KEY), server) as front:
        entry = {**locations(behind, front), "api_key": "${THEIR_API_KEY}"}
        (clone / "data" / "their-ca.pem").write_bytes(ca.read_bytes())
        write_entry(clone, **entry, ca_file="their-ca.pem")
        # Whatever bundle a machine is told to use otherwise: the entry's own is the one that counts.
        done = run(clone, THEIR_API_KEY=API_KEY, REQUESTS_CA_BUNDLE=str(server))
        assert done.returncode == 0, done.stdout + done.stderr
        assert counts(clone)["passed"] >= PASSED
        told = pilates(clone, "doctor", "--env", NAME, THEIR_API_KEY=API_KEY)
        assert told.returncode == 0, told.stdout
        assert f"ok   {front.url} answers and takes our tokens" in told.stdout
        assert front.turned_away == []
        paths = {path.partition("?")[0] for path, _ in front.seen}
        assert {"/rpc/book_pilates_class", "/pilates_bookings", "/pilates_schedule_slots"} <= paths

        front.seen.clear()
        write_entry(clone, **entry)
        line = one_sentence(run(clone, THEIR_API_KEY=API_KEY))
        assert f"{NAME}.ca_file: the certificate of {front.url} is not trusted (" in line
        assert "name there the bundle of the CA it is from" in line
        first, *others = robot(clone, tmp_path / "robot", THEIR_API_KEY=API_KEY)
        assert "is not trusted" in first
        assert set(others) == {"Test execution stopped due to a fatal error."}
        assert front.seen == [], "nobody has said anything to a server that is not trusted"

        other, _ = make_certificates(make_folder(tmp_path / "other"))
        write_entry(clone, **entry, ca_file=str(other))
        assert f"{other} is not its CA's" in one_sentence(run(clone, THEIR_API_KEY=API_KEY))
        write_entry(clone, **{**entry, "api_url": front.url.replace("127.0.0.1", "localhost")}, ca_file="their-ca.pem")
        assert f"{NAME}.api_url: the certificate" in one_sentence(run(clone, THEIR_API_KEY=API_KEY))
    write_entry(clone, **entry, ca_file="their-ca.pem")
    assert f"nobody answers at {front.url}" in one_sentence(run(clone, THEIR_API_KEY=API_KEY))


def make_folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "ca_file: there is no file no.pem"), ("no certificate\n", "holds no certificates (PEM)")],
)
def test_a_bundle_that_is_none_is_one_sentence(
    clone: Path, behind: embedded.Studio, content: str | None, words: str
) -> None:
    path = clone / "no.pem"
    if content is not None:
        path.write_text(content)
    write_entry(clone, **locations(behind), ca_file="no.pem")
    assert words in one_sentence(run(clone))


def test_an_api_key_is_asked_for_by_its_name(clone: Path, behind: embedded.Studio) -> None:
    with in_front(Front(behind.api_url, API_KEY)) as front:
        write_entry(clone, **locations(behind, front))
        line = one_sentence(run(clone))
        assert f"{NAME}.api_key: the API wants a key (401: " in line
        assert {path.partition("?")[0] for path, _ in front.seen} == {"/pilates_schedule_slots"}
