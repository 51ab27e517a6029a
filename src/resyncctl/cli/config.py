"""`resyncctl config`: check, show and describe the configuration. Asks no exchange."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from resyncctl.cli.job import Job

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import Outcome


def check() -> Job:
    """Read the configuration and say what is wrong, by file, line and key. No value is shown.

    Exit: 0 it can be used, 78 it cannot.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.adapters.venues.via_ccxt.loader import check_venue

        configuration = invocation.configuration
        for spec in configuration.accounts.values():
            check_venue(spec.venue)
        return invocation.outcome(
            data={
                "path": str(configuration.path),
                "accounts": len(configuration.accounts),
                "engines": len(configuration.engines),
                "warnings": list(configuration.warnings),
            }
        )

    return Job(name="config-check", run=run)


def show(
    origin: Annotated[
        bool, typer.Option("--origin", help="Also show where each value comes from.")
    ] = False,
) -> Job:
    """Show every value in force. Whatever may hold a secret is masked.

    Exit: 0, 78 the configuration is wrong.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.settings.load import read_settings, read_source
        from resyncctl.settings.origin import entries

        source = read_source(invocation.configuration_path)
        values = [
            {"key": one.key, "value": one.value, "origin": one.origin}
            for one in entries(read_settings(source), source)
        ]
        return invocation.outcome(data={"values": values, "show_origin": origin})

    return Job(name="config-show", run=run)


def schema() -> Job:
    """Print the JSON Schema of the configuration file, for editors.

    Exit: 0.
    """

    async def run(invocation: "Invocation") -> "Outcome":
        from resyncctl.settings.describe import json_schema

        invocation.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
        return invocation.outcome()

    return Job(name="config-schema", run=run, prints_itself=True)
