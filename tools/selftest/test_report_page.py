"""The page of a run: complete in itself, safe to open, and readable in a real browser on a desk and on a phone."""

from __future__ import annotations

import base64
import html
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from tools import generator
from tools.report import facts, history, page, writing
from tools.report.results import Case, Results
from tools.run import folder, machine, reruns

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--virtual-time-budget=3000", "--dump-dom"),
]
STARTED = datetime(2026, 1, 1, tzinfo=UTC)
LARGEST = 1_000_000  # bytes
PHONE, DESK = 390, 1280  # pixels
PROBE = """<body><iframe id="page" style="border:0;width:{width}px;height:3000px"></iframe><script>
const frame = document.getElementById("page");
frame.onload = () => {{
  const inner = frame.contentDocument, root = inner.documentElement;
  const bars = [...inner.querySelectorAll("svg .bar rect")].filter(bar => bar.getBoundingClientRect().width > 0);
  document.body.dataset.seen = JSON.stringify({{
    wide: root.scrollWidth, title: inner.querySelector("h1").innerText, bars: bars.length,
    background: getComputedStyle(inner.body).backgroundColor, scripts: inner.querySelectorAll("script").length,
  }});
}};
frame.srcdoc = new TextDecoder().decode(Uint8Array.from(atob("{page}"), c => c.charCodeAt(0)));
</script></body>"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the page of a made-up run that has everything: failures, reruns, mutants, load, hostile words."""
    where = tmp_path_factory.mktemp("results") / "20260101T000000Z-0000"
    (where / "logs").mkdir(parents=True)
    table = generator.generate(count=120, seed=5)
    cases = []
    for number, record in enumerate(table["cases"]):
        failed = record["device"] == "ios"
        tags = {f"category-{record['category']}", f"device-{record['device']}", *(["p0"] if failed else [])}
        if failed:
            (where / "failures" / record["test_id"]).mkdir(parents=True)
        name = f"{record['test_id']} <script>alert(1)</script>"
        message = "P0 I2 no class is lost: <img src=http://evil> & 1 class lost." if failed else ""
        started = STARTED + timedelta(seconds=number / 4)
        cases.append(Case(name, "FAIL" if failed else "PASS", frozenset(tags), message, 0.4, started))
    calls = [
        {
            "timestamp": str(n),
            "test_id": "T",
            "step": n,
            "action": f"do_{n % 5}",
            "repeated": False,
            "actor": "member",
            "attempts": ["200"],
            "response": {"latency_ms": 3.0 * n},
        }
        for n in range(200)
    ]
    (where / "logs" / "1.jsonl").write_bytes(b"\n".join(map(orjson.dumps, calls)))
    samples = [
        {"at": (STARTED + timedelta(seconds=n)).isoformat(), "cpu_percent": 50.0, "load": 1.5} for n in range(30)
    ]
    (where / machine.FILE).write_bytes(b"\n".join(map(orjson.dumps, samples)))
    mutants = [
        {"id": f"mutant-{n}", "family": f"family {n % 6}", "invariants": [f"I{n % 14 + 1}"], "verdict": "killed"}
        for n in range(60)
    ]
    proof = {"mutants": [*mutants, {**mutants[0], "verdict": "survived", "reason": "unseen"}], "controls": []}
    stored = {
        folder.RECORD: {
            "run": where.name,
            "started": STARTED.isoformat(),
            "seconds": 31.0,
            "seed": 7,
            "interrupted": False,
            "environment": {"name": "embedded"},
            "arguments": {"processes": 2, "count": 120, "overlays": ["/x/<b>.sql"]},
            "counts": {"planned": 120, "flaky": 1, "lost": 0},
            "machine": {"cores": 2},
        },
        folder.TABLE: table,
        reruns.FILE: [{"test_id": "T-000002", "kind": "race", "failed": 2, "runs": 4, "rerun": 3}],
        "prove.json": proof,
        "random.json": {"draws": 1247, "failures": 0},
    }
    for name, content in stored.items():
        (where / name).write_bytes(orjson.dumps(content))
    return page.write(facts.gather(where, Results(cases)))


