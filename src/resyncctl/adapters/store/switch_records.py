"""Which countdowns runs of this host may have left running at an exchange, from the journals alone.

Promises: every journal that was written to lately enough is read, of finished, crashed and living
runs alike; one that cannot be read, or whose chain does not hold, makes the answer unknown, because
a countdown may stand in what is missing. Called before an engine may trade again.
"""

from collections.abc import Sequence
from pathlib import Path

from resyncctl.adapters.store.records import INTENT, OUTCOME, Record
from resyncctl.adapters.store.runs import find_runs
from resyncctl.adapters.store.summary import RunFolders
from resyncctl.core.snapshot import Unknown
from resyncctl.core.switches import ARM, ArmedSwitch, unresolved_switches

MARGIN_MS = 3_600_000
"""How much older than the longest countdown a journal may be and is read all the same."""
_MARK = ARM.encode()


def left_switches(
    roots: Sequence[Path], account: str, now_ms: int, *, longest_ms: int
) -> tuple[ArmedSwitch, ...] | Unknown:
    """Return the countdowns of the account that may still run, or why nobody can say.

    `longest_ms` is the longest countdown that is ever armed. How old a journal is, is told by the
    file system alone, so that a step of the clock hides none.
    """
    runs = [(run, files) for run in find_runs(roots) if (files := _files(run))]
    try:
        written = {
            path: path.stat().st_mtime_ns // 1_000_000 for _, files in runs for path in files
        }
        newest_ms = max(written.values(), default=0)
        late = [
            run
            for run, files in runs
            if any(newest_ms - written[path] <= longest_ms + MARGIN_MS for path in files)
            and any(_MARK in path.read_bytes() for path in files)
        ]
    except OSError as error:
        return Unknown(f"a journal of this host could not be read: {error.strerror}")
    records: list[Record] = []
    for run in late:
        for piece in run.read():
            trouble = next((problem for problem in piece.breaks if problem.kind != "torn"), None)
            if trouble is not None:
                return Unknown(f"the journal of {run.run_id} does not hold: {trouble.detail}")
            records += [one for one in piece.records if one.event in {INTENT, OUTCOME}]
    records.sort(key=lambda one: (one.at_ms, one.run_id, one.sequence))
    return unresolved_switches(records, account, now_ms)


def _files(run: RunFolders) -> list[Path]:
    return [path for folder in run.folders for path in folder.glob("journal*.jsonl")]
