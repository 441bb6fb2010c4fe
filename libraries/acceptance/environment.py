"""The systems under test of ``data/environments.yaml``, and the connection to one of them."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acceptance import access, embedded
from acceptance.access import Access
from acceptance.datafiles import DATA, ROOT, check_schema, read_yaml
from acceptance.errors import SuiteError
from acceptance.model import Operation, Refusal, Status
from acceptance.policies import Choice, Policy

if TYPE_CHECKING:
    from acceptance.people import People

FILE = DATA / "environments.yaml"
# Said once on the command line, known to every process of a command.
READ_ONLY = "PILATES_READ_ONLY"
ON_PRODUCTION = "PILATES_ON_PRODUCTION"
# Where the proxy in front of a system given by its URL listens, known to every process of a run.
NETWORK = "PILATES_NETWORK"
LOCATIONS = ("api_url", "database_url", "jwt_secret", "api_key", "calendar_url", "ca_file")


@dataclass(frozen=True)
class Wording:
    """How a target says and keeps what the contract says and keeps otherwise; what is not here is looked for.

    Args:
        arguments: by operation: our word (member, class, booking, reason, classes) to the name of its argument.
        extra_arguments: by operation: further arguments with their values.
        answers: by operation: our word (booking, left, given_back, deposit) to where it stands in the answer, with
            dots from level to level.
        soft_errors: ``flag``, the field that is false when a call with the status 200 was refused, and ``message``.
        statuses: our status of a booking to the target's word.
        roles: our role of a person to the target's word.
        composites: operations that an app makes of several calls.
        values: by table: columns with the values that new rows get.
        parents: tables in which each member needs a row before anything else.
        counter: the column of a class that counts its bookings.
        credited: the column of a deposit that keeps how many classes were paid for.
        other_statuses: further words of a booking's status, to whether a class is "paid" for it or it is "free".
        idempotency: whether the target keeps idempotency keys; None looks for a table of them.
    """

    arguments: Mapping[Operation, Mapping[str, str]] = field(default_factory=dict)
    extra_arguments: Mapping[Operation, Mapping[str, Any]] = field(default_factory=dict)
    answers: Mapping[Operation, Mapping[str, str]] = field(default_factory=dict)
    soft_errors: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[Status, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    composites: Mapping[Operation, tuple[Operation, ...]] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    counter: str = ""
    credited: str = ""
    other_statuses: Mapping[str, str] = field(default_factory=dict)
    idempotency: bool | None = None


@dataclass(frozen=True)
class Environment:
    """One entry of the file, with defaults filled in and secrets still unresolved.

    ``sql`` are the files of somebody else's system, which the embedded PostgreSQL gets instead of the studio's rules;
    ``zone_given`` says whether the entry itself names a zone, ``policies`` what a studio may choose otherwise,
    ``access`` who may do what.
    """

    name: str
    description: str
    zone: str
    read_only: bool
    functions: dict[Operation, str]
    refusals: dict[Refusal, re.Pattern[str]]
    instruments: bool = False
    start: Path | None = None
    locations: dict[str, str] = field(default_factory=dict)
    sql: tuple[Path, ...] = ()
    takes_sql: bool = False
    zone_given: bool = True
    functions_given: frozenset[Operation] = frozenset()
    wording: Wording = field(default_factory=Wording)
    policies: Mapping[Policy, Choice] = field(default_factory=dict)
    production: bool = False
    access: Access = field(default_factory=access.read)
    tokens: Mapping[str, str] = field(default_factory=dict)
    sign_in: Mapping[str, Any] = field(default_factory=dict)

    @property
    def users_given(self) -> bool:
        """Whether the actors of the cases are users that the entry gives, since nothing signs tokens for others."""
        return bool(self.tokens or self.sign_in) and "jwt_secret" not in self.locations

    @property
    def only_read(self) -> bool:
        """Whether nothing may be written there: the entry says so, or whoever called us does."""
        return self.read_only or READ_ONLY in os.environ

    @property
    def foreign(self) -> bool:
        """Whether the rules are not those of our own studio, so that its shape is looked at instead of known."""
        return self.start is None or self.takes_sql


@dataclass
class Target:
    """A system that answers: its environment, where it is, and how to get in. The secrets never show in a repr.

    ``network_url`` is the proxy in front of the API that disturbs calls; empty where there is none. ``calendar_url`` is
    where the members' calendars are (CalDAV), with user and password; empty where there is none. ``ca_file`` is the
    bundle of certificates by which the API's own is judged; empty: those that everybody trusts.
    """

    environment: Environment
    api_url: str
    database_url: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    api_key: str = field(repr=False, default="")
    network_url: str = ""
    calendar_url: str = field(repr=False, default="")
    ca_file: str = ""
    tokens: dict[str, str] = field(repr=False, default_factory=dict)
    sign_in: dict[str, Any] = field(repr=False, default_factory=dict)
    people: People | None = field(repr=False, default=None)
    lease: embedded.Studio | None = field(repr=False, default=None)

    def without_secrets(self, text: str) -> str:
        """Blot out in somebody else's words what is secret, should they have repeated it."""
        users = self.sign_in.get("users", {}).values()
        secrets = [self.jwt_secret, self.api_key, *self.tokens.values(), *(user["password"] for user in users)]
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def close(self) -> None:
        """Give up the lease of an embedded studio; it stops when nobody else holds one."""
        if self.lease is not None:
            self.lease.close()


