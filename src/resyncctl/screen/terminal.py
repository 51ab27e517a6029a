"""Draw a screen on a stream with Rich, and know what the stream can show.

Promises: colour follows `--color`, NO_COLOR and the stream; no line is cropped or wrapped by Rich;
nothing is interpreted as markup. Called by `screen.render` and `screen.progress`.
"""

import os
import shutil
from typing import TextIO

from resyncctl.screen.document import Screen
from resyncctl.screen.layout import lay_out
from resyncctl.screen.text import Look

_LEAST_WIDTH = 40
_PIPE_WIDTH = 1_000_000


def look_at(stream: TextIO, *, verbose: int = 0) -> Look:
    """Return what the stream can show: a terminal has a width, a pipe has none."""
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "")
    unicode = encoding.startswith("utf")
    if not is_terminal(stream):
        return Look(width=None, unicode=unicode, verbose=verbose)
    width = max(_LEAST_WIDTH, shutil.get_terminal_size((80, 24)).columns)
    return Look(width=width, unicode=unicode, verbose=verbose)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at the stream. FORCE_COLOR does not make a file a person."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def wants_colour(stream: TextIO, choice: str) -> bool:
    """Whether to colour: `always`, `never`, or `auto` after the stream, NO_COLOR and TERM."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def show(screen: Screen, stream: TextIO, look: Look, *, colour: bool) -> None:
    """Print the screen."""
    if not colour:
        # Without colour Rich would add nothing but its import time.
        stream.writelines(
            "".join(cell.text for cell in laid).rstrip() + "\n" for laid in lay_out(screen, look)
        )
        stream.flush()
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(
        file=stream,
        width=_PIPE_WIDTH,
        force_terminal=True,
        color_system="standard",
        no_color=False,
        markup=False,
        highlight=False,
        emoji=False,
    )
    for laid in lay_out(screen, look):
        text = Text(end="\n")
        for cell in laid:
            text.append(cell.text, style=cell.style or None)
        text.rstrip()
        console.print(text, no_wrap=True, overflow="ignore", crop=False)


def as_text(screen: Screen, look: Look) -> str:
    """Return the screen as plain text, e.g. for a golden file or a heartbeat's body."""
    lines = ("".join(cell.text for cell in laid).rstrip() for laid in lay_out(screen, look))
    return "".join(f"{line}\n" for line in lines)
