"""`resyncctl help`, `schema` and `completion`: texts that are the same on every host."""

from typing import TYPE_CHECKING, Annotated

import typer

from resyncctl.cli.job import Job
from resyncctl.core.errors import UsageError

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import Outcome

TOPICS = ("exit-codes",)
SHELLS = ("bash", "zsh", "fish")


def help_topic(
    topic: Annotated[
        str | None, typer.Argument(help="exit-codes, or the name of a command.")
    ] = None,
) -> Job:
    """Explain a topic: `resyncctl help exit-codes`.

    Exit: 0, 2 there is no such topic.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli.help_text import exit_codes, overview

        if topic is None:
            invocation.stdout.write(overview())
        elif topic == "exit-codes":
            invocation.stdout.write(exit_codes())
        else:
            raise UsageError(
                f"there is no topic `{topic}`",
                hint=f"topics: {', '.join(TOPICS)}; or try `resyncctl {topic} --help`",
            )
        return invocation.outcome()

    return Job(name="help", run=run, prints_itself=True)


def schema(
    command: Annotated[
        str | None, typer.Argument(help="A command's name, e.g. cancel-all; none lists them.")
    ] = None,
) -> Job:
    """Print the JSON Schema of a command's --json document.

    Exit: 0, 2 there is no such command.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.screen.schemas import rendered

        known = {name.removesuffix(".v1.json"): text for name, text in rendered().items()}
        if command is None:
            invocation.stdout.writelines(f"{name}\n" for name in known)
        elif command.replace(" ", "-") in known:
            invocation.stdout.write(known[command.replace(" ", "-")])
        else:
            raise UsageError(
                f"there is no document named `{command}`", hint=f"one of: {', '.join(known)}"
            )
        return invocation.outcome()

    return Job(name="schema", run=run, prints_itself=True)


def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish.")],
) -> Job:
    """Print the completion script of a shell; it starts no process when you press Tab.

    Exit: 0, 2 there is no such shell.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.cli.completions import script

        if shell not in SHELLS:
            raise UsageError(
                f"there is no script for `{shell}`", hint=f"one of {', '.join(SHELLS)}"
            )
        invocation.stdout.write(script(shell))
        return invocation.outcome()

    return Job(name="completion", run=run, prints_itself=True)
