"""Robot Framework as pabot starts it: it parses only the files that it runs, and does nothing twice.

    python -m tools.run.worker -A ARGUMENT_FILE

pabot gives every worker all suites and the names of its own ones. Parsed whole they take longer than all imports. A
worker is short-lived and its objects are few, so that Python's collector mostly looks at what will stay anyway. And the
same sentences come in every case: Robot Framework would hold each of them against some 150 patterns, every time.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import orjson
from robot.run import run_cli
from robot.running.keywordfinder import KeywordCache

from tools.report import steps

FILES = "PILATES_FILES"  # names the JSON object of suite names to their files
SHORT = "PILATES_SHORT_LOG"  # set where the steps of passed tests are left out of the log
SUITE = "--suite "
COLLECTED_AFTER = (50_000, 20, 100)  # objects made, and how many collections to the next generation's
SENTENCES = 50_000  # found in one file of keywords or not there; some megabytes


def files_of(argument_file: Path) -> Iterator[str]:
    """List the files of the suites that an argument file names; none where the file of one is not known."""
    known = orjson.loads(Path(os.environ[FILES]).read_bytes())
    lines = argument_file.read_text(encoding="utf-8").splitlines()
    names = [line.removeprefix(SUITE).strip() for line in lines if line.startswith(SUITE)]
    if names and all(name in known for name in names):
        yield from (known[name] for name in names)


def main() -> int:
    """Run what the argument file says, and return Robot Framework's exit code."""
    gc.set_threshold(*COLLECTED_AFTER)
    KeywordCache.find = lru_cache(SENTENCES)(KeywordCache.find)  # type: ignore[method-assign] # asked for each sentence
    arguments = Path(sys.argv[-1])
    chosen = [word for path in files_of(arguments) for word in ("--parseinclude", path)]
    code: int = run_cli([*chosen, *sys.argv[1:]], exit=False)
    output = arguments.with_name("output.xml")  # pabot puts both into the worker's folder
    if os.environ.get(SHORT) and output.is_file():
        steps.leave_out(output, output)
    return code


if __name__ == "__main__":
    sys.exit(main())
