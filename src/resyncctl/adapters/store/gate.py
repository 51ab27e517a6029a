"""The gate of an account: this host's copy and the files that engines read, as one thing.

Promises: closing never waits for anything and reaches every copy that can be reached (a file that
cannot be written is removed or emptied, and a missing or empty gate file is UNSAFE); opening needs
evidence that is still valid, every copy, and that no copy moved meanwhile, and closes everything
again when it cannot be completed; copies that disagree are UNSAFE and not to be trusted. Called by
`procedures.gate` and `procedures.cancel_all` through `ports.powers.GateControl`.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from resyncctl.adapters.store.lease_fence import refuse_stale_opener
from resyncctl.adapters.store.places import FILE_MODE, gate_copy, private_directory
from resyncctl.adapters.store.records import friendly
from resyncctl.core.errors import RecordUnwritableError, RefusedError, StalePlanError
from resyncctl.core.gate import ALLOWED_MOVES, GateReading, GateState
from resyncctl.ports.store import GateMove, Store
from resyncctl.sdk.canonical import canonical
from resyncctl.sdk.durable import replace_durably
from resyncctl.sdk.errors import FormatError, GateMoved, RecoveryError, Unwritable
from resyncctl.sdk.gate import GateStatus, read_gate, write_gate


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCopy:
    """One copy of a gate as it stands. `role` is host or engine."""

    path: Path
    role: str
    state: GateState
    trusted: bool
    reason: str
    sequence: int
    since_ms: int | None
    run_id: str | None
    by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    account: str
    to: GateState
    reason: str
    by: str
    run_id: str
    now_ms: int
    evidence_sha256: str | None = None


class GateFiles:
    """Implements `ports.powers.GateControl` and `ports.views.GateView`.

    `own_token` gives the fencing token of this process's lease of an account, where it has one: a
    gate is not opened by a run that a newer one has replaced. Closing never asks for it.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        engine_files: Mapping[str, Sequence[Path]],
        store: Store,
        own_token: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        self._state_dir = state_dir
        self._engine_files = {name: tuple(paths) for name, paths in engine_files.items()}
        self._store = store
        self._own_token = own_token

    def read(self, account: str) -> GateReading:
        """Return the gate; UNSAFE and not trusted when a copy is missing, corrupt or different."""
        return combine(account, self.copies(account))

    def copies(self, account: str) -> tuple[GateCopy, ...]:
        """Return every copy as it stands: this host's first, then those that engines read."""
        return tuple(
            _copy(path, role, read_gate(path, account)) for path, role in self._places(account)
        )

    def move(
        self,
        account: str,
        to: GateState,
        *,
        reason: str,
        by: str,
        run_id: str,
        now_ms: int,
        evidence: Mapping[str, object] | None = None,
    ) -> GateReading:
        """Write the new state durably where the engine reads it, and remember it.

        Raises:
            RefusedError: The move is not in `ALLOWED_MOVES`, evidence is missing for opening,
                another run holds the account, or somebody else moved the gate meanwhile.
            StalePlanError: The evidence for opening is not valid any more.
            RecordUnwritableError: Closing: not one copy could be closed. Opening: a copy or the
                evidence could not be written; the gate is closed.
        """
        move = _Move(account=account, to=to, reason=reason, by=by, run_id=run_id, now_ms=now_ms)
        if to is GateState.UNSAFE:
            return self._close(move, self.read(account).state)
        return self._open(move, evidence or {})

    def _close(self, move: _Move, before: GateState) -> GateReading:
        failed = self._close_copies(move)
        places = self._places(move.account)
        self._remember(move, before, [path for path, _ in failed])
        if len(failed) == len(places):
            raise RecordUnwritableError(
                f"the gate of {move.account} could not be closed: {failed[0][1].message}",
                place=str(failed[0][0]),
                hint="stop the engine by hand; cancelling goes on",
            )
        return self.read(move.account)

    def _close_copies(self, move: _Move) -> list[tuple[Path, Unwritable]]:
        """Close every copy that can be closed, those that engines read first."""
        failed: list[tuple[Path, Unwritable]] = []
        for path, role in reversed(self._places(move.account)):
            if role == "host":
                self._make_folder(path)
            try:
                _write(path, move)
            except Unwritable as trouble:
                failed.append((path, trouble))
        return failed

    def _open(self, move: _Move, evidence: Mapping[str, object]) -> GateReading:
        copies = self.copies(move.account)
        reading = combine(move.account, copies)
        _demand(move, reading, evidence)
        self._demand_newest(move)
        self._make_folder(copies[0].path)
        ready = _Move(
            account=move.account,
            to=move.to,
            reason=move.reason,
            by=move.by,
            run_id=move.run_id,
            now_ms=move.now_ms,
            evidence_sha256=self._keep_evidence(evidence),
        )
        try:
            for copy in copies:
                _write(copy.path, ready, expected_sequence=copy.sequence)
        except RecoveryError as trouble:
            self._undo(move, trouble)
            words = f"the gate of {move.account} was not opened: {trouble.message}"
            if isinstance(trouble, GateMoved):
                raise RefusedError(words, place=trouble.place, hint=trouble.hint) from trouble
            raise RecordUnwritableError(words, place=trouble.place, hint=trouble.hint) from trouble
        opened = self.read(move.account)
        if not opened.trusted or opened.state is not move.to:
            self._undo(move, opened.reason)
            raise RefusedError(
                f"the gate of {move.account} was moved meanwhile: {opened.reason}",
                hint="look at it again and decide again",
            )
        self._remember(ready, reading.state, [])
        return opened

    def _demand_newest(self, move: _Move) -> None:
        refuse_stale_opener(
            self._state_dir,
            self._store,
            move.account,
            run_id=move.run_id,
            own_token=self._own_token(move.account),
            now_ms=move.now_ms,
        )

    def _undo(self, move: _Move, trouble: object) -> None:
        """Close every copy again: a gate that is half open is closed."""
        closing = _Move(
            account=move.account,
            to=GateState.UNSAFE,
            reason=f"opening to {move.to.value} could not be completed: {trouble}",
            by=move.by,
            run_id=move.run_id,
            now_ms=move.now_ms,
        )
        failed = self._close_copies(closing)
        self._remember(closing, move.to, [path for path, _ in failed])

    def _keep_evidence(self, evidence: Mapping[str, object]) -> str:
        """Keep what the opening was decided on, under its own digest, and return that digest."""
        data = canonical(friendly(evidence, lambda text: text)) + b"\n"
        digest = hashlib.sha256(data).hexdigest()
        path = self._state_dir / "evidence" / f"{digest}.json"
        private_directory(path.parent)
        try:
            replace_durably(path, data, mode=FILE_MODE)
        except Unwritable as trouble:
            raise RecordUnwritableError(
                f"the evidence for opening {trouble.message}", place=trouble.place
            ) from trouble
        return digest

    def _make_folder(self, path: Path) -> None:
        # Closing goes on without the folder: the copy that engines read is what matters.
        if not path.parent.exists():
            try:
                private_directory(path.parent)
            except RecordUnwritableError:
                return

    def _remember(self, move: _Move, before: GateState, failed: Sequence[Path]) -> None:
        self._store.add_gate_move(
            GateMove(
                account=move.account,
                from_state=before.value,
                to_state=move.to.value,
                reason=move.reason,
                by=move.by,
                run_id=move.run_id,
                at_ms=move.now_ms,
                evidence_sha256=move.evidence_sha256,
                failed_copies=tuple(str(path) for path in failed),
            )
        )

    def _places(self, account: str) -> tuple[tuple[Path, str], ...]:
        own = gate_copy(self._state_dir, account)
        engines = (path for path in self._engine_files.get(account, ()) if path != own)
        return ((own, "host"), *((path, "engine") for path in dict.fromkeys(engines)))


