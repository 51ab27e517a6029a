"""What may change the world. Only the procedures that the import contract names may see this.

There is no `place_order` here, or anywhere else in this program. The one order that can leave is a
`Reduction`, which cannot even be built unless its numbers prove that it reduces.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from resyncctl.core.gate import GateReading, GateState
from resyncctl.core.model import Order, Scope
from resyncctl.core.mutation import MutationOutcome, Permit
from resyncctl.core.reduction import Reduction


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


class VenueReduce(Protocol):
    """The power to make the holdings of one account smaller."""

    def why_not(self, product: str) -> str | None:
        """Return why holdings of this product cannot be reduced here, None when they can."""
        ...

    async def reduce(self, reduction: Reduction, permit: Permit) -> MutationOutcome:
        """Send one reducing order, immediate-or-cancel. Never raises, never repeats.

        The permit must carry this very reduction. An acknowledgement says that the exchange took
        the order, not what became of it: look it up by its client order id.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchAbility:
    """What a venue's dead-man switch can do for one product.

    `covers` are the scopes whose orders it cancels when it fires. With `per_symbol` every symbol
    has a countdown of its own, otherwise one countdown covers the account. `takes_protective` says
    that it also cancels stops that protect a position. `lands_within_ms` is how long after its
    sending a request may still reach the exchange, where the exchange does not refuse it after the
    permit's deadline.
    """

    per_symbol: bool
    countdown_min_ms: int
    countdown_max_ms: int
    covers: tuple[Scope, ...]
    takes_protective: bool = False
    lands_within_ms: int = 0


class DeadManSwitch(Protocol):
    """The power to arm and disarm the exchange's own countdown that cancels orders.

    A backstop, never evidence: it says nothing about whether orders are gone.
    """

    def switch(self, product: str) -> SwitchAbility | None:
        """Return what the switch can do, None when the venue has none for the product."""
        ...

    async def arm(
        self, product: str, venue_symbol: str | None, countdown_ms: int, permit: Permit
    ) -> MutationOutcome:
        """Start or refresh the countdown. Never raises."""
        ...

    async def disarm(
        self, product: str, venue_symbol: str | None, permit: Permit
    ) -> MutationOutcome:
        """Stop the countdown. Never raises."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBy:
    """Who holds an account, as its lock says. `who` is the same in words for the operator.

    `expires_ms` is the end of the lease as it was last written down; what was written nowhere is
    taken to be as long as a lease can be.
    """

    run_id: str
    who: str
    fencing_token: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class TakenLease:
    """A lease that was taken from a holder who did not answer.

    `old_end_ms` is when the old holder's lease ends, read again after it was replaced: a request
    that it made before can take effect until then, and for one more request's validity.
    """

    lease: Lease
    old_end_ms: int


class LeaseControl(Protocol):
    """Who may mutate an account."""

    def acquire(self, account: str, holder: str, now_ms: int) -> Lease:
        """Take the account's lock and lease. Never waits.

        Raises:
            LockedError: Another run holds it; the message names the run, host, process and age.
        """
        ...

    def check(self, lease: Lease, now_ms: int) -> None:
        """Look whether the lease is still this run's, without extending it.

        Raises:
            LockedError: It was lost, or another run asks for the account with a reason; nothing
                may be sent any more.
        """
        ...

    def renew(self, lease: Lease, now_ms: int, needed_ms: int = 0) -> Lease:
        """Extend the lease, to more than `needed_ms` from now.

        Raises:
            LockedError: The lease was lost; nothing may be sent any more.
        """
        ...

    def release(self, lease: Lease) -> None:
        """Give the account back."""
        ...

    def held_by(self, account: str, now_ms: int) -> HeldBy | None:
        """Return who holds the account, None when nobody does or the holder cannot be named."""
        ...

    def ask(self, account: str, by: str, now_ms: int, *, reason: str | None) -> bool:
        """Tell the holder that the run `by` wants the account; with a reason, that it shall yield.

        Returns whether the request could be written where the holder looks.
        """
        ...

    def asked(self, lease: Lease) -> tuple[str, ...]:
        """Return in words which other runs wanted the account while it was held."""
        ...

    def take(
        self, account: str, holder: str, now_ms: int, *, from_token: int, reason: str
    ) -> TakenLease:
        """Replace the lock of a holder whose lease has ended and who does not give way.

        Raises:
            LockedError: The lease still runs, or somebody else holds the account by now.
            RecordUnwritableError: The new lock cannot be made durable.
        """
        ...


class LeaseKeeper(Protocol):
    """The lease of this run, as whoever sends requests under it sees it."""

    def expect_skew(self, skew_ms: int) -> None:
        """Keep in mind that a request may take effect this much later than its deadline."""
        ...

    def assure(self, now_ms: int, needed_ms: int) -> int:
        """Return the fencing token of a lease that outlives a request of this validity.

        To be asked immediately before the intent of every mutating request, with the clock read
        that its deadline is counted from.

        Raises:
            LockedError: The lease was lost; nothing may be sent any more.
        """
        ...

    def why_lost(self, now_ms: int) -> str | None:
        """Return in words why nothing may be sent any more, None while the lease is ours."""
        ...
