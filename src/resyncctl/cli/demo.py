"""`resyncctl demo`: the main job, shown on the practice exchange, with the real commands.

It starts the practice exchange and the demo engine as processes of their own, lets them trade,
kills the engine, breaks things behind its back, and then types the commands that an operator would
type. Nothing is simulated about the commands: each is this program, run as a process. At the end
the exchange's own request log is asked whether any order was placed while the gate was closed.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resyncctl.cli.job import Job

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import Outcome


def command(
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep", metavar="FOLDER", help="Work in this folder and leave everything there."
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The seed of the practice prices.")] = 7,
) -> Job:
    """Watch the main job on the practice exchange: gap, UNSAFE, cancel, proof, repair, SAFE.

    Exit: 0 every step ended as it should, 1 a step did not, 130 or 143 interrupted.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli.demo_story import tell
        from resyncctl.core.errors import ResyncError

        try:
            await tell(invocation.stdout.write, folder=keep, seed=seed)
        except TimeoutError as late:
            raise ResyncError(str(late), hint="Run it again with --keep FOLDER and look.") from None
        return invocation.outcome()

    return Job(name="demo", run=run, prints_itself=True)