def names() -> list[str]:
    """Return the names of all environments, in the file's order."""
    return list(_document()["environments"])


def load(name: str, sql: Sequence[Path] = ()) -> Environment:
    """Read one environment.

    Args:
        name: a key under ``environments`` in ``data/environments.yaml``.
        sql: SQL files that take the place of those that the entry names.

    Raises:
        SuiteError: when the file is malformed or has no such entry, or files are given that it does not take.
    """
    document = _document()
    if name not in document["environments"]:
        known = ", ".join(document["environments"])
        raise SuiteError(f"{FILE}: environments: there is no environment {name!r}; known: {known}.")
    defaults, entry = document["defaults"], document["environments"][name]
    functions = {**defaults.get("functions", {}), **entry.get("functions", {})}
    merged = {**defaults, **entry}
    if sql and "sql" not in entry:
        raise SuiteError(f"{FILE}: {name}: takes no SQL files; leave --env away, or name an entry that has `sql`.")
    foreign = "start" not in entry or "sql" in entry
    refusals = {**defaults["usual_refusals" if foreign else "refusals"], **entry.get("refusals", {})}
    policies = {**dict.fromkeys(Policy, Choice.EITHER if foreign else Choice.OURS), **_policies(entry)}
    return Environment(
        name=name,
        description=merged["description"],
        zone=merged["zone"],
        read_only=merged["read_only"],
        functions={Operation(key): value for key, value in functions.items()},
        refusals={Refusal[key]: re.compile(value, re.IGNORECASE) for key, value in refusals.items()},
        instruments=merged["instruments"],
        start=ROOT / merged["start"] if "start" in merged else None,
        sql=tuple(path.resolve() for path in sql) or tuple(_file(name, one) for one in entry.get("sql", ())),
        takes_sql="sql" in entry,
        zone_given="zone" in entry or not foreign,
        functions_given=frozenset(Operation(key) for key in entry.get("functions", {})),
        wording=_wording(entry),
        policies=policies,
        production=merged.get("production", False),
        access=access.for_target(entry.get("access", {}), f"{FILE}: {name}.access"),
        tokens=entry.get("tokens", {}),
        sign_in=entry.get("sign_in", {}),
        locations={k: merged[k] for k in LOCATIONS if k in merged},
    )


def check_writable(environment: Environment) -> None:
    """Look whether an environment may be written to.

    Raises:
        SuiteError: when it is read-only, or members depend on it and nobody has said its name a second time.
    """
    name = environment.name
    if environment.read_only:
        raise SuiteError(f"{FILE}: {name}.read_only: is true; this command writes rows. Choose another environment.")
    if READ_ONLY in os.environ:
        raise SuiteError(f"{name}: --read-only was said, and this command writes rows.")
    if environment.production and os.environ.get(ON_PRODUCTION) != name:
        words = f"is true; this command writes rows. If that is meant, say --on-production {name} before the command"
        raise SuiteError(f"{FILE}: {name}.production: {words}.")


