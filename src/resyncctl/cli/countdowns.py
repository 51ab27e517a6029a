"""Dead-man switches that earlier runs of this host may have left running, from their journals.

Promises: whatever the journals do not settle counts as armed until its time has passed. Called by
`verify` and `resync`.
"""

from typing import TYPE_CHECKING

from resyncctl.core.switches import ArmedSwitch

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation


def left_running(invocation: "Invocation", account: str) -> tuple[ArmedSwitch, ...]:
    """Return the countdowns of the account that may still run."""
    from resyncctl.adapters.store.switch_records import left_switches
    from resyncctl.cli.memory import journal_roots
    from resyncctl.procedures.dead_man_switch import LONGEST_COUNTDOWN_MS

    return left_switches(
        journal_roots(invocation),
        account,
        invocation.clock.now_ms(),
        longest_ms=LONGEST_COUNTDOWN_MS,
        but_not=invocation.run_id,
    )
