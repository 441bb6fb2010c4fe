"""A faithful subset of PostgREST 14 in front of a PostgreSQL database: one transaction per request.

    PILATES_JWT_SECRET=... python -m tools.studio.gateway --database-url postgresql://... --port 3000

What a request may do is decided by PostgreSQL alone: the token's role, grants and row-level security. Behaviour
and wording follow docs.postgrest.org (references: errors, transactions, auth, api).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import asyncpg
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tools.studio import queries, schema_cache
from tools.studio.errors import LOST, RequestError, database_error, error_response
from tools.studio.queries import Statement, literal
from tools.studio.reading import Preferences, call_statement, claims_of, table_statement

POOL_WAIT_SECONDS = 10
RELOAD_SECONDS = 1.0
SLOWEST_START_SECONDS = 15
PREFIX = "/rest/v1"
OBJECT = "application/vnd.pgrst.object+json"
KEEP_ALIVE_SECONDS = 3600
METHODS = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"]


@dataclass
class Gateway:
    """What the requests share."""

    database_url: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    schema: str
    anon_role: str
    pool_size: int
    warm: int = 20  # connections opened at the start
    extra_search_path: str = "public"
    pool: asyncpg.Pool = field(init=False)
    cache: schema_cache.SchemaCache = field(init=False)
    _loaded: float = 0.0
    _listener: asyncpg.Connection | None = None

    async def start(self) -> None:
        """Open the pool and read the schema cache; NOTIFY pgrst reads it again."""
        self.pool = await asyncpg.create_pool(
            self.database_url,
            min_size=min(self.warm, self.pool_size),
            max_size=self.pool_size,
            reset=_nothing_to_reset,
            timeout=POOL_WAIT_SECONDS,
        )
        await self.reload()
        self._listener = await asyncpg.connect(self.database_url)
        await self._listener.add_listener("pgrst", lambda *_: asyncio.ensure_future(self.reload()))

    async def stop(self) -> None:
        """Close all connections."""
        if self._listener is not None:
            await self._listener.close()
        await self.pool.close()

    async def reload(self) -> None:
        """Read the schema cache."""
        async with self.pool.acquire() as connection:
            self.cache = await schema_cache.load(connection, self.schema)
        self._loaded = time.monotonic()

    async def reload_if_old(self) -> bool:
        """Read the schema cache once more when a name was not found, but not for every such request."""
        if time.monotonic() - self._loaded < RELOAD_SECONDS:
            return False
        await self.reload()
        return True


async def _nothing_to_reset(_connection: asyncpg.Connection) -> None:
    """Do nothing: everything a request sets is local to its transaction, so a round trip is spared."""


def opening(
    request: Request, claims: dict[str, object], schema: str, zone: str | None, extra_search_path: str = "public"
) -> str:
    """Write the statements that open a request's transaction: one round trip for all of its settings."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.raw}
    headers.pop("authorization", None)
    settings = {
        "role": str(claims["role"]),
        "search_path": f"{queries.identifier(schema)}, {extra_search_path}",
        "request.jwt.claims": orjson.dumps(claims).decode(),
        "request.headers": orjson.dumps(headers).decode(),
        "request.method": request.method,
        "request.path": request.url.path,
    }
    if zone:
        settings["timezone"] = zone
    calls = ", ".join(f"set_config({literal(name)}, {literal(value)}, true)" for name, value in settings.items())
    mode = "read only" if request.method in ("GET", "HEAD") else "read write"
    return f"begin isolation level read committed {mode}; select {calls}"


async def run(
    gateway: Gateway, request: Request, claims: dict[str, object], statement: Statement, zone: str | None, expect: str
) -> asyncpg.Record:
    """Run a statement in a transaction of its own and return its row.

    The answer exists only once COMMIT has succeeded: a deferred constraint that fails there is an error too.
    """
    async with gateway.pool.acquire(timeout=POOL_WAIT_SECONDS) as connection:
        try:
            await connection.execute(opening(request, claims, gateway.schema, zone, gateway.extra_search_path))
            row = await connection.fetchrow(statement.sql, *statement.parameters)
            if row is None:
                raise LookupError("a statement without a row; each is an aggregate, which has one.")
            if expect == "object" and row["count"] != 1:
                raise _not_one_row(row["count"])
            await connection.execute("commit")
        except BaseException:
            await _roll_back(connection)
            raise
        return row


