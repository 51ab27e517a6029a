"""resync: from RUNNING to SAFE in one command, or the exact words for why not."""

from resyncctl.core.exit_codes import ExitCode
from resyncctl.core.gate import GateState
from tests.fakes.safety_world import SafetyWorld, failing


async def test_a_lost_account_becomes_safe() -> None:
    world = SafetyWorld().with_book()
    outcome = await world.resync()
    assert failing(outcome) == []
    assert outcome.exit_code is ExitCode.OK
    assert outcome.status == "safe"
    assert not world.venue.resting()
    assert [move for move, _ in world.gate.moves] == [GateState.UNSAFE, GateState.SAFE]
    assert outcome.counts["orders_before"] == 4
    assert outcome.counts["orders_after"] == 0
    assert outcome.evidence["cancel_sent"] is True
    assert outcome.timings["unsafe_ms"] < 60_000
    assert world.leases.released == 1
