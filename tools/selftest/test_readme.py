"""README.md: each command in it is understood, and what it tells people to type is typed."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
import typer

from acceptance.datafiles import ROOT
from tools import cli
from tools.selftest.clone import interruptible, make_clone

README = (ROOT / "README.md").read_text()
OURS = re.compile(r"(?:python3 (?:\.\./)*tools/|python3 (?:\.\./)+)pilates\.py ([a-z-][^#\n`]*[^#\n`\s])")
NAMES = "|".join(sorted(typer.main.get_group(cli.app).commands))
IN_A_TABLE = re.compile(rf"`((?:{NAMES})(?: [^`|]*)?)`")
SECONDS = 240
CASES = 4
SUITE = ROOT / "suites" / "priority" / "known_bug.robot"

# What is typed for real elsewhere; the rest is typed here.
TRIED = {
    "run": "test_end_to_end", "selftest": "this very call", "docs": "test_docs", "report": "test_shards",
    "generate": "test_cli", "analyze": "test_evidence", "replay": "test_evidence", "clean": "test_cli",
    "verify-db": "test_evidence", "reconcile": "test_evidence", "prove": "test_prove", "random": "test_draws",
    "load": "test_load", "doctor": "test_cli", "serve": "test_readme", "bench": "test_bench",
}  # fmt: skip


def commands() -> list[str]:
    """List what README.md tells people to give to tools/pilates.py."""
    text = README.replace("\\\n", " ")
    found = [match[1] for match in OURS.finditer(text)]
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [*found, *(match[1] for row in rows for match in IN_A_TABLE.finditer(row))]


def blocks(heading: str) -> list[str]:
    """Return the indented blocks below a heading, up to the next one."""
    section = README.partition(heading)[2].partition("\n#")[0]
    return re.findall(r"(?:^ {4}.*\n)+", section, re.MULTILINE)


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_each_command_is_understood(line: str) -> None:
    words = shlex.split(line.replace("...", ""))
    group = typer.main.get_group(cli.app)
    context = group.make_context("pilates", words)
    name, command, rest = group.resolve_command(context, context._protected_args + context.args)
    assert name is not None
    assert command is not None
    command.make_context(name, rest, parent=context)
    assert name in TRIED
    if TRIED[name].startswith("test_"):
        text = (Path(__file__).parent / f"{TRIED[name]}.py").read_text()
        assert re.search(rf"\b{name.replace('-', '.')}\b", text), f"{TRIED[name]}.py does not try {name}"


def typed(block: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Type a block's lines in a shell, with this Python instead of ``.venv``'s."""
    here = str(Path(sys.executable).parent)
    told = block.replace(". .venv/bin/activate", f'PATH="{here}:$PATH"').replace("python3 ", f"{sys.executable} ")
    environment = {**os.environ, "PYTHONPATH": ""}
    command = ["bash", "-euxc", told]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def test_plain_robot_framework_works_as_told(tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "clone", suites={f"priority/{SUITE.name}"})
    made = subprocess.run(
        [sys.executable, "tools/pilates.py", "generate", "--count", str(CASES)], cwd=clone, timeout=SECONDS, check=False
    )
    assert made.returncode == 0
    (block,) = [one for one in blocks("## For the tester") if ".venv/bin/activate" in one]
    # Nothing has failed, and then Robot Framework has nothing to run again: it says so, and that is an error.
    first, again = block.strip().rsplit("\n", 1)
    done = typed(first, clone)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = [int(count) for count in re.findall(r"(\d+) tests?, \1 passed, 0 failed", done.stdout)]
    # One case; what is tagged; at last all in a dry run.
    by_hand = len(re.findall(r"^\w.*\n {4}", SUITE.read_text().partition("*** Test Cases ***")[2], re.MULTILINE))
    assert (counts[0], counts[-1]) == (1, CASES + by_hand)
    assert f"{CASES + by_hand} tests, {CASES + by_hand} passed, 0 failed, 0 skipped." in done.stdout  # pabot's words
    assert "All tests passed" in typed(f". .venv/bin/activate\n{again}", clone).stderr


def test_five_minutes_on_supabase_go_as_told(tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "clone", suites={"priority/known_bug.robot", "priority/concurrency.robot"})
    block = blocks("### Test your Supabase project in five minutes")[1]
    good, _, broken = block.partition("overlay")[0].rpartition("    python3")
    done = typed(good, clone)
    assert done.returncode == 0, done.stdout + done.stderr
    where = "cd tools/selftest/foreign/supabase\n"
    done = typed(where + "python3" + broken + "overlay" + block.partition("overlay")[2], clone)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "P0" in done.stdout


def test_serve_can_be_asked_as_it_tells(tmp_path: Path) -> None:
    clone = make_clone(tmp_path / "clone", suites={f"priority/{SUITE.name}"})
    command = [sys.executable, "tools/pilates.py", "serve"]
    with subprocess.Popen(command, cwd=clone, stdout=subprocess.PIPE, text=True, preexec_fn=interruptible) as serving:
        assert serving.stdout
        told = {}
        while "Ctrl-C" not in (line := serving.stdout.readline()):
            name, _, words = line.partition(":")
            told[name] = words.split()
        headers = {"Authorization": f"Bearer {told['Token'][0]}"}
        reply = requests.get(told["For example"][-1], headers=headers, timeout=SECONDS)
        assert (reply.status_code, reply.json()) == (200, [])
        serving.send_signal(signal.SIGINT)
        assert serving.wait(SECONDS) == 0