async def _roll_back(connection: schema_cache.Connection) -> None:
    """Undo what a request did. A connection that is lost, or just dying, has nothing to undo and is not used again."""
    try:
        await connection.execute("rollback")
    except (asyncpg.PostgresError, *LOST):
        with suppress(asyncpg.InterfaceError):  # the pool has noticed, and taken it back
            connection.terminate()


def _not_one_row(count: int) -> RequestError:
    return RequestError(
        406, "PGRST116", "Cannot coerce the result to a single JSON object", f"The result contains {count} rows"
    )


async def answer(gateway: Gateway, request: Request) -> Response:
    """Answer one request."""
    claims = claims_of(request, gateway.jwt_secret, gateway.anon_role)
    request.state.role = claims["role"]
    try:
        return await _answer(gateway, request, claims)
    except RequestError as error:
        if error.code not in ("PGRST202", "PGRST205", "PGRST204") or not await gateway.reload_if_old():
            raise
        return await _answer(gateway, request, claims)


async def _answer(gateway: Gateway, request: Request, claims: dict[str, object]) -> Response:
    path = request.url.path.removeprefix(PREFIX).strip("/")
    preferences = Preferences.of(request)
    zone = await _known_zone(gateway, preferences.values.get("timezone"))
    wants_object = OBJECT in request.headers.get("accept", "")
    if path.startswith("rpc/"):
        statement = await call_statement(gateway.cache, request, path.removeprefix("rpc/"))
        status, representation = 200, True
    else:
        if not path or "/" in path:
            raise RequestError(404, "PGRST125", "Invalid path specified in request URL")
        statement, status, representation = await table_statement(gateway.cache, request, path, preferences)
    expect = "object" if wants_object and representation and not path.startswith("rpc/") else "rows"
    row = await run(gateway, request, claims, statement, zone, expect)
    headers = preferences.applied("return", "resolution", "count") | (
        {"Preference-Applied": f"timezone={zone}"} if zone else {}
    )
    body = row["body"]
    if expect == "object":
        body = body[1:-1]
    if not path.startswith("rpc/"):
        headers["Content-Range"], partial = _content_range(request, row, preferences)
        status = partial or status
    if row.get("headers"):
        headers |= {name: value for item in orjson.loads(row["headers"]) for name, value in item.items()}
    if row.get("status"):
        status = int(row["status"])
    if body == "" and status == 200:
        status = 204
    media = OBJECT if expect == "object" else "application/json"
    content = b"" if request.method == "HEAD" else body.encode()
    return Response(content, status, headers, f"{media}; charset=utf-8" if body else None)


def _content_range(request: Request, row: asyncpg.Record, preferences: Preferences) -> tuple[str, int | None]:
    """Say which rows of how many these are, and by which status, where a count was wished: PostgREST's RangeQuery.hs.

    Raises:
        RequestError: 416 with PGRST103 when it begins beyond the last one.
    """
    count, start = row["count"], 0
    total = row["total"] if "total" in row else count if preferences.values.get("count") == "exact" else None
    status = None
    if request.method in ("GET", "HEAD"):
        start = int(request.query_params.get("offset", 0))
        if total is not None and start > total:
            details = f"An offset of {start} was requested, but there are only {total} rows."
            raise RequestError(416, "PGRST103", "Requested range not satisfiable", details)
        status = 206 if total is not None and count < total else None
    shown = count and request.method in ("GET", "HEAD", "PATCH")
    return f"{f'{start}-{start + count - 1}' if shown else '*'}/{'*' if total is None else total}", status


async def _known_zone(gateway: Gateway, zone: str | None) -> str | None:
    """Return a preferred time zone that PostgreSQL knows; as in PostgREST others are ignored."""
    if not zone:
        return None
    if zone not in _ZONES:
        async with gateway.pool.acquire(timeout=POOL_WAIT_SECONDS) as connection:
            _ZONES[zone] = await connection.fetchval(
                "select exists (select from pg_timezone_names where name = $1)", zone
            )
    return zone if _ZONES[zone] else None


_ZONES: dict[str, bool] = {}


