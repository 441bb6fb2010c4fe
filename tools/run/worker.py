"""Robot Framework as pabot starts it: it parses only the files that it runs, and looks for garbage less often.

    python -m tools.run.worker -A ARGUMENT_FILE

pabot gives every worker all suites and the names of its own ones. Parsed whole they take longer than all imports. A
worker is short-lived and its objects are few, so that Python's collector mostly looks at what will stay anyway.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
from robot.run import run_cli

FILES = "PILATES_FILES"  # names the JSON object of suite names to their files
SUITE = "--suite "
COLLECTED_AFTER = (50_000, 20, 100)  # objects made, and how many collections to the next generation's


def files_of(argument_file: Path) -> Iterator[str]:
    """List the files of the suites that an argument file names; none where the file of one is not known."""
    known = orjson.loads(Path(os.environ[FILES]).read_bytes())
    lines = argument_file.read_text(encoding="utf-8").splitlines()
    names = [line.removeprefix(SUITE).strip() for line in lines if line.startswith(SUITE)]
    if names and all(name in known for name in names):
        yield from (known[name] for name in names)


def main() -> None:
    """Run what the argument file says; never returns."""
    gc.set_threshold(*COLLECTED_AFTER)
    chosen = [word for path in files_of(Path(sys.argv[-1])) for word in ("--parseinclude", path)]
    run_cli([*chosen, *sys.argv[1:]])


if __name__ == "__main__":
    main()
