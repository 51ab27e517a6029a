"""How one request becomes one reply: find, admit, check, execute, spoil, deliver, write down.

Promises: nothing escapes as an exception; a refused request changes nothing; a request that the
venue executed is executed whatever becomes of its answer; every request leaves one row in the log,
a repeated one a row per landing.

Called by `exchange.PracticeExchange.handle` under the venue's decimal context.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from resyncctl.simulator import endpoints, signatures
from resyncctl.simulator.attempt import Answer, Attempt, answer_of
from resyncctl.simulator.calls import Call, Endpoint
from resyncctl.simulator.events import Market
from resyncctl.simulator.fault_kinds import KINDS
from resyncctl.simulator.faults import Fault, FaultBoard, FaultFired, matches
from resyncctl.simulator.ledger import ApiKey
from resyncctl.simulator.limits import Limits
from resyncctl.simulator.replicas import FRESH, Lags, View, view_of
from resyncctl.simulator.request_log import RequestLog, RequestRow, public_parameters
from resyncctl.simulator.venue_errors import VenueError
from resyncctl.simulator.wire import Delivery, Reply, Request
from resyncctl.simulator.world import World

_NOT_FOUND = b"<html><head><title>404 Not Found</title></head><body>Not Found</body></html>"


@dataclass
class Pipeline:
    """What serving needs beside the world."""

    world: World
    limits: Limits
    lags: Lags
    board: FaultBoard
    log: RequestLog
    act: Callable[[str, Mapping[str, Any]], Any]
    latencies: dict[str, int] = field(default_factory=dict)

    def serve(self, request: Request) -> Reply:
        """Return the reply to a request."""
        endpoint = endpoints.find(request.method, request.host, request.path)
        if endpoint is None:
            return self._unknown(request)
        attempt = self._attempt(request, endpoint)
        fired = [
            (fault, self.board.record(fault, endpoint.name, attempt.account, self.world.now_ms()))
            for fault in self.board.take(endpoint, request.path, attempt.account)
        ]
        number = len(self.log) + 1
        for _, row in fired:
            row.request = number
        for fault, row in fired:
            stage = KINDS[fault.kind].arrive
            if stage is not None:
                stage(attempt, fault.parameters)
                row.changed = True
        names = tuple(fault.kind for fault, _ in fired)
        if attempt.lost or attempt.delayed:
            self._write(attempt, Answer(0), names, weight=0)
            return Reply(0, {}, b"", attempt.delivery)
        answer, weight = self._answer(attempt, fired)
        self._write(attempt, answer, names, weight=weight)
        copies = attempt.copies
        for copy in range(1, copies + 1):
            self._land_again(request, copy=copy)
        return self._reply(attempt, answer)

    def _answer(
        self, attempt: Attempt, fired: list[tuple[Fault, FaultFired]]
    ) -> tuple[Answer, int]:
        weight = attempt.endpoint.cost(attempt.parameters)
        answer: Answer | None = None
        for fault, row in fired:
            stage = KINDS[fault.kind].refuse
            if stage is not None and answer is None:
                answer = stage(attempt, fault.parameters)
                row.changed = row.changed or answer is not None
        if answer is None:
            answer = self._execute(attempt, fired)
        for fault, row in fired:
            finish = KINDS[fault.kind].finish
            if finish is not None:
                answer = finish(attempt, fault.parameters, answer, partial(_note, row))
        free = attempt.endpoint.free_when_successful and answer.executed
        charged = 0 if free else weight
        used = self.limits.charge(
            attempt.request.client, attempt.endpoint.market, charged, self.world.now_ms()
        )
        headers = {**answer.headers, "X-MBX-USED-WEIGHT-1M": str(used)}
        if attempt.endpoint.market == "spot":
            headers["X-MBX-USED-WEIGHT"] = str(used)
        placed = attempt.call.placed if attempt.call is not None else 0
        if placed:
            headers |= self.limits.order_headers(
                attempt.account, attempt.endpoint.market, self.world.now_ms()
            )
        return replace(answer, headers=headers), charged

    def _execute(self, attempt: Attempt, fired: list[tuple[Fault, FaultFired]]) -> Answer:
        world, endpoint, request = self.world, attempt.endpoint, attempt.request
        now_ms = world.now_ms()
        try:
            self.limits.admit(request.client, endpoint.market, now_ms)
            # What happened just before the venue looks at the request comes before the checks.
            call = self._call(attempt)
            attempt.call = call
            for fault, row in fired:
                prepare = KINDS[fault.kind].prepare
                if prepare is not None:
                    prepare(attempt, fault.parameters, partial(_note, row))
            key = signatures.check(request, endpoint, world.ledger, world.now_ms())
            self._admit_user(call, key)
            if endpoint.kind == "create":
                self.limits.admit_orders(attempt.account, endpoint.market, now_ms)
            data = endpoint.handler(call)
        except VenueError as error:
            if attempt.call is not None and attempt.call.placed:
                self._count(attempt)
            return answer_of(error)
        self._count(attempt)
        return Answer(200, data, executed=not call.pretended)

    def _call(self, attempt: Attempt) -> Call:
        return Call(
            world=self.world,
            parameters=attempt.parameters,
            market=attempt.endpoint.market,
            user=self.world.ledger.accounts.get(attempt.account),
            view=self._view(attempt.endpoint, attempt.request.path),
        )

    def _admit_user(self, call: Call, key: ApiKey | None) -> None:
        call.user = None if key is None else self.world.ledger.account(key.account)
        call.api_key = "" if key is None else key.api_key

    def _view(self, endpoint: Endpoint, path: str) -> View:
        if endpoint.kind != "read":
            return FRESH
        for lag in self.lags.rows.values():
            if matches(lag.where, endpoint, path):
                lag.asked += 1
                return view_of(lag.mode, lag.lag_ms, self.world.now_ms(), lag.asked - 1)
        return FRESH

    def _count(self, attempt: Attempt) -> None:
        if attempt.call is not None and attempt.call.placed:
            self.limits.count_orders(
                attempt.account,
                attempt.endpoint.market,
                attempt.call.placed,
                self.world.now_ms(),
            )

    def _attempt(self, request: Request, endpoint: Endpoint) -> Attempt:
        key = signatures.key_of(request, self.world.ledger)
        land = partial(self._land_again, request, number=len(self.log) + 1)
        attempt = Attempt(
            world=self.world,
            request=request,
            endpoint=endpoint,
            account=key.account if key is not None else "",
            parameters=signatures.parameters_of(request),
            act=self.act,
            resend=lambda delay_ms: self.world.later(delay_ms, land),
            reread=lambda view, account: self._reread(attempt, view, account),
            delivery=Delivery(self._latency(endpoint, request.path)),
        )
        return attempt

    def _reread(self, attempt: Attempt, view: View | None, account: str) -> Any:
        """Run a reading handler again; what it would refuse is its own answer."""
        if attempt.call is None:
            return None
        user = attempt.call.user
        if account:
            user = self.world.ledger.account(account)
        elif user is None:
            user = self.world.ledger.accounts.get(attempt.account)
        try:
            return attempt.endpoint.handler(
                replace(attempt.call, view=view if view is not None else FRESH, user=user)
            )
        except VenueError as error:
            return answer_of(error).data

    def _land_again(self, request: Request, *, number: int = 0, copy: int = 0) -> None:
        """Serve a request whose answer goes nowhere: a delayed one, or one that was repeated."""
        endpoint = endpoints.find(request.method, request.host, request.path)
        if endpoint is None:
            return
        attempt = self._attempt(request, endpoint)
        answer, weight = self._answer(attempt, [])
        row = self._row(attempt, answer, (), weight=weight, copy=copy)
        if number:
            self.log.amend(number, row)
        else:
            self.log.add(row)

    def _write(
        self, attempt: Attempt, answer: Answer, names: tuple[str, ...], *, weight: int
    ) -> None:
        self.log.add(self._row(attempt, answer, names, weight=weight))

    def _row(
        self,
        attempt: Attempt,
        answer: Answer,
        names: tuple[str, ...],
        *,
        weight: int,
        copy: int = 0,
    ) -> RequestRow:
        request, endpoint = attempt.request, attempt.endpoint
        reached = not (attempt.lost or attempt.delayed)
        now_ms = self.world.now_ms()
        return RequestRow(
            number=0,
            time_ms=now_ms,
            landed_ms=now_ms if reached else 0,
            account=attempt.account,
            client=request.client,
            method=request.method,
            host=request.host,
            path=request.path,
            parameters=public_parameters(attempt.parameters),
            endpoint=endpoint.name,
            kind=endpoint.kind,
            status=answer.status,
            code=answer.code,
            weight=weight,
            reached=reached,
            executed=answer.executed,
            placed=attempt.call.placed if attempt.call is not None else 0,
            fate=attempt.delivery.fate,
            faults=names,
            copy=copy,
        )

    def _unknown(self, request: Request) -> Reply:
        market: Market = endpoints.HOSTS.get(request.host.partition(":")[0].lower(), "spot")
        nowhere = Endpoint(
            "unknown", market, request.method, request.path, lambda _: None, kind="other"
        )
        attempt = self._attempt(request, nowhere)
        answer = Answer(404, body=_NOT_FOUND, content_type="text/html")
        self._write(attempt, answer, (), weight=1)
        return self._reply(attempt, answer)

    def _latency(self, endpoint: Endpoint, path: str) -> int:
        for where, delay_ms in self.latencies.items():
            if matches(where, endpoint, path):
                return delay_ms
        return 0

    def _reply(self, attempt: Attempt, answer: Answer) -> Reply:
        body = answer.rendered()
        headers = {
            "Content-Type": answer.content_type,
            "Content-Length": str(len(body)),
            **answer.headers,
        }
        return Reply(answer.status, headers, body, attempt.delivery)


def _note(row: FaultFired) -> None:
    row.changed = True
