"""The lease of one run: renewed while the run goes on, asked before every mutating request.

Promises: no request gets a token unless the lease outlives the request's deadline and the measured
skew of the clocks, so that a request of a paused or replaced holder has died at the exchange before
anybody else may act; a lease that was once lost stays lost. It is renewed only here, by the run's
own progress: a run that hangs loses it. Called by `cancel_wave`, by every other sender of mutating
requests, and between requests by the procedures that wait.
"""

from dataclasses import dataclass, field

from resyncctl.core.errors import LockedError
from resyncctl.ports.powers import Lease, LeaseControl

SKEW_UNMEASURED_MS = 1_000
"""What is allowed for the clocks' difference until it was measured."""


@dataclass(slots=True)
class HeldLease:
    """Implements `ports.powers.LeaseKeeper`. Whoever acquired the lease also releases it."""

    control: LeaseControl
    lease: Lease
    skew_ms: int = SKEW_UNMEASURED_MS
    _lost: str | None = field(default=None)

    @classmethod
    def acquire(cls, control: LeaseControl, account: str, holder: str, now_ms: int) -> "HeldLease":
        """Take the account.

        Raises:
            LockedError: Another run holds it; the message names the run, host, process and age.
        """
        return cls(control, control.acquire(account, holder, now_ms))

    def expect_skew(self, skew_ms: int) -> None:
        """Keep in mind that a request may take effect this much later than its deadline."""
        self.skew_ms = max(0, skew_ms)

    def assure(self, now_ms: int, needed_ms: int) -> int:
        """Return the fencing token of a lease that outlives a request of this validity.

        Raises:
            LockedError: The lease was lost; nothing may be sent any more.
        """
        if self._lost is not None:
            raise _lost(self._lost)
        try:
            self._assure(now_ms, needed_ms + self.skew_ms)
        except LockedError as error:
            self._lost = error.message
            raise
        return self.lease.fencing_token

    def why_lost(self, now_ms: int) -> str | None:
        """Return in words why nothing may be sent any more, None while the lease is ours."""
        if self._lost is None:
            try:
                self.control.check(self.lease, now_ms)
            except LockedError as error:
                self._lost = error.message
        return self._lost

    def asked(self) -> tuple[str, ...]:
        """Return in words which other runs wanted the account meanwhile."""
        return self.control.asked(self.lease)

    def release(self) -> None:
        """Give the account back."""
        self.control.release(self.lease)

    def _assure(self, now_ms: int, needed_ms: int) -> None:
        if self.lease.expires_ms - now_ms <= needed_ms:
            self.lease = self.control.renew(self.lease, now_ms, needed_ms)
        # Looked at after renewing: whoever replaces the lock reads the end of the lease after that,
        # so that one of the two always sees the other.
        self.control.check(self.lease, now_ms)
        if self.lease.expires_ms - now_ms <= needed_ms:
            raise _lost(
                f"the lease of account {self.lease.account} ends before a request of "
                f"{needed_ms} ms would"
            )


def _lost(why: str) -> LockedError:
    return LockedError(why, hint="nothing more is sent; run the command again")
