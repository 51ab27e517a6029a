"""The exit codes 2, 20-25, 65-78 and 124 promise that nothing which changes anything was sent.

Each is provoked in a real process against the served practice exchange, with orders resting that
a cancel would hit, and the exchange's own log is asked.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from resyncctl.core.exit_codes import NO_MUTATION, ExitCode
from tests.journeys.served_world import ACCOUNT, DemoWorld, Ran, rest_orders, served

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]
CANCEL = ("cancel-all", ACCOUNT)
Provoke = Callable[[DemoWorld], Awaitable[Ran]]


async def usage(world: DemoWorld) -> Ran:
    return await world.command(*CANCEL, "--no-such-flag")


async def refused(world: DemoWorld) -> Ran:
    await world.command("gate", "close", ACCOUNT)
    return await world.command("gate", "open", ACCOUNT, "--confirm", ACCOUNT)


async def stale(world: DemoWorld) -> Ran:
    return await world.command(*CANCEL, "--expect-plan", "0123456789abcdef")


async def nobody_to_ask(world: DemoWorld) -> Ran:
    return await world.command(*CANCEL)


async def locked(world: DemoWorld) -> Ran:
    """Hold the account's lock as another run would."""
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLD, str(world.folder / "state"), ACCOUNT),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert (await holder.stdout.readline()).strip() == b"held"
    try:
        return await world.command(*CANCEL, "--yes")
    finally:
        await holder.communicate(b"")


HOLD = """
import sys
from pathlib import Path
from resyncctl.adapters.clock import SystemClock
from resyncctl.adapters.store.lease import Leases
from resyncctl.adapters.store.store_opening import open_store
clock = SystemClock()
root = Path(sys.argv[1])
store = open_store(root, clock.now_ms())
lease = Leases(root, store=store, clock=clock).acquire(sys.argv[2], "other-run", clock.now_ms())
print("held", flush=True)
sys.stdin.read()
"""


async def unreachable(world: DemoWorld) -> Ran:
    text = world.config.read_text()
    address = str(world.ready["address"])
    world.config.write_text(text.replace(address, "127.0.0.1:1"))
    try:
        return await world.command(*CANCEL, "--yes")
    finally:
        world.config.write_text(text)


async def banned(world: DemoWorld) -> Ran:
    world.control.call("ban", client="127.0.0.1")
    return await world.command(*CANCEL, "--yes")


async def key_refused(world: DemoWorld) -> Ran:
    world.control.call("revoke_keys", account=ACCOUNT)
    return await world.command(*CANCEL, "--yes")


async def misconfigured(world: DemoWorld) -> Ran:
    text = world.config.read_text()
    world.config.write_text(text.replace('venue = "binance"', 'venue = "binanse"'))
    try:
        return await world.command(*CANCEL, "--yes")
    finally:
        world.config.write_text(text)


async def corrupt_snapshot(world: DemoWorld) -> Ran:
    broken = world.folder / "broken.json"
    broken.write_text('{"schema": "resyncctl/engine-snapshot/v1", "orders": [')
    words = ("--engine-snapshot", str(broken), "--venue-snapshot", str(broken))
    return await world.command("reconcile", *words)


async def out_of_time(world: DemoWorld) -> Ran:
    world.control.call("set_latency", milliseconds=400)
    return await world.command(*CANCEL, "--yes", "--deadline", "100ms")


CASES: dict[ExitCode, Provoke] = {
    ExitCode.USAGE: usage,
    ExitCode.REFUSED: refused,
    ExitCode.STALE: stale,
    ExitCode.NOTTY: nobody_to_ask,
    ExitCode.LOCKED: locked,
    ExitCode.DATAERR: corrupt_snapshot,
    ExitCode.UNAVAILABLE: unreachable,
    ExitCode.TEMPFAIL: banned,
    ExitCode.NOPERM: key_refused,
    ExitCode.CONFIG: misconfigured,
    ExitCode.DEADLINE: out_of_time,
}
ELSEWHERE = {
    ExitCode.DECLINED,  # needs a terminal: tests/cli drives one
    ExitCode.IOERR,  # a full disk: tests/journeys/test_emergency.py
    ExitCode.APPROVAL,  # no command asks for an approval yet
}


def test_every_promised_code_has_a_provocation() -> None:
    assert set(CASES) | ELSEWHERE == NO_MUTATION


@pytest.mark.invariant("I9", "I41")
@pytest.mark.parametrize("code", CASES, ids=lambda code: code.name)
async def test_nothing_that_changes_anything_was_sent(tmp_path: Path, code: ExitCode) -> None:
    async with served(tmp_path) as world:
        rest_orders(world, 3)
        ran = await CASES[code](world)
        said = ran.out + ran.err
        assert ran.code == code, said
        assert world.control.ask_log("mutations", account=ACCOUNT) == []
        assert len(world.orders()) == 3
        assert "Traceback" not in said
        assert "next:" in said or code is ExitCode.USAGE
