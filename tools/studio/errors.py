"""What goes wrong, as PostgREST says it: its codes, and the HTTP status of each of PostgreSQL's."""

from __future__ import annotations

import asyncpg
import orjson
from starlette.responses import Response

# The database is away, or goes away while it is asked; what became of the request is then open.
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)

# https://docs.postgrest.org/en/v14/references/errors.html: first exact codes, then classes of codes.
STATUS_OF_CODE = {"23503": 409, "23505": 409, "25006": 405, "42883": 404, "42P01": 404, "42P17": 500, "P0001": 400}
STATUS_OF_CLASS = {
    "08": 503,
    "09": 500,
    "0L": 403,
    "0P": 403,
    "25": 500,
    "28": 403,
    "2D": 500,
    "38": 500,
    "39": 500,
    "3B": 500,
    "40": 500,
    "53": 503,
    "54": 500,
    "55": 500,
    "57": 500,
    "58": 500,
    "F0": 500,
    "HV": 500,
    "P0": 500,
    "XX": 500,
}


class RequestError(Exception):
    """A request the gateway itself turns away: PostgREST's code, the HTTP status and the message."""

    def __init__(self, status: int, code: str, message: str, details: str | None = None, hint: str | None = None):
        super().__init__(message)
        self.status, self.code, self.message, self.details, self.hint = status, code, message, details, hint


def error_response(
    status: int, code: str, message: str, details: str | None = None, hint: str | None = None
) -> Response:
    """Make an error in PostgREST's shape."""
    body = orjson.dumps({"code": code, "details": details, "hint": hint, "message": message})
    headers = (
        {"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{message}"'}
        if code in ("PGRST301", "PGRST303")
        else {}
    )
    if status == 401 and not headers:
        headers = {"WWW-Authenticate": "Bearer"}
    return Response(body, status, headers, "application/json; charset=utf-8")


def database_error(error: asyncpg.PostgresError, *, anonymous: bool) -> Response:
    """Turn PostgreSQL's error into an HTTP answer."""
    code = error.sqlstate or "XX000"
    if code.startswith("PT") and code[2:].isdigit():
        status = int(code[2:])
    elif code == "42501":
        status = 401 if anonymous else 403
    else:
        status = STATUS_OF_CODE.get(code) or STATUS_OF_CLASS.get(code[:2], 400)
    return error_response(status, code, error.message or str(error), error.detail, error.hint)
