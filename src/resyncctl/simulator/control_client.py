"""The caller's side of the control plane: drive a running practice exchange from another process.

    control = PracticeControl.from_ready_file("practice/ready.json")
    control.call("deposit", account="demo", asset="USDT", amount="1000")
    rows = control.ask_log("mutations")

Promises: it speaks only to the address in the ready document, over TLS, trusting only the practice
authority; the token is read from its file and is never part of an error message. Standard library
only and synchronous, so that demos, drills and tests can use it anywhere.
"""

import http.client
import json
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

_TIMEOUT_SECONDS = 30.0


class ControlRefused(Exception):  # noqa: N818  # the name is the message
    """The control plane did not do what it was asked."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


@dataclass(frozen=True)
class PracticeControl:
    """A handle on the control plane of one running practice exchange."""

    address: str
    ca_file: Path
    token: str = field(repr=False)
    timeout_seconds: float = _TIMEOUT_SECONDS

    @classmethod
    def from_ready_file(cls, path: Path | str) -> Self:
        """Read the document that the server wrote when it began to listen."""
        ready = json.loads(Path(path).read_text(encoding="utf-8"))
        token = Path(ready["control_token_file"]).read_text(encoding="utf-8").strip()
        return cls(ready["control_address"], Path(ready["ca_file"]), token)

    def call(self, method: str, /, **arguments: Any) -> Any:  # JSON in, JSON out
        """Call a method of the control with JSON-friendly arguments; decimals travel as text.

        Raise `ControlRefused` when the exchange refuses, `OSError` when it cannot be reached.
        """
        return self._exchange("POST", f"call/{method}", arguments)

    def ask_log(self, method: str, /, **arguments: Any) -> Any:  # JSON in, JSON out
        """Call a method of the request log; raises as `call` does."""
        return self._exchange("POST", f"log/{method}", arguments)

    def network(self, method: str, /, **arguments: Any) -> Any:  # JSON in, JSON out
        """Call a method of the network, such as `turn`; raises as `call` does."""
        return self._exchange("POST", f"network/{method}", arguments)

    def health(self) -> dict[str, Any]:
        """Return the state and the time of the exchange; raises as `call` does."""
        return dict(self._exchange("GET", "health"))

    def streams(self) -> list[dict[str, Any]]:
        """Return every open WebSocket; raises as `call` does."""
        return list(self._exchange("GET", "streams"))

    def methods(self) -> dict[str, Any]:
        """Return every method of control and log with its arguments; raises as `call` does."""
        return dict(self._exchange("GET", "methods"))

    def _exchange(self, verb: str, path: str, arguments: object = None) -> Any:  # JSON
        host, _, port = self.address.rpartition(":")
        context = ssl.create_default_context(cafile=str(self.ca_file))
        connection = http.client.HTTPSConnection(
            host, int(port), context=context, timeout=self.timeout_seconds
        )
        try:
            connection.request(
                verb,
                f"/_control/{path}",
                body=None if arguments is None else json.dumps(arguments),
                headers={"Authorization": f"Bearer {self.token}"},
            )
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        try:
            answer = json.loads(body)
        except ValueError:
            raise ControlRefused(response.status, "the answer is not JSON") from None
        if response.status != http.client.OK:
            raise ControlRefused(response.status, str(answer.get("error", answer)))
        return answer["result"]
