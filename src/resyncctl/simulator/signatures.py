"""Who sent a request, and whether it is fresh and signed.

Promises: the signature covers the raw query and body exactly as sent, without the signature itself;
what is not percent-encoded is refused; the window is `timestamp < now + 1000` and
`now - timestamp <= recvWindow`, with a default of 5000 ms and a most of 60000 ms.

Source: binance-spot-api-docs rest-api.md "SIGNED Endpoint security", read 2026-07.
Called by `pipeline` and, for WebSocket API requests, by `exchange.authorise`.
"""

import hashlib
import hmac
import re
from urllib.parse import parse_qsl

from resyncctl.simulator.calls import Endpoint
from resyncctl.simulator.ledger import ApiKey, Ledger
from resyncctl.simulator.venue_errors import missing_parameter, no_such_key, refuse
from resyncctl.simulator.wire import Request

DEFAULT_WINDOW_MS = 5_000
LONGEST_WINDOW_MS = 60_000
AHEAD_MS = 1_000
# Brackets, braces, quotes, blanks and everything beyond ASCII must arrive percent-encoded.
_ENCODED = re.compile(r"^[A-Za-z0-9\-._~!*'()%+=&@,:;/?$]*$")
_LONGEST_KEY = 128


def parameters_of(request: Request) -> dict[str, str]:
    """Return the parameters of query and body; the query wins where both have one."""
    body = request.body.decode("utf-8", "replace")
    rows = dict(parse_qsl(body, keep_blank_values=True))
    rows.update(parse_qsl(request.query, keep_blank_values=True))
    return rows


def key_of(request: Request, ledger: Ledger) -> ApiKey | None:
    """Return the key that the request names, whether or not it may do anything."""
    return ledger.keys.get(request.headers.get("x-mbx-apikey", ""))


def check(request: Request, endpoint: Endpoint, ledger: Ledger, now_ms: int) -> ApiKey | None:
    """Return the key of an admitted request, None for public ones. Raise VenueError."""
    if endpoint.security == "public":
        return None
    sent = request.headers.get("x-mbx-apikey", "")
    if not sent or len(sent) > _LONGEST_KEY or not sent.isalnum():
        raise refuse(-2014, "API-key format invalid.", 401)
    key = ledger.keys.get(sent)
    if key is None or key.revoked or endpoint.permission not in key.permissions:
        raise no_such_key()
    if endpoint.security == "signed":
        parameters = parameters_of(request)
        check_signature(parameters, signed_text(request), key)
        check_time(parameters, now_ms)
    return key


def check_signature(parameters: dict[str, str], text: str, key: ApiKey) -> None:
    """Raise VenueError -1102 or -1022 when the text is not signed with the key's secret."""
    signature = parameters.get("signature")
    if not signature:
        raise missing_parameter("signature")
    wanted = hmac.new(key.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, signature.lower()) or not _ENCODED.match(text):
        raise refuse(-1022, "Signature for this request is not valid.")


def check_time(parameters: dict[str, str], now_ms: int) -> None:
    """Raise VenueError -1021 when the request is too old or from the future."""
    text = parameters.get("timestamp", "")
    if not text:
        raise missing_parameter("timestamp")
    if not text.isdecimal():
        raise refuse(
            -1100, "Illegal characters found in parameter 'timestamp'; legal range is '^[0-9]*$'."
        )
    window = parameters.get("recvWindow") or str(DEFAULT_WINDOW_MS)
    if not re.fullmatch(r"\d{1,8}(\.\d{1,3})?", window) or float(window) > LONGEST_WINDOW_MS:
        raise refuse(-1131, "recvWindow must be less than 60000.")
    sent_ms = int(text)
    if sent_ms >= now_ms + AHEAD_MS:
        raise refuse(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - sent_ms > float(window):
        raise refuse(-1021, "Timestamp for this request is outside of the recvWindow.")


def signed_text(request: Request) -> str:
    """Return what the signature covers: query and body, joined as sent, less the signature."""
    return _unsigned(request.query) + _unsigned(request.body.decode("utf-8", "replace"))


def _unsigned(text: str) -> str:
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))
