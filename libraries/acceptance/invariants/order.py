"""What happened at once is as if one call had come after the other."""

from __future__ import annotations

from collections.abc import Iterator

from acceptance.invariants.facts import Facts
from acceptance.invariants.register import invariant
from acceptance.model import Operation

# What no call of a member or of the front desk ever changes, by table.
UNCHANGED = {
    "deposits": ("user_id", "credited_at", "expires_at"),
    "bookings": ("user_id",),
    "slots": ("date", "start_time", "end_time"),
}


@invariant("I13")
def some_order_explains(facts: Facts) -> Iterator[str]:
    """Take up the verdict of the search in ``orders.explain``; what no call changes must be as it was."""
    credited = any(done.call.operation is Operation.CREDIT for done in facts.step)
    for table, names in UNCHANGED.items():
        if table == "deposits" and credited:
            continue  # a studio may top a deposit up, and let it last longer
        before = {row["id"]: row for row in getattr(facts.before, table)}
        for row in getattr(facts.after, table) if facts.step else ():
            was = before.get(row["id"], {})
            for name in names:
                if was.get(name, row.get(name)) != row.get(name):
                    what = f"{name} of the {table.removesuffix('s')} {row['id']}"
                    yield f"{what} went from {was[name]} to {row.get(name)}, and no call does that."
    if facts.explained is True:
        return
    told = "; ".join(f"{done.caller.name} {done.call.operation}: {done.reply.described()}" for done in facts.step)
    if facts.explained is None:
        yield f"too many orders to judge ({told})."
    else:
        yield f"no order of the calls gives these answers and these rows ({told})."
