"""Keep the traceback of a fault of ours where it can be found, instead of showing it.

Promises: secrets of this run are taken out; writing it down never fails, it only answers where the
details are. Called by `cli.app` and `cli.each`.
"""

import logging
import os
import traceback
from typing import TYPE_CHECKING

from resyncctl.cli.logs import masked

if TYPE_CHECKING:
    from resyncctl.cli.invocation import Invocation


def write_down(invocation: "Invocation", error: BaseException) -> str:
    """Write the traceback into a private file and return its place in words."""
    from resyncctl.settings.paths import state_directory

    text = "".join(traceback.format_exception(error))
    for secret in invocation.secrets:
        text = text.replace(secret, "(redacted)")
    text = masked(text)
    known = invocation.known_configuration
    folder = (known.state_dir if known else state_directory(invocation.environ)) / "crashes"
    path = folder / f"{invocation.run_id}.txt"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError:
        logging.getLogger("resyncctl").critical("%s", text)
        return "the log on standard error"
    return str(path)
