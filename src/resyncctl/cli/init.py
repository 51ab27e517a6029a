"""`resyncctl init`: write a first configuration, by questions or for the practice exchange."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resyncctl.cli.job import Job

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import Outcome


def command(
    demo: Annotated[
        bool,
        typer.Option("--demo", help="Write one for the practice exchange; asks nothing."),
    ] = False,
    ready_file: Annotated[
        Path | None,
        typer.Option(
            "--ready-file",
            metavar="FILE",
            help="With --demo: the document that `sim serve --ready-file` wrote.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file; a copy is kept.")
    ] = False,
) -> Job:
    """Write a first configuration with comments. It never holds a key, only where the key is kept.

    Exit: 0 written, 2 the ready file cannot be used, 20 the file exists already, 23 declined,
    24 there is nobody to ask, 74 it cannot be written.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli import first_file

        path = invocation.configuration_path
        first_file.refuse_to_replace(path, overwrite=overwrite)
        if demo:
            answers = first_file.demo_answers(invocation, ready_file)
        else:
            answers = await first_file.ask(invocation)
        written, notes = first_file.write(invocation, path, answers)
        return invocation.outcome(data={"written": [str(one) for one in written], "notes": notes})

    return Job(name="init", run=run)
