"""The studio's functions, called as PostgREST calls them, on connections of our own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - the class is spelt in lower case

FUNCTIONS = {
    "book": "select booking_id::text, deposit_remaining from book_pilates_class(%s, %s)",
    "cancel": "select cancel_pilates_booking(%s, %s)",
    "move": "select booking_id::text, deposit_remaining from reschedule_pilates_booking(%s, %s, %s)",
    "remove": "select admin_remove_pilates_booking(%s, 'because')",
    "confirm": "select confirm_pilates_attendance(%s, %s)",
    "credit": "select deposit_id::text, deposit_remaining from credit_pilates_deposit(%s, %s)",
    "credit until": "select deposit_id::text, deposit_remaining from credit_pilates_deposit(%s, %s, %s)",
    "expire": "select check_and_expire_pilates_deposits()",
}
EMPTY = (
    "truncate user_profiles, pilates_schedule_slots, pilates_audit_log, pilates_calendar_outbox, idempotency_keys"
    " cascade"
)


def act_as(cursor: Cursor, user_id: str | None, settings: Mapping[str, str] | None = None, **claims: Any) -> None:
    """Do the rest of a transaction with somebody's rights.

    Args:
        cursor: in the transaction.
        user_id: None is a visitor, who has not signed in.
        settings: further ones, until the end of the transaction.
        claims: further ones in the token.
    """
    role = "authenticated" if user_id else "anon"
    signed = {"role": role, **({"sub": user_id} if user_id else {}), **claims}
    told = {"role": role, "request.jwt.claims": json.dumps(signed), **(settings or {})}
    chosen = ", ".join(["set_config(%s, %s, true)"] * len(told))
    cursor.execute(f"select {chosen}", [text for pair in told.items() for text in pair])


def arguments(what: str, member: str, booking: str, slot: str) -> tuple[str | int, ...]:
    """Return what a function is called with."""
    return {
        "book": (member, slot),
        "cancel": (booking, member),
        "move": (booking, member, slot),
        "remove": (booking,),
        "confirm": (booking, member),
        "credit": (member, 1),
        "expire": (),
    }[what]
