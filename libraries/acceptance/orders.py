"""Looks for an order of calls that explains what was seen: linearizability, judged by the sequential model.

The search is Wing and Gong's: place one call after another, as long as the model answers what was seen. Two
prunings keep it small: a refusal that fits now changes nothing and is placed at once, and a state that was
reached before with the same calls left is not searched again (Lowe).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from acceptance.client import Outcome
from acceptance.model import STANDING, Answer, Booking, Call, Refusal, State, Status
from acceptance.policies import Choice, Policy, outcomes
from acceptance.snapshot import Snapshot

SEARCH_LIMIT = 20_000


class SearchLimitError(Exception):
    """Too many orders to judge; the verdict is unknown."""


@dataclass(frozen=True)
class Seen:
    """A call together with what its caller saw. None stands for "was not said".

    ``before`` is the place of a call, of those seen, that this one cannot come after.
    """

    call: Call
    outcome: Outcome
    reason: Refusal | None = None
    remaining: int | None = None
    given_back: int | None = None
    before: int | None = None


def fits(answer: Answer, seen: Seen) -> bool:
    """Tell whether the model's answer is what the caller saw."""
    if answer.accepted != (seen.outcome is Outcome.ACCEPTED):
        return False
    if not answer.accepted:
        return seen.reason is None or seen.reason in answer.refusals
    said = ((seen.remaining, answer.remaining), (seen.given_back, answer.given_back))
    return all(None in pair or pair[0] == pair[1] for pair in said)


def explain(
    state: State,
    seen: Sequence[Seen],
    final: Callable[[State], bool],
    policies: Mapping[Policy, Choice] = MappingProxyType({}),
) -> State | None:
    """Find an order of the calls that explains all answers and the rows found afterwards.

    Args:
        state: what stood before the calls.
        seen: the calls, with what their callers saw; an unknown outcome may have happened or not.
        final: tells whether a model state agrees with the rows found.
        policies: where the target's rules may be other than our studio's.

    Returns:
        The model's state after such an order, or None when there is none.

    Raises:
        SearchLimitError: when the search was given up.
    """
    visited: set[tuple[State, frozenset[int]]] = set()

    def search(state: State, left: frozenset[int]) -> State | None:
        for index in sorted(left):
            one = seen[index]
            if one.outcome is not Outcome.REFUSED or (one.before is not None and one.before not in left):
                continue
            if any(fits(answer, one) for _, answer in outcomes(state, one.call, policies)):
                left = left - {index}
        if not left:
            return state if final(state) else None
        if (state, left) in visited:
            return None
        if len(visited) >= SEARCH_LIMIT:
            raise SearchLimitError
        visited.add((state, left))
        for index in sorted(left):
            if seen[index].outcome is Outcome.REFUSED:
                continue
            possible = outcomes(state, seen[index].call, policies)
            if seen[index].outcome is Outcome.UNKNOWN:
                branches = {state, *(after for after, _ in possible)}
            else:
                branches = {after for after, answer in possible if fits(answer, seen[index])}
            for branch in branches:
                found = search(branch, left - {index})
                if found is not None:
                    return found
        return None

    return search(state, frozenset(range(len(seen))))


def state_of(state: State, found: Snapshot) -> State:
    """Put the rows that were found into the model's words; classes and what is known of deposits stay."""
    left = {row["id"]: row["deposit_remaining"] for row in found.deposits}
    deposits = tuple(replace(deposit, remaining=left.get(deposit.id, deposit.remaining)) for deposit in state.deposits)
    bookings = tuple(
        Booking(row["id"], row["user_id"], row["slot_id"], row.get("deposit_id", ""), Status(row["status"]))
        for row in found.bookings
    )
    return replace(state, deposits=deposits, bookings=bookings)


def agrees(state: State, found: Snapshot, names: Mapping[str, str]) -> bool:
    """Tell whether the rows are what the model holds.

    Args:
        state: the model's state; members, classes and deposits go by their rows' ids.
        found: the rows.
        names: row id to model name, for deposits that a call made.
    """
    deposits = {names.get(row["id"], row["id"]): row for row in found.deposits}
    expected = {deposit.id: deposit for deposit in state.deposits}
    unnamed = [name for name in deposits if name not in expected]
    for name, stray in zip([n for n in expected if n not in deposits], unnamed, strict=False):
        deposits[name] = deposits.pop(stray)  # a credit whose answer was lost: its row has no name yet
    if deposits.keys() != expected.keys():
        return False
    held = {row["id"]: (row["max_capacity"], row.get("is_active")) for row in found.slots}
    if any(held.get(slot.id) not in ((slot.capacity, slot.active), (slot.capacity, None)) for slot in state.slots):
        return False
    for name, deposit in expected.items():
        if deposits[name]["deposit_remaining"] != deposit.remaining:
            return False
        if not deposit.expired and deposits[name].get("is_active", deposit.active) != deposit.active:
            return False
    standing = [row for row in found.bookings if row["status"] in STANDING]
    rows = Counter((r["user_id"], r["slot_id"], r["status"]) for r in standing)
    wanted = [b for b in state.bookings if b.status in STANDING]
    if rows != Counter((b.member, b.slot, str(b.status)) for b in wanted):
        return False
    if not all("deposit_id" in row for row in standing):
        return True  # a target that does not say which deposit a booking was paid from
    paid = Counter((r["user_id"], r["slot_id"], names.get(r["deposit_id"], r["deposit_id"])) for r in standing)
    return paid == Counter((b.member, b.slot, b.deposit) for b in wanted)
