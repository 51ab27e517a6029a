"""A cancel-all that is killed at any effect is shown by `status`, and finished by the next run."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.journeys.served_world import ACCOUNT, DemoWorld, journals, records, rest_orders, served

WORDS = ("cancel-all", ACCOUNT, "--yes", "--reason", "killed on purpose")


async def start(world: DemoWorld, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "resyncctl", "--config", str(world.config), *words),
        env={**os.environ, "XDG_STATE_HOME": str(world.folder / "state"), "NO_COLOR": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def kill_after(world: DemoWorld, number: int) -> int:
    """Start cancel-all and kill it once its journal has `number` records."""
    known = set(journals(world))
    process = await start(world, *WORDS)
    async with asyncio.timeout(60):
        while True:
            new = [path for path in journals(world) if path not in known]
            if (new and len(records(new[0])) >= number) or process.returncode is not None:
                break
            await asyncio.sleep(0.002)
    if process.returncode is None:
        process.send_signal(signal.SIGKILL)
    await process.communicate()
    return process.returncode or 0


@pytest.mark.invariant("I23", "I25", "I26")
@pytest.mark.process
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [1, 3, 4, 5, 6, 8, 11])
async def test_killed_at_any_effect_the_next_run_finishes(tmp_path: Path, number: int) -> None:
    async with served(tmp_path) as world:
        rest_orders(world, 12)
        rest_orders(world, 8, market="usdm")
        world.control.call("set_latency", milliseconds=40)
        assert await kill_after(world, number) == -signal.SIGKILL
        (killed,) = journals(world)
        intents = [r for r in records(killed) if r["event"] == "intent"]
        sent = world.control.ask_log("select", account=ACCOUNT, kind="cancel")
        assert len(sent) <= len(intents)
        board = await world.command("status")
        assert killed.parent.name in board.out
        finished = await world.command(*WORDS)
        assert finished.code == 0, finished.out + finished.err
        assert not world.orders()
        after = await world.command("status")
        assert killed.parent.name not in after.out
        assert (await world.command("audit", "verify")).code == 0
        assert not world.control.ask_log("creates", account=ACCOUNT)


@pytest.mark.invariant("I25")
@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_the_first_signal_finishes_what_is_under_way(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    async with served(tmp_path, horizon="20s") as world:
        rest_orders(world, 4)
        process = await start(world, *WORDS)
        await world.until(
            lambda: bool(world.control.ask_log("select", kind="cancel")), "it cancels"
        )
        process.send_signal(number)
        out, err = await process.communicate()
        assert process.returncode == code, out.decode() + err.decode()
        assert "next:" in (out + err).decode()
        assert "UNSAFE" in (await world.command("gate", "show", ACCOUNT)).out


@pytest.mark.process
@pytest.mark.slow
async def test_a_hang_up_does_not_kill_a_run(tmp_path: Path) -> None:
    async with served(tmp_path) as world:
        rest_orders(world, 4)
        process = await start(world, *WORDS)
        await world.until(
            lambda: bool(world.control.ask_log("select", kind="cancel")), "it cancels"
        )
        process.send_signal(signal.SIGHUP)
        out, err = await process.communicate()
        assert process.returncode == 0, out.decode() + err.decode()
        assert not world.orders()
