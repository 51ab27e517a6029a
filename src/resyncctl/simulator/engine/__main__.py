"""`python -m resyncctl.simulator.engine --config FILE`: one life of the demo engine.

Promises: one line of JSON on standard output when it runs, errors on standard error with exit code
1, SIGTERM and SIGINT end it cleanly with exit code 0. Called by the demo, drills, tests and people.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from resyncctl.sdk import Recoverable, RecoveryError
from resyncctl.simulator.engine.config import ConfigMistake, EngineConfig, read_config
from resyncctl.simulator.engine.control import serve_control
from resyncctl.simulator.engine.loop import Life, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m resyncctl.simulator.engine",
        description="A small market maker on the practice exchange that can be killed at any time.",
    )
    parser.add_argument("--config", type=Path, required=True, help="a JSON file")
    try:
        config = read_config(parser.parse_args(arguments).config)
        asyncio.run(_live(config))
    except (ConfigMistake, RecoveryError, OSError) as trouble:
        hint = getattr(trouble, "hint", None)
        sys.stderr.write(f"the demo engine cannot run: {trouble}{f' ({hint})' if hint else ''}\n")
        return 1
    return 0


async def _live(config: EngineConfig) -> None:
    life = Life()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, life.stop.set)
    await run(config, life, beside=lambda state: _door(config, life, state))


@contextlib.asynccontextmanager
async def _door(config: EngineConfig, life: Life, state: Recoverable) -> AsyncIterator[None]:
    """Keep the control door open for as long as the engine lives, and say where it is."""
    async with serve_control(Path(config.control_file), life, state) as address:
        ready = {"control_address": address, "pid": os.getpid(), "resumed": state.resumed}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        yield


if __name__ == "__main__":
    sys.exit(main())
