"""What may change the world. Only the procedures that the import contract names may see this.

There is no `place_order` here, or anywhere else in this program.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.model import Order, Scope
from resyncctl.core.mutation import MutationOutcome, Permit


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAbilities:
    """How orders of one scope can be cancelled.

    `by_symbol` says that one request cancels everything resting on a symbol (of this order class),
    `single` that one order can be cancelled by its id. `parallel` is how many requests may be under
    way at once.
    """

    by_symbol: bool
    single: bool
    parallel: int = 8


class VenueCancel(Protocol):
    """The power to cancel orders of one account. Every call needs a permit of its own."""

    def abilities(self, scope: Scope) -> CancelAbilities:
        """Return how this scope can be cancelled."""
        ...

    async def cancel_order(self, order: Order, permit: Permit) -> MutationOutcome:
        """Cancel one order by its venue order id (or client order id). Never raises."""
        ...

    async def cancel_symbol(
        self, scope: Scope, symbol: str, venue_symbol: str, permit: Permit
    ) -> MutationOutcome:
        """Cancel every order of the scope on one symbol, protective ones too. Never raises."""
        ...


class GateControl(Protocol):
    """The power to move the gate of an account. Closing always works as far as files can."""

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
            RefusedError: The move is not in `ALLOWED_MOVES`, or evidence is missing for opening.
            RecordUnwritableError: Not one copy of the gate could be written.
        """
        ...


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to mutate one account, for a time."""

    account: str
    holder: str
    fencing_token: int
    expires_ms: int


class LeaseControl(Protocol):
    """Who may mutate an account."""

    def acquire(self, account: str, holder: str, now_ms: int) -> Lease:
        """Take the account's lock and lease.

        Raises:
            LockedError: Another run holds it; the message names the run, host, process and age.
        """
        ...

    def renew(self, lease: Lease, now_ms: int) -> Lease:
        """Extend the lease.

        Raises:
            LockedError: The lease was lost; nothing may be sent any more.
        """
        ...

    def release(self, lease: Lease) -> None:
        """Give the account back."""
        ...


class LeaseKeeper(Protocol):
    """The lease of this run, as a wave of cancels sees it."""

    def assure(self, now_ms: int, needed_ms: int) -> int:
        """Return the fencing token when the lease lives longer than `needed_ms`; renew if not.

        Raises:
            LockedError: The lease was lost; nothing may be sent any more.
        """
        ...
