"""Mutation testing of the safety core: `python -m tests.mutation.hunt [--only NAME] [--quick]`.

mutmut and cosmic-ray were looked at. Both start the tests from their collection for every mutant,
and the safety core's tests import an exchange library that takes 1.6 seconds to load; here each
mutant costs a fork and the tests that reach its line.

Promises: the working tree is never changed; the tests run in a copy of the last commit. A hunt that
was broken off goes on where it stopped. Killed mutants stay settled while the text of the change
and its function's name stay the same; `--fresh` forgets everything.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.mutation.mutants import mutants_of
from tests.mutation.targets import TARGETS

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results.json"
RECORD = ROOT / ".mutation.jsonl"


def snapshot(folder: Path) -> None:
    """Unpack the last commit."""
    archive = subprocess.run(
        ["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True
    ).stdout
    subprocess.run(["tar", "x", "-C", str(folder)], input=archive, check=True)


def hunt(names: list[str], how: str) -> None:
    """Try every mutant of the named targets that is not settled yet."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        snapshot(folder)
        for name in names:
            done = subprocess.run(
                [sys.executable, "-m", "tests.mutation.worker", name, str(RECORD), how],
                cwd=folder,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([str(folder / "src"), str(folder)]),
                    "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / ".hypothesis"),
                },
                stdout=subprocess.DEVNULL,
                check=False,
            )
            print(f"{name}: the hunter ended with {done.returncode}", flush=True)  # noqa: T201
        write(summary(folder))


def summary(folder: Path) -> dict[str, Any]:
    """Count per module what was tried; what was not tried counts as not killed."""
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for line in RECORD.read_text().splitlines() if RECORD.exists() else ():
        row = json.loads(line)
        last[row["module"], row["key"]] = row
    targets = []
    for target in TARGETS:
        paths = [path for pattern in target.modules for path in sorted(folder.glob(pattern))]
        modules = [_module(path, str(path.relative_to(folder)), last) for path in paths]
        targets.append({"name": target.name, "modules": modules})
    return {"targets": targets}


def _module(path: Path, name: str, last: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    text = path.read_text()
    verdicts = [
        (m, last.get((name, m.key), {}).get("verdict", "not tried")) for m in mutants_of(text)
    ]
    return {
        "module": name,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "mutants": len(verdicts),
        "killed": sum(verdict.startswith("killed") for _, verdict in verdicts),
        "left": [
            {"key": m.key, "function": m.function, "change": f"{m.before} -> {m.after}"}
            | {"verdict": verdict}
            for m, verdict in verdicts
            if not verdict.startswith("killed")
        ],
    }


def write(results: dict[str, Any]) -> None:
    """Write the results that are committed, in a stable order."""
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    """Parse and hunt."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [target.name for target in TARGETS]
    parser.add_argument("--only", action="append", choices=names)
    parser.add_argument("--fresh", action="store_true", help="forget what was settled")
    parser.add_argument("--report", action="store_true", help="only count what is known already")
    parser.add_argument("--quick", action="store_true", help="leave survivors with a reason alone")
    chosen = parser.parse_args()
    if chosen.fresh:
        RECORD.unlink(missing_ok=True)
    hunt([] if chosen.report else chosen.only or names, "quick" if chosen.quick else "")


if __name__ == "__main__":
    main()
