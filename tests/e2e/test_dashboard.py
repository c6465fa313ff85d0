"""The dashboard in a real browser: the experiment, its verdict, the run and its artifacts are there to be seen."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from suite.track.place import environment
from tests.track_look import free_port
from tests.track_world import SLUG, files, invocation, records

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; on Debian: apt-get install -y chromium"),
]
PATIENCE = 120_000  # ms


@contextlib.contextmanager
def browser_page() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; pip install -e .[dev]")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        try:
            page = browser.new_page(viewport={"width": 1600, "height": 1000})
            page.set_default_timeout(PATIENCE)
            yield page
        finally:
            browser.close()


@contextlib.contextmanager
def running_dashboard(home: Path, port: int) -> Iterator[list[str]]:
    """``suite.track.dashboard`` in a process of its own; yields what it says before the pages are there."""
    program = "import sys; from pathlib import Path; from suite.track import dashboard\n" + (
        "dashboard(Path(sys.argv[1]), int(sys.argv[2]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(home), str(port)],
        env=environment(home, {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            said = [process.stdout.readline().strip(), process.stdout.readline().strip()]
            deadline = time.monotonic() + 120
            while True:
                with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
                    break
                assert process.poll() is None
                assert time.monotonic() < deadline, "the dashboard did not start within 120 s"
                time.sleep(0.1)
            yield said
            process.send_signal(signal.SIGINT)  # Ctrl-C ends it
            assert process.wait(30) in (0, 1, -signal.SIGINT)
        finally:
            process.kill()


def test_a_reader_finds_the_verdict_the_trials_and_the_report(tmp_path: Path) -> None:
    made = files(tmp_path / "home")
    made.live(invocation(records()), records())
    port = free_port()
    with running_dashboard(made.home, port) as said, browser_page() as page:
        assert said[0].startswith(f"MLflow: http://127.0.0.1:{port}/#/experiments ")
        assert said[1].startswith(f"{SLUG}: http://127.0.0.1:{port}/#/experiments/1/runs?")
        elsewhere: list[str] = []
        page.on("request", lambda request: elsewhere.append(request.url))

        page.goto(f"http://127.0.0.1:{port}/#/experiments", wait_until="domcontentloaded")
        page.get_by_role("link", name=SLUG).first.wait_for()
        page.screenshot(path=tmp_path / "experiments.png")

        page.goto(said[1].partition(": ")[2], wait_until="domcontentloaded")
        parent = page.get_by_role("link", name="cpu · 2026-11-22 14:01").first
        parent.wait_for()
        for words in ("outcome", "claim.c1", "claim.c2", "reproduced", "inconclusive"):
            page.get_by_text(words, exact=True).first.wait_for()
        page.locator(".ag-center-cols-container button, .ag-pinned-left-cols-container button").first.click()
        page.get_by_text("digits · adamw · batch 64 · s1", exact=True).first.wait_for()
        page.screenshot(path=tmp_path / "runs.png")

        parent.click()
        page.get_by_text("Lion ends lower than AdamW | by 2 %.").first.wait_for()
        page.get_by_text("trials_measured").first.wait_for()
        page.screenshot(path=tmp_path / "run.png")

        page.get_by_role("tab", name="Artifacts").first.click()
        for words in ("report.pdf", "lion_vs_made_up.json", "figures", "tuning"):
            page.get_by_text(words, exact=True).first.wait_for()
        page.screenshot(path=tmp_path / "artifacts.png")
        assert [url for url in elsewhere if not url.startswith((f"http://127.0.0.1:{port}/", "data:", "blob:"))] == []
    for name in ("experiments", "runs", "run", "artifacts"):
        assert (tmp_path / f"{name}.png").stat().st_size > 20_000
