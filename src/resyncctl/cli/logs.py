"""Logs go to standard error, as text or as JSON lines, and never hold a secret.

Promises: nothing is printed on standard output; every record passes a filter that masks what looks
like a key, a signature or a signed query. Called by `cli.app` before a job starts.
"""

import json
import logging
import re
from datetime import UTC, datetime
from typing import TextIO

from resyncctl.cli.options import LogFormat

_SECRETS = (
    re.compile(
        r"(?i)((?:signature|apikey|api_key|x-mbx-apikey|secret|password|passphrase|token|authorization"
        r"|listenkey)[\"']?\s*[=:]\s*[\"']?)([^\s&\"',;}]+)"
    ),
    re.compile(r"()\b([0-9a-f]{64})\b(?=.*signature)"),
)
_TEXT = "%(levelname)s %(name)s: %(message)s"
_MASK = r"\1(masked)"
_LEVELS = {0: logging.WARNING, 1: logging.INFO}


def masked(text: str) -> str:
    """Return the text with everything masked that looks like a secret."""
    for pattern in _SECRETS:
        text = pattern.sub(_MASK, text)
    return text


class _Mask(logging.Filter):
    """Masks the finished message, so that no argument can slip past."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = masked(record.getMessage())
        record.args = ()
        if record.exc_info and record.exc_info[1] is not None:
            # A traceback may quote a signed request; the crash file has it, masked.
            record.msg += f" ({type(record.exc_info[1]).__name__})"
        record.exc_info = None
        record.exc_text = None
        return True


class _JsonLines(logging.Formatter):
    """One JSON object per record."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "at": f"{moment:%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        return json.dumps(line)


def start_logging(
    stream: TextIO, form: LogFormat | None, verbose: int, *, quiet: bool | None
) -> logging.Logger:
    """Send this program's records, and the libraries' warnings, to the stream."""
    level = logging.ERROR if quiet else _LEVELS.get(verbose, logging.DEBUG)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_JsonLines() if form is LogFormat.JSON else logging.Formatter(_TEXT))
    handler.addFilter(_Mask())
    own = logging.getLogger("resyncctl")
    root = logging.getLogger()
    for old in [*root.handlers]:
        if getattr(old, "of_resyncctl", False):
            root.removeHandler(old)
    vars(handler)["of_resyncctl"] = True
    root.addHandler(handler)
    root.setLevel(max(level, logging.WARNING))
    own.setLevel(level)
    return own
