"""What a valid success body looks like, per venue and per endpoint.

Promise: a body that an exchange would not send as a success is named as such, in words. An HTML
page, an empty body, `null`, `{}`, truncated JSON, another venue's envelope, or an error that came
with status 200 never passes as "nothing there". Every validator is a pure function of the decoded
body and returns a reason, or None when the body is what the venue documents.

Two questions are asked of each body: is this the venue's success envelope (`envelope_fault`), and
is there a list of rows at the place where the endpoint puts it (`rows_at`)? Both must be answered
before an empty list may mean "no orders".

Called by `generic_reading` for every response that feeds an answer, and by the tests.
"""

from collections.abc import Callable, Mapping, Sequence

Row = Mapping[str, object]
Validator = Callable[[object], str | None]

_SHOWN = 60


class Malformed(Exception):  # noqa: N818  # reads as the sentence that it is
    """A body that is not what the endpoint documents. The reason is for the operator's eyes."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def describe(body: object) -> str:
    """Say what kind of body this is without repeating its content (it may hold secrets)."""
    if body is None:
        return "null"
    if isinstance(body, str):
        text = body.strip()
        if not text:
            return "an empty body"
        if text[:1] == "<":
            return "an HTML page"
        if text[:1] in "{[":
            return "truncated JSON"
        return "plain text"
    if isinstance(body, Mapping):
        keys = ", ".join(sorted(str(key) for key in body))[:_SHOWN]
        return f"an object with the keys {keys}" if keys else "an empty object"
    if isinstance(body, list):
        return f"a list of {len(body)}"
    return f"a bare {type(body).__name__}"


def _object(body: object) -> tuple[Row | None, str | None]:
    if isinstance(body, Mapping):
        return body, None
    return None, f"expected an object, got {describe(body)}"


def _code(body: object, key: str, success: Sequence[str], message: str) -> str | None:
    """Check a venue's success label. A number and its text count as the same code."""
    found, fault = _object(body)
    if found is None:
        return fault
    if key not in found:
        return f"the label {key!r} is missing from {describe(body)}"
    code = found[key]
    if isinstance(code, bool):
        code = "true" if code else "false"
    if str(code) not in success:
        return f"the venue answered {key} {str(code)[:_SHOWN]}: {str(found.get(message))[:_SHOWN]}"
    return None


def _bybit(body: object) -> str | None:
    """`{"retCode": 0, "retMsg", "result", "retExtInfo", "time"}` (bybit docs v5/intro)."""
    fault = _code(body, "retCode", ("0",), "retMsg")
    if fault is not None or not isinstance(body, Mapping):
        return fault
    if not isinstance(body.get("result"), Mapping):
        return f"'result' is {describe(body.get('result'))}"
    return None


def _okx(body: object) -> str | None:
    """`{"code": "0", "msg", "data": [...]}` and `sCode` in each row (okx docs v5, overview)."""
    fault = _code(body, "code", ("0",), "msg")
    if fault is not None or not isinstance(body, Mapping):
        return fault
    data = body.get("data")
    if not isinstance(data, list):
        return f"'data' is {describe(data)}"
    for row in data:
        if isinstance(row, Mapping) and str(row.get("sCode", "0")) != "0":
            return f"a row failed with sCode {row.get('sCode')}: {str(row.get('sMsg'))[:_SHOWN]}"
    return None


def _kraken(body: object) -> str | None:
    """`{"error": [], "result": {...}}`; a non-empty error list is a failure with status 200."""
    found, fault = _object(body)
    if found is None:
        return fault
    errors = found.get("error")
    if not isinstance(errors, list):
        return f"the label 'error' is missing from {describe(body)}"
    if errors:
        return f"the venue answered {', '.join(str(error) for error in errors)[:_SHOWN]}"
    if not isinstance(found.get("result"), Mapping | list):
        return f"'result' is {describe(found.get('result'))}"
    return None


def _krakenfutures(body: object) -> str | None:
    """`{"result": "success", "serverTime", ...}` (kraken docs, futures)."""
    return _code(body, "result", ("success",), "error")


def _kucoin(body: object) -> str | None:
    """`{"code": "200000", "data": ...}` (kucoin docs, request handling)."""
    fault = _code(body, "code", ("200000",), "msg")
    if fault is not None or not isinstance(body, Mapping):
        return fault
    return None if body.get("data") is not None else "'data' is missing or null"


def _gate(body: object) -> str | None:
    """A bare list or object; an error is an object with a `label` (gate docs apiv4)."""
    if isinstance(body, list):
        return None
    found, fault = _object(body)
    if found is None:
        return fault
    if "label" in found:
        return f"the venue answered {str(found['label'])[:_SHOWN]}"
    return None if found else "an empty object"


def _bitget(body: object) -> str | None:
    """`{"code": "00000", "msg", "requestTime", "data"}` (bitget docs v2)."""
    fault = _code(body, "code", ("00000",), "msg")
    if fault is not None or not isinstance(body, Mapping):
        return fault
    return None if "data" in body else "'data' is missing"


def _deribit(body: object) -> str | None:
    """`{"jsonrpc": "2.0", "result": ...}` without `error` (deribit docs, JSON-RPC)."""
    fault = _code(body, "jsonrpc", ("2.0",), "error")
    if fault is not None or not isinstance(body, Mapping):
        return fault
    if body.get("error") is not None:
        return "the venue answered with a JSON-RPC error"
    return None if body.get("result") is not None else "'result' is missing or null"


