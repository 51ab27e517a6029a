"""Dead-man switches that earlier runs of this host may have left running, from their journals.

Promises: whatever the journals do not settle counts as armed until its time has passed. Called by
`verify` and `resync`.
"""

from typing import TYPE_CHECKING

from resyncctl.core.switches import ArmedSwitch, JournalRecord, unresolved_switches

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from resyncctl.cli.invocation import Invocation

SLACK_MS = 60_000


def left_running(invocation: "Invocation", account: str) -> tuple[ArmedSwitch, ...]:
    """Return the countdowns of the account that may still run."""
    from resyncctl.adapters.store.runs import find_runs
    from resyncctl.cli.memory import journal_roots
    from resyncctl.procedures.dead_man_switch import LONGEST_COUNTDOWN_MS

    now_ms = invocation.clock.now_ms()
    oldest_ms = now_ms - LONGEST_COUNTDOWN_MS - SLACK_MS
    records: list[tuple[int, JournalRecord]] = []
    for folders in find_runs(journal_roots(invocation)):
        if folders.run_id == invocation.run_id or not _is_recent(folders.folders, oldest_ms):
            continue
        for piece in folders.read():
            records += [(one.at_ms, one) for one in piece.records if one.at_ms >= oldest_ms]
    records.sort(key=lambda item: item[0])
    return unresolved_switches((record for _, record in records), account, now_ms)


def _is_recent(folders: "Sequence[Path]", oldest_ms: int) -> bool:
    """Whether a journal in the folders was written since then."""
    files = [file for folder in folders for file in folder.glob("journal*.jsonl")]
    return any(_written_ms(file) >= oldest_ms for file in files)


def _written_ms(file: "Path") -> int:
    try:
        return int(file.stat().st_mtime * 1000)
    except OSError:
        return 0
