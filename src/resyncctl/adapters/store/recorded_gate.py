"""A gate whose every move is written into the account's incident.

It stands around the gate files, where wiring hands the gate out, so that no procedure can forget to
tell. Promises: the gate moves first and is told of afterwards; trouble with the record never
reaches whoever moves the gate, it is said through `warn`; a move that failed is told as one that
failed; an incident that could not be written down when it began is begun as soon as it can be.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from resyncctl.adapters.store.gate import GateCopy
from resyncctl.adapters.store.incidents import Incidents
from resyncctl.core.errors import RecordUnwritableError, ResyncError
from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.incident import IncidentEventKind, opens_incident
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.incidents import Opening
from resyncctl.ports.powers import GateControl
from resyncctl.ports.store import GateMove, Store
from resyncctl.ports.views import GateView

_OPEN = frozenset({GateState.SAFE.value, GateState.RUNNING.value})


class MovableGate(GateControl, GateView, Protocol):
    """Both hands of one gate, and each of its copies."""

    def copies(self, account: str) -> Sequence[GateCopy]:
        """Return every copy as it stands."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Who moves the gate, for the record: the command, when it was started, the objective."""

    command: str
    asked_ms: int
    rto_ms: int | None
    warn: Callable[[str], None]


class RecordedGate:
    """Implements `ports.powers.GateControl` and `ports.views.GateView` around another gate."""

    def __init__(
        self, gate: MovableGate, incidents: Incidents, store: Store, teller: Teller
    ) -> None:
        self._gate = gate
        self._incidents = incidents
        self._store = store
        self._teller = teller

    def read(self, account: str) -> GateReading:
        """Return the gate, as the gate itself does."""
        return self._gate.read(account)

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
        """Move the gate, then tell of it. Raises what the gate itself raises, and nothing else."""
        before = self._gate.read(account)
        copy_open = not before.trusted and any(
            copy.trusted and copy.state is not GateState.UNSAFE
            for copy in self._gate.copies(account)
        )
        move = _Move(account, to, reason, by, run_id, now_ms, copy_open)
        try:
            moved = self._gate.move(
                account,
                to,
                reason=reason,
                by=by,
                run_id=run_id,
                now_ms=now_ms,
                evidence=evidence,
            )
        except ResyncError as error:
            self._tell_failure(move, before, error)
            raise
        self._tell(move, before)
        return moved

    def _tell(self, move: "_Move", before: GateReading) -> None:
        if move.to is GateState.UNSAFE:
            if self._begins(move, before):
                self._say(self._incidents.opened(self._opening(move, before, closed=True)))
                return
            self._catch_up(move.account)
        self._say(self._add(IncidentEventKind.GATE_MOVED, move, before, {"reason": move.reason}))
        if move.to is GateState.RUNNING:
            how = "the account trades again"
            ended = self._incidents.closed(
                move.account, how, by=move.by, run_id=move.run_id, at_ms=move.now_ms
            )
            self._say(ended)

    def _tell_failure(self, move: "_Move", before: GateReading, error: ResyncError) -> None:
        closing = move.to is GateState.UNSAFE and isinstance(error, RecordUnwritableError)
        if closing and self._begins(move, before):
            self._say(self._incidents.opened(self._opening(move, before, closed=False)))
        told = {"reason": move.reason, "trouble": error.message}
        self._say(self._add(IncidentEventKind.GATE_NOT_MOVED, move, before, told))

    def _begins(self, move: "_Move", before: GateReading) -> bool:
        if before.trusted or move.copy_open:
            return opens_incident(before, None, copy_open=move.copy_open)
        history = self._store.gate_history(move.account)
        if isinstance(history, Unknown):
            return True
        own = (move.run_id, move.now_ms)
        earlier = [one for one in history if (one.run_id, one.at_ms) != own]
        last_known = earlier[0].to_state if earlier else None
        return opens_incident(before, last_known, copy_open=False)

    def _catch_up(self, account: str) -> None:
        """Begin late what could not be begun in time: no disk, no lock, a record that was lost."""
        if self._incidents.current(account) is not None:
            return
        missed = self._missed(account)
        if missed is None:
            return
        late = Opening(
            account=account,
            reason=missed.reason,
            by=missed.by,
            run_id=missed.run_id,
            command="",
            at_ms=missed.at_ms,
            asked_ms=None,
            gate_from=missed.from_state,
            late=True,
            rto_ms=self._teller.rto_ms,
        )
        self._say(self._incidents.opened(late))

    def _missed(self, account: str) -> GateMove | None:
        """Return the closing that no incident tells of, None when there is none."""
        history = self._store.gate_history(account)
        if isinstance(history, Unknown):
            return None
        for move in history:
            if move.to_state in _OPEN:
                return None
            if move.from_state in _OPEN:
                ended_ms = self._incidents.last_end_ms(account)
                return move if ended_ms is None or ended_ms < move.at_ms else None
        return None

    def _opening(self, move: "_Move", before: GateReading, *, closed: bool) -> Opening:
        return Opening(
            account=move.account,
            reason=move.reason,
            by=move.by,
            run_id=move.run_id,
            command=self._teller.command,
            at_ms=move.now_ms,
            asked_ms=self._teller.asked_ms,
            gate_from=before.state.value if before.trusted else "not known",
            gate_closed=closed,
            rto_ms=self._teller.rto_ms,
        )

    def _add(
        self,
        event: IncidentEventKind,
        move: "_Move",
        before: GateReading,
        told: Mapping[str, object],
    ) -> str | None:
        details = {
            "from": before.state.value if before.trusted else "not known",
            "to": move.to.value,
            "by": move.by,
            "command": self._teller.command,
            **told,
        }
        return self._incidents.add(
            move.account, event.value, details, run_id=move.run_id, at_ms=move.now_ms
        )

    def _say(self, trouble: str | None) -> None:
        if trouble is not None:
            self._teller.warn(trouble)


@dataclass(frozen=True, slots=True)
class _Move:
    account: str
    to: GateState
    reason: str
    by: str
    run_id: str
    now_ms: int
    copy_open: bool