def _hyperliquid(body: object) -> str | None:
    """`/info` answers a bare list or object; `/exchange` answers `{"status": "ok", ...}`."""
    if isinstance(body, list):
        return None
    found, fault = _object(body)
    if found is None:
        return fault
    if "status" in found and found["status"] not in {"ok", "order", "unknownOid"}:
        return f"the venue answered status {str(found['status'])[:_SHOWN]}"
    return None if found else "an empty object"


def _htx(body: object) -> str | None:
    """`{"status": "ok", "data"}`, or `{"code": 200, "data"}` in the newer dialect."""
    found, fault = _object(body)
    if found is None:
        return fault
    fault = (
        _code(body, "status", ("ok",), "err-msg")
        if "status" in found
        else _code(body, "code", ("200",), "message")
    )
    if fault is not None:
        return fault
    return None if found.get("data") is not None else "'data' is missing or null"


def _mexc(body: object) -> str | None:
    """Spot answers bare lists and objects, contracts `{"success": true, "code": 0, "data"}`."""
    if isinstance(body, list):
        return None
    found, fault = _object(body)
    if found is None:
        return fault
    if "success" in found:
        return _code(body, "success", ("true",), "message")
    if "code" in found:
        return _code(body, "code", ("0", "200"), "msg")
    return None if found else "an empty object"


def _coinbase(body: object) -> str | None:
    """A bare object; an error is an object with `error` or `errors` (coinbase advanced docs)."""
    found, fault = _object(body)
    if found is None:
        return fault
    if "error" in found or "errors" in found:
        return f"the venue answered {str(found.get('error', 'errors'))[:_SHOWN]}"
    return None if found else "an empty object"


def _cryptocom(body: object) -> str | None:
    """`{"id", "method", "code": 0, "result"}` (crypto.com exchange docs v1)."""
    fault = _code(body, "code", ("0",), "message")
    if fault is not None or not isinstance(body, Mapping):
        return fault
    return None if "result" in body or "id" in body else "'result' is missing"


def _binance(body: object) -> str | None:
    """A bare list or object; an error is an object with a negative `code` and a `msg`."""
    if isinstance(body, list):
        return None
    found, fault = _object(body)
    if found is None:
        return fault
    if "code" in found and "msg" in found and str(found["code"]) != "200":
        return f"the venue answered {str(found['code'])[:_SHOWN]}: {str(found['msg'])[:_SHOWN]}"
    return None if found else "an empty object"


ENVELOPES: Mapping[str, Validator] = {
    "binance": _binance,
    "binancecoinm": _binance,
    "binanceusdm": _binance,
    "bitget": _bitget,
    "bybit": _bybit,
    "coinbase": _coinbase,
    "cryptocom": _cryptocom,
    "deribit": _deribit,
    "gate": _gate,
    "htx": _htx,
    "hyperliquid": _hyperliquid,
    "kraken": _kraken,
    "krakenfutures": _krakenfutures,
    "kucoin": _kucoin,
    "kucoinfutures": _kucoin,
    "mexc": _mexc,
    "okx": _okx,
}
"""Per venue the success envelope. A venue that is not listed is never trusted as complete."""


def envelope_fault(venue: str, body: object) -> str | None:
    """Return why the body is not the venue's success envelope, or None when it is.

    A venue without a validator always has a fault: nobody can say what its success looks like.
    """
    validator = ENVELOPES.get(venue)
    if validator is None:
        return f"no success envelope is known for {venue}"
    return validator(body)


def value_at(body: object, path: str) -> object:
    """Return the value at a dotted path, e.g. `result.list`; the empty path is the body itself.

    Raises:
        Malformed: A step of the path is missing or is not an object.
    """
    here = body
    for step in path.split(".") if path else ():
        if isinstance(here, list) and step.isdigit() and int(step) < len(here):
            here = here[int(step)]
            continue
        if not isinstance(here, Mapping) or step not in here:
            raise Malformed(f"{path!r} is missing from {describe(body)}")
        here = here[step]
    return here


def rows_at(body: object, path: str, *, keyed_as: str | None = None) -> tuple[Row, ...]:
    """Return the rows that stand at a dotted path.

    Given `keyed_as`, the place holds an object whose keys are ids (Kraken): each row then gets
    its key under that name.

    Raises:
        Malformed: There is no list (or keyed object) at that place, or an entry is not an object.
    """
    found = value_at(body, path)
    if keyed_as is not None:
        if not isinstance(found, Mapping):
            raise Malformed(f"{path!r} should be an object keyed by id, got {describe(found)}")
        for value in found.values():
            if not isinstance(value, Mapping):
                raise Malformed(f"an entry of {path!r} is {describe(value)}")
        return tuple({**value, keyed_as: key} for key, value in found.items())
    if not isinstance(found, list):
        raise Malformed(f"{path or 'the body'!r} should be a list, got {describe(found)}")
    for value in found:
        if not isinstance(value, Mapping):
            raise Malformed(f"an entry of {path or 'the body'!r} is {describe(value)}")
    return tuple(found)


def needs_keys(row: Row, keys: Sequence[str]) -> None:
    """Check that a row has every key (dotted paths allowed) that an answer is made of.

    Raises:
        Malformed: A key is missing; the row was cut short or is another kind of row.
    """
    for key in keys:
        try:
            value_at(row, key)
        except Malformed:
            raise Malformed(f"a row lacks {key!r}") from None
