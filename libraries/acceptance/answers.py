"""Reads what another target answers: a refusal that looks like a success, and what is said, in our words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from acceptance.model import Operation

# Where an answer without a mapping may say something, in this order; also one level down.
SAYS: dict[str, tuple[str, ...]] = {
    "booking": ("booking_id", "bookingId", "new_booking_id", "reservation_id", "id"),
    "left": ("deposit_remaining", "remaining", "classes_left", "classes_remaining", "credits_left", "credits_remaining",
             "remaining_classes", "balance", "new_balance"),
    "given_back": ("given_back", "classes_given_back", "classes_returned", "refunded", "classes_refunded", "returned"),
    "deposit": ("deposit_id", "depositId", "id"),
}  # fmt: skip
INSIDE = ("data", "result", "booking", "deposit", "reservation")
OUR_WORDS = {"booking": "booking_id", "left": "deposit_remaining", "given_back": "given_back", "deposit": "deposit_id"}
SAID_OF = {
    Operation.BOOK: ("booking", "left"),
    Operation.RESCHEDULE: ("booking", "left"),
    Operation.CANCEL: ("given_back",),
    Operation.ADMIN_REMOVE: ("given_back",),
    Operation.CREDIT: ("deposit",),
}
FLAGS, MESSAGES = ("success", "ok", "succeeded"), ("error", "message", "error_message", "reason", "detail", "code")
UUID_TEXT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def soft_error(body: Any, wording: Mapping[str, str]) -> str | None:
    """Find a refusal inside an answer with the status 200.

    Args:
        body: the answer.
        wording: `flag` and `message`, the keys that say so, where they are known.

    Returns:
        The words of the refusal; None when the answer is none.
    """
    body = _single(body)
    if body is False:
        return "the answer is false"
    if not isinstance(body, dict):
        return None
    flags = (wording["flag"],) if "flag" in wording else FLAGS
    messages = (wording["message"],) if "message" in wording else MESSAGES
    words = next((str(body[key]) for key in messages if body.get(key)), "")
    if any(body.get(flag) is False for flag in flags) or str(body.get("status", "")).lower() in ("error", "failed"):
        return words or "the answer says that it failed, and not why"
    said_yes = any(body.get(flag) is True for flag in flags)
    return str(body["error"]) if not said_yes and body.get("error") else None


def read(operation: Operation, body: Any, answers: Mapping[str, str]) -> dict[str, Any]:
    """Read what an accepted answer says, in our words.

    Args:
        operation: what was asked for.
        body: the answer.
        answers: where it says which word of ours, as far as that is known; the rest is guessed by what it looks like.

    Returns:
        The words that were said; one that `answers` maps is said even if it is null.
    """
    said: dict[str, Any] = {}
    for word in SAID_OF.get(operation, ()):
        mapped = answers.get(word)
        if mapped is not None:
            said[OUR_WORDS[word]] = _at(_single(body), mapped)
            continue
        value = _guess(word, _single(body))
        if value is not None:
            said[OUR_WORDS[word]] = value
    return said


def _single(body: Any) -> Any:
    """Return the one row of a set."""
    return body[0] if isinstance(body, list) and len(body) == 1 else body


def _at(body: Any, path: str) -> Any:
    for key in path.split("."):
        if key:
            body = body.get(key) if isinstance(body, dict) else None
    return body


def _guess(word: str, body: Any) -> Any:
    """Find a value in an answer by what it looks like."""
    if isinstance(body, dict):
        for inside in (body, *(body[key] for key in INSIDE if isinstance(body.get(key), dict))):
            for key in SAYS[word]:
                if key in inside and _fits(word, inside[key]):
                    return inside[key]
        return None
    bare = (word == "booking" or word == "given_back" or word == "deposit") and not isinstance(body, bool)
    return body if bare and _fits(word, body) else None


def _fits(word: str, value: Any) -> bool:
    if word in ("booking", "deposit"):
        return isinstance(value, str) and UUID_TEXT.fullmatch(value) is not None
    return isinstance(value, int) and not isinstance(value, bool)
