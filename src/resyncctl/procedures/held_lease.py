"""The lease of one run: renewed while the run goes on, asked before every mutating request."""

from dataclasses import dataclass

from resyncctl.ports.powers import Lease, LeaseControl


@dataclass(slots=True)
class HeldLease:
    """Implements `ports.powers.LeaseKeeper`. Whoever acquired the lease also releases it."""

    control: LeaseControl
    lease: Lease

    @classmethod
    def acquire(cls, control: LeaseControl, account: str, holder: str, now_ms: int) -> "HeldLease":
        """Take the account.

        Raises:
            LockedError: Another run holds it; the message names the run, host, process and age.
        """
        return cls(control, control.acquire(account, holder, now_ms))

    def assure(self, now_ms: int, needed_ms: int) -> int:
        """Return the fencing token of a lease that lives longer than `needed_ms`.

        Raises:
            LockedError: The lease was lost; nothing may be sent any more.
        """
        if self.lease.expires_ms - now_ms <= needed_ms:
            self.lease = self.control.renew(self.lease, now_ms)
        return self.lease.fencing_token

    def release(self) -> None:
        """Give the account back."""
        self.control.release(self.lease)
