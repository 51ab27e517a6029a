"""Which runs there were on this host, which of them live, and which never came to their end.

The answer comes from the journals alone, in the state directory and in the fallback folders, so
that it survives the loss of the store. A run is alive while its journal is locked; the kernel lets
go on kill -9. Promises: a request whose outcome is not known, and an account that was mutated and
not proved in order, is never forgotten until a later run has resolved it; a journal that cannot be
read is reported and never taken for a finished run. Called by `status`, by `cancel-all` before it
starts, and when the store is rebuilt.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from resyncctl.adapters.store.chain import last_record
from resyncctl.adapters.store.finished import finished_tail, remember_finished
from resyncctl.adapters.store.journal import reopen_journal
from resyncctl.adapters.store.places import fallback_roots, is_private, runs_directory
from resyncctl.adapters.store.records import ENDED, RESOLVED, Redactor
from resyncctl.adapters.store.run_ids import is_run_id
from resyncctl.adapters.store.summary import OpenIntent, RunFolders, RunSummary, summarise
from resyncctl.core.errors import UsageError
from resyncctl.core.exit_codes import NO_MUTATION, ExitCode
from resyncctl.ports.views import Clock

MUTATING = frozenset({"cancel-all", "flatten", "resync"})
"""Commands whose unfinished work is never taken over by a later run without a word."""

_NOTHING_LEFT = NO_MUTATION | {
    ExitCode.OK,
    ExitCode.DISCREPANCIES,
    ExitCode.BLOCKED,
    ExitCode.INCOMPLETE,
}
"""A run that ended so has left nothing mutated and unproved behind."""
_LATER_MAX = 50


def all_roots(state_dir: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return every folder in which journals of this host may be, without planted ones."""
    fallbacks = fallback_roots(state_dir, environ)
    return (
        state_dir,
        *(root for root in fallbacks if is_private(root.parent) and is_private(root)),
    )


def find_runs(roots: Iterable[Path]) -> tuple[RunFolders, ...]:
    """Return every run under the roots, the newest first."""
    found: dict[str, list[Path]] = {}
    for root in roots:
        try:
            entries = [entry for entry in os.scandir(runs_directory(root)) if is_run_id(entry.name)]
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                found.setdefault(entry.name, []).append(Path(entry.path))
    return tuple(RunFolders(name, tuple(found[name])) for name in sorted(found, reverse=True))


def list_runs(roots: Sequence[Path], limit: int | None = None) -> tuple[RunSummary, ...]:
    """Return the runs under the roots, the newest first."""
    return tuple(summarise(run) for run in find_runs(roots)[:limit])


def unfinished_runs(roots: Sequence[Path], account: str | None = None) -> tuple[RunSummary, ...]:
    """Return the runs that somebody still has to look after, the newest first.

    With `account`, only those that concern it. A run that says of itself that it is finished is
    not read in full, and what was finished before is not looked at again, so that years of cron
    runs cost little. A run that sent nothing and died (a `reconcile` at a reboot) needs nobody once
    a later run of its command has come to its end.
    """
    found = find_runs(roots)
    known = finished_tail(roots[0], found)
    unfinished: list[RunSummary] = []
    oldest_open = -1
    for position, folders in enumerate(found[: len(found) - known]):
        if _says_finished(folders):
            continue
        run = summarise(folders)
        needs_hands = run.unfinished and not _is_superseded(run, found[:position])
        if needs_hands:
            unfinished.append(run)
        if needs_hands or run.alive:
            oldest_open = position
    remember_finished(roots[0], found[oldest_open + 1 :], known)
    return tuple(run for run in unfinished if account is None or account in run.unresolved)


def _is_superseded(run: RunSummary, later: Sequence[RunFolders]) -> bool:
    """Whether later runs of the same command came to their end for each of the run's accounts."""
    harmed = any(problem.kind != "torn" for problem in run.problems)
    if run.mutated or harmed or run.command in MUTATING or not run.unresolved:
        return False
    waiting = set(run.unresolved)
    same = (folders for folders in later if f"-{run.command}-" in folders.run_id)
    for folders in islice(same, _LATER_MAX):
        if not _says_finished(folders):
            continue
        later_run = summarise(folders)
        if later_run.command == run.command:
            waiting -= set(later_run.accounts)
        if not waiting:
            return True
    return False


def open_intents(
    roots: Sequence[Path], account: str, *, holder: str | None = None
) -> tuple[OpenIntent, ...]:
    """Return every request for the account that an unfinished run may have sent.

    A new run that mutates the account has to wait out their deadlines, and to ask what became of
    their orders, before it proves anything. `holder` is the run that holds the account: every other
    run that lives has lost it, and what that one left open counts too.
    """
    runs = unfinished_runs(roots, account)
    if holder is not None:
        runs = (*runs, *_living_runs(roots, account, holder))
    return tuple(
        intent for run in runs for intent in run.open_intents if intent.account in {account, None}
    )


def _living_runs(roots: Sequence[Path], account: str, besides: str) -> tuple[RunSummary, ...]:
    """Return the other runs for the account whose process has not ended, e.g. stopped ones."""
    found = find_runs(roots)
    known = finished_tail(roots[0], found)
    others = (
        summarise(folders)
        for folders in found[: len(found) - known]
        if folders.run_id != besides and not _says_finished(folders)
    )
    return tuple(run for run in others if run.alive and account in run.accounts)


def resolve_run(
    run: RunSummary, accounts: Iterable[str], *, by_run: str, clock: Clock, redact: Redactor
) -> None:
    """Record in an unfinished run's own journal that `by_run` took care of these accounts.

    Raises:
        LockedError: The run is alive.
        RecordUnwritableError: It cannot be recorded; the run stays unfinished.
        UsageError: The run has no journal.
    """
    if not run.files:
        raise UsageError(f"run {run.run_id} has no journal")
    journal = reopen_journal(run.files[-1], run.run_id, clock=clock, redact=redact)
    try:
        remaining = list(run.unresolved)
        for account in accounts:
            if account in remaining:
                remaining.remove(account)
                journal.record(
                    RESOLVED, {"account": account, "by_run": by_run, "remaining": remaining}
                )
    finally:
        journal.close()


def resolve_account(
    roots: Sequence[Path], account: str, *, by_run: str, clock: Clock, redact: Redactor
) -> tuple[str, ...]:
    """Resolve the account in every unfinished run but `by_run` itself; return those runs.

    To be called only when the account was proved to be in order: a `cancel-all` of everything that
    ended with its proof, or, for runs that sent nothing, any later run that came to its end.

    Raises:
        RecordUnwritableError: A journal could not be written; that run stays unfinished.
    """
    done = []
    for run in unfinished_runs(roots, account):
        if run.run_id != by_run:
            resolve_run(run, [account], by_run=by_run, clock=clock, redact=redact)
            done.append(run.run_id)
    return tuple(done)


def _says_finished(run: RunFolders) -> bool:
    """Whether the last record of the run's only file says that nothing is left to do."""
    if len(run.folders) != 1:
        return False
    files = list(run.folders[0].glob("journal*.jsonl"))
    if len(files) != 1:
        return False
    record = last_record(files[0])
    if record is None:
        return False
    if record.event == ENDED:
        nothing_left = record.details.get("exit_code") in _NOTHING_LEFT
        return nothing_left and record.details.get("open_intents") == 0
    return record.event == RESOLVED and record.details.get("remaining") == []
