"""The last check before something is written: does a lease of this process carry it?

Every permit comes out of a journal, and every journal of a command goes through here, so that no
request can be made without the lease of its account, or with a deadline after the lease's end,
whatever the procedure that asked for it believes. In the same way a checkpoint is repaired, and a
gate opened, only by a run that no newer holder has replaced. Called by wiring around the journal
of a run and the power to repair, and by the gate files.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from resyncctl.adapters.store.append_file import is_locked
from resyncctl.adapters.store.lock_files import read_lock
from resyncctl.adapters.store.places import lock_file
from resyncctl.core.errors import RefusedError
from resyncctl.core.mutation import MutationOutcome, Permit
from resyncctl.core.snapshot import EngineSnapshot, Unknown
from resyncctl.ports.repair import CheckpointRepair
from resyncctl.ports.store import LeaseRow, Store
from resyncctl.ports.views import Journal

Vouch = Callable[[str, int, int], None]
"""Given account, fencing token and deadline of an intent, raises when no lease carries it."""


Tell = Callable[[str, Mapping[str, object]], None]
"""Hears of every record that is on disk, e.g. to note a take-over in an incident."""


def _tell_nobody(_event: str, _details: Mapping[str, object]) -> None:
    """Without a listener the journal alone knows."""


class FencedJournal:
    """Implements `ports.views.Journal` around another one."""

    def __init__(self, journal: Journal, vouch: Vouch, tell: Tell = _tell_nobody) -> None:
        self._journal = journal
        self._vouch = vouch
        self._tell = tell

    @property
    def run_id(self) -> str:
        """The run that the records belong to."""
        return self._journal.run_id

    def record(self, event: str, details: Mapping[str, object]) -> int:
        """Append one record, then tell of it; see `ports.views.Journal`."""
        sequence = self._journal.record(event, details)
        self._tell(event, details)
        return sequence

    def intend(
        self, action: str, details: Mapping[str, object], *, deadline_ms: int, fencing_token: int
    ) -> Permit:
        """Append the intent of one mutating request, when a lease carries it.

        Raises:
            InvariantBroken: No lease of this process carries it. Nothing may be sent.
            RecordUnwritableError: The intent is not known to be on disk.
        """
        self._vouch(str(details.get("account", "")), fencing_token, deadline_ms)
        return self._journal.intend(
            action, details, deadline_ms=deadline_ms, fencing_token=fencing_token
        )

    def settle(self, permit: Permit, outcome: MutationOutcome) -> None:
        """Append what became of an intent; see `ports.views.Journal`."""
        self._journal.settle(permit, outcome)


class FencedRepair:
    """Implements `ports.repair.CheckpointRepair` around another one."""

    def __init__(self, repair: CheckpointRepair, still_ours: Callable[[], None]) -> None:
        self._repair = repair
        self._still_ours = still_ours

    def write(self, snapshot: EngineSnapshot, now_ms: int) -> str:
        """Write the snapshot as the next generation, when the account is still this run's.

        Raises:
            LockedError: It is not. Nothing was written.
            RefusedError: The engine still holds the checkpoint's lock.
            RecordUnwritableError: The new generation is not known to be on disk.
        """
        self._still_ours()
        return self._repair.write(snapshot, now_ms)


def refuse_stale_opener(
    state_dir: Path,
    store: Store,
    account: str,
    *,
    run_id: str,
    own_token: int | None,
    now_ms: int,
) -> None:
    """Refuse to open a gate for a run that another run has replaced, or while another one works.

    `own_token` is that of the opening run's lease; without one nobody else may hold the account.

    Raises:
        RefusedError: A newer token was granted, another run holds the account, or the store cannot
            say who does.
    """
    path = lock_file(state_dir, account)
    signed = read_lock(path)
    row = store.lease(account)
    if isinstance(row, Unknown):
        raise RefusedError(
            f"the gate of {account} is not opened while it is not known who held the account last: "
            f"{row.reason}",
            hint="resyncctl doctor",
        )
    tokens = [signed.fencing_token] if signed is not None else []
    tokens += [row.fencing_token] if isinstance(row, LeaseRow) else []
    if own_token is not None and max(tokens, default=0) > own_token:
        who = signed.run_id if signed is not None else "another run"
        raise RefusedError(
            f"the gate of {account} is not opened: run {who} has held the account since",
            hint=f"look at it again: resyncctl status {account}",
        )
    if own_token is None and is_locked(path) and (signed is None or signed.run_id != run_id):
        who = signed.describe(now_ms) if signed is not None else "another process"
        raise RefusedError(
            f"the gate of {account} is not opened while {who} works on the account",
            hint=f"wait for its end: resyncctl watch {account}",
        )


_REPAIR: type[CheckpointRepair] = FencedRepair
_JOURNAL: type[Journal] = FencedJournal
