"""Which countdowns runs of this host may have left running at an exchange, from the journals alone.

Promises: every journal that was written to lately enough is read, of finished, crashed and living
runs alike; one that cannot be read, or whose chain does not hold, stands in the answer as a
countdown that may run until the longest one would be over. Called before an engine may trade again.
"""

from collections.abc import Sequence
from pathlib import Path

from resyncctl.adapters.store.records import INTENT, OUTCOME, Record
from resyncctl.adapters.store.runs import find_runs
from resyncctl.adapters.store.summary import RunFolders
from resyncctl.core.switches import ARM, ArmedSwitch, SwitchTarget, unresolved_switches

MARGIN_MS = 3_600_000
"""How much older than the longest countdown a journal may be and is read all the same."""
NOBODY_KNOWS = "unknown"
"""The product of a countdown that may stand in a journal that cannot be read."""
_MARK = ARM.encode()


def left_switches(
    roots: Sequence[Path], account: str, now_ms: int, *, longest_ms: int, but_not: str = ""
) -> tuple[ArmedSwitch, ...]:
    """Return the countdowns of the account that may still run, without those of one run.

    `longest_ms` is the longest countdown that is ever armed. How old a journal is, is told by the
    file system alone, so that a step of the clock hides none.
    """
    runs = [run for run in find_runs(roots) if run.run_id != but_not]
    written = {run.run_id: _written_ms(run) for run in runs}
    newest_ms = max(written.values(), default=0)
    records: list[Record] = []
    doubtful: list[ArmedSwitch] = []
    for run in runs:
        age_ms = newest_ms - written[run.run_id]
        if age_ms > longest_ms + MARGIN_MS or not _may_hold_one(run):
            continue
        pieces = run.read()
        broken = any(problem.kind != "torn" for piece in pieces for problem in piece.breaks)
        if broken and age_ms <= longest_ms:
            words = f"whatever the journal of {run.run_id} does not tell any more"
            target = SwitchTarget(product=NOBODY_KNOWS, symbol=words)
            fires_by_ms = now_ms + longest_ms - age_ms
            doubtful.append(ArmedSwitch(target=target, fires_by_ms=fires_by_ms, certain=False))
        records += [
            one for piece in pieces for one in piece.records if one.event in {INTENT, OUTCOME}
        ]
    records.sort(key=lambda one: (one.at_ms, one.run_id, one.sequence))
    return (*unresolved_switches(records, account, now_ms), *doubtful)


def _may_hold_one(run: RunFolders) -> bool:
    """Whether an arming stands in the run's files, or nobody can say because they do not open."""
    try:
        return any(_MARK in path.read_bytes() for path in _files(run))
    except OSError:
        return True


def _written_ms(run: RunFolders) -> int:
    """Return when a file of the run was last written to; one that went away counts as old."""
    times = [0]
    for path in _files(run):
        try:
            times.append(path.stat().st_mtime_ns // 1_000_000)
        except OSError:
            continue
    return max(times)


def _files(run: RunFolders) -> list[Path]:
    return [path for folder in run.folders for path in folder.glob("journal*.jsonl")]
