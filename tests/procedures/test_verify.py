"""verify: every condition alone keeps an account from being called SAFE."""

from resyncctl.core.exit_codes import ExitCode
from tests.fakes.safety_world import SafetyWorld, failing


async def test_a_quiet_account_behind_a_closed_gate_is_safe() -> None:
    world = SafetyWorld().closed()
    outcome = await world.verify()
    assert failing(outcome) == []
    assert outcome.exit_code is ExitCode.OK
    assert outcome.status == "safe"


async def test_a_running_account_is_blocked_at_once() -> None:
    world = SafetyWorld()
    outcome = await world.verify()
    assert outcome.exit_code is ExitCode.BLOCKED
    assert world.clock.running_ms < 70_000
