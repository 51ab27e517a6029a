"""What the operator reads when an account is held by somebody else, or a lease was lost.

Called by `lease`, and by wiring for the status board.
"""

import time
from pathlib import Path

from resyncctl.adapters.store.append_file import is_locked
from resyncctl.adapters.store.lock_files import Holder, read_lock
from resyncctl.adapters.store.places import lock_file
from resyncctl.core.errors import LockedError
from resyncctl.ports.powers import Lease


def locked(account: str, holder: Holder | None, now_ms: int) -> LockedError:
    """Return the error of whoever finds the account held."""
    who = holder.describe(now_ms) if holder is not None else "another process"
    return LockedError(
        f"account {account} is held by {who}",
        hint=f"watch that run: resyncctl watch {account}; or take the account over with a reason: "
        "--take-over REASON",
    )


def lost(lease: Lease, why: str) -> LockedError:
    """Return the error of a holder who holds no more."""
    return LockedError(
        f"the lease of account {lease.account} was lost: {why}",
        hint="nothing more is sent; run the command again",
    )


def replaced(lease: Lease, there: Holder | None) -> str:
    """Given what the lock file at our path says now, return what became of ours."""
    if there is None or there.fencing_token <= lease.fencing_token:
        return "its lock file was replaced or removed"
    who = f"run {there.run_id} of {there.user} on {there.host}, process {there.pid}"
    if there.taken_from != lease.holder:
        return f"its lock file was replaced or removed, and {who} has a newer one"
    return f"taken over by {who}, because: {there.reason}"


def read_holder(state_dir: Path, account: str, now_ms: int | None = None) -> str | None:
    """Return in words who holds the account right now, None when nobody does."""
    path = lock_file(state_dir, account)
    if not is_locked(path):
        return None
    holder = read_lock(path)
    if holder is None:
        return "another process"
    return holder.describe(time.time_ns() // 1_000_000 if now_ms is None else now_ms)
