"""Arguments that several verbs share, and the durations of the command line.

Called by the verb modules only.
"""

from typing import Annotated

import typer

from resyncctl.core.errors import UsageError

Accounts = Annotated[
    list[str] | None,
    typer.Argument(metavar="ACCOUNT", help="Accounts by name; none means all.", show_default=False),
]
OneOrMoreAccounts = Annotated[
    list[str], typer.Argument(metavar="ACCOUNT", help="Accounts by name.", show_default=False)
]
Symbols = Annotated[
    list[str] | None,
    typer.Option("--symbol", metavar="SYMBOL", help="Only this symbol; may be repeated."),
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.", show_default=False)
]
TakeOver = Annotated[
    str | None,
    typer.Option(
        "--take-over",
        metavar="REASON",
        help="Take the account from the run that holds it, and say why.",
    ),
]
EngineStopped = Annotated[
    bool,
    typer.Option(
        "--engine-stopped",
        help="Your word, in your name, that the engine is stopped; where nothing can observe it.",
    ),
]
LockTimeout = Annotated[
    str | None,
    typer.Option(
        "--lock-timeout", metavar="TIME", help="Wait this long for the run that holds the account."
    ),
]


def duration_ms(text: str | None, option: str) -> int | None:
    """Return milliseconds for e.g. `5m`.

    Raises:
        UsageError: It is no duration.
    """
    if text is None:
        return None
    from resyncctl.settings.durations import parse_duration_ms

    try:
        return parse_duration_ms(text)
    except ValueError as trouble:
        raise UsageError(f"{option}: {trouble}") from None


def reason_of(text: str | None, option: str) -> str | None:
    """Return the reason that an option demands, None when the option was not given.

    Raises:
        UsageError: It is blank.
    """
    if text is None:
        return None
    words = " ".join(text.split())
    if not words:
        raise UsageError(f"{option}: say why, for the records of both runs")
    return words
