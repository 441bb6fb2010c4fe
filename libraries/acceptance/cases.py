"""Reads a table of generated cases back, checked against ``data/case.schema.json``."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from acceptance.datafiles import DATA
from acceptance.errors import SuiteError

SCHEMA = DATA / "case.schema.json"


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text()))


def load_table(path: Path) -> dict[str, Any]:
    """Read a table.

    Args:
        path: a file written by ``tools/pilates.py generate``.

    Returns:
        The table: ``generator``, ``coverage`` and ``cases``.

    Raises:
        SuiteError: names the file, the case and the key that is wrong.
    """
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SuiteError(f"{path}: cannot be read: {error.strerror}.") from None
    except json.JSONDecodeError as error:
        raise SuiteError(f"{path}:{error.lineno}: is not JSON: {error.msg}.") from None
    wrong = next(_validator().iter_errors(table), None)
    if wrong is not None:
        keys = list(wrong.absolute_path)
        case = table["cases"][keys[1]].get("test_id", keys[1]) if keys[:1] == ["cases"] and len(keys) > 1 else "table"
        raise SuiteError(f"{path}: {case}: {'.'.join(map(str, keys[2:])) or '(record)'}: {wrong.message}.")
    names = [case["test_id"] for case in table["cases"]]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise SuiteError(f"{path}: {twice[0]}: the test_id stands there twice.")
    return table
