"""Who may mutate an account: a kernel lock on this host, with a lease and a token on top.

The lock decides (it cannot outlive its process, and a stopped process keeps it); the lease row and
the fencing token make it visible, and order the holders for whoever compares tokens. Promises: two
runs never hold one account on this host; the token grows with every grant, also when the store or
the lock file was lost; a holder notices before its next request that the lock was taken away, or
that the clock jumped by more than the lease (a suspend), and then sends nothing more. Under break
glass a cancel is not stopped by a disk that takes no lock file. Called by `procedures.cancel_all`
through `ports.powers.LeaseControl`.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from resyncctl.adapters.store.append_file import is_locked
from resyncctl.adapters.store.lock_files import (
    HeldElsewhere,
    Holder,
    LockFile,
    holder_now,
    is_alive,
    lock,
    read_lock,
)
from resyncctl.adapters.store.places import (
    lock_file,
    private_directory,
    private_fallback,
    unwritable,
)
from resyncctl.core.errors import LockedError, RecordUnwritableError
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.powers import Lease
from resyncctl.ports.store import LeaseRow, Store
from resyncctl.ports.views import Clock

TTL_MS = 30_000
_POLL_MS = 50
_LOOKS = 5
_LOOK_S = 0.02


@dataclass(slots=True)
class _Held:
    lease: Lease
    file: LockFile | None
    wall_ms: int
    running_ms: int
    in_store: bool


class Leases:
    """Implements `ports.powers.LeaseControl` for the accounts of one process.

    `lock_timeout_ms` is how long `acquire` waits for another run, with the whole process standing
    still; it is meant for a single account. `fallbacks` are used, and doing without a lock is
    allowed, only under `break_glass`.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        store: Store,
        clock: Clock,
        ttl_ms: int = TTL_MS,
        lock_timeout_ms: int = 0,
        break_glass: bool = False,
        fallbacks: tuple[Path, ...] = (),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._state_dir = state_dir
        self._store = store
        self._clock = clock
        self._ttl_ms = ttl_ms
        self._lock_timeout_ms = lock_timeout_ms
        self._break_glass = break_glass
        self._fallbacks = fallbacks if break_glass else ()
        self._pause = pause
        self._held: dict[str, _Held] = {}
        self._trouble: list[str] = []

    @property
    def trouble(self) -> tuple[str, ...]:
        """What did not work although the lease was granted, in words."""
        return tuple(self._trouble)

    def acquire(self, account: str, holder: str, now_ms: int) -> Lease:
        """Take the account's lock and lease; a holder that has it already keeps it.

        Raises:
            LockedError: Another run holds it; the message names the run, host, process and age.
            RecordUnwritableError: The lock cannot be made, and the glass may not be broken.
        """
        held = self._held.get(account)
        if held is not None:
            if held.lease.holder == holder:
                return self.renew(held.lease, now_ms)
            raise LockedError(f"account {account} is held by {held.lease.holder} of this process")
        file = self._lock(account, now_ms)
        try:
            granted = self._grant(account, holder, file, now_ms)
        except RecordUnwritableError:
            if file is not None:
                file.close()
            raise
        self._held[account] = granted
        return granted.lease

    def renew(self, lease: Lease, now_ms: int) -> Lease:
        """Extend the lease.

        Raises:
            LockedError: The lease was lost; nothing may be sent any more.
        """
        held = self._held.get(lease.account)
        if held is None or held.lease.fencing_token != lease.fencing_token:
            raise _lost(lease, "it was given back")
        running_ms = self._clock.monotonic_ms()
        jump_ms = (now_ms - held.wall_ms) - (running_ms - held.running_ms)
        if abs(jump_ms) > self._ttl_ms:
            raise _lost(
                lease,
                f"the clock jumped by {jump_ms // 1000} s: it was set, or the host was suspended",
            )
        self._check_file(held)
        expires_ms = now_ms + self._ttl_ms
        if held.in_store:
            renewed = self._store.renew_lease(
                lease.account, lease.holder, token=lease.fencing_token, expires_ms=expires_ms
            )
            if renewed is False:
                raise _lost(lease, "the store names another holder")
        held.lease = Lease(lease.account, lease.holder, lease.fencing_token, expires_ms)
        held.wall_ms, held.running_ms = now_ms, running_ms
        return held.lease

    def release(self, lease: Lease) -> None:
        """Give the account back. Safe to call twice."""
        held = self._held.pop(lease.account, None)
        if held is None:
            return
        self._store.release_lease(lease.account, lease.fencing_token)
        if held.file is not None:
            held.file.close()

    def _lock(self, account: str, now_ms: int) -> LockFile | None:
        """Lock the account's file, or a fallback one; None when the glass was broken for it."""
        began_ms = self._clock.monotonic_ms()
        while True:
            try:
                return self._try_lock(account, now_ms)
            except HeldElsewhere as elsewhere:
                waited_ms = self._clock.monotonic_ms() - began_ms
                if waited_ms >= self._lock_timeout_ms:
                    holder = self._name(account, elsewhere.holder)
                    raise _locked(account, holder, now_ms + waited_ms) from None
                self._pause(_POLL_MS / 1000)

    def _name(self, account: str, holder: Holder | None) -> Holder | None:
        """Name the holder; one that has only just got the lock needs a moment to sign."""
        for _ in range(_LOOKS):
            if holder is not None and is_alive(holder):
                return holder
            time.sleep(_LOOK_S)
            holder = read_lock(lock_file(self._state_dir, account))
        return None

    def _try_lock(self, account: str, now_ms: int) -> LockFile | None:
        path = lock_file(self._state_dir, account)
        try:
            private_directory(path.parent)
            return lock(path)
        except RecordUnwritableError as trouble:
            failure = trouble
        except OSError as trouble:
            failure = unwritable(path, trouble)
        if not self._break_glass:
            raise failure
        self._note(f"{failure.place} {failure.message}; going on under break glass")
        self._respect_row(account, now_ms)
        for root in self._fallbacks:
            with contextlib.suppress(RecordUnwritableError, OSError):
                private_fallback(root)
                private_directory(lock_file(root, account).parent)
                return lock(lock_file(root, account))
        self._note(f"no lock could be taken for account {account}")
        return None

    def _respect_row(self, account: str, now_ms: int) -> None:
        """Without the usual lock file the store's row is the only sign of another holder."""
        row = self._store.lease(account)
        if isinstance(row, LeaseRow) and row.holder and row.expires_ms > now_ms:
            raise LockedError(
                f"account {account} is held by run {row.holder}, whose lease runs for another "
                f"{(row.expires_ms - now_ms) // 1000} s",
                hint="wait until then, or end that run",
            )

    def _grant(self, account: str, holder: str, file: LockFile | None, now_ms: int) -> _Held:
        """Give out the next token and write it down in both places."""
        expires_ms = now_ms + self._ttl_ms
        before = file.read() if file is not None else None
        floor = before.fencing_token if before is not None else 0
        if before is None and not (file is not None and file.is_blank):
            # What was the last token is not known. Milliseconds since 1970 exceed any count.
            floor = now_ms
        granted = self._store.grant_lease(account, holder, token_above=floor, expires_ms=expires_ms)
        if isinstance(granted, Unknown) and before is None:
            floor = now_ms
        token = floor + 1 if isinstance(granted, Unknown) else granted
        if file is not None:
            self._write_holder(file, holder_now(account, holder, now_ms, token))
        return _Held(
            lease=Lease(account, holder, token, expires_ms),
            file=file,
            wall_ms=now_ms,
            running_ms=self._clock.monotonic_ms(),
            in_store=not isinstance(granted, Unknown),
        )

    def _write_holder(self, file: LockFile, holder: Holder) -> None:
        try:
            file.write(holder)
        except OSError as trouble:
            if not self._break_glass:
                raise unwritable(file.path, trouble) from trouble
            self._note(f"{file.path} cannot say who holds it: {trouble.strerror or trouble}")

    def _check_file(self, held: _Held) -> None:
        if held.file is None:
            return
        if not held.file.is_in_place():
            raise _lost(held.lease, "its lock file was replaced or removed")
        written = held.file.read()
        if written is not None and written.fencing_token > held.lease.fencing_token:
            raise _lost(held.lease, f"run {written.run_id} has a newer one")

    def _note(self, words: str) -> None:
        if words not in self._trouble:
            self._trouble.append(words)


def read_holder(state_dir: Path, account: str, now_ms: int | None = None) -> str | None:
    """Return in words who holds the account right now, None when nobody does."""
    path = lock_file(state_dir, account)
    if not is_locked(path):
        return None
    holder = read_lock(path)
    if holder is None:
        return "another process"
    return holder.describe(time.time_ns() // 1_000_000 if now_ms is None else now_ms)


def _locked(account: str, holder: Holder | None, now_ms: int) -> LockedError:
    who = holder.describe(now_ms) if holder is not None else "another process"
    return LockedError(
        f"account {account} is held by {who}",
        hint="wait for that run to end, or look at it: resyncctl status",
    )


def _lost(lease: Lease, why: str) -> LockedError:
    return LockedError(
        f"the lease of account {lease.account} was lost: {why}",
        hint="nothing more is sent; run the command again",
    )
