"""What the journals say about the runs of an incident.

Promises: never raises; a run whose journal is gone or damaged is told as not readable and never as
a run that did nothing. Called by `incidents` when somebody reads an incident.
"""

from collections.abc import Sequence
from pathlib import Path

from resyncctl.adapters.store.places import runs_directory
from resyncctl.adapters.store.records import INTENT, Record
from resyncctl.adapters.store.run_ids import is_run_id
from resyncctl.adapters.store.summary import PROVING, RunFolders, summarise
from resyncctl.core.discrepancy import Verdict
from resyncctl.core.incident import RunFacts

_CANCELS = frozenset({"cancel_order", "cancel_symbol"})
_REDUCES = frozenset({"reduce"})


def run_facts(roots: Sequence[Path], run_id: str, account: str, command: str) -> RunFacts:
    """Return what one run did to the account. `command` is used where its journal is silent."""
    folders = _folders(roots, run_id)
    pieces = folders.read() if folders is not None else ()
    records = [record for piece in pieces for record in piece.records if record.intact]
    if folders is None or not records:
        return RunFacts(run_id=run_id, command=command, readable=False)
    run = summarise(folders)
    cancels = _intents(records, account, _CANCELS)
    damaged = any(problem.kind != "torn" for problem in run.problems)
    return RunFacts(
        run_id=run_id,
        command=command if run.command == "unknown" else run.command,
        readable=not damaged,
        alive=run.alive,
        began_ms=run.started_at_ms,
        ended_ms=run.ended_at_ms,
        exit_code=run.exit_code,
        first_cancel_ms=cancels[0].at_ms if cancels else None,
        cancels=len(cancels),
        reductions=len(_intents(records, account, _REDUCES)),
        unanswered=sum(intent.account in {account, None} for intent in run.open_intents),
        proved_ms=next((r.at_ms for r in records if _proves(r, account)), None),
    )


def _folders(roots: Sequence[Path], run_id: str) -> RunFolders | None:
    if not is_run_id(run_id):
        return None
    places = tuple(runs_directory(root) / run_id for root in roots)
    found = tuple(place for place in places if place.is_dir())
    return RunFolders(run_id, found) if found else None


def _intents(records: Sequence[Record], account: str, actions: frozenset[str]) -> list[Record]:
    """Return the requests of these kinds that were about to be sent for the account."""
    return [
        record
        for record in records
        if record.event == INTENT
        and record.details.get("action") in actions
        and _account(record) in {account, None}
    ]


def _account(record: Record) -> str | None:
    inner = record.details.get("details")
    account = inner.get("account") if isinstance(inner, dict) else None
    return account if isinstance(account, str) else None


def _proves(record: Record, account: str) -> bool:
    """Whether the record says that nothing unexpected is left on the account."""
    if record.details.get("account") != account:
        return False
    if record.event in PROVING:
        return record.details.get("status") == PROVING[record.event]
    safety = record.event == "verdict" and record.details.get("kind") == "safety"
    return safety and record.details.get("verdict") == Verdict.CLEAN.value
