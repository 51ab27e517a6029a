"""`resyncctl sim serve`: the practice exchange as a server on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resyncctl.cli.job import Job

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import Outcome

DEFAULT_PORT = 18_443
READY_NAME = "ready.json"


def serve(
    port: Annotated[
        int, typer.Option("--port", help="Port on 127.0.0.1; 0 takes a free one.")
    ] = DEFAULT_PORT,
    seed: Annotated[int, typer.Option("--seed", help="The seed of prices and faults.")] = 1,
    symbols: Annotated[
        int, typer.Option("--symbols", help="How many symbols the exchange lists.")
    ] = 12,
    state_dir: Annotated[
        Path | None,
        typer.Option("--state-dir", metavar="FOLDER", help="Where certificates and keys go."),
    ] = None,
    ready_file: Annotated[
        Path | None,
        typer.Option("--ready-file", metavar="FILE", help="Written when it listens."),
    ] = None,
) -> Job:
    """Serve the practice exchange until interrupted. It listens on 127.0.0.1 and nowhere else.

    Exit: 0 stopped, 2 the port is taken, 130 or 143 interrupted.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli import practice

        await practice.serve(
            invocation,
            port=port,
            seed=seed,
            symbols=symbols,
            folder=state_dir or practice_folder(invocation),
            ready_file=ready_file,
        )
        return invocation.outcome()

    return Job(name="sim-serve", run=run)


def practice_folder(invocation: "Invocation") -> Path:
    """Return where the practice exchange keeps its files by default; no configuration is needed."""
    from resyncctl.settings.paths import state_directory

    return state_directory(invocation.environ) / "practice"


def ready_file_of(invocation: "Invocation") -> Path:
    """Return where a practice exchange that was started without options says that it listens."""
    return practice_folder(invocation) / READY_NAME
