"""The tree of commands: one line for each verb. Verb modules are cheap to import.

Promises: building the tree reads no file and loads no library but Typer. Called by `cli.app`, by
the generators of completions and documents, and by tests.
"""

from typing import Annotated, Any

import typer

from resyncctl import __version__
from resyncctl.cli import (
    audit,
    cancel_all,
    config,
    demo,
    doctor,
    engine,
    flatten,
    gate,
    incident,
    init,
    options,
    reconcile,
    resync,
    sim,
    status,
    topics,
    venue,
    verify,
    watch,
)
from resyncctl.cli.job import Job

_CONTEXT = {"help_option_names": ["-h", "--help"]}


def _group(help_text: str) -> typer.Typer:
    return typer.Typer(
        help=help_text,
        rich_markup_mode=None,
        add_completion=False,
        no_args_is_help=True,
        context_settings=_CONTEXT,
    )


def tree() -> typer.Typer:
    """Return the whole command line."""
    app = typer.Typer(
        help="Bring a live trading system back to a proven state.",
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings=_CONTEXT,
    )
    app.callback(invoke_without_command=True)(_root)
    for name, verb in (
        ("status", status.command),
        ("watch", watch.command),
        ("reconcile", reconcile.command),
        ("cancel-all", cancel_all.command),
        ("resync", resync.command),
        ("verify", verify.command),
        ("flatten", flatten.command),
        ("doctor", doctor.command),
        ("init", init.command),
    ):
        app.command(name)(options.shared(verb))
    _add_group(
        app,
        "gate",
        "May the engine trade?",
        {
            "show": gate.show,
            "close": gate.close,
            "open": gate.open_command,
        },
    )
    _add_group(
        app,
        "engine",
        "What the trading engine believes.",
        {
            "list": engine.list_command,
            "show": engine.show,
        },
    )
    _add_group(
        app,
        "incident",
        "What happened from the closing of a gate to its end.",
        {
            "list": incident.list_command,
            "show": incident.show,
            "note": incident.note,
            "close": incident.close,
            "export": incident.export,
        },
    )
    _add_group(app, "venue", "What the exchange reports.", {"show": venue.show})
    _add_group(
        app,
        "config",
        "The configuration.",
        {
            "check": config.check,
            "show": config.show,
            "schema": config.schema,
        },
    )
    _add_group(app, "sim", "The practice exchange.", {"serve": sim.serve})
    _add_group(app, "audit", "The records of this host.", {"verify": audit.verify})
    app.command("help")(options.shared(topics.help_topic))
    app.command("schema")(options.shared(topics.schema))
    app.command("completion")(options.shared(topics.completion))
    app.command("demo")(options.shared(demo.command))
    return app


def application() -> Any:
    """Return the command line as a callable that parses arguments into a `Job`."""
    return typer.main.get_command(tree())


def _add_group(app: typer.Typer, name: str, words: str, verbs: dict[str, Any]) -> None:
    group = _group(words)
    for verb, command in verbs.items():
        group.command(verb)(options.shared(command))
    app.add_typer(group, name=name)


def _root(
    context: typer.Context,
    *,
    config: options.ConfigOption = None,
    output: options.OutputOption = None,
    as_json: options.JsonOption = False,
    quiet: options.QuietOption = False,
    verbose: options.VerboseOption = 0,
    color: options.ColorOption = None,
    no_input: options.NoInputOption = False,
    log_format: options.LogFormatOption = None,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> Job | None:
    """Bring a live trading system back to a proven state after it lost touch with its exchange."""
    if version:
        typer.echo(f"resyncctl {__version__}")
        raise typer.Exit
    given = {
        "config": config,
        "output": output,
        "as_json": as_json,
        "quiet": quiet,
        "verbose": verbose,
        "color": color,
        "no_input": no_input,
        "log_format": log_format,
    }
    context.obj = options.collect(given)
    if context.invoked_subcommand is not None:
        return None
    return options.shared(status.command)(context, **options.NOTHING, accounts=None, watch=None)
