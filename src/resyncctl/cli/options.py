"""The options that every command understands, before its name or after it.

Promises: an option given after the command's name wins over one given before it. Each verb module
declares only its own options; `shared` adds these. Called by `cli.app` for every command.
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from resyncctl.cli.job import Job


class Output(StrEnum):
    """The form in which a result is printed; the same words as `screen.render.Output`."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    NAGIOS = "nagios"


class Colour(StrEnum):
    """When to use colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class LogFormat(StrEnum):
    """How log lines on standard error look."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The options that every command understands. None means: not given."""

    config: Path | None = None
    output: Output | None = None
    quiet: bool | None = None
    verbose: int | None = None
    color: Colour | None = None
    no_input: bool | None = None
    log_format: LogFormat | None = None

    def over(self, other: "Shared") -> "Shared":
        """Return these options, with the other's where these were not given."""
        given = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) is not None
        }
        return replace(other, **given)


ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The configuration file.")
]
OutputOption = Annotated[
    Output | None, typer.Option("--output", "-o", help="How to print the result.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="The same as -o json.")]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Nothing when all is well, else one line.")
]
VerboseOption = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Say more; -vv shows requests.")
]
ColorOption = Annotated[Colour | None, typer.Option("--color", help="When to use colour.")]
NoInputOption = Annotated[bool, typer.Option("--no-input", help="Never ask; refuse instead.")]
LogFormatOption = Annotated[
    LogFormat | None, typer.Option("--log-format", help="How log lines on standard error look.")
]

_PARAMETERS: dict[str, tuple[Any, Any]] = {
    "config": (ConfigOption, None),
    "output": (OutputOption, None),
    "as_json": (JsonOption, False),
    "quiet": (QuietOption, False),
    "verbose": (VerboseOption, 0),
    "color": (ColorOption, None),
    "no_input": (NoInputOption, False),
    "log_format": (LogFormatOption, None),
}


NOTHING: dict[str, Any] = {name: default for name, (_, default) in _PARAMETERS.items()}
"""The values of these options when none is given."""


def collect(given: dict[str, Any]) -> Shared:
    """Given the parsed values by parameter name, return the options; take them out of `given`."""
    values = {name: given.pop(name) for name in _PARAMETERS}
    as_json = values.pop("as_json")
    if as_json and values["output"] not in {None, Output.JSON}:
        raise typer.BadParameter("--json and -o name two different forms of output")
    if as_json:
        values["output"] = Output.JSON
    for switch in ("quiet", "verbose", "no_input"):
        values[switch] = values[switch] or None
    if values["quiet"] and values["verbose"]:
        raise typer.BadParameter("--quiet and --verbose contradict each other")
    return Shared(**values)


def shared(command: Callable[..., Job]) -> Callable[..., Job]:
    """Return the command with the options of every command added to its own."""
    signature = inspect.signature(command, eval_str=True)
    kind = inspect.Parameter.KEYWORD_ONLY

    @functools.wraps(command)
    def wrapped(context: typer.Context, **given: Any) -> Job:
        before = context.obj if isinstance(context.obj, Shared) else Shared()
        options = collect(given).over(before)
        return replace(command(**given), options=options)

    own = [one.replace(kind=kind) for one in signature.parameters.values()]
    added = [
        inspect.Parameter(name, kind, default=default, annotation=annotation)
        for name, (annotation, default) in _PARAMETERS.items()
    ]
    context = inspect.Parameter(
        "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    parameters = [context, *own, *added]
    # Typer reads both: the signature for names and defaults, the annotations for types.
    vars(wrapped)["__signature__"] = inspect.Signature(parameters, return_annotation=Job)
    wrapped.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": Job}
    return wrapped


def glimpse(argv: Sequence[str]) -> Shared:
    """Given arguments that could not be parsed, return what they say about output and colour."""
    words = list(argv)
    form: Output | None = Output.JSON if "--json" in words else None
    for name in ("-o", "--output"):
        for index, word in enumerate(words):
            value = words[index + 1] if word == name and index + 1 < len(words) else ""
            if word.startswith(f"{name}="):
                value = word.partition("=")[2]
            elif name == "-o" and word.startswith("-o") and len(word) > len(name):
                value = word[2:]
            if value in set(Output):
                form = Output(value)
    return Shared(output=form, quiet=("-q" in words or "--quiet" in words) or None)
