"""What an HTTP request asks for, as PostgREST understands it: by whom, in which form, and which statement that is."""

from __future__ import annotations

from dataclasses import dataclass

import jwt
import orjson
from starlette.requests import Request

from tools.studio import queries
from tools.studio.errors import RequestError
from tools.studio.queries import Statement
from tools.studio.schema_cache import SchemaCache


@dataclass
class Preferences:
    """The request header Prefer, as far as it is understood."""

    values: dict[str, str]

    @classmethod
    def of(cls, request: Request) -> Preferences:
        """Read all Prefer headers; the first of two equal names wins, as RFC 7240 says."""
        values: dict[str, str] = {}
        for item in ",".join(request.headers.getlist("prefer")).split(","):
            name, _, value = item.strip().partition("=")
            values.setdefault(name, value)
        return cls(values)

    def applied(self, *names: str) -> dict[str, str]:
        """Say which of them were applied."""
        there = [f"{name}={self.values[name]}" for name in names if self.values.get(name)]
        return {"Preference-Applied": ", ".join(there)} if there else {}


def claims_of(request: Request, jwt_secret: str, anon_role: str) -> dict[str, object]:
    """Check the bearer token and return its claims; the anonymous role's where there is none.

    Raises:
        RequestError: 401 with PGRST301 (cannot be decoded), PGRST302 or PGRST303 (claims do not hold).
    """
    header = request.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    if not header or scheme.lower() != "bearer":
        return {"role": anon_role}
    if not token.strip():
        raise RequestError(401, "PGRST301", "Empty JWT is sent in Authorization header")
    try:
        claims: dict[str, object] = jwt.decode(
            token.strip(), jwt_secret, algorithms=["HS256"], options={"verify_aud": False}, leeway=30
        )
    except jwt.ExpiredSignatureError:
        raise RequestError(401, "PGRST303", "JWT expired") from None
    except (jwt.ImmatureSignatureError, jwt.InvalidIssuedAtError):
        raise RequestError(401, "PGRST303", "JWT not yet valid") from None
    except jwt.InvalidTokenError:
        raise RequestError(
            401, "PGRST301", "No suitable key or wrong key type", "None of the keys was able to decode the JWT"
        ) from None
    claims.setdefault("role", anon_role)
    return claims


async def _json_body(request: Request) -> tuple[str, object]:
    text = (await request.body()).decode("utf-8", "replace")
    try:
        return text, orjson.loads(text) if text.strip() else None
    except orjson.JSONDecodeError:
        raise RequestError(400, "PGRST102", "Empty or invalid json") from None


async def call_statement(cache: SchemaCache, request: Request, name: str) -> Statement:
    """Make the statement that calls a function.

    Raises:
        RequestError: when the method, the body or the function is none that PostgREST takes.
    """
    if request.method in ("GET", "HEAD"):
        given: dict[str, object] = dict(request.query_params.multi_items())
        text = orjson.dumps(given).decode()
    elif request.method == "POST":
        text, parsed = await _json_body(request)
        if parsed is not None and not isinstance(parsed, dict):
            raise RequestError(400, "PGRST102", "All object keys must match")
        given = parsed or {}
    else:
        raise RequestError(405, "PGRST101", f"Cannot use the {request.method} method on RPC")
    function = queries.find_function(cache, name, set(given))
    return queries.call(cache, function, list(given), text)


async def table_statement(
    cache: SchemaCache, request: Request, name: str, preferences: Preferences
) -> tuple[Statement, int, bool]:
    """Make the statement that reads or changes a table.

    Returns:
        The statement, the status where it succeeds, and whether rows are shown.

    Raises:
        RequestError: when the method, the body or a name is none that PostgREST takes.
    """
    query = request.query_params.multi_items()
    if request.method in ("GET", "HEAD"):
        return queries.read(cache, name, query, count=preferences.values.get("count") == "exact"), 200, True
    shown = preferences.values.get("return") == "representation"
    if request.method == "DELETE":
        return queries.delete(cache, name, query, shown=shown), 200 if shown else 204, shown
    text, parsed = await _json_body(request)
    if request.method == "PATCH":
        if not isinstance(parsed, dict):
            raise RequestError(400, "PGRST102", "Empty or invalid json")
        return queries.update(cache, name, query, text, list(parsed), shown=shown), 200 if shown else 204, shown
    if request.method != "POST":
        raise RequestError(405, "PGRST117", f"Unsupported HTTP method: {request.method}")
    rows = parsed if isinstance(parsed, list) else [parsed]
    objects = [row for row in rows if isinstance(row, dict)]
    if not rows or len(objects) < len(rows):
        raise RequestError(400, "PGRST102", "Empty or invalid json")
    columns = list(objects[0])
    if any(set(row) != set(columns) for row in objects) and "columns" not in dict(query):
        raise RequestError(400, "PGRST102", "All object keys must match")
    text = text if isinstance(parsed, list) else f"[{text}]"
    resolution = preferences.values.get("resolution", "")
    return queries.insert(cache, name, query, text, columns, resolution=resolution, shown=shown), 201, shown