def connect(environment: Environment, overlays: Sequence[Path] = (), *, private: bool = False) -> Target:
    """Find the system of an environment, starting the embedded studio where nobody has yet.

    Args:
        environment: what to connect to.
        overlays: SQL files applied last (defects on purpose); the embedded studio only.
        private: whether to have a studio that nobody else uses; the embedded one only.

    Raises:
        SuiteError: when a secret is not set, the studio does not start, or a real system is asked for either.
    """
    if environment.takes_sql and not environment.sql:
        raise SuiteError(f"{environment.name}: names no SQL files; give them: run --sql schema.sql --sql rules.sql.")
    if environment.start is not None:
        studio = embedded.attach(environment.start, overlays, private=private, foreign=environment.sql)
        return Target(
            environment,
            studio.api_url,
            studio.database_url,
            studio.jwt_secret,
            network_url=studio.network_url,
            calendar_url=studio.calendar_url,
            lease=studio,
        )
    if overlays:
        raise SuiteError(
            f"{environment.name}: an overlay breaks a system on purpose; only the embedded studio takes one."
        )
    if private:
        raise SuiteError(f"{environment.name}: only the embedded studio can be had for oneself.")
    resolved: dict[str, Any] = {
        key: _resolve(environment.name, key, value) for key, value in environment.locations.items()
    }
    resolved["network_url"] = os.environ.get(NETWORK, "")
    resolved["api_url"] = resolved["api_url"].rstrip("/")
    if "ca_file" in resolved:
        resolved["ca_file"] = _bundle(environment.name, resolved["ca_file"])
    if environment.users_given:
        resolved |= {"jwt_secret": ""}
        tokens, sign_in = (_resolved(environment.name, key, getattr(environment, key)) for key in ("tokens", "sign_in"))
        return Target(environment, **resolved, tokens=tokens, sign_in=sign_in)
    return Target(environment, **resolved)


def _file(name: str, path: str, key: str = "sql") -> Path:
    """Find a file that an entry names, from the project's root or from the file's own folder."""
    for folder in (ROOT, FILE.parent):
        if (folder / path).is_file():
            return (folder / path).resolve()
    raise SuiteError(f"{FILE}: {name}.{key}: there is no file {path}, neither from {ROOT} nor from {FILE.parent}.")


def _bundle(name: str, path: str) -> str:
    """Find a bundle of certificates, and look whether it is one."""
    found = _file(name, path, "ca_file")
    try:
        ssl.create_default_context(cafile=found)
    except ssl.SSLError:
        raise SuiteError(f"{FILE}: {name}.ca_file: {found} holds no certificates (PEM).") from None
    return str(found)


def _policies(entry: dict[str, Any]) -> dict[Policy, Choice]:
    return {Policy(key): Policy(key).choice(word) for key, word in entry.get("policies", {}).items()}


def _wording(entry: dict[str, Any]) -> Wording:
    def by_operation(key: str) -> dict[Operation, Any]:
        return {Operation(name): value for name, value in entry.get(key, {}).items()}

    return Wording(
        arguments=by_operation("arguments"),
        extra_arguments=by_operation("extra_arguments"),
        answers=by_operation("answers"),
        soft_errors=entry.get("soft_errors", {}),
        statuses={Status(key): value for key, value in entry.get("statuses", {}).items()},
        roles=entry.get("roles", {}),
        composites={key: tuple(map(Operation, calls)) for key, calls in by_operation("composites").items()},
        values=entry.get("values", {}),
        parents=tuple(entry.get("parents", ())),
        counter=entry.get("counter", ""),
        credited=entry.get("credited", ""),
        other_statuses=entry.get("other_statuses", {}),
        idempotency=entry.get("idempotency"),
    )


def _document() -> dict[str, Any]:
    document: dict[str, Any] = read_yaml(FILE)
    check_schema(document, DATA / "environments.schema.json", FILE)
    return document


def _resolved(name: str, key: str, said: Any) -> Any:
    """Replace the variables at any depth."""
    if isinstance(said, Mapping):
        return {word: _resolved(name, f"{key}.{word}", value) for word, value in said.items()}
    return _resolve(name, key, said)


def _resolve(name: str, key: str, value: str) -> str:
    """Replace each ``${VARIABLE}`` by the process environment's value."""

    def from_environment(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise SuiteError(f"{FILE}: {name}.{key}: set the environment variable {match[1]} first.")
        return os.environ[match[1]]

    return re.sub(r"\$\{(\w+)\}", from_environment, value)
