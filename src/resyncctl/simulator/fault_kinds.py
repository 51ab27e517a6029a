"""Every kind of fault that a request can meet, and what it does at which stage.

Promises: the catalogue is closed: an unknown kind is refused when it is armed. A kind works at one
or more stages: on the way (`arrive`), instead of an execution (`refuse`), on the execution itself
(`prepare`), on the answer (`finish`).

Sources of the texts: Binance general info "HTTP Return Codes" and error codes.
Called by `pipeline` for the faults that `FaultBoard.take` returns; listed by `control`.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from resyncctl.simulator import fault_acts
from resyncctl.simulator.attempt import JSON_TYPE, Answer, Attempt
from resyncctl.simulator.limits import banned, too_much
from resyncctl.simulator.replicas import lag_mode, view_of
from resyncctl.simulator.venue_errors import VenueError
from resyncctl.simulator.wire import Delivery

Parameters = Mapping[str, Any]
Arrive = Callable[[Attempt, Parameters], None]
Refuse = Callable[[Attempt, Parameters], Answer | None]
Prepare = Callable[[Attempt, Parameters, fault_acts.Noted], None]
Finish = Callable[[Attempt, Parameters, Answer, fault_acts.Noted], Answer]

_HTML = b"<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1></body></html>"
_UNKNOWN = "Unknown error, please check your request or try again later."
_INTERNAL = "Internal error; unable to process your request. Please try again."
_THROTTLED = (
    "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. "
    "Please try again."
)
_TIMEOUT = (
    "Timeout waiting for response from backend server. "
    "Send status unknown; execution status unknown."
)
_UNEXPECTED = "An unexpected response was received from the message bus. Execution status unknown."


@dataclass(frozen=True)
class FaultKind:
    """What a kind does; stages that it does not touch are None."""

    summary: str
    arrive: Arrive | None = None
    refuse: Refuse | None = None
    prepare: Prepare | None = None
    finish: Finish | None = None


def _lost(attempt: Attempt, parameters: Parameters) -> None:
    attempt.lost = True
    attempt.delivery = Delivery(fate=parameters.get("fate", "never"))


def _delayed(attempt: Attempt, parameters: Parameters) -> None:
    attempt.delayed = True
    attempt.resend(int(parameters.get("delay_ms", 3_000)))
    attempt.delivery = Delivery(fate=parameters.get("fate", "never"))


def _duplicated(attempt: Attempt, parameters: Parameters) -> None:
    attempt.copies += int(parameters.get("copies", 1))


def _delivery(fate: Any) -> FaultKind:
    def finish(attempt: Attempt, _: Parameters, answer: Answer, noted: fault_acts.Noted) -> Answer:
        attempt.delivery = Delivery(attempt.delivery.delay_ms, fate)
        noted()
        return answer

    return FaultKind(f"executed, then the answer is lost: {fate}", finish=finish)


def _slow(
    attempt: Attempt, parameters: Parameters, answer: Answer, noted: fault_acts.Noted
) -> Answer:
    attempt.delivery = Delivery(int(parameters.get("delay_ms", 1_000)), attempt.delivery.fate)
    noted()
    return answer


def _error(make: Callable[[Attempt, Parameters], Answer], summary: str) -> FaultKind:
    """Return a kind that answers with an error; `executed` decides whether the act was done."""

    def refuse(attempt: Attempt, parameters: Parameters) -> Answer | None:
        return None if parameters.get("executed", False) else make(attempt, parameters)

    def finish(
        attempt: Attempt, parameters: Parameters, answer: Answer, noted: fault_acts.Noted
    ) -> Answer:
        if not parameters.get("executed", False):
            return answer
        noted()
        return replace(make(attempt, parameters), executed=answer.executed)

    return FaultKind(summary, refuse=refuse, finish=finish)


def _coded(status: int, code: int, text: str) -> FaultKind:
    def make(_: Attempt, parameters: Parameters) -> Answer:
        shown = int(parameters.get("code", code))
        document = {"code": shown, "msg": str(parameters.get("message", text))}
        return Answer(int(parameters.get("status", status)), document, code=shown)

    return _error(make, f"HTTP {status}, code {code}")


def _sparing(kind: FaultKind) -> FaultKind:
    """Return the kind so that it spares what the venue exempts: cancels and closing orders.

    `{"exempt": false}` throttles those as well.
    """

    def refuse(attempt: Attempt, parameters: Parameters) -> Answer | None:
        asked = attempt.parameters
        closing = "true" in (asked.get("reduceOnly"), asked.get("closePosition"))
        spared = closing or attempt.endpoint.kind == "cancel"
        if kind.refuse is None or (spared and parameters.get("exempt", True)):
            return None
        return kind.refuse(attempt, parameters)

    return FaultKind(kind.summary, refuse=refuse)


def _html(status: int, title: str) -> FaultKind:
    def make(_: Attempt, __: Parameters) -> Answer:
        body = _HTML % (title.encode(), title.encode())
        return Answer(status, body=body, content_type="text/html")

    return _error(make, f"HTTP {status} with an HTML page")


def _limit(attempt: Attempt, parameters: Parameters) -> Answer:
    seconds = int(parameters.get("retry_after_s", 60))
    most = 6000 if attempt.endpoint.market == "spot" else 2400
    return _spoken(too_much(most, seconds * 1000))


def _ban(attempt: Attempt, parameters: Parameters) -> Answer:
    now_ms = attempt.world.now_ms()
    length_ms = int(parameters.get("length_ms", 120_000))
    return _spoken(banned(now_ms + length_ms, now_ms))


def _spoken(error: VenueError) -> Answer:
    document = {"code": error.code, "msg": error.message}
    return Answer(error.status, document, headers=error.headers, code=error.code)


def _body(body: bytes, content_type: str = JSON_TYPE) -> FaultKind:
    def finish(_: Attempt, __: Parameters, answer: Answer, noted: fault_acts.Noted) -> Answer:
        if answer.status != 200 or answer.rendered() != body:
            noted()
        return replace(answer, status=200, body=body, content_type=content_type)

    return FaultKind(f"200 with the body {body[:12]!r}", finish=finish)


def _on_data(change: Callable[[Attempt, Parameters, Any], Any], summary: str) -> FaultKind:
    """Return a kind that changes the data of a successful answer."""

    def finish(
        attempt: Attempt, parameters: Parameters, answer: Answer, noted: fault_acts.Noted
    ) -> Answer:
        if answer.status != 200 or answer.body is not None:
            return answer
        # A document that was rendered beforehand (exchangeInfo) can be sick like any other.
        whole = answer.data
        before = orjson.loads(whole) if isinstance(whole, bytes) else whole
        data = change(attempt, parameters, before)
        if data == before:
            return answer
        noted()
        return replace(answer, data=data)

    return FaultKind(summary, finish=finish)


def _on_page(change: Callable[[Parameters, list[Any]], list[Any]], summary: str) -> FaultKind:
    """Return a kind that changes the rows of a listing."""

    def changed(_: Attempt, parameters: Parameters, data: Any) -> Any:
        return change(parameters, list(data)) if isinstance(data, list) and data else data

    return _on_data(changed, summary)


def _wrong_type(_: Attempt, __: Parameters, data: Any) -> Any:
    return {"rows": data} if isinstance(data, list) else [data]


def _extra(_: Attempt, __: Parameters, data: Any) -> Any:
    extra = {"newField": {"since": "2027"}, "anotherField": None}
    if isinstance(data, list):
        return [row | extra if isinstance(row, dict) else row for row in data]
    return data | extra if isinstance(data, dict) else data


def _missing_field(_: Attempt, parameters: Parameters, data: Any) -> Any:
    name = str(parameters["field"])
    rows = data if isinstance(data, list) else [data]
    left = [
        {key: value for key, value in row.items() if key != name} if isinstance(row, dict) else row
        for row in rows
    ]
    return left if isinstance(data, list) else left[0]


def _other_account(attempt: Attempt, parameters: Parameters, data: Any) -> Any:
    if attempt.endpoint.kind != "read" or attempt.call is None:
        return data
    return attempt.reread(None, str(parameters["account"]))


def _stale(attempt: Attempt, parameters: Parameters, noted: fault_acts.Noted) -> None:
    if attempt.call is None or attempt.endpoint.kind != "read":
        return
    mode = lag_mode(str(parameters.get("mode", "steady")))
    lag_ms = int(parameters.get("lag_ms", 30_000))
    asked = attempt.world.next_number("stale_listing", 0)
    attempt.call.view = view_of(mode, lag_ms, attempt.world.now_ms(), asked)
    if attempt.reread(attempt.call.view, "") != attempt.reread(None, ""):
        noted()


def _truncated(parameters: Parameters, rows: list[Any]) -> list[Any]:
    return rows[: int(parameters.get("keep", len(rows) // 2))]


def _holed(parameters: Parameters, rows: list[Any]) -> list[Any]:
    place = int(parameters.get("index", len(rows) // 2)) % len(rows)
    return rows[:place] + rows[place + 1 :]


def _repeated(parameters: Parameters, rows: list[Any]) -> list[Any]:
    place = int(parameters.get("index", len(rows) // 2)) % len(rows)
    return [*rows[: place + 1], rows[place], *rows[place + 1 :]]


def _shuffled(parameters: Parameters, rows: list[Any]) -> list[Any]:
    shuffled = list(rows)
    random.Random(int(parameters.get("seed", 1))).shuffle(shuffled)
    return shuffled


def _altered_anywhere(_: Attempt, parameters: Parameters, data: Any) -> Any:
    if isinstance(data, dict) and "field" in parameters:
        return data | {str(parameters["field"]): parameters["value"]}
    return _altered(parameters, data) if isinstance(data, list) and data else data


def _altered(parameters: Parameters, rows: list[Any]) -> list[Any]:
    place = int(parameters.get("index", 0)) % len(rows)
    altered = dict(rows[place]) | {str(parameters["field"]): parameters["value"]}
    return [*rows[:place], altered, *rows[place + 1 :]]


def _pretend(attempt: Attempt, parameters: Parameters, noted: fault_acts.Noted) -> None:
    if attempt.call is not None and attempt.endpoint.kind == "cancel":
        attempt.call.quirks.pretend_cancels = int(parameters.get("count", -1))
        noted()


def _partial(attempt: Attempt, parameters: Parameters, noted: fault_acts.Noted) -> None:
    if attempt.call is not None and attempt.endpoint.kind == "cancel":
        attempt.call.quirks.cancel_only = int(parameters.get("reach", 1))
        noted()


def _batch(attempt: Attempt, parameters: Parameters, noted: fault_acts.Noted) -> None:
    if attempt.call is not None and attempt.endpoint.name.endswith("_batch"):
        attempt.call.quirks.refuse_elements = int(parameters.get("count", 1))
        noted()


KINDS: dict[str, FaultKind] = {
    "request_lost": FaultKind("never reaches the venue", arrive=_lost),
    "request_delayed": FaultKind("lands later, or is refused -1021 then", arrive=_delayed),
    "request_duplicated": FaultKind("lands more than once", arrive=_duplicated),
    "answer_lost": _delivery("drop"),
    "answer_reset": _delivery("reset"),
    "answer_truncated": _delivery("truncate"),
    "answer_never": _delivery("never"),
    "answer_slow": FaultKind("executed at once, answered later", finish=_slow),
    "body_html": _body(_HTML % (b"Welcome", b"Welcome"), "text/html"),
    "body_empty": _body(b""),
    "body_object": _body(b"{}"),
    "body_list": _body(b"[]"),
    "body_null": _body(b"null"),
    "body_error_in_200": _body(b'{"code":-1000,"msg":"An unknown error occured."}'),
    "body_cut": FaultKind(
        "200 whose JSON stops half way with an honest length",
        finish=lambda _, __, answer, noted: _cut(answer, noted),
    ),
    "body_wrong_type": _on_data(_wrong_type, "a list where an object belongs, or the reverse"),
    "body_extra_fields": _on_data(_extra, "fields that nobody documented"),
    "body_missing_field": _on_data(_missing_field, "a field is missing from every row"),
    "body_other_account": _on_data(_other_account, "another account's data"),
    "unknown_503": _coded(503, -1000, _UNKNOWN),
    "unavailable_503": _coded(503, -1, "Service Unavailable."),
    "internal_503": _coded(503, -1001, _INTERNAL),
    "throttled_1008": _sparing(_coded(503, -1008, _THROTTLED)),
    "code_1000": _coded(500, -1000, "An unknown error occured while processing the request."),
    "code_1001": _coded(500, -1001, _INTERNAL),
    "code_1006": _coded(500, -1006, _UNEXPECTED),
    "code_1007": _coded(504, -1007, _TIMEOUT),
    "bad_gateway_502": _html(502, "502 Bad Gateway"),
    "server_error_500": _html(500, "500 Internal Server Error"),
    "gateway_timeout_504": _html(504, "504 Gateway Time-out"),
    "backend_timeout_408": _coded(408, -1007, _TIMEOUT),
    "waf_403": _html(403, "403 Forbidden"),
    "limited_429": _error(_limit, "HTTP 429 with Retry-After"),
    "banned_418": _error(_ban, "HTTP 418 with the end of the ban"),
    "clock_refused": _coded(400, -1021, "Timestamp for this request is outside of the recvWindow."),
    "signature_refused": _coded(400, -1022, "Signature for this request is not valid."),
    "key_refused": _coded(401, -2015, "Invalid API-key, IP, or permissions for action."),
    "reduce_only_refused": _coded(400, -2022, "ReduceOnly Order is rejected."),
    "notional_refused": _coded(
        400, -4164, "Order's notional must be no smaller than 50 (unless you choose reduce only)."
    ),
    "error": _coded(400, -1000, "An unknown error occured while processing the request."),
    "stale_listing": FaultKind("a replica answers from the past", prepare=_stale),
    "page_truncated": _on_page(_truncated, "the page stops early"),
    "page_hole": _on_page(_holed, "a row is missing"),
    "page_duplicate": _on_page(_repeated, "a row comes twice"),
    "page_unstable": _on_page(_shuffled, "the rows come in another order"),
    "duplicate_trade": _on_page(_repeated, "a trade comes twice"),
    "row_altered": _on_data(_altered_anywhere, "a field of one row, or of the answer, is wrong"),
    "cancel_pretended": FaultKind("acknowledged, and still open", prepare=_pretend),
    "mass_cancel_partial": FaultKind("reaches only some of the orders", prepare=_partial),
    "batch_partial": FaultKind("the last elements of a batch fail", prepare=_batch),
    "late_fill_before_cancel": FaultKind(
        "the order is filled just before the cancel", prepare=fault_acts.fill_before
    ),
    "late_fill_after_cancel": FaultKind(
        "the order is filled after the cancel was acknowledged", finish=fault_acts.fill_after
    ),
    **{
        name: FaultKind(
            summary,
            prepare=fault_acts.acts(name, "before"),
            finish=fault_acts.acts_after(name),
        )
        for name, summary in fault_acts.SUMMARIES.items()
    },
}


def _cut(answer: Answer, noted: fault_acts.Noted) -> Answer:
    noted()
    whole = answer.rendered()
    return replace(answer, body=whole[: len(whole) // 2])
