"""Reads what a person edits in ``data/`` and says clearly what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from acceptance.errors import SuiteError

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"


def read_yaml(path: Path) -> Any:
    """Read one YAML file.

    Raises:
        SuiteError: when the file is missing or is not YAML; names the file and the line.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except OSError as error:
        raise SuiteError(f"{path}: cannot be read: {error.strerror}.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise SuiteError(f"{place}: is not valid YAML: {getattr(error, 'problem', error)}.") from None


def check_schema(document: Any, schema: Path, path: Path) -> None:
    """Check a document against a JSON Schema file.

    Raises:
        SuiteError: names the file, the key that is wrong and why.
    """
    error = best_match(Draft202012Validator(json.loads(schema.read_text())).iter_errors(document))
    if error is not None:
        key = ".".join(str(part) for part in error.absolute_path) or "(top level)"
        raise SuiteError(f"{path}: {key}: {error.message}.")


@dataclass(frozen=True)
class Device:
    """A client profile of ``data/devices.yaml``: how this kind of client behaves on the wire (times in seconds)."""

    name: str
    weight: float
    label: str
    headers: dict[str, str]
    connect_timeout: float
    read_timeout: float
    retries: int
    retry_statuses: frozenset[int]
    prefer_timezone: bool


@cache
def devices() -> dict[str, Device]:
    """Return the client profiles by name.

    Raises:
        SuiteError: when ``data/devices.yaml`` is malformed.
    """
    path = DATA / "devices.yaml"
    result = {}
    for name, entry in _entries(path, "devices").items():
        try:
            result[name] = Device(name, **{**entry, "retry_statuses": frozenset(entry["retry_statuses"])})
        except (KeyError, TypeError) as error:
            raise SuiteError(f"{path}: {name}: missing or unknown key: {error}.") from None
    return result


@cache
def profiles() -> dict[str, dict[str, Any]]:
    """Return the user profiles of ``data/users.yaml`` by id.

    Raises:
        SuiteError: when the file is malformed.
    """
    path = DATA / "users.yaml"
    users = _entries(path, "users")
    found: dict[str, dict[str, Any]] = {user["id"]: user for user in users} if isinstance(users, list) else users
    return found


def _entries(path: Path, key: str) -> Any:
    document = read_yaml(path)
    if not isinstance(document, dict) or not document.get(key):
        raise SuiteError(f"{path}: {key}: is missing; it holds the entries.")
    return document[key]
