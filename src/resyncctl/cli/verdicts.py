"""What this host remembers of verdicts, for the verbs that prove an account safe or open its gate.

Promises: a verdict that cannot be read is none, so that the gate stays shut; one that cannot be
written is told. Called by `verify`, `resync`, `gate open` and the board.
"""

from typing import TYPE_CHECKING

from resyncctl.core.safety import VerdictKind, VerdictRecord

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation


def keep(invocation: "Invocation", record: VerdictRecord) -> bool:
    """Remember a verdict; return whether it is known to be written."""
    from resyncctl.cli import memory, wiring

    fence = wiring.fence_of(invocation, record.account)
    kept = memory.store(invocation).remember_verdict(record, fence)
    if not kept:
        invocation.warn("the verdict could not be remembered; no gate will open on it")
    return kept


def last_safety(invocation: "Invocation", account: str) -> VerdictRecord | None:
    """Return the last safety verdict, the only kind that opens a gate."""
    from resyncctl.cli import memory

    found = memory.store(invocation).last_verdict(account, VerdictKind.SAFETY)
    return found if isinstance(found, VerdictRecord) else None


def newest(invocation: "Invocation", account: str) -> VerdictRecord | None:
    """Return the newest verdict of any kind."""
    from resyncctl.cli import memory

    found = memory.store(invocation).last_verdict(account)
    return found if isinstance(found, VerdictRecord) else None
