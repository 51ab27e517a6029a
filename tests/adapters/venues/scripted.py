"""A session that answers from a script, standing where aiohttp's session stands.

It obeys what `GuardedSession` uses of a session and nothing more. A route is matched by method and
by the end of the path; its answer may be a function of the request, or an exception to raise.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

import yarl


@dataclass(frozen=True)
class Asked:
    method: str
    host: str
    path: str
    params: Mapping[str, str]
    url: str


@dataclass(frozen=True)
class Say:
    """One answer. `body` is text, or a value to be written as JSON."""

    body: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.body if isinstance(self.body, str) else json.dumps(self.body)


Answer = Say | BaseException | Callable[[Asked], "Say | BaseException"]


class _Response:
    def __init__(self, say: Say) -> None:
        self.status = say.status
        self.reason = "scripted"
        self.headers = {"Content-Type": "application/json", **say.headers}
        self._text = say.text

    async def text(self, errors: str = "strict") -> str:
        return self._text


class _Exchange:
    def __init__(self, answer: Callable[[], Say]) -> None:
        self._answer = answer

    async def __aenter__(self) -> _Response:
        return _Response(self._answer())

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


class ScriptedSession:
    """Answers each route with its list of answers in turn; the last one repeats."""

    def __init__(self, routes: Mapping[str, Answer | list[Answer]] | None = None) -> None:
        self.routes: dict[str, list[Answer]] = {}
        self.asked: list[Asked] = []
        self.closed = False
        for route, answers in (routes or {}).items():
            self.on(route, *(answers if isinstance(answers, list) else [answers]))

    def on(self, route: str, *answers: Answer) -> None:
        """Set the answers of a route such as `GET /api/v3/openOrders`."""
        self.routes[route] = list(answers)

    def request(self, method: str, url: yarl.URL, **rest: Any) -> _Exchange:
        assert rest.get("allow_redirects") is False
        return _Exchange(lambda: self._answer(method, url, rest.get("data")))

    async def close(self) -> None:
        self.closed = True

    def requests(self, route: str) -> list[Asked]:
        """Return what was asked of one route."""
        method, _, path = route.partition(" ")
        return [one for one in self.asked if one.method == method and one.path == path]

    def _answer(self, method: str, url: yarl.URL, data: bytes | None) -> Say:
        params = dict(url.query) | dict(parse_qsl((data or b"").decode()))
        one = Asked(method, url.host or "", url.path, params, str(url))
        self.asked.append(one)
        answers = self.routes.get(f"{method} {url.path}") or self.routes.get("*")
        if not answers:
            return Say({"code": -1, "msg": f"no script for {method} {url.path}"}, status=400)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        said = answer(one) if callable(answer) else answer
        if isinstance(said, BaseException):
            raise said
        return said
