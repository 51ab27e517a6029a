"""Who may mutate an account: a kernel lock on this host, with a lease and a token on top.

The lock decides (it cannot outlive its process, and a stopped process keeps it); the lease row and
the fencing token make it visible, and order the holders for whoever compares tokens. Promises: two
runs never hold one account on this host; the token grows with every grant, also when the store or
the lock file was lost; a holder notices before its next request that the lock was taken away, or
that the clock jumped by more than the lease (a suspend), and then sends nothing more; the lock of a
living holder is replaced only after its lease has ended. Under break glass a cancel is not stopped
by a disk that takes no lock file. Called by procedures through `ports.powers.LeaseControl`.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from resyncctl.adapters.store.append_file import is_locked
from resyncctl.adapters.store.lease_asks import add_ask, clear_asks, read_asks, standing_ask
from resyncctl.adapters.store.lease_words import locked, lost, replaced
from resyncctl.adapters.store.lock_files import (
    HeldElsewhere,
    Holder,
    LockFile,
    holder_now,
    is_alive,
    lock,
    open_for_reading,
    read_lock,
    replace_lock,
)
from resyncctl.adapters.store.places import (
    lock_file,
    private_directory,
    private_fallback,
    unwritable,
)
from resyncctl.core.errors import LockedError, RecordUnwritableError, ensure
from resyncctl.core.snapshot import Unknown
from resyncctl.ports.powers import HeldBy, Lease, TakenLease
from resyncctl.ports.store import LeaseRow, Store
from resyncctl.ports.views import Clock

TTL_MS = 15_000
_LOOKS = 5
_LOOK_S = 0.02


@dataclass(slots=True)
class _Held:
    lease: Lease
    file: LockFile | None
    wall_ms: int
    running_ms: int
    in_store: bool
    signed: Holder | None


class Leases:
    """Implements `ports.powers.LeaseControl` for the accounts of one process.

    `fallbacks` are used, and doing without a lock is allowed, only under `break_glass`. With
    `needs_store` no lease is granted that the store does not know: for acts that do more than
    reduce risk. `take_lock` is how a lock file is locked.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        store: Store,
        clock: Clock,
        ttl_ms: int = TTL_MS,
        break_glass: bool = False,
        needs_store: bool = False,
        fallbacks: tuple[Path, ...] = (),
        take_lock: Callable[[Path], LockFile] = lock,
    ) -> None:
        self._state_dir = state_dir
        self._store = store
        self._clock = clock
        self._ttl_ms = ttl_ms
        self._break_glass = break_glass
        self._needs_store = needs_store
        self._fallbacks = fallbacks if break_glass else ()
        self._take_lock = take_lock
        self._held: dict[str, _Held] = {}
        self._trouble: list[str] = []

    @property
    def trouble(self) -> tuple[str, ...]:
        """What did not work although the lease was granted, in words."""
        return tuple(self._trouble)

    def acquire(self, account: str, holder: str, now_ms: int) -> Lease:
        """Take the account's lock and lease; a holder that has it already keeps it. Never waits.

        Raises:
            LockedError: Another run holds it; the message names the run, host, process and age.
            RecordUnwritableError: The lock cannot be made, and the glass may not be broken.
        """
        held = self._held.get(account)
        if held is not None:
            if held.lease.holder == holder:
                return self.renew(held.lease, now_ms)
            raise LockedError(f"account {account} is held by {held.lease.holder} of this process")
        try:
            file = self._try_lock(account, now_ms)
        except HeldElsewhere as elsewhere:
            raise locked(account, self._name(account, elsewhere.holder), now_ms) from None
        try:
            granted = self._grant(account, holder, file, now_ms)
        except (LockedError, RecordUnwritableError):
            if file is not None:
                file.close()
            raise
        self._held[account] = granted
        clear_asks(self._path(account))
        return granted.lease

    def check(self, lease: Lease, now_ms: int) -> None:
        """Look whether the lease is still this run's, without extending it.

        Raises:
            LockedError: It was lost, or another run asks for the account with a reason; nothing
                may be sent any more.
        """
        held = self._ours(lease)
        self._check_clocks(held, now_ms)
        self._check_file(held)
        since_ms = held.signed.since_ms if held.signed is not None else 0
        ask = standing_ask(self._path(lease.account), lease.holder, since_ms)
        if ask is not None:
            raise lost(lease, f"taken over by {ask.describe()}, because: {ask.reason}")

    def renew(self, lease: Lease, now_ms: int, needed_ms: int = 0) -> Lease:
        """Extend the lease, to more than `needed_ms` from now.

        Raises:
            LockedError: The lease was lost; nothing may be sent any more.
        """
        held = self._ours(lease)
        self._check_clocks(held, now_ms)
        self._check_file(held)
        expires_ms = now_ms + max(self._ttl_ms, 2 * needed_ms)
        stored: bool | Unknown = Unknown("the store does not know the lease")
        if held.in_store:
            stored = self._store.renew_lease(
                lease.account, lease.holder, token=lease.fencing_token, expires_ms=expires_ms
            )
            if stored is False:
                raise lost(lease, "the store names another holder")
        if held.file is not None and held.signed is not None:
            held.signed = replace(held.signed, expires_ms=expires_ms)
            written = self._sign(held.file, held.signed)
            if not written and stored is not True and not self._break_glass:
                raise lost(lease, "its end could be written down nowhere")
        held.lease = Lease(lease.account, lease.holder, lease.fencing_token, expires_ms)
        held.wall_ms, held.running_ms = now_ms, self._clock.monotonic_ms()
        return held.lease

    def release(self, lease: Lease) -> None:
        """Give the account back. Safe to call twice."""
        held = self._held.get(lease.account)
        if held is None or held.lease.fencing_token != lease.fencing_token:
            return
        del self._held[lease.account]
        self._store.release_lease(lease.account, lease.fencing_token)
        if held.file is not None:
            held.file.close()

    def vouch(self, account: str, fencing_token: int, deadline_ms: int) -> None:
        """Hold an intent against the leases of this process, as the last check before its record.

        Raises:
            InvariantBroken: No lease with this token is held here, or it ends before the request.
        """
        held = self._held.get(account)
        mine = held is not None and held.lease.fencing_token == fencing_token
        ensure(mine, f"an intent for account {account} was made without its lease")
        lives = held is not None and deadline_ms < held.lease.expires_ms
        ensure(lives, f"an intent for account {account} outlives its lease")

    def demand(self, accounts: Sequence[str], now_ms: int) -> None:
        """Demand that this process holds one of these leases, and has lost none of them.

        Raises:
            LockedError: It holds none, or one was lost.
        """
        mine = [self._held[name].lease for name in accounts if name in self._held]
        if not mine:
            raise LockedError(f"account {accounts[0]} is not held by this run")
        for lease in mine:
            self.check(lease, now_ms)

    def token_of(self, account: str) -> int | None:
        """Return the fencing token of this process's lease, None without one.

        A lease that was lost meanwhile keeps its token, which is then older than the newest.
        """
        held = self._held.get(account)
        return held.lease.fencing_token if held is not None else None

    def held_by(self, account: str, now_ms: int) -> HeldBy | None:
        """Return who holds the account, None when nobody does or the holder cannot be named."""
        path = self._path(account)
        holder = read_lock(path) if is_locked(path) else None
        if holder is None:
            return None
        return HeldBy(
            run_id=holder.run_id,
            who=holder.describe(now_ms),
            fencing_token=holder.fencing_token,
            expires_ms=self._end_of(holder, now_ms),
        )

    def ask(self, account: str, by: str, now_ms: int, *, reason: str | None) -> bool:
        """Tell the holder that the run `by` wants the account; with a reason, that it shall yield.

        Returns whether the request could be written where the holder looks.
        """
        return add_ask(self._path(account), by, now_ms, reason)

    def asked(self, lease: Lease) -> tuple[str, ...]:
        """Return in words which other runs wanted the account while it was held."""
        asks = read_asks(self._path(lease.account))
        return tuple(dict.fromkeys(a.describe() for a in asks if a.run_id != lease.holder))

    def take(
        self, account: str, holder: str, now_ms: int, *, from_token: int, reason: str
    ) -> TakenLease:
        """Replace the lock of a holder whose lease has ended and who does not give way.

        Raises:
            LockedError: The lease still runs, or somebody else holds the account by now.
            RecordUnwritableError: The new lock cannot be made durable.
        """
        path = self._path(account)
        try:
            with (
                contextlib.closing(lock(path.with_suffix(".taking"))),
                contextlib.closing(open_for_reading(path)) as old,
            ):
                fresh = replace(holder_now(account, holder, now_ms, from_token), reason=reason)
                return self._take(old, fresh, from_token)
        except HeldElsewhere:
            raise LockedError(f"another run is taking over account {account}") from None
        except OSError as trouble:
            raise unwritable(path, trouble) from trouble

    def _take(self, old: LockFile, fresh: Holder, from_token: int) -> TakenLease:
        account, now_ms = fresh.account, fresh.since_ms
        before = old.read()
        if before is None or before.fencing_token != from_token:
            raise locked(account, before, now_ms)
        if now_ms <= self._end_of(before, now_ms):
            raise LockedError(f"the lease of run {before.run_id} on {account} still runs")
        expires_ms = now_ms + self._ttl_ms
        token, in_store = self._next_token(account, fresh.run_id, from_token, expires_ms)
        signed = replace(
            fresh, fencing_token=token, expires_ms=expires_ms, taken_from=before.run_id
        )
        file = replace_lock(old.path, signed)
        clear_asks(old.path)
        lease = Lease(account, fresh.run_id, token, expires_ms)
        running_ms = self._clock.monotonic_ms()
        self._held[account] = _Held(lease, file, now_ms, running_ms, in_store, signed)
        # The old holder may have renewed between our look and the replacement. Read again after it:
        # it looks for its file after it has written, so that one of the two sees the other.
        return TakenLease(lease, self._end_of(old.read() or before, now_ms))

    def _path(self, account: str) -> Path:
        return lock_file(self._state_dir, account)

    def _end_of(self, holder: Holder, now_ms: int) -> int:
        """Return when a holder's lease ends, by every record of it."""
        ends = [holder.expires_ms or now_ms + self._ttl_ms]
        row = self._store.lease(holder.account)
        if isinstance(row, LeaseRow) and row.fencing_token == holder.fencing_token:
            ends.append(row.expires_ms)
        return max(ends)

    def _ours(self, lease: Lease) -> _Held:
        held = self._held.get(lease.account)
        if held is None or held.lease.fencing_token != lease.fencing_token:
            raise lost(lease, "it was given back")
        return held

    def _check_clocks(self, held: _Held, now_ms: int) -> None:
        jump_ms = (now_ms - held.wall_ms) - (self._clock.monotonic_ms() - held.running_ms)
        if abs(jump_ms) > self._ttl_ms:
            words = f"the clock jumped by {jump_ms // 1000} s"
            raise lost(held.lease, f"{words}: it was set, or the host was suspended")

    def _check_file(self, held: _Held) -> None:
        if held.file is None:
            return
        if not held.file.is_in_place():
            raise lost(held.lease, replaced(held.lease, read_lock(held.file.path)))
        written = held.file.read()
        if written is not None and written.fencing_token > held.lease.fencing_token:
            raise lost(held.lease, f"run {written.run_id} has a newer one")

    def _name(self, account: str, holder: Holder | None) -> Holder | None:
        """Name the holder; one that has only just got the lock needs a moment to sign."""
        for _ in range(_LOOKS):
            if holder is not None and is_alive(holder):
                return holder
            time.sleep(_LOOK_S)
            holder = read_lock(self._path(account))
        return None

    def _try_lock(self, account: str, now_ms: int) -> LockFile | None:
        """Lock the account's file, or a fallback one; None when the glass was broken for it."""
        path = self._path(account)
        try:
            private_directory(path.parent)
            return self._take_lock(path)
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
                return self._take_lock(lock_file(root, account))
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
        if before is None and not self._break_glass:
            # Nobody signed this file. If a lease still runs, its holder's file was taken away.
            self._respect_row(account, now_ms)
        floor = before.fencing_token if before is not None else 0
        if before is None and not (file is not None and file.is_blank):
            # What was the last token is not known. Milliseconds since 1970 exceed any count.
            floor = now_ms
        token, in_store = self._next_token(account, holder, floor, expires_ms)
        if not in_store and before is None:
            token = max(token, now_ms + 1)
        signed = None
        if file is not None:
            signed = holder_now(account, holder, now_ms, token, expires_ms)
            if not self._sign(file, signed) and not self._break_glass:
                words = "the lock file cannot say who holds it"
                raise RecordUnwritableError(words, place=str(file.path))
        running_ms = self._clock.monotonic_ms()
        lease = Lease(account, holder, token, expires_ms)
        return _Held(lease, file, now_ms, running_ms, in_store, signed)

    def _next_token(
        self, account: str, holder: str, above: int, expires_ms: int
    ) -> tuple[int, bool]:
        """Return a token above every one before it, and whether the store knows it."""
        granted = self._store.grant_lease(account, holder, token_above=above, expires_ms=expires_ms)
        if not isinstance(granted, Unknown):
            return granted, True
        if self._needs_store:
            raise RecordUnwritableError(
                f"the lease of account {account} cannot be remembered: {granted.reason}",
                hint="while the store cannot be used, only cancelling goes on: "
                f"resyncctl cancel-all {account}",
            )
        return above + 1, False

    def _sign(self, file: LockFile, holder: Holder) -> bool:
        """Write who holds the lock; return whether that is on disk."""
        try:
            file.write(holder)
        except OSError as trouble:
            self._note(f"{file.path} cannot say who holds it: {trouble.strerror or trouble}")
            return False
        return True

    def _note(self, words: str) -> None:
        if words not in self._trouble:
            self._trouble.append(words)