async def endpoint(request: Request) -> Response:
    """Answer a request, whatever happens, and write its line to the log."""
    started = time.perf_counter()
    gateway: Gateway = request.app.state.gateway
    response = _preflight(request) if request.method == "OPTIONS" else await _safely(gateway, request)
    response.headers["Access-Control-Allow-Origin"] = request.headers.get("origin", "*")
    response.headers["Access-Control-Expose-Headers"] = "Content-Range, Content-Type, Date, Location"
    record = {
        "trace_id": request.headers.get("x-trace-id"),
        "test_id": request.headers.get("x-test-id"),
        "actor": request.headers.get("x-actor"),
        "method": request.method,
        "path": request.url.path,
        "status": response.status_code,
        "ms": round((time.perf_counter() - started) * 1000, 2),
    }
    sys.stderr.write(orjson.dumps(record).decode() + "\n")
    return response


def _preflight(request: Request) -> Response:
    asked = request.headers.get("access-control-request-headers", "")
    allowed = ", ".join(dict.fromkeys(["Authorization", *filter(None, (h.strip() for h in asked.split(",")))]))
    headers = {
        "Access-Control-Allow-Methods": "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD",
        "Access-Control-Allow-Headers": allowed,
        "Access-Control-Max-Age": "86400",
    }
    return Response(b"", 200, headers)


async def _safely(gateway: Gateway, request: Request) -> Response:
    try:
        return await answer(gateway, request)
    except RequestError as error:
        return error_response(error.status, error.code, error.message, error.details, error.hint)
    except TimeoutError:  # an OSError too
        return error_response(504, "PGRST003", "Timed out acquiring connection from connection pool.")
    except LOST as error:
        return error_response(503, "PGRST001", "Database connection error. Retrying the connection.", str(error))
    except asyncpg.PostgresError as error:
        return database_error(error, anonymous=request.state.role == gateway.anon_role)
    except ClientDisconnect:
        return Response(status_code=400)


async def ready(request: Request) -> Response:
    """Say whether the database answers."""
    try:
        await request.app.state.gateway.pool.fetchval("select 1")
    except (asyncpg.PostgresError, *LOST):
        return Response(status_code=503)
    return Response(status_code=200)


def application(gateway: Gateway) -> Starlette:
    """Make the ASGI application of a gateway."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.gateway = gateway
        await gateway.start()
        yield
        await gateway.stop()

    routes = [Route("/ready", ready, methods=["GET"]), Route("/{path:path}", endpoint, methods=METHODS)]
    return Starlette(routes=routes, lifespan=lifespan)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the process is told to end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--database-url", default=os.environ.get("PILATES_DATABASE_URL"), help="default: $PILATES_DATABASE_URL"
    )
    parser.add_argument("--schema", default="public", help="the schema to expose")
    parser.add_argument("--extra-search-path", default="public", help="schemas to look names up in after it")
    parser.add_argument("--anon-role", default="anon", help="the role of requests without a token")
    parser.add_argument("--pool", type=int, default=40, help="the most database connections")
    parser.add_argument("--host", default="127.0.0.1")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int)
    where.add_argument("--fd", type=int, help="a listening socket that was handed down")
    options = parser.parse_args(arguments)
    secret = os.environ.get("PILATES_JWT_SECRET")
    if not secret or not options.database_url:
        print("gateway: set PILATES_JWT_SECRET, and --database-url or PILATES_DATABASE_URL.", file=sys.stderr)
        return 2
    try:
        listener = (
            socket.socket(fileno=options.fd)
            if options.fd is not None
            else socket.create_server((options.host, options.port), backlog=256)
        )
    except OSError as error:
        print(f"gateway: cannot listen on {options.host}:{options.port}: {error.strerror}.", file=sys.stderr)
        return 2
    # Accepted connections inherit it. Head and body leave in two writes; Nagle and a delayed ACK would cost 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    gateway = Gateway(options.database_url, secret, options.schema, options.anon_role, options.pool)
    gateway.extra_search_path = options.extra_search_path
    try:
        asyncio.run(_check(options.database_url))
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        print(f"gateway: the database does not let us in: {error}", file=sys.stderr)
        return 2
    config = uvicorn.Config(
        application(gateway),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        server_header=False,
        # A proxy that keeps connections open must never send on one that is just being closed for idleness.
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run(sockets=[listener])
    return 0


async def _check(url: str) -> None:
    connection = await asyncpg.connect(url, timeout=SLOWEST_START_SECONDS)
    await connection.close()


if __name__ == "__main__":
    sys.exit(main())