def test_page_needs_nothing_else(written: Path) -> None:
    text = written.read_text()
    assert len(text.encode()) < LARGEST
    assert not re.search(r"<(script|link|img|iframe|object|base)\b|@import|url\(|<[^>]*\bsrc=", text, re.IGNORECASE)
    links = re.findall(r'href="([^"]*)"', text)
    assert links
    assert not [link for link in links if ":" in link or link.startswith("//")], "every link stays in the results"
    anchors = [link[1:] for link in links if link.startswith("#")]
    assert not [name for name in anchors if f'id="{name}"' not in text]


def test_words_of_a_run_stay_words(written: Path) -> None:
    text = written.read_text()
    assert html.escape("<script>alert(1)</script>") in text
    assert html.escape("<img src=http://evil>") in text
    assert "&lt;b&gt;.sql" in text


def test_page_tells_what_the_text_tells(written: Path) -> None:
    text = written.read_text()
    for words in (
        "Classes are lost",
        "0.240% with 95% confidence and 0.919% with 99.999% confidence",
        "60 of 61 mutants",
        "Kill matrix",
        "DB query latency (p99)",
        "The run over time",
        "How long members waited",
    ):
        assert words in text, words
    assert "is production-ready" not in text
    folders = re.findall(r'href="(failures/[^/"]*/)"', text)
    assert folders
    assert all((written.parent / link).is_dir() for link in folders)


@pytest.mark.skipif(BROWSER is None, reason=f"none of {', '.join(BROWSERS)} is installed")
@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("dark", [False, True])
def test_browser_shows_the_page(written: Path, tmp_path: Path, width: int, dark: bool) -> None:
    probe = tmp_path / "probe.html"
    probe.write_text(PROBE.format(width=width, page=base64.b64encode(written.read_bytes()).decode()))
    flags = [*FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *(["--force-dark-mode"] if dark else [])]
    done = subprocess.run([str(BROWSER), *flags, probe.as_uri()], capture_output=True, text=True, timeout=60)
    found = re.search(r'data-seen="([^"]*)"', done.stdout)
    assert found, done.stderr[-2000:]
    seen = orjson.loads(html.unescape(found[1]))
    assert seen["title"] == "Classes are lost"
    assert seen["wide"] <= width, "the page itself does not scroll sideways; its tables do"
    assert seen["bars"] > 20, "the charts are drawn"
    assert seen["scripts"] == 0
    assert seen["background"] == ("rgb(18, 22, 29)" if dark else "rgb(246, 247, 249)")


def test_broken_history_is_told_and_stops_nothing(tmp_path: Path) -> None:
    where = tmp_path / "20260101T000000Z-0000"
    where.mkdir()
    record = {"run": "r", "started": STARTED.isoformat(), "seconds": 1.0, "seed": 1, "interrupted": False}
    record |= {"environment": {"name": "e"}, "arguments": {"processes": 1, "overlays": []}}
    record |= {"counts": {"planned": 1, "flaky": 0, "lost": 0}}
    (where / folder.RECORD).write_bytes(orjson.dumps(record))
    suite = tmp_path / "s.robot"
    suite.write_text("*** Test Cases ***\nT-1 a\n    Log    hello\n")
    subprocess.run([sys.executable, "-m", "robot", "-d", str(where), "--log", "NONE", str(suite)], check=True)
    (tmp_path / history.DATABASE).write_text("not a database, but a file that a person has put there")
    reports = writing.write(where)
    assert reports.page.is_file()
    assert any("history over runs was not kept" in line for line in writing.lines(reports))


def test_history_keeps_each_run_once(tmp_path: Path) -> None:
    where = tmp_path / "20260101T000000Z-0000"
    suite = tmp_path / "s.robot"
    suite.write_text("*** Test Cases ***\nT-1 a\n    Log    hello\n")
    subprocess.run([sys.executable, "-m", "robot", "-d", str(where), "--log", "NONE", str(suite)], check=True)
    pages = [history.add(where) for _ in range(2)]
    assert pages == [tmp_path / history.DASHBOARD] * 2
    with closing(sqlite3.connect(tmp_path / history.DATABASE)) as database:
        runs = database.execute("select run_alias, total, passed from runs").fetchall()
    assert runs == [(where.name, 1, 1)]
    text = pages[0].read_text(errors="replace") if pages[0] else ""
    assert not re.search(r'<(script|link)[^>]*(src|href)="?https?:', text), "it needs no network"
