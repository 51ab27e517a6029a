"""The world of the demo: a practice exchange, an engine, a configuration, and the commands.

Promises: everything lives in one folder and listens on 127.0.0.1; the processes that were started
are stopped by their process id, whatever happens. Called by `cli.demo_story`.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resyncctl.core.errors import ResyncError
from resyncctl.simulator.control_client import PracticeControl
from resyncctl.simulator.engine.config import EngineConfig, Pair

ACCOUNT = "demo"
PREFIX = "demo-"
START_LIMIT_S = 60.0
POLL_S = 0.1
POLICY = """[policy]
# A real exchange's listings may lag for 45 s, and a proof takes as long. This one does not lag.
staleness_horizon = "6s"
# How long a clean verdict stays good enough to open the gate.
verdict_validity = "2m"
"""


@dataclass(slots=True)
class DemoWorld:
    """Handles on everything that runs."""

    folder: Path
    control: PracticeControl
    ready: dict[str, Any]
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """The configuration file of the demo."""
        return self.folder / "resyncctl.toml"

    async def command(self, *words: str) -> "Ran":
        """Run one resyncctl command as a process of its own."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "resyncctl", *words),
            env=self._environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Ran(process.returncode or 0, out.decode(), err.decode())

    async def start_engine(self) -> None:
        """Start the demo engine, or start it again from its checkpoint."""
        log = (self.folder / "engine.log").open("ab")
        self.processes["engine"] = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "resyncctl.simulator.engine"),
            *("--config", str(self.folder / "engine.json")),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()

    async def kill(self, name: str) -> int:
        """Kill a process as `kill -9` does, and return its process id."""
        process = self.processes.pop(name)
        process.kill()
        await process.wait()
        return process.pid

    def orders(self) -> list[dict[str, Any]]:
        """What really rests at the exchange."""
        return list(self.control.call("open_orders", account=ACCOUNT))

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something to become true. Raise TimeoutError that says what did not."""
        try:
            async with asyncio.timeout(START_LIMIT_S):
                while not condition():  # noqa: ASYNC110  # another process makes it true
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise TimeoutError(f"it took too long until {what}") from None

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("RESYNCCTL_")}
        return kept | {
            "XDG_CONFIG_HOME": str(self.folder),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "RESYNCCTL_CONFIG": str(self.config),
            "NO_COLOR": "1",
            "COLUMNS": "80",
        }


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


@contextlib.asynccontextmanager
async def demo_world(folder: Path, seed: int) -> AsyncIterator[DemoWorld]:
    """Start the exchange, write the configurations, and stop everything at the end."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # noqa: ASYNC240  # nothing runs yet
    venue = folder / "venue"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "resyncctl.simulator", "--state-dir", str(venue)),
        *("--seed", str(seed), "--account", ACCOUNT),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(START_LIMIT_S):
            line = await _first_line(process)
        ready = json.loads(line)
        control = PracticeControl.from_ready_file(venue / "ready.json")
        world = DemoWorld(folder, control, ready)
        _configure_engine(world)
        await _configure_tool(world)
        try:
            yield world
        finally:
            for child in world.processes.values():
                await _stop(child)
    finally:
        await _stop(process)


async def _first_line(process: asyncio.subprocess.Process) -> bytes:
    if process.stdout is None or not (line := await process.stdout.readline()):
        raise ResyncError("the practice exchange did not start", hint="its own words stand above")
    return line


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(10):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _configure_engine(world: DemoWorld) -> None:
    folder = world.folder
    account = world.ready["accounts"][0]
    EngineConfig(
        account=ACCOUNT,
        address=world.ready["address"],
        ca_file=world.ready["ca_file"],
        api_key_file=account["api_key_file"],
        api_secret_file=account["api_secret_file"],
        checkpoint=str(folder / f"{ACCOUNT}-checkpoint.json"),
        gate_file=str(folder / f"{ACCOUNT}-gate.json"),
        control_file=str(folder / "engine-control.json"),
        pairs=(
            Pair("BTC/USDT", "0.02"),
            Pair("ETH/USDT", "0.3"),
            Pair("BTC/USDT:USDT", "0.05"),
        ),
        client_id_prefix=PREFIX,
    ).save(folder / "engine.json")


async def _configure_tool(world: DemoWorld) -> None:
    ran = await world.command(
        *("init", "--demo", "--overwrite", "--config", str(world.config)),
        *("--ready-file", str(world.folder / "venue" / "ready.json")),
    )
    if ran.code != 0:
        raise ResyncError("the demo's configuration could not be written", hint=ran.err.strip())
    text = world.config.read_text(encoding="utf-8")
    if text.count("[policy]\n") != 1:
        raise ResyncError("the first configuration has no [policy] to fill")
    world.config.write_text(text.replace("[policy]\n", POLICY), encoding="utf-8")
