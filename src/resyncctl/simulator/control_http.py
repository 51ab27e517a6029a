"""The control plane over HTTP: seed the practice exchange, break it, and question its log.

Promises: it answers only on a loopback host name, never under an exchange's host name, so that a
trading client cannot reach it by accident; without the bearer token it refuses everything but
does nothing; a method is reached by its public name with JSON arguments, and what is no public
method of the control plane cannot be called.

    GET  /_control/health                 is the exchange up, what is its time
    GET  /_control/methods                every method with its arguments and meaning
    GET  /_control/streams                every open WebSocket
    POST /_control/call/<method>          a method of the control, arguments as a JSON object
    POST /_control/log/<method>           a question to the request log, the same way
    POST /_control/network/<method>       the weather of the network, the same way

Called by the server; `control_client` is the other end.
"""

import hmac
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal, localcontext
from enum import Enum
from typing import Any

from aiohttp import web

from resyncctl.simulator.numbers import VENUE_CONTEXT
from resyncctl.simulator.streams.hub import StreamHub
from resyncctl.simulator.venue_errors import VenueError
from resyncctl.simulator.wire import Reply, Request

PREFIX = "/_control/"
# `Control.call` is this very dispatch, for callers in the same process; the log is only questioned.
_NOT_BY_NAME = {"call": frozenset({"call"}), "log": frozenset({"add", "amend"})}
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost"})
# What a wrong argument may raise inside a control method; anything else is a defect of ours.
_REFUSALS = (LookupError, ValueError, TypeError, ArithmeticError, VenueError)


class ControlHttp:
    """Answers the requests under `/_control/`."""

    def __init__(
        self,
        *,
        control: object,
        log: object,
        network: object,
        hub: StreamHub,
        now_ms: Callable[[], int],
        token: str,
    ) -> None:
        self._objects = {"call": control, "log": log, "network": network}
        self._hub = hub
        self._now_ms = now_ms
        self._token = token

    async def handle(self, request: Request) -> Reply:
        """Answer one request; never raises for anything that a client can send."""
        if request.host not in _LOOPBACK_HOSTS:
            return _answer(404, {"error": "no such path"})
        if not self._admits(request):
            return _answer(401, {"error": "a bearer token is needed; see control_token_file"})
        what, _, name = request.path.removeprefix(PREFIX).partition("/")
        if request.method == "GET" and not name:
            return self._read(what)
        if request.method == "POST" and what in self._objects:
            return await self._call(what, name, request.body)
        return _answer(404, {"error": f"no such control request: {request.method} {request.path}"})

    def _admits(self, request: Request) -> bool:
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode())

    def _read(self, what: str) -> Reply:
        if what == "health":
            return _answer(200, {"result": self._health()})
        if what == "streams":
            return _answer(200, {"result": jsonable(self._hub.describe())})
        if what == "methods":
            methods = {key: _described(self._methods(key)) for key in self._objects}
            return _answer(200, {"result": methods})
        return _answer(404, {"error": f"no such control request: GET {PREFIX}{what}"})

    def _health(self) -> dict[str, Any]:
        """An exchange that ran into a defect of its own says so: its tests prove nothing."""
        defects = list(getattr(self._objects["call"], "defects", ()))
        status = "defective" if defects else "ok"
        return {"status": status, "now_ms": self._now_ms(), "defects": defects}

    async def _call(self, what: str, name: str, body: bytes) -> Reply:
        method = self._methods(what).get(name)
        if method is None:
            return _answer(404, {"error": f"no such control method: {name}"})
        try:
            arguments = json.loads(body or b"{}", parse_float=Decimal)
        except ValueError as error:
            return _answer(400, {"error": f"the arguments are not JSON: {error}"})
        if not isinstance(arguments, dict):
            return _answer(400, {"error": "the arguments must be a JSON object"})
        try:
            inspect.signature(method).bind(**arguments)
        except TypeError as error:
            return _answer(400, {"error": f"{name}: {error}"})
        try:
            # Another library in this process may have changed the thread's decimal context.
            with localcontext(VENUE_CONTEXT):
                result = method(**arguments)
            if inspect.isawaitable(result):
                result = await result
        except _REFUSALS as error:
            return _answer(422, {"error": f"{type(error).__name__}: {error}"})
        return _answer(200, {"result": jsonable(result)})

    def _methods(self, what: str) -> Mapping[str, Callable[..., Any]]:
        hidden = _NOT_BY_NAME.get(what, frozenset())
        methods = public_methods(self._objects[what])
        return {name: method for name, method in methods.items() if name not in hidden}


def public_methods(target: object) -> Mapping[str, Callable[..., Any]]:
    """Return the methods that the object's class defines under a public name."""
    return {
        name: getattr(target, name)
        for name, member in inspect.getmembers(type(target), inspect.isfunction)
        if not name.startswith("_")
    }


def jsonable(value: object) -> Any:  # JSON has no narrower type
    """Return the value as JSON can hold it: decimals as text, records as objects."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Enum):
        return jsonable(value.value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {_key(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((jsonable(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    raise TypeError(f"the control plane cannot express a {type(value).__name__}")


def _key(key: object) -> str:
    return "/".join(str(part) for part in key) if isinstance(key, tuple) else str(key)


def _described(methods: Mapping[str, Callable[..., Any]]) -> dict[str, dict[str, str]]:
    return {
        name: {
            "arguments": str(inspect.signature(method)),
            "meaning": (inspect.getdoc(method) or "").partition("\n")[0],
        }
        for name, method in methods.items()
    }


def _answer(status: int, document: object) -> Reply:
    body = json.dumps(document, separators=(",", ":")).encode()
    return Reply(status, {"Content-Type": "application/json"}, body)


def to_request(request: web.BaseRequest, host: str, body: bytes) -> Request:
    """Return the received HTTP request as the exchange sees it: query and body untouched."""
    path, _, query = request.raw_path.partition("?")
    return Request(
        method=request.method,
        host=host,
        path=path,
        query=query,
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        client=request.remote or "",
    )
