#!/usr/bin/env python3
"""The one command of the suite: makes ready what it needs, then does what it is told.

It needs only Python's standard library. Where the pinned packages of ``requirements.txt`` are not there, it makes
``.venv`` beside ``suites`` and installs them; after that it hands over to ``tools/cli.py``.

    python3 tools/pilates.py --help
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - the very place where an older Python is told so
    sys.stderr.write("pilates: Python 3.11 or newer is needed; this is {}.{}.\n".format(*sys.version_info))
    sys.exit(2)

from importlib import metadata

ROOT = Path(__file__).resolve().parent.parent
UNFINISHED = "unfinished"


class CannotPrepareError(Exception):
    """The packages cannot be made ready; the message says why and what to do."""


def main() -> None:
    """Find or make a Python that has the requirements, and become it."""
    try:
        python = prepare(ROOT)
    except CannotPrepareError as error:
        sys.stderr.write(f"pilates: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("\npilates: interrupted; the next call starts the installation again.\n")
        sys.exit(2)
    paths = [str(ROOT), str(ROOT / "libraries"), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    # -P: the folder we are called from must not hide a package of ours.
    os.execv(python, [str(python), "-P", "-m", "tools.cli", *sys.argv[1:]])  # noqa: S606


def prepare(root: Path) -> Path:
    """Return a Python that has the requirements: this one, or ``.venv``'s, made if need be."""
    requirements = root / "requirements.txt"
    if not missing(pins(requirements.read_text(encoding="utf-8"))):
        return Path(sys.executable)
    venv = root / ".venv"
    if state(venv) != fingerprint(requirements, venv):
        with lock(requirements) as held:
            if state(venv) != fingerprint(requirements, venv):
                install(requirements, venv, held)
    return python_of(venv)


def pins(text: str) -> dict[str, str]:
    """Read the pinned versions of a requirements file."""
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE))


def missing(pinned: dict[str, str]) -> list[str]:
    """Name the first package that this Python lacks or has in another version, if any."""
    for name, version in pinned.items():
        try:
            if metadata.version(name) != version:
                return [name]
        except metadata.PackageNotFoundError:
            return [name]
    return []


def python_of(venv: Path) -> Path:
    """Return where a virtual environment keeps its Python."""
    return venv / "bin" / "python"


def marker_of(venv: Path) -> Path:
    """Return the file by which we know how far we got with a virtual environment."""
    return venv / "pilates-installed"


def fingerprint(requirements: Path, venv: Path) -> str:
    """Say what must be installed and where; a virtual environment that was moved has wrong paths in its scripts."""
    return f"{hashlib.sha256(requirements.read_bytes()).hexdigest()} {venv}"


def state(venv: Path) -> str | None:
    """Return what was installed into a virtual environment; None where it is not one of ours."""
    marker = marker_of(venv)
    if not marker.is_file():
        return None
    return marker.read_text(encoding="utf-8") if python_of(venv).exists() else UNFINISHED


def install(requirements: Path, venv: Path, held: int) -> None:
    """Make the virtual environment, from scratch where an earlier one of ours is unfinished or outdated."""
    started = time.monotonic()
    tell(f"First run: installing the packages of {requirements.name} into {venv} (once, about a minute).")
    try:
        if state(venv) is not None:
            shutil.rmtree(venv)
        venv.mkdir(exist_ok=True)
        marker_of(venv).write_text(UNFINISHED, encoding="utf-8")
    except OSError as error:
        raise CannotPrepareError(f"{venv}: cannot be written: {error.strerror}.") from None
    log = venv / "pilates-install.log"
    _phase([sys.executable, "-m", "venv", str(venv)], log, held, "Debian and Ubuntu: apt-get install python3-venv.")
    pip = [str(python_of(venv)), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    pip += ["--progress-bar", "off", "--requirement", str(requirements)]
    _phase(pip, log, held, "Is the network there? The next call tries again.")
    marker_of(venv).write_text(fingerprint(requirements, venv), encoding="utf-8")
    tell(f"Ready after {time.monotonic() - started:.0f} s.")


def _phase(command: list[str], log: Path, held: int, remedy: str) -> None:
    """Run one step of the installation, tell what it does, and keep everything it says in the log.

    The step inherits the lock: when we are killed, nobody starts over while it still runs.
    """
    last_error = ""
    with (
        log.open("a", encoding="utf-8") as kept,
        subprocess.Popen(  # noqa: S603 - this Python and its pip
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=[held],
        ) as process,
    ):
        for line in process.stdout or ():
            kept.write(line)
            if "error" in line.lower():
                last_error = line.strip()
            if words := progress(line):
                tell(f"  {words}")
    if process.returncode:
        cause = last_error or f"exit code {process.returncode}"
        raise CannotPrepareError(f"{' '.join(command[2:4])} failed: {cause} ({log}). {remedy}")


def progress(line: str) -> str:
    """Put one line of pip's into the words shown; empty for those that are not news."""
    if match := re.match(r"(Collecting|Processing|Building wheels? for) (\S+)", line):
        name = match[2].rpartition("/")[2].rstrip(":")
        return re.sub(r"^([^-]+)-([^-]+)-.*[.]whl$", r"\1==\2", name)
    if line.startswith("Installing collected packages:"):
        return f"unpacking {line.count(',') + 1} packages ..."
    return ""


@contextmanager
def lock(path: Path) -> Iterator[int]:
    """Hold the lock of a file while installing; a second first run waits for the first."""
    import fcntl

    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("Another first run is installing the packages; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def tell(words: str) -> None:
    """Say something to the person, apart from the output of the command."""
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
