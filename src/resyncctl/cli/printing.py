"""Print an outcome in the form that was asked for. Called by `cli.app` and by `status --watch`."""

from typing import TYPE_CHECKING

from resyncctl.cli import options

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation
    from resyncctl.core.outcome import Outcome

_CLEAR_SCREEN = "\x1b[H\x1b[2J"


def print_outcome(outcome: "Outcome", invocation: "Invocation", *, clear: bool = False) -> None:
    """Print the outcome; with `clear` on an emptied terminal."""
    from resyncctl.screen.render import Output, render
    from resyncctl.screen.terminal import is_terminal, look_at, wants_colour

    opts = invocation.options
    form = Output(invocation.output.value)
    stream = invocation.stdout
    if form is Output.TABLE and outcome.error is not None:
        # An error is talk, not data: a pipe must not take it for a result.
        stream = invocation.stderr
    if clear and is_terminal(stream):
        stream.write(_CLEAR_SCREEN)
    render(
        outcome,
        stream,
        look_at(stream, verbose=opts.verbose or 0),
        output=form,
        colour=wants_colour(stream, (opts.color or options.Colour.AUTO).value),
        quiet=bool(opts.quiet),
    )
