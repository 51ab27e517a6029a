"""Build the countdowns of a run, once the run holds the account.

Promises: what earlier runs left running is taken over, so that it is stopped too. Called by
`resync` and `verify --resume`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from resyncctl.ports.powers import LeaseKeeper
from resyncctl.ports.views import Journal
from resyncctl.procedures.dead_man_switch import Switches

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.cli.wiring import OpenedVenue
    from resyncctl.settings.specs import AccountSpec


def switch_maker(
    invocation: "Invocation", spec: "AccountSpec", venue: "OpenedVenue", journal: Journal
) -> Callable[[LeaseKeeper], Switches]:
    """Return what makes the countdowns of this run."""
    from resyncctl.cli.countdowns import left_running

    policy = invocation.configuration.policy_of(spec.name)

    def make(lease: LeaseKeeper) -> Switches:
        return Switches(
            account=spec.name,
            power=venue.switch,
            journal=journal,
            lease=lease,
            clock=invocation.clock,
            progress=invocation.progress,
            countdown_ms=policy.countdown_ms,
            request_validity_ms=policy.request_validity_ms,
            earlier=left_running(invocation, spec.name),
        )

    return make
