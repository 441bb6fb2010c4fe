"""The commands ``verify-db`` and ``reconcile``: whole databases, checked read-only and told on screen and in files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.table import Table

from acceptance import environment
from acceptance.errors import SuiteError
from tools import verify as checks
from tools.run import preflight
from tools.verify_words import Words

SOUND, FINDINGS, COULD_NOT_RUN = 0, 1, 2
MOST_SHOWN = 20
MEMBERS = "I2-members"


def verify(name: str, output: Path | None, console: Console) -> int:
    """Run every check of ``data/verify`` on an environment.

    Args:
        name: the environment, read-only or not; nothing is written there.
        output: a folder for JSON and CSV files; None for none.
        console: where to say it.

    Returns:
        0 when nothing was found, 1 when something was, 2 when a check could not be run and the others found nothing.

    Raises:
        SuiteError: when the database cannot be reached, or lacks a table of the contract.
    """
    outcomes, words = _outcomes(name, checks.load_checks())
    table = Table("Check", "Severity", "What must hold", "Found")
    for outcome in outcomes:
        table.add_row(outcome.check.id, outcome.check.severity, outcome.check.title, outcome.status)
    console.print(table)
    _say(words.told, console)
    for outcome in outcomes:
        if outcome.missing:
            _say([f"{outcome.check.id}: not proven, the database lacks {', '.join(outcome.missing)}"], console)
        if outcome.trouble:
            _say([f"{outcome.check.id}: could not run: PostgreSQL says: {outcome.trouble}"], console)
        _print_findings(outcome, console)
    _write(outcomes, output, console)
    if any(outcome.findings for outcome in outcomes):
        return FINDINGS
    return COULD_NOT_RUN if any(outcome.trouble for outcome in outcomes) else SOUND


def reconcile(name: str, output: Path | None, console: Console) -> int:
    """Tell which members lost or gained classes, and print a proposal of SQL that would mend it.

    Args:
        name: the environment, read-only or not; nothing is written there.
        output: a folder for JSON, CSV and the proposal; None for none.
        console: where to say it.

    Returns:
        0 when every member's classes add up, 1 otherwise.

    Raises:
        SuiteError: when the database cannot be reached, or does not say what would have to be known.
    """
    (outcome,), words = _outcomes(name, [check for check in checks.load_checks() if check.id == MEMBERS])
    if outcome.missing:
        lacks = ", and ".join(outcome.missing)
        raise SuiteError(f"{name}: who lost how many classes cannot be told: the database lacks {lacks}.")
    if outcome.trouble:
        raise SuiteError(f"{name}: who lost how many classes cannot be told: PostgreSQL says: {outcome.trouble}.")
    _say(words.told, console)
    if not outcome.findings:
        console.print("Every member's classes add up: paid = left + booked or attended.")
        return SOUND
    table = Table("Member", "Paid", "Left", "Booked or attended", "Difference")
    for row in outcome.findings[:MOST_SHOWN]:
        cells = (row["user_id"], row["paid"], row["remaining"], row["booked"], f"{row['difference']:+d}")
        table.add_row(*map(str, cells))
    console.print(table)
    lost = -sum(row["difference"] for row in outcome.findings if row["difference"] < 0)
    gained = sum(row["difference"] for row in outcome.findings if row["difference"] > 0)
    console.print(f"{len(outcome.findings)} members: {lost} classes lost, {gained} given away.")
    script = checks.compensation(outcome, words.order)
    if output is None:
        console.print(script, markup=False, highlight=False, soft_wrap=True)
    else:
        _write([outcome], output, console)
        (output / "compensation.sql").write_text(script)
        console.print(f"Proposal: {output / 'compensation.sql'}", markup=False, highlight=False, soft_wrap=True)
    return FINDINGS


def _outcomes(name: str, wanted: list[checks.Check]) -> tuple[list[checks.Outcome], Words]:
    words = Words()
    with (
        closing(environment.connect(environment.load(name))) as target,
        preflight.connected(target, session=False) as connection,
    ):
        return list(checks.run_checks(connection, wanted, target.environment, words)), words


def _say(sentences: Sequence[str], console: Console) -> None:
    for sentence in sentences:
        said = f"{sentence[:1].upper()}{sentence[1:]}."
        console.print(said, markup=False, highlight=False, soft_wrap=True)


def _print_findings(outcome: checks.Outcome, console: Console) -> None:
    for row in outcome.findings[:MOST_SHOWN]:
        console.print(f"{outcome.check.severity} {outcome.check.id} {row['key']}: {row['finding']}", soft_wrap=True)
    if len(outcome.findings) > MOST_SHOWN:
        console.print(f"  and {len(outcome.findings) - MOST_SHOWN} more of {outcome.check.id}")


def _write(outcomes: list[checks.Outcome], output: Path | None, console: Console) -> None:
    if output is not None:
        for path in checks.write_files(outcomes, output):
            console.print(f"Written: {path}", markup=False, highlight=False, soft_wrap=True)
