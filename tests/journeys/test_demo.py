"""The demo is the whole product in one command; it must end well on any machine."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_demo_tells_the_whole_story(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "resyncctl", "demo", "--keep", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for words in (
        "MISSING_FILL",
        "MISSING_ORDER",
        "ORPHAN_ORDER",
        "0 orders rest",
        "fails      engine and exchange agree",
        "exit 20 REFUSED",
        "result ✓ SAFE",
        "verdict ✓ CLEAN",
        "acknowledged the closed gate",
        "result ✓ RESUMED",
        "while the gate was closed: 0",
    ):
        assert words in done.stdout, words
    for scope in ("spot/regular", "linear/regular", "linear/algo"):
        assert scope in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
