"""Clients that studios really use ask the embedded studio: they judge the gateway, not our reading of the manual."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from postgrest import APIError, APIResponse, CountMethod, ReturnMethod, SyncPostgrestClient

from acceptance import environment
from acceptance.embedded import Studio
from acceptance.environment import Target
from acceptance.running_case import RunningCase
from tools.selftest.benches import bench_on

SLOTS, DEPOSITS = "pilates_schedule_slots", "pilates_deposits"
BROWSER = Path(__file__).parent / "clients"
NODE, NPM = shutil.which("node") or "", shutil.which("npm") or ""
SECONDS = 120


def rows(answer: APIResponse) -> list[dict[str, Any]]:
    """Take the rows out of an answer, which may be any JSON for the client."""
    assert all(isinstance(row, dict) for row in answer.data)
    return [row for row in answer.data if isinstance(row, dict)]


@dataclass
class World:
    """Who asks, and for what: three classes with 2, 3 and 4 places, and two ids that are free."""

    url: str
    tokens: dict[str, str]
    ids: dict[str, Any]

    http: httpx.Client

    def client(self, who: str) -> SyncPostgrestClient:
        headers = {"apikey": self.tokens["anon"], "Authorization": f"Bearer {self.tokens[who]}"}
        return SyncPostgrestClient(f"{self.url}/rest/v1", headers=headers, http_client=self.http)

    def ours(self) -> Any:
        return self.client("anon").table(SLOTS).select("id,max_capacity").in_("id", self.ids["slots"])


@pytest.fixture(scope="module")
def world(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    target = Target(environment.load("embedded"), studio.api_url, studio.database_url, studio.jwt_secret)
    with bench_on(target, tmp_path_factory.mktemp("clients")) as bench:
        case = RunningCase(bench, "T-CLIENTS", 1, "0c0ffee0-0000-4000-8000-000000000002")
        case.add_member("member", 5)
        for places, hour in ((2, 10), (3, 11), (4, 12)):
            case.add_slot(f"class {places}", f"in 9 days at {hour}:00", places)
        member, stranger = case.caller("member"), case.caller("stranger")
        case.insert()

        def signed(claims: dict[str, Any], secret: str = studio.jwt_secret) -> str:
            return jwt.encode({"exp": int(time.time()) + 600, **claims}, secret, algorithm="HS256")

        claims = {"role": "authenticated", "sub": member.user_id}
        tokens = {
            "anon": signed({"role": "anon"}),
            "service": signed({"role": "service_role"}),
            "member": member.token or "",
            "stranger": stranger.token or "",
            "expired": signed({**claims, "exp": int(time.time()) - 3600}),
            "forged": signed(claims, "x" * 40),
        }
        slots = [case.slot(f"class {places}") for places in (2, 3, 4)]
        ids = {"member": member.user_id, "slots": slots, "free": [case.new_id(), case.new_id()]}
        with httpx.Client(timeout=SECONDS) as http:
            yield World(studio.api_url, tokens, ids, http)
        with bench.connection.cursor() as cursor:
            cursor.execute(f"delete from public.{SLOTS} where id = any(%s::uuid[])", (ids["free"],))
        case.end()


def places(answer: Any) -> list[int]:
    return [row["max_capacity"] for row in answer.data]


FILTERS: dict[str, tuple[Callable[[Any], Any], list[int]]] = {
    "eq": (lambda q: q.eq("max_capacity", 2), [2]),
    "neq": (lambda q: q.neq("max_capacity", 2), [3, 4]),
    "gt and lte": (lambda q: q.gt("max_capacity", 2).lte("max_capacity", 3), [3]),
    "gte and lt": (lambda q: q.gte("max_capacity", 3).lt("max_capacity", 4), [3]),
    "not eq": (lambda q: q.not_.eq("max_capacity", 2), [3, 4]),
    "not in": (lambda q: q.not_.in_("max_capacity", [2, 3]), [4]),
    "is and match": (lambda q: q.is_("is_active", True).match({"max_capacity": 4}), [4]),
    "or": (lambda q: q.or_("max_capacity.eq.2,and(max_capacity.gt.3,is_active.is.true)"), [2, 4]),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters(world: World, name: str) -> None:
    narrowed, wanted = FILTERS[name]
    assert places(narrowed(world.ours()).order("max_capacity").execute()) == wanted


def test_patterns(world: World) -> None:
    named = world.client("service").table("user_profiles").select("user_id").eq("user_id", world.ids["member"])
    assert len(named.like("full_name", "Acc%").execute().data) == 1
    assert len(named.ilike("full_name", "aCC%").execute().data) == 1


def test_order_limit_range_and_count(world: World) -> None:
    assert places(world.ours().order("max_capacity", desc=True).limit(2).execute()) == [4, 3]
    assert places(world.ours().order("max_capacity").range(1, 1).execute()) == [3]
    table = world.client("anon").table(SLOTS)
    page = table.select("id", count=CountMethod.exact).in_("id", world.ids["slots"]).limit(1).execute()
    assert (page.count, len(page.data)) == (3, 1)
    head = table.select("*", count=CountMethod.exact, head=True).in_("id", world.ids["slots"]).execute()
    assert head.count == 3


def test_single_and_maybe_single(world: World) -> None:
    assert world.ours().eq("max_capacity", 2).single().execute().data["max_capacity"] == 2
    assert world.ours().eq("max_capacity", 2).maybe_single().execute().data["max_capacity"] == 2
    assert world.ours().eq("max_capacity", 9).maybe_single().execute() is None
    for query in (world.ours().eq("max_capacity", 9), world.ours()):
        with pytest.raises(APIError) as refused:
            query.single().execute()
        assert refused.value.code == "PGRST116"


def test_insert_update_upsert_and_delete(world: World) -> None:
    slots, (first, second) = world.client("service").table(SLOTS), world.ids["free"]
    row = {"id": first, "date": "2199-01-01", "start_time": "10:00", "end_time": "11:00", "max_capacity": 2}
    other = {**row, "id": second, "start_time": "11:00"}
    assert rows(slots.insert(row).execute())[0]["id"] == first
    assert slots.insert([other], returning=ReturnMethod.minimal).execute().data == []
    with pytest.raises(APIError) as twice:
        slots.insert(row).execute()
    assert twice.value.code == "23505"
    assert rows(slots.update({"max_capacity": 7}).eq("id", first).execute())[0]["max_capacity"] == 7
    assert rows(slots.upsert({**row, "max_capacity": 9}).execute())[0]["max_capacity"] == 9
    both = slots.upsert([{**row, "max_capacity": 3}, other], on_conflict="id").execute()
    assert sorted(one["max_capacity"] for one in rows(both)) == [2, 3]
    assert slots.upsert({**row, "max_capacity": 1}, ignore_duplicates=True).execute().data == []
    gone = slots.delete(count=CountMethod.exact).in_("id", world.ids["free"]).execute()
    assert (gone.count, len(gone.data)) == (2, 2)


def test_functions(world: World) -> None:
    member, whose = world.client("member"), {"p_user_id": world.ids["member"]}
    wanted = {**whose, "p_slot_id": world.ids["slots"][0]}
    assert member.rpc("book_pilates_class", wanted).execute().data
    with pytest.raises(APIError) as again:
        member.rpc("book_pilates_class", wanted).execute()
    assert (again.value.code, bool(again.value.message)) == ("PT409", True)
    booking = member.table("pilates_bookings").select("id,status").eq("status", "confirmed").single().execute()
    assert isinstance(booking.data, dict)
    assert booking.data["status"] == "confirmed"
    assert member.rpc("cancel_pilates_booking", {**whose, "p_booking_id": booking.data["id"]}).execute().data
    with pytest.raises(APIError) as missing:
        member.rpc("book_pilates_clas", {}).execute()
    assert missing.value.code == "PGRST202"


ERRORS: dict[str, tuple[str, Callable[[SyncPostgrestClient], Any], str]] = {
    "no table": ("anon", lambda c: c.table("nowhere").select("*"), "PGRST205"),
    "no column": ("anon", lambda c: c.table(SLOTS).select("nope"), "42703"),
    "no uuid": ("anon", lambda c: c.table(SLOTS).select("*").eq("id", "x"), "22P02"),
    "no column to fill": ("service", lambda c: c.table(SLOTS).insert({"nope": 1}), "PGRST204"),
    "no right to read": ("anon", lambda c: c.table(DEPOSITS).select("*"), "42501"),
    "no right to write": ("member", lambda c: c.table(DEPOSITS).insert({"deposit_remaining": 99}), "42501"),
    "expired": ("expired", lambda c: c.table(DEPOSITS).select("*"), "PGRST303"),
    "forged": ("forged", lambda c: c.table(DEPOSITS).select("*"), "PGRST301"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(world: World, name: str) -> None:
    who, query, code = ERRORS[name]
    with pytest.raises(APIError) as refused:
        query(world.client(who)).execute()
    assert refused.value.code == code


def test_who_sees_what(world: World) -> None:
    seen = {
        who: len(world.client(who).table(DEPOSITS).select("id").eq("user_id", world.ids["member"]).execute().data)
        for who in ("member", "stranger", "service")
    }
    assert seen == {"member": 1, "stranger": 0, "service": 1}


@pytest.mark.skipif(not (NODE and NPM), reason="Node.js and npm are not installed")
def test_the_client_of_web_apps_is_answered_as_by_supabase(world: World, tmp_path: Path) -> None:
    place = shutil.copytree(BROWSER, tmp_path / "clients", ignore=shutil.ignore_patterns("node_modules"))
    install = [NPM, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"]
    made = subprocess.run(install, cwd=place, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert made.returncode == 0, made.stderr
    told = json.dumps({"url": world.url, "tokens": world.tokens, "ids": world.ids})
    done = subprocess.run(
        [NODE, "--test", "--test-reporter=tap", str(place / "conformance.mjs")],
        env={**os.environ, "CONFORMANCE": told, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^# pass 8$", done.stdout, re.MULTILINE), done.stdout
