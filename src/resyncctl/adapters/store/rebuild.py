"""Fill an empty store from the journals: runs, verdicts, gate moves, and the highest tokens.

A run that the store knows already is not told twice. Promises: an opening is never made easier by a
rebuild (a verdict that is not plainly clean blocks), and no fencing token is ever given twice. What
journals do not hold (figures, checkpoints seen, orders seen) stays empty. Called by
`store_opening`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from resyncctl.adapters.store.records import Record
from resyncctl.adapters.store.rows import condition_of
from resyncctl.adapters.store.runs import find_runs
from resyncctl.adapters.store.summary import RunFolders, summarise
from resyncctl.core.discrepancy import Verdict
from resyncctl.core.gate import GateState
from resyncctl.core.safety import VerdictKind, VerdictRecord
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.store import GateMove, RunRow, Store

_CLOSINGS = frozenset({"gate_closed", "guard_closed_gate", "cancel_all_started"})
_OPENING = "gate_opening"
RUNS_MAX = 5_000
"""Older runs stay in their journals: years of cron runs would keep the next command waiting."""


def rebuild(store: Store, roots: Sequence[Path]) -> str:
    """Fill the store; return in words what was found, empty when there was nothing."""
    found = find_runs(roots)
    known = store.runs(RUNS_MAX)
    names = set() if isinstance(known, Unknown) else {run.run_id for run in known}
    runs = [folders for folders in found[:RUNS_MAX] if folders.run_id not in names]
    verdicts = moves = 0
    tokens: dict[str, int] = {}
    for folders in reversed(runs):
        _remember_run(store, folders, tokens)
        for record in _good_records(folders):
            if (verdict := _verdict(record)) is not None:
                verdicts += store.remember_verdict(verdict)
            elif (move := _move(record)) is not None:
                moves += store.add_gate_move(move)
    for account, token in tokens.items():
        store.grant_lease(account, "", token_above=token, expires_ms=0)
    if not runs:
        return ""
    return f"{len(runs)} of {len(found)} runs, {verdicts} verdicts, {moves} gate moves"


def _remember_run(store: Store, folders: RunFolders, tokens: dict[str, int]) -> None:
    run = summarise(folders)
    for account in run.accounts:
        tokens[account] = max(tokens.get(account, 0), run.highest_token)
    store.end_run(
        RunRow(
            run_id=run.run_id,
            command=run.command,
            accounts=run.accounts,
            started_at_ms=run.started_at_ms or 0,
            ended_at_ms=run.ended_at_ms,
            exit_code=run.exit_code,
            head_sequence=run.head.sequence,
            head_sha256=run.head.sha256 if run.head.sequence else "",
        )
    )


def _good_records(folders: RunFolders) -> Iterator[Record]:
    for piece in folders.read():
        if all(problem.kind == "torn" for problem in piece.breaks):
            yield from piece.records


def _verdict(record: Record) -> VerdictRecord | None:
    details = record.details
    account, as_of_ms = details.get("account"), details.get("as_of_ms")
    valid_until_ms, digests = details.get("valid_until_ms"), details.get("digests")
    if record.event != "verdict" or not isinstance(account, str):
        return None
    if not (isinstance(as_of_ms, int) and isinstance(valid_until_ms, int)):
        return None
    clean = details.get("verdict") == Verdict.CLEAN.value
    safety = details.get("kind") == VerdictKind.SAFETY.value
    kind = VerdictKind.SAFETY if safety else VerdictKind.RECONCILE
    sequence, lines = details.get("gate_sequence"), details.get("conditions")
    known = details.get("verdict") in set(Verdict)
    return VerdictRecord(
        account=account,
        verdict=Verdict(str(details["verdict"])) if known else Verdict.UNKNOWN,
        blocks_resume=not clean,
        as_of_ms=as_of_ms,
        valid_until_ms=valid_until_ms,
        run_id=record.run_id,
        digests=_texts(digests),
        kind=kind,
        gate_sequence=sequence if isinstance(sequence, int) else None,
        conditions=tuple(map(condition_of, lines)) if isinstance(lines, list) else (),
    )


def _move(record: Record) -> GateMove | None:
    account = record.details.get("account")
    if not isinstance(account, str) or record.event not in {*_CLOSINGS, _OPENING}:
        return None
    to_state = GateState.UNSAFE.value
    if record.event == _OPENING:
        to_state = str(record.details.get("to"))
    elif record.event == "cancel_all_started" and record.details.get("gate_closed_ms") is None:
        return None
    return GateMove(
        account=account,
        from_state="unknown",
        to_state=to_state,
        reason=str(record.details.get("reason", "")),
        by=str(record.details.get("by", "")),
        run_id=record.run_id,
        at_ms=record.at_ms,
    )


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    return {str(key): str(item) for key, item in value.items()}