def combine(account: str, copies: Sequence[GateCopy]) -> GateReading:
    """Given every copy, return what they say together: the same, or UNSAFE and not trusted."""
    first = copies[0]
    same = {(copy.state, copy.since_ms, copy.run_id) for copy in copies}
    trusted = all(copy.trusted for copy in copies)
    if trusted and len(same) == 1:
        return GateReading(
            account=account,
            state=first.state,
            reason=first.reason,
            since_ms=first.since_ms,
            by=first.by,
            sequence=first.sequence,
        )
    doubts = [copy.reason for copy in copies if not copy.trusted]
    if trusted:
        stands = ", ".join(f"{copy.path} says {copy.state.value}" for copy in copies)
        doubts.append(f"its copies disagree: {stands}")
    still = [copy for copy in copies if copy.trusted and copy.state is not GateState.UNSAFE]
    if still and len(still) < len(copies):
        doubts += [f"{copy.path} still says {copy.state.value}" for copy in still]
    return GateReading(
        account=account,
        state=GateState.UNSAFE,
        reason="; ".join(dict.fromkeys(doubts)),
        since_ms=None,
        by=None,
        sequence=first.sequence,
        trusted=False,
    )


def _demand(move: _Move, reading: GateReading, evidence: Mapping[str, object]) -> None:
    """Refuse an opening that is not allowed, not evidenced, or late."""
    if not reading.trusted:
        raise RefusedError(
            f"the gate of {move.account} cannot be trusted: {reading.reason}",
            hint=f"resyncctl gate close {move.account}",
        )
    if (reading.state, move.to) not in ALLOWED_MOVES:
        raise RefusedError(
            f"the gate of {move.account} cannot go from {reading.state.value} to {move.to.value}",
            hint="it opens from UNSAFE to SAFE, and from SAFE to RUNNING",
        )
    valid_until_ms = evidence.get("valid_until_ms")
    if not isinstance(valid_until_ms, int) or isinstance(valid_until_ms, bool):
        raise RefusedError(
            f"opening the gate of {move.account} needs evidence that says until when it is valid",
            hint=f"resyncctl reconcile {move.account}",
        )
    if move.now_ms > valid_until_ms:
        raise StalePlanError(
            f"the evidence for opening the gate of {move.account} has expired",
            hint=f"resyncctl reconcile {move.account}",
        )


def _write(path: Path, move: _Move, expected_sequence: int | None = None) -> None:
    try:
        write_gate(
            path,
            account=move.account,
            state=move.to.value,
            reason=move.reason,
            by=move.by,
            run_id=move.run_id,
            now_ms=move.now_ms,
            evidence_sha256=move.evidence_sha256,
            expected_sequence=expected_sequence,
        )
    except FormatError as trouble:
        raise Unwritable(f"cannot be written: {trouble.message}", place=str(path)) from trouble


def _copy(path: Path, role: str, status: GateStatus) -> GateCopy:
    return GateCopy(
        path=path,
        role=role,
        state=GateState(status.state.value),
        trusted=status.trusted,
        reason=status.reason,
        sequence=status.sequence,
        since_ms=status.since_ms,
        run_id=status.run_id,
        by=status.by,
    )
