"""Keep known secrets out of every record, message and body.

A secret may show up as it is, or as a venue, a URL or an HTTP header would spell it. The redactor
knows all these spellings of the secrets that were loaded, and replaces them; it also replaces what
looks like a signature in a signed URL. Called by wiring: one redactor per run, handed to journals,
logs and pings.
"""

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from resyncctl.adapters.store.records import Redactor

REPLACEMENT = "(redacted)"
_SUBSTRING_MIN = 5
"""A shorter secret is replaced only where it stands alone: inside words it would shred the text."""

_SIGNED = re.compile(r"(?i)\b(signature|sign|apikey|api_key|secret|passphrase)=[^&\s\"']+")


def make_redactor(secrets: Iterable[str]) -> Redactor:
    """Given every secret that this run knows, return the function that takes them out of a text."""
    long: set[str] = set()
    short: set[str] = set()
    for secret in secrets:
        for spelling in _spellings(secret):
            (long if len(spelling) >= _SUBSTRING_MIN else short).add(spelling)
    parts = [re.escape(text) for text in sorted(long, key=len, reverse=True)]
    parts += [rf"(?<!\w){re.escape(text)}(?!\w)" for text in sorted(short)]
    known = re.compile("|".join(parts)) if parts else None

    def redact(text: str) -> str:
        if known is not None:
            text = known.sub(REPLACEMENT, text)
        return _SIGNED.sub(rf"\1={REPLACEMENT}", text)

    return redact


def _spellings(secret: str) -> Iterable[str]:
    stripped = secret.strip()
    if not stripped:
        return
    data = stripped.encode("utf-8", "surrogatepass")
    yield secret
    yield stripped
    yield quote(stripped, errors="replace")
    yield quote(stripped, safe="", errors="replace")
    yield quote_plus(stripped, errors="replace")
    yield json.dumps(stripped)[1:-1]
    yield json.dumps(stripped, ensure_ascii=False)[1:-1]
    yield base64.b64encode(data).decode("ascii")
    yield base64.urlsafe_b64encode(data).decode("ascii")
    yield data.hex()
    for line in stripped.splitlines():
        # A private key of several lines must not leak line by line.
        if len(line.strip()) >= _SUBSTRING_MIN:
            yield line.strip()
