"""Run the practice exchange inside this process until it is interrupted.

Called by the `sim serve` verb.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from resyncctl.core.errors import UsageError

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.simulator.serve import Ready


async def serve(
    invocation: "Invocation",
    *,
    port: int,
    seed: int,
    symbols: int | None,
    folder: Path,
    ready_file: Path | None,
) -> None:
    """Serve until the task is cancelled by a signal.

    Raises:
        UsageError: The port or the folder cannot be used.
    """
    from resyncctl.simulator.serve import ServeOptions, StateDirectoryInUse
    from resyncctl.simulator.serve import serve as serve_exchange

    options = ServeOptions(
        state_dir=folder, port=port, seed=seed, symbols=symbols, ready_file=ready_file
    )

    def on_ready(ready: "Ready") -> None:
        invocation.progress.say(
            "practice", "ready", f"the practice exchange listens on {ready.address}"
        )
        invocation.progress.say(
            "practice", "next", "in another terminal: resyncctl init --demo; Ctrl-C ends this"
        )

    try:
        with contextlib.suppress(asyncio.CancelledError):
            await serve_exchange(options, asyncio.Event(), on_ready)
    except StateDirectoryInUse as busy:
        raise UsageError(str(busy), hint="name another folder with --state-dir") from None
    except OSError as trouble:
        raise UsageError(
            f"the practice exchange cannot serve: {trouble.strerror or trouble}",
            hint="choose another --port; 0 takes a free one",
        ) from None
