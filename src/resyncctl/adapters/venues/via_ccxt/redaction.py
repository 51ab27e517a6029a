"""Keep secrets out of every text that leaves the exchange client.

ccxt puts whole signed URLs into its exceptions, and logs headers and bodies at debug level. This
module removes signatures, keys and timestamps of signed requests by their names, and the secrets
of this run by their value.

Promises: `redact` never raises and never returns a registered secret; the log filter passes no
record of ccxt, aiohttp or asyncio unchanged. Called wherever an error text is made, and by
`connect` once per process.
"""

import logging
import re
from collections.abc import Iterable

HIDDEN = "[hidden]"
_SHORTEST_SECRET = 6
_NAMES = (
    "signature|sign|api[-_]?sign|api[-_]?key|apikey|api[-_]?secret|secret|secretkey|passphrase|"
    "password|token|access[-_]?token|listen[-_]?key|authorization|private[-_]?key|"
    "x-mbx-apikey|x-bapi-api-key|x-bapi-sign|ok-access-key|ok-access-sign|ok-access-passphrase|"
    "timestamp|recvwindow|nonce"
)
_IN_QUERY = re.compile(rf"(?i)\b({_NAMES})=([^&\s\"'<>]*)")
_IN_MAPPING = re.compile(
    rf"(?i)([\"']?\b(?:{_NAMES})\b[\"']?\s*:\s*)(\"[^\"]*\"|'[^']*'|[^\s,}}\]]+)"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}")
_secrets: set[str] = set()


def remember_secrets(values: Iterable[str | None]) -> None:
    """Register secrets of this process; they are hidden by value from now on."""
    _secrets.update(value for value in values if value and len(value) >= _SHORTEST_SECRET)


def redact(text: object) -> str:
    """Return the text without signatures, keys, nonces and registered secrets."""
    clean = str(text)
    for secret in sorted(_secrets, key=len, reverse=True):
        clean = clean.replace(secret, HIDDEN)
    clean = _BEARER.sub(lambda found: f"{found.group(1)} {HIDDEN}", clean)
    # Functions and not templates: a template is parsed late, which fails when Python shuts down.
    clean = _IN_QUERY.sub(lambda found: f"{found.group(1)}={HIDDEN}", clean)
    return _IN_MAPPING.sub(lambda found: f"{found.group(1)}{HIDDEN}", clean)


class _RedactingFilter(logging.Filter):
    """Rewrite a record with its arguments filled in and its secrets hidden."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = ()
        record.exc_info = None
        record.exc_text = None
        return True


_FILTER = _RedactingFilter()


def install_log_filter() -> None:
    """Filter the loggers of the libraries that handle signed requests. Safe to call again."""
    for name in ("ccxt", "ccxt.base.exchange", "aiohttp", "aiohttp.client", "asyncio"):
        logger = logging.getLogger(name)
        if _FILTER not in logger.filters:
            logger.addFilter(_FILTER)
